"""The score of a self-test for a terminal."""

from collections import Counter
from collections.abc import Iterator

from lstm_spec.verify.selftest import Score


def score_lines(score: Score) -> Iterator[str]:
    """Yield how many faults of each kind were found, how soon, and which ones were not."""
    kinds = Counter(kill.fault.kind for kill in score.kills)
    found = Counter(kill.fault.kind for kill in score.kills if kill.check is not None)
    width = max(map(len, kinds), default=0)
    for kind, count in kinds.items():
        yield f"  {kind:{width}}  {found[kind]} of {count}"
    for kill in score.alive:
        yield f"  alive: {kill.fault.id}: {kill.fault.sentence}"
    needed = sorted(kill.cases for kill in score.kills if kill.check is not None)
    soon = f"; half of them within {needed[len(needed) // 2]:,} cases, the last after {needed[-1]:,}" if needed else ""
    yield (
        f"{score.killed} of {len(score.kills)} planted faults found ({score.share:.1%}) in {score.spec}, {score.dtype},"
        f" profile {score.profile}{soon}"
    )
