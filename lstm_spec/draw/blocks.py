"""Pictures whose boxes are whole cells: over time, in layers, in both directions; placed in rows and columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import Any

from sympy import Integer

from lstm_spec.draw.compose import kinds_in, labelled, legend, note, text_node, wires_of
from lstm_spec.draw.lattice import (
    EAST,
    NORTH,
    STEP,
    WEST,
    Direction,
    Field,
    Net,
    Port,
    Sink,
    Spot,
    Vertex,
    names_at_sides,
)
from lstm_spec.draw.place import TERMINAL
from lstm_spec.draw.read import read
from lstm_spec.draw.route import route
from lstm_spec.draw.scene import Flow, Kind, Label, Line, Scene
from lstm_spec.draw.text import Text, Typesetter, plain, width, with_shape
from lstm_spec.draw.words import counted, display_name, number_text
from lstm_spec.spec.notation import shape_text
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

LEGEND = ("cell", "concat", "joint", "state", "value")
SHOWN = 3
"""How many first steps are drawn before the rest is collapsed."""


@dataclass(frozen=True)
class Row:
    """A layer run in one direction: its name, direction, mark above symbols, parameters, input size, shift.

    omits: how many layers are left out here, of which this is the last; 0 for a layer that is drawn.
    """

    id: str
    heading: Direction
    mark: str
    parameters: Any
    inputs: Any
    shift: int = 0
    omits: int = 0


@dataclass
class Board:
    """Spots, nets and texts of a picture in the making."""

    program: Program
    setter: Typesetter
    sizes: Mapping[Any, int]
    spots: dict[str, Spot] = field(default_factory=dict)
    nodes: dict[str, tuple[Kind, tuple[Line, ...], str]] = field(default_factory=dict)
    nets: list[Net] = field(default_factory=list)
    texts: list[tuple[str, Text]] = field(default_factory=list)
    flows: dict[str, Flow] = field(default_factory=dict)

    @property
    def states(self) -> tuple[str, ...]:
        """The states from top to bottom: those with a rail first."""
        rails = [rail[-1] for rail in read(self.program, self.setter, dict(self.sizes)).rails]
        return (*rails, *(s for s in self.program.states if s not in rails))

    @property
    def railed(self) -> str | None:
        """The state drawn as a rail, if the cell has one."""
        rails = read(self.program, self.setter, dict(self.sizes)).rails
        return rails[0][-1] if rails else None

    def shape(self, name: str) -> tuple[Any, Any]:
        """Return the shape of a value of the cell."""
        return evaluate_shape(self.program.symbols[name].shape, dict(self.sizes))

    def symbol(self, name: str, now: str, mark: str = "") -> Text:
        """Return a symbol at a step, with what stands above it."""
        return self.setter.at(now, mark).symbol(name)

    def terminal(self, id: str, text: Text, x: int, y: int, style: Any) -> None:
        """Add the name at the end of a wire."""
        half = max(1, ceil((width(text, TERMINAL) + 8) / (2 * STEP)))
        self.spots[id] = Spot(id, x, y, half, 1, style)
        self.nodes[id] = ("terminal", (Line(text, TERMINAL),), "")

    def omission(self, id: str, dots: str, at: Vertex, half: Vertex, title: str) -> None:
        """Add the dots in place of what is left out. half: half the extents of their spot."""
        self.spots[id] = Spot(id, *at, *half, "free")
        self.nodes[id] = ("more", (Line(plain(dots, bold=True), 16.0),), title)

    def net(
        self, value: str, source: str, *sinks: Sink, text: Text = (), port: Port | None = None, state: bool = False
    ) -> None:
        """Add a value."""
        self.nets.append(Net(value, source, sinks, 0 if state else 1, port))
        self.texts.append((value, text))
        self.flows[value] = "state" if state else "value"

    def scene(self, name: str, title: str, description: str, notes: Sequence[Text]) -> Scene:
        """Route, label and return the picture; the notes stand in a line above the cells on the left."""
        xs = [x for s in self.spots.values() for x in (s.x - s.half_width, s.x + s.half_width)]
        ys = [y for s in self.spots.values() for y in (s.y - s.half_height, s.y + s.half_height)]
        # No margin at the sides: a wire that went around the initial states would leave the picture's reading order.
        low, high = (min(xs), min(ys) - 1), (max(xs), max(ys) + 1)
        trees = route(Field(low, high, texts=names_at_sides(self.spots.values(), low, high)), self.spots, self.nets)
        nodes = [
            text_node(id, kind, self.spots[id], lines, title=title) for id, (kind, lines, title) in self.nodes.items()
        ]
        drawn = wires_of(trees, {n.id: n for n in nodes}, self.flows)
        left, right, floor = min(xs) * STEP, max(xs) * STEP, min(ys) * STEP
        items = legend(kinds_in(nodes, drawn, LEGEND), left, floor - 32.0, right)
        written = _in_line(notes, left, floor - 12.0)
        scene = Scene(name, title, description, tuple(nodes), drawn.wires, drawn.joints, written, (), items)
        return labelled(scene, [(value, [(text,)]) for value, text in self.texts if text])[0]


def _in_line(notes: Sequence[Text], left: float, y: float) -> tuple[Label, ...]:
    written = []
    for number, text in enumerate(notes):
        written.append(note(text, left, y, 10.0, "parameters" if number == 0 else ""))
        left += width(text, 10.0) + 18
    return tuple(written)


def rows_of(board: Board, count: int, *, both: bool) -> list[Row]:
    """Return the layers from below: ``count`` of them, collapsed beyond a few, or one in each direction."""
    program, sizes = board.program, board.sizes
    total = program.parameter_count()
    given = program.inputs[0].shape[0]
    if both:
        parameters = _number(total, sizes)
        inner = evaluate_shape((given, Integer(1)), dict(sizes))[0]
        return [Row("forward", EAST, "→", parameters, inner), Row("backward", WEST, "←", parameters, inner, 1)]
    rows = []
    shown = steps_shown(count, SHOWN - 1)
    for number in shown:
        substituted = {given: program.symbols[program.states[0]].shape[0]} if number != "1" and given.is_Symbol else {}
        inner = evaluate_shape((given.subs(substituted), Integer(1)), dict(sizes))[0]
        parameters = _number(_subs(total, substituted), sizes)
        if number == "…":
            rows.append(Row("more", EAST, f"({count - 1})", parameters, inner, omits=count - len(shown) + 1))
        else:
            rows.append(Row(f"layer{number}", EAST, f"({number})" if count > 1 else "", parameters, inner))
    return rows


def _subs(total: Any, values: Mapping[Any, Any]) -> Any:
    return total.subs(values) if hasattr(total, "subs") else total


def _number(total: Any, sizes: Mapping[Any, int]) -> Any:
    value = _subs(total, sizes)
    return int(value) if getattr(value, "is_number", True) else value.factor()


def steps_shown(steps: int | None, first: int) -> list[str]:
    """Return the indices of the steps, or layers, that are drawn, "…" where some are left out."""
    if steps is not None and steps <= first + 1:
        return [str(t) for t in range(1, steps + 1)]
    return [*(str(t) for t in range(1, first + 1)), "…", "T" if steps is None else str(steps)]


def grid(board: Board, rows: Sequence[Row], steps: Sequence[str], *, pitch: int, rise: int) -> tuple[int, int]:
    """Place a cell for every row and step with its states in between; return the half extents of a cell.

    pitch, rise: lattice steps between columns and between rows.
    """
    states = board.states
    title = plain(display_name(board.program.name), bold=True)
    hidden = shape_text(board.shape(board.program.states[0]))
    half_width = max(4, ceil((width(title, 13) + 16) / (2 * STEP)))
    half_height = max(3, len(states) + 1)
    columns = _places(steps, pitch)
    names = ["…" if row.omits else row.id for row in rows]
    for row, name, y in zip(rows, names, _places(names, rise), strict=True):
        shift = row.shift * (half_width + 3)
        heading = (" →" if row.heading == EAST else " ←") if len({r.heading for r in rows}) > 1 else ""
        head = Line(plain(title[0].text + heading, bold=True), 13.0)
        inner = Line(plain(f"{shape_text((row.inputs, 1))}→{hidden}"), 9.0)
        count = f"{number_text(row.parameters)} parameters"
        for column, step in zip(columns, steps, strict=True):
            id, at = f"{row.id}-{step}", (column + shift, y)
            if "…" not in (step, name):
                board.spots[id] = Spot(id, *at, half_width, half_height, "free")
                board.nodes[id] = ("cell", (head, inner), count)
            elif step != "…":
                board.omission(id, "⋮", at, (half_width, 1), counted(row.omits, "layer"))
            elif name != "…":
                board.omission(f"{row.id}-more", "…", at, (1, half_height), count)
        ends = columns[0] - half_width - 6, columns[-1] + max(r.shift for r in rows) * (half_width + 3) + half_width + 6
        if not row.omits:
            _states(board, row, steps, states, y, ends)
    return half_width, half_height


def _places(names: Sequence[str], pitch: int) -> list[int]:
    """Return where each step or layer stands; an omission takes less room than a cell."""
    found, x = [], 0
    for k, name in enumerate(names):
        x += 0 if k == 0 else pitch if "…" not in (name, names[k - 1]) else 2 * pitch // 3
        found.append(x)
    return found


def _states(board: Board, row: Row, steps: Sequence[str], states: Sequence[str], y: int, ends: tuple[int, int]) -> None:
    """Run the states of a row from cell to cell, and name them at both ends."""
    forward = row.heading == EAST
    ids = [f"{row.id}-{step if step != '…' else 'more'}" for step in steps]
    order = range(len(steps)) if forward else range(len(steps) - 1, -1, -1)
    heights = {s: y + len(states) - 1 - 2 * k for k, s in enumerate(states)}
    before, after = ("0", steps[-1]) if forward else (_next(steps[-1]), "1")
    ordered = [ids[k] for k in order]
    for state, at in heights.items():
        start, end = f"{state}-{row.id}-first", f"{state}-{row.id}-last"
        style = "east" if forward else "west"
        first_x, last_x = ends if forward else ends[::-1]
        board.terminal(start, board.symbol(state, before, row.mark), first_x, at, style)
        board.terminal(end, board.symbol(state, after, row.mark), last_x, at, style)
        size = with_shape((), board.shape(state))
        chain = [start, *ordered, end]
        for k, (source, target) in enumerate(pairwise(chain)):
            out = _port(board.spots[source], at, row.heading, into=False)
            into = _port(board.spots[target], at, row.heading, into=True)
            text = size if k < 2 else ()
            value = f"{state}-{row.id}-after-{k}"
            board.net(value, source, Sink(target, port=into), text=text, port=out, state=state == board.railed)


def _next(step: str) -> str:
    return str(int(step) + 1) if step.isdigit() else f"{step}+1"


def _port(spot: Spot, y: int, heading: Direction, *, into: bool) -> Port:
    x, _ = spot.sides(heading, into=into)
    return Port((x, y), heading)


def above(spot: Spot) -> Port:
    """Return the port in the middle of the upper side."""
    return spot.port(NORTH, 0, into=False)


def below(spot: Spot) -> Port:
    """Return the port in the middle of the lower side."""
    return spot.port(NORTH, 0, into=True)
