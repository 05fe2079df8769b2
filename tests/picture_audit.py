"""Looks at pictures as a reader would: takes SVG and Graphviz's JSON apart again and says what is wrong with them.

It knows nothing of how pictures are placed and routed: positions, texts and ways are read back from the files, what has
to be there is taken from the Program.
"""

import html
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from sympy import BlockMatrix, MatAdd, MatrixSymbol, ZeroMatrix
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.draw.metrics import advance
from lstm_spec.spec.equation import names_in
from lstm_spec.spec.formula import Setting
from lstm_spec.spec.names import shape_text, size_text
from lstm_spec.spec.notation import text as text_of
from lstm_spec.spec.notations import NOTATIONS
from lstm_spec.spec.operators import Elementwise
from lstm_spec.spec.sizes import evaluate_shape
from lstm_spec.spec.typeset import plain

SVG = "{http://www.w3.org/2000/svg}"
BARE = {"terminal", "more", "label"}


@dataclass
class Rect:
    x0: float
    y0: float
    x1: float
    y1: float

    def overlap(self, other: "Rect", slack: float = 0.3) -> bool:
        return (
            self.x0 + slack < other.x1
            and other.x0 + slack < self.x1
            and self.y0 + slack < other.y1
            and other.y0 + slack < self.y1
        )

    def inside(self, p, slack: float = 0.6) -> bool:
        return self.x0 + slack < p[0] < self.x1 - slack and self.y0 + slack < p[1] < self.y1 - slack

    def distance(self, p) -> float:
        """From a point to the border."""
        dx, dy = max(self.x0 - p[0], 0, p[0] - self.x1), max(self.y0 - p[1], 0, p[1] - self.y1)
        if dx or dy:
            return math.hypot(dx, dy)
        return min(p[0] - self.x0, self.x1 - p[0], p[1] - self.y0, self.y1 - p[1])

    @property
    def center(self):
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass
class Node:
    id: str
    kind: str
    rect: Rect
    shape: str = ""
    equation: str = ""
    title: str = ""
    text: str = ""
    texts: list = field(default_factory=list)


@dataclass
class Wire:
    source: str
    target: str
    value: str
    flow: str
    pieces: list
    tip: tuple | None
    title: str = ""

    @property
    def points(self):
        """The way with curved pieces sampled."""
        found = [self.pieces[0][0]]
        for p0, p1, p2, p3 in self.pieces:
            if straight((p0, p1, p2, p3)):
                found.append(p3)
            else:
                for k in range(1, 9):
                    t = k / 8
                    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                    found.append(tuple(a * p0[i] + b * p1[i] + c * p2[i] + d * p3[i] for i in (0, 1)))
        return [*found, self.tip] if self.tip else found


@dataclass
class Drawing:
    nodes: dict
    wires: list
    labels: list
    joints: list
    panels: list
    sizes: list
    size: tuple
    text: str
    root: object = None


def straight(piece) -> bool:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = piece
    along = math.hypot(x3 - x0, y3 - y0)
    if along < 1e-6:
        return True
    off = (abs((x1 - x0) * (y3 - y0) - (y1 - y0) * (x3 - x0)), abs((x2 - x0) * (y3 - y0) - (y2 - y0) * (x3 - x0)))
    return max(off) / along < 0.05


# --- reading ----------------------------------------------------------------------------------------------------------


