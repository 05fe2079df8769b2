"""A page for every cell of the catalogue: picture, equations, dimensions, gradients and their proofs."""

from collections.abc import Iterable, Iterator, Sequence

import lstm_spec as ls
from lstm_spec.draw.gallery import SIZES
from lstm_spec.report.show import constants_sentence, count_sentence, layer_sentences
from lstm_spec.spec.catalogue import CATALOGUE
from lstm_spec.spec.program import Program
from lstm_spec.spec.table import HEADINGS


def mathematics(*, prove: bool) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every page; prove: with every formula proved, which takes its time."""
    yield "index.md", _index()
    for name in ls.cells():
        yield f"{name}.md", cell_page(ls.cell(name), prove=prove)


def cell_page(cell: Program, *, prove: bool) -> str:
    """Return the page of a cell as Markdown, its formulas in MathML."""
    entry = CATALOGUE[cell.name]
    sizes = {s.name: SIZES[s.name] for s in cell.sizes if s.name in SIZES}
    rows = ls.dimension_table(cell, **sizes)
    given = " ".join(f"-{name} {size}" for name, size in sizes.items())
    picture = f"../diagrams/cell_{cell.name}.svg"
    parts = [
        f"# {cell.name}",
        f"{entry.line[:1].upper()}{entry.line[1:]}. {entry.source}.",
        f"[![{cell.name} drawn from its equations]({picture})]({picture})",
        "## Equations of one step",
        _formulas(cell),
        f"## Dimensions for {', '.join(f'{name} = {size}' for name, size in sizes.items())}",
        _table(HEADINGS, [row.cells for row in rows]),
        "\n\n".join([count_sentence(cell, sizes), *constants_sentence(cell)]),
        "## One unit",
        _formulas(cell, level="unit"),
        "\n".join(layer_sentences(cell, rows)),
        "## Gradients",
        "δv is ∂loss/∂v; what arrives from the step after is marked.",
        _formulas(ls.backward(cell)),
        "## Proofs",
        _proofs(cell) if prove else f"`lstm-spec prove {cell.name}` proves every one of these formulas for all sizes.",
        "## For your own use",
        f"```sh\nlstm-spec show {cell.name} {given}\nlstm-spec derive {cell.name} --format latex\n"
        f"lstm-spec verify my_cell.py:forward --spec {cell.name}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _index() -> str:
    rows = [(f"[{name}]({name}.md)", entry.line, entry.source) for name, entry in CATALOGUE.items()]
    said = (
        "Every cell is a list of equations, written down once. Its dimensions, gradients, proofs and picture on these"
        " pages are made from that list when the site is built."
    )
    return f"# The mathematics of every cell\n\n{said}\n\n{_table(('cell', 'what it is', 'source'), rows)}\n"


def _proofs(cell: Program) -> str:
    return _table(("status", "statement"), [(p.status, p.statement) for p in ls.prove(cell)])


def _formulas(program: Program, **options: str) -> str:
    return f"<div>\n{ls.write(program, format='mathml', **options).strip()}\n</div>"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
