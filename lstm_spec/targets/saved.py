"""Saved weights of which nothing is known but their names and shapes: whose they are, and of which cells."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from lstm_spec.spec.layers import layers
from lstm_spec.spec.network import Network, network_of
from lstm_spec.targets.equivalents import ConvertError, computes_the_same, in_cells, roles
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import LAYOUTS, family
from lstm_spec.targets.originals import cells_of
from lstm_spec.targets.packing import Array
from lstm_spec.targets.weights import Spec, Specs, Weights, fitting, misfit, names_of, networked, parted


def read_saved(
    arrays: Mapping[str, Array], *, source: str | Layout | None, spec: Spec | None = None, prefix: str | None = None
) -> Weights:
    """Return what arrays are the parameters of; arguments and errors as ``convert.convert``."""
    layouts = list(LAYOUTS.values()) if source is None else list(family(source))
    specs: Specs = partial(_specs, spec)
    before = _completed(prefix, arrays)
    # One layer of several would fit as well, and a cell without the peepholes that there are.
    found = fitting(arrays, layouts, specs, prefix=before)
    even = _most(found)
    found += [w for w in fitting(arrays, layouts, _uneven, prefix=before, begin=specs) if len(w.arrays) > even]
    best = [weights for weights in found if len(weights.arrays) == _most(found)]
    if not best:
        raise ConvertError(misfit(arrays, layouts, specs, before))
    first = best[0]
    for other in best[1:]:
        if other.prefix != first.prefix:
            raise ConvertError(f"there are several: before the names stands {_prefixes(best)}; name the prefix")
        if not _same(first, other):
            either = f"{_called(first)} or of {_called(other)}"
            raise ConvertError(f"the arrays may be those of {either}; name the layout or the spec")
    _check_numbers(first)
    _check_beside(parted(arrays, first.prefix)[first.prefix], first, specs)
    return first


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
            yield layers(cell, hidden=[f"m{k}" for k in range(count)], bidirectional=both)


def _check_numbers(weights: Weights) -> None:
    for name, array in weights.arrays.items():
        if array.dtype.kind in "iub":
            raise ConvertError(f"{weights.prefix}{name} holds {array.dtype}; expected floating-point numbers")
        if not np.isfinite(array).all():
            raise ConvertError(f"{weights.prefix}{name} holds NaN or infinity")


def _check_beside(own: Mapping[str, Array], weights: Weights, specs: Specs) -> None:
    """Refuse an array that stands where those of the weights do and is none of them."""
    homes = {_home(name) for name in weights.arrays}
    extra = [name for name in own if name not in weights.arrays and _home(name) in homes]
    if not extra:
        return
    known = {name for spec in specs(weights.layout, own) for name in names_of(weights.layout, spec)}
    if extra[0] in known:
        raise ConvertError(misfit(own, [weights.layout], specs, ""))
    wanted = f"{_called(weights)} has the arrays {', '.join(weights.arrays)}"
    raise ConvertError(f"{wanted}; {weights.prefix}{extra[0]} is beside them and is none of them")


def _home(name: str) -> str:
    return name[: max(name.rfind("."), name.rfind("/")) + 1]


def _same(first: Weights, other: Weights) -> bool:
    """Tell whether two readings of arrays come to the same."""
    if first.sizes != other.sizes:
        return False
    one, two = network_of(first.spec), network_of(other.spec)
    cells = zip(one.every_pass, two.every_pass, strict=False)
    if len(one.every_pass) != len(two.every_pass) or any(roles(a.cell) != roles(b.cell) for a, b in cells):
        return False
    if any(not computes_the_same(a.cell, b.cell) for a, b in zip(one.every_pass, two.every_pass, strict=True)):
        return False
    params, _ = in_cells(first.params, first.spec, other.spec, first.sizes)
    return all(np.array_equal(params[name], other.params[name], equal_nan=True) for name in other.params)


def _called(weights: Weights) -> str:
    return f"{weights.spec.name} in the layout {weights.layout.name}"


def _prefixes(found: Sequence[Weights]) -> str:
    return " or ".join(dict.fromkeys(repr(weights.prefix) for weights in found))
