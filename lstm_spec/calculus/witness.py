"""Numbers at which a formula fails: Programs evaluated at random points in high precision.

A wrong formula is refuted by numbers, never by a simplification that did not succeed. Derivatives are central
differences of the forward equations, so they share nothing with the rules that made the formula.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray
from sympy import (
    BlockMatrix,
    Expr,
    HadamardProduct,
    Identity,
    Lambda,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Rational,
    Symbol,
    Transpose,
    ZeroMatrix,
    lambdify,
    sympify,
)
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.calculus.adjoint import Arrival, dependents
from lstm_spec.calculus.algebra import split
from lstm_spec.spec.functions import Defined
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

Array = NDArray[np.object_]
Point = Mapping[str, Array]

DIGITS = 40
STEP = mpmath.mpf(10) ** -13
_TOLERANCE = mpmath.mpf(10) ** -15
"""Differences at this step are good to about 26 digits; a formula is wrong if it misses by more than the tolerance."""


@dataclass(frozen=True)
class Witness:
    """The numbers at which a formula fails.

    entry: the position [row, column]; formula: its value there; derivative: the true one; sizes: of the example; point:
    the numbers given, as nested lists by name.
    """

    name: str
    entry: tuple[int, int]
    formula: float
    derivative: float
    sizes: Mapping[str, int]
    point: Mapping[str, list[list[float]]]

    def __str__(self) -> str:
        sizes = ", ".join(f"{name}={value}" for name, value in self.sizes.items())
        where = f"{symbol_text(self.name)}[{self.entry[0]}, {self.entry[1]}]"
        return f"{sizes}: the formula gives {where} = {self.formula:.6g}, the derivative is {self.derivative:.6g}"


def random_point(program: Program, sizes: Mapping[str, int], seed: int) -> dict[str, Array]:
    """Return numbers of two decimals, none of them near 0, for every leaf of a Program, as columns and matrices."""
    generator = random.Random(seed)
    values = program.check_sizes(sizes)
    point = {}
    for symbol in program.leaves:
        shape = evaluate_shape(symbol.shape, values)
        point[symbol.name] = _random_numbers(shape, generator)
    return point


def _random_numbers(shape: tuple[int, int], generator: random.Random) -> Array:
    return np.array([random_number(generator) for _ in range(shape[0] * shape[1])], dtype=object).reshape(shape)


def random_number(generator: random.Random) -> Any:
    """Return a number of two decimals that is not near 0."""
    return mpmath.mpf(generator.choice((-1, 1)) * generator.randint(11, 149)) / 100


def exact_constants(program: Program) -> dict[Symbol, Rational]:
    """Return the constants of a Program as rational numbers, so that 1 − d is 1 − d to the last digit."""
    return {symbol: Rational(value) for symbol, value in program.constants}


@dataclass(frozen=True)
class Arithmetic:
    """The numbers that a Program is evaluated in: how a SymPy number becomes one, and how a function is applied."""

    number: Callable[[Any], Any]
    function: Callable[[Lambda], Callable[..., Any]]


def evaluate(
    program: Program, point: Point, sizes: Mapping[str, int], arithmetic: "Arithmetic | None" = None
) -> dict[str, Array]:
    """Return every value of a Program for one row; a value that the point gives is not computed.

    point: arrays (rows, columns) of numbers by name, at least those of the leaves; arithmetic: by default mpmath's.
    """
    scope = _Scope({**program.check_sizes(sizes), **exact_constants(program)}, arithmetic or DECIMAL)
    found = dict(point)
    with mpmath.workdps(DIGITS):
        for d in program.definitions:
            if d.name not in point:
                found[d.name] = _value(d.expression, found, scope)
    return found


def loss(values: Point, incoming: list[Arrival]) -> Any:
    """Return Σ <arriving adjoint, value>, the loss that one step sees."""
    return sum((values[a.symbol.name] * values[a.value]).sum() for a in incoming)


class TrueDerivative:
    """∂loss/∂value by central differences, the value held as independent of its own equation.

    point: numbers for the leaves and the arriving adjoints.
    """

    def __init__(
        self, program: Program, incoming: list[Arrival], name: str, point: Point, sizes: Mapping[str, int]
    ) -> None:
        self.program, self.incoming, self.name, self.sizes = program, incoming, name, sizes
        values = evaluate(program, point, sizes)
        self.centre = values[name]
        moving = dependents(program, name)
        self.fixed = {key: array for key, array in {**point, **values}.items() if key not in moving}

    def along(self, direction: Array) -> Any:
        """Return the derivative in a direction."""
        with mpmath.workdps(DIGITS):
            ends = []
            for step in (STEP, -STEP):
                moved = {**self.fixed, self.name: self.centre + step * direction}
                ends.append(loss(evaluate(self.program, moved, self.sizes), self.incoming))
            return (ends[0] - ends[1]) / (2 * STEP)

    def entries(self) -> Array:
        """Return every partial derivative."""
        slopes = np.empty(self.centre.shape, dtype=object)
        for position in np.ndindex(self.centre.shape):
            direction = np.full(self.centre.shape, mpmath.mpf(0), dtype=object)
            direction[position] = mpmath.mpf(1)
            slopes[position] = self.along(direction)
        return slopes

    def wrong_entry(self, formula: Array) -> tuple[tuple[int, int], Any] | None:
        """Return the entry of a formula that misses most, with the derivative there; None where it is right.

        A wrong formula is wrong in a random direction, up to a set of directions of measure zero, so a right one costs
        one difference and not one for every entry.
        """
        direction = _random_numbers(self.centre.shape, random.Random(self.name))
        with mpmath.workdps(DIGITS):
            if differing((formula * direction).sum(keepdims=True), np.array([[self.along(direction)]])) is None:
                return None
        truth = self.entries()
        entry = differing(formula, truth)
        return None if entry is None else (entry, truth[entry])


def differing(formula: Array, truth: Array) -> tuple[int, int] | None:
    """Return the entry that differs most, or None where all agree to the tolerance."""
    gaps = np.abs(formula - truth) / (1 + np.abs(truth))
    worst = np.unravel_index(int(gaps.argmax()), gaps.shape)
    return (int(worst[0]), int(worst[1])) if gaps[worst] > _TOLERANCE else None


def as_lists(point: Point) -> dict[str, list[list[float]]]:
    """Return a point as nested lists of floats."""
    return {name: [[float(v) for v in row] for row in array] for name, array in point.items()}


@lru_cache(maxsize=256)
def decimal_function(function: Lambda) -> Callable[..., Any]:
    """Return an elementwise function on mpmath numbers, by its definition."""
    body = function.expr.replace(lambda e: isinstance(e, Defined), lambda e: e.definition(*e.args))
    return lambdify(function.variables, body, "mpmath")


def _decimal(number: Any) -> Any:
    """Return a number as one of mpmath, a root or π to as many digits as are computed in."""
    irrational = isinstance(number, Expr) and number.is_number and not number.is_Rational
    return mpmath.mpmathify(number.evalf(mpmath.mp.dps + 5) if irrational else number)


DECIMAL = Arithmetic(_decimal, decimal_function)


@dataclass(frozen=True)
class _Scope:
    """The numbers that stand for sizes and constants, and the arithmetic."""

    numbers: Mapping[Any, Any]
    arithmetic: Arithmetic

    def number(self, e: Any) -> Any:
        return self.arithmetic.number(sympify(e).subs(self.numbers))

    def function(self, e: Lambda) -> Callable[..., Any]:
        constants = e.expr.free_symbols & self.numbers.keys() - set(e.variables)
        return self.arithmetic.function(e.subs(self.numbers) if constants else e)


def _value(e: Any, found: Point, scope: _Scope) -> Array:
    if isinstance(e, MatrixSymbol):
        return found[e.name]
    for kind, rule in _RULES.items():
        if isinstance(e, kind):
            return rule(e, lambda a: _value(a, found, scope), scope)
    raise ValueError(f"{e} ({type(e).__name__}) has no value")


def _constant(e: Any, value: Callable[[Any], Array], scope: _Scope) -> Array:
    rows, columns = evaluate_shape(e.shape, scope.numbers)
    if isinstance(e, Identity):
        return np.array([[scope.number(int(i == j)) for j in range(columns)] for i in range(rows)], dtype=object)
    return np.full((rows, columns), scope.number(int(isinstance(e, OneMatrix))), dtype=object)


def _product(e: MatMul, value: Callable[[Any], Array], scope: _Scope) -> Array:
    coefficient, factors = split(e)
    result = value(factors[0])
    for factor in factors[1:]:
        result = result @ value(factor)
    return result * scope.number(coefficient)


def _hadamard(e: HadamardProduct, value: Callable[[Any], Array], scope: _Scope) -> Array:
    result = value(e.args[0])
    for factor in e.args[1:]:
        result = result * value(factor)
    return result


def _elementwise(e: Elementwise, value: Callable[[Any], Array], scope: _Scope) -> Array:
    function = scope.function(e.function)
    arguments = [value(a) for a in e.arguments]
    flat = [scope.arithmetic.number(function(*entries)) for entries in zip(*(a.flat for a in arguments), strict=True)]
    return np.array(flat, dtype=object).reshape(arguments[0].shape)


def _slice(e: MatrixSlice, value: Callable[[Any], Array], scope: _Scope) -> Array:
    start, stop = (int(s.subs(scope.numbers)) for s in e.rowslice[:2])
    return value(e.parent)[start:stop]


_RULES: Mapping[type, Callable[..., Array]] = MappingProxyType(
    {
        MatAdd: lambda e, value, scope: sum((value(a) for a in e.args[1:]), start=value(e.args[0])),
        MatMul: _product,
        HadamardProduct: _hadamard,
        Elementwise: _elementwise,
        Transpose: lambda e, value, scope: value(e.arg).T,
        BlockMatrix: lambda e, value, scope: np.concatenate([value(part) for part in parts_of(e)]),
        MatrixSlice: _slice,
        OneMatrix: _constant,
        ZeroMatrix: _constant,
        Identity: _constant,
    }
)
