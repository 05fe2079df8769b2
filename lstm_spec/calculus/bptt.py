"""Backpropagation through time: the backward pass of a sequence as a recurrence, its sums and its two ends.

Nothing here is unrolled: the cost does not depend on the number of steps, nor on any size.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sympy import MatAdd, MatrixExpr, MatrixSymbol

from lstm_spec.calculus.adjoint import Arrival, adjoint_symbol, arrivals, backward
from lstm_spec.spec.notation import text
from lstm_spec.spec.operators import add
from lstm_spec.spec.program import Equation, Program, ProgramError, names_in


@dataclass(frozen=True)
class ThroughTime:
    """The backward pass of a sequence, steps counted 1 … T.

    step: the backward pass of one step, which takes the arriving adjoints and returns the leaving ones; recurrence: the
    same with what arrives written out in values of the step after, such as δa_f⁺, as papers print it; last: what
    arrives at step T, the external adjoints of the final states; first: the adjoints of the initial states, in values
    of step 1; window: of truncated backpropagation, or None.
    """

    step: Program
    recurrence: Program
    last: tuple[Equation, ...]
    first: tuple[Equation, ...]
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

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield "t = T, …, 1:"
        yield from (f"  {d}" for d in self.per_step)
        yield "sums over t:"
        yield from (f"  {text(d.symbol)} = Σ_t {_bracketed(d.expression)}" for d in self.sums)
        yield "at t = T, in place of the terms from t+1:"
        yield from (f"  {d}" for d in self.last)
        if self.window is not None:
            yield f"at every t < T that is a multiple of {self.window}, in place of the terms from t+1: 0"
        yield "at t = 1:"
        yield from (f"  {d}" for d in self.first)


def _bracketed(expression: MatrixExpr) -> str:
    return f"({text(expression)})" if isinstance(expression, MatAdd) else text(expression)


# Typed, since a window of True is refused and one of 1 is not.
@lru_cache(maxsize=256, typed=True)
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
    δh⁺ = δh_T; δc⁺ = δc_T; δh_0 = R_fᵀ δa_f + R_iᵀ δa_i + R_cᵀ δa_c + R_oᵀ δa_o;
    δc_0 = δc∘f + p_f∘δa_f + p_i∘δa_i
    """
    if window is not None and (isinstance(window, bool) or not isinstance(window, int) or window < 1):
        raise ProgramError(f"a window is a positive number of steps, got {window!r}")
    step = backward(cell)
    carried = [a for a in arrivals(cell) if a.before is not None]
    last = tuple(Equation(a.symbol, MatrixSymbol(f"d{a.value}_T", *a.symbol.shape)) for a in carried)
    return ThroughTime(step, _recurrence(cell, step, carried), last, tuple(_initial(step, carried)), window)


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
