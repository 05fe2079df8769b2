"""Running the checks against a target, from its name to a report."""

import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from lstm_spec.compute.accuracy import Accuracy, accuracy
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.targets.layout import Layout
from lstm_spec.verify.cases import Case, seeded_cases, sizes_of, small_cases
from lstm_spec.verify.checks import CHECKS, Check, Subject, examine
from lstm_spec.verify.cut import cuts
from lstm_spec.verify.explain import explain
from lstm_spec.verify.fit import UsageError, check_known, formats_of, subject_of
from lstm_spec.verify.law_checks import law_checks
from lstm_spec.verify.search import Outcome, Tally, search
from lstm_spec.verify.verdict import (
    BLOCKED,
    DISCREPANCY,
    INCONCLUSIVE,
    NOT_CLAIMED,
    VERIFIED,
    CheckResult,
    Report,
    versions_of,
)


@dataclass(frozen=True)
class Profile:
    """How much is asked: cases of both kinds per check of full weight, and how large seeded cases get."""

    name: str
    small: int
    seeded: int
    sizes: tuple[int, ...]
    steps: tuple[int, ...]


_ODD = (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 33)
PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "quick": Profile("quick", 40, 20, _ODD, (1, 2, 3, 5, 8, 20)),
        "standard": Profile("standard", 120, 80, (*_ODD, 64, 70, 128), (1, 2, 3, 5, 8, 20, 50, 100)),
        "deep": Profile("deep", 800, 600, (*_ODD, 64, 70, 128, 256), (1, 2, 3, 5, 8, 20, 50, 100, 200)),
    }
)

LONGEST = PROFILES["deep"].steps[-1]
FREE_STEPS = 8
"""The most steps of cases of a network whose inner layers nobody sees: their bounds grow from step to step."""

EXPLAINED = frozenset({"step", "sequence", "repeat", "gradient_step", "gradient_sequence", "gradient_repeat"})
"""The checks whose findings are about one call as it is; others change the case, or compare answers with each other."""

Progress = Callable[[int, int, str], None]


