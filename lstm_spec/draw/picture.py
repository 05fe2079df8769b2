"""Pictures of a Program: ``draw`` makes one, a Picture writes itself in any format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lstm_spec.draw.backward import backward_scene
from lstm_spec.draw.cell import cell_scene
from lstm_spec.draw.contract import equations
from lstm_spec.draw.dot import dot
from lstm_spec.draw.flow import flow_scene
from lstm_spec.draw.layers import bidirectional_scene, layers_scene
from lstm_spec.draw.network import network_scene
from lstm_spec.draw.render import FORMATS, render
from lstm_spec.draw.scene import Scene
from lstm_spec.draw.stack import check_view, stack_of
from lstm_spec.draw.svg import svg
from lstm_spec.draw.text import Choice, Typesetter, typesetter
from lstm_spec.draw.theme import Theme
from lstm_spec.draw.tikz import tikz
from lstm_spec.draw.unit import unit_scene
from lstm_spec.spec.equation import names_in
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program


class DrawError(ValueError):
    """A picture that cannot be drawn as asked; the message says what can be."""


@dataclass(frozen=True)
class Options:
    """What a view may be told: how many steps of time and how many layers are shown."""

    steps: int | None = None
    layers: int = 2
    notation: Choice = "design"


def _unit_scene(program: Program, setter: Typesetter, sizes: Mapping[Any, int]) -> Scene:
    """Return the picture of one unit, where there is such a thing."""
    joint = [name for equation in equations(program) for name in equation.statistics]
    if joint:
        raise DrawError(
            f"one unit of {program.name} cannot be drawn: its normalization reads all units, as in"
            f' {program[joint[0]]}; draw the view "cell"'
        )
    return unit_scene(program, setter, sizes)


View = Callable[[Program, Typesetter, Mapping[Any, int], Options], Scene]

VIEWS: Mapping[str, View] = MappingProxyType(
    {
        "backward": lambda p, t, s, o: backward_scene(p, o.notation, s),
        "cell": lambda p, t, s, o: cell_scene(p, t, s),
        "dimensions": lambda p, t, s, o: flow_scene(p, t, s),
        "network": lambda p, t, s, o: network_scene(p, t, s),
        "unit": lambda p, t, s, o: _unit_scene(p, t, s),
        "unrolled": lambda p, t, s, o: layers_scene(p, t, s, layers=1, steps=o.steps),
        "stacked": lambda p, t, s, o: layers_scene(p, t, s, layers=o.layers, steps=o.steps),
        "bidirectional": lambda p, t, s, o: bidirectional_scene(p, t, s, steps=o.steps),
    }
)
"""The pictures there are, by name."""


@dataclass(frozen=True)
class Picture:
    """A drawn picture; in Jupyter it shows itself.

    scene: the parts with their positions; theme: "auto" follows the reader's setting in SVG and is light elsewhere.
    """

    scene: Scene
    theme: Theme = "auto"

    def svg(self) -> str:
        """Return the picture as an SVG document."""
        return svg(self.scene, self.theme)

    def dot(self, *, pinned: bool = True) -> str:
        """Return the picture as DOT. pinned: with every position; otherwise Graphviz is to lay it out."""
        return dot(self.scene, self.theme, pinned=pinned)

    def tikz(self) -> str:
        """Return the picture as a LaTeX document with one TikZ picture."""
        return tikz(self.scene, self.theme)

    def save(self, path: str | Path, *, pinned: bool = True) -> Path:
        """Write the picture in the format of the suffix: svg, gv, dot, tex, png or pdf; return the path.

        pinned: as for ``dot``. Raises DrawError for another suffix or a place that cannot be written to, RenderError
        for png and pdf without Graphviz.
        """
        path = Path(path)
        kind = path.suffix[1:].lower()
        texts = {"svg": self.svg, "gv": lambda: self.dot(pinned=pinned), "tex": self.tikz}
        texts["dot"] = texts["gv"]
        if kind not in (*texts, *FORMATS):
            known = ", ".join(f".{k}" for k in (*texts, *FORMATS))
            raise DrawError(f'a picture is saved by its suffix as {known}; "{path.name}" has none of these')
        try:
            if kind in texts:
                path.write_text(texts[kind](), encoding="utf-8")
            else:
                render(self.dot(), path)
        except OSError as error:
            raise DrawError(f"cannot write {path}: {error.strerror or error}") from error
        return path

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        return {"image/svg+xml": self.svg(), "text/plain": f"<{self.scene.title}>"}


def draw(
    view: str,
    program: Program | Network,
    *,
    theme: Theme = "auto",
    notation: Choice = "design",
    highlight: str | tuple[str, ...] = (),
    steps: int | None = None,
    layers: int | None = None,
    **sizes: int | None,
) -> Picture:
    """Draw a Program, or a network of layers that are alike.

    view: one of ``VIEWS``, of a network the one that shows it; n, m, q, …: sizes, those left out stay symbols; theme:
    "auto", "light" or "dark"; notation: its name, a TOML file, or a mapping of names to what is written; highlight:
    names of equations, values or parameters to mark, with the box around them where they are drawn inside one; steps:
    how many steps of time there are (None: T of them); layers: how many layers the view "stacked" has, 2 if nothing is
    said, and of a network its own.

    Returns a Picture. Raises DrawError for an unknown view, theme or name, and for a unit of a cell that normalizes
    over its units; StackError for a network whose layers differ; ProgramError for an unknown size.
    """
    _one_of("view", view, tuple(VIEWS))
    _one_of("theme", theme, ("auto", "light", "dark"))
    for option, value in (("steps", steps), ("layers", layers)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise DrawError(f"{option} must be a positive integer, got {value!r}")
    if isinstance(program, Network):
        program, layers, sizes = _stacked(program, view, layers, sizes)
    wanted = (highlight,) if isinstance(highlight, str) else tuple(highlight)
    for name in wanted:
        if name not in program.symbols and not (view == "backward" and name.removeprefix("d") in program.symbols):
            raise DrawError(
                f"{program.name} has nothing named {name} to highlight; it has {', '.join(program.symbols)}"
            )
    values = program.check_sizes({name: value for name, value in sizes.items() if value is not None})
    setter = typesetter(program.shared, program.symbols, notation, sizes=values)
    scene = VIEWS[view](program, setter, values, Options(steps, layers or 2, notation))
    marked = frozenset(shown for name in wanted for shown in _shown(view, program, scene, name))
    return Picture(replace(scene, highlight=marked), theme)


def _stacked(
    network: Network, view: str, layers: int | None, sizes: Mapping[str, int | None]
) -> tuple[Program, int, dict[str, int | None]]:
    """Return the cell of a network with its layers and sizes; raises for what the network does not leave open."""
    stack = stack_of(network)
    check_view(network, stack, view)
    given = {name: value for name, value in sizes.items() if value is not None}
    if layers not in (None, stack.layers):
        raise DrawError(f"{network.name} has {stack.layers} layers of its own, got layers={layers}")
    network.check_sizes(given)
    return stack.cell, stack.layers, {**stack.sizes, **given}


def _shown(view: str, program: Program, scene: Scene, name: str) -> set[str]:
    """Return what a picture marks for a name: itself or its adjoint, its entries or steps, or what has it inside."""
    there = {x for n in scene.nodes for x in (n.id, n.equation)} | {w.value for w in scene.wires}
    own = name if name in program.symbols else name.removeprefix("d")
    # Where whole cells are drawn, a state and the one before it are the same wires.
    after = {before.name: state.name for before, state in program.recurrence}.get(own, own)
    parts = {key: _parts(key, scene) for key in program.symbols}
    if own not in there and (parts[own] or parts[after]):
        return parts[own] or parts[after]
    names = {own}
    equations = any(n.equation for n in scene.nodes)
    while names:
        found = {x for reached in names for x in (reached, f"d{reached}") if x in there}
        if found:
            return found
        # A picture of whole cells has nothing of their inside.
        names = {d.name for d in program if names & names_in(d.expression)} if equations else set()
    shows = ", ".join(key for key, found in parts.items() if found or key in there)
    raise DrawError(
        f'the view "{view}" of {program.name} shows no {name} to highlight, only {shows}; the view "cell" shows all'
    )


def _parts(name: str, scene: Scene) -> set[str]:
    """Return what stands for a vector's entries or its steps of time, such as h-1."""
    if not any(w.value.startswith(f"{name}-") for w in scene.wires):
        return set()
    return {x for x in (*(n.id for n in scene.nodes), *(w.value for w in scene.wires)) if x.startswith(f"{name}-")}


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise DrawError(f'there is no {what} "{value}"; there are {", ".join(known)}')
