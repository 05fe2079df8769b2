"""Matrix expressions as they are set: one rule per operator, in any notation."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sympy import (
    BlockMatrix,
    HadamardProduct,
    Identity,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Mul,
    OneMatrix,
    Transpose,
    ZeroMatrix,
    sympify,
)
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.spec import typeset as ts
from lstm_spec.spec.functions import quotient
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notations import NOTATIONS, Notation
from lstm_spec.spec.operators import Elementwise, as_row_scaled, parts_of
from lstm_spec.spec.scalars import (
    ATOM,
    PRODUCT,
    Piece,
    Scalars,
    WriteError,
    applied,
    minus,
    quotient_of,
    raised,
    size_tree,
    total,
)
from lstm_spec.spec.typeset import Tree, row

TRANSPOSED, PRIME, AFTER = ts.Sign("⊤"), ts.Sign("′"), ts.Sign("+")


@dataclass(frozen=True)
class Setting:
    """What the look of a symbol depends on besides its name.

    notation: how symbols are written; shared: the names that have no time, such as parameters; names: all names there
    are; arriving: the adjoints that come from the step after, which are no value of that step; now: this step; ends:
    the names that say their step, such as dh_T, the gradient from outside on the final state, and dh_0; sizes: the
    numbers of the sizes that have one, which slices and means are written with.
    """

    notation: Notation = NOTATIONS["design"]
    shared: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    arriving: frozenset[str] = frozenset()
    now: str = "t"
    ends: frozenset[str] = frozenset()
    sizes: tuple[tuple[Any, int], ...] = ()

    def number(self, scalar: Any) -> Any:
        """Return a scalar or a size with the numbers that are known."""
        return sympify(scalar).subs(self.sizes) if self.sizes else scalar

    def symbol(self, name: str, *, index: tuple[Tree, ...] = (), marks: tuple[Tree, ...] = ()) -> Tree:
        """Return a symbol with its time, then its indices, then what is to stand above it; J_h_c_prev as ∂h/∂c'."""
        if (pair := jacobian_of(name, self.names)) is not None:
            parts = (row(ts.Letter("∂"), self.symbol(v, index=index[k : k + 1])) for k, v in enumerate(pair))
            return ts.Fraction(*parts)
        if name in self.ends:
            return self._end(*name.rsplit("_", 1))
        written = self.notation.symbol(name, among=self.names)
        shift = parse_name(name).time
        style = self.notation.time or "prime"
        if style == "prime":
            own = {-1: (PRIME,), 0: (), 1: (AFTER,)}[shift]
            return written.tree(sub=index, sup=(*own, *marks))
        time: tuple[Tree, ...] = () if name in self.shared else (_step(self.now, shift),)
        if name in self.arriving:
            time, marks = (_step(self.now, min(shift, 0)),), (AFTER, *marks)
        if style == "subscript":
            return written.tree(sub=(*time, *index), sup=marks)
        return written.tree(sub=index, sup=(*time, *marks))

    def _end(self, name: str, step: str) -> Tree:
        """Return a symbol at a step that its name says: what arrives at step T is part of ∂loss/∂h there only."""
        written = self.notation.symbol(name, among=self.names)
        time = ts.Number(step) if step.isdigit() else ts.Letter(step)
        marks = () if step.isdigit() else (AFTER,)
        if self.notation.time == "superscript":
            return written.tree(sup=(time, *marks))
        return written.tree(sub=(time,), sup=marks if self.notation.time == "subscript" else ())

    def write(self, e: Any) -> Piece:
        """Return a matrix expression as it is set; raises WriteError for an operator without a rule."""
        for kind, rule in _RULES.items():
            if isinstance(e, kind):
                return rule(e, self)
        raise WriteError(f"{e} is no operator of a Program: {type(e).__name__} has no rule for how it is written")


def jacobian_of(name: str, names: Collection[str] = ()) -> tuple[str, str] | None:
    """Return v and w if a name is that of a Jacobian block ∂v/∂w, of the names there are; None for any other name.

    >>> jacobian_of("J_c_tilde_h_prev"), jacobian_of("W_f")
    (('c_tilde', 'h_prev'), None)
    """
    letter, *words = name.split("_")
    if letter != "J":
        return None
    pairs = [("_".join(words[:k]), "_".join(words[k:])) for k in range(1, len(words)) if words[k] not in _SUFFIXES]
    known = [pair for pair in pairs if set(pair) <= set(names)] if names else pairs
    return known[0] if known else None


_SUFFIXES = ("tilde", "dot", "prev", "next")


def _step(now: str, shift: int) -> Tree:
    if now.isdigit():
        return ts.Number(str(int(now) + shift))
    letter = ts.Letter(now)
    return letter if not shift else row(letter, ts.Sign("−" if shift < 0 else "+"), ts.Number("1"))


def _symbol(e: MatrixSymbol, to: Setting) -> Piece:
    tree = to.symbol(e.name)
    return Piece(tree, two_dimensional=isinstance(tree, ts.Fraction))


def _sum(e: MatAdd, to: Setting) -> Piece:
    return total([to.write(term) for term in _terms(e)])


def _terms(e: Any) -> list[Any]:
    """Return the terms of a sum, those of nested sums too: (a + b) + c is written a + b + c."""
    return [term for a in e.args for term in _terms(a)] if isinstance(e, MatAdd) else [e]


