"""A normal form for expressions with indexed sums and Kronecker deltas, for symbolic sizes.

Products are multiplied out, deltas with a summed index are collapsed, sums are split where a concatenation ends, and
summed indices get canonical names. Two expressions with one normal form are equal for all sizes and all values; the
converse need not hold. SymPy's own ``doit`` gives up on some of these derivatives.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from sympy import Add, Dummy, Expr, Function, Indexed, Integer, KroneckerDelta, Mul, Piecewise, Pow, Sum, Symbol, exp

from lstm_spec.calculus.indices import Ranges, never_equal, never_negative, selected, threshold
from lstm_spec.spec.functions import quotient

_LABEL = "i"


@dataclass(frozen=True)
class Term:
    """coefficient · Π factor^power, summed over the bound indices 0 … size−1."""

    coefficient: Expr
    factors: Mapping[Expr, Any]
    bound: Mapping[Symbol, Any]

    def __mul__(self, other: "Term") -> "Term":
        powers = Counter(self.factors)
        powers.update(other.factors)
        kept = {f: power for f, power in powers.items() if power != 0}
        return Term(self.coefficient * other.coefficient, kept, {**self.bound, **other.bound})

    def expression(self) -> Expr:
        """Return the term without its sums."""
        return Mul(self.coefficient, *(Pow(f, power) for f, power in self.factors.items()))


_ONE = Term(Integer(1), {}, {})


def normal(e: Expr, ranges: Ranges) -> Expr:
    """Return the normal form of an expression; ranges: the sizes of its free indices."""
    collected: dict[Expr, Expr] = {}
    for term in terms(e, ranges):
        body, coefficient = _labelled(term)
        collected[body] = collected.get(body, Integer(0)) + coefficient
    return Add(*(c.expand() * body for body, c in collected.items()))


def terms(e: Expr, ranges: Ranges) -> Iterator[Term]:
    """Multiply an expression out into terms in which every delta and case distinction that can be decided is gone."""
    for term in _multiplied(e, ranges):
        yield from _collapsed(term, ranges)


def _multiplied(e: Expr, ranges: Ranges) -> Iterator[Term]:
    if isinstance(e, Add):
        for a in e.args:
            yield from _multiplied(a, ranges)
    elif isinstance(e, Mul):
        yield from _product([list(terms(a, ranges)) for a in e.args])
    elif isinstance(e, Pow) and e.exp.is_Integer and e.exp > 0:
        yield from _product([list(terms(e.base, ranges)) for _ in range(int(e.exp))])
    elif isinstance(e, quotient):
        yield from _multiplied(e.args[0] / e.args[1], ranges)
    elif isinstance(e, Sum):
        yield from _summed(e, ranges)
    elif isinstance(e, Piecewise) and (branch := selected(e, ranges)) is not None:
        yield from _multiplied(branch, ranges)
    elif _is_coefficient(e, ranges):
        yield Term(e, {}, {})
    else:
        yield _atom(e, ranges)


def _product(lists: list[list[Term]]) -> Iterator[Term]:
    found = [_ONE]
    for factor in lists:
        found = [a * b for a in found for b in factor]
    yield from found


def _summed(e: Sum, ranges: Ranges) -> Iterator[Term]:
    fresh = {limit[0]: Dummy(_LABEL, integer=True, nonnegative=True) for limit in e.limits}
    bound = {fresh[index]: last + 1 for index, _, last in e.limits}
    for term in terms(e.function.xreplace(fresh), {**ranges, **bound}):
        yield Term(term.coefficient, term.factors, {**term.bound, **bound})


def _is_coefficient(e: Expr, ranges: Ranges) -> bool:
    """Tell whether an expression is a number, or made of sizes and constants alone."""
    return not e.free_symbols & ranges.keys() and not e.has(Indexed, Function)


def _atom(e: Expr, ranges: Ranges) -> Term:
    if isinstance(e, Pow) and e.exp.is_Rational:
        base = normal(e.base, ranges)
        # 1/(u v) and 1/u · 1/v have to become the same factors.
        parts = Mul.make_args(base) if e.exp.is_Integer else (base,)
        powers: Counter[Expr] = Counter()
        for part in parts:
            inner, exponent = part.as_base_exp() if e.exp.is_Integer else (part, Integer(1))
            powers[inner] += exponent * e.exp
        return Term(Integer(1), powers, {})
    if isinstance(e, exp):
        # SymPy joins exp(u) exp(v) into exp(u + v) as it likes.
        parts = [part.as_coeff_Mul() for part in Add.make_args(normal(e.args[0], ranges))]
        return Term(Integer(1), {exp(rest): coefficient for coefficient, rest in parts}, {})
    if isinstance(e, Function) and not isinstance(e, KroneckerDelta | Piecewise):
        return Term(Integer(1), {e.func(*(normal(a, ranges) for a in e.args)): 1}, {})
    return Term(Integer(1), {e: 1}, {})


def _collapsed(term: Term, ranges: Ranges) -> Iterator[Term]:
    """Remove the deltas that can be decided, and split a sum where a case distinction asks for its index."""
    scope = {**ranges, **term.bound}
    for factor in term.factors:
        if isinstance(factor, KroneckerDelta):
            replaced = _solution(factor, term.bound, scope)
            if replaced is None and never_equal(factor.args[0], factor.args[1], scope):
                return
            if replaced is not None:
                rest = {f: power for f, power in term.factors.items() if f is not factor}
                yield from _substituted(Term(term.coefficient, rest, term.bound), replaced, ranges)
                return
        for case in factor.atoms(Piecewise):
            pieces = _split(term, case, scope)
            if pieces is not None:
                for piece in pieces:
                    yield from _substituted(piece, {}, ranges)
                return
    yield term


def _solution(delta: KroneckerDelta, bound: Ranges, scope: Ranges) -> dict[Symbol, Any] | None:
    """Return the summed index that a delta fixes with its value, where the value stays in the range of the sum.

    A delta that is 1 for all indices fixes none; None where the delta cannot be collapsed.
    """
    gap = (delta.args[0] - delta.args[1]).expand()
    if gap == 0:
        return {}
    for index, length in bound.items():
        slope = gap.coeff(index)
        if abs(slope) == 1:
            value = (index - gap / slope).expand()
            if scope.get(value) == length or (
                never_negative(value, scope) and never_negative(length - 1 - value, scope)
            ):
                return {index: value}
    return None


def _split(term: Term, case: Piecewise, scope: Ranges) -> list[Term] | None:
    """Split the sum over an index in two at the s of a condition index < s."""
    for index, length in term.bound.items():
        s = threshold(case, index, scope)
        if s is not None and never_negative(s, scope) and never_negative(length - s, scope):
            shifted = {f.xreplace({index: index + s}): power for f, power in term.factors.items()}
            return [
                Term(term.coefficient, term.factors, {**term.bound, index: s}),
                Term(term.coefficient, shifted, {**term.bound, index: length - s}),
            ]
    return None


def _substituted(term: Term, replaced: Mapping[Symbol, Any], ranges: Ranges) -> Iterator[Term]:
    """Put values in for indices and collapse what that decides."""
    bound = {index: length for index, length in term.bound.items() if index not in replaced}
    scope = {**ranges, **bound}
    for inner in terms(term.expression().xreplace(dict(replaced)), scope):
        yield from _collapsed(Term(inner.coefficient, inner.factors, {**bound, **inner.bound}), ranges)


def _labelled(term: Term) -> tuple[Expr, Expr]:
    """Return the sum without its coefficient, indices renamed, and the coefficient.

    Labels carry a level above those of the sums inside the factors, so none is captured; of several indices that
    naming is taken which sorts first.
    """
    free = set().union(*(f.free_symbols for f in term.factors)) if term.factors else set()
    coefficient = term.coefficient
    for index, length in term.bound.items():
        if index not in free:
            coefficient = coefficient * length
    bound = {index: length for index, length in term.bound.items() if index in free}
    body = Mul(*(Pow(f, power) for f, power in term.factors.items()))
    if not bound:
        return body, coefficient
    level = 1 + max((_level(s) for s in body.atoms(Symbol)), default=0)
    labels = [Symbol(f"{_LABEL}{level}_{k}", integer=True, nonnegative=True) for k in range(len(bound))]
    named = [dict(zip(order, labels, strict=True)) for order in permutations(bound)]
    limits = [[(names[i], 0, bound[i] - 1) for i in sorted(bound, key=lambda i: names[i].name)] for names in named]
    sums = [Sum(body.xreplace(names), *limit) for names, limit in zip(named, limits, strict=True)]
    return min(sums, key=str), coefficient


def _level(symbol: Symbol) -> int:
    head, _, tail = symbol.name.partition("_")
    return int(head[1:]) if tail and head[:1] == _LABEL and head[1:].isdigit() else 0