def read_svg(source: str) -> Drawing:
    root = ET.fromstring(source)
    _, _, wide, high = map(float, root.get("viewBox").split())
    nodes, wires, labels, joints, panels, sizes = {}, [], [], [], [], []
    for e in root.iter(f"{SVG}text"):
        sizes.append(float(e.get("font-size")))
        sizes.extend(float(t.get("font-size")) for t in e.iter(f"{SVG}tspan") if t.get("font-size"))
    for g in root.findall(f"{SVG}g"):
        classes = (g.get("class") or "").split()
        if "panel" in classes:
            panels.append(_rect(g.find(f"{SVG}rect")))
            labels.extend(_texts(g))
        elif "node" in classes:
            kind = next(c for c in classes if c not in ("node", "marked"))
            shape = g.find(f"{SVG}rect")
            shape = shape if shape is not None else g.find(f"{SVG}ellipse")
            texts = _texts(g)
            title = g.findtext(f"{SVG}title") or ""
            word = " ".join(t[0] for t in texts)
            name = shape.tag.removeprefix(SVG)
            nodes[g.get("id")] = Node(
                g.get("id"), kind, _rect(shape), name, g.get("data-equation") or "", title, word, texts
            )
        elif "wire" in classes:
            wires.append(_svg_wire(g, classes))
        elif "label" in classes or "legend" in classes:
            labels.extend(_texts(g))
    for c in root.findall(f"{SVG}circle"):
        joints.append(((float(c.get("cx")), float(c.get("cy"))), c.get("data-value")))
    text = " ".join("".join(t.itertext()) for t in root.iter(f"{SVG}text"))
    return Drawing(nodes, wires, labels, joints, panels, sizes, (wide, high), text, root)


def _rect(e) -> Rect:
    if e.tag == f"{SVG}ellipse":
        cx, cy, rx, ry = (float(e.get(k)) for k in ("cx", "cy", "rx", "ry"))
        return Rect(cx - rx, cy - ry, cx + rx, cy + ry)
    x, y, w, h = (float(e.get(k) or 0) for k in ("x", "y", "width", "height"))
    return Rect(x, y, x + w, y + h)


def _texts(g) -> list:
    """(text, box) of every line: the box of the letters, lowered and raised ones included."""
    found = []
    for t in g.iter(f"{SVG}text"):
        size, x, y = (float(t.get(k)) for k in ("font-size", "x", "y"))
        width = advance(t.text or "", size)
        low = high = shift = 0.0
        for span in t.findall(f"{SVG}tspan"):
            own = float(span.get("font-size") or size)
            shift += float(span.get("dy") or 0)
            width += advance(span.text or "", own, bold="b" in (span.get("class") or "").split())
            width += advance(span.tail or "", size)
            low, high = max(low, shift + 0.05 * own), min(high, shift - 0.72 * own)
        found.append(
            ("".join(t.itertext()), Rect(x - width / 2, y - 0.74 * size, x + width / 2, y + max(low, 0.18 * size)))
        )
    return found


def _svg_wire(g, classes) -> Wire:
    paths = g.findall(f"{SVG}path")
    numbers = [float(v) for v in re.findall(r"-?\d+\.?\d*", paths[0].get("d"))]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    pieces = [(points[k], *points[k + 1 : k + 4]) for k in range(0, len(points) - 1, 3)]
    tip = None
    if len(paths) > 1:
        numbers = [float(v) for v in re.findall(r"-?\d+\.?\d*", paths[1].get("d"))]
        tip = (numbers[0], numbers[1])
    flow = next(c for c in classes if c not in ("wire", "marked"))
    title = g.findtext(f"{SVG}title") or ""
    return Wire(g.get("data-from"), g.get("data-to"), g.get("data-value"), flow, pieces, tip, title)


def graphviz_json(source: str, layout: str = "nop2"):
    """Return (JSON of the picture as Graphviz lays it out, warnings) or None where there is no Graphviz."""
    if shutil.which("dot"):
        done = subprocess.run(["dot", "-Tjson"], input=source, text=True, capture_output=True, check=False)
        return json.loads(done.stdout), _warnings(done.stderr)
    try:
        from pygraphviz import AGraph
    except ImportError:
        return None
    with tempfile.TemporaryFile() as said:
        # Graphviz speaks on the process's own stderr, past Python's.
        sys.stderr.flush()
        own = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            data = json.loads(AGraph(string=source).draw(format="json", prog=layout))
        finally:
            os.dup2(own, 2)
            os.close(own)
        said.seek(0)
        return data, _warnings(said.read().decode(errors="replace"))


