"""The view of the backward pass: the cell with every wire reversed, so that copies become sums and sums copies.

Places and ways are those of the cell; factors, boxes and names are read from the equations of the backward Program.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from lstm_spec.calculus.adjoint import backward
from lstm_spec.draw.cell import DESPERATE, TITLE, Attempt, best_scene
from lstm_spec.draw.compose import Drawn, corners, directions, kinds_in, labelled, legend, note, point, text_node
from lstm_spec.draw.gradients import Gradients
from lstm_spec.draw.graph import Graph, Op
from lstm_spec.draw.label import Wording
from lstm_spec.draw.lattice import Tree, Vertex
from lstm_spec.draw.place import TERMINAL, Plan, plan
from lstm_spec.draw.read import read
from lstm_spec.draw.room import Room, wider
from lstm_spec.draw.route import RoutingError, route
from lstm_spec.draw.scene import Flow, Line, Node, Panel, Scene, Wire
from lstm_spec.draw.text import Choice, Text, characters, halves, plain, typesetter, width, with_shape
from lstm_spec.draw.words import display_name
from lstm_spec.spec.notation import text
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

LEGEND = ("layer", "product", "sum", "split", "joint", "state_gradient", "gradient")
SUM, COPY = 13.0, 4.8
"""Diameters in points of a sum of gradients and of a copy."""


def backward_scene(program: Program, notation: Choice, sizes: Mapping[Any, int]) -> Scene:
    """Return the picture of the backward pass of one step. program: a cell, or its backward Program."""
    back = program if program.derivation == "backward" else backward(program)
    assert back.origin is not None
    arriving = frozenset(s.name for pair in back.carried for s in pair)
    setter = typesetter(back.shared, back.symbols, notation, arriving, sizes)
    gradients = Gradients(back, setter, sizes)
    graph = read(back.origin, setter, dict(sizes))
    return best_scene(graph, lambda room: _attempt(gradients, graph, room), back.name)


def _attempt(g: Gradients, graph: Graph, room: Room) -> Attempt | None:
    names = {value: g.setter.symbol(g.name(value)) for value in g.forward.symbols if g.name(value) in g.back.symbols}
    names = {**{value: plain("0") for value in g.forward.symbols}, **names}
    names |= {f"{state}-out": g.setter.symbol(adjoint) for state, adjoint in g.arriving.items()}
    names |= {f"{value}-top": g.setter.symbol(adjoint) for value, adjoint in g.external.items()}
    layout = plan(
        graph,
        names,
        replace(room, slack=room.slack + 1),
        margin=4,
        heading=width(_title(g), TITLE),
        dress=lambda op: _dressed(op, g, graph),
    )
    try:
        trees = route(layout.board, layout.spots, layout.nets, strict=room.slack + 1 < DESPERATE)
    except RoutingError:
        return None
    sketch = _Sketch(g, graph, layout, trees)
    sketch.draw()
    scene, missing = labelled(sketch.scene(), sketch.labels)
    faults = len(missing), sum(len(w.hops) for w in scene.wires), sum(t.length for t in trees.values())
    return Attempt(scene, faults, wider(room, layout.columns, missing))


def _dressed(op: Op, g: Gradients, graph: Graph) -> Op:
    """Return what an operation shows on the way back: derivatives in place of functions, transposed parameters."""
    if op.kind == "function":
        return replace(op, glyph=_derivative(op.glyph))
    if op.kind != "layer":
        return op
    inside = (*op.statistics, graph.inner(op))
    rows: list[Text] = []
    for value in (*op.absorbs, *reversed(op.statistics)):
        if g.name(value) in g.adjoints:
            rows.append(g.row(g.adjoints[g.name(value)]))
    for value in dict.fromkeys(op.operands):
        rows += [g.weight(term) for inner in inside for term in g.terms(value, inner)]
    rows += [g.row(equation) for equation in g.of_parameters(op.parameters)]
    glyph = _derivative(op.glyph) if op.glyph and op.parameters else op.glyph
    return replace(op, rows=tuple(dict.fromkeys(rows)) or (plain("·"),), glyph=glyph)


def _derivative(glyph: Text) -> Text:
    """Return how the derivative of a function is written."""
    name = characters(glyph)
    known = {"1−": "−", "1+": "=", "ᵀ": "ᵀ"}.get(name)
    if known or not any(map(str.isalpha, name)):
        return plain(known or name)
    return (*plain("("), *glyph, *plain(")′")) if " " in name else (*glyph, *plain("′"))


@dataclass
class _Sketch:
    """The parts of the picture while the trees are turned around one by one."""

    g: Gradients
    graph: Graph
    layout: Plan
    trees: Mapping[str, Tree]
    nodes: dict[str, Node] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    labels: list[tuple[str, list[Wording]]] = field(default_factory=list)

    def draw(self) -> None:
        for op in self.graph.ops:
            self.nodes[op.id] = self._node(op)
        for id, line in self.layout.terminals.items():
            spot = self.layout.spots[id]
            self.nodes[id] = text_node(f"d-{id}", "terminal", spot, (Line(line, TERMINAL),), title=characters(line))
        upright, level = directions(self.trees.values())
        for value, tree in self.trees.items():
            self._turn(value, tree, upright, level)

    def _node(self, op: Op) -> Node:
        box, spot = self.layout.boxes[op.id], self.layout.spots[op.id]
        inside = [self.g.name(value) for value in (*op.statistics, self.graph.inner(op))]
        said = [self.g.adjoints[name] for name in inside if name in self.g.adjoints]
        lines = box.lines
        kind: Any = "split" if op.kind == "concat" else "concat" if op.kind == "split" else op.look
        node = text_node(f"d-{op.id}", kind, spot, lines, said[-1].name if said else "", "\n".join(map(str, said)))
        if op.kind == "sum":
            return replace(node, kind="copy", width=COPY, height=COPY, lines=())
        return node

    def _turn(self, value: str, tree: Tree, upright: set[tuple[str, Vertex]], level: Mapping[Vertex, str]) -> None:
        """Add the wires of a value's adjoint: from its readers through sums, where it was copied, to its maker."""
        adjoint = self.g.name(value) if value in self.g.forward.symbols else ""
        readers = self._readers(value, tree)
        joints = _forks(tree)
        sums = {v: f"{adjoint or value}-sum{k}" for k, v in enumerate(joints)}
        for v, id in sums.items():
            equation = self.g.adjoints.get(adjoint)
            line = Line(plain("+", bold=True), 10.0)
            self.nodes[id] = Node(id, "sum", point(v), SUM, SUM, (line,), adjoint, str(equation or "sum of gradients"))
        ends: dict[Vertex, list[tuple[str, Text, str]]] = {}
        for branch, reader in zip(tree.branches, readers, strict=True):
            ends.setdefault(branch.path[-1], []).append(reader)
        rail = any(value in (*r, self.graph.rail_start(r)) for r in self.graph.rails)
        flow: Flow = "state_gradient" if rail else "gradient"
        number = 0
        for branch in tree.branches:
            for piece in _pieces(branch.path, set(joints)):
                first, last = piece[0], piece[-1]
                source = sums.get(last) or ends[last][0][0]
                factor, use = ((), "") if last in sums else ends[last][0][1:]
                target = sums.get(first) or value
                final = first not in sums
                name = (adjoint or f"d-{value}") if final else f"{adjoint or value}.{number}"
                number += 1
                hops = tuple(point(v) for v in piece[1:-1] if (value, v) in upright and level.get(v, value) != value)
                points = corners(piece[::-1], self.nodes[source], self.nodes[target])
                arrow = self.nodes[target].kind != "copy"
                self.wires.append(
                    Wire(self.nodes[source].id, self.nodes[target].id, name, points, hops, (), flow, arrow, title=use)
                )
                wordings = self._wordings(value, adjoint, factor, final)
                if wordings:
                    self.labels.append((name, wordings))

    def _wordings(self, value: str, adjoint: str, factor: Text, final: bool) -> list[Wording]:
        """Return what a wire may say: the factor on its way, or its name; with both, all of its equation."""
        outside = value not in self.graph.by_id
        if outside or not final or adjoint not in self.g.back.symbols:
            return _wordings(factor)
        # A name beside a factor would read as their product.
        said = self.g.row(self.g.adjoints[adjoint]) if factor else self.g.setter.symbol(adjoint)
        shape = evaluate_shape(self.g.back.symbols[adjoint].shape, dict(self.g.sizes))
        return [(with_shape(said, shape),), *_wordings(said)]

    def _readers(self, value: str, tree: Tree) -> list[tuple[str, Text, str]]:
        """Return for every branch the node it comes from, the factor on its way, and the use in the equations."""
        taken: Counter[str] = Counter()
        found: list[tuple[str, Text, str]] = []
        for branch in tree.branches:
            id = branch.sink.spot
            op = self.graph.by_id.get(id)
            if op is None:
                arrives = self.g.arriving if id.endswith("-out") else self.g.external
                arriving = self.g.back.symbols.get(arrives.get(value, ""))
                said = f"{arriving.name} → {self.g.name(value)}: {text(arriving)}" if arriving is not None else ""
                found.append((id, (), said))
                continue
            within = self.graph.inner(op)
            terms = [term for inner in (*op.statistics, within) for term in self.g.terms(value, inner)]
            reading = [o.id for o in self.graph.readers(value) if self.graph.inner(o) == within]
            if op.kind != "layer" or len(reading) > 1:
                # Branches come in the order of their ways, terms in the order of the uses in the expression.
                position = reading.index(id) + taken[id]
                taken[id] += 1
                terms = terms[position : position + 1]
            factor = self.g.factor(terms[0]) if terms and op.kind != "layer" else ()
            uses = [f"{term.adjoint} → {self.g.name(value)}: {text(term.expression)}" for term in terms]
            found.append((id, factor, "\n".join(uses)))
        return found

    def scene(self) -> Scene:
        g, (low, high) = self.g, self.layout.frame
        (x0, y0), (x1, y1) = point(low), point(high)
        title = note(_title(g), x0 + 10, y1 - 13, TITLE)
        nodes = tuple(self.nodes.values())
        below = min(n.center[1] - n.height / 2 for n in nodes) - 16
        drawn = Drawn(tuple(self.wires), ())
        return Scene(
            name=g.back.name,
            title=f"backward pass of the {display_name(g.forward.name)} cell",
            description="; ".join(f"{text(d.symbol)} = {text(d.expression)}" for d in g.back.derived),
            nodes=nodes,
            wires=tuple(self.wires),
            panels=(Panel("backward", (x0, y0), (x1, y1), title),),
            legend=legend(kinds_in(nodes, drawn, LEGEND), x0, below, x1),
        )


def _wordings(said: Text) -> list[Wording]:
    """Return a text in one line, or in two where it is a product."""
    parts = halves(said)
    return [wording for wording in ((said,), parts) if wording and said]


def _title(g: Gradients) -> Text:
    return plain(f"{display_name(g.forward.name)}: gradients of one step")


def _forks(tree: Tree) -> list[Vertex]:
    """Return the vertices where a tree branches, the one nearest to its source first."""
    seen: dict[Vertex, set[Vertex]] = {}
    for branch in tree.branches:
        for v, w in zip(branch.path, branch.path[1:], strict=False):
            seen.setdefault(v, set()).add(w)
            seen.setdefault(w, set()).add(v)
    return [v for v, around in seen.items() if len(around) > 2]


def _pieces(path: tuple[Vertex, ...], joints: set[Vertex]) -> list[tuple[Vertex, ...]]:
    """Cut a path at the joints inside it."""
    cuts = [0, *(k for k in range(1, len(path) - 1) if path[k] in joints), len(path) - 1]
    return [path[a : b + 1] for a, b in pairwise(cuts)]
