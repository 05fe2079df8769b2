"""Derivatives of elementwise functions, written in matrix operators.

SymPy differentiates the scalar function; what comes out is lifted: a product becomes an elementwise product, a number a
multiple of the matrix of ones. Where the derivative has a form in the function's own output, the output's name is used:
σ' becomes f∘(1 − f) for the value f = σ(a_f).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sympy import Add, Derivative, Dummy, Expr, Function, Lambda, Mul, Pow, Subs, default_sort_key, sqrt

from lstm_spec.calculus.algebra import times
from lstm_spec.spec.functions import SLOTS, maximum, minimum, quotient
from lstm_spec.spec.operators import Elementwise, add, apply, divide, ones, scale

Matrices = Mapping[Any, Any]

_OUTPUT = Dummy("y", real=True)


def derivative(application: Elementwise, position: int, output: Any) -> Any:
    """Return ∂φ/∂u for a node φ(u) or φ(u, v) as a matrix expression, or None where it vanishes everywhere.

    position: 0 or 1, the argument; output: the name of the node's value, or the node itself.
    Raises ValueError for a function that has no derivative.
    """
    scalar = scalar_derivative(application.function, position)
    if scalar == 0:
        return None
    matrices = dict(zip(application.function.variables, application.arguments, strict=True))
    return lift(scalar, {**matrices, _OUTPUT: output}, application.shape)


@lru_cache(maxsize=256)
def scalar_derivative(function: Lambda, position: int) -> Expr:
    """Differentiate φ with respect to one argument, with a dummy for φ itself where it occurs."""
    value, slot = function.expr, function.variables[position]
    found = value.diff(slot)
    if found.has(Derivative, Subs):
        raise ValueError(f"{value.func.__name__} has no derivative: give it a method fdiff")
    return found if value.is_Symbol else found.subs(value, _OUTPUT)


def spelled_out(e: Elementwise) -> Any:
    """Return a formula of several functions, such as 4σ(s) − 2, as the matrix operators that it is made of.

    Raises ValueError for what the operators of a Program cannot say.

    >>> from lstm_spec.spec.functions import sigmoid
    >>> from lstm_spec.spec.operators import vector
    >>> from lstm_spec.spec.notation import text
    >>> text(spelled_out(apply(Lambda(SLOTS[:1], 4 * sigmoid(SLOTS[0]) - 2), vector("v", 3))))
    '4 σ(v) − 2'
    """
    found = lift(e.function.expr, dict(zip(e.function.variables, e.arguments, strict=True)), e.shape)
    if found == e:
        raise ValueError(f"{e.function.expr} takes its constants before its arguments; they come after")
    return found


def lift(e: Any, matrices: Matrices, shape: tuple[Any, Any]) -> Any:
    """Return a scalar expression as a matrix expression, entry by entry.

    matrices: the matrix that each scalar stands for, every other symbol being a constant; shape: of the result.
    Raises ValueError for what the operators of a Program cannot say.
    """
    if e in matrices:
        return matrices[e]
    if not e.free_symbols & matrices.keys():
        return ones(*shape) if e == 1 else scale(e, ones(*shape))
    if isinstance(e, Add):
        return add(*(lift(term, matrices, shape) for term in sorted(e.args, key=_term_order)))
    if isinstance(e, Mul):
        return times(*(lift(f, matrices, shape) for f in sorted(e.args, key=_factor_order)))
    if isinstance(e, Pow):
        return _lift_power(e, matrices, shape)
    if isinstance(e, Function):
        return _lift_function(e, matrices, shape)
    raise ValueError(f"{e} has no form in the operators of a Program")


def _term_order(term: Any) -> tuple[bool, bool, Any]:
    """Put what is subtracted last, and the 1 of 1 − y first but the 3 of y + 3 second."""
    negative = term.could_extract_minus_sign()
    return negative, term.is_number and term != 1, default_sort_key(term)


def _factor_order(factor: Any) -> tuple[bool, Any]:
    """Write y before (1 − y)."""
    return isinstance(factor, Add), default_sort_key(factor)


def _lift_power(e: Pow, matrices: Matrices, shape: tuple[Any, Any]) -> Any:
    base, exponent = e.args
    factor = lift(base, matrices, shape)
    if (2 * exponent).is_Integer and not exponent.is_Integer:
        factor, exponent = apply(Lambda((SLOTS[0],), sqrt(SLOTS[0])), factor), 2 * exponent
    if not exponent.is_Integer:
        raise ValueError(f"{e} has no form in the operators of a Program: only whole and half powers have one")
    power = times(*[factor] * abs(int(exponent)))
    return power if exponent > 0 else divide(ones(*shape), power)


def _lift_function(e: Function, matrices: Matrices, shape: tuple[Any, Any]) -> Any:
    if isinstance(e, maximum | minimum | quotient):
        return apply(Lambda(SLOTS, e.func(*SLOTS)), *(lift(a, matrices, shape) for a in e.args))
    moving = [a for a in e.args if a.free_symbols & matrices.keys()]
    slots = iter(SLOTS)
    arguments = [next(slots) if a in moving else a for a in e.args]
    return apply(Lambda(SLOTS[: len(moving)], e.func(*arguments)), *(lift(a, matrices, shape) for a in moving))
