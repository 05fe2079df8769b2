"""All pictures of the catalogue, written as SVG and DOT with an index."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lstm_spec.draw.picture import DrawError, Picture, draw
from lstm_spec.spec.catalogue import cell, cells
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.program import Program

SIZES: Mapping[str, int] = MappingProxyType({"n": 32, "m": 70, "q": 40})
"""The sizes of the pictures that have numbers."""

FURTHER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "backward": ("lstm", "peephole", "cifg", "lstmp", "gru", "rnn"),
        "unit": ("lstm", "gru", "lstmp"),
        "network": ("lstm",),
        "dimensions": ("lstm", "lstmp"),
        "unrolled": ("lstm", "gru"),
        "stacked": ("lstm",),
        "bidirectional": ("lstm",),
    }
)
"""The cells whose further views show something of their own."""

HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "cell": "One step",
        "backward": "The gradient's way back",
        "unit": "One unit of a layer",
        "network": "A layer among its neighbours",
        "dimensions": "Dimensions",
        "unrolled": "Over time",
        "stacked": "In layers",
        "bidirectional": "In both directions",
    }
)


@dataclass(frozen=True)
class Entry:
    """A picture of the gallery, not yet drawn: the view, the cell's name, and whether its sizes stay symbols."""

    view: str
    cell: str
    symbolic: bool = False

    @property
    def name(self) -> str:
        """The name of its files, without a suffix."""
        return f"{self.view}_{self.cell}{'_symbolic' if self.symbolic else ''}"

    def draw(self) -> Picture:
        """Draw it."""
        program = program_of(self.cell)
        known = {s.name for s in program.sizes}
        sizes: dict[str, Any] = {} if self.symbolic else {name: size for name, size in SIZES.items() if name in known}
        return draw(self.view, program, **sizes)


def program_of(name: str) -> Program:
    """Return a cell of the gallery: one of the catalogue, or the LSTM whose x and h' have matrices of their own."""
    return lstm(concat=None, biases=2, name=name) if name == "separate" else cell(name)


def entries() -> list[Entry]:
    """Return everything that the gallery shows, in its order."""
    steps = [Entry("cell", "lstm"), Entry("cell", "lstm", symbolic=True)]
    steps += [Entry("cell", name) for name in (*cells(), "separate") if name != "lstm"]
    return [*steps, *(Entry(view, name) for view, names in FURTHER.items() for name in names)]


def gallery(directory: str | Path) -> Iterator[Path]:
    """Write every picture as .svg and .gv with an index, README.md; yield each path when it is written.

    directory: is made if need be.
    """
    target = Path(directory)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DrawError(f"cannot make the folder {directory}: {error.strerror}") from error
    titles = {}
    for entry in entries():
        picture = entry.draw()
        titles[entry] = picture.scene.title
        for suffix in ("svg", "gv"):
            yield picture.save(target / f"{entry.name}.{suffix}")
    index = target / "README.md"
    index.write_text(_index(titles), encoding="utf-8")
    yield index


def _index(titles: Mapping[Entry, str]) -> str:
    """Return the index: under a heading for every view, thumbnails in rows, each a link to its picture."""
    lines = [
        "# Gallery",
        "",
        "Drawn from the equations by `lstm-spec draw --all diagrams`;"
        f" {', '.join(f'{name} = {size}' for name, size in SIZES.items())} unless the sizes are symbols.",
        "The `.gv` files are pinned: `dot -Tpdf cell_lstm.gv -o cell_lstm.pdf` renders the same in any Graphviz.",
    ]
    for view, heading in HEADINGS.items():
        shown = {entry: title for entry, title in titles.items() if entry.view == view}
        lines += ["", f"## {heading}", "", *_table([_thumbnail(*item) for item in shown.items()])]
    return "\n".join([*lines, ""])


def _thumbnail(entry: Entry, title: str) -> str:
    said = f"{title}, sizes as symbols" if entry.symbolic else title
    return (
        f'<td width="33%"><a href="{entry.name}.svg"><img src="{entry.name}.svg" alt="{said}" width="100%"></a><br>'
        f'{said} (<a href="{entry.name}.gv">DOT</a>)</td>'
    )


def _table(fields: list[str], wide: int = 3) -> Iterable[str]:
    rows = [fields[k : k + wide] for k in range(0, len(fields), wide)]
    return ["<table>", *(f"<tr>{''.join(row)}</tr>" for row in rows), "</table>"]