def _warnings(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.strip() and "Fontconfig" not in line]


def read_json(data) -> Drawing:
    nodes, wires, joints, panels = {}, [], [], []
    names = {}
    for o in data.get("objects", []):
        names[o["_gvid"]] = o["name"]
        if "bb" in o:
            x0, y0, x1, y1 = map(float, o["bb"].split(","))
            panels.append(Rect(x0, y0, x1, y1))
            continue
        if "pos" not in o:
            continue
        x, y = map(float, o["pos"].split(","))
        w, h = float(o["width"]) * 36, float(o["height"]) * 36
        kind = o.get("class", "label")
        if kind == "joint":
            joints.append(((x, y), o.get("tooltip", "")))
        elif o.get("style") != "invis":
            nodes[o["name"]] = Node(o["name"], kind, Rect(x - w, y - h, x + w, y + h), o.get("shape", ""))
    for e in data.get("edges", []):
        if names[e["tail"]].startswith("legend"):
            continue
        *prefix, spline = re.split(r"^e,(\S+) ", e["pos"])
        tip = tuple(map(float, prefix[1].split(","))) if len(prefix) > 1 else None
        points = [tuple(map(float, p.split(","))) for p in spline.split()]
        pieces = [(points[k], *points[k + 1 : k + 4]) for k in range(0, len(points) - 1, 3)]
        wires.append(Wire(names[e["tail"]], names[e["head"]], e.get("tooltip", ""), e.get("class", ""), pieces, tip))
    return Drawing(nodes, wires, [], joints, panels, [], (0, 0), "")


def untold(own: Drawing, data) -> list[str]:
    """The labels of a picture that Graphviz's has not."""
    parts = [*data.get("objects", []), *data.get("edges", [])]
    said = squeeze(html.unescape(re.sub("<[^>]*>", "", " ".join(p.get("label", "") for p in parts))))
    return [text for text, _ in own.labels if squeeze(text) not in said]


# --- geometry ---------------------------------------------------------------------------------------------------------


def geometry_faults(d: Drawing) -> list[str]:
    faults = []
    own = [n for n in d.nodes.values() if not n.id.startswith(("legend", "note"))]
    for k, a in enumerate(own):
        faults += [f"{a.id} overlaps {b.id}" for b in own[k + 1 :] if a.rect.overlap(b.rect)]
    for w in d.wires:
        others = [n for n in own if n.id not in (w.source, w.target)]
        dense = _dense(w.points)
        faults += [f"wire {w.source}→{w.target} runs through {n.id}" for n in others if any(map(n.rect.inside, dense))]
    faults += _direction_faults(d)
    return faults


def _dense(points) -> list:
    found = []
    for a, b in pairwise(points):
        steps = max(1, int(math.hypot(b[0] - a[0], b[1] - a[1]) / 2))
        found += [(a[0] + (b[0] - a[0]) * k / steps, a[1] + (b[1] - a[1]) * k / steps) for k in range(steps + 1)]
    return found


def _direction_faults(d: Drawing) -> list[str]:
    faults = []
    fans = {n.id for n in d.nodes.values() if n.kind in ("entry", "neuron", "cell")}
    for w in d.wires:
        fan = w.tip is None and w.source in fans and w.target in fans and len(w.pieces) == 1
        for piece in w.pieces:
            (x0, y0), (x1, y1) = piece[0], piece[3]
            upright = abs(x0 - x1) < 0.05 or abs(y0 - y1) < 0.05
            small = max(abs(x0 - x1), abs(y0 - y1)) < 6
            if not fan and not (upright if straight(piece) else small):
                faults.append(f"oblique piece in {w.source}→{w.target}")
        end = w.tip or w.pieces[-1][3]
        target = d.nodes[w.target].rect
        if target.distance(end) > 3:
            faults.append(f"wire {w.source}→{w.target} ends {target.distance(end):.1f} pt from its node")
        start = w.pieces[0][0]
        from_node = d.nodes[w.source].rect.distance(start) <= 3
        joined = any(math.dist(start, at) < 0.1 for at, _ in d.joints)
        if not from_node and not joined:
            faults.append(f"wire {w.source}→{w.target} starts in the air")
    return faults


