"""From a routed plan to a scene: boxes with their text, wires with joints and hops, labels, panel and legend."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lstm_spec.draw.label import Lack, Rect, Wording, box, place_labels
from lstm_spec.draw.lattice import STEP, Spot, Tree, Vertex
from lstm_spec.draw.scene import Flow, Joint, Label, LegendItem, Line, Node, Point, Scene, Wire
from lstm_spec.draw.text import Text, plain, width

BAR = 4.0
"""Width of the bar of a concatenation in points."""

LEGEND_SIZE = 8.5
SAMPLES: Mapping[str, str] = {
    "layer": "learned layer",
    "neuron": "neuron: weighted sum, then activation",
    "product": "elementwise operation",
    "sum": "gradients add, where the value was copied",
    "concat": "concatenation",
    "split": "split",
    "joint": "copy",
    "entry": "one entry of a vector",
    "vector": "what is given or computed without parameters",
    "cell": "a whole cell, one step",
    "state": "state along its rail",
    "value": "vector",
    "state_gradient": "gradient along the state",
    "gradient": "gradient",
    "weight": "one weight",
}


SAMPLE_SIZES = {"concat": (4, 14), "split": (4, 14), "product": (13, 13), "neuron": (13, 13), "sum": (12, 12)}
"""Width and height in points of the samples that are no box of 22×12."""
SAMPLE_SIGNS = {"sum": Line(plain("+", bold=True), 9.0)}
"""What a sample shows that would look like another without it."""


@dataclass(frozen=True)
class Drawn:
    """Wires and joints on the page, and how many crossings they have."""

    wires: tuple[Wire, ...]
    joints: tuple[Joint, ...]


def point(v: Vertex) -> Point:
    """Return a lattice vertex in points."""
    return float(v[0] * STEP), float(v[1] * STEP)


def node_size(spot: Spot, kind: str) -> tuple[float, float]:
    """Return the drawn width and height of a spot in points."""
    wide, high = 2.0 * spot.half_width * STEP, 2.0 * spot.half_height * STEP
    if kind in ("concat", "split"):
        return (BAR, high) if high >= wide else (wide, BAR)
    return wide, high


def wires_of(trees: Mapping[str, Tree], nodes: Mapping[str, Node], flows: Mapping[str, Flow]) -> Drawn:
    """Return the trees as wires with hops where a vertical one crosses, and joints where one branches."""
    upright, level = directions(trees.values())
    wires, joints = [], []
    for value, tree in trees.items():
        flow = flows.get(value, "value")
        ends: dict[Vertex, set[Vertex]] = {}
        for branch in tree.branches:
            for v, w in zip(branch.path, branch.path[1:], strict=False):
                ends.setdefault(v, set()).add(w)
                ends.setdefault(w, set()).add(v)
        forks = tuple(point(v) for v, around in ends.items() if len(around) > 2)
        joints += [Joint(at, value, flow) for at in forks]
        for number, branch in enumerate(tree.branches):
            hops = tuple(point(v) for v in branch.path[1:-1] if (value, v) in upright and level.get(v, value) != value)
            target = nodes[branch.sink.spot]
            points = corners(branch.path, nodes[tree.net.source] if number == 0 else None, target)
            wires.append(
                Wire(tree.net.source, target.id, value, points, hops, forks, flow, target.kind != "more", title=value)
            )
    return Drawn(tuple(wires), tuple(joints))


def directions(trees: Iterable[Tree]) -> tuple[set[tuple[str, Vertex]], dict[Vertex, str]]:
    """Return where each value runs straight up or down, and which value runs straight across a vertex."""
    upright: set[tuple[str, Vertex]] = set()
    level: dict[Vertex, str] = {}
    for tree in trees:
        for branch in tree.branches:
            for u, v, w in zip(branch.path, branch.path[1:], branch.path[2:], strict=False):
                if u[0] == v[0] == w[0]:
                    upright.add((tree.net.value, v))
                elif u[1] == v[1] == w[1]:
                    level[v] = tree.net.value
    return upright, level


def corners(path: Sequence[Vertex], source: Node | None, target: Node) -> tuple[Point, ...]:
    """Return the corners of a path, its ends moved from the lattice to the drawn borders."""
    kept = [path[0]]
    for u, v, w in zip(path, path[1:], path[2:], strict=False):
        if (u[0] == v[0]) != (v[0] == w[0]):
            kept.append(v)
    points = [point(v) for v in (*kept, path[-1])]
    if source is not None:
        points[0] = on_border(points[0], points[1], source)
    points[-1] = on_border(points[-1], points[-2], target)
    return tuple(points)


def on_border(end: Point, inner: Point, node: Node) -> Point:
    """Return the end of a wire moved to the border of the node it meets, as drawn."""
    (x, y), (cx, cy) = end, node.center
    if inner[1] == y and inner[0] != x:
        return (cx + (node.width / 2 if inner[0] > cx else -node.width / 2), y)
    return (x, cy + (node.height / 2 if inner[1] > cy else -node.height / 2))


def legend(
    items: Sequence[str], left: float, y: float, right: float, said: Mapping[str, str] = SAMPLES
) -> tuple[LegendItem, ...]:
    """Return the samples in rows from the left, each with its meaning."""
    found: list[LegendItem] = []
    x = left
    for item in items:
        text = plain(said[item], dim=True)
        wide = width(text, LEGEND_SIZE)
        if x > left and x + 30 + wide > right:
            x, y = left, y - 18
        label = note(text, x + 30, y, LEGEND_SIZE)
        found.append(LegendItem(item, (x + 11, y), label))  # type: ignore[arg-type]
        x += 30 + wide + 16
    return tuple(found)


def sample_node(item: LegendItem, id: str = "") -> Node:
    """Return the sample of a role as a node."""
    wide, high = SAMPLE_SIZES.get(item.sample, (22, 12))
    lines = (SAMPLE_SIGNS[item.sample],) if item.sample in SAMPLE_SIGNS else ()
    return Node(id, item.sample, item.at, wide, high, lines)  # type: ignore[arg-type]


def note(text: Text, left: float, y: float, size: float = 10.0, of: str = "") -> Label:
    """Return a label that begins at a given abscissa."""
    return Label(of, text, (left + width(text, size) / 2, y), size, flush=True)


def kinds_in(nodes: Sequence[Node], drawn: Drawn, order: Sequence[str]) -> list[str]:
    """Return the legend items of what a picture really contains, in a given order."""
    names = {"function": "product", "copy": "joint", "sum": "sum" if "sum" in order else "product"}
    kinds = {names.get(n.kind, n.kind) for n in nodes}
    present = {*kinds, *(w.flow for w in drawn.wires), *(["joint"] if drawn.joints else [])}
    return [item for item in order if item in present]


def labelled(
    scene: Scene, texts: Sequence[tuple[str, Sequence[Wording]]], taken: Sequence[Rect] = ()
) -> tuple[Scene, list[Lack]]:
    """Return the scene with a label for every (value, wordings), and those that found no room.

    taken: where no label may stand, beside what the scene has.
    """
    titles = [p.title for p in scene.panels if p.title is not None]
    fixed = [*taken, *map(box, (*scene.labels, *titles))]
    placed, missing = place_labels(texts, scene.wires, scene.joints, scene.nodes, scene.panels, fixed)
    return replace(scene, labels=(*scene.labels, *placed)), missing


def extent(scene: Scene) -> tuple[Point, Point]:
    """Return the lower left and upper right corner of everything, in points."""
    rects = [box(label) for label in (*scene.labels, *(i.label for i in scene.legend))]
    xs = [x for r in rects for x in (r.left, r.right)] + [x for w in scene.wires for x, _ in w.points]
    ys = [y for r in rects for y in (r.low, r.high)] + [y for w in scene.wires for _, y in w.points]
    for n in scene.nodes:
        xs += [n.center[0] - n.width / 2, n.center[0] + n.width / 2]
        ys += [n.center[1] - n.height / 2, n.center[1] + n.height / 2]
    for p in scene.panels:
        xs += [p.low[0], p.high[0]]
        ys += [p.low[1], p.high[1]]
    for item in scene.legend:
        xs.append(item.at[0] - 12)
    return (min(xs), min(ys)), (max(xs), max(ys))


def text_node(id: str, kind: str, spot: Spot, lines: tuple[Line, ...], equation: str = "", title: str = "") -> Node:
    """Return the node of a spot."""
    wide, high = node_size(spot, kind)
    return Node(id, kind, point((spot.x, spot.y)), wide, high, lines, equation, title)  # type: ignore[arg-type]