def verify(
    target: Any,
    *,
    spec: str | Program | Network | None = None,
    profile: str = "standard",
    seed: int = 0,
    dtypes: Iterable[str] | None = None,
    layout: str | Layout | None = None,
    checks: Iterable[str] | None = None,
    skip: Iterable[str] = (),
    require: Iterable[str] = (),
    diagnose: bool = True,
    first_finding: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Hold a target against its specification and return the report.

    target: a callable ``forward(params, x, *states) -> (y, *states)``, an object with such a method, or a name as the
    command line takes it. spec: the name of a cell as the command line takes it, a Program or a Network; by default
    what the target claims, else "lstm". profile: "quick", "standard" or "deep". seed: the same one draws the same
    cases. dtypes: the formats to check, by default those of the target. layout: how the target holds parameters, in
    place of what it says. checks, skip: ids of checks to run or to leave out. require: capabilities that must be
    claimed, such as "gradients" or "lengths". diagnose: whether to look for what is wrong with a target that fails.
    first_finding: whether to end with the first case that fails, without looking for a simpler one. progress: called
    with (done, total, what) as it goes.

    Raises TargetError for a target that cannot be used, UsageError for an option that does not exist, LayoutError for a
    layout that cannot hold the cell, and AccuracyError for a cell without error rules. A keyboard interrupt ends the
    run; the report holds what is known so far, and never says "verified".

    >>> def forgetful(params, x, h0, c0):
    ...     return x, h0, c0
    >>> verify(forgetful, profile="quick").verdict
    'discrepancy'
    """
    subject = subject_of(target, spec, layout)
    named = None if checks is None else tuple(checks)
    wanted = _plan(subject, profile, named, skip)
    plan = tuple(check for check in wanted if _asks_what_is_claimed(subject, check))
    formats = formats_of(subject.target, dtypes)
    missing = [name for name in require if not _claims(subject, name)]
    runner = _Runner(subject, PROFILES[profile], formats, seed, plan, progress, first_finding)
    begun = time.perf_counter()
    interrupted = False
    try:
        runner.run()
    except KeyboardInterrupt:
        interrupted = True
    results = (*runner.results, *_unclaimed(subject, missing, wanted if named else ()))
    finding = next((result.finding for result in results if result.finding and result.id in EXPLAINED), None)
    diagnosis = explain(subject, finding) if diagnose and finding and not interrupted else ()
    return Report(
        verdict=_verdict(results, interrupted),
        target=subject.target.name,
        spec=subject.cell.name,
        profile=profile,
        seed=seed,
        dtypes=formats,
        checks=tuple(results),
        versions=versions_of(subject.target.versions),
        diagnosis=diagnosis,
        seconds=time.perf_counter() - begun,
        interrupted=interrupted,
    )


def assert_conforms(target: Any, **options: Any) -> None:
    """Raise AssertionError with the finding unless the target is verified; takes the options of ``verify``.

    >>> assert_conforms("numpy", profile="quick")
    """
    report = verify(target, **{"profile": "quick", **options})
    if report.verdict != VERIFIED:
        raise AssertionError(str(report))


def _plan(subject: Subject, profile: str, checks: Iterable[str] | None, skip: Iterable[str]) -> tuple[Check, ...]:
    every = (*CHECKS, *law_checks(subject))
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
    }
)
"""What a target may claim or not: what is said where it does not, and the clause that is then not checked."""


def _claims(subject: Subject, capability: str) -> bool:
    check_known("capability", capability, _CAPABILITIES)
    if capability == "gradients":
        return subject.target.backward is not None
    if capability == "states":
        return network_of(subject.cell).initial == "given"
    return network_of(subject.cell).past_length is not None


def _asks_what_is_claimed(subject: Subject, check: Check) -> bool:
    asked = {"gradients": check.gradients, "lengths": check.lengths, "states": check.states}
    return all(_claims(subject, name) for name, wanted in asked.items() if wanted)


def _unclaimed(subject: Subject, missing: list[str], named: Iterable[Check]) -> Iterator[CheckResult]:
    """Say what is not claimed; of lengths only where a user asks for them."""
    asked = {"gradients", "states", *missing, *(("lengths",) if any(check.lengths for check in named) else ())}
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


@dataclass
class _Runner:
    """One run: goes through the checks and keeps the results, so that an interruption loses none."""

    subject: Subject
    profile: Profile
    formats: tuple[str, ...]
    seed: int
    plan: tuple[Check, ...]
    progress: Progress | None
    first_finding: bool = False

    def __post_init__(self) -> None:
        self.results: list[CheckResult] = []
        self.done = 0
        self.total = sum(sum(self._budget(check)) for check in self.plan) * len(self.formats)

    def _budget(self, check: Check) -> tuple[int, int]:
        small = max(1, round(self.profile.small * check.weight))
        return small, max(1, round(self.profile.seeded * check.weight)) if check.seeded else 0

    def run(self) -> None:
        failed: set[str] = set()
        for check in self.plan:
            blockers = [name for name in check.needs if name in failed]
            if blockers:
                failed.add(check.id)
                message = f"not asked, since {blockers[0]} failed"
                self.results.append(CheckResult(check.id, BLOCKED, check.clause, message=message))
                continue
            tallies: dict[str, Tally] = {}
            try:
                for dtype in self.formats:
                    tally = tallies[dtype] = Tally()
                    self._search(check, dtype, tally)
                    if tally.simplest:
                        break
            except KeyboardInterrupt:
                self.results.append(_interrupted(_result(check, tallies)))
                raise
            self.results.append(_result(check, tallies))
            if self.results[-1].status == DISCREPANCY:
                failed.add(check.id)
                if self.first_finding:
                    return

    def _search(self, check: Check, dtype: str, tally: Tally) -> None:
        contract = accuracy(dtype)
        small, seeded = self._budget(check)
        for kind, cases in (("small", small), ("seeded", seeded)):
            if cases and not tally.simplest:
                search(
                    self._strategy(check, kind, dtype),
                    lambda case: self._examine(check, case, contract),
                    tally,
                    cases=cases,
                    seed=zlib.crc32(f"{self.seed} {check.id} {dtype} {kind}".encode()),
                    tick=lambda: self._tick(f"{check.id} {dtype}"),
                    smaller=lambda case: self._smaller(check, case),
                    simplify=not self.first_finding,
                )

    def _smaller(self, check: Check, case: Case) -> Iterator[Case]:
        for less in cuts(self.subject.cell, case, fixed=self.subject.target.weights is not None):
            possible = self.subject.target.possible(sizes_of(self.subject.cell, less.params))
            if check.least_steps <= less.T and check.least_rows <= less.B and possible:
                yield less

    def _examine(self, check: Check, case: Case, contract: Accuracy) -> Outcome:
        return examine(check, self.subject, case, contract)

    def _strategy(self, check: Check, kind: str, dtype: str) -> Any:
        if kind == "small":
            return small_cases(
                self.subject.cell,
                dtype,
                steps=check.most_steps or 4,
                rows=check.most_rows or 3,
                least_steps=check.least_steps,
                least_rows=check.least_rows,
                gradients=check.gradients,
                lengths=check.lengths,
                weights=self.subject.target.weights,
                possible=self.subject.target.possible,
            )
        most = min(check.most_steps or LONGEST, LONGEST if network_of(self.subject.cell).exposed else FREE_STEPS)
        steps = tuple(t for t in self.profile.steps if check.least_steps <= t <= most)
        return seeded_cases(
            self.subject.cell,
            dtype,
            sizes=tuple(s for s in self.profile.sizes if check.most_size is None or s <= check.most_size),
            steps=steps,
            least_rows=check.least_rows,
            gradients=check.gradients,
            lengths=check.lengths,
            weights=self.subject.target.weights,
            possible=self.subject.target.possible,
        )

    def _tick(self, what: str) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total, what)


def _result(check: Check, tallies: Mapping[str, Tally]) -> CheckResult:
    """Merge what was seen in every format into one result."""
    cases = sum(t.cases for t in tallies.values())
    inconclusive = sum(t.inconclusive for t in tallies.values())
    found = next(((dtype, t.simplest) for dtype, t in tallies.items() if t.simplest), None)
    seen = [(t.worst.ratio, dtype, t.worst) for dtype, t in tallies.items() if t.worst]
    _, worst_dtype, worst = max(seen, key=lambda entry: entry[0]) if seen else (0.0, "", None)
    result = CheckResult(
        check.id, VERIFIED, check.clause, cases, inconclusive, worst, worst_dtype if worst is not None else ""
    )
    if found is not None:
        dtype, finding = found
        return replace(result, status=DISCREPANCY, message=f"{finding.message} ({dtype})", finding=finding)
    if inconclusive == cases:
        return replace(result, status=INCONCLUSIVE, message="every case was too ill-conditioned to tell")
    return result


def _interrupted(result: CheckResult) -> CheckResult:
    """A check that was cut short has found a fault, or does not know."""
    return result if result.finding else replace(result, status=INCONCLUSIVE, message="interrupted")
