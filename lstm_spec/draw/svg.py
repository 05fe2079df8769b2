"""A scene as SVG: selectable text with subscripts by ``dy``, colours by CSS variables, titles on everything."""

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape, quoteattr

from lstm_spec.draw.compose import extent, sample_node
from lstm_spec.draw.curve import Curve, curve
from lstm_spec.draw.metrics import FALLBACKS
from lstm_spec.draw.scene import Joint, Label, LegendItem, Line, Node, Panel, Point, Scene, Wire
from lstm_spec.draw.text import SMALL, Run, Text
from lstm_spec.draw.theme import DARK, FILL, FLOW, LIGHT, STROKE, Theme

MARGIN = 14.0
LEADING = 1.25
BASELINE = 0.35
"""Distance from the middle of a line down to its baseline, relative to the font size."""

_LOW, _HIGH = 0.22, -0.38


def svg(scene: Scene, theme: Theme = "auto") -> str:
    """Return the scene as an SVG document. theme: "auto" follows the reader's setting."""
    (x0, y0), (x1, y1) = extent(scene)
    wide, high = x1 - x0 + 2 * MARGIN, y1 - y0 + 2 * MARGIN
    page = _Page(x0 - MARGIN, y1 + MARGIN, scene)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lstm-spec" role="img" width="{number(wide)}pt"'
        f' height="{number(high)}pt" viewBox="0 0 {number(wide)} {number(high)}">',
        f"<title>{escape(scene.title)}</title>",
        f"<desc>{escape(scene.description)}</desc>",
        f"<style>{style(theme)}</style>",
        f'<rect class="paper" width="{number(wide)}" height="{number(high)}"/>',
        *(page.panel(p) for p in scene.panels),
        *(page.wire(w) for w in scene.wires),
        *(page.joint(j) for j in scene.joints),
        *(page.node(n) for n in scene.nodes),
        *(page.label(label) for label in scene.labels),
        *(page.legend_item(item) for item in scene.legend),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def style(theme: Theme) -> str:
    """Return the style sheet: a colour for every role, and the dark palette where it is asked for."""
    chosen = DARK if theme == "dark" else LIGHT
    rules = [_variables(chosen)]
    if theme == "auto":
        rules.append(f"@media (prefers-color-scheme:dark){{{_variables(DARK)}}}")
    fonts = ",".join(f"'{f}'" if " " in f else f for f in FALLBACKS)
    rules += [
        f".lstm-spec text{{font-family:{fonts};fill:var(--ink);text-anchor:middle;white-space:pre}}",
        ".lstm-spec .paper{fill:var(--paper)}",
        ".lstm-spec .dim{fill:var(--dim)}",
        ".lstm-spec .i{font-style:italic}",
        ".lstm-spec .b{font-weight:bold}",
        ".lstm-spec .panel rect{fill:var(--panel);stroke:var(--panel-line);stroke-width:1.2}",
        ".lstm-spec .wire{fill:none;stroke-width:1.3}",
        ".lstm-spec .node{stroke-width:1.2}",
    ]
    rules += [f".lstm-spec .{kind} .shape{{fill:var(--{FILL[kind]});stroke:var(--{STROKE[kind]})}}" for kind in FILL]
    for flow, colour in FLOW.items():
        rules.append(f".lstm-spec .{flow}{{stroke:var(--{colour})}}")
        rules.append(f".lstm-spec .{flow} .tip,.lstm-spec .dot.{flow}{{fill:var(--{colour});stroke:none}}")
    rules += [
        ".lstm-spec .state,.lstm-spec .state_gradient{stroke-width:2}",
        ".lstm-spec .weight{stroke-width:0.6}",
        ".lstm-spec .marked .shape,.lstm-spec .wire.marked{stroke:var(--mark);stroke-width:3}",
        ".lstm-spec .wire.marked .tip{fill:var(--mark)}",
    ]
    return "".join(rules)


def _variables(colours: Mapping[str, str]) -> str:
    return ".lstm-spec{" + ";".join(f"--{k}:{v}" for k, v in colours.items()) + "}"


def number(value: float) -> str:
    """Return a coordinate with at most two decimals, without trailing zeros or a negative zero."""
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-0", "-0" if round(value, 2) else "0")


