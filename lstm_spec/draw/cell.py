"""The view of a cell: read from the Program, placed by role, routed, labelled; tried with more room until all fits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lstm_spec.draw.compose import kinds_in, labelled, legend, note, text_node, wires_of
from lstm_spec.draw.graph import Graph
from lstm_spec.draw.lattice import STEP
from lstm_spec.draw.place import TERMINAL, Plan, plan
from lstm_spec.draw.read import read
from lstm_spec.draw.room import Room, wider
from lstm_spec.draw.route import RoutingError, route
from lstm_spec.draw.scene import Flow, Label, Line, Node, Panel, Scene
from lstm_spec.draw.text import Text, Typesetter, characters, plain, width, with_shape
from lstm_spec.draw.words import count_text, display_name
from lstm_spec.spec.notation import text
from lstm_spec.spec.program import Program

LEGEND = ("layer", "vector", "product", "concat", "split", "joint", "state")
SLACKS, LAST_RESORTS = (0, 1, 2, 3), (6, 7)
"""Extra lattice lines to try, and those that are tried only where there is no way with fewer."""

DESPERATE = LAST_RESORTS[-1]
"""With this much room wires may meet as they should not: an ugly picture is better than none."""

WIDENINGS = 2
"""How often columns are moved apart for labels before more room is given everywhere."""

TOLERATED, HOPELESS = 1, 8
"""Other orders of the layers are tried for crossings above the first number and up to the second."""
ORDER, TITLE, COUNT = 8.5, 12.0, 9.0
"""Font sizes in points: the order of a concatenation, the cell's name, its number of parameters."""


@dataclass(frozen=True)
class Attempt:
    """One way to draw a cell, what is wrong with it (labels without room, then crossings, then length of wire), and
    the room that its labels need."""

    scene: Scene
    faults: tuple[int, int, float]
    needed: Room


def cell_scene(program: Program, setter: Typesetter, sizes: Mapping[Any, int]) -> Scene:
    """Return the picture of one step of a cell."""
    graph = read(program, setter, dict(sizes))
    names = {name: setter.symbol(name) for name in program.symbols}
    return best_scene(graph, lambda room: _attempt(program, graph, names, setter, sizes, room), program.name)


def best_scene(graph: Graph, attempt: Callable[[Room], "Attempt | None"], name: str) -> Scene:
    """Return the first picture with room for every label; where wires cross, the best order of neighbouring layers.

    attempt: draws with some room. Raises RoutingError where no picture is found.
    """
    found: Attempt | None = None
    for slack in (*SLACKS, *LAST_RESORTS):
        if found is not None and slack in LAST_RESORTS:
            break
        tried = _fitted(attempt, Room(slack))
        if tried is None:
            continue
        if found is None or tried.faults < found.faults:
            found = tried
        elif found.faults[1] > HOPELESS or slack > 2:
            break
        if tried.faults[0] == 0:
            worth = TOLERATED < tried.faults[1] <= HOPELESS
            others = [_fitted(attempt, Room(slack, layers)) for layers in orders(graph)] if worth else []
            return min((tried, *filter(None, others)), key=lambda a: a.faults[:2]).scene
    if found is None:
        raise RoutingError(f"{name} is too crowded to be drawn")
    return found.scene


def _fitted(attempt: Callable[[Room], "Attempt | None"], room: Room) -> "Attempt | None":
    """Return the best attempt in a room and in those whose columns are moved apart for its labels, while that helps."""
    best = attempt(room)
    for _ in range(WIDENINGS):
        if best is None or not best.faults[0] or best.needed == room:
            break
        room = best.needed
        tried = attempt(room)
        if tried is None or tried.faults[0] >= best.faults[0]:
            break
        best = tried
    return best


def orders(graph: Graph) -> list[tuple[str, ...]]:
    """Return other orders of the learned layers than that of the equations: each has two neighbours exchanged."""
    layers = tuple(op.id for op in graph.ops if op.kind == "layer")
    if not 2 < len(layers) < 6:
        return []
    return [(*layers[:k], layers[k + 1], layers[k], *layers[k + 2 :]) for k in range(len(layers) - 1)]


def _attempt(
    program: Program,
    graph: Graph,
    names: Mapping[str, Text],
    setter: Typesetter,
    sizes: Mapping[Any, int],
    room: Room,
) -> Attempt | None:
    title = plain(display_name(program.name))
    count = plain(f"{count_text(program, sizes)} parameters", dim=True)
    heading = width(title, TITLE) + width(count, COUNT) + 24
    layout = plan(graph, names, room, heading=heading)
    try:
        trees = route(layout.board, layout.spots, layout.nets, strict=room.slack < DESPERATE)
    except RoutingError:
        return None
    nodes = _nodes(program, graph, layout)
    rails = {v for rail in graph.rails for v in (*rail, graph.rail_start(rail))}
    flows: dict[str, Flow] = {value: "state" if value in rails else "value" for value in trees}
    drawn = wires_of(trees, {n.id: n for n in nodes}, flows)
    (x0, y0), (x1, y1) = ((STEP * x, STEP * y) for x, y in layout.frame)
    head = note(title, x0 + 10, y1 - 13, TITLE)
    panel = Panel("cell", (x0, y0), (x1, y1), head)
    notes = [_order_note(op.id, op.glyph, layout) for op in graph.ops if op.kind == "concat"]
    below = min(n.center[1] - n.height / 2 for n in nodes) - 16
    items = legend(kinds_in(nodes, drawn, LEGEND), x0, below, x1)
    counted = note(count, head.center[0] + head.width / 2 + 12, y1 - 13, COUNT, "parameters")
    scene = Scene(
        name=program.name,
        title=f"{display_name(program.name)} cell",
        description="; ".join(f"{text(d.symbol)} = {text(d.expression)}" for d in program),
        nodes=tuple(nodes),
        wires=drawn.wires,
        joints=drawn.joints,
        labels=(*notes, counted),
        panels=(panel,),
        legend=items,
    )
    labels = [(value, [(_label(graph, value, names),)]) for value in trees]
    scene, missing = labelled(scene, labels)
    crossings = sum(len(wire.hops) for wire in scene.wires)
    length = sum(tree.length for tree in trees.values())
    return Attempt(scene, (len(missing), crossings, length), wider(room, layout.columns, missing))


def _label(graph: Graph, value: str, names: Mapping[str, Text]) -> Text:
    """Return a value's symbol and dimension; what comes from outside has its symbol at its end already."""
    op = graph.by_id.get(value)
    if op is None:
        return with_shape((), graph.shapes[value])
    return with_shape(names[value] if op.named else (), op.shape)


def _order_note(id: str, order: Text, layout: Plan) -> Label:
    spot = layout.spots[id]
    return Label("", order, (spot.x * STEP, (spot.y + spot.half_height) * STEP + 7), ORDER)


def _nodes(program: Program, graph: Graph, layout: Plan) -> list[Node]:
    formulas = {d.name: str(d) for d in program}
    nodes = []
    for op in graph.ops:
        box, spot = layout.boxes[op.id], layout.spots[op.id]
        title = "\n".join(formulas[name] for name in op.equations)
        nodes.append(text_node(op.id, op.look, spot, box.lines, op.equation, title))
    for id, line in layout.terminals.items():
        nodes.append(text_node(id, "terminal", layout.spots[id], (Line(line, TERMINAL),), title=characters(line)))
    return nodes
