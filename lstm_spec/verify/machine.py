"""Calls in any order, each of them right: a state machine of Hypothesis for targets that are streamed to."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule

from lstm_spec.compute.contracts import Given
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.calls import MisbehaviourError
from lstm_spec.targets.layout import Layout
from lstm_spec.verify.cases import GRID, Case, small_cases
from lstm_spec.verify.fit import UsageError, formats_of, subject_of
from lstm_spec.verify.subject import Subject


@dataclass(frozen=True)
class Stream:
    """A sequence as far as it has been run: the last question, and the states that were returned to it."""

    asked: Case
    states: tuple[Any, ...]


def machine(
    target: Any,
    *,
    spec: str | Program | Network | None = None,
    layout: str | Layout | None = None,
    dtype: str | None = None,
    accuracy: Given = None,
) -> type[RuleBasedStateMachine]:
    """Return a state machine that streams to a target, for ``machine(target).TestCase`` in a test file of one's own.

    Several sequences are open at once. A step of the machine begins one, carries one on for some steps from the states
    that the target returned, carries one row of it on alone, or asks the last question once more; from every point it
    may go on more than once. Every answer has to be that of the specification, whatever was asked in between.

    target, spec, layout, accuracy: as for ``verify``, a class for what keeps something between calls, so that every run
    has an instance of its own; dtype: the format, by default the first of the target.
    """
    first = subject_of(target, spec, layout, accuracy=accuracy)
    if not first.ends.whole:
        raise UsageError(f"{first.target.name} does not take and return every state, so that nothing can be carried on")
    chosen = formats_of(first.target, None if dtype is None else (dtype,))[0]
    small = small_cases(
        first.cell,
        chosen,
        rows=2,
        weights=first.target.weights,
        possible=first.target.possible,
        among=first.target.sizes,
    )

    class Streaming(RuleBasedStateMachine):
        """Sequences that are run piece by piece, beside each other."""

        def __init__(self) -> None:
            super().__init__()
            self.subject = subject_of(target, spec, layout, accuracy=accuracy) if isinstance(target, type) else first

        streams = Bundle("streams")

        @rule(target=streams, case=small)
        def begin(self, case: Case) -> Stream:
            """Begin a sequence with parameters and states of its own."""
            return _answered(self.subject, case, "at the beginning of a sequence")

        @rule(target=streams, stream=streams, data=st.data())
        def go_on(self, stream: Stream, data: Any) -> Stream:
            """Carry a sequence on from the states that were returned."""
            return _answered(self.subject, _next(stream, data), "carried on from the states returned before")

        @rule(target=streams, stream=streams, data=st.data())
        def go_on_with_one_row(self, stream: Stream, data: Any) -> Stream:
            """Carry one row of a batch on alone."""
            case = _next(stream, data)
            row = data.draw(st.integers(0, case.B - 1), label="row")
            return _answered(self.subject, case.part(slice(None), slice(row, row + 1)), "with one row carried on alone")

        @rule(stream=streams)
        def ask_again(self, stream: Stream) -> None:
            """Ask the last question of a sequence once more."""
            _answered(self.subject, stream.asked, "asked once more")

    return Streaming


def _next(stream: Stream, data: Any) -> Case:
    _, B, n = stream.asked.x.shape
    T = data.draw(st.integers(1, 3), label="steps")
    numbers = np.frombuffer(data.draw(st.binary(min_size=T * B * n, max_size=T * B * n), label="x"), np.uint8)
    x = GRID[numbers].reshape(T, B, n).astype(stream.asked.dtype)
    return replace(stream.asked, x=x, states=stream.states)


def _answered(subject: Subject, case: Case, when: str) -> Stream:
    try:
        outputs, _ = subject.call(case)
    except MisbehaviourError as misbehaviour:
        raise AssertionError(f"{when}, {misbehaviour}") from None
    comparison = subject.compare(case, outputs, subject.contracts[str(case.dtype)])
    assert comparison.agrees, f"{when}, {comparison.worst}"
    return Stream(case, tuple(outputs.states[name] for name in subject.cell.states))
