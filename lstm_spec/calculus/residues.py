"""Numbers modulo a prime with their slope in one direction: exact derivatives at the cost of running a Program.

An elementwise function takes a random residue for every argument, the same one whenever it is asked again, so that what
is computed is a rational function of the entries and of the functions' values. Two such functions that differ agree at
a random point with a probability of about their degree over the prime (Schwartz 1980, Zippel 1979). The slope of an
elementwise function is SymPy's derivative of it.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

from sympy import Add, Expr, Float, Lambda, Mul, Pow, Rational, Symbol, sqrt, sympify

from lstm_spec.calculus.witness import Arithmetic
from lstm_spec.spec.functions import identity, quotient

PRIME = 2**61 - 1


@dataclass(frozen=True)
class Dual:
    """A residue, and its slope in the direction in which the leaves move."""

    value: int
    slope: int = 0

    def __add__(self, other: "Dual | int") -> "Dual":
        other = _dual(other)
        return Dual((self.value + other.value) % PRIME, (self.slope + other.slope) % PRIME)

    def __mul__(self, other: "Dual | int") -> "Dual":
        other = _dual(other)
        slope = self.slope * other.value + self.value * other.slope
        return Dual(self.value * other.value % PRIME, slope % PRIME)

    def at_rest(self) -> "Dual":
        """Return the residue without its slope."""
        return Dual(self.value)

    __radd__ = __add__
    __rmul__ = __mul__


def _dual(number: Dual | int) -> Dual:
    return number if isinstance(number, Dual) else Dual(number % PRIME)


class Field:
    """The values of elementwise functions at one random point."""

    def __init__(self, seed: int) -> None:
        self.generator = random.Random(seed)
        self.known: dict[tuple[Any, ...], int] = {}
        self.arithmetic = Arithmetic(self.number, self.apply)

    def draw(self) -> int:
        """Return a random residue that is not 0."""
        return self.generator.randrange(1, PRIME)

    def number(self, number: Any) -> Dual:
        """Return a number as it is at this point; π, and a root of it, is one of which only its rules are known."""
        return number if isinstance(number, Dual) else Dual(self.residue(sympify(number), {}))

    def apply(self, function: Lambda) -> Callable[..., Dual]:
        """Return an elementwise function on residues with slopes."""
        slopes = _slopes(function)

        def applied(*arguments: Dual) -> Dual:
            at = {v: a.value for v, a in zip(function.variables, arguments, strict=True)}
            moved = sum(self.residue(s, at) * a.slope for s, a in zip(slopes, arguments, strict=True) if a.slope)
            return Dual(self.residue(function.expr, at), moved % PRIME)

        return applied

    def residue(self, e: Expr, at: Mapping[Symbol, int]) -> int:
        """Return a scalar expression at residues; a root too is a function of which only the slope is known."""
        if e in at:
            return at[e]
        if isinstance(e, Rational | Float):
            return _rational(Rational(e))
        parts = [self.residue(a, at) for a in e.args]
        if isinstance(e, Add):
            return sum(parts) % PRIME
        if isinstance(e, Mul):
            return reduce(lambda a, b: a * b % PRIME, parts, 1)
        if isinstance(e, Pow) and e.exp.is_Integer:
            return pow(parts[0], int(e.exp), PRIME)
        if isinstance(e, Pow) and (2 * e.exp).is_Integer:
            return pow(self._function(sqrt, parts[0]), int(2 * e.exp), PRIME)
        if isinstance(e, identity | quotient):
            return parts[0] * (pow(parts[1], -1, PRIME) if len(parts) > 1 else 1) % PRIME
        return self._function(e.func, *parts)

    def _function(self, *key: Any) -> int:
        if key not in self.known:
            self.known[key] = self.draw()
        return self.known[key]


@lru_cache(maxsize=256)
def _slopes(function: Lambda) -> tuple[Expr, ...]:
    return tuple(function.expr.diff(v) for v in function.variables)


def _rational(number: Rational) -> int:
    return int(number.p) * pow(int(number.q), -1, PRIME) % PRIME
