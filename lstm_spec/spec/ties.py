"""Sizes that are one: where equations force n = m, the cell keeps the two sides that do, as found by their shapes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sympy import MatrixSymbol, Symbol

from lstm_spec.spec.dimensions import DimensionError, Side, same, walk
from lstm_spec.spec.notation import size_text, text

Pair = tuple[MatrixSymbol, Any]


@dataclass(frozen=True)
class Tie:
    """A size that is another one in all equations of a cell.

    size: the one that is no size of its own, such as n. other: what it is, such as m. because: the two sides that
    collide without it, and in which equation. untied: the values that have it in their shape, with the shape they would
    have without.
    """

    size: Symbol
    other: Symbol
    because: str
    untied: tuple[MatrixSymbol, ...] = ()

    def sentence(self, owner: str) -> str:
        """Return what holds for the owner, and why."""
        why = f", since {self.because}" if self.because else ""
        return f"{owner} works only with {self.size} = {self.other}{why}"

    def check(self, owner: str, value: Any, other: Any, where: tuple[str, str] = ("", "")) -> None:
        """Raise DimensionError unless both sizes are the same; where: what is said after each."""
        if not same(value, other):
            got = f"{self.size}={size_text(value)}{where[0]}, {self.other}={size_text(other)}{where[1]}"
            raise DimensionError(f"{self.sentence(owner)}; got {got}")


def tie(size: Symbol, other: Symbol, symbols: Iterable[MatrixSymbol], equations: Iterable[Pair]) -> Tie:
    """Return the tie of two sizes, with the first equation whose shapes need it."""
    untied = tuple(s for s in symbols if any(side.has(size) for side in s.shape))
    for symbol, expression in equations:
        found = _collisions(symbol, expression, {size: other})
        if found:
            first, second = found[0]
            return Tie(size, other, f"{first} but {second}, in {text(symbol)} = {text(expression)}", untied)
    return Tie(size, other, "", untied)


def _collisions(symbol: MatrixSymbol, expression: Any, tied: Mapping[Symbol, Symbol]) -> list[tuple[Side, Side]]:
    """Return the pairs of sides in an equation that differ, and do not once the sizes are tied."""
    found = []

    def collect(first: Side, second: Side) -> None:
        if not same(first.size, second.size) and same(first.size.xreplace(tied), second.size.xreplace(tied)):
            found.append((first, second))

    shape = walk(expression, {}, collect)
    for axis in (0, 1):
        collect(Side(symbol, symbol.shape, axis), Side(expression, shape, axis))
    return found
