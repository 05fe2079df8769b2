"""Somebody's saved weights: whose layout they are in, and of which cell or network they are the parameters."""

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, product
from typing import Literal

import numpy as np

from lstm_spec.spec.catalogue import cell as catalogue_cell
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.equation import ProgramError
from lstm_spec.spec.layers import layers
from lstm_spec.spec.network import Network
from lstm_spec.spec.options import OptionError
from lstm_spec.spec.program import Program
from lstm_spec.targets.held import Held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import LAYOUTS
from lstm_spec.targets.packing import Array, LayoutError, Shape

Spec = Program | Network

DEEPEST = 16
"""How many parts of a name may stand before those of an array."""


class WeightsError(ValueError):
    """Arrays that are the parameters of nothing that is known; the message is one sentence with the remedy."""


@dataclass(frozen=True)
class Weights:
    """Parameters with what they are those of.

    layout: how they are held; spec: the cell or network; sizes: {"n": …, "m": …}; params: by the specification's names;
    arrays: by the layout's names, those that are parameters; prefix: what stands before those names.
    """

    layout: Layout
    spec: Spec
    sizes: Mapping[str, int]
    params: Mapping[str, Array]
    arrays: Mapping[str, Array]
    prefix: str = ""


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
    exact = {name: a.astype(np.float64) for name, a in numbers.items()}
    specs: Specs = _specs if spec is None else lambda layout, own: [spec]
    every = fitting(exact, [layout] if layout else tuple(LAYOUTS.values()), specs)
    found = [weights for weights in every if weights.sizes.get("n", n) == n]
    if not found:
        raise WeightsError(_unknown(numbers, layout, spec, n))
    # What leaves out the peepholes that there are would fit as well.
    return max(found, key=lambda weights: len(weights.arrays))


Specs = Callable[[Layout, Mapping[str, Array]], Iterable[Spec]]
"""The specifications that arrays in a layout may be the parameters of, the likely ones first."""


def fitting(
    arrays: Mapping[str, Array],
    layouts: Collection[Layout],
    specs: Specs,
    *,
    prefix: str | None = None,
    begin: Specs | None = None,
) -> list[Weights]:
    """Return all that arrays may be the parameters of, among whatever else is there; numbers stay as they are.

    prefix: what stands before the names; by default anything up to a "." or "/". begin: specifications of one layer,
    where ``specs`` has none.
    """
    found: list[Weights] = []
    known, begun = tuple(layouts), _beginnings(layouts, begin or specs)
    for before, own in parted(arrays, prefix).items():
        for layout in () if begun.isdisjoint(own) else known:
            read = (_read(own, layout, spec) for spec in specs(layout, own))
            found += (replace(weights, prefix=before) for weights in read if weights is not None)
    return found


def _beginnings(layouts: Iterable[Layout], specs: Specs) -> set[str]:
    """Return the names that the arrays of one layer may have, by which most of a large file is left aside at once."""
    names = {name for layout in layouts for spec in specs(layout, {}) for name in names_of(layout, spec)}
    return names | {f"l0.{name}" for name in names}


def parted(arrays: Mapping[str, Array], prefix: str | None = None) -> dict[str, dict[str, Array]]:
    """Return, by what may stand before names, the arrays after it by the rest of their names.

    prefix: the only one; by default nothing, and whatever ends in a "." or "/".
    """
    found: dict[str, dict[str, Array]] = {} if prefix is None else {prefix: {}}
    for name, array in arrays.items():
        depths = islice(re.finditer(r"[./]", name), DEEPEST)
        ends = [0, *(match.end() for match in depths)] if prefix is None else [len(prefix)]
        for end in ends if prefix is None or name.startswith(prefix) else []:
            # Keras 2 and TensorFlow 1 put the number of an operation's output behind the name of a variable.
            found.setdefault(name[:end], {})[name[end:].removesuffix(":0")] = array
    return found


