"""What was seen of a check in every format, as one result."""

from collections.abc import Mapping
from dataclasses import replace

from lstm_spec.verify.checks import Check
from lstm_spec.verify.deviations import KnownDeviation
from lstm_spec.verify.search import Tally
from lstm_spec.verify.verdict import (
    DISCREPANCY,
    INCONCLUSIVE,
    KNOWN_DEVIATION,
    MOST_INCONCLUSIVE,
    VERIFIED,
    CheckResult,
)


def merged(check: Check, tallies: Mapping[str, Tally], declared: Mapping[str, KnownDeviation]) -> CheckResult:
    """Return one result of what was seen in every format; what nobody has declared comes first.

    tallies: by format; declared: why the target is known to fail, in the formats in which it is.
    """
    cases = sum(t.cases for t in tallies.values())
    inconclusive = sum(t.inconclusive for t in tallies.values())
    found = sorted(
        ((dtype, t.simplest) for dtype, t in tallies.items() if t.simplest), key=lambda entry: entry[0] in declared
    )
    seen = [(t.worst.ratio, dtype, t.worst) for dtype, t in tallies.items() if t.worst]
    _, worst_dtype, worst = max(seen, key=lambda entry: entry[0]) if seen else (0.0, "", None)
    result = CheckResult(
        check.id, VERIFIED, check.clause, cases, inconclusive, worst, worst_dtype if worst is not None else ""
    )
    result = replace(result, spread=tuple(map(sum, zip(*(t.spread for t in tallies.values()), strict=True))))
    if found:
        dtype, finding = found[0]
        known = declared.get(dtype)
        status, because = (DISCREPANCY, "") if known is None else (KNOWN_DEVIATION, f"; known: {known.because}")
        message = f"{finding.message} ({dtype}){because}"
        extreme = tallies[dtype].extreme
        return replace(result, status=status, message=message, finding=finding, extreme=extreme, known=known)
    if inconclusive > MOST_INCONCLUSIVE * cases:
        which = "every case was" if inconclusive == cases else f"{inconclusive:,} of {cases:,} cases were"
        return replace(result, status=INCONCLUSIVE, message=f"{which} too ill-conditioned to tell")
    return result


def cut_short(result: CheckResult, why: str) -> CheckResult:
    """Return what a check that did not come to its end has found: a fault, or that it does not know."""
    return result if result.finding else replace(result, status=INCONCLUSIVE, message=why)
