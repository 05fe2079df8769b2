"""Text with real subscripts: a symbol, a formula or a shape as a row of runs that every output can set."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sympy import MatrixSymbol

from lstm_spec.draw.metrics import advance
from lstm_spec.spec import typeset as ts
from lstm_spec.spec.formula import Setting
from lstm_spec.spec.names import shape_text
from lstm_spec.spec.notations import Notation, notation

Choice = str | Path | Notation | Mapping[str, str]
"""How symbols are written: the name of a notation, a TOML file, a Notation, or what is written for some names."""

SMALL = 0.83
"""The size of a subscript relative to its line."""

_GAP = "·"


def hole(rows: Any, columns: Any) -> MatrixSymbol:
    """Return the operand that stands for any other."""
    return MatrixSymbol(_GAP, rows, columns)


_MARKS = {"tilde": "\u0303", "bar": "\u0304", "hat": "\u0302", "dot": "\u0307"}


@dataclass(frozen=True)
class Run:
    """A piece of text in one style.

    italic, bold: the face; low, high: a subscript or superscript; dim: said in passing, such as a dimension.
    """

    text: str
    italic: bool = False
    bold: bool = False
    low: bool = False
    high: bool = False
    dim: bool = False


Text = tuple[Run, ...]


def plain(value: str, *, bold: bool = False, dim: bool = False) -> Text:
    """Return text in one upright run."""
    return (Run(value, bold=bold, dim=dim),) if value else ()


def bold(line: Text) -> Text:
    """Return a line in bold."""
    return tuple(replace(run, bold=True) for run in line)


def unfenced(line: Text) -> Text:
    """Return a line without parentheses around all of it."""
    if not line or not (line[0].text.startswith("(") and line[-1].text.endswith(")")):
        return line
    opened = (replace(line[0], text=line[0].text[1:]), *line[1:])
    return tuple(run for run in (*opened[:-1], replace(opened[-1], text=opened[-1].text[:-1])) if run.text)


def width(line: Text, size: float) -> float:
    """Return the width of a line in points, at a font size in points."""
    return sum(advance(r.text, size * (SMALL if r.low or r.high else 1), bold=r.bold) for r in line)


def characters(line: Text) -> str:
    """Return what a line says, without its style."""
    return "".join(run.text for run in line)


def halves(line: Text) -> tuple[Text, ...]:
    """Return a product in two lines of about the same width, the sign at the head of the second; () for another text.

    >>> [characters(half) for half in halves(plain("dx = dy∘(1 − y∘y)∘z"))]
    ['dx = dy', '∘(1 − y∘y)∘z']
    """
    single = [replace(run, text=c) for run in line for c in run.text]
    depth, cuts = 0, []
    for position, run in enumerate(single):
        depth += (run.text in "([") - (run.text in ")]")
        if run.text == "∘" and not depth and any(earlier.text.isalnum() for earlier in single[:position]):
            cuts.append((tuple(single[:position]), tuple(single[position:])))
    best = min(cuts, key=lambda cut: max(width(half, 1) for half in cut), default=())
    return tuple(_merged(list(half)) for half in best)


@dataclass(frozen=True)
class Typesetter:
    """Writes symbols and formulas in a notation, at a step of time.

    setting: the notation and what a look depends on; unit: the index of the unit, "" for vectors; layer: what stands
    above every symbol, such as (1).
    """

    setting: Setting
    unit: str = ""
    layer: str = ""

    def at(self, now: str, layer: str = "") -> "Typesetter":
        """Return the typesetter for another step of time, and another layer."""
        return replace(self, setting=replace(self.setting, now=now), layer=layer)

    def symbol(self, name: str) -> Text:
        """Return a symbol with its subscripts, as in c with t−1."""
        index = (ts.Letter(self.unit),) if self.unit and name not in self.setting.shared else ()
        marks = (ts.Sign(self.layer),) if self.layer else ()
        return runs(self.setting.symbol(name, index=index, marks=marks))

    def around(self, expression: Any) -> Text:
        """Return an expression over a hole without it, as in 4 σ − 2; several holes are written as dots."""
        setting = replace(self.setting, shared=self.setting.shared | {_GAP}, names=self.setting.names | {_GAP})
        line = runs(setting.write(expression).tree)
        if characters(line).count(_GAP) > 1:
            return line
        cut = _merged([replace(r, text=r.text.replace(_GAP, "")) for r in line if r.text != _GAP])
        kept = [r for r in (replace(r, text=r.text.replace("()", "")) for r in cut) if r.text.strip("\u2009 ")]
        return (*kept[:-1], replace(kept[-1], text=kept[-1].text.rstrip("\u2009 "))) if kept else ()

    def formula(self, expression: Any) -> Text:
        """Return an expression in one line, its symbols set as symbols."""
        return runs(self.setting.write(expression).tree)


def typesetter(
    shared: frozenset[str],
    names: Mapping[str, Any],
    choice: Choice = "design",
    arriving: frozenset[str] = frozenset(),
    sizes: Mapping[Any, int] = MappingProxyType({}),
) -> Typesetter:
    """Return the typesetter of a Program.

    shared: names without an index of time; arriving: adjoints from step t+1; sizes: numbers for sizes.
    """
    own = Notation("own", symbols=choice) if isinstance(choice, Mapping) else notation(choice)
    return Typesetter(Setting(own.in_type(), shared, frozenset(names), arriving, sizes=tuple(sizes.items())))


def runs(tree: ts.Tree) -> Text:
    """Return a typeset tree as runs in one line."""
    return _merged(_runs(tree, Run("")))


def _runs(tree: ts.Tree, style: Run) -> list[Run]:
    match tree:
        case ts.Letter(text, face):
            # A word in a subscript is a name, not a product of letters, and upright letters are easier to read small.
            italic = face == "italic" and not style.low
            return [replace(style, text=text, italic=italic, bold=style.bold or face == "bold")]
        case ts.Number(text):
            return [replace(style, text=text)]
        case ts.Sign(text, spacing):
            spaced = {"both": f" {text} ", "after": f"{text} ", "none": text}[spacing]
            return [replace(style, text=spaced)]
        case ts.Times():
            return [replace(style, text="\u2009")]
        case ts.Row(items):
            return [run for item in items for run in _runs(item, style)]
        case ts.Script(base, sub, sup):
            low = _runs(sub, replace(style, low=True)) if sub is not None and not style.low else []
            high = _runs(sup, replace(style, high=True)) if sup is not None and not style.low else []
            return [*_runs(base, style), *low, *high]
        case ts.Accent(base, mark):
            *before, last = _runs(base, style)
            return [*before, replace(last, text=last.text + _MARKS[mark])]
        case ts.Root(body):
            return [replace(style, text="√("), *_runs(body, style), replace(style, text=")")]
        case ts.Fenced(body, opening, closing):
            return [replace(style, text=opening), *_runs(body, style), replace(style, text=closing)]
        case ts.Fraction(top, bottom):
            return [*_runs(top, style), replace(style, text="/"), *_runs(bottom, style)]
    return [replace(style, text=ts.plain(tree))]


def _merged(pieces: list[Run]) -> Text:
    """Join neighbours of one style."""
    merged: list[Run] = []
    for run in pieces:
        if merged and replace(merged[-1], text="") == replace(run, text=""):
            merged[-1] = replace(run, text=merged[-1].text + run.text)
        elif run.text:
            merged.append(run)
    return tuple(merged)


def with_shape(line: Text, shape: tuple[Any, Any]) -> Text:
    """Return a line followed by a dimension, or the dimension alone."""
    size = shape_text(shape)
    return (*line, Run(f"\u00a0\u00a0{size}", dim=True)) if line else (Run(size, dim=True),)
