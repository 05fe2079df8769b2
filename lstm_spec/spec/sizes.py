"""Sizes: the symbols that shapes are made of, the numbers given for them, and shapes with numbers put in."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from sympy import Number, Symbol, sympify

from lstm_spec.spec.dimensions import Shape
from lstm_spec.spec.equation import ProgramError
from lstm_spec.spec.notation import SIZES
from lstm_spec.spec.ties import Tie


def sizes_in(shapes: Iterable[Shape]) -> tuple[Symbol, ...]:
    """Return the symbols of the sizes in shapes: n, m, q, then others by name."""
    found = {s for shape in shapes for side in shape for s in sympify(side).free_symbols}
    order = {name: position for position, name in enumerate(SIZES)}
    return tuple(sorted(found, key=lambda s: (order.get(s.name, len(order)), s.name)))


def checked_sizes(
    owner: str, known: Iterable[Symbol], sizes: Mapping[str, Any], ties: Iterable[Tie] = ()
) -> dict[Symbol, int]:
    """Return sizes by symbol; raises ProgramError for one that the owner has not, or that is no positive integer.

    ties: the sizes of the owner that are another one; raises DimensionError where both are given and differ.
    """
    by_name = {s.name: s for s in known}
    tied = {t.size.name: t for t in ties if t.other in by_name.values()}
    for name, value in sizes.items():
        if name not in by_name and name not in tied:
            raise ProgramError(f"{owner} has no size {name}; its sizes are {', '.join(by_name)}")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ProgramError(f"size {name} must be a positive integer, got {value!r}")
    found: dict[Symbol, int] = {}
    for name, value in sizes.items():
        if name in tied:
            tied[name].check(owner, value, sizes.get(tied[name].other.name, value))
        found[tied[name].other if name in tied else by_name[name]] = value
    return found


def total_entries(shapes: Iterable[Shape], values: Mapping[Symbol, int]) -> Any:
    """Return how many numbers arrays of these shapes hold, symbolic where a size has no value."""
    total = sum((rows * columns for rows, columns in shapes), start=Number(0)).subs(values)
    return int(total) if total.is_number else total.factor()


def evaluate_shape(shape: Shape, values: Mapping[Symbol, int]) -> tuple[Any, Any]:
    """Return a shape with sizes put in, as Python integers where it is numeric."""
    rows, columns = (_evaluate_size(side, values) for side in shape)
    return rows, columns


def _evaluate_size(side: Any, values: Mapping[Symbol, int]) -> Any:
    number, terms = _linear(side)
    if all(symbol in values for symbol, _ in terms):
        return number + sum(coefficient * values[symbol] for symbol, coefficient in terms)
    return side.subs(values)


@lru_cache(maxsize=1024)
def _linear(side: Any) -> tuple[int, tuple[tuple[Symbol, int], ...]]:
    """Take a size such as n+4m+1 apart once: SymPy's substitution would cost more than a whole small case."""
    terms = [(t, c) for t, c in side.expand().as_coefficients_dict().items() if not t.is_number]
    return int(side.subs(dict.fromkeys(side.free_symbols, 0))), tuple((t, int(c)) for t, c in terms)


def array_shape(shape: tuple[Any, Any]) -> tuple[Any, ...]:
    """Return the shape that an array of parameters has: a column vector has one axis."""
    return shape[:1] if shape[1] == 1 else shape