def text_faults(d: Drawing) -> list[str]:
    faults = []
    for n in d.nodes.values():
        for text, box in n.texts:
            if box.x1 - box.x0 > n.rect.x1 - n.rect.x0 + (8 if n.kind in BARE else 0):
                faults.append(f"text {text!r} is wider than {n.id}")
            if n.kind not in BARE and box.y1 - box.y0 > n.rect.y1 - n.rect.y0:
                faults.append(f"text {text!r} is higher than {n.id}")
        boxes = [b for _, b in n.texts]
        if any(a.overlap(b, 1.5) for k, a in enumerate(boxes) for b in boxes[k + 1 :]):
            faults.append(f"lines of {n.id} overlap")
    drawn = list(d.nodes.values())
    for k, (text, box) in enumerate(d.labels):
        faults += [f"{text!r} overlaps {other!r}" for other, b in d.labels[k + 1 :] if box.overlap(b)]
        faults += [f"{text!r} overlaps node {n.id}" for n in drawn if box.overlap(n.rect)]
        for w in d.wires:
            if any(map(box.inside, _dense(w.points))):
                faults.append(f"wire {w.source}→{w.target} runs through {text!r}")
        faults += [f"{text!r} lies on a joint" for at, _ in d.joints if box.inside(at)]
        if not (box.x0 >= 0 and box.x1 <= d.size[0] and box.y0 >= 0 and box.y1 <= d.size[1]):
            faults.append(f"{text!r} leaves the page")
    return faults


def crossings(d: Drawing) -> tuple[int, list[str]]:
    """Return how many wires cross, and which cross without a hop: a pair of curved pieces around the place."""
    count, bare = 0, []
    legs = [(w, *leg) for w in d.wires if w.flow != "weight" for leg in _legs(w)]
    for k, (w, a, b) in enumerate(legs):
        for v, c, e in legs[k + 1 :]:
            if v.value == w.value or (v.source, v.target) == (w.source, w.target):
                continue
            at = _meet(a, b, c, e)
            if at is None or any(math.dist(at, j) < 1 for j, _ in d.joints):
                continue
            if any(n.rect.distance(at) < 1 or n.rect.inside(at) for n in d.nodes.values()):
                continue
            count += 1
            if not any(_hops(x, at) for x in (w, v)):
                bare.append(f"{w.source}→{w.target} crosses {v.source}→{v.target} without a hop")
    return count, bare


def _legs(w: Wire) -> list:
    """The straight runs of a wire, a hop bridged by the straight line under it."""
    runs = []
    for piece in w.pieces:
        a, b = piece[0], piece[3]
        if straight(piece) or (runs and abs(a[0] - b[0]) > 0.05 and abs(a[1] - b[1]) > 0.05 and _is_hop(w, piece)):
            runs.append((a, b))
    bridged = []
    for a, b in runs:
        if bridged and (abs(bridged[-1][0][0] - b[0]) < 0.05 or abs(bridged[-1][0][1] - b[1]) < 0.05):
            bridged[-1] = (bridged[-1][0], b)
        else:
            bridged.append((a, b))
    if w.tip:
        bridged.append((w.pieces[-1][3], w.tip))
    return [(a, b) for a, b in bridged if abs(a[0] - b[0]) < 0.05 or abs(a[1] - b[1]) < 0.05]


def _is_hop(w: Wire, piece) -> bool:
    k = w.pieces.index(piece)
    around = [p for p in (w.pieces[k - 1] if k else None, w.pieces[k + 1] if k + 1 < len(w.pieces) else None) if p]
    return any(not straight(p) for p in around)