def _specs(layout: Layout, arrays: Mapping[str, Array]) -> Iterator[Spec]:
    """Yield the usual cells, as many layers of them as the arrays' names count, with the layout's own biases."""
    biases: tuple[Literal[0, 1, 2], ...] = (2, 0) if layout.biases in (2, "concatenated") else (1, 0)
    cells = [_lstm(*options) for options in product(biases, ("", "fio"), (False, True))]
    cells += [catalogue_cell(name) for name in ("gru_reset_after", "gru", "rnn")]
    yield from (networked(cell, layout, arrays) for cell in cells)


def networked(cell: Program, layout: Layout, arrays: Mapping[str, Array]) -> Spec:
    """Return a cell, or as many layers and directions of it as the names of arrays tell of."""
    count, both = _extent(layout, arrays)
    return cell if count == 1 and not both else layers(cell, count=count, bidirectional=both)


@lru_cache(maxsize=64)
def _lstm(biases: Literal[0, 1, 2], peepholes: str, projection: bool) -> Program:
    name = {"": "lstm", "fio": "peephole"}[peepholes]
    name = {"lstm": "lstmp", "peephole": "lstmp_peephole"}[name] if projection else name
    return lstm(biases=biases, peepholes=peepholes, projection=projection, name=name)


def _extent(layout: Layout, arrays: Mapping[str, Array]) -> tuple[int, bool]:
    """Return how many layers the names of arrays tell of, and whether there are two directions."""
    kernel, count = layout.names.get("W", ""), 1
    if layout.by_layer:
        while layout.name_of("W", count, False) in arrays:
            count += 1
        return count, bool(layout.reverse) and layout.name_of("W", 0, True) in arrays
    keys = {match[0] for name in arrays if (match := re.match(r"l\d+r?\.", name))}
    while f"l{count}." in keys:
        count += 1
    stacked = layout.stacks_directions and any(
        len(a) == 2 for name, a in arrays.items() if a.ndim and name.endswith(kernel)
    )
    return count, stacked or "l0r." in keys


def _read(arrays: Mapping[str, Array], layout: Layout, spec: Spec) -> Weights | None:
    """Return what arrays are as the parameters of a specification, None where they are not."""
    if not _least(layout, spec).keys() <= arrays.keys():
        return None
    held = Held(layout, spec)
    sizes = solved(held, {name: a.shape for name, a in arrays.items()})
    if sizes is None:
        return None
    own = {name: arrays[name].reshape(shape) for name, shape in held.shapes(sizes).items()}
    # What is no number is for whoever reads them to refuse.
    with np.errstate(all="ignore"):
        return Weights(layout, spec, sizes, held.unpack(own, sizes), own)


def solved(held: Held, given: Mapping[str, Shape], *, but: str = "") -> dict[str, int] | None:
    """Return the sizes at which a target's arrays have given shapes, None where there are none.

    but: an array whose shape does not count.
    """
    names = [s.name for s in held.spec.sizes]
    least = {name: shape for name, shape in _least(held.layout, held.spec).items() if name != but}
    if not least.keys() <= given.keys():
        return None
    # Every side is a sum of multiples of sizes, which are read off by making one of them larger.
    larger = [_shapes(held, dict.fromkeys(names, 1) | {name: 2}) for name in names]
    seen = {name: as_held(given[name], shape) for name, shape in least.items()}
    if any(len(seen[name]) != len(shape) for name, shape in least.items()):
        return None
    flat = [np.array([side for name in least for side in of[name]], np.float64) for of in (seen, least, *larger)]
    factors = np.stack([more - flat[1] for more in flat[2:]], axis=1)
    extra, _, rank, _ = np.linalg.lstsq(factors, flat[0] - flat[1])
    sizes = {name: 1 + int(k) for name, k in zip(names, np.round(extra), strict=True)}
    if rank < len(names) or min(sizes.values()) < 1:
        return None
    fits = {name: shape for name, shape in _shapes(held, sizes).items() if name != but} == seen
    return sizes if fits else None


def names_of(layout: Layout, spec: Spec) -> list[str]:
    """Return the names of the arrays that a specification has in a layout; an empty one where there is no place."""
    return list(_least(layout, spec))


