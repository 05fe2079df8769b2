"""Looking for a case that a target gets wrong, and for the simplest such case."""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest.mock import patch

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.errors import Flaky, HypothesisException
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from lstm_spec.verify.cases import Case
from lstm_spec.verify.compare import Comparison, Deviation
from lstm_spec.verify.subject import Question

SHRINKING_CALLS = 1000
"""After how many cases beyond the first failure the search for a simpler one ends, and then that for a smaller one."""

SHRINKING_SECONDS = 20.0
"""After how long each of the two ends in any event; only slow targets get there, and theirs is less simple."""


RATIOS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Between what errors over allowed errors cases are counted; up to 1 a target is right."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with a target on one case, in one sentence.

    deviation: the number at fault, None where none is. fault: "value" for a wrong number, "form" for what is no answer,
    "changed" for an argument that is not what it was, "overwritten" for a result that is not, "hung" for a call that
    did not return, which is too dear to be made again with a simpler case. asked: the calls that showed it, in order.
    """

    message: str
    case: Case
    deviation: Deviation | None = None
    fault: Literal["value", "form", "changed", "overwritten", "hung"] = "value"
    asked: tuple[Question, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What examining one case gave: how far off the target was, whether the case can tell, and what is wrong."""

    comparison: Comparison | None = None
    finding: Finding | None = None

    @property
    def conclusive(self) -> bool:
        """Whether the case says anything."""
        return self.comparison is None or self.comparison.conclusive


@dataclass
class Tally:
    """What a search has seen so far: the cases, the worst deviation of all, and the simplest failing case.

    spread: how many cases came how near to what is allowed, up to each of ``RATIOS`` and beyond the last. extreme: the
    failing case that went furthest beyond.
    """

    cases: int = 0
    inconclusive: int = 0
    worst: Deviation | None = None
    simplest: Finding | None = None
    extreme: Finding | None = None
    spread: list[int] = field(default_factory=lambda: [0] * (len(RATIOS) + 1))
    failures: int = 0
    first_failure: float = field(default=0.0, repr=False)

    def add(self, outcome: Outcome) -> None:
        """Take in one case; cases that only shrink a failure are not counted."""
        deviation = outcome.finding.deviation if outcome.finding else None
        deviation = deviation or (outcome.comparison.worst if outcome.comparison else None)
        if not self.failures:
            self.cases += 1
            self.inconclusive += not outcome.conclusive
            if deviation is not None:
                self.spread[bisect_left(RATIOS, deviation.ratio)] += 1
        if deviation and (self.worst is None or deviation.ratio > self.worst.ratio):
            self.worst = deviation
            self.extreme = outcome.finding or self.extreme
        if outcome.finding is not None:
            self.first_failure = self.first_failure or time.monotonic()
            self.failures += 1
            best = self.simplest
            if best is None or outcome.finding.case.simplicity < best.case.simplicity:
                self.simplest = outcome.finding


class _FalsifiedError(Exception):
    """Tells Hypothesis that a case failed."""


class _Enough(BaseException):
    """Ends a search from within; a BaseException, since Hypothesis takes every Exception for a failing case."""


def search(
    strategy: Any,
    examine: Callable[[Case], Outcome],
    tally: Tally,
    *,
    cases: int,
    seed: int,
    tick: Callable[[], None],
    smaller: Callable[[Case], Iterator[Case]],
    simplify: bool = True,
    aim: bool = False,
) -> None:
    """Examine drawn cases until one fails or ``cases`` are done, then, to ``simplify``, look for a simpler failing one.

    strategy: of cases; examine: says what one case gave; tally: filled as it goes, so that an interrupted search leaves
    what it knows; tick: called for every case before the first failure; smaller: yields a failing case with less in it;
    aim: whether cases that come nearer to what is allowed are followed. The same seed draws the same cases.
    """
    after = 0

    def test(case: Case) -> None:
        nonlocal after
        if tally.failures:
            after += 1
            if after > SHRINKING_CALLS or time.monotonic() - tally.first_failure > SHRINKING_SECONDS:
                raise _Enough
        else:
            tick()
        outcome = examine(case)
        tally.add(outcome)
        if aim and outcome.finding is None and outcome.comparison is not None:
            hypothesis.target(outcome.comparison.worst.ratio, label="error over allowed error")
        if outcome.finding is not None:
            raise _FalsifiedError if simplify and outcome.finding.fault != "hung" else _Enough

    run = settings(
        max_examples=cases,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, *[Phase.target] * aim, *[Phase.shrink] * simplify),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
    )(hypothesis.given(strategy)(test))
    try:
        with _alike_everywhere():
            hypothesis.seed(seed)(run)()
    except (_FalsifiedError, _Enough, Flaky):
        # A target that is not repeatable looks flaky to Hypothesis; what it did is in the tally all the same.
        pass
    except HypothesisException:
        if tally.simplest is None:
            raise
    if tally.simplest is not None and simplify and tally.simplest.fault != "hung":
        _cut(tally, examine, smaller)


@contextmanager
def _alike_everywhere() -> Iterator[None]:
    """Draw the same from a seed wherever that is.

    Hypothesis mixes in numbers that it reads in the files of whoever uses it, such as the target's own, and keeps them
    in a folder where the user stands.
    """
    changed: dict[str, Any] = {"_get_local_constants": Constants, "CONSTANTS_CACHE": LRUCache(1024)}
    # No name of the library's surface; a test tells where another version has no such names.
    known = {name: value for name, value in changed.items() if hasattr(providers, name)}
    with patch.multiple(providers, **known) if known else nullcontext():
        yield


def _cut(tally: Tally, examine: Callable[[Case], Outcome], smaller: Callable[[Case], Iterator[Case]]) -> None:
    """Leave out of the simplest failing case whatever can be, as long as the rest still fails."""
    # It has a time of its own: a slow target would leave none, and it is what takes most out of a case.
    left, begun = iter(range(SHRINKING_CALLS)), time.monotonic()
    case = None
    while tally.simplest is not None and tally.simplest.case is not case:
        case = tally.simplest.case
        for less in smaller(case):
            if next(left, None) is None or time.monotonic() - begun > SHRINKING_SECONDS:
                return
            outcome = examine(less)
            if outcome.finding is not None and less.simplicity < case.simplicity:
                tally.add(outcome)
                break
