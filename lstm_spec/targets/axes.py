"""Moving the axes of an array, each named by one letter."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from lstm_spec.targets.packing import Array, LayoutError


def move_axes(given: npt.ArrayLike, source: str, target: str, *, where: str) -> Array:
    """A copy of an array with its axes in another order; an axis that one side lacks has length 1.

    >>> move_axes([[1, 2], [3, 4]], "TI", "IBT", where="here").tolist()
    [[[1, 3]], [[2, 4]]]
    """
    array = np.asarray(given)
    if array.ndim != len(source):
        raise LayoutError(f"{where} expected an array with the axes {source}, got the shape {array.shape}")
    lengths = dict(zip(source, array.shape, strict=True))
    kept = [axis for axis in target if axis in source]
    dropped = [axis for axis in source if axis not in target]
    for axis in dropped:
        if lengths[axis] != 1:
            raise LayoutError(f"{where} has no axis {axis}, but got {lengths[axis]} along it: pass one at a time")
    moved = array.transpose([source.index(axis) for axis in kept + dropped])
    return moved.reshape([lengths.get(axis, 1) for axis in target]).copy()


def are_axes(value: object) -> bool:
    """Whether this is the axes of a sequence, such as "TBI", or these and those of the states: "TBI DBI"."""
    if not isinstance(value, str) or not re.fullmatch("[TBDI]+( [BDI]+)?", value):
        return False
    return all("I" in word and len(set(word)) == len(word) for word in value.split())
