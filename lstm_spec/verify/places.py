"""The parts of an expression, each with what puts something else in its place."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sympy import BlockMatrix, MatrixSymbol, Transpose
from sympy.matrices.expressions.matexpr import MatrixExpr
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.spec.dimensions import same
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.operators import Elementwise, concat, parts_of, rows, transpose


@dataclass(frozen=True)
class Rewrite:
    """One mistake in one equation.

    kind: what sort of mistake; sentence: what is wrong, ready to be read; expression: the right side with the mistake.
    """

    kind: str
    sentence: str
    expression: Any


def same_shape(first: Any, second: Any) -> bool:
    """Tell whether two expressions have one shape for all sizes."""
    return all(same(a, b) for a, b in zip(first.shape, second.shape, strict=True))


Put = Callable[[Any], Any]


def places(e: Any) -> Iterator[tuple[Any, Put]]:
    """Yield every part of an expression with the function that puts something else in its place."""
    yield e, lambda new: new
    parts = inner_parts(e)
    for k, part in enumerate(parts):
        for inner, put in places(part):
            yield inner, _within(e, parts, k, put)


def _within(e: Any, parts: list[Any], k: int, put: Put) -> Put:
    return lambda new: rebuilt(e, [*parts[:k], put(new), *parts[k + 1 :]])


def inner_parts(e: Any) -> list[Any]:
    """Return the matrices that an expression is made of, from one step within; none of a symbol."""
    if isinstance(e, MatrixSymbol):
        return []
    if isinstance(e, BlockMatrix):
        return parts_of(e)
    if isinstance(e, Elementwise):
        return list(e.arguments)
    if isinstance(e, MatrixSlice):
        return [e.parent]
    return [a for a in e.args if isinstance(a, MatrixExpr)]


def rebuilt(e: Any, parts: list[Any]) -> Any:
    """Return an expression made of other parts than ``inner_parts`` has."""
    if isinstance(e, BlockMatrix):
        return concat(*parts)
    if isinstance(e, Elementwise):
        return Elementwise(e.function, *parts)
    if isinstance(e, MatrixSlice):
        start, stop, _ = e.rowslice
        return rows(parts[0], start, stop)
    if isinstance(e, Transpose):
        return transpose(parts[0])
    scalars = [a for a in e.args if not isinstance(a, MatrixExpr)]
    return e.func(*scalars, *parts, evaluate=False)


def with_others(e: Any, others: Mapping[Any, Any]) -> Any:
    """Return an expression with other parts wherever some stand."""
    if e in others:
        return others[e]
    parts = inner_parts(e)
    return rebuilt(e, [with_others(part, others) for part in parts]) if parts else e


def written(equation: Equation) -> str:
    """Return the name of what an equation defines, as one writes it."""
    return symbol_text(equation.name)
