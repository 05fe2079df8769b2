"""The checks: what is asked of a target, in which order, and which clause of the specification each one exercises.

A check that fails blocks those that build on it, so that one fault is told once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.spec.program import Program
from lstm_spec.targets.calls import MisbehaviourError
from lstm_spec.targets.contract import Outputs
from lstm_spec.verify.cases import Case
from lstm_spec.verify.compare import Comparison
from lstm_spec.verify.opinions import third_opinion
from lstm_spec.verify.search import Finding, Outcome
from lstm_spec.verify.subject import Question, Subject

Examination = Callable[[Subject, Case, Accuracy], Outcome]


@dataclass(frozen=True)
class Check:
    """One question to a target.

    id: its stable name. clause: what the specification says, in one sentence. asks: what is done to find out. catches:
    the faults that show here first. passes: whether its answers are held against the equations of the cell, "forward",
    and of its backward pass, "backward". needs: the checks that must hold before this one means anything. least_steps,
    least_rows, most_steps, most_rows, most_size: limits to the sizes of its cases, where it wants others than most
    checks. seeded: whether full-significand cases are tried after the small ones. gradients, lengths: whether its cases
    have cotangents, and rows of unequal length; states: whether it begins from states of its own choice;
    chooses_parameters: whether it needs parameters and sizes of its own choice. threads: whether it calls from several
    at once. listed: its cases, where they are not drawn.
    """

    id: str
    clause: str
    examine: Examination
    asks: str
    catches: str
    passes: tuple[Literal["forward", "backward"], ...] = ("forward",)
    needs: tuple[str, ...] = ()
    least_steps: int = 1
    least_rows: int = 1
    most_steps: int | None = None
    most_rows: int | None = None
    most_size: int | None = None
    weight: float = 1.0
    seeded: bool = True
    gradients: bool = False
    lengths: bool = False
    states: bool = False
    chooses_parameters: bool = False
    threads: bool = False
    listed: Callable[[Subject, str], Sequence[Case]] | None = None


def outcome_of(comparison: Comparison, case: Case, where: str = "") -> Outcome:
    """Return what a comparison means for a case, a finding where it disagrees; where: what was special about it."""
    finding = None if comparison.agrees else Finding(f"{where}{comparison.worst}", case, comparison.worst)
    return Outcome(comparison, finding)


def against_spec(
    subject: Subject, case: Case, contract: Accuracy, where: str = "", *, memory: str = ""
) -> tuple[Outcome, Outputs]:
    """Ask a case, and hold what came against the specification; memory: how the arrays of the target lie."""
    outputs, _ = subject.call(case, memory=memory)
    return outcome_of(subject.compare(case, outputs, contract), case, where), outputs


def _signature(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    subject.call(case)
    return Outcome()


def _sequence(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    return against_spec(subject, case, contract)[0]


def _carry(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    """Stop halfway and go on from the states that were returned."""
    k = case.T // 2
    first, outputs = against_spec(subject, case.part(slice(k)), contract, f"steps before {k} alone, ")
    if first.finding:
        return first
    states = tuple(outputs.states[name] for name in subject.cell.states)
    rest = case.part(slice(k, None), states=states)
    return against_spec(subject, rest, contract, f"steps from {k} on, begun from the states returned before, ")[0]


MANY_ROWS = 40
"""More rows than a block of a kernel has, and no whole number of the usual ones."""


def _batch(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    """Take the rows in reverse order, the first and the last one alone, and all of them many times."""
    worst: list[Outcome] = []
    parts = [
        (case.part(slice(None), slice(None, None, -1)), "with the rows of the batch reversed, "),
        (case.part(slice(None), slice(0, 1)), "with the first row of the batch alone, "),
        (case.part(slice(None), slice(case.B - 1, case.B)), "with the last row of the batch alone, "),
    ]
    if subject.target.sizes is None and case.B < MANY_ROWS:
        # What compiles shapes is asked for no others than it names.
        many = case.part(slice(3), np.arange(MANY_ROWS) % case.B)
        parts.append((many, f"with the rows of the batch over and over, {MANY_ROWS} in all, "))
    for part, what in parts:
        outcome, _ = against_spec(subject, part, contract, what)
        if outcome.finding:
            return outcome
        worst.append(outcome)
    return max(worst, key=lambda o: o.comparison.worst.ratio if o.comparison else 0.0)


def _another(case: Case) -> Case:
    """Return another question, to be asked in between: a step shorter, with the rows in reverse order."""
    return case.part(slice(0, max(1, case.T - 1)), slice(None, None, -1))


def _inputs(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    """Ask something else before looking: a target may keep an argument, and change it later."""
    _, call = subject.call(case)
    subject.call(_another(case))
    changed = call.changed()
    if changed is None:
        return Outcome()
    return Outcome(finding=Finding(f"forward changed its argument {changed} in place", case, fault="changed"))


def _repeat(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    """Ask the same again, with other questions in between, one of them of the same size."""
    _, call = subject.call(case)
    subject.call(replace(case, x=case.x + 1))
    if call.overwritten():
        what = "forward returned an array that its next call wrote over; expected a new one for every call"
        return Outcome(finding=Finding(what, case, fault="overwritten"))
    subject.call(_another(case))
    return against_spec(subject, case, contract, "called again with the same arguments, ")[0]


def _gradient_signature(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    _, call = subject.call_backward(case)
    changed = call.changed()
    if changed is None:
        return Outcome()
    return Outcome(finding=Finding(f"backward changed its argument {changed} in place", case, fault="changed"))


def _gradients(subject: Subject, case: Case, contract: Accuracy, where: str = "") -> Outcome:
    outputs = subject.call_differentiated(case)
    gradients, _ = subject.call_backward(case)
    comparison = subject.compare_gradients(case, outputs, gradients, contract)
    if comparison.worst.output in ("y", *subject.cell.states):
        return outcome_of(comparison, case, f"{where}in the forward pass that backward runs, ")
    finding = outcome_of(comparison, case, where).finding
    if finding is not None and isinstance(subject.cell, Program):
        finding = replace(finding, message=finding.message + third_opinion(subject.cell, case, comparison.worst))
    return Outcome(comparison, finding)


def _gradient_repeat(subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    """Ask for gradients twice, with others in between: buffers that are not cleared add up."""
    subject.call_backward(case)
    subject.call_backward(_another(case))
    return _gradients(subject, case, contract, "called again with the same arguments, ")


CHECKS: tuple[Check, ...] = (
    Check(
        "signature",
        "forward(params, x, *states) returns (y, *states) in the shapes and the dtype of its arguments",
        _signature,
        asks="a sequence of three steps and two rows is run, and what comes has to have the right shapes",
        catches="a wrong number, order, shape or format of results, exceptions",
        passes=(),
        # Numbers of steps and rows that differ, or a wrong shape could not be told from another.
        least_steps=3,
        most_steps=3,
        least_rows=2,
        most_rows=2,
        weight=0.3,
        seeded=False,
    ),
    Check(
        "step",
        "one step computes the equations of the cell",
        _sequence,
        asks="one step is run from given states, and every number of y and of the states is held against the equations",
        catches="gates in another order, a wrong activation, a missing term or bias, states swapped or ignored",
        needs=("signature",),
        most_steps=1,
    ),
    Check(
        "sequence",
        "step t starts from the states of step t−1, y holds h of every step, the final states are those of the last",
        _sequence,
        asks="a sequence is run, and step t is held against the equations for the h that the target gave for step t−1",
        catches="time reversed or shifted, states that are reset or not carried on, a last step that is dropped",
        needs=("step",),
    ),
    Check(
        "carry",
        "a sequence may be cut anywhere and continued from the returned states",
        _carry,
        asks="a sequence is cut in two, and the second part begun from the states that the first one returned",
        catches="final states that are returned too early, or that are not all there is to carry",
        needs=("sequence",),
        least_steps=2,
        weight=0.4,
        states=True,
    ),
    Check(
        "batch",
        "the rows of a batch are independent of each other, of their order and of their number",
        _batch,
        asks="the rows are asked in reverse order, the first and the last one alone, and all over and over, 40 in all",
        catches="rows that read each other, numbers that depend on the size of the batch",
        needs=("sequence",),
        least_rows=2,
        weight=0.4,
    ),
    Check(
        "inputs",
        "arguments are not changed, not even later",
        _inputs,
        asks="the arguments are looked at again after the call, and after another one",
        catches="x, a state or a parameter that is changed in place, arguments that are kept and changed later",
        passes=(),
        needs=("signature",),
        weight=0.3,
        seeded=False,
    ),
    Check(
        "repeat",
        "the same call gives the same result, whatever was asked in between",
        _repeat,
        asks="the same is asked twice, with other questions in between",
        catches="states that are kept between calls, buffers that are returned and written over, chance",
        needs=("sequence",),
        least_rows=1,
        weight=0.4,
    ),
    Check(
        "lengths",
        "a row ends at its own length: its states are those of its last step, and what follows in x is not read",
        _sequence,
        asks="rows of unequal length are run in one batch, with numbers in x past their ends",
        catches="lengths that are ignored, states of the padding, a reverse direction that starts there",
        needs=("sequence",),
        least_steps=2,
        least_rows=2,
        weight=0.8,
        lengths=True,
    ),
    Check(
        "gradient_signature",
        "backward(params, x, *states, dy, *dstates) returns (dparams, dx, *dstates0) in the shapes of its arguments",
        _gradient_signature,
        asks="backward is called, and what comes is held against the shapes of the arguments",
        catches="gradients that are missing, or of another shape, and arguments that are changed in place",
        passes=(),
        needs=("sequence",),
        weight=0.3,
        seeded=False,
        gradients=True,
    ),
    Check(
        "gradient_step",
        "the gradients of one step are those of its equations, for cotangents of y and of every final state",
        _gradients,
        asks="backward is called for one step with cotangents of y and of every state, alone and together",
        catches="a wrong derivative, a missing term, a gradient of one parameter in the place of another",
        passes=("backward",),
        needs=("gradient_signature",),
        most_steps=1,
        weight=0.6,
        gradients=True,
    ),
    Check(
        "gradient_sequence",
        "gradients run back through all states of every step, and those of parameters add up over steps and rows",
        _gradients,
        asks="backward is called for a sequence, and held against the adjoints run back through time",
        catches="truncation, a missing recurrent term, gradients that do not add up over steps and rows",
        passes=("backward",),
        needs=("gradient_step",),
        gradients=True,
    ),
    Check(
        "gradient_lengths",
        "no gradient comes from what is past a row's length, nor reaches x there",
        _gradients,
        asks="backward is called for rows of unequal length",
        catches="gradients that come from the padding, or reach it",
        passes=("backward",),
        needs=("gradient_sequence", "lengths"),
        least_steps=2,
        least_rows=2,
        weight=0.6,
        gradients=True,
        lengths=True,
    ),
    Check(
        "gradient_repeat",
        "the same call gives the same gradients, whatever was asked in between",
        _gradient_repeat,
        asks="the same gradients are asked twice, with others in between",
        catches="buffers that are not cleared, and so add up",
        passes=("backward",),
        needs=("gradient_sequence",),
        weight=0.3,
        gradients=True,
    ),
)
"""The checks, each after the ones that it needs."""


def examine(check: Check, subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    """Ask one check's question about one case; a target that misbehaves on it is a finding.

    A case that is too small for the question, as cutting one down may leave it, says nothing. A finding is about the
    whole case, even where a part of it was asked.
    """
    if check.least_steps > case.T or check.least_rows > case.B:
        return Outcome()
    case = subject.taken(case)
    asked: list[Question] = []
    try:
        outcome = check.examine(replace(subject, asked=asked), case, contract)
    except MisbehaviourError as misbehaviour:
        outcome = Outcome(finding=Finding(str(misbehaviour), case, fault="hung" if misbehaviour.hung else "form"))
    if outcome.finding is None:
        return outcome
    return replace(outcome, finding=replace(outcome.finding, case=case, asked=tuple(asked)))
