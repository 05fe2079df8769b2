"""Shapes: symbolic integers checked by algebra, one walker for every use.

``walk`` visits an expression and hands every pair of sizes that must agree to ``require``. Raising there checks a
Program, collecting there gives its constraints; symbols or numbers make no difference.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sympy import (
    BlockMatrix,
    HadamardProduct,
    Identity,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    fraction,
    solve,
    sympify,
)
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.spec.notation import shape_text, size_text, text
from lstm_spec.spec.operators import Elementwise, parts_of

Shape = tuple[Any, Any]


class DimensionError(ValueError):
    """Sizes that cannot hold together; the message says which, where, and what would be needed."""


@dataclass(frozen=True)
class Side:
    """One of two sizes that must agree: an axis (0 rows, 1 columns) of an expression."""

    expression: Any
    shape: Shape
    axis: int

    @property
    def size(self) -> Any:
        """The size itself."""
        return self.shape[self.axis]

    def __str__(self) -> str:
        name = text(self.expression)
        if self.axis == 1 or self.shape[1] != 1:
            return f"{name} is {shape_text(self.shape)}"
        return f"{name} has {size_text(self.size)} row{'' if self.size == 1 else 's'}"


Require = Callable[[Side, Side], None]


@lru_cache(maxsize=8192)
def same(first: Any, second: Any) -> bool:
    """Tell whether two sizes are equal for all values of their symbols."""
    return (sympify(first) - sympify(second)).expand() == 0


def equate(first: Side, second: Side) -> None:
    """Require two sizes to be equal; raises DimensionError that names both sides."""
    if same(first.size, second.size):
        return
    raise DimensionError(f"{first} but {second}{_condition(first.size, second.size)}")


def _condition(first: Any, second: Any) -> str:
    """Say what would make two symbolic sizes equal, where positive sizes can."""
    difference = (sympify(first) - sympify(second)).expand()
    symbols = sorted(difference.free_symbols, key=lambda s: size_text(s), reverse=True)
    for symbol in symbols:
        for value in solve(difference, symbol):
            if value.is_positive is not False:
                numerator, denominator = fraction(value.together())
                return f", which holds only if {size_text(denominator * symbol)} = {size_text(numerator)}"
    symbolic = sympify(first).free_symbols | sympify(second).free_symbols
    return ", which no sizes satisfy" if symbolic else ""


def walk(expression: Any, shapes: Mapping[str, Shape], require: Require = equate) -> Shape:
    """Return the shape of an expression, handing every pair of sizes that must agree to ``require``.

    shapes: the shapes of the named matrices that are not to be taken from the symbols themselves.
    Raises DimensionError for an operator that has no rule.
    """

    def visit(e: Any) -> Shape:
        for kind, rule in _RULES.items():
            if isinstance(e, kind):
                return rule(e, shapes, visit, require)
        raise DimensionError(f"{e} is no operator of a Program: {type(e).__name__} has no rule for its shape")

    return visit(expression)


def _symbol(e: Any, shapes: Mapping[str, Shape], visit: Any, require: Require) -> Shape:
    return shapes.get(e.name, e.shape)


def _constant(e: Any, shapes: Mapping[str, Shape], visit: Any, require: Require) -> Shape:
    return e.shape


def _equal_shapes(e: Any, shapes: Mapping[str, Shape], visit: Any, require: Require) -> Shape:
    operands = e.arguments if isinstance(e, Elementwise) else e.args
    first, *others = operands
    shape = visit(first)
    for other in others:
        _match(first, shape, other, visit(other), require)
    return shape


def _match(first: Any, shape: Shape, other: Any, other_shape: Shape, require: Require) -> None:
    for axis in (0, 1):
        require(Side(first, shape, axis), Side(other, other_shape, axis))


def _product(e: Any, shapes: Mapping[str, Shape], visit: Any, require: Require) -> Shape:
    matrices = [a for a in e.args if getattr(a, "is_Matrix", False)]
    factors = [(a, visit(a)) for a in matrices]
    for (left, left_shape), (right, right_shape) in pairwise(factors):
        require(Side(left, left_shape, 1), Side(right, right_shape, 0))
    return factors[0][1][0], factors[-1][1][1]


def _transpose(e: Any, shapes: Mapping[str, Shape], visit: Any, require: Require) -> Shape:
    rows, columns = visit(e.arg)
    return columns, rows


def _concat(e: Any, shapes: Mapping[str, Shape], visit: Any, require: Require) -> Shape:
    parts = parts_of(e)
    first, *others = (visit(part) for part in parts)
    rows = first[0]
    for part, shape in zip(parts[1:], others, strict=True):
        require(Side(parts[0], first, 1), Side(part, shape, 1))
        rows = rows + shape[0]
    return rows, first[1]


def _slice(e: Any, shapes: Mapping[str, Shape], visit: Any, require: Require) -> Shape:
    start, stop, _ = e.rowslice
    return stop - start, visit(e.parent)[1]


_RULES: Mapping[type, Callable[..., Shape]] = {
    MatrixSymbol: _symbol,
    OneMatrix: _constant,
    ZeroMatrix: _constant,
    Identity: _constant,
    MatAdd: _equal_shapes,
    HadamardProduct: _equal_shapes,
    Elementwise: _equal_shapes,
    MatMul: _product,
    Transpose: _transpose,
    BlockMatrix: _concat,
    MatrixSlice: _slice,
}


def check_equation(symbol: MatrixSymbol, expression: Any, shapes: Mapping[str, Shape] | None = None) -> None:
    """Check the shapes of one equation, in its expression and against its name.

    Raises DimensionError that names the two sides that collide and the equation.
    """
    if shapes is None:
        # Mutants and hypotheses are a cell with one equation changed: the others have been checked.
        _check_alone(symbol, expression)
    else:
        _check(symbol, expression, shapes)


@lru_cache(maxsize=8192)
def _check_alone(symbol: MatrixSymbol, expression: Any) -> None:
    _check(symbol, expression, {})


def _check(symbol: MatrixSymbol, expression: Any, shapes: Mapping[str, Shape]) -> None:
    try:
        _match(symbol, shapes.get(symbol.name, symbol.shape), expression, walk(expression, shapes), equate)
    except DimensionError as error:
        raise DimensionError(f"{error}, in {text(symbol)} = {text(expression)}") from None
