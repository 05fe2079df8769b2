"""Weights of one library as another one holds them.

Arrays in one layout become the parameters of a specification, these the parameters of the other library's cell, and
these arrays in its layout. Both cells have to compute the same; they may differ in how many biases they have.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from lstm_spec.compute.compile import run
from lstm_spec.spec.layers import layers as layers_of
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.program import Equation, Program
from lstm_spec.targets.held import held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import LAYOUTS, family
from lstm_spec.targets.originals import biases_of, cells_of, original
from lstm_spec.targets.packing import Array, LayoutError
from lstm_spec.targets.weights import Spec, Specs, Weights, fitting, misfit, names_of, networked, parted

HUB = Layout(kernels="separate", name="apart")
"""A layout in which every cell has a matrix for x and one for h', and that says nothing of biases."""


class ConvertError(ValueError):
    """Weights that cannot be converted; the message is one sentence with the reason."""


@dataclass(frozen=True)
class Converted:
    """Weights as they came and as they are held now, and what is to be said of it.

    source, target: with ``.arrays`` by the names of each layout; notes: what has been rounded, added or left out.
    """

    source: Weights
    target: Weights
    notes: tuple[str, ...] = ()

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays as the target's library has them, by name, with what stands before their names."""
        return {self.target.prefix + name: array for name, array in self.target.arrays.items()}


def convert_arrays(
    arrays: Mapping[str, Any],
    *,
    target: str | Layout,
    source: str | Layout | None = None,
    spec: Spec | None = None,
    prefix: str | None = None,
    target_prefix: str = "",
    sizes: Mapping[str, int] | None = None,
) -> Converted:
    """Return the weights of one library as another one holds them.

    arrays: by the names that they were saved under. target, source: the libraries, as names of layouts such as
    "pytorch", "keras" or "onnx", which stand for all cells of that library; a Layout, or a TOML file of one; without
    ``source`` the one that names and shapes fit. spec: whose parameters they are, where that is no usual cell. prefix:
    what stands before the names, such as "encoder.lstm."; without it whatever does. target_prefix: what is to stand
    before the new ones. sizes: n, m, … where these are to be checked.

    Raises ConvertError or LayoutError in one sentence for arrays that are no such weights, and where the other library
    has no place for them.

    >>> torch = {"weight_ih_l0": np.eye(8, 3), "weight_hh_l0": np.eye(8, 2), "bias_ih_l0": np.ones(8),
    ...          "bias_hh_l0": np.ones(8)}
    >>> found = convert_arrays(torch, source="pytorch", target="keras")
    >>> {name: array.shape for name, array in found.arrays.items()}
    {'kernel': (3, 8), 'recurrent_kernel': (2, 8), 'bias': (8,)}
    >>> found.notes
    ('the two biases of every gate were added, which cannot be undone',)
    """
    numbers = {name: np.asarray(a) for name, a in arrays.items()}
    given = read(numbers, source=source, spec=spec, prefix=prefix)
    for name, size in (sizes or {}).items():
        if given.sizes.get(name) != size:
            known = ", ".join(f"{key}={value}" for key, value in given.sizes.items())
            raise ConvertError(f"{name} was said to be {size}, but the arrays have {known}")
    return translate(given, target, prefix=target_prefix, notes=_left_out(numbers, given))


