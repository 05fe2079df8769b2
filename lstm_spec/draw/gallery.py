"""All pictures of a set of cells, written as SVG and DOT with an index."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lstm_spec.draw.picture import Picture, draw
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.program import Program

SIZES = {"n": 32, "m": 70, "q": 40}
"""The sizes of the pictures that have numbers."""

EACH = ("cell", "backward")
ONCE = ("unit", "unrolled", "stacked", "bidirectional", "network", "dimensions")
"""The views drawn of every cell, and those drawn of the first one only."""


def default_cells() -> dict[str, Program]:
    """Return the cells of the gallery where no others are given."""
    return {
        "lstm": lstm(),
        "peephole": lstm(peepholes="fio", name="peephole"),
        "cifg": lstm(coupled="i=1-f", name="cifg"),
        "separate": lstm(concat=None, biases=2, name="separate_lstm"),
    }


def pictures(cells: Mapping[str, Program] | None = None) -> Iterator[tuple[str, Picture]]:
    """Yield (file name without suffix, picture) for every picture of the gallery."""
    chosen = dict(cells or default_cells())
    for number, (name, program) in enumerate(chosen.items()):
        known = {s.name for s in program.sizes}
        sizes: dict[str, Any] = {key: value for key, value in SIZES.items() if key in known}
        for view in (*EACH, *(ONCE if number == 0 else ())):
            yield f"{view}_{name}", draw(view, program, **sizes)
        if number == 0:
            yield f"cell_{name}_symbolic", draw("cell", program)


def gallery(directory: str | Path, cells: Mapping[str, Program] | None = None) -> list[Path]:
    """Write every picture as .svg and .gv with an index, README.md; return the paths.

    directory: is made if need be; cells: by the name that files carry, the built-in ones where none are given.
    """
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    titles = {}
    for name, picture in pictures(cells):
        titles[name] = picture.scene.title
        written += [picture.save(target / f"{name}.svg"), picture.save(target / f"{name}.gv")]
    index = target / "README.md"
    index.write_text(_index(titles), encoding="utf-8")
    return [*written, index]


def _index(titles: Mapping[str, str]) -> str:
    """Return the index: two thumbnails in a row, each a link to its picture."""
    lines = [
        "# Gallery",
        "",
        f"Drawn from the equations; n = {SIZES['n']}, m = {SIZES['m']} unless the sizes are symbols. The",
        "`.gv` files are pinned: `dot -Tpdf cell_lstm.gv -o cell_lstm.pdf` renders the same picture in any Graphviz.",
        "",
    ]
    cells = [
        f'<td width="50%"><a href="{name}.svg"><img src="{name}.svg" alt="{title}" width="100%"></a><br>'
        f'{title} (<a href="{name}.gv">DOT</a>)</td>'
        for name, title in titles.items()
    ]
    rows = [cells[k : k + 2] for k in range(0, len(cells), 2)]
    return "\n".join([*lines, "<table>", *(f"<tr>{''.join(row)}</tr>" for row in rows), "</table>", ""])
