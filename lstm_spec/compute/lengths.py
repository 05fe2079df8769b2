"""Rows of unequal length with numbers: no step past a row's end is computed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.compute.engine import Params, Pull, Trace, trace
from lstm_spec.spec.program import Program

Array = NDArray[Any]


def alive(lengths: Array, T: int) -> Array:
    """Return whether a row lasts, (T, B, 1)."""
    return (np.arange(T)[:, None] < lengths)[:, :, None]


def flip(a: Array, lengths: Array | None) -> Array:
    """Return a sequence (T, B, size) from its last step to its first, each row within its own length."""
    if lengths is None:
        return a[::-1]
    t = np.arange(len(a))[:, None]
    return a[np.where(t < lengths, lengths - 1 - t, t), np.arange(a.shape[1])]


def run(
    cell: Program, params: Params, x: Array, states: tuple[Array, ...], lengths: Array | None, *, keep: bool
) -> Trace:
    """Run a cell over x (T, B, n), every row for its own number of steps; past it y holds the final state."""
    if lengths is None or (lengths == len(x)).all():
        return trace(cell, params, x, states, keep=keep)
    inner = _by_segment(cell, params, x, states, lengths, keep)
    lasting = alive(lengths, len(x))

    def pull(dy: Array, dh: Array, *others: Array) -> Pull:
        assert inner.pull is not None
        past = np.where(lasting, 0, dy).sum(axis=0)
        return inner.pull(np.where(lasting, dy, 0), dh + past, *others)

    return Trace(np.where(lasting, inner.y, inner.states[0]), inner.states, pull if keep else None)


def _by_segment(
    cell: Program, params: Params, x: Array, states: tuple[Array, ...], lengths: Array, keep: bool
) -> Trace:
    """Run the rows that last together from one row's end to the next."""
    current = [s.copy() for s in states]
    y = np.zeros((*x.shape[:2], states[0].shape[-1]), x.dtype)
    parts = []
    for steps, rows in _segments(lengths):
        part = trace(cell, params, x[steps, rows], tuple(s[rows] for s in current), keep=keep)
        y[steps, rows] = part.y
        for s, after in zip(current, part.states, strict=True):
            s[rows] = after
        parts.append((steps, rows, part.pull))

    def pull(dy: Array, *dstates: Array) -> Pull:
        total = {name: np.zeros_like(p) for name, p in params.items()}
        dx, arriving = np.zeros_like(x), [d.copy() for d in dstates]
        for steps, rows, back in reversed(parts):
            assert back is not None
            here = back(dy[steps, rows], *(d[rows] for d in arriving))
            dx[steps, rows] = here.x
            for d, leaving in zip(arriving, here.states, strict=True):
                d[rows] = leaving
            for name, d in here.params.items():
                total[name] += d
        return Pull(total, dx, tuple(arriving))

    return Trace(y, tuple(current), pull if keep else None)


def _segments(lengths: Array) -> Iterator[tuple[slice, Array]]:
    """Yield the steps between one row's end and the next, with the rows that last through them."""
    start = 0
    for stop in np.unique(lengths[lengths > 0]):
        yield slice(start, int(stop)), np.flatnonzero(lengths >= stop)
        start = int(stop)
