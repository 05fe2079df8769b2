"""A scene as DOT: pinned, so that every Graphviz renders the same picture, or plain, for one that lays it out anew.

What pins a picture: ``layout=nop2``, nodes of fixed size with ``pos``, edges with a whole spline and ``lp``, clusters
with ``bb``; nothing is left for Graphviz to decide.
"""

from collections.abc import Mapping
from html import escape
from itertools import chain
from typing import Any

from graphviz import Digraph

from lstm_spec.draw.compose import extent, sample_node
from lstm_spec.draw.curve import curve
from lstm_spec.draw.metrics import FONT
from lstm_spec.draw.scene import Joint, Label, LegendItem, Line, Node, Panel, Point, Scene, Wire
from lstm_spec.draw.svg import number
from lstm_spec.draw.text import Text, plain
from lstm_spec.draw.theme import FILL, FLOW, STROKE, Theme, palette

_SHAPES = {
    "product": "ellipse",
    "sum": "ellipse",
    "function": "ellipse",
    "constant": "ellipse",
    "neuron": "ellipse",
    "copy": "ellipse",
    "terminal": "plaintext",
    "more": "plaintext",
}


def dot(scene: Scene, theme: Theme = "auto", *, pinned: bool = True) -> str:
    """Return the scene as DOT. pinned: with every position; otherwise nodes, edges and labels only."""
    writer = _Writer(scene, palette(theme), pinned)
    return writer.source()


class _Writer:
    def __init__(self, scene: Scene, colours: Mapping[str, str], pinned: bool) -> None:
        self.scene, self.colours, self.pinned = scene, colours, pinned
        self.inside = [n for n in scene.nodes if n.kind not in ("terminal", "more")]
        self.labels: dict[str, list[Label]] = {}
        for label in scene.labels:
            self.labels.setdefault(label.of, []).append(label)

    def source(self) -> str:
        scene = self.scene
        layout = (
            {"layout": "nop2", "outputorder": "nodesfirst", "splines": "true"} if self.pinned else {"rankdir": "BT"}
        )
        (x0, y0), (x1, y1) = extent(scene)
        if self.pinned:
            layout |= {"bb": f"{_pt(x0)},{_pt(y0)},{_pt(x1)},{_pt(y1)}", "pad": "0.19"}
        graph = Digraph(
            name=scene.title,
            comment=scene.description,
            graph_attr={**layout, "bgcolor": self.colours["paper"], "fontcolor": self.colours["ink"], "fontname": FONT},
            node_attr={"fontname": FONT, "fontcolor": self.colours["ink"], "penwidth": "1.2"},
            edge_attr={
                "fontname": FONT,
                "fontcolor": self.colours["ink"],
                "fontsize": "9",
                "penwidth": "1.3",
                "arrowsize": "0.55",
            },
        )
        if self.pinned:
            graph.node_attr.update(fixedsize="true", margin="0")
        for p in scene.panels:
            self._panel(graph, p)
        for n in scene.nodes:
            if not self._in_panel(n):
                self._node(graph, n)
        written: set[str] = set()
        for w in scene.wires:
            self._wire(graph, w, written)
        if self.pinned:
            for number_, joint in enumerate(scene.joints):
                self._joint(graph, f"joint-{number_}", joint)
            edge_labels = written
            for k, label in enumerate(x for x in scene.labels if x.of not in edge_labels):
                self._label(graph, f"note-{k}", label)
            for k, item in enumerate(scene.legend):
                self._legend(graph, f"legend-{k}", item)
        return str(graph.source)

    def _in_panel(self, n: Node) -> bool:
        return any(p.low[0] < n.center[0] < p.high[0] and p.low[1] < n.center[1] < p.high[1] for p in self.scene.panels)

    def _panel(self, graph: Digraph, p: Panel) -> None:
        with graph.subgraph(name=f"cluster_{p.id}") as cluster:
            cluster.attr(
                style="rounded,filled",
                fillcolor=self.colours["panel"],
                color=self.colours["panel-line"],
                penwidth="1.2",
            )
            if p.title:
                cluster.attr(label=_html(p.title.text, p.title.size, self.colours), fontsize=_pt(p.title.size))
                if self.pinned:
                    cluster.attr(lp=_at(p.title.center))
            if self.pinned:
                cluster.attr(bb=f"{_at(p.low)},{_at(p.high)}")
            for n in self.scene.nodes:
                low, high = p.low, p.high
                if low[0] < n.center[0] < high[0] and low[1] < n.center[1] < high[1]:
                    self._node(cluster, n)

    def _node(self, graph: Digraph, n: Node) -> None:
        shape = _SHAPES.get(n.kind, "box")
        attributes: dict[str, Any] = {"shape": shape, "class": n.kind, "id": n.id, "tooltip": n.title or n.id}
        if shape != "plaintext":
            marked = self.scene.highlight & {n.id, n.equation}
            attributes |= {
                "style": "filled" if shape == "ellipse" or n.kind in ("concat", "split") else "rounded,filled",
                "fillcolor": self.colours[FILL[n.kind]],
                "color": self.colours["mark" if marked else STROKE[n.kind]],
            }
            if marked:
                attributes["penwidth"] = "3"
        attributes["label"] = _lines(n.lines, self.colours)
        if self.pinned:
            attributes |= {"pos": _at(n.center)}
        if self.pinned or n.kind in ("concat", "split"):
            attributes |= {"width": _inch(n.width), "height": _inch(n.height), "fixedsize": "true"}
        graph.node(n.id, **attributes)

    def _wire(self, graph: Digraph, w: Wire, written: set[str]) -> None:
        c = curve(w)
        marked = w.value in self.scene.highlight
        attributes = {
            "color": self.colours["mark" if marked else FLOW[w.flow]],
            "class": w.flow,
            "tooltip": w.title or w.value,
        }
        if w.flow in ("state", "state_gradient") or marked:
            attributes["penwidth"] = "2"
        if w.flow == "weight":
            attributes["penwidth"] = "0.6"
        if not w.arrow:
            attributes["dir"] = "none"
        labels = self.labels.get(w.value, []) if w.value else []
        if labels and w.value not in written:
            written.add(w.value)
            attributes["label"] = _lines(tuple(Line(x.text, x.size) for x in labels), self.colours)
            if self.pinned:
                attributes["lp"] = _at((labels[0].center[0], (labels[0].center[1] + labels[-1].center[1]) / 2))
        if self.pinned:
            tip = f"e,{_at(c.tip)} " if c.tip else ""
            attributes["pos"] = tip + " ".join(_at(p) for p in (c.start, *chain.from_iterable(c.pieces)))
        graph.edge(w.source, w.target, **attributes)

    def _joint(self, graph: Digraph, id: str, j: Joint) -> None:
        colour = self.colours[FLOW[j.flow]]
        dot_ = {"shape": "circle", "style": "filled", "label": "", "width": _inch(4.8), "height": _inch(4.8)}
        joint = {"fillcolor": colour, "color": colour, "class": "joint", "tooltip": j.value, "penwidth": "0"}
        graph.node(id, pos=_at(j.at), **dot_, **joint)

    def _label(self, graph: Digraph, id: str, label: Label) -> None:
        # Graphviz measures by its own font and warns where a label outgrows its node.
        size = {"width": _inch(1.06 * label.width + 4), "height": _inch(1.5 * label.size)}
        text = _html(label.text, label.size, self.colours)
        graph.node(id, label=text, shape="plaintext", pos=_at(label.center), fontsize=_pt(label.size), **size)

    def _legend(self, graph: Digraph, id: str, item: LegendItem) -> None:
        self._label(graph, f"{id}-text", item.label)
        x, y = item.at
        if item.sample == "joint":
            self._joint(graph, id, Joint(item.at, ""))
        elif item.sample in FLOW:
            for end, shift in (("from", -11), ("to", 11)):
                graph.node(f"{id}-{end}", pos=_at((x + shift, y)), shape="point", width="0.01", style="invis")
            arrow = item.sample != "weight"
            flow: Any = item.sample
            self._wire(
                graph, Wire(f"{id}-from", f"{id}-to", "", ((x - 11, y), (x + 11, y)), flow=flow, arrow=arrow), set()
            )
        else:
            self._node(graph, sample_node(item, id))