def _hops(w: Wire, at) -> bool:
    return any(not straight(p) and min(math.dist(at, p[0]), math.dist(at, p[3])) < 5 for p in w.pieces)


def _meet(a, b, c, e):
    """Where an upright and a level run cross, ends excluded."""
    if abs(a[0] - b[0]) < 0.05 and abs(c[1] - e[1]) < 0.05:
        x, y = a[0], c[1]
        low, high, left, right = min(a[1], b[1]), max(a[1], b[1]), min(c[0], e[0]), max(c[0], e[0])
    elif abs(a[1] - b[1]) < 0.05 and abs(c[0] - e[0]) < 0.05:
        x, y = c[0], a[1]
        low, high, left, right = min(c[1], e[1]), max(c[1], e[1]), min(a[0], b[0]), max(a[0], b[0])
    else:
        return None
    return (x, y) if low + 0.5 < y < high - 0.5 and left + 0.5 < x < right - 0.5 else None


def weight_faults(d: Drawing) -> list[str]:
    """No wire of a unit runs below its neurons, where the lines of the weights come up."""
    floor = max(n.rect.y1 for n in d.nodes.values() if n.kind == "neuron")
    within = [w for w in d.wires if d.nodes[w.source].kind != "entry"]
    low = [w for w in within if max(y for _, y in w.points) > floor + 0.5]
    return [f"wire {w.source}→{w.target} runs under the neurons" for w in low]


def rail_faults(d: Drawing, program) -> list[str]:
    """States enter left and leave right; the operations that a state passes on its way are at one height."""
    faults = []
    panel = d.panels[0]
    for before, after in program.recurrence:
        if before.name in d.nodes and d.nodes[before.name].rect.center[0] > panel.x0:
            faults.append(f"{before.name} does not enter from the left")
        out = d.nodes.get(f"{after.name}-out")
        if out is None or out.rect.center[0] < panel.x1:
            faults.append(f"{after.name} does not leave on the right")
        elif before.name in d.nodes:
            height = d.nodes[before.name].rect.center[1]
            inner = {n.id for n in d.nodes.values() if n.equation == after.name and n.kind in ("product", "sum")}
            level = {w.target for w in d.wires if w.flow == "state" and abs(w.points[0][1] - w.points[-1][1]) < 0.1}
            faults += [f"{i} is off its rail" for i in inner & level if abs(d.nodes[i].rect.center[1] - height) > 0.1]
    return faults


# --- content ----------------------------------------------------------------------------------------------------------


def occurrences(e) -> list[str]:
    """The names that an expression reads, once per reading."""
    if isinstance(e, MatrixSymbol):
        return [e.name]
    if isinstance(e, MatrixSlice):
        return occurrences(e.parent)
    if isinstance(e, BlockMatrix):
        return [n for part in e.blocks for n in occurrences(part)]
    inner = e.arguments if isinstance(e, Elementwise) else e.args
    return [n for a in inner if getattr(a, "is_Matrix", False) for n in occurrences(a)]


def parameters_of(program) -> set[str]:
    """Shared values without those that are constants, such as f = 1."""
    return set(program.shared) - {d.name for d in program if not d.uses}


def absorbed(program) -> dict[str, str]:
    """Pre-activations and the gates they are drawn within: read once, by an activation, and with a parameter inside."""
    reads = Counter(n for d in program for n in occurrences(d.expression))
    found = {}
    for d in program:
        e = d.expression
        if isinstance(e, Elementwise) and len(e.arguments) == 1 and isinstance(e.arguments[0], MatrixSymbol):
            inner = e.arguments[0].name
            defined = {x.name: x for x in program}
            if inner in defined and reads[inner] == 1 and names_in(defined[inner].expression) & parameters_of(program):
                found[inner] = d.name
    return found