class _Page:
    """Turns points with y upwards into those of the page, and parts into elements."""

    def __init__(self, left: float, top: float, scene: Scene) -> None:
        self.left, self.top, self.marked = left, top, scene.highlight

    def at(self, p: Point) -> Point:
        return p[0] - self.left, self.top - p[1]

    def pair(self, p: Point) -> str:
        x, y = self.at(p)
        return f"{number(x)} {number(y)}"

    def _class(self, *names: str, of: Iterable[str] = ()) -> str:
        return f'class="{" ".join([*names, *(["marked"] if self.marked & set(of) else [])])}"'

    def panel(self, p: Panel) -> str:
        x, y = self.at((p.low[0], p.high[1]))
        wide, high = p.high[0] - p.low[0], p.high[1] - p.low[1]
        rect = f'<rect x="{number(x)}" y="{number(y)}" width="{number(wide)}" height="{number(high)}" rx="12"/>'
        title = self.label(p.title) if p.title else ""
        return f'<g class="panel" id="panel-{p.id}">{rect}{title}</g>'

    def path(self, c: Curve) -> str:
        steps = []
        for first, second, end in c.pieces:
            steps.append(f"C{self.pair(first)} {self.pair(second)} {self.pair(end)}")
        return f"M{self.pair(c.start)}{''.join(steps)}"

    def wire(self, w: Wire) -> str:
        c = curve(w)
        tip = self.tip(c.end, c.tip) if c.tip else ""
        data = f"data-from={quoteattr(w.source)} data-to={quoteattr(w.target)} data-value={quoteattr(w.value)}"
        hops = f' data-hops="{len(w.hops)}"' if w.hops else ""
        title = f"<title>{escape(w.title)}</title>" if w.title else ""
        attributes = self._class("wire", w.flow, of=(w.value,))
        return f'<g {attributes} {data}{hops}>{title}<path d="{self.path(c)}"/>{tip}</g>'

    def tip(self, base: Point, tip: Point) -> str:
        (bx, by), (tx, ty) = self.at(base), self.at(tip)
        dx, dy = (tx - bx) * 0.46, (ty - by) * 0.46
        points = ((tx, ty), (bx - dy, by + dx), (bx + dy, by - dx))
        return f'<path class="tip" d="M{"L".join(f"{number(x)} {number(y)}" for x, y in points)}Z"/>'

    def joint(self, j: Joint) -> str:
        x, y = self.at(j.at)
        return (
            f'<circle class="dot {j.flow}" data-value={quoteattr(j.value)} cx="{number(x)}" cy="{number(y)}" r="2.4"/>'
        )

    def node(self, n: Node) -> str:
        title = f"<title>{escape(n.title)}</title>" if n.title else ""
        equation = f" data-equation={quoteattr(n.equation)}" if n.equation else ""
        attributes = self._class("node", n.kind, of=(n.id, n.equation))
        return f"<g {attributes} id={quoteattr(n.id)}{equation}>{title}{self.shape(n)}{self.lines(n)}</g>"

    def shape(self, n: Node, rounding: float = 6) -> str:
        x, y = self.at(n.center)
        w, h = n.width / 2, n.height / 2
        if n.kind in ("product", "sum", "function", "constant", "neuron", "copy"):
            radii = f'rx="{number(w)}" ry="{number(h)}"'
            return f'<ellipse class="shape" cx="{number(x)}" cy="{number(y)}" {radii}/>'
        corner = 0 if n.kind in ("concat", "split") else rounding
        kind = "none" if n.kind in ("terminal", "more") else "shape"
        fill = ' fill="none"' if kind == "none" else ""
        return (
            f'<rect class="{kind}"{fill} x="{number(x - w)}" y="{number(y - h)}" width="{number(2 * w)}"'
            f' height="{number(2 * h)}" rx="{number(corner)}"/>'
        )

    def lines(self, n: Node) -> str:
        total = sum(line.size * LEADING for line in n.lines)
        x, y = self.at(n.center)
        y -= total / 2
        written = []
        for line in n.lines:
            y += line.size * LEADING / 2
            written.append(text_element(line, x, y))
            y += line.size * LEADING / 2
        return "".join(written)

    def label(self, label: Label) -> str:
        x, y = self.at(label.center)
        of = f" data-of={quoteattr(label.of)}" if label.of else ""
        return f"<g {self._class('label', of=(label.of,))}{of}>{text_element(Line(label.text, label.size), x, y)}</g>"

    def legend_item(self, item: LegendItem) -> str:
        return f'<g class="legend">{self._sample(item)}{self.label(item.label)}</g>'

    def _sample(self, item: LegendItem) -> str:
        x, y = item.at
        if item.sample in FLOW:
            arrow = item.sample != "weight"
            w = Wire("", "", "", ((x - 11, y), (x + 11, y)), flow=item.sample, arrow=arrow)  # type: ignore[arg-type]
            c = curve(w)
            tip = self.tip(c.end, c.tip) if c.tip else ""
            return f'<g class="wire {item.sample}"><path d="{self.path(c)}"/>{tip}</g>'
        if item.sample == "joint":
            return self.joint(Joint(item.at, ""))
        node = sample_node(item)
        return f'<g class="node {item.sample}">{self.shape(node, 3)}{self.lines(node)}</g>'


def text_element(line: Line, x: float, middle: float) -> str:
    """Return a centred line of text around a middle height."""
    y = middle + BASELINE * line.size
    return f'<text x="{number(x)}" y="{number(y)}" font-size="{number(line.size)}">{_runs(line.text, line.size)}</text>'


def _runs(text: Text, size: float) -> str:
    written, shift = [], 0.0
    for run in text:
        wanted = size * (_LOW if run.low else _HIGH if run.high else 0)
        written.append(_run(run, size, wanted - shift))
        shift = wanted
    return "".join(written)


def _run(run: Run, size: float, rise: float) -> str:
    classes = [name for name, on in (("i", run.italic), ("b", run.bold), ("dim", run.dim)) if on]
    attributes = f' class="{" ".join(classes)}"' if classes else ""
    attributes += f' dy="{number(rise)}"' if abs(rise) > 1e-9 else ""
    attributes += f' font-size="{number(size * SMALL)}"' if run.low or run.high else ""
    content = escape(run.text)
    return f"<tspan{attributes}>{content}</tspan>" if attributes else content
