"""Running the checks against a target, from its name to a report."""

import datetime
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lstm_spec.compute.contracts import Given, origin_of
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.calls import exception_text, raised_at
from lstm_spec.targets.layout import Layout
from lstm_spec.verify.asking import Asking, Progress
from lstm_spec.verify.deadline import OutOfTime
from lstm_spec.verify.detection import WEIGHTS, Detection, detection, weight_cases
from lstm_spec.verify.deviations import Declared, warnings_of
from lstm_spec.verify.diagnose import Diagnosis
from lstm_spec.verify.evidence import in_sequence
from lstm_spec.verify.exercised import exercised
from lstm_spec.verify.explain import explain
from lstm_spec.verify.options import Options, options_of
from lstm_spec.verify.prepare import prepare
from lstm_spec.verify.search import Finding
from lstm_spec.verify.subject import Subject
from lstm_spec.verify.verdict import (
    DISCREPANCY,
    ERROR,
    INCONCLUSIVE,
    VERIFIED,
    CheckResult,
    Exactness,
    Report,
    versions_of,
)

EXPLAINED = frozenset(
    {"step", "sequence", "lengths", "repeat", "gradient_step", "gradient_sequence", "gradient_repeat"}
)
"""The checks whose findings are about one call as it is; others change the case, or compare answers with each other."""

TELLING_SECONDS = 10.0
"""For how long a target that fails may be called to say what is wrong with it, though time is out."""


def verify(
    target: Any,
    *,
    spec: str | Program | Network | None = None,
    profile: str = "standard",
    seed: int = 0,
    dtypes: Iterable[str] | None = None,
    layout: str | Layout | None = None,
    like: str | None = None,
    accuracy: Given = None,
    checks: Iterable[str] | None = None,
    skip: Iterable[str] = (),
    require: Iterable[str] = (),
    known_deviations: Declared = None,
    strict: bool = False,
    diagnose: bool = True,
    first_finding: bool = False,
    isolate: bool = False,
    timeout: float | None = None,
    memory: float | None = None,
    max_seconds: float | None = None,
    progress: Progress | None = None,
) -> Report:
    """Hold a target against its specification and return the report.

    target: a callable ``forward(params, x, *states) -> (y, *states)``, an object with such a method, a name as the
    command line takes it, or a ``Command``. spec: the name of a cell as the command line takes it, a Program or a
    Network; by default what the target claims, else "lstm". profile: "quick", "standard" or "deep". seed: the same one
    draws the same cases. dtypes: the formats to check, by default those of the target. layout: how the target holds
    parameters, in place of what it says. like: the original whose interface it has, such as "torch.nn.LSTM", in place
    of ``forward``; then it is a class, a function that makes one, or an instance. accuracy: how exact it has to be, in
    place of the default contract of each format: a TOML file, or a mapping with its keys, as ``compute.contracts`` has
    them. checks, skip: ids of checks to run or to leave out. require: capabilities that must be claimed, such as
    "gradients" or "lengths". known_deviations: checks that it is known to fail, a TOML file or one ``KnownDeviation``
    each; strict: whether one that is stale or has expired fails the run. diagnose: whether to look for what is wrong
    with a target that fails. first_finding: whether to end with the first case that fails, without looking for a
    simpler one. isolate: whether the target runs in a process of its own, as a command always does, so that a crash is
    a finding and no more; then timeout is how many seconds a call may take (60), and memory how many GB it may take
    (8), where the system knows limits. max_seconds: after which it is called no more, and the report holds what is
    known by then, which is never "verified". progress: called with (done, total, what) as it goes.

    Raises TargetError for a target that cannot be used, UsageError for an option that does not exist, LayoutError for a
    layout that cannot hold the cell, and AccuracyError for a cell without error rules, a contract that makes no sense,
    or a format that needs a package. A keyboard interrupt ends the run; the report holds what is known so far, and
    never says "verified".

    >>> def forgetful(params, x, h0, c0):
    ...     return x, h0, c0
    >>> verify(forgetful, profile="quick").verdict
    'discrepancy'
    """
    given = dict(locals())
    return verified(given.pop("target"), Options(**given))


