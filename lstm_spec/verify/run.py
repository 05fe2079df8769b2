"""Running the checks against a target, from its name to a report."""

import time
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from lstm_spec.compute.contracts import Given, origin_of
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.targets.layout import Layout
from lstm_spec.verify.asking import PROFILES, Asking, Progress
from lstm_spec.verify.checks import CHECKS, Check
from lstm_spec.verify.detection import WEIGHTS, Detection, detection, weight_cases
from lstm_spec.verify.exercised import exercised
from lstm_spec.verify.explain import explain
from lstm_spec.verify.fit import UsageError, check_known, formats_of, limits_of, runs_apart, subject_of
from lstm_spec.verify.law_checks import law_checks
from lstm_spec.verify.robustness import ROBUSTNESS
from lstm_spec.verify.subject import Subject
from lstm_spec.verify.verdict import (
    DISCREPANCY,
    INCONCLUSIVE,
    NOT_CLAIMED,
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
    diagnose: bool = True,
    first_finding: bool = False,
    isolate: bool = False,
    timeout: float | None = None,
    memory: float | None = None,
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
    "gradients" or "lengths". diagnose: whether to look for what is wrong with a target that fails. first_finding:
    whether to end with the first case that fails, without looking for a simpler one. isolate: whether the target runs
    in a process of its own, as a command always does, so that a crash is a finding and no more; then timeout is how
    many seconds a call may take (60), and memory how many GB it may take (8), where the system knows limits. progress:
    called with (done, total, what) as it goes.

    Raises TargetError for a target that cannot be used, UsageError for an option that does not exist, LayoutError for a
    layout that cannot hold the cell, and AccuracyError for a cell without error rules, a contract that makes no sense,
    or a format that needs a package. A keyboard interrupt ends the run; the report holds what is known so far, and
    never says "verified".

    >>> def forgetful(params, x, h0, c0):
    ...     return x, h0, c0
    >>> verify(forgetful, profile="quick").verdict
    'discrepancy'
    """
    limits = limits_of(isolate or runs_apart(target), timeout, memory)
    subject = subject_of(target, spec, layout, like=like, accuracy=accuracy, limits=limits)
    named = None if checks is None else tuple(checks)
    wanted = _plan(subject, profile, named, skip)
    plan = tuple(check for check in wanted if _asks_what_is_claimed(subject, check))
    formats = formats_of(subject.target, dtypes)
    missing = [name for name in require if not _claims(subject, name)]
    asking = Asking(subject, PROFILES[profile], formats, seed, plan, progress, first_finding)
    begun = time.perf_counter()
    interrupted = False
    try:
        try:
            asking.everything()
        except KeyboardInterrupt:
            interrupted = True
        results = (*asking.results.values(), *_unclaimed(subject, missing, wanted if named else ()))
        finding = next((result.finding for result in results if result.finding and result.id in EXPLAINED), None)
        diagnosis = explain(subject, finding) if diagnose and finding and not interrupted else ()
    finally:
        subject.target.release()
    return Report(
        verdict=_verdict(results, interrupted),
        target=subject.target.name,
        spec=subject.cell.name,
        profile=profile,
        seed=seed,
        dtypes=formats,
        accuracy=Exactness(origin_of(accuracy), {name: subject.contracts[name] for name in formats}),
        checks=tuple(results),
        detection=_detection(asking),
        versions=versions_of(subject.target.versions),
        exercised=exercised(subject.cell, plan, asking.results),
        diagnosis=diagnosis,
        seconds=time.perf_counter() - begun,
        interrupted=interrupted,
    )


def _detection(asking: Asking) -> Mapping[str, Detection]:
    """Return how small an error would have been seen, by format, where that was asked and nothing was found."""
    asked = asking.results.get(WEIGHTS.id)
    if asked is None or asked.status not in (VERIFIED, INCONCLUSIVE):
        return {}
    subject = asking.subject
    cases = {dtype: weight_cases(subject.cell, subject.target, dtype) for dtype in asking.formats}
    return {dtype: detection(subject.cell, own, subject.contracts[dtype]) for dtype, own in cases.items()}


def assert_conforms(target: Any, **options: Any) -> None:
    """Raise AssertionError with the finding unless the target is verified; takes the options of ``verify``.

    >>> assert_conforms("numpy", profile="quick")
    """
    report = verify(target, **{"profile": "quick", **options})
    if report.verdict != VERIFIED:
        raise AssertionError(str(report))


def _plan(subject: Subject, profile: str, checks: Iterable[str] | None, skip: Iterable[str]) -> tuple[Check, ...]:
    every = (*CHECKS, WEIGHTS, *ROBUSTNESS, *law_checks(subject))
    known = [check.id for check in every]
    check_known("profile", profile, PROFILES)
    wanted, left_out = known if checks is None else list(checks), list(skip)
    for name in (*wanted, *left_out):
        check_known("check", name, known)
    plan = tuple(check for check in every if check.id in wanted and check.id not in left_out)
    if not plan:
        raise UsageError(f"no check is left to ask; the checks are {', '.join(known)}")
    return plan


_CAPABILITIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "gradients": ("the target offers no backward", "the gradients are those of the equations"),
        "lengths": ("the target takes no lengths", "rows end at lengths of their own"),
        "states": ("the target is given no initial states", "a sequence begins from states that are given"),
        "threads": ("the target does not say that it is reentrant", "it may be called from several threads at once"),
    }
)
"""What a target may claim or not: what is said where it does not, and the clause that is then not checked."""


def _claims(subject: Subject, capability: str) -> bool:
    check_known("capability", capability, _CAPABILITIES)
    claims = {
        "gradients": subject.target.backward is not None,
        "lengths": network_of(subject.cell).past_length is not None,
        "states": network_of(subject.cell).initial == "given",
        "threads": subject.target.reentrant,
    }
    return claims[capability]


def _asks_what_is_claimed(subject: Subject, check: Check) -> bool:
    if check.id == "views" and subject.target.arrays == "jax":
        # Its arrays have no memory that one could see.
        return False
    if check.listed is not None and not check.listed(subject, subject.target.dtypes[0]):
        return False
    asked = {"gradients": check.gradients, "lengths": check.lengths, "states": check.states, "threads": check.threads}
    return all(_claims(subject, name) for name, wanted in asked.items() if wanted)


def _unclaimed(subject: Subject, missing: list[str], named: Iterable[Check]) -> Iterator[CheckResult]:
    """Say what is not claimed; of lengths and threads only where a user asks for them."""
    named = tuple(named)
    wished = {"lengths": any(check.lengths for check in named), "threads": any(check.threads for check in named)}
    asked = {"gradients", "states", *missing, *(name for name, wanted in wished.items() if wanted)}
    for name, (message, clause) in _CAPABILITIES.items():
        if not _claims(subject, name) and name in asked:
            status = DISCREPANCY if name in missing else NOT_CLAIMED
            wanted = f", but {name} are required" if name in missing else ""
            yield CheckResult(name, status, clause, message=message + wanted)


def _verdict(results: Iterable[CheckResult], interrupted: bool) -> str:
    statuses = {result.id: result.status for result in results}
    if DISCREPANCY in statuses.values():
        return DISCREPANCY
    # A law repeats in other words what the equations say, in few cases: that none of them could tell leaves no gap.
    unsure = interrupted or any(s == INCONCLUSIVE for name, s in statuses.items() if not name.startswith("law_"))
    return VERIFIED if VERIFIED in statuses.values() and not unsure else INCONCLUSIVE
