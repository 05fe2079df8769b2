"""Sizes from actual shapes: solve n, m, … from a sufficient set of arrays, or explain why a set contradicts itself."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sympy import Expr, MatrixSymbol, S, Symbol, linsolve

from lstm_spec.spec.dimensions import DimensionError, check_equation
from lstm_spec.spec.notation import shape_text, size_text, symbol_text
from lstm_spec.spec.program import Program, cell_of
from lstm_spec.spec.sizes import array_shape

_SUFFIXES = {"0": "_prev"}


@dataclass(frozen=True)
class Given:
    """An array as the user gave it: what he called it, the symbol that it is, and its shape."""

    name: str
    symbol: MatrixSymbol
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return symbol_text(self.name) if self.name == self.symbol.name else self.name


@dataclass(frozen=True)
class Fact:
    """One actual axis: the size that the specification gives it, and the number that it has."""

    given: Given
    size: Expr
    actual: int

    def __str__(self) -> str:
        return f"{size_text(self.size)}={self.actual} from {self.given}"

    def rest(self, solved: Mapping[Symbol, Fraction]) -> tuple[dict[Symbol, int], Fraction]:
        """Return the unsolved sizes with their factors, and the number that they have to add up to."""
        factors = {s: int(k) for s, k in self.size.as_coefficients_dict().items()}
        number = Fraction(self.actual - factors.pop(S.One, 0))
        return (
            {s: k for s, k in factors.items() if s not in solved},
            number - sum(k * solved[s] for s, k in factors.items() if s in solved),
        )


def infer_dimensions(program: Program, shapes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Solve the sizes of a Program from the shapes of arrays.

    shapes: by name, as arrays have them: matrices (rows, columns), vectors (entries,), per-row values with any leading
    axes and the feature axis last, so x may be (T, B, n), (B, n) or (n,). ``h0`` and ``c0`` are the initial states,
    ``y`` the sequence of the first state; computed values such as z or f may be given too.

    Returns every size by name. Raises DimensionError that names the two facts that collide and the equation in which
    they do, or what is missing; where two sizes have to be one, the equation that needs it.

    >>> from lstm_spec.spec.cells import lstm
    >>> infer_dimensions(lstm(), {"W_f": (70, 102)})
    {'n': 32, 'm': 70}
    >>> infer_dimensions(lstm(), {"W_f": (70, 102), "x": (20, 8, 32), "W_o": (70, 101)})
    Traceback (most recent call last):
    lstm_spec.spec.dimensions.DimensionError: W_o is 70×101 but z has 102 rows (n=32 from x, m=70 from W_f), in
    a_o = W_o z + b_o
    """
    cell_of(program, "infer_dimensions")
    if not isinstance(shapes, Mapping):
        raise DimensionError(f"shapes are given by name, such as {{'W_f': (70, 102)}}, got {shapes!r}")
    arrays = [
        Given(name, program.symbols[canonical_name(program, name)], _shape(name, s)) for name, s in shapes.items()
    ]
    for given in arrays:
        _check_positive(given)
    return dict(_sizes(program, tuple(arrays)))


@lru_cache(maxsize=1024)
def _sizes(program: Program, arrays: tuple[Given, ...]) -> dict[str, int]:
    _check_ties(program, arrays)
    facts = [fact for given in arrays for fact in _facts(program, given)]
    solved, _ = _solve(facts)
    culprit = _culprit(facts, solved)
    if culprit is not None:
        raise DimensionError(_explain(program, culprit, facts))
    _require_positive(program, solved, facts)
    missing = [size.name for size in program.sizes if size not in solved]
    if missing:
        raise DimensionError(_underdetermined(program, missing, solved, arrays))
    return {size.name: int(solved[size]) for size in program.sizes}


def _check_ties(program: Program, arrays: Iterable[Given]) -> None:
    """Refuse arrays that agree with each other only if two sizes differ that are one in this Program."""
    for tie in program.tied:
        untied = {s.name: s for s in tie.untied}
        facts = [f for g in arrays for f in _facts(program, replace(g, symbol=untied.get(g.symbol.name, g.symbol)))]
        solved, origins = _solve(facts)
        if {tie.size, tie.other} <= solved.keys() and not _broken(facts, solved) and _possible(solved):
            size, other = tie.size, tie.other
            where = (f" from {origins[size]}", f" from {origins[other]}")
            tie.check(program.name, int(solved[size]), int(solved[other]), where)


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    if hasattr(shape, "shape"):
        raise DimensionError(f"sizes are read off shapes, got {name} itself: give its .shape")
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        raise DimensionError(f"the shape of {name} is a tuple such as (70, 102), got {shape!r}")
    return tuple(shape)


def canonical_name(program: Program, name: str) -> str:
    """Return the Program's own name for an array: h0 is h_prev, y is the first state.

    Raises DimensionError for a name that the Program does not have, with the closest one.
    """
    if name in program.symbols:
        return name
    if name == "y" and program.recurrence:
        return program.states[0]
    for suffix, replacement in _SUFFIXES.items():
        if name.endswith(suffix) and name.removesuffix(suffix) + replacement in program.symbols:
            return name.removesuffix(suffix) + replacement
    close = difflib.get_close_matches(name, program.symbols, n=1)
    hint = f"; did you mean {close[0]}?" if close else f"; it has {', '.join(program.symbols)}"
    raise DimensionError(f"{program.name} has no value named {name}{hint}")


