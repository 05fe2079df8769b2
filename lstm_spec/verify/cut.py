"""Making a failing case smaller, in ways that Hypothesis cannot: it would move every number when a size changes."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import Array, Case, shapes_of, sizes_of

FEW = 8
"""Up to how many steps, rows or units each one is left out by itself; of more, a half, a quarter or an eighth is."""


def cuts(cell: Program | Network, case: Case, *, fixed: bool = False) -> Iterator[Case]:
    """Yield the case with less in it: rows, steps, units of a size, then with an array zero or of short decimals.

    fixed: whether the parameters have to stay as they are.
    """
    if case.B > 2:
        yield from (case.part(slice(None), slice(row, row + 1)) for row in range(min(case.B, FEW)))
    yield from (case.part(slice(None), np.delete(np.arange(case.B), gone)) for gone in _blocks(case.B))
    yield from (case.part(np.delete(np.arange(case.T), gone)) for gone in _blocks(case.T))
    if not fixed:
        yield from _narrower(cell, case)
    yield from _plainer(case, len(case.params) if fixed else 0)


def _blocks(length: int) -> list[Array]:
    """Return the indices to leave out in turn, never all: one each where there are few, else ever smaller parts."""
    if length <= FEW:
        return [np.array([k]) for k in range(length)] if length > 1 else []
    parts = [part for count in (2, 4, 8) for part in np.array_split(np.arange(length), count)]
    return [*parts, np.array([0]), np.array([length - 1])]


def _narrower(cell: Program | Network, case: Case) -> Iterator[Case]:
    """Leave units of a size out of every axis that has it, be they first or last where the axis joins two sizes."""
    sizes = sizes_of(cell, case.params)
    for name, size in sizes.items():
        for gone in _blocks(size):
            rest = {**sizes, name: size - len(gone)}
            shapes = shapes_of(cell, rest, case.T, case.B, gradients=bool(case.cotangents))
            for last in (False, True):
                numbers = [
                    _without(array, shape, gone, size if last else None)
                    for array, shape in zip(case.arrays, shapes.all, strict=True)
                ]
                yield shapes.fill(np.concatenate(numbers), regime=case.regime, seed=case.seed, lengths=case.lengths)


def _without(array: Array, shape: tuple[int, ...], gone: Array, from_end: int | None) -> Array:
    """Return the numbers of an array without the entries ``gone`` of every axis that has to become shorter."""
    for axis, length in enumerate(shape):
        held = array.shape[axis]
        if held != length:
            places = gone if from_end is None else gone + held - from_end
            # An axis may hold a size more than once.
            array = np.delete(array, places, axis) if held - length == len(gone) else array.take(range(length), axis)
    return array.ravel()


def _plainer(case: Case, first: int) -> Iterator[Case]:
    """Make one array zero, or round it, from the array of this number on."""
    for k, array in enumerate(case.arrays[first:], first):
        for plain in (np.zeros_like(array), np.round(array, 1)):
            if np.isfinite(plain).all() and (plain != array).any():
                yield _with_array(case, k, plain)


def _with_array(case: Case, k: int, array: Array) -> Case:
    arrays = [*case.arrays[:k], array, *case.arrays[k + 1 :]]
    p = len(case.params)
    s = p + 1 + len(case.states)
    params = dict(zip(case.params, arrays[:p], strict=True))
    return replace(case, params=params, x=arrays[p], states=tuple(arrays[p + 1 : s]), cotangents=tuple(arrays[s:]))
