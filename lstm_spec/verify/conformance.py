"""The table of conformance: which implementation has which feature, and whether it computes it.

What is asked of whom is data, in ``conformance.toml``. Every target runs in a process of its own, in which a crash is
a discrepancy and no more.
"""

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from lstm_spec.targets.contract import TargetError
from lstm_spec.verify.fit import UsageError
from lstm_spec.verify.run import verify
from lstm_spec.verify.verdict import DISCREPANCY, ERROR, INCONCLUSIVE, NOT_CLAIMED, VERIFIED, Report

RAISES = "raises"
"""The target said that it cannot, which is another thing than computing something else in silence."""

VALUES = ("signature", "step", "sequence")
"""The checks of a feature for which none are named."""

PATIENCE = 300.0
"""How many seconds a target may take to be loaded, and for one call: what compiles is slow on a busy machine."""

_OWN = frozenset({"lstm_spec", "python", "numpy", "sympy", "hypothesis"})


@dataclass(frozen=True)
class Column:
    """A feature: its name, how a target that has it is named, with values of the row in braces, and what is asked.

    checks: by id; dtypes: the formats.
    """

    name: str
    target: str = ""
    checks: tuple[str, ...] = VALUES
    dtypes: tuple[str, ...] = ("float32",)


@dataclass(frozen=True)
class Row:
    """An implementation: its name, the values for the braces, targets of its own by feature, and its environment.

    scripts: by feature, the file in ``docs/upstream`` that somebody wrote to show the cause of a known discrepancy.
    """

    name: str
    values: Mapping[str, str]
    features: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)

    def target(self, column: Column) -> str | None:
        """Return the name of the target with a feature, None where the implementation does not claim it."""
        if column.name in self.features:
            return self.features[column.name]
        return column.target.format(**self.values) if column.target else None

    def script(self, column: Column) -> str:
        """Return the name of the file with the script that shows a discrepancy.

        >>> Row("ONNX Runtime", {}).script(Column("clip, literally"))
        'onnx_runtime_clip_literally.py'
        """
        made = re.sub(r"\W+", "_", f"{self.name} {column.name}").strip("_").lower()
        return self.scripts.get(column.name, f"{made}.py")


@dataclass(frozen=True)
class Table:
    """Implementations × features. turned: whether it is shown with a row for every feature."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    turned: bool = False

    def holds(self, title: str | None) -> bool:
        """Tell whether the title has something in it; None is in all of them."""
        return title is None or title.lower() in self.title.lower()

    def called(self, name: str | None) -> tuple[Row, ...]:
        """Return the implementations with something in their name; None is in all of them."""
        return tuple(row for row in self.rows if name is None or name.lower() in row.name.lower())


@dataclass(frozen=True)
class Cell:
    """What was found out about one feature of one implementation.

    status: "verified", "discrepancy", "raises", "not_claimed", "inconclusive" or "error"; message: what was seen;
    diagnosis: what is probably wrong; script: the name of the file that shows a discrepancy; report: the whole of it.
    """

    row: str
    column: str
    target: str
    status: str
    message: str = ""
    diagnosis: str = ""
    cases: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    script: str = ""
    report: Report | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        names = ("row", "column", "target", "status", "message", "diagnosis", "cases", "script")
        return {**{name: getattr(self, name) for name in names}, "versions": dict(self.versions)}


def tables() -> tuple[Table, ...]:
    """Return the tables as they are declared.

    >>> [len(table.rows) >= 3 and len(table.columns) >= 8 for table in tables()]
    [True, True]
    """
    declared = tomllib.loads(files(__package__).joinpath("conformance.toml").read_text(encoding="utf-8"))
    return tuple(_table(given) for given in declared["table"])


def chosen_tables(only: str | None = None, title: str | None = None) -> list[Table]:
    """Return the tables with ``title`` in their title that have an implementation with ``only`` in its name.

    Raises UsageError, with the names that there are, where there is none.
    """
    titled = [table for table in tables() if table.holds(title)]
    if not titled:
        raise UsageError(f'no table has "{title}" in its title; there is {"; ".join(t.title for t in tables())}')
    found = [table for table in titled if table.called(only)]
    if not found:
        known = ", ".join(dict.fromkeys(row.name for table in titled for row in table.rows))
        raise UsageError(f'no implementation has "{only}" in its name; there is {known}')
    return found


def _table(given: Mapping[str, Any]) -> Table:
    columns = tuple(map(_column, given["column"]))
    table = Table(given["title"], columns, tuple(Row(**row) for row in given["row"]), given.get("turned", False))
    names = {column.name for column in columns}
    for row in table.rows:
        if unknown := (row.features.keys() | row.scripts.keys()) - names:
            raise TargetError(f"{row.name} has the features {', '.join(unknown)}, which are no columns")
    return table


def _column(given: Mapping[str, Any]) -> Column:
    plain: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in given.items()}
    return Column(**plain)


def conformance(
    table: Table,
    *,
    profile: str = "quick",
    seed: int = 0,
    only: str | None = None,
    tick: Callable[[int, int, str], None] | None = None,
) -> Iterator[Cell]:
    """Yield what is found out, implementation by implementation; of one that is not installed, nothing.

    only: a part of the names of implementations; profile, seed: as for ``verify``; tick: called with (done, total,
    what) before every cell. A target that cannot be used ends nothing: its cell says why.
    """
    rows = table.called(only)
    total, done = len(rows) * len(table.columns), 0
    for row in rows:
        for column in table.columns:
            if tick is not None:
                tick(done, total, f"{row.name}: {column.name}")
            done += 1
            try:
                yield cell(row, column, profile=profile, seed=seed)
            except TargetError as error:
                if "install it with" in str(error):
                    break
                yield Cell(row.name, column.name, row.target(column) or "", ERROR, str(error))


def cell(row: Row, column: Column, *, profile: str = "quick", seed: int = 0) -> Cell:
    """Return what is found out about one feature; raises TargetError where the package is not installed."""
    name = row.target(column)
    if name is None:
        return Cell(row.name, column.name, "", NOT_CLAIMED)
    with _environment(row.environment):
        report = verify(
            name, profile=profile, seed=seed, checks=column.checks, dtypes=column.dtypes, isolate=True, timeout=PATIENCE
        )
    versions = {package: v for package, v in report.versions.items() if package not in _OWN}
    status, message, diagnosis = _said(report)
    script = row.script(column) if status == DISCREPANCY else ""
    return Cell(row.name, column.name, name, status, message, diagnosis, report.cases, versions, script, report)


def _said(report: Report) -> tuple[str, str, str]:
    """Return the status of a report, its message and its diagnosis."""
    failing = report.failing
    diagnosis = report.diagnosis[0].sentence if report.diagnosis else ""
    if failing is not None and failing.finding is not None:
        refuses = failing.finding.fault == "form" and failing.message.startswith("forward raised ")
        return RAISES if refuses else DISCREPANCY, f"{failing.id}: {failing.message}", diagnosis
    if all(check.status == NOT_CLAIMED for check in report.checks):
        return NOT_CLAIMED, "", ""
    return (VERIFIED if report.verdict == VERIFIED else INCONCLUSIVE), "", ""


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment, which a process that is started meanwhile inherits."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
