"""Asking the checks of a plan, one by one: what each budget is, in which formats, and what came of it."""

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.spec.network import network_of
from lstm_spec.targets.calls import MisbehaviourError, exception_text, raised_at
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.service import MOST_HANGS
from lstm_spec.verify.again import differs
from lstm_spec.verify.blunt import blunter
from lstm_spec.verify.cases import Case, seeded_cases, sizes_of, small_cases
from lstm_spec.verify.checks import Check, examine
from lstm_spec.verify.deadline import OutOfTime
from lstm_spec.verify.deviations import KnownDeviation, Seen
from lstm_spec.verify.explain import explain
from lstm_spec.verify.kinds import ACCURACY, MISBEHAVIOUR, SEMANTIC, coarser
from lstm_spec.verify.merge import cut_short, merged
from lstm_spec.verify.search import Finding, Outcome, Tally, search
from lstm_spec.verify.simplify import simplest, simplify
from lstm_spec.verify.snippet import from_report, snippet
from lstm_spec.verify.subject import Subject
from lstm_spec.verify.verdict import (
    BLOCKED,
    DISCREPANCY,
    ERROR,
    MOST_INCONCLUSIVE,
    NOT_REACHED,
    CheckResult,
)


@dataclass(frozen=True)
class Profile:
    """How much is asked: cases of both kinds per check of full weight, and how large seeded cases get.

    steps: how many seeded cases may have; what is there twice is drawn as often as two. aimed: whether what comes near
    to the allowed error is followed.
    """

    name: str
    small: int
    seeded: int
    sizes: tuple[int, ...]
    steps: tuple[int, ...]
    aimed: bool = False


_ODD = (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 33)
PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "quick": Profile("quick", 40, 20, _ODD, (1, 2, 3, 5, 9, 20, 20)),
        "standard": Profile("standard", 120, 80, (*_ODD, 64, 70, 128), (1, 2, 3, 5, 8, 20, 50, 100)),
        "deep": Profile("deep", 800, 600, (*_ODD, 64, 70, 128, 256), (1, 2, 3, 5, 8, 20, 50, 100, 200), True),
    }
)

LONGEST = PROFILES["deep"].steps[-1]
FREE_STEPS = 8
"""The most steps of cases of a network whose inner layers nobody sees: their bounds grow from step to step."""

Progress = Callable[[int, int, str], None]


FAILED = frozenset({DISCREPANCY, BLOCKED, ERROR})
"""The statuses of a check that leave those that need it without a meaning."""


