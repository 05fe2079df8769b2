"""Lattice coordinates for a cell: bands from the bottom up, columns from the left, what enters and leaves around."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil

from lstm_spec.draw.columns import BUS, FUNCTION, POINT, Band, Columns, arrange, layer_band, rail_band
from lstm_spec.draw.graph import Graph, Op
from lstm_spec.draw.lattice import STEP, Field, Net, Port, Sink, Spot, Style, Vertex
from lstm_spec.draw.room import Room
from lstm_spec.draw.scene import Line
from lstm_spec.draw.text import Text, bold, characters, plain, width

GLYPH, ROW, SIGN, TERMINAL, NAME = 12.0, 8.5, 14.0, 15.0, 10.5
"""Font sizes in points: a layer's activation, its parameters, × and +, the names at the ends, a function's name."""

LEADING = 1.25
AROUND, WIDEST = 14, 2.4
"""Lattice lines around the frame, for what enters and leaves and the legend, and the widest a picture gets."""

SIDES = 3
"""How many ways there are into what has one way out."""


@dataclass(frozen=True)
class Box:
    """What an operation takes: its lines of text, its half extents in lattice steps, how it takes wires."""

    lines: tuple[Line, ...]
    half_width: int
    half_height: int
    style: Style


@dataclass(frozen=True)
class Plan:
    """A cell on the lattice: spots by id, nets, the frame of the cell, the text of what enters and leaves, and where
    its columns are."""

    spots: Mapping[str, Spot]
    nets: tuple[Net, ...]
    frame: tuple[Vertex, Vertex]
    terminals: Mapping[str, Text]
    boxes: Mapping[str, Box]
    columns: tuple[int, ...]
    texts: tuple[tuple[Vertex, Vertex], ...] = ()
    fans: tuple[tuple[Vertex, Vertex], ...] = ()

    @property
    def board(self) -> Field:
        """The field to route on: everything there is, and a margin."""
        xs = [x for s in self.spots.values() for x in (s.x - s.half_width, s.x + s.half_width)]
        ys = [y for s in self.spots.values() for y in (s.y - s.half_height, s.y + s.half_height)]
        return Field((min(xs) - 1, min(ys) - 1), (max(xs) + 1, max(ys) + 1), (self.frame,), self.texts, self.fans)


def box_of(op: Op, band: Band | None, *, on_rail: bool = False) -> Box:
    """Return the box of an operation. band: where it stands; on_rail: on a state's rail."""
    if op.kind == "layer":
        glyph = [Line(bold(op.glyph), GLYPH)] if op.glyph else []
        lines = (*glyph, *(Line(row, ROW) for row in op.rows))
        height = max(sum(line.size * LEADING for line in lines) + 10, sum(line.row for line in lines) + 2)
        fan = len(op.operands)
        wide = max(3, ceil((max(line.width for line in lines) + 12) / (2 * STEP)), fan // 2 + 1)
        high = max(2 if glyph else 1, ceil(height / (2 * STEP)))
        if band is not None and band[0] == "bus":
            return Box(lines, wide, max(high, fan - 1), "flow")
        return Box(lines, wide, high, "beside" if band == POINT and fan <= SIDES else "layer")
    if op.kind == "neuron":
        line = Line((*plain("Σ\u2009" if op.glyph else "Σ", bold=True), *bold(op.glyph)), NAME)
        return Box((line,), max(2, ceil((line.width + 5) / (2 * STEP))), 2, "layer")
    if op.kind in ("concat", "split"):
        return Box((), 1, max(2, len(op.operands)), "bar")
    style: Style = "rail" if on_rail else "circle"
    sign = len(characters(op.glyph)) == 1
    line = Line(bold(op.glyph), SIGN if sign else NAME)
    room = line.width + 7 if line.width <= 17 else 1.15 * line.width + 12
    return Box((line,), max(1, ceil(room / (2 * STEP))), 1, style)


def plan(
    graph: Graph,
    names: Mapping[str, Text],
    room: Room,
    *,
    dress: Callable[[Op], Op] = lambda op: op,
    margin: int = 0,
    heading: float = 0,
    from_left: bool = False,
) -> Plan:
    """Return a cell on the lattice.

    names: the text of what enters and leaves, by the id of its terminal or of its value; room: what to try; dress: what
    an operation shows instead; margin: extra lattice lines on the right, for long labels; heading: the width of the
    frame's title in points; from_left: whether inputs enter there and not from below.
    """
    columns, slack = arrange(graph, room.layers), room.slack
    on_rails = {op for rail in graph.rails for op in rail}
    boxes = {op.id: box_of(dress(op), columns.band(op.id), on_rail=op.id in on_rails) for op in graph.ops}
    boxes = _alike(columns, boxes)
    centers, right = _centers(columns, boxes, 6 + 2 * (len(graph.inputs) > 1), room)
    wide = max(right + 3 + margin, ceil(heading / STEP) + 2) + 2 * len(graph.outputs)
    heights = _heights(graph, columns, boxes, slack)
    lift = ceil((wide + AROUND) / WIDEST) - max(heights.values()) - AROUND
    heights = _heights(graph, columns, boxes, slack, max(0, lift))
    spots = {
        op.id: _spot(graph, op, boxes[op.id], centers[columns.place[op.id][0]], heights[columns.place[op.id][1]])
        for op in graph.ops
    }
    top = max(s.y + s.half_height for s in spots.values()) + (2 if graph.rails else 4)
    frame = ((0, 0), (wide, top))
    outside, nets = _terminals(graph, columns, spots, names, frame, heights, from_left)
    terminals = {id: _name(names, id) for id in outside}
    bars = [spots[op.id] for op in graph.ops if op.kind == "concat"]
    orders = [((s.x - 3, s.y + s.half_height + 1), (s.x + 3, s.y + s.half_height + 1)) for s in bars]
    title = (0, top - 1), (ceil(heading / STEP) + 1, top - 1)
    fans = _fans(graph, spots, frame)
    middles = tuple(sorted(centers.values()))
    return Plan({**spots, **outside}, nets, frame, terminals, boxes, middles, (title, *orders), fans)


def _fans(graph: Graph, spots: Mapping[str, Spot], frame: tuple[Vertex, Vertex]) -> tuple[tuple[Vertex, Vertex], ...]:
    """Return the field below the neurons of a unit, where the lines of all the weights come up."""
    floors = [spots[op.id].y - spots[op.id].half_height for op in graph.ops if op.kind == "layer"]
    (left, low), (right, _) = frame
    return (((left, low), (right, min(floors) - 1)),) if graph.flat and floors else ()


def _alike(columns: Columns, boxes: Mapping[str, Box]) -> dict[str, Box]:
    """Give the layers of a band one size."""
    grown = dict(boxes)
    bands: dict[Band, list[str]] = {}
    for id, (_, band) in columns.place.items():
        if band[0] == "layer":
            bands.setdefault(band, []).append(id)
    for members in bands.values():
        wide, high = max(boxes[id].half_width for id in members), max(boxes[id].half_height for id in members)
        grown |= {id: replace(boxes[id], half_width=wide, half_height=high) for id in members}
    return grown


def _heights(graph: Graph, columns: Columns, boxes: Mapping[str, Box], slack: int, lift: int = 0) -> dict[Band, int]:
    """Return the height of every band's centre above the floor of the frame. lift: extra lines above the layers."""
    members: dict[Band, list[Box]] = {}
    for id, (_, band) in columns.place.items():
        members.setdefault(band, []).append(boxes[id])
    half = {band: max(box.half_height for box in inside) for band, inside in members.items()}
    lanes = max(0, len(_from_below(graph)) - 1)
    wandering = max(0, len([1 for before, _ in graph.states if before not in _rail_starts(graph)]) - 1)
    y = half.get(BUS, 0) + 2 + slack + 2 * wandering
    heights = {BUS: y}
    y += half.get(BUS, 0)
    for band in sorted(band for band in half if band[0] == "bus" and band != BUS):
        y += 1 + slack + half[band]
        heights[band] = y
        y += half[band]
    y += 1 + lanes + slack
    depths = sorted((band[1] for band in half if band[0] == "layer"), reverse=True)
    further = [rail_band(k) for k in range(len(graph.rails) - 1, 0, -1)]
    apart = [band for band in further if _stands_apart(graph, band[1])]
    points = sorted(band for band in half if band[0] == "point")
    beside = [band for band in further if band not in apart]
    stack = [*map(layer_band, depths), *apart, *points, *beside, FUNCTION, rail_band(0)]
    for band in stack:
        if band not in half:
            continue
        gap = 1 if depths and band == layer_band(depths[0]) else 3 if band == POINT else 2
        y += gap + slack + half[band]
        if lift and band[0] != "layer":
            y, lift = y + lift, 0
        heights[band] = y
        y += half[band]
    return heights


def _stands_apart(graph: Graph, number: int) -> bool:
    """Tell whether a rail shares no factor with the main one; nothing on the way up to that has to cross it above."""
    main, own = ({o for id in graph.rails[k] for o in graph.by_id[id].operands} for k in (0, number))
    return not main & own


def _from_below(graph: Graph) -> set[str]:
    """Return the values that reach layers from below without a concatenation."""
    return {o for op in graph.ops if op.kind == "layer" for o in op.operands if _rises_to(graph, o)}


def _rises_to(graph: Graph, value: str) -> bool:
    op = graph.by_id.get(value)
    return value not in _rail_starts(graph) if op is None else op.kind in ("concat", "layer")


def _rail_starts(graph: Graph) -> set[str]:
    return {graph.rail_start(rail) for rail in graph.rails}


def _centers(columns: Columns, boxes: Mapping[str, Box], margin: int, room: Room) -> tuple[dict[int, int], int]:
    """Return the centre of every column and where the last one ends."""
    centers, x = {}, margin
    early = {columns.place[id][0] for id in columns.graph.early}
    for position, column in enumerate(columns.order):
        x += 3 if position and columns.order[position - 1] in early else 0
        half = max(boxes[id].half_width for id, (c, _) in columns.place.items() if c == column)
        x += (3 + room.slack if position else 0) + half
        x += room.columns[position] if room.columns else 0
        centers[column] = x
        x += half
    return centers, x


def _spot(graph: Graph, op: Op, box: Box, x: int, y: int) -> Spot:
    fan = sum(_rises_to(graph, o) for o in op.operands) if box.style == "layer" else len(op.operands)
    return Spot(op.id, x, y, box.half_width, box.half_height, box.style, max(1, fan))


def _terminals(
    graph: Graph,
    columns: Columns,
    spots: Mapping[str, Spot],
    names: Mapping[str, Text],
    frame: tuple[Vertex, Vertex],
    heights: Mapping[Band, int],
    from_left: bool,
) -> tuple[dict[str, Spot], tuple[Net, ...]]:
    """Return the spots of what enters and leaves, and all nets."""
    (left, floor), (right, top) = frame
    found: dict[str, Spot] = {}
    sinks: dict[str, list[Sink]] = {}

    def terminal(id: str, x: int, y: int, style: Style) -> None:
        half = max(1, ceil((width(_name(names, id), TERMINAL) + 5) / (2 * STEP)))
        leaves = id.endswith("-out")
        shift = {"east": half if leaves else -half}.get(style, 0)
        found[id] = Spot(id, x + shift, y, half, 1, style)

    for rail in graph.rails:
        before = graph.rail_start(rail)
        terminal(before, left - 2, spots[rail[0]].y, "east")
        terminal(f"{rail[-1]}-out", right + 2, spots[rail[-1]].y, "east")
    bars = [op for op in graph.ops if op.kind == "concat"]
    lowest = heights[BUS]
    if graph.flat:
        lowest = max((s.y + 1 for id, s in spots.items() if graph.by_id[id].kind == "layer"), default=lowest)
    y = lowest + (1 if bars and len(bars[0].operands) == 2 else 0)
    for before, after in graph.states:
        if before not in found:
            y = max([y, *(heights[columns.place[r.id][1]] for r in graph.readers(before) if r.id in graph.early)])
            if graph.is_used(before):
                terminal(before, left - 2, y, "east")
            terminal(f"{after}-out", right + 2, y, "east")
            y = min(y, lowest) - 2
    for number, value in enumerate(graph.inputs):
        if from_left:
            terminal(value, left - 2, y, "east")
            y = min(y, lowest) - 2
            continue
        x = left + 2 if number == 0 else _beside(graph, spots, value, left + 4, found)
        terminal(value, x, floor - 3, "north")
    for number, value in enumerate(graph.outputs):
        terminal(f"{value}-top", right - 2 - 2 * number, top + 3, "north")
        sinks.setdefault(value, []).append(Sink(f"{value}-top"))
    for _, after in graph.states:
        sinks.setdefault(after, []).append(Sink(f"{after}-out"))
    return found, _nets(graph, sinks, {**spots, **found})


def _name(names: Mapping[str, Text], id: str) -> Text:
    return names[id] if id in names else names[id.partition("-")[0]]


def _beside(graph: Graph, spots: Mapping[str, Spot], value: str, least: int, found: Mapping[str, Spot]) -> int:
    """Return a free abscissa left of the first operation that reads an input."""
    readers = graph.readers(value)
    x = max(least, min(spots[r.id].x - spots[r.id].half_width for r in readers) - 2) if readers else least
    while any(abs(s.x - x) < s.half_width + 2 for s in found.values() if s.style == "north"):
        x += 1
    return x


def _nets(graph: Graph, leaving: Mapping[str, list[Sink]], spots: Mapping[str, Spot]) -> tuple[Net, ...]:
    on_rail = {id: rail[k - 1] if k else graph.rail_start(rail) for rail in graph.rails for k, id in enumerate(rail)}
    values = [*graph.inputs, *(before for before, _ in graph.states), *(op.id for op in graph.ops)]
    nets = []
    for value in values:
        reading = [
            Sink(op.id, on_rail.get(op.id) == value, _into_bar(graph, op, value, spots)) for op in graph.readers(value)
        ]
        sinks = (*_once_first(reading), *leaving.get(value, ()))
        if sinks and graph.is_used(value):
            rails = [rail for rail in graph.rails if value in rail or value == graph.rail_start(rail)]
            nets.append(Net(value, value, sinks, 0 if rails else 1))
    return tuple(nets)


def _into_bar(graph: Graph, op: Op, value: str, spots: Mapping[str, Spot]) -> Port | None:
    """Return the way into a concatenation: what comes from further up enters further up, so that nothing crosses."""
    if op.kind != "concat" or len(set(op.operands)) < len(op.operands):
        return None
    ports = sorted(spots[op.id].entries(False), key=lambda port: -port.at[1])
    return ports[sorted(op.operands, key=lambda name: -spots[name].y).index(value)]


def _once_first(sinks: list[Sink]) -> tuple[Sink, ...]:
    """Keep one entry from the left where a rail operation reads its rail value twice."""
    seen: set[Sink] = set()
    result = []
    for sink in sinks:
        result.append(Sink(sink.spot) if sink.first and sink in seen else sink)
        seen.add(sink)
    return tuple(result)