def _split(e: MatMul) -> tuple[bool, list[Any], list[Any]]:
    """Return whether a product starts with a minus, its other scalars, and its matrices."""
    scalars = [a for a in e.args if not getattr(a, "is_Matrix", False)]
    matrices = [a for a in e.args if getattr(a, "is_Matrix", False)]
    negative = bool(scalars) and bool(scalars[0].is_Number) and scalars[0] < 0
    if negative:
        scalars = ([] if scalars[0] == -1 else [-scalars[0]]) + scalars[1:]
    return negative, scalars, matrices


def _product(e: MatMul, to: Setting) -> Piece:
    negative, scalars, matrices = _split(e)
    if len(matrices) == 1 and isinstance(matrices[0], OneMatrix):
        # A constant vector is written as its number, as the 1 of 1 − f is.
        written = Scalars().write(Mul(*scalars, evaluate=False))
    elif len(matrices) == 1 and not scalars:
        written = to.write(matrices[0])
    else:
        written = _scaled(scalars, [_factor(a, to) for a in matrices], to)
    return minus(written) if negative else written


def _scaled(scalars: list[Any], factors: list[Tree], to: Setting) -> Piece:
    if not scalars and len(factors) == 1:
        return Piece(factors[0])
    sign = ts.Sign(to.notation.matmul) if to.notation.matmul else ts.Times()
    numbers = [Scalars().write(to.number(s)).at_least(ATOM) for s in scalars]
    return Piece(ts.joined([*numbers, ts.joined(factors, sign)], ts.Times()), PRODUCT)


def _factor(e: Any, to: Setting) -> Tree:
    """Write a factor of a matrix product; ones and zeros are bold there, to be told from numbers."""
    if isinstance(e, MatMul):
        negative, scalars, matrices = _split(e)
        if len(matrices) == 1 and isinstance(matrices[0], OneMatrix):
            written = _scaled(scalars, [_factor(matrices[0], to)], to)
            return (minus(written) if negative else written).at_least(ATOM)
    transposed = isinstance(e, Transpose)
    inner = e.arg if transposed else e
    if not isinstance(inner, OneMatrix | ZeroMatrix):
        return to.write(e).at_least(ATOM)
    digit = ts.Letter("1" if isinstance(inner, OneMatrix) else "0", "bold")
    rows, columns = inner.shape if not transposed else inner.shape[::-1]
    flat = ts.Script(digit, None, TRANSPOSED)
    return flat if rows == 1 and columns != 1 else digit if columns == 1 else row(digit, flat)


def _hadamard(e: HadamardProduct, to: Setting) -> Piece:
    scaled = as_row_scaled(e)
    if scaled is not None:
        return _row_scaled(*scaled, to)
    return Piece(ts.joined([to.write(a).at_least(ATOM) for a in e.args], ts.Sign(to.notation.product)), PRODUCT)


def _row_scaled(column: Any, matrix: Any, to: Setting) -> Piece:
    """Write (v 1ᵀ)∘M as the diag(v) M that it is."""
    diagonal = row(ts.Letter("diag", "upright"), ts.Fenced(to.write(column).tree))
    if isinstance(matrix, Identity):
        return Piece(diagonal)
    is_chain = isinstance(matrix, MatMul) or as_row_scaled(matrix) is not None
    return _scaled([], [diagonal, to.write(matrix).at_least(PRODUCT if is_chain else ATOM)], to)


def _transpose(e: Transpose, to: Setting) -> Piece:
    if isinstance(e.arg, MatrixSymbol) and jacobian_of(e.arg.name, to.names) is None:
        name = e.arg.name
        if name in to.shared or to.notation.time != "superscript":
            return Piece(to.symbol(name, marks=(TRANSPOSED,)))
    return raised(to.write(e.arg), TRANSPOSED)


def _elementwise(e: Elementwise, to: Setting) -> Piece:
    body, slots = e.function.expr, e.function.variables
    pieces = [to.write(a) for a in e.arguments]
    scalars = Scalars(dict(zip(slots, pieces, strict=True)), times=ts.Sign(to.notation.product))
    if not body.is_Function:
        return scalars.write(body)
    if body.func is quotient and body.args == slots:
        return quotient_of(*pieces)
    return applied(body.func, [scalars.write(a).tree for a in body.args])


def _concat(e: BlockMatrix, to: Setting) -> Piece:
    parts = [to.write(part).tree for part in parts_of(e)]
    return Piece(ts.Fenced(ts.joined(parts, ts.Sign(to.notation.separator, "after")), "[", "]"))


def _slice(e: MatrixSlice, to: Setting) -> Piece:
    start, stop, _ = e.rowslice
    ends = [] if start == 0 else [size_tree(to.number(start))]
    last = size_tree(to.number(stop))
    return Piece(row(to.write(e.parent).at_least(ATOM), ts.Fenced(row(*ends, ts.Sign(":"), last), "[", "]")))


_RULES: Mapping[type, Callable[[Any, Setting], Piece]] = MappingProxyType(
    {
        MatrixSymbol: _symbol,
        OneMatrix: lambda e, to: Piece(ts.Number("1")),
        ZeroMatrix: lambda e, to: Piece(ts.Number("0")),
        Identity: lambda e, to: Piece(ts.Letter("I")),
        MatAdd: _sum,
        HadamardProduct: _hadamard,
        MatMul: _product,
        Transpose: _transpose,
        Elementwise: _elementwise,
        BlockMatrix: _concat,
        MatrixSlice: _slice,
    }
)
