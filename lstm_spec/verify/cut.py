"""Leaving steps, rows and units out of a failing case: the rest keeps its numbers."""

from collections.abc import Callable, Iterator
from functools import reduce
from itertools import pairwise

import numpy as np

from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import Array, Case, shapes_of, sizes_of

FEW = 8
"""Up to how many steps, rows or units each one is left out by itself; of more, an eighth of them at least."""

LENGTHS = (1, 2, 3, *(2**k + more for k in range(2, 10) for more in (0, 1)))
"""How many steps, rows or units are kept first of all: what depends on their number changes at these."""


def cut(cell: Program | Network, case: Case, fails: Callable[[Case], bool], *, fixed: bool = False) -> Case:
    """Return a failing case with as few rows, steps and units of every size as it fails with.

    fails: whether another one does; fixed: whether the parameters have to stay as they are.
    """
    for what in ("B", "T", *(() if fixed else sizes_of(cell, case.params)), *(() if fixed else ("",))):
        while (less := next(filter(fails, cuts(cell, case, what)), None)) is not None:
            case = less
    return case


def cuts(cell: Program | Network, case: Case, what: str) -> Iterator[Case]:
    """Yield a case with less of one thing: with fewer rows "B", steps "T", or units of a size such as "m".

    With "", all sizes that are equal become smaller together, as what shows only then needs it.
    """
    if what == "B":
        yield from (case.part(slice(None), _left(case.B, gone)) for gone in _blocks(case.B))
    elif what == "T":
        yield from (case.part(_left(case.T, gone)) for gone in _blocks(case.T))
    else:
        sizes = sizes_of(cell, case.params)
        equal = [[name for name in sizes if sizes[name] == size] for size in dict.fromkeys(sizes.values())]
        for names in [[what]] if what else [names for names in equal if len(names) > 1]:
            for gone in _blocks(sizes[names[0]]):
                for last in (False, True):
                    yield reduce(lambda less, name: _narrower(cell, less, name, gone, last=last), names, case)


def _left(length: int, gone: range) -> Array:
    return np.delete(np.arange(length), gone)


def _blocks(length: int) -> list[range]:
    """Return what to leave out in turn, never all: the end, then ever smaller parts, then the first and the last."""
    ends = [range(kept, length) for kept in LENGTHS if kept < length]
    counts = [count for count in (2, 4, FEW) if count < length] + [min(length, FEW)] * (length > 1)
    edges = [[length * k // count for k in range(count + 1)] for count in counts]
    parts = [range(a, b) for at in edges for a, b in pairwise(at)]
    single = [range(1), range(length - 1, length)] if length > FEW else []
    return list(dict.fromkeys([*ends, *parts, *single]))


def _narrower(cell: Program | Network, case: Case, name: str, gone: range, *, last: bool) -> Case:
    """Leave units of a size out of every axis that has it, the first or the last of it where it joins two sizes."""
    sizes = sizes_of(cell, case.params)
    size = sizes[name]
    rest = {**sizes, name: size - len(gone)}
    shapes = shapes_of(cell, rest, case.T, case.B, gradients=bool(case.cotangents))
    numbers = [
        _without(array, shape, np.array(gone), size if last else None)
        for array, shape in zip(case.arrays, shapes.all, strict=True)
    ]
    return shapes.fill(np.concatenate(numbers), regime=case.regime, seed=case.seed, lengths=case.lengths)


def _without(array: Array, shape: tuple[int, ...], gone: Array, from_end: int | None) -> Array:
    """Return the numbers of an array without the entries ``gone`` of every axis that has to become shorter."""
    for axis, length in enumerate(shape):
        held = array.shape[axis]
        if held != length:
            places = gone if from_end is None else gone + held - from_end
            # An axis may hold a size more than once.
            array = np.delete(array, places, axis) if held - length == len(gone) else array.take(range(length), axis)
    return array.ravel()
