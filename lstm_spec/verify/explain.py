"""From a failed verification to a diagnosis: ask the target the telling questions, and match its answers."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np

from lstm_spec.compute.accuracy import FORMATS, Accuracy, accuracy
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.targets.calls import MisbehaviourError
from lstm_spec.verify.activation_curves import curves
from lstm_spec.verify.activation_faults import activation_hypothesis, roughly, wrong_curves
from lstm_spec.verify.again import differs, returned
from lstm_spec.verify.cases import Case, seeded_case, with_lengths
from lstm_spec.verify.diagnose import (
    SECONDS,
    Diagnosis,
    Matcher,
    Observation,
    hypotheses,
    isolating_cases,
    probe_cases,
    run_hypothesis,
)
from lstm_spec.verify.fixed_point import bits_after_point
from lstm_spec.verify.measured import measured_gradients
from lstm_spec.verify.mispackings import gates_of
from lstm_spec.verify.network_hypotheses import right_of
from lstm_spec.verify.packed import in_layout
from lstm_spec.verify.search import Finding
from lstm_spec.verify.subject import Subject
from lstm_spec.verify.where import place

LARGE = 8.0
"""A number above which an exponential of a few of them added up may overflow."""


def explain(subject: Subject, finding: Finding) -> tuple[Diagnosis, ...]:
    """Return what is probably wrong with a target, the most likely first; nothing where nothing fits.

    subject: the target and its specification; finding: what a check found, on the case that shows it.
    """
    deviation = finding.deviation
    if deviation is None:
        return ()
    if _is_fickle(subject, finding.case):
        return (FICKLE,)
    if not np.isfinite(deviation.got):
        return (_overflow(finding),)
    cell, contract = subject.cell, subject.contracts[str(finding.case.dtype)]
    observations = list(_observations(subject, cell, finding.case))
    if not observations:
        return ()
    candidates = hypotheses(cell, gradients=bool(finding.case.cotangents))
    matcher = Matcher(observations, contract)
    found = matcher.singles(candidates) or _fixed_point(observations)
    found = found or _measured(cell, matcher) or _activations(subject, matcher)
    found = found or _lower_precision(subject, observations, contract)
    found = found or matcher.pairs(candidates, seconds=SECONDS, isolating=_isolating(subject, finding.case))
    found = found or _place(subject, finding.case)
    gates = gates_of(network_of(cell).every_pass[0].cell)
    return tuple(in_layout(d, subject.target.layout, gates) for d in found)


def _measured(cell: Program | Network, matcher: Matcher) -> tuple[Diagnosis, ...]:
    """Return what a number that is read off one observation explains of all of them."""
    for observation in matcher.observations:
        case = observation.case
        if case.cotangents:
            right = run_hypothesis(right_of(cell), case)
            params = {name: p.astype(np.float64) for name, p in case.params.items()}
            if found := matcher.singles(measured_gradients(cell, right, observation.returned, params)):
                return found
    return ()


def _activations(subject: Subject, matcher: Matcher) -> tuple[Diagnosis, ...]:
    """Return what the curves of the activations explain, where a cell can be asked for them."""
    cell, target, contract = subject.cell, subject.target, matcher.contract
    case = matcher.observations[0].case
    free = target.weights is None and target.sizes is None and target.possible({s.name: 1 for s in cell.sizes})
    # What is asked begins from states, and is read off those that come.
    if not isinstance(cell, Program) or case.cotangents or not (free and subject.ends.whole):
        return ()
    try:
        wrong = wrong_curves(curves(cell, lambda asked: returned(subject, asked), dtype=case.dtype), contract.unit)
    except MisbehaviourError:
        return ()
    hypothesis = activation_hypothesis(cell, wrong)
    if hypothesis is not None and (found := matcher.singles([hypothesis])):
        return found
    sentence = roughly(wrong)
    if sentence is None:
        return ()
    off = {name: max(c.off.max() for c in wrong if c.activation == name) for name in {c.activation for c in wrong}}
    functions = {
        name: (k, max(a, 1.1 * off.get(name, 0.0) / contract.unit)) for name, (k, a) in contract.functions.items()
    }
    loose = replace(contract, functions=MappingProxyType(functions))
    answers = [subject.compare(o.case, subject.call(o.case)[0], loose) for o in matcher.observations]
    if all(a.agrees for a in answers) and any(a.conclusive for a in answers):
        return (Diagnosis("rough-activation", f"{sentence}; all else agrees", 0.9),)
    return ()


def _place(subject: Subject, case: Case) -> tuple[Diagnosis, ...]:
    """Say where a cell is wrong, if it is right elsewhere and may be asked for any sizes."""
    cell, target = subject.cell, subject.target
    if not isinstance(cell, Program) or case.cotangents or target.weights is not None or target.sizes is not None:
        return ()
    contract = subject.contracts[str(case.dtype)]
    with suppress(MisbehaviourError):
        found = place(cell, lambda asked: returned(subject, asked)["y"], str(case.dtype), contract)
        return () if found is None else (Diagnosis("place", found.sentence, 0.5),)
    return ()


def _fixed_point(observations: Sequence[Observation]) -> tuple[Diagnosis, ...]:
    bits = bits_after_point(a for observation in observations[:4] for a in observation.returned.values())
    if bits is None:
        return ()
    sentence = f"every number that comes is a multiple of 2^−{bits}: numbers are kept in fixed point"
    return (Diagnosis("fixed-point", f"{sentence}, with {bits} bits after the point", 0.9),)


FICKLE = Diagnosis(
    "depends-on-calls",
    "the same call gives other numbers when it is made again: something is kept between calls, or left to chance",
    1.0,
)


def _is_fickle(subject: Subject, case: Case) -> bool:
    """Tell whether a target that failed on a case answers otherwise now, or otherwise every time."""
    try:
        # Of few numbers chance may leave all as they are, which it does not of many.
        if any(differs(subject, asked) for asked in (case, *_probes(subject, case)[-1:])):
            return True
    except MisbehaviourError:
        return False
    return _agrees(subject, case, subject.contracts[str(case.dtype)])


def _overflow(finding: Finding) -> Diagnosis:
    assert finding.deviation is not None
    what = f"{finding.deviation.output} is {finding.deviation.got} where the spec is finite"
    largest = max((float(np.abs(a).max(initial=0.0)) for a in finding.case.arrays), default=0.0)
    reason = ": something overflows, an exponential of a large number perhaps" if largest > LARGE else ""
    return Diagnosis("overflow" if reason else "not-finite", f"{what}{reason}", 0.5)


def _observations(subject: Subject, cell: Program | Network, counterexample: Case) -> Iterator[Observation]:
    for case in (*_probes(subject, counterexample), counterexample):
        try:
            yield Observation(case, _known(cell, case, returned(subject, case)))
        except MisbehaviourError:
            continue


def _probes(subject: Subject, counterexample: Case) -> tuple[Case, ...]:
    """Return the cases whose answers tell most; none where the weights are fixed."""
    cell = subject.cell
    make = partial(seeded_case, cell, str(counterexample.dtype), gradients=bool(counterexample.cotangents))
    probes = () if subject.target.weights is not None else tuple(map(subject.taken, probe_cases(make, cell)))
    if counterexample.lengths is None:
        return probes
    return tuple(with_lengths(case, cell, _shortened(case)) for case in probes)


def _isolating(subject: Subject, counterexample: Case) -> list[Observation]:
    """Ask a cell what tells two faults at once apart; nothing where its weights are fixed."""
    if not isinstance(subject.cell, Program) or subject.target.weights is not None:
        return []
    gradients = bool(counterexample.cotangents)
    make = partial(seeded_case, subject.cell, str(counterexample.dtype), gradients=gradients)
    found = []
    for case in map(subject.taken, isolating_cases(make, subject.cell)):
        with suppress(MisbehaviourError):
            found.append(Observation(case, returned(subject, case)))
    return found


def _shortened(case: Case) -> np.ndarray:
    """Return lengths of which the first is that of the sequence, and the others are shorter where they can be."""
    return np.array([max(1, case.T - row * max(1, case.T // 3)) for row in range(case.B)])


def _known(cell: Program | Network, case: Case, returned: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Leave out y where it may hold anything past a row's length."""
    if case.lengths is None or not network_of(cell).free_padding:
        return returned
    return {name: a for name, a in returned.items() if name != "y"}


def _lower_precision(
    subject: Subject, observations: Sequence[Observation], contract: Accuracy
) -> tuple[Diagnosis, ...]:
    """Say so where a target is right, but only to the accuracy of a coarser format."""
    for name in FORMATS[FORMATS.index(contract.format) + 1 :]:
        coarse = accuracy(name)
        if all(_agrees(subject, observation.case, coarse) for observation in observations):
            sentence = f"it is right to the accuracy of {name}, not of {contract.format}"
            reason = "something is computed in a lower precision, or a number is slightly off"
            return (Diagnosis(f"accuracy-of-{name}", f"{sentence}: {reason}", 0.9),)
    return ()


def _agrees(subject: Subject, case: Case, contract: Accuracy) -> bool:
    if case.cotangents:
        outputs = subject.call_differentiated(case)
        found = subject.compare_gradients(case, outputs, subject.call_backward(case)[0], contract)
        return found.agrees and found.conclusive
    outputs, _ = subject.call(case)
    comparison = subject.compare(case, outputs, contract)
    return comparison.agrees and comparison.conclusive
