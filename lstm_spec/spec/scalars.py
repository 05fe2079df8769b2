"""Scalar expressions as they are set: the bodies of elementwise functions, and equations written out at one unit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sympy import (
    Abs,
    Add,
    E,
    Function,
    Integer,
    KroneckerDelta,
    Mul,
    Number,
    NumberSymbol,
    Piecewise,
    Pow,
    Rational,
    Sum,
    Symbol,
    pi,
    sympify,
)
from sympy.core.relational import Relational
from sympy.matrices.expressions.matexpr import MatrixElement

from lstm_spec.spec import typeset as ts
from lstm_spec.spec.functions import magnitude, maximum, minimum, quotient, sigmoid
from lstm_spec.spec.names import SIZES
from lstm_spec.spec.symbols import Symbol as Written
from lstm_spec.spec.typeset import Tree, row

SUM, NEGATIVE, PRODUCT, ATOM = 1, 2, 3, 4
"""How strongly a written expression holds together, weakest first."""

_LONGEST_DENOMINATOR = 100
_NAMED = MappingProxyType({pi: "π", E: "e"})
MINUS, COMMA = ts.Sign("−"), ts.Sign(",", "after")


class WriteError(ValueError):
    """An expression that no rule says how to write."""


@dataclass(frozen=True)
class Piece:
    """A written expression and what it takes to stand inside another one.

    strength: SUM to ATOM; negated: the same without its leading minus, None if it has none; two_dimensional: whether it
    is a fraction, which needs brackets in a line of text only.
    """

    tree: Tree
    strength: int = ATOM
    negated: Tree | None = None
    two_dimensional: bool = False

    def at_least(self, strength: int) -> Tree:
        """Return the tree, in brackets if it holds together less than ``strength``."""
        if self.strength >= strength:
            return self.tree
        return ts.Fenced(self.tree, linear=self.two_dimensional)


def minus(piece: Piece) -> Piece:
    """Return a product with a minus in front."""
    tree = piece.at_least(PRODUCT)
    return Piece(row(MINUS, tree), NEGATIVE, tree)


def total(pieces: list[Piece]) -> Piece:
    """Return a sum, a negative term after the first with a minus between."""
    if len(pieces) == 1:
        return pieces[0]
    parts: list[Tree] = [pieces[0].at_least(NEGATIVE)]
    for piece in pieces[1:]:
        sign = "+" if piece.negated is None else "−"
        parts += [ts.Sign(sign, "both"), piece.at_least(NEGATIVE) if piece.negated is None else piece.negated]
    return Piece(row(*parts), SUM)


def quotient_of(first: Piece, second: Piece) -> Piece:
    """Return a fraction, whose parts need brackets only in a line of text."""
    parts = (p.tree if p.strength == ATOM else ts.Fenced(p.tree, linear=True) for p in (first, second))
    return Piece(ts.Fraction(*parts), PRODUCT, two_dimensional=True)


def raised(base: Piece, exponent: Tree) -> Piece:
    """Return a power; a base that already carries something above it goes into brackets."""
    tree = base.at_least(ATOM)
    if base.two_dimensional or _has_superscript(tree):
        tree = ts.Fenced(base.tree)
    return Piece(ts.Script(tree, None, exponent))


def _has_superscript(tree: Tree) -> bool:
    last = tree.items[-1] if isinstance(tree, ts.Row) else tree
    return isinstance(last, ts.Script) and last.sup is not None


@lru_cache(maxsize=1024)
def size_tree(size: Any) -> Tree:
    """Return a size or an index: n before m before q, indices after them, what is subtracted last."""
    # The unit level builds its indices unevaluated, such as j + 0.
    size = sympify(size).doit().expand()
    terms = size.as_coefficients_dict() if isinstance(size, Symbol | Add | Mul) else {size: 1}
    order = {name: position for position, name in enumerate(SIZES)}
    negatives = {t for t, coefficient in terms.items() if coefficient < 0 or (t.is_number and coefficient * t < 0)}
    parts: list[Tree] = []
    for term in sorted(terms, key=lambda t: (t in negatives, t.is_number, order.get(str(t), len(order)), str(t))):
        coefficient, negative = terms[term], term in negatives
        if negative or parts:
            parts.append(MINUS if negative else ts.Sign("+"))
        parts.append(_size_term(term, abs(coefficient)))
    return row(*parts)


def _size_term(term: Any, coefficient: Any) -> Tree:
    if term.is_number:
        return ts.Number(str(abs(coefficient * term)))
    names = [str(s).split("_") for s in term.as_ordered_factors()]
    letters = [Written(letter, tuple(subscript)).tree() for letter, *subscript in names]
    return row(*([ts.Number(str(coefficient))] if coefficient != 1 else []), *letters)


_NAMES = MappingProxyType({sigmoid: "σ", maximum: "max", minimum: "min"})


def applied(function: Any, arguments: list[Tree]) -> Piece:
    """Return a function with its arguments in brackets, |x| for the magnitude."""
    if function in (magnitude, Abs):
        return Piece(ts.Fenced(arguments[0], "|", "|"))
    name = _NAMES.get(function, function.__name__)
    return Piece(row(ts.Letter(name, "upright" if len(name) > 1 else "italic"), ts.Fenced(ts.joined(arguments, COMMA))))


@dataclass(frozen=True)
class Scalars:
    """Writes scalar expressions.

    slots: what stands for a symbol, such as the argument of a function; entry: how an entry of a matrix is written;
    times: the sign of a product, the elementwise one for the body of a function.
    """

    slots: Mapping[Any, Piece] = field(default_factory=dict)
    entry: Callable[[MatrixElement], Tree] | None = None
    times: Tree = field(default_factory=ts.Times)

    def write(self, e: Any) -> Piece:
        """Return a scalar expression as it is set; raises WriteError for what has no rule."""
        if e in self.slots:
            return self.slots[e]
        for kind, rule in _RULES.items():
            if isinstance(e, kind):
                return rule(e, self)
        raise WriteError(f"{e} ({type(e).__name__}) has no rule for how it is written")


def _number(e: Any, to: Scalars) -> Piece:
    if e < 0:
        return minus(_number(-e, to))
    if decimal := decimal_text(e):
        return Piece(ts.Number(decimal))
    if isinstance(e, Rational) and not isinstance(e, Integer):
        return quotient_of(Piece(ts.Number(str(e.p))), Piece(ts.Number(str(e.q))))
    return Piece(ts.Number(str(e) if isinstance(e, Integer) else repr(float(e))))


def decimal_text(e: Any) -> str:
    """Return a fraction that is longer than the decimal that it stands for as that decimal; "" for any other number.

    >>> decimal_text(Rational("0.044715")), decimal_text(Rational(3, 4)), decimal_text(Rational(1, 300))
    ('0.044715', '', '')
    """
    if not isinstance(e, Rational) or e.q <= _LONGEST_DENOMINATOR or Rational(repr(float(e))) != e:
        return ""
    return repr(float(e))


def _named(e: Any, to: Scalars) -> Piece:
    if e not in _NAMED:
        raise WriteError(f"{e} ({type(e).__name__}) has no rule for how it is written")
    return Piece(ts.Letter(_NAMED[e], "upright"))


def _symbol(e: Any, to: Scalars) -> Piece:
    return Piece(_size_term(e, 1))


def _add(e: Any, to: Scalars) -> Piece:
    # At the unit level terms stay as written; the body of a function is in SymPy's order, −1 + 2s for 2s − 1.
    return total([to.write(a) for a in (_flat(e) if to.entry else e.as_ordered_terms())])


def _flat(e: Any) -> list[Any]:
    """Return the terms of a sum or the factors of a product, those of nested ones too; a factor 1 is left out."""
    parts = [part for a in e.args for part in (_flat(a) if a.func is e.func else [a])]
    return [p for p in parts if not (isinstance(e, Mul) and p == 1)]


def _mul(e: Any, to: Scalars) -> Piece:
    # At the unit level factors stay as written; the body of a function has its numbers first, roots among them.
    factors = _flat(e) if to.entry else sorted(_flat(e), key=lambda f: not f.is_number)
    negative = False
    if factors and factors[0].is_Number and factors[0] < 0:
        negative = True
        factors = ([] if factors[0] == -1 else [-factors[0]]) + factors[1:]
    below = [1 / f for f in factors if _is_reciprocal(f)]
    above = [f for f in factors if not _is_reciprocal(f)]
    if below and above and isinstance(above[0], Rational):
        # One fraction: 1/(4m) and not (1/4)/m.
        below = ([Integer(above[0].q)] if above[0].q != 1 else []) + below
        above = ([Integer(above[0].p)] if above[0].p != 1 else []) + above[1:]
    written = _times(above, to)
    if below:
        written = quotient_of(written, _times(below, to))
    return minus(written) if negative else written


def _is_reciprocal(e: Any) -> bool:
    return isinstance(e, Pow) and e.exp.is_Number and e.exp < 0


def _times(factors: list[Any], to: Scalars) -> Piece:
    if not factors:
        return Piece(ts.Number("1"))
    if len(factors) == 1:
        return to.write(factors[0])
    parts: list[Tree] = []
    for before, factor in zip([None, *factors], factors, strict=False):
        if before is not None:
            parts.append(ts.Times() if before.is_number else to.times)
        parts.append(to.write(factor).at_least(ATOM))
    return Piece(row(*parts), PRODUCT)


def _power(e: Any, to: Scalars) -> Piece:
    if e.exp == Rational(1, 2):
        return Piece(ts.Root(to.write(e.base).tree))
    if _is_reciprocal(e):
        return quotient_of(Piece(ts.Number("1")), to.write(1 / e))
    return raised(to.write(e.base), to.write(e.exp).tree)


def _sum(e: Any, to: Scalars) -> Piece:
    index, first, last = e.limits[0]
    sign = ts.Total(size_tree(index), size_tree(first), size_tree(last))
    return Piece(row(sign, to.write(e.function).at_least(NEGATIVE)), NEGATIVE)


def _entry(e: Any, to: Scalars) -> Piece:
    if to.entry is None:
        raise WriteError(f"{e} is an entry of a matrix, which only the unit level writes")
    return Piece(to.entry(e))


def _piecewise(e: Any, to: Scalars) -> Piece:
    branches = [(to.write(value).tree, None if test == True else to.write(test).tree) for value, test in e.args]  # noqa: E712
    return Piece(ts.Cases(tuple(branches)), SUM)


def _relation(e: Any, to: Scalars) -> Piece:
    sign = {"<=": "≤", ">=": "≥"}.get(e.rel_op, e.rel_op)
    return Piece(row(size_tree(e.lhs), ts.Sign(sign, "both"), size_tree(e.rhs)), SUM)


def _kronecker(e: Any, to: Scalars) -> Piece:
    indices = ts.joined([size_tree(a) for a in e.args], ts.Sign(","))
    return Piece(ts.Script(ts.Letter("1", "bold"), indices))


def _function(e: Any, to: Scalars) -> Piece:
    pieces = [to.write(a) for a in e.args]
    return quotient_of(*pieces) if isinstance(e, quotient) else applied(e.func, [p.tree for p in pieces])


_RULES: Mapping[type, Callable[[Any, Scalars], Piece]] = MappingProxyType(
    {
        MatrixElement: _entry,
        Number: _number,
        NumberSymbol: _named,
        Symbol: _symbol,
        Add: _add,
        Mul: _mul,
        Pow: _power,
        Sum: _sum,
        Piecewise: _piecewise,
        Relational: _relation,
        KroneckerDelta: _kronecker,
        Function: _function,
    }
)
