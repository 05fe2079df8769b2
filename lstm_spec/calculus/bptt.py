"""Backpropagation through time: the backward pass of a sequence as a recurrence, its sums and its two ends.

Nothing here is unrolled: the cost does not depend on the number of steps, nor on any size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from sympy import MatAdd, MatrixExpr, MatrixSymbol

from lstm_spec.calculus.adjoint import Arrival, adjoint_symbol, arrivals, backward
from lstm_spec.spec import typeset as ts
from lstm_spec.spec.equation import Equation, ProgramError, names_in
from lstm_spec.spec.notation import text
from lstm_spec.spec.operators import add, zeros
from lstm_spec.spec.program import Program, cell_of
from lstm_spec.spec.typeset import Tree, plain, row


@dataclass(frozen=True)
class Section:
    """Some of the equations under a heading.

    heading: words, formulas and symbols in the order in which they are read; step: what the equations call this step.
    """

    heading: tuple[str | Tree, ...]
    equations: tuple[Equation, ...]
    step: str = "t"


@dataclass(frozen=True)
class ThroughTime:
    """The backward pass of a sequence, steps counted 1 … T.

    step: the backward pass of one step, which takes the arriving adjoints and returns the leaving ones; recurrence: the
    same with what arrives written out in values of the step after, such as δa_f⁺, as papers print it; last: the
    equations that differ at step T, where external, the gradients that come from outside on the final states, take the
    place of the step after; cut: the same where nothing arrives, as truncation has it; first: the adjoints of the
    initial states, in values of step 1; window: of truncated backpropagation, or None.
    """

    step: Program
    recurrence: Program
    last: tuple[Equation, ...]
    cut: tuple[Equation, ...]
    first: tuple[Equation, ...]
    external: tuple[MatrixSymbol, ...]
    window: int | None = None

    @property
    def sums(self) -> tuple[Equation, ...]:
        """The gradients of the parameters, each a sum over the steps (and the rows of a batch)."""
        return tuple(d for d in self.recurrence.derived if d.shared)

    @property
    def per_step(self) -> tuple[Equation, ...]:
        """The equations of one step, in terms of the step after."""
        return tuple(d for d in self.recurrence.derived if not d.shared)

    def arriving(self, step: int, steps: int) -> Literal["final", "next", "zero"]:
        """Say what arrives at a step: the final states' external adjoints, what leaves the step after, or zero.

        step: from 1; steps: T. Raises ValueError for a step outside.
        """
        if not 1 <= step <= steps:
            raise ValueError(f"a step is one of 1 … {steps}, got {step}")
        if step == steps:
            return "final"
        return "zero" if self.window is not None and step % self.window == 0 else "next"

    def sections(self) -> Iterator[Section]:
        """Yield what there is to print, in the order of the backward pass."""
        backwards, first = row(_T, ts.Sign(",", "after"), ts.Letter("…"), ts.Sign(",", "after"), _ONE), row(_ONE)
        yield Section((_at(backwards), ":"), self.per_step)
        yield Section(("sums over ", ts.Letter("t"), ":"), self.sums)
        outside = [part for e in self.external for part in (", ", e)][1:]
        said = "the gradient that comes" if len(self.external) == 1 else "the gradients that come"
        states = "the final state" if len(self.external) == 1 else "the final states"
        yield Section(("at ", _at(_T), ", with ", *outside, f" for {said} from outside on {states}:"), self.last, "T")
        if self.window is not None:
            before = row(ts.Letter("t"), ts.Sign("<", "both"), _T)
            where = f" that is a multiple of {self.window}, where nothing arrives:"
            yield Section(("at every ", before, where), self.cut)
        yield Section(("at ", _at(first), ":"), self.first, "1")

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for section in self.sections():
            yield "".join(_said(part) for part in section.heading)
            for d in section.equations:
                summed = d.shared and not d.uses <= self.recurrence.shared
                yield f"  {text(d.symbol)} = Σ_t {_bracketed(d.expression)}" if summed else f"  {d}"


_T, _ONE = ts.Letter("T"), ts.Number("1")


def _at(steps: Tree) -> Tree:
    return row(ts.Letter("t"), ts.Sign("=", "both"), steps)


def _said(part: str | Tree) -> str:
    return part if isinstance(part, str) else text(part) if isinstance(part, MatrixSymbol) else plain(part)


def _bracketed(expression: MatrixExpr) -> str:
    return f"({text(expression)})" if isinstance(expression, MatAdd) else text(expression)


def bptt(cell: Program, *, window: int | None = None) -> ThroughTime:
    """Return backpropagation through time for a cell (Rumelhart, Hinton & Williams 1986; Werbos 1990).

    External gradients may come on every output y_t (``dy``) and on the final states (``dh_T``, ``dc_T``). window: the
    steps are cut into blocks of this length from the first on, and no adjoint passes from one block to the one before
    (truncated backpropagation, as training loops do it that detach the state); T steps or more give the full gradient.
    Raises ProgramError for a window below 1.

    >>> from lstm_spec.spec.cells import lstm
    >>> through_time = bptt(lstm(peepholes="fio", concat=None))
    >>> print(*through_time.per_step[:4], sep="; ")
    δh = δy + R_fᵀ δa_f⁺ + R_iᵀ δa_i⁺ + R_cᵀ δa_c⁺ + R_oᵀ δa_o⁺; δo = δh∘tanh(c); δa_o = δo∘o∘(1 − o);
    δc = δh∘o∘(1 − tanh(c)∘tanh(c)) + p_o∘δa_o + δc⁺∘f⁺ + p_f∘δa_f⁺ + p_i∘δa_i⁺
    >>> print(*through_time.last, *through_time.first, sep="; ")
    δh = δy + δh_T; δc = δh∘o∘(1 − tanh(c)∘tanh(c)) + p_o∘δa_o + δc_T;
    δh_0 = R_fᵀ δa_f + R_iᵀ δa_i + R_cᵀ δa_c + R_oᵀ δa_o; δc_0 = δc∘f + p_f∘δa_f + p_i∘δa_i
    """
    if window is not None and (isinstance(window, bool) or not isinstance(window, int) or window < 1):
        raise ProgramError(f"a window is a positive number of steps, got {window!r}")
    return _bptt(cell_of(cell, "bptt"), window)


@lru_cache(maxsize=256)
def _bptt(cell: Program, window: int | None) -> ThroughTime:
    step = backward(cell)
    carried = [a for a in arrivals(cell) if a.before is not None]
    external = tuple(MatrixSymbol(f"d{a.value}_T", *a.symbol.shape) for a in carried)
    return ThroughTime(
        step=step,
        recurrence=_recurrence(cell, step, carried),
        last=tuple(_ended(cell, step, a, e) for a, e in zip(carried, external, strict=True)),
        cut=tuple(_ended(cell, step, a, None) for a in carried),
        first=tuple(_initial(step, carried)),
        external=external,
        window=window,
    )


def _ended(cell: Program, step: Program, arrival: Arrival, external: MatrixSymbol | None) -> Equation:
    """Return the equation that reads what arrives, with an external gradient or nothing in its place."""
    own = adjoint_symbol(cell, cell.symbols[arrival.value])
    # Where nothing else reaches a state, what arrives is its adjoint, and there is no equation between them.
    d = next((d for d in step.derived if d.symbol == own), Equation(arrival.symbol, arrival.symbol))
    if external is not None:
        return replace(d, expression=_replaced(d.expression, {arrival.symbol: external}))
    terms = d.expression.args if isinstance(d.expression, MatAdd) else (d.expression,)
    kept = [term for term in terms if term != arrival.symbol]
    return replace(d, expression=add(*kept) if kept else zeros(*d.symbol.shape))


def _initial(step: Program, carried: list[Arrival]) -> Iterator[Equation]:
    """Yield the adjoints of the initial states: what leaves step 1."""
    assert step.origin is not None
    for arrival in carried:
        leaving = adjoint_symbol(step.origin, arrival.before)
        yield Equation(MatrixSymbol(f"d{arrival.value}_0", *leaving.shape), step[leaving.name].expression)


def _recurrence(cell: Program, step: Program, carried: list[Arrival]) -> Program:
    """Write what arrives at a step in values of the step after."""
    later = _Later(cell, step)
    leaving = {a.symbol: adjoint_symbol(cell, a.before) for a in carried}
    arriving = {symbol: later.shifted(step[left.name].expression) for symbol, left in leaving.items()}
    kept = [d for d in step.derived if d.symbol not in leaving.values()]
    definitions = [Equation(d.symbol, _replaced(d.expression, arriving), d.shared) for d in kept]
    adjoints = {d.symbol for d in kept}
    pairs = tuple((after, now) for now, after in later.symbols.items() if now in adjoints)
    given = tuple(after for now, after in later.symbols.items() if now not in adjoints)
    return Program(
        name=f"{cell.name} through time",
        inputs=(*step.inputs, *given),
        recurrence=(*cell.recurrence, *pairs),
        parameters=step.parameters,
        definitions=(*cell.definitions, *definitions),
        outputs=tuple(name for name in step.outputs if name not in {left.name for left in leaving.values()}),
        constants=step.constants,
        origin=cell,
        derivation="bptt",
    )


class _Later:
    """The values of the step after: f⁺ for f, and h for what that step calls h'."""

    def __init__(self, cell: Program, step: Program) -> None:
        self.shared = step.shared
        self.states = dict(cell.recurrence)
        self.symbols: dict[MatrixSymbol, MatrixSymbol] = {}

    def shifted(self, expression: MatrixExpr) -> MatrixExpr:
        """Return an expression of the step after, seen from this step."""
        symbols = sorted(expression.atoms(MatrixSymbol), key=lambda s: s.name)
        return expression.xreplace({s: self._later(s) for s in symbols})

    def _later(self, symbol: MatrixSymbol) -> MatrixSymbol:
        if symbol.name in self.shared:
            return symbol
        if symbol in self.states:
            return self.states[symbol]
        return self.symbols.setdefault(symbol, MatrixSymbol(f"{symbol.name}_next", *symbol.shape))


def _replaced(expression: MatrixExpr, arriving: Mapping[MatrixSymbol, MatrixExpr]) -> MatrixExpr:
    """Put the terms of the step after in the place of what arrives, in one sum with the others."""
    if not names_in(expression) & {s.name for s in arriving}:
        return expression
    terms = expression.xreplace(arriving).args if isinstance(expression, MatAdd) else [expression.xreplace(arriving)]
    return add(*(part for t in terms for part in (t.args if isinstance(t, MatAdd) else (t,))))
