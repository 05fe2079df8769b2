"""The view of a network: the dots and lines of a feed-forward picture with the recurrent layer boxed in it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sympy import expand

from lstm_spec.draw.compose import SAMPLES, Drawn, kinds_in, legend, note
from lstm_spec.draw.fan import MOST
from lstm_spec.draw.read import read
from lstm_spec.draw.scene import Label, Line, Node, Panel, Point, Scene, Wire
from lstm_spec.draw.text import Text, Typesetter, plain, runs, with_shape
from lstm_spec.draw.words import count_text, counted, display_name
from lstm_spec.spec import typeset as ts
from lstm_spec.spec.names import size_text
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

LEGEND = ("entry", "neuron", "weight", "value")
PITCH, SIDE, REACH, ASIDE = 36.0, 26.0, 190.0, 34.0
"""Distance between dots, their diameter, distance between layers, how far beside its dots a state runs, in points."""

_SAID = {
    **SAMPLES,
    "neuron": "one unit of the layer",
    "weight": "connection with its weights",
    "value": "vector, entry by entry",
}


def network_scene(program: Program, setter: Typesetter, sizes: Mapping[Any, int]) -> Scene:
    """Return the layer among its neighbours: what enters, the units, what reads them, and the way back in time."""
    state, given = program.states[0], program.inputs[0].name
    before = next(b.name for b, a in program.recurrence if a.name == state)
    inner, outer, many = (
        evaluate_shape(program.symbols[name].shape, dict(sizes))[0] for name in (given, state, program.states[-1])
    )
    graph = read(program, setter, dict(sizes))
    inputs = _dots("x", given, inner, setter, (0.0, 0.0), "entry")
    second = inputs[-1].center[1] - 2.2 * PITCH
    returned = _dots("h_prev", before, outer, setter, (0.0, second), "entry") if before in graph.seen_whole else []
    middle = [*inputs, *returned][-1].center[1] / 2
    units = _dots("unit", state, outer, setter, (REACH, 0.0), "neuron")
    units = _moved(units, middle)
    following = _moved([_dot(f"next-{k}", "", (2 * REACH, -PITCH * k), "cell") for k in range(4)], middle)
    entries = [n for n in (*inputs, *returned) if n.kind != "more"]
    active = [n for n in units if n.kind != "more"]
    weights = [_line(a, b) for a in entries for b in active]
    weights += [_line(a, b) for a in active for b in following]
    name, count = display_name(program.name), count_text(program, sizes)
    low = (REACH - 56, units[-1].center[1] - SIDE / 2 - 14)
    high = (REACH + 56, units[0].center[1] + SIDE / 2 + 84)
    floor = min([low[1], *(n.center[1] - SIDE / 2 for n in returned)]) - 26
    title = note(plain(f"{name} layer"), low[0] + 8, high[1] - 13, 12.0)
    rails = len(graph.rails)
    memory = [f"{rails} memor{'ies' if rails > 1 else 'y'} in each"] if rails else []
    said = [counted(many, "unit"), *memory, *([counted(outer, "output")] if outer != many else [])]
    labels = [note(plain(s, dim=True), low[0] + 8, high[1] - 28 - 12 * k, 8.5) for k, s in enumerate(said)]
    again = [n for n in returned if n.kind != "more"]
    back = [_way_back(unit, entry, floor) for unit, entry in zip(active, again, strict=False)]
    if returned:
        labels.append(_centred(with_shape(setter.symbol(before), (outer, 1)), (0, second + 26), before))
        labels.append(_centred(plain("one step later", dim=True), (REACH / 2, floor - 10), ""))
    labels += [
        _centred(with_shape(setter.symbol(given), (inner, 1)), (0, 26), given),
        note(with_shape(setter.symbol(state), (outer, 1)), *_beside_output(units[0], low, bool(returned)), 10.0, state),
        _centred(plain("next layer", dim=True), (2 * REACH, following[0].center[1] + 26), ""),
        note(plain(_carried(program, count, bool(returned)), dim=True), -20, floor - 34, 10.0, "parameters"),
    ]
    nodes = (*inputs, *returned, *units, *following)
    meanings = _SAID if outer == many else {**_SAID, "neuron": "one output of the layer"}
    drawn = Drawn((*weights, *back), ())
    return Scene(
        name=program.name,
        title=f"a network with one {name} layer",
        description=f"every unit of the {name} layer sees all {size_text(inner)} inputs"
        + (f" and all {size_text(outer)} outputs of the step before" if returned else ""),
        nodes=nodes,
        wires=drawn.wires,
        joints=(),
        labels=tuple(labels),
        panels=(Panel("layer", low, high, title),),
        legend=legend(kinds_in(nodes, drawn, LEGEND), -20, floor - 54, 2 * REACH + 20, meanings),
    )


def _dots(id: str, name: str, size: Any, setter: Typesetter, top: Point, kind: Any) -> list[Node]:
    """Return a column of dots: all of few, or the first three, an omission, the last."""
    few = isinstance(size, int) and size <= MOST
    shown = [str(k) for k in range(size)] if few else ["0", "1", "2", "⋮", size_text(size - 1)]
    x, y = top
    found = []
    for k, index in enumerate(shown):
        line = (
            plain(index)
            if index == "⋮"
            else runs(setter.setting.notation.symbol(name.removesuffix("_prev")).tree(sub=(ts.Letter(index),)))
        )
        node = _dot(f"{id}-{index}", line, (x, y - PITCH * k), "more" if index == "⋮" else kind)
        found.append(node)
    return found


def _dot(id: str, line: Text | str, center: Point, kind: Any) -> Node:
    lines = (Line(line, 8.5),) if isinstance(line, tuple) else ()
    return Node(id, kind, center, SIDE, SIDE, lines, title=id)


def _line(a: Node, b: Node) -> Wire:
    start, end = (a.center[0] + a.width / 2, a.center[1]), (b.center[0] - b.width / 2, b.center[1])
    return Wire(a.id, b.id, f"{a.id}-{b.id}", (start, end), flow="weight", arrow=False)


def _carried(program: Program, count: str, returns: bool) -> str:
    """Return how many parameters there are and where: on the lines into the layer, and within it."""
    inner, outer, units = (
        program.symbols[name].shape[0] for name in (program.inputs[0].name, program.states[0], program.states[-1])
    )
    total = expand(program.parameter_count())
    each, other = total.coeff(inner * units), total.coeff(outer * units)
    alike = each == other if returns else other == 0
    if not (inner != outer == units and alike and each.is_Integer and each > 0):
        return f"{count} parameters: weights on the lines into the layer, the others within it"
    seen = inner + outer if returns else inner
    rest = ", the others within it" if expand(total - each * units * seen) != 0 else ""
    return f"{count} parameters: {counted(each, 'weight')} on every line into the layer{rest}"


def _way_back(unit: Node, entry: Node, floor: float) -> Wire:
    """Return the wire from a unit round below the layer to its entry of the step after; all share one trunk."""
    start, end = (unit.center[0] + SIDE / 2, unit.center[1]), (entry.center[0] - SIDE / 2, entry.center[1])
    right, left = unit.center[0] + ASIDE, entry.center[0] - ASIDE
    way = (start, (right, start[1]), (right, floor), (left, floor), (left, end[1]), end)
    return Wire(unit.id, entry.id, "h", way)


def _moved(nodes: list[Node], middle: float) -> list[Node]:
    """Centre a column of dots around a height."""
    shift = middle - (nodes[0].center[1] + nodes[-1].center[1]) / 2
    return [replace(n, center=(n.center[0], n.center[1] + shift)) for n in nodes]


def _beside_output(first: Node, low: Point, returns: bool) -> Point:
    """Return where the output's name begins: right of its way back below the layer, or right of the layer."""
    return (REACH + ASIDE + 6, low[1] - 14) if returns else (REACH + 68, first.center[1] + 14)


def _centred(text: Text, at: Point, of: str) -> Label:
    return Label(of, text, at, 10.0)
