"""One rule per operator: how a tangent goes through it forwards, and a cotangent backwards.

``pull`` takes the adjoint of an expression to the adjoints of its operands, ``push`` takes the tangents of the operands
to the tangent of the expression. The two are written separately, so that <u, Jv> = <Jᵀu, v> tests one by the other.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sympy import (
    BlockMatrix,
    HadamardProduct,
    Identity,
    Integer,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
)
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.calculus.algebra import product, times, transposed
from lstm_spec.calculus.lifting import derivative
from lstm_spec.spec.equation import names_in
from lstm_spec.spec.notation import text
from lstm_spec.spec.operators import Elementwise, add, concat, parts_of, rows, zeros
from lstm_spec.spec.program import Program

Tangent = Callable[[Any], Any]
"""From an operand to its tangent, or to None where the operand does not move."""


@dataclass(frozen=True)
class Values:
    """What a rule has to know of the Program around an expression.

    names: the name of every elementwise application that an equation defines; shared: the names of parameters and of
    shared values computed from them.
    """

    names: Mapping[Any, MatrixSymbol]
    shared: frozenset[str]

    @classmethod
    def of(cls, program: Program) -> "Values":
        """Collect it from a Program."""
        named = {d.expression: d.symbol for d in program.definitions if isinstance(d.expression, Elementwise)}
        shared = {p.name for p in program.parameters}
        for d in program.definitions:
            if d.name in program.shared and d.uses & shared:
                shared.add(d.name)
        return cls(MappingProxyType(named), frozenset(shared))

    def is_shared(self, e: Any) -> bool:
        """Tell whether an expression is made of shared values."""
        names = names_in(e)
        return bool(names) and names <= self.shared


@dataclass(frozen=True)
class Rule:
    """The derivative of one operator.

    pull: (expression, its adjoint, values) → pairs of an operand and the contribution to that operand's adjoint;
    push: (expression, tangent of an operand, values) → the tangent of the expression, or None where it does not move.
    """

    pull: Callable[[Any, Any, Values], Iterator[tuple[Any, Any]]]
    push: Callable[[Any, Tangent, Values], Any]


def pull(expression: Any, adjoint: Any, values: Values) -> Iterator[tuple[MatrixSymbol, Any]]:
    """Yield every named value in an expression with its contribution, once for every occurrence, left to right."""
    if isinstance(expression, MatrixSymbol):
        yield expression, adjoint
        return
    for operand, contribution in rule_of(expression).pull(expression, adjoint, values):
        yield from pull(operand, contribution, values)


def push(expression: Any, tangents: Mapping[str, Any], values: Values) -> Any:
    """Return the tangent of an expression from the tangents of named values, or None where it does not move."""

    def tangent(e: Any) -> Any:
        if isinstance(e, MatrixSymbol):
            return tangents.get(e.name)
        return rule_of(e).push(e, tangent, values)

    return tangent(expression)


def rule_of(expression: Any) -> Rule:
    """Return the rule of an expression's operator; raises ValueError where there is none."""
    for kind, rule in RULES.items():
        if isinstance(expression, kind):
            return rule
    raise ValueError(f"{text(expression)}: the operator {type(expression).__name__} has no rule for its derivative")


def _sum_or_none(terms: list[Any]) -> Any:
    return add(*terms) if terms else None


def _pull_nothing(e: Any, g: Any, values: Values) -> Iterator[tuple[Any, Any]]:
    yield from ()


def _push_nothing(e: Any, tangent: Tangent, values: Values) -> Any:
    return None


def _pull_sum(e: MatAdd, g: Any, values: Values) -> Iterator[tuple[Any, Any]]:
    for term in e.args:
        yield term, g


def _push_sum(e: MatAdd, tangent: Tangent, values: Values) -> Any:
    return _sum_or_none([t for t in map(tangent, e.args) if t is not None])


def _pull_product(e: MatMul, g: Any, values: Values) -> Iterator[tuple[Any, Any]]:
    scalars, factors = _factors(e)
    for k, factor in enumerate(factors):
        before = [transposed(a) for a in reversed(factors[:k])]
        after = [transposed(a) for a in reversed(factors[k + 1 :])]
        yield factor, product(*scalars, *before, g, *after)


