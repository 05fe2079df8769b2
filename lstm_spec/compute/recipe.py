"""From equations to functions that compute their values with error bounds, one rule per operator.

Rows are batched: a per-row vector is an array (rows, size), and W v becomes rows @ W.T. An equation that is shared
although its expression is per row is summed over the rows. An operator or function without a rule is refused, never
guessed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from sympy import (
    BlockMatrix,
    HadamardProduct,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Mul,
    OneMatrix,
    Symbol,
    Transpose,
    ZeroMatrix,
    lambdify,
)
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.calculus.lifting import spelled_out
from lstm_spec.compute.accuracy import Accuracy, AccuracyError
from lstm_spec.compute.curves import CURVES
from lstm_spec.compute.rounding import (
    Bounded,
    Term,
    affine,
    curved,
    limited,
    maximum,
    minimum,
    plain_sum,
    quotient,
    scaled,
    times,
)
from lstm_spec.spec.equation import Equation, names_in
from lstm_spec.spec.notation import text
from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.program import Program


@dataclass(frozen=True)
class Environment:
    """What is known so far: values with their errors by name, and the numbers that sizes and constants stand for."""

    values: dict[str, Bounded]
    scalars: Mapping[Symbol, float] = field(default_factory=dict)


def scalars_of(program: Program, arrays: Mapping[str, Any]) -> Mapping[Symbol, float]:
    """Return the sizes and constants of a Program by symbol; sizes are read off arrays by name."""
    return _scalars(program, tuple((name, a.shape) for name, a in arrays.items()))


@lru_cache(maxsize=1024)
def _scalars(program: Program, given: tuple[tuple[str, tuple[int, ...]], ...]) -> Mapping[Symbol, float]:
    found, shapes = {symbol: float(value) for symbol, value in program.constants}, dict(given)
    for symbol in program.leaves:
        if symbol.name in shapes:
            # A vector has its entries on the last axis, whether it is a parameter or has a row for each case.
            axes = (-1,) if symbol.shape[1] == 1 else (0, 1)
            for side, axis in zip(symbol.shape, axes, strict=False):
                if side.is_Symbol:
                    found[side] = shapes[symbol.name][axis]
    return MappingProxyType(found)


Number = Callable[[Environment], float]


def number(e: Any) -> Number:
    """Return how a scalar made of sizes and constants is computed, such as n+m, 1/m or 1 − d."""
    if e.is_number:
        value = float(e)
        return lambda env: value
    symbols = sorted(e.free_symbols, key=str)
    compute = lambdify(symbols, e, "math")
    return lambda env: float(compute(*(env.scalars[s] for s in symbols)))


Rule = Callable[[Environment, Accuracy], Bounded]
Recipe = tuple[tuple[str, Rule], ...]


def recipe(definitions: tuple[Equation, ...], shared: frozenset[str]) -> Recipe:
    """Return the functions that compute equations with their errors, by name and in order.

    shared: the names whose arrays hold one value for all rows. Raises AccuracyError for an operator without a rule.
    """
    return tuple((d.name, _equation(d, shared)) for d in definitions)


def evaluate(recipe: Recipe, known: Environment, contract: Accuracy) -> None:
    """Compute values in order, with errors, and add them to those that are known."""
    for name, rule in recipe:
        known.values[name] = limited(rule(known, contract), contract)


def _equation(d: Equation, shared: frozenset[str]) -> Rule:
    if d.shared and names_in(d.expression) - shared:
        return _summed_over_rows(d.expression, shared)
    if isinstance(d.expression, OneMatrix | ZeroMatrix) and d.name not in shared and d.symbol.shape[1] == 1:
        return _filled(d, shared)
    return _lower(d.expression, shared)


def _filled(d: Equation, shared: frozenset[str]) -> Rule:
    """Return the rule for a value that is a constant: as many rows as those that are known have."""
    size, number_ = number(d.symbol.shape[0]), float(isinstance(d.expression, OneMatrix))

    def rule(env: Environment, contract: Accuracy) -> Bounded:
        rows = next(len(v.value) for name, v in env.values.items() if name not in shared and v.value.ndim == 2)
        return Bounded(np.full((rows, int(size(env))), number_))

    return rule


def _lower(e: Any, shared: frozenset[str]) -> Rule:
    for kind, rule in _RULES.items():
        if isinstance(e, kind):
            return rule(e, shared)
    raise AccuracyError(f"{text(e)} ({type(e).__name__}) has no rule for its rounding error")


def _symbol(e: MatrixSymbol, shared: frozenset[str]) -> Rule:
    name = e.name
    return lambda env, contract: env.values[name]


def _constant(e: OneMatrix | ZeroMatrix, shared: frozenset[str]) -> Rule:
    bounded = Bounded(np.asarray(1.0 if isinstance(e, OneMatrix) else 0.0))
    return lambda env, contract: bounded


def _sum(e: MatAdd, shared: frozenset[str]) -> Rule:
    products = [_product_term(a, shared) for a in e.args if _is_product(a)]
    plain = [_lower(a, shared) for a in e.args if not _is_product(a)]
    if not products:
        return lambda env, contract: plain_sum([rule(env, contract) for rule in plain], contract)

    def rule(env: Environment, contract: Accuracy) -> Bounded:
        terms = [product(env, contract) for product in products]
        return affine(terms, [term(env, contract) for term in plain], contract)

    return rule


def _split(e: MatMul) -> tuple[list[Any], list[Any]]:
    scalars = [a for a in e.args if not getattr(a, "is_Matrix", False)]
    return scalars, [a for a in e.args if getattr(a, "is_Matrix", False)]


def _is_product(e: Any) -> bool:
    return isinstance(e, MatMul) and len(_split(e)[1]) > 1 and not _is_repetition(e)


def _is_repetition(e: MatMul) -> bool:
    """Tell a number in every entry, 𝟏 s, from a sum over entries."""
    first, *others = _split(e)[1]
    return isinstance(first, OneMatrix) and first.shape[1] == 1 and len(others) == 1


def _factor(e: MatMul) -> Number:
    return number(Mul(*_split(e)[0]))


def _product_term(e: MatMul, shared: frozenset[str]) -> Callable[[Environment, Accuracy], Term]:
    """Return the rule for a number times a shared matrix times a per-row vector."""
    _, matrices = _split(e)
    if len(matrices) != 2 or names_in(matrices[0]) - shared or matrices[1].shape[1] != 1:
        raise AccuracyError(
            f"{text(e)} has no rule for its rounding error: only a shared matrix times a vector has one"
        )
    factor, matrix, vector = _factor(e), _transposed(matrices[0], shared), _lower(matrices[1], shared)
    return lambda env, contract: Term(vector(env, contract), matrix(env, contract), factor(env))


def _transposed(e: Any, shared: frozenset[str]) -> Rule:
    """Return the matrix that rows are multiplied by from the right: W.T for W v."""
    if isinstance(e, Transpose):
        return _lower(e.arg, shared)
    if isinstance(e, OneMatrix):
        height, width = (number(side) for side in e.shape)
        return lambda env, contract: Bounded(np.ones((int(width(env)), int(height(env)))))
    inner = _lower(e, shared)

    def rule(env: Environment, contract: Accuracy) -> Bounded:
        matrix = inner(env, contract)
        return Bounded(matrix.value.T, None if matrix.error is None else matrix.error.T)

    return rule


def _product(e: MatMul, shared: frozenset[str]) -> Rule:
    _, matrices = _split(e)
    if _is_product(e):
        term = _product_term(e, shared)
        return lambda env, contract: affine([term(env, contract)], [], contract)
    factor, inner = _factor(e), _lower(matrices[-1], shared)
    if len(matrices) == 1:
        return lambda env, contract: scaled(factor(env), inner(env, contract), contract)
    count = number(matrices[0].shape[0])
    return lambda env, contract: scaled(factor(env), _repeated(inner(env, contract), int(count(env))), contract)


def _repeated(a: Bounded, times: int) -> Bounded:
    error = None if a.error is None else np.repeat(a.error, times, axis=-1)
    return Bounded(np.repeat(a.value, times, axis=-1), error)


def _summed_over_rows(e: Any, shared: frozenset[str]) -> Rule:
    """Return the rule for a parameter's adjoint: outer products u vᵀ, or vectors, summed over all rows.

    Implementations add up steps in the format of the parameters themselves, so that is what the sum is bounded in.
    """
    if isinstance(e, MatAdd):
        parts = [_summed_over_rows(a, shared) for a in e.args]
        return lambda env, contract: plain_sum([part(env, contract) for part in parts], contract)
    if isinstance(e, MatMul) and len(_split(e)[1]) == 2 and isinstance(e.args[-1], Transpose):
        left, right = _split(e)[1]
        factor, first, second = _factor(e), _lower(left, shared), _lower(right.arg, shared)

        def outer(env: Environment, contract: Accuracy) -> Bounded:
            u, v = first(env, contract), second(env, contract)
            rows = Bounded(u.value.T, None if u.error is None else u.error.T)
            return affine([Term(rows, v, factor(env))], [], contract, contract.unit)

        return outer
    if e.shape[1] != 1:
        raise AccuracyError(f"the sum over rows of {text(e)} has no rule for its rounding error")
    inner = _lower(e, shared)

    def column(env: Environment, contract: Accuracy) -> Bounded:
        rows = inner(env, contract)
        ones = Bounded(np.ones((1, rows.value.shape[0])))
        summed = affine([Term(ones, rows)], [], contract, contract.unit)
        return Bounded(summed.value[0], summed.errors[0])

    return column


def _hadamard(e: HadamardProduct, shared: frozenset[str]) -> Rule:
    factors = [_lower(a, shared) for a in e.args]

    def rule(env: Environment, contract: Accuracy) -> Bounded:
        result = factors[0](env, contract)
        for factor in factors[1:]:
            result = times(result, factor(env, contract), contract)
        return result

    return rule


def _concat(e: BlockMatrix, shared: frozenset[str]) -> Rule:
    parts = [_lower(part, shared) for part in parts_of(e)]

    def rule(env: Environment, contract: Accuracy) -> Bounded:
        values = [part(env, contract) for part in parts]
        exact = all(v.error is None for v in values)
        error = None if exact else np.concatenate([v.errors for v in values], axis=-1)
        return Bounded(np.concatenate([v.value for v in values], axis=-1), error)

    return rule


def _slice(e: MatrixSlice, shared: frozenset[str]) -> Rule:
    inner = _lower(e.parent, shared)
    start, stop = (number(side) for side in e.rowslice[:2])

    def rule(env: Environment, contract: Accuracy) -> Bounded:
        whole, part = inner(env, contract), slice(int(start(env)), int(stop(env)))
        return Bounded(whole.value[..., part], None if whole.error is None else whole.error[..., part])

    return rule


def _elementwise(e: Elementwise, shared: frozenset[str]) -> Rule:
    if e.application is None or (e.application[0] in _OF_TWO and len(e.arguments) == 1):
        return _lower(spelled_out(e), shared)
    name, constants = e.application
    arguments = [_lower(a, shared) for a in e.arguments]
    if name in _OF_TWO and len(arguments) == 2:
        first, second = arguments
        # Within an equation too, what leaves the format spoils what is made of it, even if that is multiplied by 0.
        return lambda env, contract: limited(
            _OF_TWO[name](first(env, contract), second(env, contract), contract), contract
        )
    if name not in CURVES or len(arguments) != 1:
        raise AccuracyError(f"the function {name} has no rule for its rounding error, in {text(e)}")
    numbers = [number(c) for c in constants]

    def rule(env: Environment, contract: Accuracy) -> Bounded:
        curve = CURVES[name](*(value(env) for value in numbers))
        return curved(curve, arguments[0](env, contract), *contract.function(name), contract)

    return rule


_OF_TWO: Mapping[str, Callable[[Bounded, Bounded, Accuracy], Bounded]] = MappingProxyType(
    {"quotient": quotient, "maximum": maximum, "minimum": minimum}
)

_RULES: Mapping[type, Callable[..., Rule]] = MappingProxyType(
    {
        MatrixSymbol: _symbol,
        OneMatrix: _constant,
        ZeroMatrix: _constant,
        MatAdd: _sum,
        MatMul: _product,
        HadamardProduct: _hadamard,
        Elementwise: _elementwise,
        BlockMatrix: _concat,
        MatrixSlice: _slice,
    }
)
