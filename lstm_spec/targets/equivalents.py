"""Which cell of a library computes what another cell does, and the parameters of one as those of the other.

Cells may differ in how many biases they have, and in one matrix over z or two over x and h'.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from lstm_spec.compute.compile import run
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.network import network_of
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.program import Program
from lstm_spec.targets.held import held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.originals import biases_of, cells_of, original
from lstm_spec.targets.packing import Array
from lstm_spec.targets.weights import Spec, Weights

HUB = Layout(kernels="separate", name="apart")
"""A layout in which every cell has a matrix for x and one for h', and that says nothing of biases."""


class ConvertError(ValueError):
    """Weights that cannot be converted; the message is one sentence with the reason."""


def in_library(given: Weights, layout: Layout) -> Spec:
    """Return what weights are the parameters of, in the cells of a layout's library; raises ConvertError for none."""
    zero = _zero(given)
    return _with_cells(given.spec, lambda cell: _cell_for(cell, layout, zero))


def in_cells(
    params: Mapping[str, Array], own: Spec, wanted: Spec, sizes: Mapping[str, int]
) -> tuple[dict[str, Array], list[str]]:
    """Return the parameters of one specification as those of another one that computes the same, with notes on it."""
    apart = held(HUB, own).pack(params)
    shapes = held(HUB, wanted).shapes(sizes)
    merged = [name for name in apart if name not in shapes]
    found = {
        name: apart[name] if name in apart else np.zeros(shapes[name], np.result_type(*apart.values()))
        for name in shapes
    }
    added = False
    for name in merged:
        other = name.replace("bR_", "b_")
        if other not in found:
            if np.any(apart[name]):
                raise ConvertError(f"there is no place for a bias, and {symbol_text(name)} is not 0")
            continue
        # Where there is nothing to add, nothing changes, not even a −0.0.
        found[other] = np.where(apart[name] == 0, found[other], found[other] + apart[name])
        added |= bool(np.any(apart[name]))
    notes = ["the two biases of every gate were added, which cannot be undone"] if added else []
    if len(found) > len(apart):
        notes.append("biases that the weights did not have are 0")
    return held(HUB, wanted).unpack(found, sizes), notes


def _with_cells(spec: Spec, change: Callable[[Program], Program]) -> Spec:
    """Return a specification with other cells, and with initial states and outputs as a layer has them."""
    if isinstance(spec, Program):
        return change(spec)
    layers = tuple(
        replace(
            layer, cell=change(layer.cell), reverse_cell=None if layer.reverse_cell is None else change(layer.cells[1])
        )
        for layer in spec.layers
    )
    return replace(spec, layers=layers)


def _zero(given: Weights) -> frozenset[str]:
    """Return the biases of the cells, by the names that these have for them, that are 0 wherever they are."""
    passes = network_of(given.spec).every_pass
    biases = [
        (p.name, given.params[one.key + p.name]) for one in passes for p in one.cell.parameters if _is_bias(p.name)
    ]
    return frozenset({name for name, _ in biases} - {name for name, array in biases if np.any(array)})


def _cell_for(cell: Program, layout: Layout, zero: frozenset[str]) -> Program:
    """Return the cell of a layout's library that computes what a cell does; raises ConvertError for none.

    zero: parameters that are 0, such as a bias within a reset gate, which has a place elsewhere only then.
    """
    count = biases_of(layout)
    if original(layout) is None and count in (None, _biases(cell)):
        return cell
    every = [one for one in cells_of(layout) if count is None or _biases(one) == count]
    for one in every:
        if roles(one) == roles(cell) and computes_the_same(cell, one, zero):
            return one
    if original(layout) is None:
        # What it computes is not known; whether it holds these parameters, packing tells.
        return cell
    raise ConvertError(_no_place(cell, every, layout))


def _biases(cell: Program) -> int:
    return len({p.name.split("_")[0] for p in cell.parameters if _is_bias(p.name)})


def _is_bias(name: str) -> bool:
    return name.startswith(("b_", "bR_"))


def roles(cell: Program) -> frozenset[str]:
    """Return the parameters of a cell but for its biases, with a matrix for x and one for h'."""
    names = held(HUB, cell).shapes(dict.fromkeys((s.name for s in cell.sizes), 1))
    return frozenset(name for name in names if not _is_bias(name))


@lru_cache(maxsize=256)
def computes_the_same(cell: Program, other: Program, zero: frozenset[str] = frozenset()) -> bool:
    """Tell whether two cells with the same gates compute the same, by two steps of each on numbers drawn once.

    zero: parameters that are 0.
    """
    rng = np.random.default_rng(0)
    sizes = {s.name: 2 + k for k, s in enumerate(cell.sizes)}
    drawn = {name: rng.normal(size=shape) for name, shape in cell.dimensions(**sizes).items()}
    params = {name: np.zeros_like(p) if name in zero else p for name, p in drawn.items()}
    given, _ = in_cells(params, cell, other, sizes)
    x = rng.normal(size=(2, 5, sizes["n"]))
    values = cell.check_sizes(sizes)
    states = [rng.normal(size=(5, int(before.shape[0].subs(values)))) for before, _ in cell.recurrence]
    pairs = zip(run(cell, params, x, *states), run(other, given, x, *states), strict=True)
    return all(bool(np.allclose(a, b, rtol=1e-9, atol=1e-12)) for a, b in pairs)


def _no_place(cell: Program, every: Sequence[Program], layout: Layout) -> str:
    near = min(every, key=lambda one: len(roles(one) ^ roles(cell)))
    if not roles(near) & roles(cell):
        names = " or ".join(dict.fromkeys(one.name for one in every))
        return f"{layout.name} holds the weights of {names}, and these are those of {cell.name}"
    more, less = sorted(roles(cell) - roles(near)), sorted(roles(near) - roles(cell))
    if more:
        return (
            f"{layout.name} holds the weights of {near.name}, which has no place for the {_listed(more)} of {cell.name}"
        )
    if less:
        return f"{layout.name} holds the weights of {near.name}, and {cell.name} has no {_listed(less)} for it"
    known = {e.name: e for e in near}
    pairs = [(e, known[e.name]) for e in cell if e.name in known]
    parts = [pair for pair in pairs if _unbiased(pair[0]) != _unbiased(pair[1])] or pairs
    # Pre-activations differ in form where there is one matrix or two.
    a, b = next((pair for pair in parts if not pair[0].name.startswith("a_")), parts[0])
    return f"{layout.name} computes {near.name} with {b}, where {cell.name} has {a}"


def _unbiased(equation: Equation) -> str:
    return re.sub(r" \+ bR?_\w", "", str(equation))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(symbol_text, names))
