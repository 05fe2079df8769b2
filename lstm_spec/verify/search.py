"""Looking for a case that a target gets wrong."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from unittest.mock import patch

import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from lstm_spec.verify.cases import Case
from lstm_spec.verify.compare import Comparison, Deviation
from lstm_spec.verify.plain import simplicity
from lstm_spec.verify.subject import Question

CLEAR = 2.0
"""By how much a simpler case has to go beyond what is allowed, where the first one did: not by a hair."""

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

    def is_like(self, other: "Finding") -> bool:
        """Tell whether this may be the same fault as another finding, as clear to see and not one of another kind."""
        if self.fault != other.fault or (self.deviation is None) != (other.deviation is None):
            return False
        if self.deviation is None or other.deviation is None:
            return True
        same = np.isfinite(self.deviation.got) == np.isfinite(other.deviation.got)
        return bool(same) and self.deviation.ratio >= min(CLEAR, other.deviation.ratio)


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
            self.failures += 1
            best = self.simplest
            if best is None or simplicity(outcome.finding.case) < simplicity(best.case):
                self.simplest = outcome.finding


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
    aim: bool = False,
) -> None:
    """Examine drawn cases until one fails or ``cases`` are done.

    strategy: of cases; examine: says what one case gave; tally: filled as it goes, so that an interrupted search leaves
    what it knows; tick: called for every case; aim: whether cases that come nearer to what is allowed are followed. The
    same seed draws the same cases.
    """

    def test(case: Case) -> None:
        tick()
        outcome = examine(case)
        tally.add(outcome)
        if outcome.finding is not None:
            raise _Enough
        if aim and outcome.comparison is not None:
            hypothesis.target(outcome.comparison.worst.ratio, label="error over allowed error")

    run = settings(
        max_examples=cases,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, *[Phase.target] * aim),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
    )(hypothesis.given(strategy)(test))
    with suppress(_Enough), _alike_everywhere():
        hypothesis.seed(seed)(run)()


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