def _push_product(e: MatMul, tangent: Tangent, values: Values) -> Any:
    scalars, factors = _factors(e)
    moved = [(k, tangent(a)) for k, a in enumerate(factors)]
    return _sum_or_none([product(*scalars, *factors[:k], t, *factors[k + 1 :]) for k, t in moved if t is not None])


def _factors(e: MatMul) -> tuple[list[Any], list[Any]]:
    scalars = [a for a in e.args if not getattr(a, "is_Matrix", False)]
    return scalars, [a for a in e.args if getattr(a, "is_Matrix", False)]


def _pull_hadamard(e: HadamardProduct, g: Any, values: Values) -> Iterator[tuple[Any, Any]]:
    """Write dc∘f, but p∘δa: a parameter acts on the adjoint from the left, as a weight matrix does."""
    for k, factor in enumerate(e.args):
        others = [a for j, a in enumerate(e.args) if j != k]
        acts_as_weight = any(values.is_shared(a) for a in e.args)
        yield factor, times(*others, g) if acts_as_weight else times(g, *others)


def _push_hadamard(e: HadamardProduct, tangent: Tangent, values: Values) -> Any:
    moved = [(k, tangent(a)) for k, a in enumerate(e.args)]
    return _sum_or_none([times(*e.args[:k], t, *e.args[k + 1 :]) for k, t in moved if t is not None])


def _pull_elementwise(e: Elementwise, g: Any, values: Values) -> Iterator[tuple[Any, Any]]:
    for k, argument in enumerate(e.arguments):
        slope = derivative(e, k, values.names.get(e, e))
        if slope is not None:
            yield argument, times(g, slope)


def _push_elementwise(e: Elementwise, tangent: Tangent, values: Values) -> Any:
    terms = []
    for k, argument in enumerate(e.arguments):
        t = tangent(argument)
        slope = None if t is None else derivative(e, k, values.names.get(e, e))
        if slope is not None:
            terms.append(times(slope, t))
    return _sum_or_none(terms)


def _pull_transpose(e: Transpose, g: Any, values: Values) -> Iterator[tuple[Any, Any]]:
    yield e.arg, transposed(g)


def _push_transpose(e: Transpose, tangent: Tangent, values: Values) -> Any:
    t = tangent(e.arg)
    return None if t is None else transposed(t)


def _pull_concat(e: BlockMatrix, g: Any, values: Values) -> Iterator[tuple[Any, Any]]:
    start: Any = Integer(0)
    for part in parts_of(e):
        stop = start + part.shape[0]
        yield part, rows(g, start, stop)
        start = stop


def _push_concat(e: BlockMatrix, tangent: Tangent, values: Values) -> Any:
    moved = [tangent(part) for part in parts_of(e)]
    if all(t is None for t in moved):
        return None
    return concat(*(zeros(*p.shape) if t is None else t for p, t in zip(parts_of(e), moved, strict=True)))


def _pull_slice(e: MatrixSlice, g: Any, values: Values) -> Iterator[tuple[Any, Any]]:
    start, stop, _ = e.rowslice
    height, width = e.parent.shape
    padding = [zeros(start, width)] if start != 0 else []
    tail = [zeros(height - stop, width)] if height - stop != 0 else []
    yield e.parent, concat(*padding, g, *tail) if padding or tail else g


def _push_slice(e: MatrixSlice, tangent: Tangent, values: Values) -> Any:
    t = tangent(e.parent)
    return None if t is None else rows(t, *e.rowslice[:2])


_CONSTANT = Rule(_pull_nothing, _push_nothing)

RULES: Mapping[type, Rule] = MappingProxyType(
    {
        MatAdd: Rule(_pull_sum, _push_sum),
        MatMul: Rule(_pull_product, _push_product),
        HadamardProduct: Rule(_pull_hadamard, _push_hadamard),
        Elementwise: Rule(_pull_elementwise, _push_elementwise),
        Transpose: Rule(_pull_transpose, _push_transpose),
        BlockMatrix: Rule(_pull_concat, _push_concat),
        MatrixSlice: Rule(_pull_slice, _push_slice),
        OneMatrix: _CONSTANT,
        ZeroMatrix: _CONSTANT,
        Identity: _CONSTANT,
    }
)
"""The derivative of every operator; scaling is a product with a scalar factor."""