def statistics(program) -> dict[str, str]:
    """Means and variances, and what is made of them alone, with the one equation that reads them in the end."""
    reads = {d.name: set(occurrences(d.expression)) for d in program}
    learned = parameters_of(program)
    leaving = {*program.outputs, *program.states}
    single = {d.name for d in program if d.symbol.shape == (1, 1) and not names_in(d.expression) & learned}
    for name, read in reads.items():
        if read & single and not names_in(program[name].expression) & learned:
            single.add(name)
    found = {}
    for name in reversed(reads):
        ends = {found.get(reader, reader) for reader, read in reads.items() if name in read}
        if name in single - leaving and len(ends) == 1:
            found[name] = ends.pop()
    gates = absorbed(program)
    return {name: gates.get(home, home) for name, home in found.items()}


def expected_edges(program) -> Counter:
    once = set(statistics(program).values())
    within = absorbed(program) | statistics(program)
    edges = Counter()
    for d in program:
        if d.name in parameters_of(program):
            continue
        target = within.get(d.name, d.name)
        used = Counter(occurrences(d.expression))
        for name, times in used.items():
            if name not in parameters_of(program) and within.get(name) != target:
                # A box that normalizes, or that stacks products, takes in a value once.
                stack = isinstance(d.expression, BlockMatrix) and names_in(d.expression) & parameters_of(program)
                edges[name, target] = 1 if stack or target in once else edges[name, target] + times
    for name in program.states:
        edges[name, f"{name}-out"] += 1
    others = [o for o in program.outputs if o not in program.states]
    for name in (*program.states[:1], *others):
        edges[name, f"{name}-top"] += 1
    return edges


def drawn_edges(d: Drawing) -> Counter:
    """The edges between equations: wires within one equation belong to its expression."""
    edges = Counter()
    for w in d.wires:
        source, target = d.nodes[w.source], d.nodes[w.target]
        a, b = source.equation or source.id, target.equation or target.id
        if a != b:
            edges[a, b] += 1
    return edges


def completeness_faults(d: Drawing, program, sizes) -> list[str]:
    faults = [f"edges differ: {difference(expected_edges(program), drawn_edges(d))}"]
    if expected_edges(program) == drawn_edges(d):
        faults = []
    values = program.check_sizes(sizes)
    setting = setting_of(program)
    within = absorbed(program) | statistics(program)
    reads = {n for e in program for n in occurrences(e.expression)}
    squeezed = squeeze(d.text)
    for name, symbol in program.symbols.items():
        written = squeeze(plain(setting.symbol(name)))
        shape = shape_text(evaluate_shape(symbol.shape, values))
        if name in within:
            titles = " ".join(n.title for n in d.nodes.values())
            if str(program[name]) not in titles:
                faults.append(f"{name} is named nowhere")
            if name in statistics(program) and f"{written}=" not in squeezed:
                faults.append(f"{name} is computed nowhere")
        elif name in parameters_of(program):
            lines = [line for n in d.nodes.values() for line, _ in n.texts]
            if not any(
                squeeze(line).startswith(written) and re.search(rf"\s{re.escape(shape)}$", line) for line in lines
            ):
                faults.append(f"parameter {name} with {shape} is in no box")
        elif name in reads or name in program.states:
            if written not in squeezed:
                faults.append(f"{name} is named nowhere")
            if not re.search(rf"(?<![\d×]){re.escape(shape)}(?!\d)", d.text):
                faults.append(f"the dimension {shape} of {name} is nowhere")
    faults += _dimension_faults(d, program, values)
    titles = {n.title for n in d.nodes.values()}
    for e in program:
        if not any(str(e) in t.split("\n") for t in titles):
            faults.append(f"no operation says {e}")
    count = program.parameter_count(**sizes)
    stated = f"{count:,}" if isinstance(count, int) else size_text(count)
    if f"{stated} parameters" not in d.text:
        faults.append(f"the picture does not state {stated} parameters")
    return faults


