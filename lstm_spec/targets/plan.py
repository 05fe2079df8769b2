"""Where each parameter of a cell lies in the arrays of a layout: the layout's choices become pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from lstm_spec.targets.packing import Index, LayoutError, Packing, Piece, Shape

if TYPE_CHECKING:
    from lstm_spec.targets.layout import Layout

ROLES = MappingProxyType(
    {"W": "kernels", "R": "recurrent kernels", "b": "biases", "bR": "recurrent biases", "p": "peepholes"}
)
PROJECTION = "W_p"


@dataclass(frozen=True)
class Part:
    """Some columns (all, when None) of one parameter, on their way into an array."""

    parameter: str
    columns: slice | None = None
    units: int | None = None
    offset: float = 0.0


Band = Sequence[Part]  # parts that stand side by side
Bands = Mapping[str, Mapping[str, Band]]  # role → gate → band


def plan(layout: Layout, dimensions: Mapping[str, Shape], concat: str | None) -> Packing:
    """Work out where every parameter of a cell lies in the arrays of a layout.

    Args:
        layout: the third party's layout.
        dimensions: the shape of every parameter of the cell, by name.
        concat: the cell's own order in z, "xh" or "hx"; None for separate kernels.

    Returns:
        The packing, which converts in both directions.

    Raises:
        LayoutError: the layout cannot hold this cell.
    """
    bands = _biases(layout, _kernels(layout, _by_gate(dimensions), dimensions, concat))
    arrays: dict[str, Shape] = {}
    pieces: list[Piece] = []
    for name, stack in _stacks(layout, bands):
        shape, laid = _lay(layout, name, stack, dimensions)
        _claim(layout, arrays, name, shape)
        pieces += laid
    for parameter, shape in dimensions.items():
        if not _is_gated(parameter):
            name = _name(layout, [parameter], f"the parameter {parameter}")
            _claim(layout, arrays, name, shape)
            pieces.append(Piece(parameter, (...,), name, (...,)))
    stacked = "D" in layout.axes.split()[0]
    return Packing(_the(layout), dict(dimensions), arrays, pieces, layout.transposed, stacked)


def _by_gate(dimensions: Mapping[str, Shape]) -> Bands:
    bands: dict[str, dict[str, Band]] = {}
    for name in filter(_is_gated, dimensions):
        role, gate = name.split("_")
        bands.setdefault(role, {})[gate] = [Part(name)]
    return bands


def _is_gated(parameter: str) -> bool:
    return parameter != PROJECTION and re.fullmatch("(W|R|b|bR|p)_[a-z]", parameter) is not None


def _kernels(layout: Layout, bands: Bands, dimensions: Mapping[str, Shape], concat: str | None) -> Bands:
    """Join or split the kernels, unless the cell has them in the layout's form already."""
    inputs, recurrent = bands.get("W", {}), bands.get("R", {})
    held = "separate" if recurrent or concat is None else "joint"
    wanted = layout.kernels or held
    order = layout.concat or concat or "xh"
    if not inputs or (wanted == held and (held == "separate" or order == concat)):
        return bands
    if held == "joint":
        halves = {gate: _halves(layout, band[0], dimensions, concat) for gate, band in inputs.items()}
    elif inputs.keys() == recurrent.keys():
        halves = {gate: {"x": band[0], "h": recurrent[gate][0]} for gate, band in inputs.items()}
    else:
        raise LayoutError(
            f"{_the(layout)} joins input and recurrent kernels, but not every gate of the cell has both: use"
            " a layout with separate kernels"
        )
    sides = {"W": order} if wanted == "joint" else {"W": "x", "R": "h"}
    kernels = {role: {gate: [half[side] for side in sides[role]] for gate, half in halves.items()} for role in sides}
    return {**kernels, **{role: gates for role, gates in bands.items() if role not in ("W", "R")}}


def _halves(layout: Layout, kernel: Part, dimensions: Mapping[str, Shape], concat: str | None) -> dict[str, Part]:
    rows, width = dimensions[kernel.parameter]
    recurrent = dimensions.get(PROJECTION, (rows,))[0]
    if width < recurrent:
        raise LayoutError(
            f"{_the(layout)} splits {kernel.parameter} {(rows, width)}, which is narrower than the"
            f" {recurrent} recurrent columns: pass concat=None for a cell with separate kernels"
        )
    start = width - recurrent if concat == "xh" else 0
    x = slice(0, start) if concat == "xh" else slice(recurrent, width)
    h = slice(start, start + recurrent)
    return {"x": replace(kernel, columns=x), "h": replace(kernel, columns=h)}


