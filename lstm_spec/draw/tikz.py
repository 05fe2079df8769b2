"""A scene as TikZ: a standalone LaTeX document that compiles with pdflatex and nothing but TikZ."""

import re
from itertools import chain

from lstm_spec.draw.compose import extent, sample_node
from lstm_spec.draw.curve import Curve, curve
from lstm_spec.draw.scene import Joint, Label, LegendItem, Line, Node, Panel, Point, Scene, Wire
from lstm_spec.draw.svg import number
from lstm_spec.draw.text import Run, Text
from lstm_spec.draw.theme import FILL, FLOW, STROKE, Theme, palette
from lstm_spec.spec.symbols import GREEK

LEADING = 1.25
_ROUND = ("product", "sum", "function", "constant", "neuron", "copy")

_LETTERS = {
    **{letter: rf"\{name}" for name, letter in GREEK.items()},
    "×": r"\times", "÷": r"\div", "·": r"\cdot", "∘": r"\circ", "⊙": r"\odot", "∗": r"\ast", "−": "-", "±": r"\pm",
    "…": r"\ldots", "⋮": r"\vdots", "→": r"\rightarrow", "←": r"\leftarrow", "∂": r"\partial", "ℓ": r"\ell",
    "⁺": "^{+}", "²": "^{2}", "³": "^{3}", "⁻": "^{-}", "¹": "^{1}", "ᵀ": r"^{\top}", "⊤": r"\top", "≤": r"\leq",
    "≥": r"\geq", "′": "'", "√": r"\surd", "∞": r"\infty",
}  # fmt: skip
_WORD = re.compile(r"([A-Za-z]{2,})")
_ACCENTS = {"\u0303": "tilde", "\u0304": "bar", "\u0302": "hat", "\u0307": "dot"}
_SPECIAL = {
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "{": r"\{",
    "}": r"\}",
    "\u00a0": "~",
    "\u2009": r"\,",
    "^": r"\^{}",
}


def tikz(scene: Scene, theme: Theme = "auto") -> str:
    """Return the scene as a LaTeX document."""
    colours = palette(theme)
    body = [
        *(_panel(p) for p in scene.panels),
        *(_wire(w, scene.highlight) for w in scene.wires),
        *(_joint(j) for j in scene.joints),
        *(_node(n, scene.highlight) for n in scene.nodes),
        *(_label(label) for label in scene.labels),
        *(_legend(item) for item in scene.legend),
    ]
    defined = [rf"\definecolor{{{name}}}{{HTML}}{{{value[1:].upper()}}}" for name, value in colours.items()]
    return "\n".join(
        [
            rf"% {scene.title}: {_ascii(scene.description)}",
            r"\documentclass{article}",
            r"\usepackage{tikz}",
            r"\usetikzlibrary{arrows.meta}",
            r"\pagestyle{empty}",
            *defined,
            *_page_size(scene),
            r"\begin{document}\sffamily\noindent\pagecolor{paper}\color{ink}",
            r"\begin{tikzpicture}[x=1bp,y=1bp,line width=1.2bp,inner sep=0pt]",
            *chain.from_iterable(body),
            r"\end{tikzpicture}",
            r"\end{document}",
            "",
        ]
    )


def _page_size(scene: Scene) -> list[str]:
    (x0, y0), (x1, y1) = extent(scene)
    wide, high = number(x1 - x0 + 60), number(y1 - y0 + 60)
    return [
        rf"\pdfpagewidth={wide}bp\pdfpageheight={high}bp\paperwidth={wide}bp\paperheight={high}bp",
        r"\hoffset=-1in\voffset=-1in\oddsidemargin=20bp\topmargin=10bp\headheight=0bp\headsep=0bp",
        rf"\textwidth={wide}bp\textheight={high}bp\parindent=0pt",
    ]


def _at(p: Point) -> str:
    return f"({number(p[0])},{number(p[1])})"


def _path(c: Curve) -> str:
    steps = "".join(f" .. controls {_at(a)} and {_at(b)} .. {_at(end)}" for a, b, end in c.pieces)
    return f"{_at(c.start)}{steps}"


def _panel(p: Panel) -> list[str]:
    drawn = rf"\draw[fill=panel,draw=panel-line,rounded corners=12bp] {_at(p.low)} rectangle {_at(p.high)};"
    return [drawn, *(_label(p.title) if p.title else [])]


