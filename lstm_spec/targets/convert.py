"""Weights of one library as another one holds them.

Arrays in one layout become the parameters of a specification, these the parameters of the other library's cell, and
these arrays in its layout.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_spec.compute.formats import STORED
from lstm_spec.spec.network import Network, network_of
from lstm_spec.targets.arrays import is_array, to_numpy
from lstm_spec.targets.equivalents import ConvertError, in_cells, in_library
from lstm_spec.targets.given_weights import Given, given_weights
from lstm_spec.targets.held import held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import family
from lstm_spec.targets.originals import cells_of
from lstm_spec.targets.packing import Array, LayoutError
from lstm_spec.targets.saved import read_saved
from lstm_spec.targets.weights import Spec, Weights


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


def convert(
    given: str | Path | Mapping[str, Any],
    *,
    target: str | Layout,
    source: str | Layout | None = None,
    spec: Spec | None = None,
    prefix: str | None = None,
    target_prefix: str = "",
    sizes: Mapping[str, int] | None = None,
) -> Converted:
    """Return the weights of one library as another one holds them.

    given: arrays by the names that they were saved under, or in dictionaries of dictionaries, whose keys are joined by
    a slash; or a file of them: .npz, .safetensors, PyTorch's .pt and .pth, Keras's .weights.h5 and .keras; or a model
    of ONNX, which says itself what it is, and of whose recurrent nodes ``prefix`` names one. target, source: the
    libraries, as names of layouts such as "pytorch", "keras" or "onnx", which stand for all cells of that library; a
    Layout, or a TOML file of one; without ``source`` the one that names and shapes fit. spec: whose parameters they
    are, where that is no usual cell. prefix: what stands before the names, such as "encoder.lstm."; without it whatever
    does. target_prefix: what is to stand before the new ones. sizes: n, m, … where these are to be checked.

    Raises ConvertError or LayoutError in one sentence for arrays that are no such weights and where the other library
    has no place for them, FileError for a file that cannot be read, TargetError where a package is missing.

    >>> import numpy as np
    >>> torch = {"weight_ih_l0": np.eye(8, 3), "weight_hh_l0": np.eye(8, 2), "bias_ih_l0": np.ones(8),
    ...          "bias_hh_l0": np.ones(8)}
    >>> found = convert(torch, source="pytorch", target="keras")
    >>> {name: array.shape for name, array in found.arrays.items()}
    {'kernel': (3, 8), 'recurrent_kernel': (2, 8), 'bias': (8,)}
    >>> found.notes
    ('the two biases of every gate were added, which cannot be undone',)
    """
    own = given_weights(given, source=source, spec=spec, prefix=prefix)
    try:
        return _converted(own, target, target_prefix, sizes or {})
    except ConvertError as error:
        where = "" if isinstance(given, Mapping) else f"{given}: "
        raise ConvertError(f"{where}{error}") from None


def _converted(own: Given, target: str | Layout, prefix: str, sizes: Mapping[str, int]) -> Converted:
    every = {name: to_numpy(a, "torch" if is_array(a, "torch") else "numpy") for name, a in _flat(own.arrays)}
    numbers = {name: a for name, a in every.items() if a.dtype.kind in "fiub" or a.dtype.name == STORED}
    read = read_saved(numbers, source=own.source, spec=own.spec, prefix=own.prefix)
    for name, size in sizes.items():
        if read.sizes.get(name) != size:
            known = ", ".join(f"{key}={value}" for key, value in read.sizes.items())
            raise ConvertError(f"{name} was said to be {size}, but the arrays have {known}")
    return translate(read, target, prefix=prefix, notes=_left_out(numbers, read))


def _flat(arrays: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield arrays by name, those of inner dictionaries with the names around them."""
    for name, value in arrays.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}/")
        else:
            yield f"{before}{name}", value


def translate(given: Weights, target: str | Layout, *, prefix: str = "", notes: Sequence[str] = ()) -> Converted:
    """Return weights as a library holds them, in the first of its layouts that can; raises as ``convert``."""
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
    said += [*_offset_notes(given, layout)]
    made = Weights(layout, spec, given.sizes, params, arrays, prefix)
    return Converted(given, made, (*notes, *said))


def _check_network(network: Network, layout: Layout, sizes: Mapping[str, int]) -> None:
    if layout.by_layer and any(layer.direction not in ("forward", "both") for layer in network.layers):
        raise ConvertError(f"{layout.name} has no layer that runs backwards alone")
    hidden = {size for name, size in sizes.items() if name.startswith("m")}
    if layout.by_layer and len(hidden) > 1:
        raise ConvertError(f"{layout.name} has one hidden size for all layers, got {', '.join(map(str, hidden))}")
    if layout.by_layer and len({layer.direction for layer in network.layers}) > 1:
        raise ConvertError(f"{layout.name} runs all layers in the same directions")


def _offset_notes(given: Weights, layout: Layout) -> Iterator[str]:
    for weights, verb in ((given.layout, "added to"), (layout, "subtracted from")):
        if weights.forget_offset:
            amount = f"{weights.forget_offset:g}"
            yield f"{weights.name} adds {amount} to the forget gate by itself, so {amount} was {verb} its bias"


def _left_out(arrays: Mapping[str, Array], given: Weights) -> list[str]:
    others = [name for name in arrays if name.removeprefix(given.prefix).removesuffix(":0") not in given.arrays]
    shown = ", ".join(others[:4]) + (f" and {len(others) - 4} more" if len(others) > 4 else "")
    return [f"not of these weights, and left out: {shown}"] if others else []