def _biases(layout: Layout, bands: Bands) -> Bands:
    """Give the layout as many biases as it has, and take back what it adds to the forget gate by itself."""
    biases = {role: dict(bands[role]) for role in ("b", "bR") if role in bands}
    wanted = len(biases) if layout.biases is None else layout.biases
    wanted = 2 if wanted == "concatenated" else wanted
    if wanted < len(biases):
        raise LayoutError(
            f"{_the(layout)} holds {wanted} of the cell's {len(biases)} biases per gate: choose a cell with"
            f" biases={wanted}"
        )
    if biases and wanted > len(biases):
        # Whole biases by turns: two halves would add up to b as well, but hide one array taken twice.
        biases = {
            role: {gate: [replace(part, units=units) for part in band] for gate, band in bands["b"].items()}
            for units, role in enumerate(("b", "bR"))
        }
    if layout.forget_offset:
        if "f" not in biases.get("b", {}):
            raise LayoutError(
                f"{_the(layout)} adds {layout.forget_offset} to the forget gate, which only a bias b_f can"
                " take back: choose a cell that has one"
            )
        biases["b"]["f"] = [replace(part, offset=layout.forget_offset) for part in biases["b"]["f"]]
    return {**bands, **biases}


def _stacks(layout: Layout, bands: Bands) -> Iterable[tuple[str, list[Band]]]:
    """Every array of the third party by name, as the bands that stand in it from top to bottom."""
    concatenated = layout.biases == "concatenated" and "bR" in bands
    for role in bands:
        if concatenated and role == "bR":
            continue
        sources = ["b", "bR"] if concatenated and role == "b" else [role]
        order = layout.peepholes if role == "p" else layout.gates
        for source in sources if order else []:
            _check_order(layout, order, source, bands[source])
        for group in [order] if order else bands[role]:
            keys = [role] if order else [f"{role}_{group}", role]
            default = role if order else f"{role}_{{gate}}"
            what = f"the {ROLES[role]} {_list(f'{role}_{gate}' for gate in bands[role])}"
            name = _name(layout, keys, what, default).replace("{gate}", layout.names.get(group, group))
            yield name, [bands[source].get(gate, ()) for source in sources for gate in group]


def _check_order(layout: Layout, order: str, role: str, gates: Iterable[str]) -> None:
    if set(order) - set(layout.unused) != set(gates):
        raise LayoutError(
            f'{_the(layout)} packs the gates "{order}", but the cell has {ROLES[role]} for "{"".join(gates)}"'
            " (c is the candidate): use a layout that packs exactly these"
        )


def _name(layout: Layout, keys: Sequence[str], what: str, default: str | None = None) -> str:
    if not layout.names:
        return default or keys[0]
    for key in keys:
        if key in layout.names:
            return layout.names[key]
    raise LayoutError(
        f"{_the(layout)} has no place for {what}: choose a cell without, or add {keys[-1]} to its [names]"
    )


def _lay(
    layout: Layout, array: str, stack: Sequence[Band], dimensions: Mapping[str, Shape]
) -> tuple[Shape, list[Piece]]:
    """The shape of an array and the pieces in it; a vector is a matrix without columns, an empty band a gap."""
    pieces: list[Piece] = []
    shapes: set[Shape] = set()
    row = 0
    for band in stack:
        like = band or next(filter(None, stack))
        height, *columns = dimensions[like[0].parameter]
        column = 0
        for part in like:
            inner: Index = (slice(None),)
            place: Index = (slice(row, row + height),)
            if columns:
                chosen = part.columns or slice(0, dimensions[part.parameter][1])
                end = column + chosen.stop - chosen.start
                inner, place = (*inner, chosen), (*place, slice(column, end))
                column = end
            if band:
                pieces.append(Piece(part.parameter, inner, array, place, part.units, part.offset))
        shapes.add((column,) if columns else ())
        row += height
    if len(shapes) > 1:
        raise LayoutError(
            f"{_the(layout)} packs {_list(piece.parameter for piece in pieces)} in one array, but their"
            " widths differ: use a layout with one array per gate"
        )
    return (row, *shapes.pop()), pieces


def _claim(layout: Layout, arrays: dict[str, Shape], name: str, shape: Shape) -> None:
    if name in arrays:
        raise LayoutError(f'{_the(layout)} gives two arrays the name "{name}": make its [names] distinct')
    arrays[name] = shape


def _the(layout: Layout) -> str:
    return f"the layout {layout.name}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