def _dimension_faults(d: Drawing, program, values) -> list[str]:
    """Every label of a value has the value's own dimension."""
    faults = []
    for g in d.root.iter(f"{SVG}g"):
        of = g.get("data-of")
        if of in program.symbols and "label" in (g.get("class") or ""):
            text = "".join(g.itertext())
            shape = shape_text(evaluate_shape(program.symbols[of].shape, values))
            if not text.endswith(shape):
                faults.append(f"the label of {of} says {text!r}, its dimension is {shape}")
    return faults


def _terms(e) -> list:
    parts = e.args if isinstance(e, MatAdd) else e.blocks if isinstance(e, BlockMatrix) else None
    return [e] if parts is None else [t for part in parts for t in _terms(part)]


def setting_of(program) -> Setting:
    """How the Program's values are written in these pictures."""
    return Setting(NOTATIONS["design"].in_type(), program.shared, frozenset(program.symbols))


def squeeze(text: str) -> str:
    return re.sub(r"[\s_{}\u2009]", "", text).replace("⁺", "+")


def difference(wanted: Counter, got: Counter) -> str:
    return f"missing {sorted((wanted - got).elements())}, too many {sorted((got - wanted).elements())}"


def factor_faults(d: Drawing, forward: Drawing, program) -> list[str]:
    """What a gradient is multiplied by on its way out of a circle is what the cell multiplies by at this circle."""
    faults = []
    setting = setting_of(program)
    for w in d.wires:
        circle = w.source.removeprefix("d-")
        if circle == w.source or " → " not in w.title or forward.nodes[circle].kind == "layer":
            continue
        term, value = w.title.partition(": ")[2], w.title.partition(": ")[0].partition(" → d")[2]
        label = squeeze("".join(t for g in d.root.iter(f"{SVG}g") if g.get("data-of") == w.value for t in g.itertext()))
        for other in _partners(forward, circle, value):
            if text_of(program.symbols[other]) not in term:
                faults.append(f"{circle} multiplies by {other}, the way of its gradient to {value} says {term}")
            if squeeze(plain(setting.symbol(other))) not in label:
                faults.append(f"{circle} multiplies by {other}, the label on the way to {value} says {label!r}")
    return faults


def label_faults(d: Drawing, back) -> list[str]:
    """Every wire out of a circle or a bar says by what its gradient is multiplied, where that is anything."""
    faults = []
    setting = setting_of(back)
    said = {}
    for g in d.root.iter(f"{SVG}g"):
        said[g.get("data-of")] = said.get(g.get("data-of"), "") + "".join(g.itertext())
    terms = {
        f"{name} → {e.name}: {text_of(term)}": (name, term)
        for e in back.derived
        for term in _terms(e.expression)
        for name in occurrences(term)
    }
    for w in d.wires:
        if w.title not in terms or d.nodes[w.source].kind == "layer":
            continue
        adjoint, term = terms[w.title]
        label = squeeze(said.get(w.value, ""))
        wanted = [squeeze(plain(setting.symbol(n))) for n in sorted(names_in(term) - {adjoint})]
        wanted += ["−"] * ("−" in text_of(term)) + ["["] * isinstance(term, MatrixSlice)
        faults += [f"the way of {w.title} does not say {x}, but {label!r}" for x in wanted if x not in label]
    return faults


def _partners(forward: Drawing, circle: str, value: str) -> set[str]:
    """The named values that a value is multiplied by at a circle, and on the way from there to an equation's end."""
    node = forward.nodes[circle]
    found: set[str] = set()
    if node.text == "×":
        found = {w.source for w in forward.wires if w.target == circle} - {value}
    for w in forward.wires:
        after = forward.nodes[w.target]
        if w.source == circle != node.equation and after.equation == node.equation and after.kind != "layer":
            found |= _partners(forward, after.id, circle)
    return {name for name in found if "." not in name}


