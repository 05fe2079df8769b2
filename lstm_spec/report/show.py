"""A cell on one page: equations, every dimension, parameter counts, and what one unit of it reads."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lstm_spec.spec.catalogue import CATALOGUE
from lstm_spec.spec.catalogue import cell as catalogue_cell
from lstm_spec.spec.elements import unit_view
from lstm_spec.spec.names import axes_text
from lstm_spec.spec.network import Network
from lstm_spec.spec.notation import size_text, symbol_text
from lstm_spec.spec.notations import Notation
from lstm_spec.spec.notations import notation as notation_of
from lstm_spec.spec.program import Program
from lstm_spec.spec.summary import SUMMARY_HEADINGS, summary
from lstm_spec.spec.table import HEADINGS, Row, dimension_table
from lstm_spec.spec.typeset import Tree, plain
from lstm_spec.spec.unroll import recurrence
from lstm_spec.write.formulas import setting_of
from lstm_spec.write.latex import latex
from lstm_spec.write.write import write


def show_text(cell: Program, sizes: Mapping[str, int], *, notation: str = "design") -> str:
    """Return the page as text for a terminal."""
    rows = dimension_table(cell, **sizes)
    equations = _lines(cell, notation)
    prime = "; ' marks the step before" if any("'" in line for line in equations) else ""
    named = _symbols(cell, notation_of(notation), plain)
    parts = [
        _title(cell),
        _indented(f"Equations of one step, for whole layer vectors{prime}", equations),
        _indented(_dimension_heading(sizes), _columns(_dimension_rows(rows, named))),
        "\n".join([count_sentence(cell, sizes), *constants_sentence(cell), *ties_sentence(cell)]),
        _indented("Equations of one unit k", _lines(cell, notation, level="unit")),
        "\n".join(layer_sentences(cell, rows, named=named)),
    ]
    return "\n\n".join(parts) + "\n"


def show_markdown(cell: Program, sizes: Mapping[str, int], *, notation: str = "design") -> str:
    """Return the page as Markdown, formulas in $-mathematics."""
    rows = dimension_table(cell, **sizes)
    named = _symbols(cell, notation_of(notation).in_type(), lambda tree: f"${latex(tree).strip()}$")
    table = _ruled(_dimension_rows(rows, named))
    parts = [
        f"# {cell.name}\n\n{cell.source}".rstrip(),
        "## Equations\n\n" + write(cell, format="markdown", notation=notation).rstrip(),
        f"## Dimensions\n\n{table}",
        "\n\n".join([count_sentence(cell, sizes), *constants_sentence(cell), *ties_sentence(cell)]),
        "## One unit\n\n" + write(cell, format="markdown", notation=notation, level="unit").rstrip(),
        "\n".join(layer_sentences(cell, rows, named=named)),
    ]
    return "\n\n".join(parts) + "\n"


def show_dict(cell: Program, sizes: Mapping[str, int]) -> dict[str, Any]:
    """Return the page as JSON takes it."""
    rows = dimension_table(cell, **sizes)
    count = cell.parameter_count(**sizes)
    return {
        "cell": cell.name,
        "source": cell.source,
        "sizes": dict(sizes),
        "equations": [str(d) for d in cell],
        "dimensions": [
            {
                "name": row.name,
                "role": row.role,
                "shape": [size_text(side) for side in row.shape],
                "actual": None if row.actual is None else list(row.actual),
                "entries": row.entries if isinstance(row.entries, int) else size_text(row.entries),
            }
            for row in rows
        ],
        "parameters": {
            "formula": count_formula(cell),
            "count": count if isinstance(count, int) else None,
        },
        "constants": {symbol.name: float(value) for symbol, value in cell.constants},
        "ties": [{"size": tie.size.name, "is": tie.other.name, "because": tie.because} for tie in cell.tied],
        "unit_reads": dict(unit_view(cell).reads),
    }


def network_text(network: Network, sizes: Mapping[str, int]) -> str:
    """Return the layers of a network as text: a table, every parameter with its shape, and the recurrence."""
    rows = [SUMMARY_HEADINGS, *(row.cells for row in summary(network, **sizes))]
    parts = [
        _indented(network.name, _columns(rows)),
        _indented(_dimension_heading(sizes), _columns(_parameter_rows(network, sizes))),
        _indented("Recurrence; ' marks the step before", recurrence(network).splitlines()),
    ]
    return "\n\n".join(parts) + "\n"


def network_markdown(network: Network, sizes: Mapping[str, int]) -> str:
    """Return the same as Markdown."""
    tables: list[list[tuple[str, ...]]]
    tables = [[SUMMARY_HEADINGS, *(row.cells for row in summary(network, **sizes))], _parameter_rows(network, sizes)]
    layers, parameters = (_ruled(table) for table in tables)
    parts = [f"# {network.name}", layers, "## Parameters", parameters]
    return "\n\n".join([*parts, f"## Recurrence\n\n```text\n{recurrence(network)}\n```"]) + "\n"


def network_dict(network: Network, sizes: Mapping[str, int]) -> dict[str, Any]:
    """Return the same as JSON takes it; a size or a count without a number is text."""
    *layers, output = summary(network, **sizes)
    return {
        "network": network.name,
        "sizes": dict(sizes),
        "layers": [
            {
                "name": row.name,
                "kind": row.kind,
                "output": [_plain(side) for side in row.output],
                "parameters": _plain(row.parameters),
            }
            for row in layers
        ],
        "output": [_plain(side) for side in output.output],
        "parameters": _plain(output.parameters),
        "dimensions": {name: [_plain(s) for s in shape] for name, shape in network.dimensions(**sizes).items()},
        "states": {kind: list(names) for kind, names in network.stacks.items()},
        "recurrence": recurrence(network).splitlines(),
    }


def _ruled(table: Sequence[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    rows = [table[0], ("---",) * len(table[0]), *table[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _parameter_rows(network: Network, sizes: Mapping[str, int]) -> list[tuple[str, ...]]:
    shapes = network.dimensions(**sizes)
    return [("parameter", "shape"), *((name, axes_text(shape)) for name, shape in shapes.items())]


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else size_text(value)


def catalogue_lines() -> list[str]:
    """Return the catalogue, a line for each cell: name, what it is, number of parameters, source."""
    entries = [
        (name, entry.line, count_formula(catalogue_cell(name)), entry.source) for name, entry in CATALOGUE.items()
    ]
    return _columns([("cell", "what it is", "parameters", "source"), *entries])


def catalogue_dict() -> dict[str, Any]:
    """Return the catalogue as JSON takes it."""
    return {
        "cells": [
            {
                "name": name,
                "line": entry.line,
                "parameters": count_formula(catalogue_cell(name)),
                "source": entry.source,
            }
            for name, entry in CATALOGUE.items()
        ]
    }


def count_formula(cell: Program) -> str:
    """Return the number of parameters as a formula in the sizes.

    >>> from lstm_spec.spec.cells import lstm
    >>> count_formula(lstm())
    '4m(n+m+1)'
    """
    return size_text(cell.parameter_count())


def count_sentence(cell: Program, sizes: Mapping[str, int]) -> str:
    """Say how many parameters the cell has, in symbols and in numbers."""
    count = cell.parameter_count(**sizes)
    numeric = f" = {count:,}" if isinstance(count, int) else ""
    return f"Parameters: {count_formula(cell)}{numeric}"


def constants_sentence(cell: Program) -> list[str]:
    """Say which values the constants of the equations have, in one line; none where there are none.

    >>> from lstm_spec.spec.cells import lstm
    >>> constants_sentence(lstm(layer_norm="joint")), constants_sentence(lstm())
    (['Constants: eps = 1e-05'], [])
    """
    values = [f"{symbol.name} = {float(value):g}" for symbol, value in cell.constants]
    return [f"Constants: {', '.join(values)}"] if values else []


def ties_sentence(cell: Program) -> list[str]:
    """Say which sizes are one in this cell and which equation needs it; nothing where each is its own."""
    return [f"Sizes: {tie.sentence(cell.name)}" for tie in cell.tied]


def layer_sentences(cell: Program, rows: Sequence[Row], *, named: Callable[[str], str] = symbol_text) -> list[str]:
    """Say whether the picture of the cell shows a neuron or a layer, from what one unit reads.

    named: how a symbol is written.

    >>> from lstm_spec.spec.cells import lstm
    >>> for sentence in layer_sentences(lstm(), dimension_table(lstm(), n=32, m=70)):
    ...     print(sentence)
    A neuron or a layer? A layer: every line of the picture carries a whole vector, x 32, h' 70, c' 70, h 70, c 70.
    Unit k of it reads all 32 entries of x, all 70 entries of h' and only its own entry of c'.
    So a lone unit cannot be unrolled over time: its next step needs h' of all units.
    """
    entries = {row.name: row.cells[3] or row.cells[2] for row in rows}
    view = unit_view(cell)
    reads = view.reads
    vectors = [*reads, *(name for name in cell.states if name not in reads)]
    listed = ", ".join(f"{named(name)} {entries[name]}" for name in vectors)

    def phrase(read: Mapping[str, str]) -> str:
        told = {"all": lambda name: f"all {entries[name]} entries of", "own": lambda name: "only its own entry of"}
        return _enumerated([f"{told[how](name)} {named(name)}" for name, how in read.items()])

    # With a projection, unit k of c is not unit k of h.
    even = len({cell.symbols[name].shape for name in cell.states}) == 1
    units = {"Unit k of it": reads} if even else {f"Unit k of {named(s)}": view.reads_of[s] for s in cell.states}
    previous = {before.name for before, _ in cell.recurrence}
    shared = [named(name) for name in reads if name in previous and any(r.get(name) == "all" for r in units.values())]
    if shared:
        names = " and ".join(shared)
        last = f"So a lone unit cannot be unrolled over time: its next step needs {names} of all units."
    else:
        last = "So a lone unit can be unrolled over time: it needs no other unit's state."
    return [
        f"A neuron or a layer? A layer: every line of the picture carries a whole vector, {listed}.",
        *(f"{unit} reads {phrase(read)}." for unit, read in units.items()),
        last,
    ]


def _enumerated(phrases: list[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _title(cell: Program) -> str:
    return f"{cell.name}: {cell.source}" if cell.source else cell.name


def _symbols(cell: Program, notation: Notation, written: Callable[[Tree], str]) -> Callable[[str], str]:
    """Return how the symbols of a cell are written on its page."""
    setting = setting_of(cell, notation)
    return lambda name: written(setting.symbol(name))


def _dimension_rows(rows: Sequence[Row], named: Callable[[str], str]) -> list[tuple[str, ...]]:
    return [HEADINGS, *((named(row.name), *row.cells[1:]) for row in rows)]


def _lines(cell: Program, notation: str, level: str = "matrix") -> list[str]:
    return write(cell, format="text", notation=notation, level=level).rstrip("\n").splitlines()


def _dimension_heading(sizes: Mapping[str, int]) -> str:
    given = ", ".join(f"{name}={value}" for name, value in sizes.items())
    return f"Dimensions{f' ({given})' if given else ''}"


def _indented(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([heading, *(f"  {line}" for line in lines)])


def _columns(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    return ["  ".join(_pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def _width(text: str) -> int:
    # A combining tilde takes no place of its own.
    return len(text) - text.count("\u0303")


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
