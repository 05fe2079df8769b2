"""Identities between functions of scalars, proved by algebra in exponentials or refuted by numbers.

Exponentials become one variable, so that an identity of rational functions is left, which ``cancel`` decides. A
function with kinks is taken piece by piece.
"""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import lcm
from typing import Any

import mpmath
from sympy import (
    Abs,
    DiracDelta,
    Expr,
    Heaviside,
    Integer,
    Lambda,
    Max,
    Min,
    Rational,
    Symbol,
    cancel,
    exp,
    lambdify,
    sign,
    solve,
)

from lstm_spec.calculus.statement import Proof, Status
from lstm_spec.spec.functions import Defined

_KINKS = (Max, Min, Abs, Heaviside, sign)
_DIGITS = 40
_TRIALS = 8


def defined(e: Expr) -> Expr:
    """Write an expression out in functions that SymPy has."""
    while e.has(Defined):
        e = e.replace(lambda f: isinstance(f, Defined), lambda f: f.definition(*f.args))
    return e


def compare(first: Expr, second: Expr, variables: Sequence[Symbol]) -> tuple[Status, Mapping[str, float] | None]:
    """Tell whether two expressions are one function; with the numbers at which they differ, if they do.

    Two expressions with kinks must agree on every piece between them, not at the kinks themselves.
    """
    gap = defined(first) - defined(second)
    generator = random.Random(0)
    for _ in range(_TRIALS):
        point = {v: Rational(generator.randint(-299, 299), 100) for v in variables}
        if abs(_number(gap, point)) > mpmath.mpf(10) ** (10 - _DIGITS):
            return "refuted", {v.name: float(value) for v, value in point.items()}
    proved = all(_vanishes(piece, variables) for piece in _pieces(gap, variables))
    return ("proved" if proved else "undecided"), None


def _number(e: Expr, point: Mapping[Symbol, Any]) -> Any:
    with mpmath.workdps(_DIGITS):
        values = [mpmath.mpf(int(v.p)) / int(v.q) for v in point.values()]
        return mpmath.mpmathify(lambdify(list(point), e, "mpmath")(*values))


def _pieces(e: Expr, variables: Sequence[Symbol]) -> Iterator[Expr]:
    """Yield an expression as it is on each piece between its kinks."""
    for point in _points_between_kinks(e, variables):
        yield _on_piece(e, point)


def _points_between_kinks(e: Expr, variables: Sequence[Symbol]) -> list[dict[Symbol, Any]]:
    """Return a point on every piece: exact for one variable, sampled for more."""
    if not e.has(*_KINKS):
        return [dict.fromkeys(variables, Integer(1))]
    if len(variables) > 1:
        generator = random.Random(1)
        return [{v: Rational(generator.randint(-299, 299), 100) for v in variables} for _ in range(8 * _TRIALS)]
    (x,) = variables
    edges = {edge for gap in _kink_gaps(e) for edge in _roots(gap, x) if edge.is_real}
    if not edges:
        return [{x: Integer(1)}]
    ordered = sorted(edges)
    between = [(a + b) / 2 for a, b in pairwise(ordered)]
    return [{x: value} for value in (ordered[0] - 1, *between, ordered[-1] + 1)]


def _kink_gaps(e: Expr) -> Iterator[Expr]:
    """Yield what is zero at a kink, one smooth expression for every choice of branches further in."""
    for node in e.atoms(*_KINKS):
        if isinstance(node, Max | Min):
            gaps = [a - b for a in node.args for b in node.args if a is not b]
        else:
            gaps = [node.args[0]]
        for gap in gaps:
            yield from (g for g in _branches(gap) if g.free_symbols)


def _roots(gap: Expr, x: Symbol) -> list[Expr]:
    slope = gap.diff(x)
    return [-gap.subs(x, 0) / slope] if slope.is_number and slope != 0 else solve(gap, x)


def _branches(e: Expr) -> Iterator[Expr]:
    """Yield an expression under every choice of branches of its kinked functions."""
    node = _innermost(e)
    if node is None:
        yield e
        return
    for branch in _choices(node):
        yield from _branches(e.xreplace({node: branch}))


def _on_piece(e: Expr, point: Mapping[Symbol, Any]) -> Expr:
    """Choose the branch that every kinked function takes at a point."""
    node = _innermost(e)
    if node is None:
        return e
    value = node.subs(point)
    (branch, *_) = [b for b in _choices(node) if b.subs(point) == value]
    return _on_piece(e.xreplace({node: branch}), point)


def _innermost(e: Expr) -> Expr | None:
    return min(e.atoms(*_KINKS), key=lambda f: f.count_ops(), default=None)


def _choices(node: Expr) -> tuple[Expr, ...]:
    """Return the branches of a kinked function."""
    if isinstance(node, Max | Min):
        return node.args
    if isinstance(node, Abs):
        return node.args[0], -node.args[0]
    return (Integer(1), Integer(0)) if isinstance(node, Heaviside) else (Integer(1), Integer(-1))


def _vanishes(e: Expr, variables: Sequence[Symbol]) -> bool:
    """Decide whether a smooth expression is zero, as a rational function of exponentials."""
    rational = e.rewrite(exp).expand(power_exp=True)
    for v in variables:
        rates = [f.args[0].coeff(v) for f in rational.atoms(exp) if f.args[0].has(v)]
        common = lcm(*(int(rate.q) for rate in rates if rate.is_Rational)) if rates else 1
        unit = Symbol(f"e_{v.name}", positive=True)
        powers = {f: unit ** (f.args[0] / v * common) for f in rational.atoms(exp) if (f.args[0] / v).is_Rational}
        rational = rational.xreplace(powers)
    return cancel(rational) == 0


def slope_proofs(functions: Iterable[Lambda]) -> Iterator[Proof]:
    """Yield the proofs that the derivative each elementwise function states is that of its definition."""
    for function in functions:
        for slot in function.variables:
            begun = time.perf_counter()
            stated = function.expr.diff(slot)
            # A jump has no slope; what is compared are the pieces on both sides of it.
            own = defined(function.expr).diff(slot).replace(DiracDelta, lambda *given: Integer(0))
            status, witness = compare(own, stated, function.variables)
            statement = f"d/d{slot} {function.expr} = {stated}"
            yield Proof(f"slope of {function.expr}", statement, status, witness, time.perf_counter() - begun)