def read(
    arrays: Mapping[str, Array], *, source: str | Layout | None, spec: Spec | None = None, prefix: str | None = None
) -> Weights:
    """Return what arrays are the parameters of; arguments and errors as ``convert_arrays``."""
    layouts = list(LAYOUTS.values()) if source is None else list(family(source))
    specs: Specs = partial(_specs, spec)
    before = _completed(prefix, arrays)
    # One layer of several would fit as well, and a cell without the peepholes that there are.
    found = fitting(arrays, layouts, specs, prefix=before)
    even = _most(found)
    found += [w for w in fitting(arrays, layouts, _uneven, prefix=before) if len(w.arrays) > even]
    best = [weights for weights in found if len(weights.arrays) == _most(found)]
    if not best:
        raise ConvertError(misfit(arrays, layouts, specs, before))
    first = best[0]
    for other in best[1:]:
        if other.prefix != first.prefix:
            raise ConvertError(f"there are several: before the names stands {_prefixes(best)}; say which by the prefix")
        if not _same(first, other):
            either = f"{_called(first)} or of {_called(other)}"
            raise ConvertError(f"the arrays may be those of {either}; say which by the layout or the spec")
    _check_numbers(first)
    if extra := _beside(arrays, first):
        known = {name for spec in specs(first.layout, arrays) for name in names_of(first.layout, spec)}
        if extra in known:
            raise ConvertError(misfit(arrays, [first.layout], specs, first.prefix))
        wanted = f"{_called(first)} has the arrays {', '.join(first.arrays)}"
        raise ConvertError(f"{wanted}; {first.prefix}{extra} is beside them and is none of them")
    return first


def translate(given: Weights, target: str | Layout, *, prefix: str = "", notes: Sequence[str] = ()) -> Converted:
    """Return weights as a library holds them, in the first of its layouts that can; raises as ``convert_arrays``."""
    refusals: list[tuple[bool, ValueError]] = []
    for layout in family(target):
        try:
            return _into(given, layout, prefix, notes)
        except (ConvertError, LayoutError) as error:
            # The refusal of the layout that is for such a cell says most.
            refusals.append((_states_of(layout) != list(network_of(given.spec).layers[0].cell.states), error))
    raise min(refusals, key=lambda refusal: refusal[0])[1]


def _states_of(layout: Layout) -> list[str]:
    return list(cells_of(layout)[0].states)


def _into(given: Weights, layout: Layout, prefix: str, notes: Sequence[str]) -> Converted:
    spec = in_library(given, layout)
    _check_network(network_of(spec), layout, given.sizes)
    params, said = in_cells(given.params, given.spec, spec, given.sizes)
    arrays = held(layout, spec).pack(params)
    said += [*_offset_notes(given, layout, params)]
    made = Weights(layout, spec, given.sizes, params, arrays, prefix)
    return Converted(given, made, (*notes, *said))


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
    found = {name: apart[name] if name in apart else np.zeros(shapes[name], _dtype(apart)) for name in shapes}
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
        notes.append("the biases that there were not are 0")
    return held(HUB, wanted).unpack(found, sizes), notes


def _specs(spec: Spec | None, layout: Layout, arrays: Mapping[str, Array]) -> Iterator[Spec]:
    yield from [spec] if spec is not None else (networked(cell, layout, arrays) for cell in cells_of(layout))


def _most(found: Sequence[Weights]) -> int:
    return max((len(weights.arrays) for weights in found), default=0)


def _completed(prefix: str | None, names: Iterable[str]) -> str | None:
    """Return a prefix with the dot or the slash that names have after it."""
    if not prefix or prefix[-1] in "./":
        return prefix
    return next((prefix + name[len(prefix)] for name in names if re.match(re.escape(prefix) + "[./]", name)), prefix)


def _uneven(layout: Layout, arrays: Mapping[str, Array]) -> Iterator[Spec]:
    """Yield layers that each have a hidden size of their own."""
    for cell in cells_of(layout):
        network = networked(cell, layout, arrays)
        if isinstance(network, Network) and (count := len(network.layers)) > 1:
            both = network.layers[0].direction == "both"
            yield layers_of(cell, hidden=[f"m{k}" for k in range(count)], bidirectional=both)


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
        if _roles(one) == _roles(cell) and computes_the_same(cell, one, zero):
            return one
    if original(layout) is None:
        # What it computes is not known; whether it holds these parameters, packing tells.
        return cell
    raise ConvertError(_no_place(cell, every, layout))


def _biases(cell: Program) -> int:
    return len({p.name.split("_")[0] for p in cell.parameters if _is_bias(p.name)})


