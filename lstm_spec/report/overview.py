"""The overview of a campaign as one page: a table of jobs and checks that can be sorted, and each job's findings."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from lstm_spec.report.campaign import by_job, column_of, jobs_done, status_dict, worst_of
from lstm_spec.report.html import code, status
from lstm_spec.report.markup import Markup, cells, join, page, row, section, table, tag
from lstm_spec.verify.findings import Findings, Row

_SILENT = ("verified", "not_claimed", "blocked", "not_reached")


def overview(findings: Findings) -> str:
    """Return the findings of a campaign as a page; the script in it sorts the table, and nothing else."""
    jobs, reports, told = by_job(findings.rows()), findings.reports(), status_dict(findings)
    title = f"Campaign {findings.path.stem}"
    script = files("lstm_spec.report").joinpath("sort.js").read_text(encoding="utf-8")
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in told["verdicts"].items())
    left = f"; {told['left']:,} left" if told["left"] else ""
    return page(
        title,
        tag("p", "lstm-spec campaign", class_="eyebrow"),
        tag("h1", title),
        tag("p", f"{jobs_done(told['done'])}{left}{': ' if counts else ''}{counts}", class_="lead"),
        section("Jobs and checks", _table(jobs), id="table"),
        section("Findings", *_findings(jobs, reports), id="findings"),
        script=script,
    )


def _table(jobs: Mapping[str, Sequence[Row]]) -> Markup:
    columns = list(dict.fromkeys(column_of(r) for rows in jobs.values() for r in rows if r.check))
    lines = [
        row(
            tag("a", job, href=f"#job{k}"),
            status(rows[0].verdict),
            *(_cell([r.status for r in rows if r.check and column_of(r) == c]) for c in columns),
        )
        for k, (job, rows) in enumerate(jobs.items())
    ]
    return tag("div", table("The worst status of every check", ("job", "verdict", *columns), lines), class_="sortable")


def _cell(statuses: Sequence[str]) -> Markup:
    word = worst_of(statuses)
    return status(word) if word else Markup("")


def _findings(jobs: Mapping[str, Sequence[Row]], reports: Mapping[str, Mapping[str, Any]]) -> Iterator[Markup]:
    for k, (job, rows) in enumerate(jobs.items()):
        verdict = rows[0].verdict
        summary = tag("summary", tag("b", job), " ", status(verdict))
        yield tag("details", summary, *_job(rows, reports.get(job, {})), id=f"job{k}", open=verdict != "verified")


def _job(rows: Sequence[Row], report: Mapping[str, Any]) -> Iterator[Markup]:
    """Yield what was found in one job: the diagnosis, what each check says, and Python that shows it."""
    for diagnosis in report.get("diagnosis", ()):
        yield tag("p", f"Probably: {diagnosis['sentence']}")
    told = [r for r in rows if r.status not in _SILENT]
    if told:
        lines = (tag("tr", cells(tag("b", r.check), status(r.status), tag("span", r.message))) for r in told)
        yield table(f"What {rows[0].job} fails", ("check", "status", "what was seen"), lines)
    quiet = Counter(r.status.replace("_", " ") for r in rows if r.status in _SILENT and r.check)
    if quiet:
        counts = (f"{count:,} check{'' if count == 1 else 's'} {word}" for word, count in quiet.items())
        yield tag("p", "; ".join(counts), class_="note")
    snippet = (report.get("counterexample") or {}).get("snippet")
    if snippet:
        shown = code(f"Python that shows what {rows[0].job} fails", snippet.rstrip())
        yield tag("details", tag("summary", "Python that shows it"), shown)
    if versions := report.get("versions"):
        yield tag("p", join(", ".join(f"{name} {version}" for name, version in versions.items())), class_="note")
