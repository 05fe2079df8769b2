"""Somebody's saved weights: whose layout they are in, and of which cell or network they are the parameters."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal

import numpy as np

from lstm_spec.spec.catalogue import cell as catalogue_cell
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.layers import layers
from lstm_spec.spec.network import Network
from lstm_spec.spec.options import OptionError
from lstm_spec.spec.program import Program, ProgramError
from lstm_spec.targets.held import Held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import LAYOUTS
from lstm_spec.targets.packing import Array, LayoutError, Shape

Spec = Program | Network


class WeightsError(ValueError):
    """Arrays that are the parameters of nothing that is known; the message is one sentence with the remedy."""


@dataclass(frozen=True)
class Weights:
    """Parameters with what they are those of.

    layout: how they are held; spec: the cell or network; sizes: {"n": …, "m": …}; params: by the specification's names;
    arrays: by the layout's names, those that are parameters.
    """

    layout: Layout
    spec: Spec
    sizes: Mapping[str, int]
    params: Mapping[str, Array]
    arrays: Mapping[str, Array]


def read_weights(
    arrays: Mapping[str, Array], *, n: int, layout: Layout | None = None, spec: Spec | None = None
) -> Weights:
    """Return what saved arrays are the parameters of.

    arrays: by the names that they were saved under; what stands before a last "." or "/" may be anything that they
    have in common, such as "encoder.lstm.". n: the size of x. layout, spec: where they are known; else the first
    layout of ``LAYOUTS`` and the first usual cell that the names and shapes fit. Numbers are made float64. Raises
    WeightsError where nothing fits.

    >>> arrays = {"weight_ih": np.zeros((12, 2)), "weight_hh": np.zeros((12, 3)), "bias": np.zeros(12)}
    >>> found = read_weights({f"encoder.{name}": a for name, a in arrays.items()}, n=2)
    >>> found.layout.name, found.spec.name, dict(found.sizes)
    ('equinox', 'lstm', {'n': 2, 'm': 3})
    """
    numbers = {name: np.asarray(a) for name, a in arrays.items()}
    for name, array in numbers.items():
        if array.dtype.kind not in "fiu":
            raise WeightsError(f"the weights hold {name} of type {array.dtype}; expected numbers")
    found: list[Weights] = []
    for known, prefix in product([layout] if layout else LAYOUTS.values(), _prefixes(numbers)):
        own = {_bare(name, prefix): a.astype(np.float64) for name, a in numbers.items() if name.startswith(prefix)}
        found += (w for one in ([spec] if spec else _specs(known, own)) if (w := _read(own, known, one, n)))
    if not found:
        raise WeightsError(_unknown(numbers, layout, spec, n))
    # What leaves out the peepholes that there are would fit as well.
    return max(found, key=lambda weights: len(weights.arrays))


def _bare(name: str, prefix: str) -> str:
    # Keras 2 and TensorFlow 1 put the number of an operation's output behind the name of a variable.
    return re.sub(r":0$", "", name.removeprefix(prefix))


def _prefixes(names: Mapping[str, Array]) -> list[str]:
    """Return what names may have before them, nothing first."""
    return ["", *dict.fromkeys(name[: match.end()] for name in names for match in re.finditer(r"[./]", name))]


def _specs(layout: Layout, arrays: Mapping[str, Array]) -> Iterator[Spec]:
    """Yield the usual cells, as many layers of them as the arrays' names count, with the layout's own biases."""
    count, both = _extent(layout, arrays)
    biases: tuple[Literal[0, 1, 2], ...] = (2, 0) if layout.biases in (2, "concatenated") else (1, 0)
    cells = [_lstm(*options) for options in product(biases, ("", "fio"), (False, True))]
    cells += [catalogue_cell(name) for name in ("gru_reset_after", "gru", "rnn")]
    for cell in cells:
        yield cell if count == 1 and not both else layers(cell, count=count, bidirectional=both)


@lru_cache(maxsize=64)
def _lstm(biases: Literal[0, 1, 2], peepholes: str, projection: bool) -> Program:
    name = {"": "lstm", "fio": "peephole"}[peepholes]
    name = {"lstm": "lstmp", "peephole": "lstmp_peephole"}[name] if projection else name
    return lstm(biases=biases, peepholes=peepholes, projection=projection, name=name)


def _extent(layout: Layout, arrays: Mapping[str, Array]) -> tuple[int, bool]:
    """Return how many layers the names of arrays tell of, and whether there are two directions."""
    kernel = layout.names.get("W", "")
    count = 1
    while layout.by_layer and layout.at(count, False).names["W"] in arrays:
        count += 1
    both = "{direction}" in kernel and bool(layout.reverse) and layout.at(0, True).names["W"] in arrays
    stacked = layout.stacks_directions and len(arrays.get(kernel, ())) == 2
    return count, both or stacked


def _read(arrays: Mapping[str, Array], layout: Layout, spec: Spec, n: int) -> Weights | None:
    """Return what arrays are as the parameters of a specification, None where they are not."""
    held = Held(layout, spec)
    own = {"n": n} if any(s.name == "n" for s in spec.sizes) else {}
    others = [s.name for s in spec.sizes if s.name != "n"]
    if not _shapes(held, {**own, **dict.fromkeys(others, 1)}).keys() <= arrays.keys():
        return None
    lengths = {side for a in arrays.values() for side in a.shape}
    units = sorted({side // k for side in lengths for k in (1, 2, 3, 4, 6, 8) if side and side % k == 0})
    for chosen in product(units, repeat=len(others)):
        sizes = own | dict(zip(others, chosen, strict=True))
        wanted = _shapes(held, sizes)
        if all(arrays[name].shape == shape for name, shape in wanted.items()):
            return Weights(layout, spec, sizes, held.unpack(arrays, sizes), {name: arrays[name] for name in wanted})
    return None


def _shapes(held: Held, sizes: Mapping[str, int]) -> dict[str, Shape]:
    """Return the shapes of a target's arrays; that of an array without a name where there is no place for one."""
    try:
        return held.shapes(sizes)
    except (LayoutError, ProgramError, OptionError):
        return {"": ()}


def _unknown(arrays: Mapping[str, Array], layout: Layout | None, spec: Spec | None, n: int) -> str:
    shown = ", ".join(f"{name} {'×'.join(map(str, a.shape))}" for name, a in list(arrays.items())[:8])
    what = f"the parameters of {spec.name}" if spec else "the parameters of an LSTM, GRU or plain recurrent cell"
    where = f"in the layout {layout.name}" if layout else f"in any known layout ({', '.join(LAYOUTS)})"
    remedy = "" if layout else "; name their layout, or describe it in a TOML file"
    return f"the weights ({shown or 'no arrays'}) are not {what} with n={n} {where}{remedy}"
