"""What a campaign found, as lines, as a table, and as rows of numbers."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from lstm_spec.verify.findings import Change, Findings, Row


def status_dict(findings: Findings) -> dict[str, Any]:
    """Return how far a campaign has come as JSON takes it."""
    verdicts = Counter({row.job: row.verdict for row in findings.rows()}.values())
    return {"done": sum(verdicts.values()), "left": findings.left(), "verdicts": dict(sorted(verdicts.items()))}


def jobs_done(count: int) -> str:
    """Say how many jobs are done."""
    return f"{count:,} job{'' if count == 1 else 's'} done"


def status_lines(findings: Findings) -> Iterator[str]:
    """Yield how far a campaign has come, then a line for each job that is not verified."""
    status = status_dict(findings)
    verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in status["verdicts"].items())
    left = f"; {status['left']:,} left" if status["left"] else ""
    yield f"{jobs_done(status['done'])}{left}" + (f": {verdicts}" if verdicts else "")
    for job, rows in by_job(findings.rows()).items():
        if rows[0].verdict != "verified":
            failing = [r for r in rows if r.status in ("discrepancy", "error", "inconclusive")]
            yield f"{rows[0].verdict.upper()}  {job}" + (f": {_said(failing[0])}" if failing else "")


def finding_lines(findings: Findings, target: str | None) -> Iterator[str]:
    """Yield a line for every check that is neither verified nor unclaimed; of one target, for every check."""
    rows = findings.rows(target)
    if not rows:
        yield "nothing is found yet" if target is None else f"nothing is found yet about {target}"
    for job, own in by_job(rows).items():
        lines = [r for r in own if target is not None or r.status not in ("verified", "not_claimed")]
        yield f"{own[0].verdict.upper()}  {job}"
        for row in lines:
            yield f"  {row.status.upper().replace('_', ' ')}  {_said(row)}"


def change_dict(change: Change) -> dict[str, Any]:
    """Return a change as JSON takes it."""
    return {**asdict(change), "direction": change.direction}


def change_lines(changes: Sequence[Change]) -> Iterator[str]:
    """Yield what changed: first what got worse, then what got better, then the rest."""
    if not changes:
        yield "nothing changed"
    for direction in ("worse", "better", "other"):
        for c in changes:
            if c.direction == direction:
                what = f"{c.job}{f': {c.check}' if c.check else ''}"
                yield f"{direction}  {what}: {c.before or 'not asked'} → {c.after or 'not asked'}"


def csv_text(findings: Findings) -> str:
    """Return a row for every check, with a heading."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, ["job", "target", "verdict", "check", "status", "cases", "message"], lineterminator="\n"
    )
    writer.writeheader()
    for row in findings.rows():
        writer.writerow({key: getattr(row, key) for key in writer.fieldnames})
    return text.getvalue()


def markdown_text(findings: Findings) -> str:
    """Return a table of jobs and what their checks said, the laws of a cell in one column."""
    jobs = by_job(findings.rows())
    columns = list(dict.fromkeys(column_of(r) for rows in jobs.values() for r in rows if r.check))
    lines = [f"| job | verdict | {' | '.join(columns)} |", f"|---|---|{'---|' * len(columns)}"]
    for job, rows in jobs.items():
        cells = [_spaced(worst_of([r.status for r in rows if r.check and column_of(r) == c])) for c in columns]
        lines.append(f"| {job.replace('|', chr(92) + '|')} | {rows[0].verdict} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def by_job(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return rows by their jobs, in their order."""
    jobs: dict[str, list[Row]] = {}
    for row in rows:
        jobs.setdefault(row.job, []).append(row)
    return jobs


def _spaced(status: str) -> str:
    return status.replace("_", " ")


def _said(row: Row) -> str:
    return ": ".join(filter(None, (row.check, row.message)))


def column_of(row: Row) -> str:
    """Return the column of a check in a table of many: all laws share one."""
    return "laws" if row.check.startswith("law_") else row.check


_SEVERITY = (
    "discrepancy",
    "error",
    "inconclusive",
    "not_reached",
    "known_deviation",
    "blocked",
    "verified",
    "not_claimed",
)


def worst_of(statuses: Sequence[str]) -> str:
    """Return the status that weighs most, empty where there is none."""
    known = [s for s in _SEVERITY if s in statuses]
    return known[0] if known else (statuses[0] if statuses else "")
