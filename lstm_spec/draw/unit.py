"""The view of one unit: what a layer's picture hides, that every neuron sees all entries and a unit is never alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sympy import cancel

from lstm_spec.draw.cell import DESPERATE, TITLE, Attempt, best_scene
from lstm_spec.draw.columns import is_hidden
from lstm_spec.draw.compose import kinds_in, labelled, legend, note, point, text_node, wires_of
from lstm_spec.draw.fan import ENTRY, UNIT, Group, fans
from lstm_spec.draw.graph import Graph, Op
from lstm_spec.draw.label import Rect
from lstm_spec.draw.place import TERMINAL, plan
from lstm_spec.draw.read import read
from lstm_spec.draw.room import Room, wider
from lstm_spec.draw.route import RoutingError, route
from lstm_spec.draw.scene import Flow, Label, Line, Panel, Scene
from lstm_spec.draw.text import Text, Typesetter, characters, plain, width, with_shape
from lstm_spec.draw.words import count_text, counted, display_name, number_text
from lstm_spec.spec.names import size_text
from lstm_spec.spec.notation import text
from lstm_spec.spec.program import Program

LEGEND = ("neuron", "product", "joint", "state", "weight")
DEPTH = 84.0
"""How far the entries are below the unit, in points."""

_WORDS = ("no", "one", "two", "three", "four", "five", "six")


def unit_scene(program: Program, setter: Typesetter, sizes: Mapping[Any, int]) -> Scene:
    """Return the picture of unit k of a layer."""
    whole = read(program, setter, dict(sizes))
    groups = _groups(program, whole, setter)
    own = _own(whole, {g.value for g in groups})
    return best_scene(own, lambda room: _attempt(program, own, whole, groups, setter, sizes, room), program.name)


def _neurons(graph: Graph) -> list[Op]:
    """Return the layers of which this unit has one neuron each: not those that feed a layer or the outside."""
    layers = [o for o in graph.ops if o.kind == "layer" and not is_hidden(graph, o)]
    return [o for o in layers if not _projects(graph, o) and not _masks(graph, o)]


def _masks(graph: Graph, op: Op) -> bool:
    """Tell whether a layer mixes nothing and is only seen whole, as an input with some entries dropped."""
    single = [r for r in graph.readers(op.id) if r.kind != "concat" and op.id not in graph.mixed(r)]
    return not op.mixes and not single and op.id not in graph.leaving


def _projects(graph: Graph, op: Op) -> bool:
    made = [graph.by_id.get(value) for value in graph.mixed(op)]
    return not graph.readers(op.id) and any(o is not None and o.kind == "product" for o in made)


def _groups(program: Program, graph: Graph, setter: Typesetter) -> list[Group]:
    values = dict.fromkeys(value for op in _neurons(graph) for value in graph.mixed(op))
    hidden = program.symbols[program.states[-1]].shape[0]
    found = []
    for value in values:
        op = graph.by_id.get(value)
        shape = graph.shapes[value] if op is None else op.shape
        written = setter.symbol(value) if value in program.symbols else _anonymous(graph, value, setter)
        units = value not in graph.inputs and (
            value not in program.symbols or program.symbols[value].shape[0] == hidden
        )
        found.append(Group(value, written, shape[0], units))
    return sorted(found, key=lambda g: not g.is_units)


def _anonymous(graph: Graph, value: str, setter: Typesetter) -> Text:
    """Return how a value without a name is written, such as r∘h'."""
    op = graph.by_id[value]
    parts = [setter.symbol(o) if o in graph.shapes else plain("·") for o in op.operands]
    sign = {"×": "∘"}.get(characters(op.glyph), characters(op.glyph))
    joined: Text = parts[0] if parts else ()
    for part in parts[1:]:
        joined = (*joined, *plain(sign), *part)
    return joined


def _own(graph: Graph, groups: set[str]) -> Graph:
    """Return the scalar part of the graph: the neurons without what they see whole, and the operations between them."""
    neurons = {o.id for o in _neurons(graph)}
    ops = []
    for op in graph.ops:
        if op.id in neurons:
            kept = tuple(o for k, o in enumerate(op.operands) if k not in op.mixes)
            ops.append(replace(op, operands=kept, mixes=()))
        elif op.kind not in ("layer", "concat", "split"):
            ops.append(op)
    made = {op.id for op in ops}
    read_ = {o for op in ops for o in op.operands}
    outputs = [o for o in graph.outputs if o in made]
    emitted = [
        v for v in groups if v in made and v not in {a for _, a in graph.states} and graph.by_id[v].kind != "layer"
    ]
    dropped = [o.operands[k] for o in graph.ops if o.kind == "layer" and o.id not in neurons for k in o.mixes]
    leaving = dict.fromkeys([*outputs, *(v for v in dropped if v in made)])
    return Graph(
        ops=tuple(ops),
        inputs=tuple(i for i in graph.inputs if i in read_),
        # What this unit hands to the others within the step leaves like a state that nobody sent.
        states=(*((b, a) for b, a in graph.states if b in read_ and a in made), *(("", v) for v in sorted(emitted))),
        outputs=tuple(leaving),
        shapes=graph.shapes,
        flat=True,
    )


