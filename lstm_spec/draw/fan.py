"""The entries of the vectors that a unit sees whole, and a line for every weight from each of them to a neuron."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lstm_spec.draw.graph import Graph
from lstm_spec.draw.scene import Flow, Label, Line, Node, Point, Wire
from lstm_spec.draw.text import Run, Text, characters, plain, runs, width
from lstm_spec.draw.words import counted
from lstm_spec.spec import typeset as ts
from lstm_spec.spec.names import size_text

ENTRY, PITCH, NOTE = 24.0, 34.0, 9.0
"""Side of an entry's box, distance between their centres, size of what is said below, in points."""

UNIT = "k"
"""The index of the unit, counted from 0 as everywhere."""

MOST = 4
"""How many entries a vector has at most of which none is left out."""


@dataclass(frozen=True)
class Group:
    """A vector that neurons see whole: its value, how it is written, its size, and whether its entries are units."""

    value: str
    text: Text
    size: Any
    is_units: bool


def fans(
    groups: Sequence[Group],
    neurons: Sequence[Node],
    whole: Graph,
    middle: float,
    row: float,
) -> tuple[list[Node], list[Wire], list[Label]]:
    """Return the boxes of the entries, a line from each to every neuron that sees it, and a note below each group.

    neurons: the nodes above, with the ids of their operations in ``whole``; middle, row: the centre of all the boxes.
    """
    said = [_note(group, whole) for group in groups]
    shown = [_shown(group) for group in groups]
    rooms = [max(PITCH * len(some), width(text, NOTE) + 10) for some, text in zip(shown, said, strict=True)]
    left = middle - (sum(rooms) + PITCH * (len(groups) - 1)) / 2
    entries: list[Node] = []
    lines: list[Wire] = []
    notes: list[Label] = []
    for group, some, text, room in zip(groups, shown, said, rooms, strict=True):
        center = left + room / 2
        seeing = [n for n in neurons if group.value in whole.mixed(whole.by_id[n.id])]
        for number, index in enumerate(some):
            node = _node(group, index, whole, (center + PITCH * (number - (len(some) - 1) / 2), row))
            entries.append(node)
            lines += [_line(node, n, group, index) for n in seeing if index != "…"]
        notes.append(Label("", text, (center, row - ENTRY + 2), NOTE))
        left += room + PITCH
    return entries, lines, notes


def _node(group: Group, index: str, whole: Graph, center: Point) -> Node:
    line = Line(_entry(group, index, whole), 9.0)
    kind: Any = "more" if index == "…" else "entry"
    wide = max(ENTRY, line.width + 6)
    return Node(f"{group.value}-{index}", kind, center, wide, ENTRY, (line,), "", characters(line.text))


def _note(group: Group, whole: Graph) -> Text:
    """Return what a vector is called and what its entries are."""
    maker = whole.by_id.get(group.value)
    others = "input" if group.value in whole.inputs else "hidden unit" if maker and maker.mixes else "entry"
    all_ = "all " if group.is_units and group.size != 1 else ""
    return (*group.text, *plain(f": {all_}{counted(group.size, 'unit' if group.is_units else others)}", dim=True))


def _shown(group: Group) -> list[str]:
    """Return the indices of the entries that are drawn: all of few, or the first, some other unit and the last."""
    size, some = group.size, ["0", "1", *([UNIT] if group.is_units else [])]
    if size not in range(1, MOST + 1):
        return [*some, "…", size_text(size - 1)]
    every = [str(k) for k in range(int(size))]
    if group.is_units:
        every[min(2, int(size) - 1)] = UNIT
    return every


def _entry(group: Group, index: str, whole: Graph) -> Text:
    if index == "…" or group.value not in whole.shapes:
        return (Run(index, italic=index == UNIT),)
    letter = next((r for r in group.text if r.italic and not r.low), Run(group.value))
    return (letter, *runs(ts.Script(ts.Row(()), ts.Letter(index))))


def _line(entry: Node, neuron: Node, group: Group, index: str) -> Wire:
    start: Point = (entry.center[0], entry.center[1] + entry.height / 2)
    end: Point = (neuron.center[0], neuron.center[1] - neuron.height / 2)
    flow: Flow = "value" if index == UNIT else "weight"
    return Wire(entry.id, neuron.id, f"{group.value}-{index}", (start, end), flow=flow, arrow=False)
