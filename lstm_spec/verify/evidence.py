"""What a target returned in a failing case beside what it might have returned, number for number."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.forced import differentiated_bounds, forced_bounds
from lstm_spec.compute.lengths import alive
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import Array, Case, seeded_case
from lstm_spec.verify.checks import CHECKS, examine
from lstm_spec.verify.search import Finding
from lstm_spec.verify.subject import Question, Subject

_SIZES = {"n": 3, "m": 6, "q": 4}
_STEPS = 16


@dataclass(frozen=True)
class Evidence:
    """One output of a failing case, whole.

    output: its name, as in the deviation; axes: those of the arrays, by name; at: the place of the deviation; got,
    expected, allowed: arrays of one shape; case: what was asked.
    """

    output: str
    axes: tuple[str, ...]
    at: tuple[int, ...]
    got: Array
    expected: Array
    allowed: Array
    case: Case

    @property
    def ratios(self) -> Array:
        """Error over allowed error, infinite for what is no number and 0 where no bound holds."""
        with np.errstate(all="ignore"):
            error = np.abs(self.got - self.expected)
            found = np.where(np.isfinite(error), error, np.inf) / self.allowed
        return np.where(error == 0, 0.0, np.where(np.isnan(found), 0.0, found))


def evidence(spec: Program | Network, finding: Finding, contract: Accuracy) -> Evidence | None:
    """Return the output in which a finding shows, or None where no number is at fault or nobody has kept it.

    spec: what the target was held against; contract: how exact it had to be.
    """
    deviation = finding.deviation
    if deviation is None:
        return None
    name = deviation.output
    asked = next((q for q in reversed(finding.asked) if _key(q, name) in q.returned), None)
    allowed = None if asked is None else _allowed(spec, asked, finding.asked, contract).get(_key(asked, name))
    if asked is None or allowed is None:
        return None
    got = np.asarray(asked.returned[_key(asked, name)], np.float64)
    at = tuple(deviation.position.values())
    if got.shape != allowed.value.shape or len(at) != got.ndim:
        return None
    limit = np.where(np.isfinite(allowed.errors), allowed.errors, np.inf)
    if name == "y" and asked.case.lengths is not None and network_of(spec).free_padding:
        got = np.where(alive(asked.case.lengths, asked.case.T), got, allowed.value)
    return Evidence(name, tuple(deviation.position), at, got, allowed.value, limit, asked.case)


def in_sequence(subject: Subject, finding: Finding) -> Finding | None:
    """Return what a target that fails does with some steps of a few units, or None where it can have no such case.

    finding: what is known of it; of one about gradients it is asked for gradients.
    """
    target, spec, gradients = subject.target, subject.cell, bool(finding.case.cotangents)
    sizes = {s.name: _SIZES.get(s.name, 3) for s in spec.sizes}
    if target.weights is not None or target.sizes is not None or not target.possible(sizes):
        return None
    dtype = str(finding.case.dtype)
    case = seeded_case(spec, dtype, sizes=sizes, T=_STEPS, B=1, regime="weights x3", seed=0, gradients=gradients)
    check = next(c for c in CHECKS if c.id == ("gradient_sequence" if gradients else "sequence"))
    return examine(check, subject, case, subject.contracts[dtype]).finding


def _key(question: Question, output: str) -> str:
    """Return by what name a question keeps an output: gradients by that of what they belong to."""
    return output.removeprefix("d") if question.method == "backward" else output


def _allowed(
    spec: Program | Network, asked: Question, every: tuple[Question, ...], contract: Accuracy
) -> Mapping[str, Bounded]:
    case = asked.case
    if asked.method != "backward":
        return forced_bounds(spec, case.params, case.x, case.states, asked.returned["y"], contract, case.lengths)
    forward = (q for q in reversed(every) if q.method != "backward" and q.case is case and "y" in q.returned)
    y = next((q.returned["y"] for q in forward), None)
    dy, *dstates = case.cotangents
    given = (case.params, case.x, case.states, y, dy, tuple(dstates))
    return differentiated_bounds(spec, *given, contract, case.lengths)[1]