def _attempt(
    program: Program,
    own: Graph,
    whole: Graph,
    groups: Sequence[Group],
    setter: Typesetter,
    sizes: Mapping[Any, int],
    room: Room,
) -> Attempt | None:
    single = replace(setter, unit=UNIT)
    names = {name: single.symbol(name) for name in program.symbols}
    names |= {op.id: _anonymous(whole, op.id, single) for op in own.ops if op.id not in names}
    names |= {f"{op.id}-{side}": names[op.id] for op in own.ops for side in ("top", "out")}
    heading = width(_title(program, own, sizes), TITLE)
    layout = plan(
        own,
        names,
        room,
        heading=heading,
        from_left=True,
        dress=lambda op: replace(op, kind="neuron") if op.kind == "layer" else op,
    )
    try:
        trees = route(layout.board, layout.spots, layout.nets, strict=room.slack < DESPERATE)
    except RoutingError:
        return None
    formulas = {d.name: str(d) for d in program}
    nodes = []
    for op in own.ops:
        kind = "neuron" if op.kind == "layer" else op.look
        title = "\n".join(formulas[name] for name in op.equations)
        nodes.append(text_node(op.id, kind, layout.spots[op.id], layout.boxes[op.id].lines, op.equation, title))
    for id, line in layout.terminals.items():
        nodes.append(text_node(id, "terminal", layout.spots[id], (Line(line, TERMINAL),), title=characters(line)))
    rails = {v for rail in own.rails for v in (*rail, own.rail_start(rail))}
    flows: dict[str, Flow] = {value: "state" if value in rails else "value" for value in trees}
    drawn = wires_of(trees, {n.id: n for n in nodes}, flows)
    (x0, y0), (x1, y1) = (point(v) for v in layout.frame)
    title_ = note(_title(program, own, sizes), x0 + 10, y1 - 13, TITLE)
    neurons = [n for n in nodes if n.kind == "neuron"]
    row = min([y0, *(n.center[1] - n.height / 2 for n in nodes if n.kind == "terminal")]) - DEPTH
    middle = (x0 + x1) / 2
    entries, lines, notes = fans(groups, neurons, whole, middle, row)
    said = _notes(program, whole, sizes, x0, row - ENTRY - 24)
    floor = min(label.center[1] for label in said) - 22
    scene = Scene(
        name=program.name,
        title=f"one unit of the {display_name(program.name)} layer",
        description="; ".join(f"{text(d.symbol)} = {text(d.expression)}" for d in program),
        nodes=tuple(nodes),
        wires=drawn.wires,
        joints=drawn.joints,
        labels=(),
        panels=(Panel("unit", (x0, y0), (x1, y1), title_),),
    )
    texts = [(value, [(with_shape(names[value] if _is_named(own, value) else (), (1, 1)),)]) for value in trees]
    fan = Rect(x0, row, x1, min(n.center[1] - n.height / 2 for n in neurons)) if neurons else None
    scene, missing = labelled(scene, texts, [fan] if fan else [])
    scene = replace(
        scene, nodes=(*scene.nodes, *entries), wires=(*lines, *scene.wires), labels=(*scene.labels, *notes, *said)
    )
    items = legend(kinds_in(scene.nodes, replace(drawn, wires=scene.wires), LEGEND), x0, floor, max(x1, x0 + 520))
    crossings = sum(len(w.hops) for w in scene.wires)
    under = sum(min(y for _, y in w.points) < fan.high for w in drawn.wires) if fan else 0
    faults = len(missing) + under, crossings, sum(t.length for t in trees.values())
    return Attempt(replace(scene, legend=items), faults, wider(room, layout.columns, missing))


def _is_named(graph: Graph, value: str) -> bool:
    return value in graph.by_id and graph.by_id[value].named


def _title(program: Program, own: Graph, sizes: Mapping[Any, int]) -> Text:
    count = sum(op.kind == "layer" for op in own.ops)
    memories = len(own.rails)
    units = size_text(_hidden(program, sizes))
    many = f"{_word(count)} neuron{'s' if count != 1 else ''}"
    kept = f" and {_word(memories)} scalar memor{'ies' if memories != 1 else 'y'}" if memories else ""
    return plain(f"unit {UNIT} of {units}: {many}{kept}")


def _word(count: int) -> str:
    return _WORDS[count] if count < len(_WORDS) else str(count)


def _hidden(program: Program, sizes: Mapping[Any, int]) -> Any:
    """Return the number of units: the size of the last state, which for a projected LSTM is its memory."""
    return program.symbols[program.states[-1]].shape[0].subs(dict(sizes))


def _notes(program: Program, whole: Graph, sizes: Mapping[Any, int], left: float, y: float) -> list[Label]:
    total = program.parameter_count()
    hidden = program.symbols[program.states[-1]].shape[0]
    each = cancel(total / hidden) if hidden.is_Symbol else None
    count = count_text(program, sizes)
    if each is None or each.as_numer_denom()[1].free_symbols:
        lines = [f"{count} parameters"]
    else:
        value = each.subs(dict(sizes))
        number = number_text(int(value)) if value.is_number else size_text(value)
        units = counted(hidden.subs(dict(sizes)), "unit")
        lines = [f"{number} parameters per unit, in {units}: {count} parameters"]
    if any(before in whole.seen_whole for before, _ in whole.states):
        state = program.states[0]
        lines.append(
            f"every unit needs all of {state} of the step before, so a unit alone cannot be unrolled; a layer can"
        )
    else:
        lines.append("every unit needs only its own state of the step before")
    return [
        note(plain(line, dim=True), left, y - 15 * k, 9.0, "parameters" if k == 0 else "")
        for k, line in enumerate(lines)
    ]
