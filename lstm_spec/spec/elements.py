"""The unit view: matrix equations written out at one entry, with explicit sums over inputs and units.

Indices count from 0, as in code. A product sums over a bound index (j, l, …); a product with a concatenation splits
into one sum per part, so the unit view of W z shows the weights from x and those from h' apart.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from sympy import (
    Add,
    BlockMatrix,
    Eq,
    Expr,
    HadamardProduct,
    Identity,
    Integer,
    KroneckerDelta,
    MatAdd,
    MatMul,
    MatrixSymbol,
    Mul,
    OneMatrix,
    Piecewise,
    Sum,
    Symbol,
    Transpose,
    ZeroMatrix,
)
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.program import Program, cell_of

UNIT = Symbol("k", integer=True, nonnegative=True)
"""The index of the unit that the unit view follows."""

_BOUND = tuple(Symbol(letter, integer=True, nonnegative=True) for letter in ("j", "l", "p", "q_1", "q_2", "q_3"))


def element(expression: Any, row: Any, column: Any = 0, *, bound: tuple[Symbol, ...] = _BOUND) -> Expr:
    """Return entry [row, column] of a matrix expression as a scalar expression with explicit sums.

    row, column: integers or symbolic indices, from 0; bound: the symbols for the indices of sums, outermost first.
    Raises ValueError for an operator without a rule, or when sums nest deeper than ``bound`` goes.

    >>> from lstm_spec.spec.cells import lstm
    >>> element(lstm()["a_f"].expression, UNIT)
    b_f[k, 0] + Sum(W_f[k, j]*z[j, 0], (j, 0, m + n - 1))
    """
    for kind, rule in _RULES.items():
        if isinstance(expression, kind):
            return rule(expression, row, column, bound)
    raise ValueError(f"{expression} ({type(expression).__name__}) has no rule for its elements")


def _symbol(e: MatrixSymbol, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    # e[i, j] would first prove that the indices are in range, which takes longer than all the rest.
    return MatrixElement(e, i, j)


def _sum(e: MatAdd, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    return Add(*(element(a, i, j, bound=bound) for a in e.args))


def _hadamard(e: HadamardProduct, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    return Mul(*(element(a, i, j, bound=bound) for a in e.args))


def _elementwise(e: Elementwise, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    return e.function(*(element(a, i, j, bound=bound) for a in e.arguments))


def _transpose(e: Transpose, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    return element(e.arg, j, i, bound=bound)


def _product(e: MatMul, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    scalars = [a for a in e.args if not getattr(a, "is_Matrix", False)]
    matrices = [a for a in e.args if getattr(a, "is_Matrix", False)]
    return Mul(*scalars, _chain(matrices, i, j, bound))


def _chain(factors: list[Any], i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    first, *others = factors
    if not others:
        return element(first, i, j, bound=bound)
    inner = first.shape[1]
    if inner == 1:
        return element(first, i, 0, bound=bound) * _chain(others, 0, j, bound)
    if not bound:
        raise ValueError("sums nest deeper than there are index symbols; pass more as bound=")
    index, *rest = bound
    spans = _spans(others[0]) if len(others) == 1 else None
    if spans is None:
        spans = [(Integer(0), inner, None)]
    total = []
    for start, length, part in spans:
        left = element(first, i, index + start, bound=tuple(rest))
        right = _chain(others if part is None else [part], index, j, tuple(rest))
        total.append(Sum(left * right, (index, 0, length - 1)))
    return Add(*total)


def _spans(e: Any) -> list[tuple[Any, Any, Any]] | None:
    """Return (start, length, part) for the parts of a concatenation, or None for anything else."""
    if not isinstance(e, BlockMatrix):
        return None
    start: Any = Integer(0)
    spans = []
    for part in parts_of(e):
        spans.append((start, part.shape[0], part))
        start = start + part.shape[0]
    return spans


def _concat(e: BlockMatrix, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    cases = []
    for start, length, part in _spans(e) or []:
        if (beyond := i - start - length).is_nonnegative:
            continue
        cases.append((element(part, i - start, j, bound=bound), i < start + length))
        if beyond.is_negative:
            break
    return Piecewise(*cases[:-1], (cases[-1][0], True))


def _slice(e: MatrixSlice, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    return element(e.parent, i + e.rowslice[0], j, bound=bound)


def _one(e: OneMatrix, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    return Integer(1)


def _zero(e: ZeroMatrix, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    return Integer(0)


def _identity(e: Identity, i: Any, j: Any, bound: tuple[Symbol, ...]) -> Expr:
    return KroneckerDelta(i, j)


_RULES: Mapping[type, Callable[..., Expr]] = MappingProxyType(
    {
        MatrixSymbol: _symbol,
        MatAdd: _sum,
        HadamardProduct: _hadamard,
        Elementwise: _elementwise,
        Transpose: _transpose,
        MatMul: _product,
        BlockMatrix: _concat,
        MatrixSlice: _slice,
        OneMatrix: _one,
        ZeroMatrix: _zero,
        Identity: _identity,
    }
)


def unit_row(symbol: MatrixSymbol) -> Any:
    """Return the row that unit k looks at: k, and 0 of what has a single row, such as a mean."""
    return Integer(0) if symbol.shape[0] == 1 else UNIT


@dataclass(frozen=True)
class UnitView:
    """The scalar equations of unit k of a cell, and what that unit reads.

    program: the cell. Concatenations are written into the sums, since they belong to no unit.
    """

    program: Program

    @cached_property
    def equations(self) -> tuple[Eq, ...]:
        """The equations of unit k as SymPy ``Eq``."""
        return tuple(self._equations())

    def _equations(self) -> Iterator[Eq]:
        inlined: dict[Any, Any] = {}
        for d in self.program:
            expression = d.expression.xreplace(inlined)
            if isinstance(expression, BlockMatrix):
                inlined[d.symbol] = expression
            else:
                row = unit_row(d.symbol)
                yield Eq(d.symbol[row, 0], element(expression, row), evaluate=False)

    @cached_property
    def reads(self) -> Mapping[str, str]:
        """For every input and previous state, whether unit k reads "all" of its entries or only its "own" one."""
        merged = self.reads_of.values()
        read = {leaf: "all" if any(m.get(leaf) == "all" for m in merged) else "own" for m in merged for leaf in m}
        return {s.name: read[s.name] for s in self.program.leaves if s.name in read}

    @cached_property
    def reads_of(self) -> Mapping[str, Mapping[str, str]]:
        """The same for entry k of every output by itself."""
        modes: dict[str, dict[str, str]] = {
            s.name: {s.name: "own"} for s in self.program.leaves if s not in self.program.parameters
        }
        for equation in self.equations:
            own: dict[str, str] = {}
            modes[equation.lhs.parent.name] = own
            for e in equation.rhs.atoms(MatrixElement):
                for leaf, mode in modes.get(e.parent.name, {}).items():
                    if e.i != unit_row(e.parent) or own.get(leaf) == "all":
                        mode = "all"
                    own[leaf] = mode
        leaves = [s.name for s in self.program.leaves]
        return {
            name: {leaf: modes[name][leaf] for leaf in leaves if leaf in modes[name]} for name in self.program.outputs
        }


def unit_view(program: Program) -> UnitView:
    """Return the unit view of a cell.

    >>> from lstm_spec.spec.cells import lstm
    >>> view = unit_view(lstm())
    >>> view.equations[0].rhs
    b_f[k, 0] + Sum(W_f[k, j]*x[j, 0], (j, 0, n - 1)) + Sum(W_f[k, j + n]*h_prev[j, 0], (j, 0, m - 1))
    >>> view.reads
    {'x': 'all', 'h_prev': 'all', 'c_prev': 'own'}
    """
    return UnitView(cell_of(program, "unit_view"))