def _wire(w: Wire, marked: frozenset[str] = frozenset()) -> list[str]:
    c = curve(w)
    colour = "mark" if w.value in marked else FLOW[w.flow]
    thick = {"state": 2, "state_gradient": 2, "weight": 0.6}.get(w.flow, 1.3)
    drawn = [rf"\draw[draw={colour},line width={thick}bp] {_path(c)};"]
    if c.tip:
        (bx, by), (tx, ty) = c.end, c.tip
        dx, dy = (tx - bx) * 0.46, (ty - by) * 0.46
        corners = " -- ".join(_at(p) for p in ((tx, ty), (bx - dy, by + dx), (bx + dy, by - dx)))
        drawn.append(rf"\fill[{colour}] {corners} -- cycle;")
    return drawn


def _joint(j: Joint) -> list[str]:
    return [rf"\fill[{FLOW[j.flow]}] {_at(j.at)} circle[radius=2.4bp];"]


def _node(n: Node, marked: frozenset[str] = frozenset(), rounding: float = 6) -> list[str]:
    lines = []
    (x, y), w, h = n.center, n.width / 2, n.height / 2
    if n.kind not in ("terminal", "more"):
        hit = bool(marked & {n.id, n.equation})
        style = f"fill={FILL[n.kind]},draw={'mark' if hit else STROKE[n.kind]}{',line width=3bp' if hit else ''}"
        if n.kind in _ROUND:
            lines.append(rf"\draw[{style}] {_at(n.center)} ellipse[x radius={number(w)}bp,y radius={number(h)}bp];")
        else:
            corner = 0 if n.kind in ("concat", "split") else rounding
            box = f"{_at((x - w, y - h))} rectangle {_at((x + w, y + h))}"
            lines.append(rf"\draw[{style},rounded corners={number(corner)}bp] {box};")
    y += sum(line.size * LEADING for line in n.lines) / 2
    for line in n.lines:
        y -= line.size * LEADING / 2
        lines += _text(line, (x, y))
        y -= line.size * LEADING / 2
    return lines


def _label(label: Label) -> list[str]:
    line, (x, y) = Line(label.text, label.size), label.center
    return _text(line, (x - label.width / 2, y), "base west") if label.flush else _text(line, (x, y))


def _text(line: Line, at: Point, anchor: str = "base") -> list[str]:
    if not line.text:
        return []
    # Computer Modern is narrower than the font that widths are measured in, so a line never outgrows its box.
    down = (at[0], at[1] - 0.35 * line.size)
    size = rf"\fontsize{{{number(line.size)}bp}}{{{number(line.size * LEADING)}bp}}\selectfont"
    return [rf"\node[anchor={anchor},text=ink] at {_at(down)} {{{size} {_runs(line.text)}}};"]


def _runs(text: Text) -> str:
    written = "".join(_run(run) for run in text)
    return written.replace("$$", "")


def _run(run: Run) -> str:
    if run.low or run.high:
        return f"${'_' if run.low else '^'}{{{_index(run.text)}}}$"
    if run.italic:
        return f"${_math(run.text)}$"
    content = "".join(f"${_LETTERS[c]} $" if c in _LETTERS else _SPECIAL.get(c, c) for c in run.text)
    content = rf"\textbf{{\boldmath {content}}}" if run.bold else content
    return rf"\textcolor{{dim}}{{{content}}}" if run.dim else content


def _index(text: str) -> str:
    """Return a subscript or superscript: a word is upright, a single letter is a variable."""
    return "".join(rf"\mathrm{{{part}}}" if _WORD.fullmatch(part) else _math(part) for part in _WORD.split(text))


def _math(text: str) -> str:
    """Return letters for math mode, a combining tilde over the letter before it."""
    written: list[str] = []
    for c in text:
        if c in _ACCENTS and written:
            written[-1] = rf"\{_ACCENTS[c]}{{{written[-1]}}}"
        elif c in _LETTERS:
            written.append(_LETTERS[c] + " ")
        else:
            written.append(_SPECIAL.get(c, c))
    return "".join(written)


def _legend(item: LegendItem) -> list[str]:
    x, _ = item.at
    y = item.at[1]
    if item.sample == "joint":
        sample = _joint(Joint(item.at, ""))
    elif item.sample in FLOW:
        arrow = item.sample != "weight"
        sample = _wire(Wire("", "", "", ((x - 11, y), (x + 11, y)), flow=item.sample, arrow=arrow))  # type: ignore[arg-type]
    else:
        sample = _node(sample_node(item), rounding=3)
    return [*sample, *_label(item.label)]


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
