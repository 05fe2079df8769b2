"""The table of conformance as Markdown, as HTML and as JSON: what it says, and below it what was seen."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Any

from lstm_spec.verify.conformance import RAISES, Cell, Table
from lstm_spec.verify.verdict import DISCREPANCY, ERROR, INCONCLUSIVE, NOT_CLAIMED, VERIFIED

WORDS: Mapping[str, str] = MappingProxyType(
    {
        VERIFIED: "verified",
        DISCREPANCY: "DISCREPANCY",
        RAISES: "raises",
        NOT_CLAIMED: "–",
        INCONCLUSIVE: "inconclusive",
        ERROR: "not run",
    }
)
"""What stands in the table for each status; – is a feature that nobody claims."""

LONGEST = 240
"""The most letters of a message in a note; JSON has all of them."""

LEGEND = (
    "verified: it computes what the specification says. DISCREPANCY: it computes something else, or ends without an"
    " answer. raises: it says that it cannot. inconclusive: no case could tell. –: not claimed."
)


@dataclass(frozen=True)
class Filled:
    """A table with what was found out about it: the cells of the implementations that are installed."""

    table: Table
    cells: tuple[Cell, ...]

    @property
    def rows(self) -> tuple[str, ...]:
        """The implementations that are installed."""
        return tuple(dict.fromkeys(cell.row for cell in self.cells))

    @property
    def columns(self) -> tuple[str, ...]:
        """The features that were asked."""
        return tuple(dict.fromkeys(cell.column for cell in self.cells))

    def at(self, row: str, column: str) -> Cell | None:
        """Return what was found out about one feature of one implementation."""
        return next((c for c in self.cells if (c.row, c.column) == (row, column)), None)

    @property
    def notes(self) -> tuple[Cell, ...]:
        """The cells that need words."""
        return tuple(cell for cell in self.cells if cell.message)

    def versions(self, row: str) -> str:
        """Return the packages of an implementation with their versions."""
        known: dict[str, str] = {}
        for cell in self.cells:
            if cell.row == row:
                known |= cell.versions
        return ", ".join(f"{package} {version}" for package, version in known.items())


def as_dict(filled: Iterable[Filled], *, date: str, version: str) -> dict[str, Any]:
    """Return tables as JSON takes them."""
    every = [{"title": f.table.title, "cells": [cell.to_dict() for cell in f.cells]} for f in filled]
    return {"date": date, "lstm_spec": version, "tables": every}


def markdown(filled: Sequence[Filled], *, date: str, version: str, scripts: str | None = None) -> str:
    """Return tables as a page of Markdown; scripts: where the page finds those of its discrepancies, if anywhere."""
    lines = [
        "# Which implementation computes what",
        "",
        f"Made by `lstm-spec conformance` of lstm_spec {version} on {date}. {LEGEND}",
    ]
    for one in filled:
        head, *body = _grid(one)
        lines += ["", f"## {one.table.title}", "", _row(head), _row(["---"] * len(head)), *map(_row, body)]
        lines += ["", *_versions(one)]
        if one.notes:
            lines += ["", "What was seen:", ""]
            for k, cell in enumerate(one.notes, start=1):
                link = f" [Script]({scripts}/{cell.script})." if scripts and cell.script else ""
                lines.append(f"{k}. {_plain(_note(cell))}{link}")
    return "\n".join(lines) + "\n"


def html(filled: Sequence[Filled], *, date: str, version: str, scripts: str | None = None) -> str:
    """Return tables as a page of HTML that needs nothing beside it; scripts: where it finds them, if anywhere."""
    parts = [_HEAD, "<h1>Which implementation computes what</h1>"]
    parts.append(f"<p>Made by <code>lstm-spec conformance</code> of lstm_spec {version} on {date}. {LEGEND}</p>")
    for one in filled:
        head, *body = _grid(one)
        parts += [f"<h2>{escape(one.table.title)}</h2>", "<table><thead>", _tr(head, "th"), "</thead><tbody>"]
        parts += [*(_tr(row, "td") for row in body), "</tbody></table>", f"<p>{escape(' '.join(_versions(one)))}</p>"]
        if one.notes:
            parts.append("<ol>")
            for cell in one.notes:
                link = f' <a href="{scripts}/{cell.script}">Script</a>.' if scripts and cell.script else ""
                parts.append(f"<li>{escape(_note(cell))}{link}</li>")
            parts.append("</ol>")
    return "\n".join(parts) + "\n"


_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Conformance</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 80em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid #8886; padding: .3em .6em; text-align: left; }
td.discrepancy { background: #d332; font-weight: 600; }
td.verified { background: #3a32; }
td.raises { background: #fa32; }
</style>"""


def _grid(filled: Filled) -> list[list[str]]:
    """Return the head and the rows of a table as texts, turned where it says so."""
    numbers = {(c.row, c.column): k for k, c in enumerate(filled.notes, start=1)}

    def word(row: str, column: str) -> str:
        cell = filled.at(row, column)
        if cell is None:
            return ""
        number = numbers.get((row, column))
        return WORDS[cell.status] + (f" ({number})" if number else "")

    if filled.table.turned:
        return [["feature", *filled.rows], *([c, *(word(r, c) for r in filled.rows)] for c in filled.columns)]
    return [["implementation", *filled.columns], *([r, *(word(r, c) for c in filled.columns)] for r in filled.rows)]


def _versions(filled: Filled) -> Iterator[str]:
    named = (f"{row}: {filled.versions(row)}" for row in filled.rows if filled.versions(row))
    yield "Versions: " + "; ".join(named) + "."


def _note(cell: Cell) -> str:
    probably = f" Probably: {cell.diagnosis}." if cell.diagnosis else ""
    message = cell.message
    if len(message) > LONGEST:
        # What an exception says is at its beginning and at its end.
        message = f"{message[: LONGEST // 2]} … {message[-LONGEST // 2 :]}"
    return f"{cell.row}, {cell.column}: {message}.{probably}"


def _plain(text: str) -> str:
    """Keep what a target says from being taken for Markdown."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _tr(cells: Sequence[str], tag: str) -> str:
    def one(text: str) -> str:
        word = text.partition(" (")[0]
        status = next((s for s, w in WORDS.items() if w == word and s != NOT_CLAIMED), "")
        return f'<{tag} class="{status}">{escape(text)}</{tag}>' if status else f"<{tag}>{escape(text)}</{tag}>"

    return f"<tr>{''.join(map(one, cells))}</tr>"
