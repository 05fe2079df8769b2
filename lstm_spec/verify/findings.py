"""What campaigns found, in an SQLite file: a row for every job, and one for every check of it."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lstm_spec.verify.fit import UsageError

_TABLES = """
create table if not exists jobs (
    id text primary key, target text, verdict text, message text not null default '', attempts integer,
    seconds real, report text
);
create table if not exists checks (
    job text references jobs(id), id text, status text, cases integer, inconclusive integer, ratio real,
    message text, counterexample text, primary key (job, id)
);
"""


@dataclass(frozen=True)
class Outcome:
    """What came of one job: the verdict, what is to be said beside it, how long it took, and the report if any.

    verdict: that of the report, or "error"; "died" and "interrupted" of one that has to be asked again.
    """

    verdict: str
    message: str
    seconds: float
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One check of one job, as it is kept; of a job without a report, one row with the check "" says what happened."""

    job: str
    target: str
    verdict: str
    check: str
    status: str
    cases: int
    message: str
    counterexample: str = ""


class Findings:
    """An SQLite file of findings, written by one process at a time and readable by any."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._open() as db:
            db.executescript(_TABLES)

    @classmethod
    def existing(cls, path: str | Path) -> "Findings":
        """Return findings that are there already; raises UsageError where there are none."""
        if not Path(path).is_file():
            raise UsageError(f"there are no findings in {path}; `lstm-spec campaign run` makes them")
        return cls(path)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self.path)
        except sqlite3.Error as error:
            raise UsageError(f"{self.path} cannot be opened: {error}") from None
        try:
            with db:
                yield db
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{self.path} does not hold the findings of a campaign: {error}") from None
        finally:
            db.close()

    def plan(self, jobs: Iterable[str]) -> None:
        """Note jobs that are to be asked, so that it can be said what is left."""
        with self._open() as db:
            db.executemany("insert or ignore into jobs (id) values (?)", ((job,) for job in jobs))

    def done(self) -> set[str]:
        """Return the ids of the jobs that are done."""
        with self._open() as db:
            return {job for (job,) in db.execute("select id from jobs where verdict is not null")}

    def left(self) -> int:
        """Return how many jobs are planned and not done."""
        with self._open() as db:
            return int(db.execute("select count(*) from jobs where verdict is null").fetchone()[0])

    def keep(self, job: str, target: str, outcome: Outcome, attempts: int) -> None:
        """Keep what came of a job, all of it or nothing."""
        verdict = "error" if outcome.verdict == "died" else outcome.verdict
        message = f"{outcome.message}, {attempts} times" if outcome.verdict == "died" else outcome.message
        report = json.dumps(outcome.report, ensure_ascii=False, sort_keys=True) if outcome.report else None
        with self._open() as db:
            db.execute(
                "insert or replace into jobs values (?, ?, ?, ?, ?, ?, ?)",
                (job, target, verdict, message, attempts, outcome.seconds, report),
            )
            db.executemany(
                "insert or replace into checks values (?, ?, ?, ?, ?, ?, ?, ?)",
                (_check_row(job, check, outcome.report) for check in outcome.report.get("checks", ())),
            )

    def rows(self, target: str | None = None) -> list[Row]:
        """Return what was found, a row for each check, by job and in the order of the checks; or of one target."""
        query = """
            select j.id, j.target, j.verdict, coalesce(c.id, ''), coalesce(c.status, j.verdict), coalesce(c.cases, 0),
                coalesce(c.message, j.message), coalesce(c.counterexample, '')
            from jobs j left join checks c on c.job = j.id
            where j.verdict is not null and (? is null or j.target = ?) order by j.id, c.rowid
        """
        with self._open() as db:
            return [Row(*values) for values in db.execute(query, (target, target))]

    def reports(self) -> dict[str, Mapping[str, Any]]:
        """Return the reports by the ids of their jobs."""
        with self._open() as db:
            found = db.execute("select id, report from jobs where report is not null order by id")
            return {job: json.loads(report) for job, report in found}

    def seconds(self) -> float:
        """Return how long the jobs took together."""
        with self._open() as db:
            return float(db.execute("select coalesce(sum(seconds), 0) from jobs").fetchone()[0])


def _check_row(job: str, check: Mapping[str, Any], report: Mapping[str, Any]) -> tuple[Any, ...]:
    failing = next((c["id"] for c in report["checks"] if c["status"] == "discrepancy"), None)
    counterexample = report.get("counterexample") if check["id"] == failing else None
    ratio = check["worst"].get("ratio")
    return (
        job,
        check["id"],
        check["status"],
        check["cases"],
        check["inconclusive"],
        float(ratio) if ratio is not None else None,
        check["message"],
        json.dumps(counterexample, ensure_ascii=False) if counterexample else None,
    )


@dataclass(frozen=True)
class Change:
    """A check whose status is not the same in two sets of findings; None where one side has not asked it."""

    job: str
    check: str
    before: str | None
    after: str | None

    @property
    def direction(self) -> str:
        """Whether it got "better" or "worse", or is only "other"."""
        if self.after == "verified" and self.before is not None:
            return "better"
        return "worse" if self.before == "verified" and self.after is not None else "other"


def compare_findings(before: Findings, after: Findings) -> list[Change]:
    """Return what changed from one set of findings to another, by job and check; what both blocked says nothing."""
    first, second = ({(r.job, r.check): r.status for r in f.rows()} for f in (before, after))
    keys = dict.fromkeys([*first, *second])
    changes = [Change(job, check, first.get((job, check)), second.get((job, check))) for job, check in keys]
    return [c for c in changes if c.before != c.after]