def _pt(value: float) -> str:
    return number(value)


def _at(p: Point) -> str:
    return f"{_pt(p[0])},{_pt(p[1])}"


def _inch(points: float) -> str:
    return f"{points / 72:.4f}"


def _lines(lines: tuple[Line, ...], colours: Mapping[str, str]) -> str:
    """Return a label of several lines; "" is an empty label, not the node's name."""
    if not any(line.text for line in lines):
        return ""
    rows = "".join(f'<TR><TD HEIGHT="{line.row}">{_runs(line.text, line.size, colours)}</TD></TR>' for line in lines)
    if len(lines) == 1:
        return f"<{_runs(lines[0].text, lines[0].size, colours)}>"
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>>'


def _html(text: Text, size: float, colours: Mapping[str, str]) -> str:
    return f"<{_runs(text or plain(' '), size, colours)}>"


def _runs(text: Text, size: float, colours: Mapping[str, str]) -> str:
    written = []
    for run in text:
        piece = escape(run.text).replace("\u00a0", "&#160;")
        piece = f"<I>{piece}</I>" if run.italic else f"<B>{piece}</B>" if run.bold else piece
        colour = f' COLOR="{colours["dim"]}"' if run.dim else ""
        # Graphviz sets scripts smaller by itself; a font size of ours inside would shrink them twice.
        piece = f"<FONT{colour}>{piece}</FONT>" if colour else piece
        written.append(f"<SUB>{piece}</SUB>" if run.low else f"<SUP>{piece}</SUP>" if run.high else piece)
    return f'<FONT POINT-SIZE="{number(size)}">{"".join(written)}</FONT>'