def backward_faults(d: Drawing, back) -> list[str]:
    """The uses of adjoints in the equations are the uses that the wires carry; factors and names occur as text."""
    origin = back.origin
    within = {f"d{inner}": f"d{outer}" for inner, outer in (absorbed(origin) | statistics(origin)).items()}
    wanted = Counter()
    for e in back.derived:
        if e.shared:
            continue
        for term in _terms(e.expression):
            for name in occurrences(term):
                if name not in origin.symbols and within.get(e.name) != name and e.name not in within:
                    wanted[f"{name} → {e.name}: {text_of(term)}"] += 1
    got = Counter(line for w in d.wires for line in w.title.split("\n") if line)
    faults = [] if wanted == got else [f"uses differ: {difference(wanted, got)}"]
    setting = Setting(
        NOTATIONS["design"].in_type(),
        back.shared,
        frozenset(back.symbols),
        frozenset(s.name for pair in back.carried for s in pair),
    )
    squeezed = squeeze(d.text)
    for e in back.derived:
        if isinstance(e.expression, ZeroMatrix):
            continue
        if squeeze(plain(setting.symbol(e.name))) not in squeezed:
            faults.append(f"{e.name} is named nowhere")
    titles = {line for n in d.nodes.values() for line in n.title.split("\n")}
    faults += [f"no box says {e}" for e in back.derived if e.name in within and str(e) not in titles]
    for e in back.derived:
        if e.shared and f"{squeeze(plain(setting.symbol(e.name)))}=" not in squeezed:
            faults.append(f"{e.name} is computed nowhere")
    sums = [n for n in d.nodes.values() if n.kind == "sum"]
    for n in sums:
        if len([w for w in d.wires if w.target == n.id]) < 2:
            faults.append(f"{n.id} adds fewer than two gradients")
        if len([w for w in d.wires if w.source == n.id]) != 1:
            faults.append(f"{n.id} does not hand on its sum")
    return faults


# --- look -------------------------------------------------------------------------------------------------------------


def look_faults(d: Drawing, source: str, limit: float) -> list[str]:
    faults = []
    if min(d.sizes) < 7 - 0.05:
        faults.append(f"text of {min(d.sizes):.1f} pt")
    ratio = max(d.size) / min(d.size)
    if ratio > limit:
        faults.append(f"aspect ratio {ratio:.2f}")
    for n in d.nodes.values():
        round_ = n.kind in ("product", "sum", "function", "constant", "neuron", "copy")
        if round_ != (n.shape == "ellipse"):
            faults.append(f"{n.id} ({n.kind}) is drawn as {n.shape}")
    for theme in palettes(source):
        faults += contrast_faults(theme)
    return faults


def palettes(source: str) -> list[dict[str, str]]:
    """The colours of every theme in the style sheet."""
    blocks = re.findall(r"\.lstm-spec\{(--[^}]*)\}", source)
    return [dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", block)) for block in blocks]


def contrast(first: str, second: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    a, b = sorted((light(first), light(second)), reverse=True)
    return (a + 0.05) / (b + 0.05)


def contrast_faults(c: dict[str, str]) -> list[str]:
    faults = []
    for text in ("ink", "dim"):
        for ground in ("paper", "panel", "layer", "point", "entry"):
            if (text, ground) != ("dim", "point") and contrast(c[text], c[ground]) < 4.5:
                faults.append(f"{text} on {ground}: {contrast(c[text], c[ground]):.1f}")
    for stroke in (
        "ink",
        "state",
        "gradient",
        "state-gradient",
        "weight",
        "mark",
        "layer-line",
        "point-line",
        "panel-line",
    ):
        for ground in ("paper", "panel"):
            if contrast(c[stroke], c[ground]) < 3:
                faults.append(f"{stroke} on {ground}: {contrast(c[stroke], c[ground]):.1f}")
    return faults
