"""A Program evaluated entry by entry to 60 digits, by nothing that the package computes with: mpmath numbers."""

from functools import lru_cache

import mpmath
import numpy as np
from sympy import (
    BlockMatrix,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Symbol,
    Transpose,
    ZeroMatrix,
    lambdify,
    sympify,
)
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.spec.operators import Elementwise

DIGITS = 60


def evaluate_exactly(program, sizes, arrays):
    """Return every value of one row and one step by name, each a list of rows of mpmath numbers.

    arrays: what is given, by name; vectors have one axis, x and the states too.
    """
    with mpmath.workdps(DIGITS):
        numbers = {Symbol(name, integer=True, positive=True): size for name, size in sizes.items()}
        numbers |= {symbol: mpmath.mpf(float(value)) for symbol, value in program.constants}
        values = {name: _matrix(a) for name, a in arrays.items()}
        for d in program.definitions:
            values[d.name] = _value(d.expression, values, numbers)
        return values


def _matrix(a):
    return [[mpmath.mpf(float(v)) for v in row] for row in np.atleast_2d(a).reshape(len(a), -1)]


def _number(e, numbers):
    e = sympify(e)
    return _function(tuple(sorted(e.free_symbols, key=str)), e)(*(numbers[s] for s in sorted(e.free_symbols, key=str)))


@lru_cache(maxsize=4096)
def _function(symbols, e):
    return lambdify(symbols, e.doit(), "mpmath")


def _value(e, values, numbers):
    def of(a):
        return _value(a, values, numbers)

    if isinstance(e, MatrixSymbol):
        return values[e.name]
    if isinstance(e, OneMatrix | ZeroMatrix):
        height, width = (int(_number(side, numbers)) for side in e.shape)
        return [[mpmath.mpf(isinstance(e, OneMatrix))] * width for _ in range(height)]
    if isinstance(e, BlockMatrix):
        return [row for part in e.blocks for row in of(part)]
    if isinstance(e, MatrixSlice):
        start, stop, _ = (int(_number(s, numbers)) for s in e.rowslice)
        return of(e.parent)[start:stop]
    if isinstance(e, Transpose):
        return [list(column) for column in zip(*of(e.arg), strict=True)]
    if isinstance(e, MatAdd):
        return _entrywise(lambda *v: mpmath.fsum(v), [of(a) for a in e.args])
    if isinstance(e, HadamardProduct):
        return _entrywise(lambda *v: mpmath.fprod(v), [of(a) for a in e.args])
    if isinstance(e, Elementwise):
        constants = sorted(e.function.expr.free_symbols - set(e.function.variables), key=str)
        f = _function((*e.function.variables, *constants), e.function.expr)
        return _entrywise(lambda *v: f(*v, *(numbers[s] for s in constants)), [of(a) for a in e.arguments])
    if isinstance(e, MatMul):
        factor, product = mpmath.mpf(1), None
        for a in e.args:
            if not getattr(a, "is_Matrix", False):
                factor *= _number(a, numbers)
            else:
                product = of(a) if product is None else _product(product, of(a))
        return [[factor * v for v in row] for row in product]
    raise NotImplementedError(type(e).__name__)


def _entrywise(f, matrices):
    return [[f(*entries) for entries in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)]


def _product(a, b):
    columns = list(zip(*b, strict=True))
    return [[mpmath.fdot(row, column) for column in columns] for row in a]