def _is_bias(name: str) -> bool:
    return name.startswith(("b_", "bR_"))


def _roles(cell: Program) -> frozenset[str]:
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
    near = min(every, key=lambda one: len(_roles(one) ^ _roles(cell)))
    if not _roles(near) & _roles(cell):
        names = " or ".join(dict.fromkeys(one.name for one in every))
        return f"{layout.name} holds the weights of {names}, and these are those of {cell.name}"
    more, less = sorted(_roles(cell) - _roles(near)), sorted(_roles(near) - _roles(cell))
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


def _check_network(network: Network, layout: Layout, sizes: Mapping[str, int]) -> None:
    if layout.by_layer and any(layer.direction not in ("forward", "both") for layer in network.layers):
        raise ConvertError(f"{layout.name} has no layer that runs backwards alone")
    hidden = {size for name, size in sizes.items() if name.startswith("m")}
    if layout.by_layer and len(hidden) > 1:
        raise ConvertError(f"{layout.name} has one hidden size for all layers, got {', '.join(map(str, hidden))}")
    if layout.by_layer and len({layer.direction for layer in network.layers}) > 1:
        raise ConvertError(f"{layout.name} runs all layers in the same directions")


def _dtype(arrays: Mapping[str, Array]) -> np.dtype[Any]:
    return np.result_type(*arrays.values())


def _offset_notes(given: Weights, layout: Layout, params: Mapping[str, Array]) -> Iterator[str]:
    for weights, verb in ((given.layout, "added to"), (layout, "subtracted from")):
        if weights.forget_offset:
            amount = f"{weights.forget_offset:g}"
            yield f"{weights.name} adds {amount} to the forget gate by itself, so {amount} was {verb} its bias"


def _left_out(arrays: Mapping[str, Array], given: Weights) -> list[str]:
    others = [name for name in arrays if name.removeprefix(given.prefix).removesuffix(":0") not in given.arrays]
    shown = ", ".join(others[:4]) + (f" and {len(others) - 4} more" if len(others) > 4 else "")
    return [f"not of these weights, and left out: {shown}"] if others else []


def _check_numbers(weights: Weights) -> None:
    for name, array in weights.arrays.items():
        if array.dtype.kind in "iub":
            raise ConvertError(f"{weights.prefix}{name} holds {array.dtype}; expected floating-point numbers")
        if not np.isfinite(array).all():
            raise ConvertError(f"{weights.prefix}{name} holds NaN or infinity")


def _beside(arrays: Mapping[str, Array], weights: Weights) -> str | None:
    """Return an array that stands where those of the weights do and is none of them, None where there is no such."""
    homes = {_home(name) for name in weights.arrays}
    own = parted(arrays, weights.prefix)[weights.prefix]
    return next((name for name in own if name not in weights.arrays and _home(name) in homes), None)


def _home(name: str) -> str:
    return name[: max(name.rfind("."), name.rfind("/")) + 1]


def _same(first: Weights, other: Weights) -> bool:
    """Tell whether two readings of arrays come to the same."""
    one, two = network_of(first.spec), network_of(other.spec)
    cells = zip(one.every_pass, two.every_pass, strict=False)
    if len(one.every_pass) != len(two.every_pass) or any(_roles(a.cell) != _roles(b.cell) for a, b in cells):
        return False
    if any(not computes_the_same(a.cell, b.cell) for a, b in zip(one.every_pass, two.every_pass, strict=True)):
        return False
    params, _ = in_cells(first.params, first.spec, other.spec, first.sizes)
    return all(np.array_equal(params[name], other.params[name], equal_nan=True) for name in other.params)


def _called(weights: Weights) -> str:
    return f"{weights.spec.name} in the layout {weights.layout.name}"


def _prefixes(found: Sequence[Weights]) -> str:
    return " or ".join(dict.fromkeys(repr(weights.prefix) for weights in found))
