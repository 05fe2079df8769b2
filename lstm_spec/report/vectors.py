"""What came of results that were held against test vectors, as lines."""

from collections.abc import Iterator, Sequence

from lstm_spec.verify.vector_files import Checked


def check_lines(checked: Sequence[Checked]) -> Iterator[str]:
    """Yield the verdict with its scope, then every output that is off."""
    failed = [c for c in checked if c.status == "discrepancy"]
    compared = [c for c in checked if c.status == "verified"]
    unclaimed = sorted({c.output for c in checked if c.status == "not_claimed"})
    count = len({c.vector for c in checked})
    verdict = "DISCREPANCY" if failed else "VERIFIED"
    scope = f"{len(compared)} outputs of {count} vectors within their allowed errors"
    worst = max((c.ratio for c in compared), default=0.0)
    yield f"{verdict}  {scope}, the worst {worst:.2g} of what is allowed"
    for c in failed:
        yield f"{c.vector}: {c.output} {c.message}"
    if unclaimed:
        yield f"not among the results: {', '.join(unclaimed)}"
