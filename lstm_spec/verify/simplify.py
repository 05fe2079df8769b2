"""The simplest case in which a target fails, found from the first one.

Hypothesis could shrink a case too, but it knows no arrays: where a size changes, every number moves, and a number
becomes plainer only by itself. So a case is made smaller here, in terms of what a case is.
"""

import time
from collections.abc import Callable

from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import Case
from lstm_spec.verify.cut import cut
from lstm_spec.verify.plain import simplicity, with_fewer_numbers, with_larger_numbers, with_plainer_numbers
from lstm_spec.verify.search import Outcome, Tally

MOST_CALLS = 1000
"""After how many cases the search for a simpler one ends."""

MOST_SECONDS = 20.0
"""After how long it ends in any event; only slow targets get there, and theirs is less simple."""

Fails = Callable[[Case], bool]


class _EnoughError(Exception):
    """Ends a search for a simpler case."""


def simplify(tally: Tally, examine: Callable[[Case], Outcome], simplest: Callable[[Case, Fails], Case]) -> None:
    """Put the simplest case that fails as the first one does into a tally, or what is known of it when time is out.

    tally: of a search that found a failing case; examine: says what another one gave; simplest: looks for the simplest,
    from one and from what says whether another is simpler and fails still.
    """
    first = tally.simplest
    if first is None or first.fault == "hung":
        return
    left, end = iter(range(MOST_CALLS)), time.monotonic() + MOST_SECONDS

    def fails(case: Case) -> bool:
        if tally.simplest is None or simplicity(case) >= simplicity(tally.simplest.case):
            return False
        if next(left, None) is None or time.monotonic() > end:
            raise _EnoughError
        outcome = examine(case)
        if outcome.finding is None or not outcome.finding.is_like(first):
            return False
        tally.add(outcome)
        return True

    try:
        simplest(first.case, fails)
    except _EnoughError:
        return


def simplest(cell: Program | Network, case: Case, fails: Fails, *, fixed: bool = False) -> Case:
    """Return a case that fails and that nothing here makes simpler any more.

    case: one that fails. fails: whether a simpler one does; to end the search it may raise. fixed: whether the
    parameters have to stay as they are.
    """
    first, before = len(case.params) if fixed else 0, None
    while case is not before:
        before = case
        case = cut(cell, case, fails, fixed=fixed)
        case = with_plainer_numbers(case, fails, first=first)
        if case is before:
            case = with_fewer_numbers(case, fails, first=first)
            case = with_larger_numbers(case, fails, first=first)
    return case
