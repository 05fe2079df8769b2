"""The specification on a page: its equations in MathML, those at fault, and the picture of a cell with them marked."""

import re
from collections.abc import Iterable, Iterator

from lstm_spec.calculus.adjoint import backward
from lstm_spec.draw.picture import DrawError, draw
from lstm_spec.report.markup import Markup, scrolled, tag
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.write.write import write


def cells_of(spec: Program | Network) -> tuple[Program, ...]:
    """Return the cells that a specification runs, each once."""
    return tuple(dict.fromkeys(run.cell for run in network_of(spec).every_pass))


def typeset(spec: Program | Network) -> dict[str, Markup]:
    """Return every equation of the forward and backward passes in MathML, by its line of plain text.

    >>> from lstm_spec.spec.cells import lstm
    >>> typeset(lstm())["h = o∘tanh(c)"][:60]
    '<math xmlns="http://www.w3.org/1998/Math/MathML" display="bl'
    """
    found: dict[str, Markup] = {}
    for program in _programs(spec):
        for equation in program.derived:
            line = write(program, format="text", only=[equation.name]).rstrip()
            found.setdefault(line, Markup(write(program, format="mathml", only=[equation.name]).strip()))
    return found


def lines_of(spec: Program | Network, names: Iterable[str]) -> tuple[str, ...]:
    """Return the equations of these names as lines of plain text, those that a specification has."""
    wanted = set(names)
    found = (
        write(program, format="text", only=[equation.name]).rstrip()
        for program in _programs(spec)
        for equation in program.derived
        if equation.name in wanted
    )
    return tuple(dict.fromkeys(found))


def equations(spec: Program | Network, names: Iterable[str]) -> Markup:
    """Return the equations of these names as a display, those that a specification has."""
    wanted = set(names)
    shown = []
    for program in _programs(spec):
        own = [e.name for e in program.derived if e.name in wanted]
        if own:
            shown.append(Markup(write(program, format="mathml", only=own)))
    return scrolled("equations", *shown, class_="equations") if shown else Markup("")


def picture(spec: Program | Network, names: Iterable[str]) -> Markup:
    """Return pictures of the cells of a specification, what is drawn of the equations of these names marked.

    Where one of them is of the backward pass alone, that is what is drawn. A cell without such a picture has none.
    """
    return Markup("".join(_pictures(spec, tuple(names))))


def _pictures(spec: Program | Network, names: tuple[str, ...]) -> Iterator[Markup]:
    for k, cell in enumerate(cells_of(spec)):
        back = {d.name for d in backward(cell).derived}
        view = "backward" if any(name in back for name in names) else "cell"
        known = [name for name in names if name in cell.symbols or (view == "backward" and name in back)]
        try:
            drawn, marked = _drawn(view, cell, known)
        except DrawError:
            continue
        passes = "Backward pass" if view == "backward" else "One step"
        said = f"{passes} of {cell.name}{'; what is at fault has a thick outline' if marked else ''}."
        # Every cell has nodes of the same names, and an id is unique in a page.
        own = re.sub(r' id="', f' id="{cell.name}-{k}-', drawn)
        svg = scrolled(f"picture of {cell.name}", Markup(own), class_="picture")
        yield tag("figure", svg, tag("figcaption", said))


def _drawn(view: str, cell: Program, names: list[str]) -> tuple[str, bool]:
    """Return a picture and whether anything is marked in it; not everything that has a name is drawn."""
    for shown in ([name] for name in names):
        try:
            draw(view, cell, highlight=tuple(shown))
        except DrawError:
            names = [name for name in names if name not in shown]
    return draw(view, cell, highlight=tuple(names)).svg(), bool(names)


def _programs(spec: Program | Network) -> Iterator[Program]:
    for cell in cells_of(spec):
        yield cell
        yield backward(cell)
