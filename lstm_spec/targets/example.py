"""A call that a target has to be able to take, to find out beforehand whether it is what it is taken for."""

from typing import Any

import numpy as np

from lstm_spec.compute.formats import dtype_of
from lstm_spec.spec.network import network_of
from lstm_spec.spec.sizes import evaluate_shape
from lstm_spec.targets.arrays import from_numpy
from lstm_spec.targets.claims import claimed
from lstm_spec.targets.contract import Target
from lstm_spec.targets.held import Held

_SIZES = {"n": 2, "m": 3, "q": 1}


def example(target: Target) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """Return parameters by name, and x and states, as a target takes them: all zero, of two steps and one row."""
    cell, held = claimed(target), Held(target.layout, claimed(target))
    asked = target.sizes[0] if target.sizes else _SIZES
    sizes = {s.name: asked[s.name] for s in cell.sizes}
    values, dtype = cell.check_sizes(sizes), dtype_of(target.dtypes[0])
    params = held.pack({name: np.zeros(shape, dtype) for name, shape in cell.dimensions(**sizes).items()})
    begun = cell.recurrence if network_of(cell).initial == "given" else ()
    states = (np.zeros((1, *evaluate_shape(before.shape, values)[:1]), dtype) for before, _ in begun)
    x = target.layout.to_x(np.zeros((2, 1, sizes["n"]), dtype))
    given = tuple(from_numpy(array, target.arrays) for array in (x, *(held.to_states(tuple(states)) if begun else ())))
    return {name: from_numpy(array, target.arrays) for name, array in params.items()}, given
