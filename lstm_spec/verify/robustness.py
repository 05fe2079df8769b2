"""Checks of what is around the numbers: how arrays lie in memory, what is no number, and calls from several threads."""

import sys
import warnings
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.forced import forced_bounds
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.program import Program
from lstm_spec.targets.calls import MEMORIES
from lstm_spec.targets.contract import Outputs
from lstm_spec.verify.cases import Array, Case
from lstm_spec.verify.checks import Check, against_spec, outcome_of
from lstm_spec.verify.compare import Comparison, compare, of
from lstm_spec.verify.search import Outcome
from lstm_spec.verify.subject import Subject


def _views(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    """Give the same numbers as arrays that lie otherwise in memory."""
    worst = Outcome()
    for memory, words in MEMORIES.items():
        worst, _ = against_spec(subject, case, contract, f"given {words}, ", memory=memory)
        if worst.finding:
            return worst
    return worst


POISONS = (np.nan, np.inf, -np.inf)
"""What is no number, or no finite one."""


def _poison(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    """Put what is no number into one row, at a step of x or in a state, and look at what it may not reach."""
    t, row = case.T // 2, case.B - 1
    worst = Outcome()
    for poison in POISONS:
        for where, dirty, begin in _poisoned(case, poison, t, row, subject.begun):
            outputs, _ = subject.call(dirty)
            # In a network a reverse direction may take it to earlier steps.
            until = begin if isinstance(subject.cell, Program) else 0
            comparison = _spared(subject, case, outputs, contract, until, row)
            worst = outcome_of(comparison, case, f"with {poison} in row {row} of {where}, ")
            if worst.finding:
                return worst
    return worst


def _poisoned(case: Case, poison: float, t: int, row: int, begun: Collection[str]) -> Iterator[tuple[str, Case, int]]:
    """Yield where something is no number, the case, and the step from which on that may be seen in its own row.

    begun: the initial states to put it into.
    """
    x = case.x.copy()
    x[t, row] = poison
    yield f"x at step {t}", replace(case, x=x), t
    for k, name in enumerate(case.state_names):
        if name not in begun:
            continue
        states = [s.copy() for s in case.states]
        states[k][row] = poison
        yield f"the initial {name}", replace(case, states=tuple(states)), 0


def _spared(subject: Subject, case: Case, outputs: Outputs, contract: Accuracy, until: int, row: int) -> Comparison:
    """Hold against the clean case what came of a dirty one: the other rows, and of its own the steps before."""
    bounds = forced_bounds(subject.cell, case.params, case.x, case.states, outputs.y, contract, case.lengths)
    got = {"y": outputs.y, **outputs.states}
    bounds = of(bounds, got)
    spared = {name: _reached(name, a, until, row) for name, a in got.items()}
    # Where it may reach, nothing is asked.
    allowed = {name: Bounded(b.value, np.where(spared[name], np.inf, b.errors)) for name, b in bounds.items()}
    told = all(np.isfinite(b.errors[~spared[name]]).all() for name, b in bounds.items())
    return replace(compare(got, allowed, contract), conclusive=told)


def _reached(name: str, a: Array, until: int, row: int) -> Array:
    reached = np.zeros(a.shape, bool)
    reached[..., row, :] = True
    if name == "y" and a.ndim == 3:
        reached[:until] = False
    return reached


CALLS = 8
"""How often each of two threads calls."""


def _threads(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    """Call from two threads at once, each with numbers of its own."""
    questions = (case, replace(case, x=case.x + 1))
    ready = Barrier(len(questions))

    def ask(question: Case) -> list[Outputs]:
        ready.wait()
        return [subject.call(question)[0] for _ in range(CALLS)]

    with _switching_often(), ThreadPoolExecutor(len(questions)) as pool:
        answers = [future.result() for future in [pool.submit(ask, q) for q in questions]]
    worst = Outcome()
    for question, given in zip(questions, answers, strict=True):
        for outputs in {outputs.y.tobytes(): outputs for outputs in given}.values():
            worst = outcome_of(subject.compare(question, outputs, contract), case, "called from two threads at once, ")
            if worst.finding:
                return worst
    return worst


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let threads change places after every few instructions, and keep the filters of warnings, which all share."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with warnings.catch_warnings():
            yield
    finally:
        sys.setswitchinterval(before)


ROBUSTNESS: tuple[Check, ...] = (
    Check(
        "views",
        "arrays may be in Fortran order, strided or read-only, as NumPy has them",
        _views,
        asks="the same case is asked with its arrays in other orders in memory, and with arrays that cannot be written",
        catches="arrays read as if they lay in rows one after the other, and writing to an argument",
        passes=("forward",),
        needs=("sequence", "inputs"),
        weight=0.2,
    ),
    Check(
        "poison",
        "NaN or infinity in one row of x or of a state reaches only later steps of that row",
        _poison,
        asks="NaN or infinity is put into one row, and the other rows and the steps before are held to the equations",
        catches="rows that are mixed, a later step that reaches an earlier one, a mask that multiplies",
        passes=("forward",),
        needs=("batch",),
        least_steps=2,
        least_rows=2,
        weight=0.2,
        seeded=False,
    ),
    Check(
        "threads",
        "calls from several threads at once do not disturb each other",
        _threads,
        asks="two threads ask at once, each with numbers of its own, again and again",
        catches="buffers or states that calls share",
        passes=("forward",),
        needs=("repeat",),
        least_steps=2,
        weight=0.2,
        threads=True,
    ),
)
"""The checks of what is around the numbers; nothing depends on them."""