def verified(target: Any, options: Options) -> Report:
    """Hold a target against its specification as options say; ``verify`` says the rest."""
    prepared = prepare(target, options)
    asking, subject = prepared.asking, prepared.asking.subject
    begun = time.perf_counter()
    interrupted = out_of_time = False
    try:
        try:
            asking.everything()
        except KeyboardInterrupt:
            interrupted = True
        except OutOfTime:
            out_of_time = True
        warnings = warnings_of(asking.known, asking.seen, datetime.date.today())
        stale = [_stale(warnings)] if warnings and options.strict else []
        left = asking.not_reached() if out_of_time else ()
        results = (*asking.results.values(), *left, *prepared.unasked, *stale)
        failing = (r for r in results if r.status == DISCREPANCY and r.id in EXPLAINED)
        finding = next((result.finding for result in failing if result.finding), None)
        told = finding if options.diagnose and not interrupted else None
        diagnosis, sequence, trouble = _told(subject, told) if told else ((), None, ())
    finally:
        subject.target.release()
    cut_short = interrupted or out_of_time
    return Report(
        verdict=_verdict(results, cut_short),
        target=subject.target.name,
        spec=subject.cell.name,
        cell=subject.cell,
        profile=options.profile,
        seed=options.seed,
        dtypes=asking.formats,
        accuracy=Exactness(origin_of(options.accuracy), {name: subject.contracts[name] for name in asking.formats}),
        checks=tuple(results),
        detection={} if cut_short else _detection(asking),
        versions=versions_of(subject.target.versions),
        exercised=exercised(subject.cell, asking.plan, asking.results),
        given=prepared.given,
        warnings=(*warnings, *trouble),
        diagnosis=diagnosis,
        sequence=sequence,
        seconds=time.perf_counter() - begun,
        interrupted=interrupted,
        out_of_time=out_of_time,
    )


def _told(subject: Subject, finding: Finding) -> tuple[tuple[Diagnosis, ...], Finding | None, tuple[str, ...]]:
    """Return the diagnosis of a finding and a sequence that shows it, as far as the time for them goes.

    The last is what is to be said where either failed, which must not take the verdict along.
    """
    subject = replace(subject, deadline=subject.deadline.at_least(TELLING_SECONDS))
    diagnosis: tuple[Diagnosis, ...] = ()
    try:
        diagnosis = explain(subject, finding)
        return diagnosis, in_sequence(subject, finding), ()
    except OutOfTime:
        return diagnosis, None, ()
    except Exception as error:
        what = f"{exception_text(error)}{raised_at(error)}"
        return diagnosis, None, (f"the diagnosis failed with {what}, a fault of lstm-spec; the verdict stands",)


def _detection(asking: Asking) -> Mapping[str, Detection]:
    """Return how small an error would have been seen, by format, where that was asked and nothing was found."""
    asked = asking.results.get(WEIGHTS.id)
    if asked is None or asked.status not in (VERIFIED, INCONCLUSIVE):
        return {}
    subject = asking.subject
    cases = {dtype: weight_cases(subject.cell, subject.target, dtype) for dtype in asking.formats}
    seen = subject.returned
    return {d: detection(subject.cell, own, subject.contracts[d], returned=seen) for d, own in cases.items()}


def assert_conforms(target: Any, **options: Any) -> None:
    """Raise AssertionError with the finding unless the target is verified; takes the options of ``verify``.

    >>> assert_conforms("numpy", profile="quick")
    """
    report = verified(target, options_of("assert_conforms", {"profile": "quick", **options}))
    if report.verdict != VERIFIED:
        raise AssertionError(str(report))


def _stale(warnings: Iterable[str]) -> CheckResult:
    clause = "what is declared as a known deviation is one, and not for longer than was said"
    return CheckResult("known_deviations", DISCREPANCY, clause, message="; ".join(warnings))


def _verdict(results: Iterable[CheckResult], cut_short: bool) -> str:
    statuses = {result.id: result.status for result in results}
    for status in (DISCREPANCY, ERROR):
        if status in statuses.values():
            return status
    # A law repeats in other words what the equations say, in few cases: that none of them could tell leaves no gap.
    unsure = cut_short or any(s == INCONCLUSIVE for name, s in statuses.items() if not name.startswith("law_"))
    return VERIFIED if VERIFIED in statuses.values() and not unsure else INCONCLUSIVE
