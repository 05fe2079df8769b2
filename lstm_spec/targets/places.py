"""Where a target returns a number that the specification calls by another name: in which result, at which index.

Every number that a target may return is given a number of its own, and what reads its results says where it goes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.arguments import Arguments
from lstm_spec.targets.contract import Target, read_gradients, read_outputs
from lstm_spec.targets.held import Held

Array = NDArray[Any]


@dataclass(frozen=True)
class Place:
    """A number among the results of a call.

    result: what the result is called, such as "y" or "dx"; key: of a gradient in dparams, the name of its parameter;
    index: within the array.
    """

    result: str
    key: str | None
    index: tuple[int, ...]


def output_place(
    target: Target, cell: Program | Network, x: Array, states: tuple[Array, ...], name: str, index: tuple[int, ...]
) -> Place:
    """Return where the forward pass gives a number of y or of a final state, for x (T, B, n) and states (B, m)."""
    held, exact = Held(target.layout, cell), x.astype(np.float64)
    shapes = [held.to_y(np.zeros(held.y_shape(x, states))).shape, *(s.shape for s in held.to_states(states))]
    numbered = list(_numbered(shapes))
    read = read_outputs(tuple(numbered), replace(target, arrays="numpy"), "forward", cell, exact, states)
    number = {"y": read.y, **read.states}[name][index]
    return _find(number, dict(zip((("y", None), *((s, None) for s in held.states)), numbered, strict=True)))


def gradient_place(
    target: Target,
    cell: Program | Network,
    params: Mapping[str, Array],
    given: Arguments,
    name: str,
    index: tuple[int, ...],
) -> Place:
    """Return where the backward pass gives a number of the gradient of ``name``.

    params: by the specification's names; given: the arguments of the forward pass, which hold them.
    """
    exact = replace(given, rest=tuple((key, a.astype(np.float64)) for key, a in given.rest))
    named = (*exact.params.items(), *exact.rest)
    numbered = list(_numbered(a.shape for _, a in named))
    dparams, rest = dict(zip(exact.params, numbered, strict=False)), numbered[len(exact.params) :]
    read = read_gradients((dparams, *rest), replace(target, arrays="numpy"), cell, params, exact)
    keys = [*(("dparams", key) for key in exact.params), *((f"d{key}", None) for key, _ in exact.rest)]
    return _find(read.values[name][index], dict(zip(keys, numbered, strict=True)))


def _numbered(shapes: Any) -> Iterator[Array]:
    # From 1 on, since a layout may fill what it does not hold with 0.
    start = 1
    for shape in shapes:
        count = int(np.prod(shape))
        yield np.arange(start, start + count, dtype=np.float64).reshape(shape)
        start += count


def _find(number: float, arrays: Mapping[tuple[str, str | None], Array]) -> Place:
    (result, key), array = next(entry for entry in arrays.items() if (entry[1] == number).any())
    return Place(result, key, tuple(int(k) for k in np.argwhere(array == number)[0]))