@lru_cache(maxsize=1024)
def _least(layout: Layout, spec: Spec) -> dict[str, Shape]:
    """Return the shapes of a target's arrays where every size is 1."""
    return _shapes(Held(layout, spec), dict.fromkeys((s.name for s in spec.sizes), 1))


def as_held(given: Shape, wanted: Shape) -> Shape:
    """Return the shape of an array as a layout has it, where a vector may be saved as rows or as a column."""
    return (math.prod(given),) if len(wanted) == 1 and len(given) == 2 else given


def _shapes(held: Held, sizes: Mapping[str, int]) -> dict[str, Shape]:
    """Return the shapes of a target's arrays; that of an array without a name where there is no place for one."""
    try:
        return held.shapes(sizes)
    except (LayoutError, ProgramError, OptionError):
        return {"": ()}


def misfit(arrays: Mapping[str, Array], layouts: Iterable[Layout], specs: Specs, prefix: str | None) -> str:
    """Return in a sentence why arrays are no weights in any of some layouts, by the one that they are nearest to."""
    near: tuple[int, int, str] = (0, 0, "")
    known = tuple(layouts)
    if prefix and not any(name.startswith(prefix) for name in arrays):
        return f'no array has a name that begins with "{prefix}"; there is {_some(arrays)}'
    begun = _beginnings(known, specs)
    for own in parted(arrays, prefix).values():
        for layout in () if begun.isdisjoint(own) else known:
            for spec in specs(layout, own):
                wanted = _least(layout, spec)
                there = sum(name in own for name in wanted)
                # A name such as bias is anybody's, and one array in three is no layout that somebody has meant.
                told = len(known) == 1 or 2 * there > len(wanted)
                if told and (there, there - len(wanted)) > near[:2]:
                    near = (there, there - len(wanted), _wrong(own, layout, spec))
    return near[2] or f"the arrays ({_some(arrays)}) have no names of {_either(known)}"


def _some(arrays: Mapping[str, Array]) -> str:
    return ", ".join(f"{name} {shape_of(a)}" for name, a in list(arrays.items())[:8]) or "none"


def _either(layouts: Sequence[Layout]) -> str:
    names = [one.name for one in layouts]
    return " or ".join(names) if len(names) < 5 else f"a known layout ({', '.join(names)}); name one, or a TOML file"


def _wrong(arrays: Mapping[str, Array], layout: Layout, spec: Spec) -> str:
    what, own = f"{spec.name} in the layout {layout.name}", Held(layout, spec)
    wanted = _least(layout, spec)
    if missing := [name for name in wanted if name not in arrays]:
        return (
            f"{what} has the arrays {', '.join(wanted)}; {', '.join(missing)} {'are' if missing[1:] else 'is'} missing"
        )
    given = {name: arrays[name].shape for name in wanted}
    for name in reversed(list(wanted)):
        sizes = solved(own, given, but=name)
        if sizes is not None:
            expected = own.shapes(sizes)[name]
            by = ", ".join(f"{key}={size}" for key, size in sizes.items())
            return f"{name} has the shape {given[name]}; expected {expected}, since the others have {by} ({what})"
    return f"no sizes of {what} fit {', '.join(f'{name} {shape_of(arrays[name])}' for name in wanted)}"


def shape_of(array: Array) -> str:
    """Return the shape of an array as a message has it.

    >>> shape_of(np.zeros((12, 3)))
    '12×3'
    """
    return "×".join(map(str, array.shape)) or "a number"


def _unknown(arrays: Mapping[str, Array], layout: Layout | None, spec: Spec | None, n: int) -> str:
    shown = ", ".join(f"{name} {shape_of(a)}" for name, a in list(arrays.items())[:8])
    what = f"the parameters of {spec.name}" if spec else "the parameters of an LSTM, GRU or plain recurrent cell"
    where = f"in the layout {layout.name}" if layout else f"in any known layout ({', '.join(LAYOUTS)})"
    remedy = "" if layout else "; name their layout, or describe it in a TOML file"
    return f"the weights ({shown or 'no arrays'}) are not {what} with n={n} {where}{remedy}"