def _check_positive(given: Given) -> None:
    if not all(isinstance(s, int) and not isinstance(s, bool) and s > 0 for s in given.shape):
        raise DimensionError(f"the shape of {given} must hold positive integers, got {given.shape}")


def _facts(program: Program, given: Given) -> list[Fact]:
    expected = array_shape(given.symbol.shape)
    per_row = given.symbol.name not in program.shared
    if len(given.shape) < len(expected) or (len(given.shape) > len(expected) and not per_row):
        axes = "1 axis" if len(expected) == 1 else f"{len(expected)} axes"
        raise DimensionError(f"{given} needs {axes} ({shape_text(given.symbol.shape)}), got shape {given.shape}")
    return [Fact(given, size, actual) for size, actual in zip(expected, given.shape[-len(expected) :], strict=True)]


Solved = dict[Symbol, Fraction]


def _solve(facts: Iterable[Fact], known: Mapping[Symbol, Fraction] | None = None) -> tuple[Solved, dict[Symbol, str]]:
    """Solve the sizes one by one, each from the first fact in which it is the only unknown; then jointly."""
    solved: Solved = dict(known or {})
    origins: dict[Symbol, str] = {}
    open_facts = sorted(facts, key=lambda fact: not fact.size.is_Symbol)
    progress = True
    while progress:
        progress = False
        for fact in open_facts:
            unknown, number = fact.rest(solved)
            if len(unknown) == 1:
                ((symbol, factor),) = unknown.items()
                solved[symbol] = number / factor
                origins[symbol] = str(fact.given)
                progress = True
    joint = [(fact, *fact.rest(solved)) for fact in open_facts]
    joint = [(fact, unknown, number) for fact, unknown, number in joint if unknown]
    symbols = sorted({s for _, unknown, _ in joint for s in unknown}, key=str)
    if joint:
        names = " and ".join(dict.fromkeys(str(fact.given) for fact, _, _ in joint))
        equations = [sum(k * s for s, k in unknown.items()) - number for _, unknown, number in joint]
        for values in linsolve(equations, *symbols):
            determined = {s: Fraction(int(v.p), int(v.q)) for s, v in zip(symbols, values, strict=True) if v.is_number}
            solved |= determined
            origins |= dict.fromkeys(determined, names)
    return solved, origins


def _broken(facts: Iterable[Fact], solved: Mapping[Symbol, Fraction]) -> list[Fact]:
    rests = [(fact, *fact.rest(solved)) for fact in facts]
    return [fact for fact, unknown, number in rests if not unknown and number != 0]


def _possible(solved: Mapping[Symbol, Fraction]) -> bool:
    return all(value.denominator == 1 and value > 0 for value in solved.values())


def _culprit(facts: list[Fact], solved: Mapping[Symbol, Fraction]) -> Given | None:
    """Return the array that contradicts the others: its removal leaves them consistent; of several the last."""
    if not _broken(facts, solved) and _possible(solved):
        return None
    arrays = list(dict.fromkeys(fact.given for fact in facts))
    for given in reversed(arrays):
        rest = [fact for fact in facts if fact.given != given]
        values, _ = _solve(rest)
        if rest and not _broken(rest, values) and _possible(values):
            return given
    broken = _broken(facts, solved)
    return broken[-1].given if broken and len(arrays) > 1 else None


def _explain(program: Program, culprit: Given, facts: list[Fact]) -> str:
    """Say in which equation an array collides with what the others tell, and what they tell."""
    solved, origins = _solve(fact for fact in facts if fact.given != culprit)
    # Where only the culprit tells a size, its number serves, so that what is left is the contradiction.
    completed, own = _solve((fact for fact in facts if fact.given == culprit), solved)
    if _possible(completed):
        solved, origins = completed, {**origins, **own}
    known = ", ".join(f"{s}={solved[s]} from {origins[s]}" for s in program.sizes if s in solved)
    symbol, shape = culprit.symbol, culprit.shape
    actual = (shape[-1], 1) if symbol.shape[1] == 1 else (shape[-2], shape[-1])
    for definition in program.definitions:
        try:
            check_equation(definition.symbol.subs(solved), definition.expression.subs(solved), {symbol.name: actual})
        except DimensionError as error:
            before, _, equation = str(error).rpartition(", in ")
            named = before.startswith((f"{culprit} ", f"{symbol_text(symbol.name)} ")) or f" but {culprit} " in before
            return f"{before} ({known}{'' if named else f'; {culprit} is {shape_text(actual)}'}), in {equation}"
    wanted = shape_text(tuple(side.subs(solved) for side in symbol.shape))
    return f"{culprit} has shape {shape} but {shape_text(symbol.shape)} is {wanted} ({known})"


def _require_positive(program: Program, solved: Mapping[Symbol, Fraction], facts: list[Fact]) -> None:
    for symbol, value in solved.items():
        if not _possible({symbol: value}):
            listed = ", ".join(str(fact) for fact in facts)
            raise DimensionError(f"{symbol} would be {value}, which is no size of {program.name} ({listed})")


def _underdetermined(
    program: Program, missing: list[str], solved: Mapping[Symbol, Fraction], arrays: Sequence[Given]
) -> str:
    def still_open(symbol: MatrixSymbol) -> set[str]:
        return {s.name for side in symbol.shape for s in side.free_symbols if s not in solved}

    helpful = [symbol_text(s.name) for s in program.leaves if still_open(s) & set(missing)]
    listed = ", ".join(map(str, arrays)) or "nothing"
    return f"{' and '.join(missing)} cannot be told from {listed}; what tells: {', '.join(helpful)}"
