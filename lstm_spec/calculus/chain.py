"""The formulas of a backward pass against the chain rule, for all sizes.

∂loss/∂v is what arrives at v and, for every equation u that reads v, Σ ∂loss/∂u[k, l] · ∂u[k, l]/∂v. The last factor is
SymPy's derivative of the definition of u by sums, all other values held; the adjoints of the readers come before that
of v, so a formula is proved by induction over the equations, last to first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from sympy import Add, BlockMatrix, Expr, Integer, MatrixSymbol, Pow, Sum, Symbol, preorder_traversal
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.calculus.adjoint import adjoint_symbol, ancestors, arrivals
from lstm_spec.calculus.collapse import normal
from lstm_spec.calculus.indices import Ranges
from lstm_spec.calculus.scalars import Inlined, fresh, given, unfolded, written
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.program import Program

_P, _Q = (Symbol(name, integer=True, nonnegative=True) for name in ("p_", "q_"))


class Chain:
    """Which formulas of a backward pass follow from the chain rule.

    formulas: the equation of the adjoint of a value, by the name of the value.
    """

    def __init__(self, cell: Program, back: Program, formulas: Mapping[str, Equation]) -> None:
        self.cell = cell
        self.formulas = formulas
        self.incoming = arrivals(cell)
        self.reaching = ancestors(cell, {a.value for a in self.incoming})
        self.symbols = back.symbols
        defined = {d.name for d in formulas.values()}
        helpers = [d for d in back.derived if d.name not in defined]
        # Adjoints by name, or written out for a formula that goes another way, or f[k] too, for one that has σ(a_f).
        self.forms = (
            Inlined(helpers, given),
            Inlined(back.derived, given),
            Inlined(back.derived, unfolded(cell)),
        )
        self.known: dict[str, bool] = {}

    def holds(self, name: str) -> bool:
        """Tell whether the adjoint of a value is proved: its formula, and those of the adjoints of its readers."""
        if name not in self.known:
            readers = all(self.holds(d.name) for d in self._readers(name))
            self.known[name] = readers and (self._follows(name) if name in self.formulas else self._arrives(name))
        return self.known[name]

    def _readers(self, name: str) -> list[Equation]:
        return [d for d in self.cell if name in d.uses and d.name in self.reaching]

    def _arrives(self, name: str) -> bool:
        """Tell whether the adjoint of a value is what arrives from outside, and nothing else."""
        adjoint = adjoint_symbol(self.cell, self.cell.symbols[name])
        return [a.symbol for a in self.incoming if a.value == name] == [adjoint] and not self._readers(name)

    def _follows(self, name: str) -> bool:
        """Tell whether formula and chain rule have one normal form, if need be part by part."""
        rows, columns = self.cell.symbols[name].shape
        whole = [_Case(row, column, {**r, **c}) for row, r in [_span(_P, rows)] for column, c in [_span(_Q, columns)]]
        parts = [
            _Case(row, column, {**r, **c})
            for row, r in _parts(self.cell, _P, rows)
            for column, c in _parts(self.cell, _Q, columns)
        ]
        attempts = [whole] if len(parts) == 1 else [whole, parts]
        return any(all(self._agree(name, case, form) for case in cases) for form in self.forms for cases in attempts)

    def _agree(self, name: str, case: "_Case", form: Inlined) -> bool:
        truth = form.inlined(self._chain_rule(self.cell.symbols[name], case), self.symbols)
        formula = written(self.formulas[name].expression, form.entry, case.row, case.column)
        return normal(truth - formula, case.ranges) == 0

    def _chain_rule(self, value: MatrixSymbol, case: "_Case") -> Expr:
        arriving = [given(a.symbol, case.row, case.column) for a in self.incoming if a.value == value.name]
        leaf = given(value, case.row, case.column)
        return Add(*arriving, *(self._through(d, leaf) for d in self._readers(value.name)))

    def _through(self, d: Equation, leaf: Expr) -> Expr:
        """Return the part of ∂loss/∂leaf that goes through one equation."""
        entry = dict(zip(fresh(2), d.symbol.shape, strict=True))
        row, column = (index if length != 1 else Integer(0) for index, length in entry.items())
        value = written(d.expression, given, row, column)
        slope = value.diff(leaf)
        if isinstance(d.expression, Elementwise):
            slope = _in_output(slope, value, given(d.symbol, row, column))
        term = given(adjoint_symbol(self.cell, d.symbol), row, column) * slope
        limits = [(index, 0, length - 1) for index, length in entry.items() if length != 1]
        return Sum(term, *limits) if limits else term


def _in_output(slope: Expr, value: Expr, name: Expr) -> Expr:
    """Write a derivative in the name of the value, where the value or a power of it occurs: 1 − f² for f = tanh(…)."""
    if not isinstance(value, Pow):
        return slope.xreplace({value: name})
    powers = {p: p.exp / value.exp for p in slope.atoms(Pow) if p.base == value.base}
    return slope.xreplace({p: name**k for p, k in powers.items() if k.is_Integer})


@dataclass(frozen=True)
class _Case:
    """An entry [row, column] of a value, with the sizes of the free indices in it."""

    row: Any
    column: Any
    ranges: Ranges


def _span(index: Symbol, length: Any, start: Any = 0) -> tuple[Any, Ranges]:
    return (start + index, {index: length}) if length != 1 else (Integer(0) + start, {})


def _parts(cell: Program, index: Symbol, length: Any) -> list[tuple[Any, Ranges]]:
    """Return the parts of an axis between the rows at which a value of that many rows is stacked or sliced."""
    cuts = {Integer(0), length}
    for d in cell.definitions:
        for e in preorder_traversal(d.expression):
            if isinstance(e, BlockMatrix) and e.shape[0] == length:
                cuts.update(accumulate(part.shape[0] for part in parts_of(e)))
            elif isinstance(e, MatrixSlice) and e.parent.shape[0] == length:
                cuts.update(e.rowslice[:2])
    large = {s: 1000 + k for k, s in enumerate(cell.sizes)}
    ordered = sorted(cuts, key=lambda cut: cut.subs(large))
    return [_span(index, stop - start, start) for start, stop in pairwise(ordered)]