@dataclass
class Asking:
    """The checks of a plan, asked of one target.

    results: what came of every check asked so far, by its id, so that an interruption loses none. progress: called with
    (done, total, what) as it goes; first_finding: whether to end with the first case that fails. known: declared
    deviations of this target. seen: in which formats every check has failed and passed.
    """

    subject: Subject
    profile: Profile
    formats: tuple[str, ...]
    seed: int
    plan: tuple[Check, ...]
    progress: Progress | None = None
    first_finding: bool = False
    known: tuple[KnownDeviation, ...] = ()
    seen: dict[str, Seen] = field(default_factory=dict, init=False)
    results: dict[str, CheckResult] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.done = 0
        self.total = sum(sum(self._budget(check)) for check in self.plan) * len(self.formats)

    def everything(self) -> None:
        """Ask every check of the plan, or until the first finding."""
        for check in self.plan:
            if self.result_of(check).status == DISCREPANCY and self.first_finding:
                return

    def not_reached(self) -> tuple[CheckResult, ...]:
        """Return what is to be said of the checks that were not asked when time was out."""
        left = (check for check in self.plan if check.id not in self.results)
        return tuple(CheckResult(c.id, NOT_REACHED, c.clause, message="not asked, out of time") for c in left)

    def result_of(self, check: Check) -> CheckResult:
        """Return what came of a check; it is asked once, and after those of the plan that it needs."""
        if check.id not in self.results:
            needed = [other for other in self.plan if other.id in check.needs]
            blocker = next((other.id for other in needed if self.result_of(other).status in FAILED), None)
            if blocker is None and self._hangs < MOST_HANGS:
                begun = time.perf_counter()
                self._ask(check)
                self.results[check.id] = replace(self.results[check.id], seconds=time.perf_counter() - begun)
            else:
                reason = f"{blocker} failed" if blocker else f"the target hung in {MOST_HANGS} checks before"
                message = f"not asked, since {reason}"
                self.results[check.id] = CheckResult(check.id, BLOCKED, check.clause, message=message)
        return self.results[check.id]

    @property
    def _hangs(self) -> int:
        return sum(r.finding is not None and r.finding.fault == "hung" for r in self.results.values())

    def _ask(self, check: Check) -> None:
        tallies: dict[str, Tally] = {}
        declared: dict[str, KnownDeviation] = {}
        try:
            for dtype in self.formats:
                tally = tallies[dtype] = Tally()
                self._search(check, dtype, tally, self.subject.contracts[dtype])
                known = self._known(check, dtype, tally.simplest)
                if known is not None:
                    declared[dtype] = known
                elif tally.simplest:
                    break
        except KeyboardInterrupt:
            self.results[check.id] = cut_short(self._shown(check, merged(check, tallies, declared)), "interrupted")
            raise
        except OutOfTime:
            self.results[check.id] = cut_short(self._shown(check, merged(check, tallies, declared)), "out of time")
            raise
        except TargetError:
            # In its own process it turns out that it cannot be asked at all.
            raise
        except Exception as error:
            # A fault of ours, not of the target; what else there is to ask goes on.
            message = f"asking it failed with {exception_text(error)}{raised_at(error)}"
            self.results[check.id] = CheckResult(check.id, ERROR, check.clause, message=message)
            return
        self.seen[check.id] = Seen(
            frozenset(dtype for dtype, tally in tallies.items() if tally.simplest),
            frozenset(dtype for dtype, tally in tallies.items() if tally.cases > tally.inconclusive),
        )
        self.results[check.id] = result = self._shown(check, self._told(check, merged(check, tallies, declared)))
        if result.finding and not self.first_finding:
            kind, within = self._kind(check, result.finding)
            self.results[check.id] = replace(result, kind=kind, within=within)

    def _known(self, check: Check, dtype: str, finding: Finding | None) -> KnownDeviation | None:
        """Return the declaration that covers a finding, if any; one that names a diagnosis covers no other fault."""
        covering = [d for d in self.known if d.covers(check.id, dtype)] if finding else []
        for deviation in covering:
            if not deviation.diagnosis:
                return deviation
            assert finding is not None
            if any(fnmatchcase(d.id, deviation.diagnosis) for d in explain(self.subject, finding)):
                return deviation
        return None

    def _shown(self, check: Check, result: CheckResult) -> CheckResult:
        """Put in the Python that shows a finding; not for who only wants to know whether there is one."""
        if result.finding is None or self.first_finding:
            return result
        contract = self.subject.contracts[str(result.finding.case.dtype)]
        # Calls side by side are in no order that a script could make them in.
        text = from_report(self.subject) if check.threads else snippet(self.subject, result.finding, contract)
        return replace(result, snippet=text)

    def _told(self, check: Check, result: CheckResult) -> CheckResult:
        """Return a result whose finding has the calls twice, where the target keeps something from one to the next."""
        finding = result.finding
        if finding is None or finding.fault != "value" or self.first_finding or not self._is_fickle(finding.case):
            return result
        with suppress(OutOfTime):
            again = self._examine(check, finding.case, self.subject.contracts[str(finding.case.dtype)]).finding
            return replace(result, finding=replace(finding, asked=(*finding.asked, *(again.asked if again else ()))))
        return result

    def _is_fickle(self, case: Case) -> bool:
        with suppress(MisbehaviourError, OutOfTime):
            return differs(self.subject, case)
        return False

    def _kind(self, check: Check, finding: Finding) -> tuple[str, str]:
        """Return the kind of a discrepancy, and of one of accuracy what the target is right to.

        A coarser contract explains it if every case of the check agrees under it, not because none can tell: the
        simplest failing case has to, and as many as a check needs.
        """
        if finding.fault != "value":
            return MISBEHAVIOUR, ""
        dtype = str(finding.case.dtype)
        for name, contract in coarser(self.subject.contracts[dtype]) if finding.deviation else ():
            outcome = self._examine(check, finding.case, contract)
            if outcome.finding is None and outcome.conclusive:
                tally = Tally()
                self._search(check, dtype, tally, contract, again=True)
                if not tally.failures and tally.inconclusive <= MOST_INCONCLUSIVE * tally.cases:
                    return ACCURACY, name
        return SEMANTIC, ""

    def _budget(self, check: Check) -> tuple[int, int]:
        if check.listed is not None:
            return 0, len(check.listed(self.subject, self.formats[0]))
        small = max(1, round(self.profile.small * check.weight))
        return small, max(1, round(self.profile.seeded * check.weight)) if check.seeded else 0

    def _search(self, check: Check, dtype: str, tally: Tally, contract: Accuracy, *, again: bool = False) -> None:
        """Ask a check's cases; again: only whether there is one that fails."""
        small, seeded = self._budget(check)
        for kind, cases in (("small", small), ("seeded", seeded)):
            if cases and not tally.simplest:
                search(
                    self._strategy(check, kind, dtype),
                    lambda case: self._examine(check, case, contract, blunt=not again),
                    tally,
                    cases=cases,
                    seed=zlib.crc32(f"{self.seed} {check.id} {dtype} {kind}".encode()),
                    tick=lambda: None if again else self._tick(f"{check.id} {dtype}"),
                    aim=self.profile.aimed,
                )
                if not (self.first_finding or again):
                    examine = partial(self._examine, check, contract=contract)
                    simplify(tally, examine, partial(self._simplest, check))

    def _simplest(self, check: Check, case: Case, fails: Callable[[Case], bool]) -> Case:
        cell, target = self.subject.cell, self.subject.target
        # What is kept from other cases would make any one look wrong, also one that is right by itself.
        fickle = self._is_fickle(case)

        def still(less: Case) -> bool:
            enough = check.least_steps <= less.T and check.least_rows <= less.B
            possible = enough and target.possible(sizes_of(cell, less.params))
            return possible and (not fickle or self._is_fickle(less)) and fails(less)

        return simplest(cell, case, still, fixed=target.weights is not None)

    def _examine(self, check: Check, case: Case, contract: Accuracy, *, blunt: bool = False) -> Outcome:
        """Examine a case; one that cannot tell is asked in blunter forms until it can, with ``blunt``."""
        outcome = examine(check, self.subject, case, contract)
        others = self._blunter(check, case) if blunt else iter(())
        while not outcome.conclusive and outcome.finding is None:
            other = next(others, None)
            if other is None:
                break
            outcome = examine(check, self.subject, other, contract)
        return outcome

    def _blunter(self, check: Check, case: Case) -> Iterator[Case]:
        cell, target = self.subject.cell, self.subject.target
        least = {"least_steps": check.least_steps, "least_rows": check.least_rows}
        for blunt in blunter(cell, case, **least, fixed=target.weights is not None):
            if target.possible(sizes_of(cell, blunt.params)):
                yield blunt

    def _strategy(self, check: Check, kind: str, dtype: str) -> Any:
        if check.listed is not None:
            return st.sampled_from(check.listed(self.subject, dtype))
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
                among=self.subject.target.sizes,
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
            among=self.subject.target.sizes,
        )

    def _tick(self, what: str) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total, what)
