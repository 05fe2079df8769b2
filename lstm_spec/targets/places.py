"""Where a target returns a number that the specification calls by another name: in which result, at which index.

Every number that a target may return is given a number of its own, and what reads its results says where it goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.calls import Arguments
from lstm_spec.targets.contract import Target, ends, read_gradients, read_outputs
from lstm_spec.targets.held import Held

Array = NDArray[Any]


@dataclass(frozen=True)
class Place:
    """A number among the results of a call: in which one, such as "y", "dx" or "dW_f", and its index there."""

    result: str
    index: tuple[int, ...]


def output_shapes(
    target: Target, cell: Program | Network, x: Array, states: tuple[Array, ...]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes in which the forward pass returns y and the final states, by the target's names.

    states: of the shapes that the final ones have, each (B, m).
    """
    held, returned = Held(target.layout, cell), ends(target, cell).final
    final = {n: s.shape for n, s in zip(held.states, held.to_states(states), strict=True) if n in returned}
    return {"y": held.to_y(np.zeros(held.y_shape(x, states))).shape, **final}


def output_place(
    target: Target, cell: Program | Network, x: Array, states: tuple[Array, ...], name: str, index: tuple[int, ...]
) -> Place:
    """Return where the forward pass gives a number of y or of a final state, for x (T, B, n).

    states: of the shapes that the final ones have, each (B, m).
    """
    numbers = _numbered(output_shapes(target, cell, x, states))
    read = read_outputs(numbers, target, cell, x, states)
    return _find({"y": read.y, **read.states}[name][index], numbers)


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
    numbers = _numbered({f"d{key}": a.shape for key, a in (*given.params.items(), *given.rest)})
    read = read_gradients(numbers, target, cell, params, given)
    return _find(read.values[name][index], numbers)


def _numbered(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Return arrays of some shapes in which no number comes twice, and none is 0, which a layout may fill in."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    numbers = np.split(np.arange(1.0, ends[-1] + 1), ends[:-1])
    return {name: own.reshape(shape) for (name, shape), own in zip(shapes.items(), numbers, strict=True)}


def _find(number: float, arrays: Mapping[str, Array]) -> Place:
    name, array = next((name, a) for name, a in arrays.items() if (a == number).any())
    return Place(name, tuple(int(k) for k in np.argwhere(array == number)[0]))
