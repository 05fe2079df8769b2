"""Laws as checks: what has to hold between the answers of a target, whatever the right answers are.

No answer of the specification has a part in them, only the rounding errors that its equations allow: two answers that a
law makes equal may be apart by what a correct implementation may be off in both.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from lstm_spec.calculus.laws.every import LAWS
from lstm_spec.calculus.laws.law import Answers, Claim, Law
from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.answers import answers_of, case_of
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.program import Program
from lstm_spec.targets.contract import call_backward, call_forward
from lstm_spec.verify.cases import Case
from lstm_spec.verify.checks import Check
from lstm_spec.verify.compare import Comparison, compare
from lstm_spec.verify.search import Finding, Outcome
from lstm_spec.verify.subject import Subject

ASKED_OTHERWISE = frozenset(
    {"split", "row_order", "single_rows", "poison", "enclosure", "determinant", "output_gate_alone"}
)
"""Laws that make no check: the first are checks of their own, or about bounds; the closed forms of the Jacobian are
computed in float64 without a bound on their own rounding."""


def law_checks(subject: Subject) -> tuple[Check, ...]:
    """Return the laws of a target's cell as checks.

    There are none for a network, since laws are of one cell, and none for a target that does not take and return all
    of its states.
    """
    cell = subject.cell
    if not isinstance(cell, Program) or not subject.ends.whole or subject.ends.cotangents != subject.ends.every:
        return ()
    differentiable = subject.target.backward is not None
    return tuple(_check(law, cell, differentiable) for law in LAWS if _is_asked(law, cell))


def _is_asked(law: Law, cell: Program) -> bool:
    return law.alone and law.id not in ASKED_OTHERWISE and law.holds_for(cell)


def _check(law: Law, cell: Program, differentiable: bool) -> Check:
    return Check(
        id=f"law_gradient_{law.id}" if law.gradients else f"law_{law.id}",
        clause=law.statement,
        examine=partial(_examine, law, cell),
        asks="the target answers questions whose answers the law ties together, with no reference beside them",
        catches=f"whatever breaks it; {law.source}",
        passes=("forward", "backward") if law.gradients or differentiable else ("forward",),
        # A law of values is asked of gradients too where there are any.
        needs=("sequence", "gradient_sequence"),
        # Bounds of a free recurrence say nothing of long sequences, so the cases are small.
        most_steps=3,
        most_size=5,
        weight=0.05,
        chooses_parameters=True,
        # A law of values is one of gradients too, where there are any.
        gradients=law.gradients or differentiable,
    )


def _examine(law: Law, cell: Program, subject: Subject, case: Case, contract: Accuracy) -> Outcome:
    first = case.states[0]
    nothing = (np.zeros((case.T, *first.shape), first.dtype), *(np.zeros_like(s) for s in case.states))
    asked = case_of(cell, case.params, case.x, case.states, case.cotangents or nothing)
    answers = _answers(subject, cell, contract)
    with np.errstate(all="ignore"):
        claims = {claim.name: claim for claim in law.claims(cell, asked, lambda cell: answers)}
        return _outcome(law, case, claims.values(), contract)


def _answers(subject: Subject, cell: Program, contract: Accuracy) -> Answers:
    target, count = subject.target, len(cell.states)

    def forward(params: Any, x: Any, *states: Any) -> tuple[Any, ...]:
        subject.deadline.check()
        outputs, _ = call_forward(target, cell, params, x, states)
        return (outputs.y, *(outputs.states[name] for name in cell.states))

    def backward(params: Any, x: Any, *others: Any) -> tuple[Any, ...]:
        states, (dy, *dstates) = others[:count], others[count:]
        subject.deadline.check()
        found = call_backward(target, cell, params, x, states, dy, tuple(dstates))[0].values
        return ({name: found[name] for name in params}, found["x"], *(found[f"{s}0"] for s in cell.states))

    offered: Callable[..., Any] | None = backward if target.backward is not None else None
    return answers_of(cell, forward, offered, contract)


def _outcome(law: Law, case: Case, claims: Iterable[Claim], contract: Accuracy) -> Outcome:
    """Compare both sides of every claim; the right side stands where otherwise the specification does."""
    said = [claim for claim in claims if claim.left.value.size]
    if not said:
        return Outcome()
    comparisons = [compare({c.name: c.left.value}, {c.name: _allowed(c)}, contract) for c in said]
    worst = max((c.worst for c in comparisons), key=lambda deviation: deviation.ratio)
    # One claim that can tell is enough for a case to say something.
    comparison = Comparison(worst, any(c.conclusive for c in comparisons))
    if comparison.agrees:
        return Outcome(comparison)
    return Outcome(comparison, Finding(f"not so: {law.statement}; {comparison.worst}", case, comparison.worst))


def _allowed(claim: Claim) -> Bounded:
    left, right = np.broadcast_arrays(claim.left.value, claim.right.value)
    wanted = right if claim.relation == "=" else np.minimum(left, right)
    return Bounded(wanted, np.broadcast_to(claim.allowed, wanted.shape))
