"""Networks with numbers: layers, directions and lengths, composed of runs of one cell over a sequence."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.compute.engine import Params, Pull, Trace, trace
from lstm_spec.spec.layers import Layer, Network, Pass

Array = NDArray[Any]


def run_network(
    network: Network, params: Params, x: Array, states: tuple[Array, ...], lengths: Array | None, *, keep: bool
) -> Trace:
    """Run a network over x (T, B, n); states: one for each of ``network.states``, (B, m), given or not.

    lengths: (B,) where rows have them. The trace's ``pull`` takes the cotangents of y and of every final state, and
    gives those of all parameters, of x and of the initial states.
    """
    current = _initial(network, params, x, states)
    below, pulls = x, []
    final: list[Array] = []
    for index, (layer, passes) in enumerate(zip(network.layers, network.passes, strict=True)):
        run = _Layer(network, layer, passes, index == len(network.layers) - 1)
        taken = tuple(current[name] for one in passes for name in one.states)
        step = run.trace(params, below, taken, lengths, keep)
        below = step.y
        final += step.states
        pulls.append((step.pull, len(taken)))

    def pull(dy: Array, *dstates: Array) -> Pull:
        dparams: dict[str, Array] = {}
        initial: list[Array] = []
        rest = list(dstates)
        for back, count in reversed(pulls):
            assert back is not None
            here = back(dy, *rest[len(rest) - count :])
            rest = rest[: len(rest) - count]
            dparams = here.params | dparams
            initial = [*here.states, *initial]
            dy = here.x
        if network.initial == "learned":
            dparams |= {p.name: d.sum(axis=0) for p, d in zip(network.learned, initial, strict=True)}
        return Pull({p.name: dparams[p.name] for p in network.parameters}, dy, tuple(initial))

    return Trace(below, tuple(final), pull if keep else None)


def _initial(network: Network, params: Params, x: Array, states: tuple[Array, ...]) -> dict[str, Array]:
    """Return the initial states by name: as given, learned, or zero."""
    if network.initial == "given":
        return dict(zip(network.states, states, strict=True))
    B = x.shape[1]
    if network.initial == "learned":
        rows = (params[p.name] for p in network.learned)
        return {name: np.tile(row, (B, 1)) for name, row in zip(network.states, rows, strict=True)}
    found = {}
    for run in network.every_pass:
        own = run.own(params)
        sizes = {
            side: own[p.name].shape[axis]
            for p in run.cell.parameters
            for axis, side in enumerate(p.shape)
            if side.is_Symbol
        }
        for before, after in run.cell.recurrence:
            found[run.key + after.name] = np.zeros((B, int(before.shape[0].subs(sizes))), x.dtype)
    return found


@dataclass(frozen=True)
class _Layer:
    """One layer of a network: its directions side by side, then what becomes of their outputs."""

    network: Network
    layer: Layer
    passes: tuple[Pass, ...]
    top: bool

    def trace(self, params: Params, x: Array, states: tuple[Array, ...], lengths: Array | None, keep: bool) -> Trace:
        count = len(states) // len(self.passes)
        groups = [states[k * count : (k + 1) * count] for k in range(len(self.passes))]
        runs = [self._one(run, params, x, own, lengths, keep) for run, own in zip(self.passes, groups, strict=True)]
        last = self.top and self.network.outputs == "last"
        flipped = self.layer.direction == "go_backwards" and not last
        parts = [run.states[0] if last else run.y[::-1] if flipped else run.y for run in runs]
        merge = _MERGES[self.layer.merge] if len(parts) == 2 else _ALONE
        y = merge.value(*parts)
        if self.layer.residual:
            y = y + x
        alive = None
        if self.top and not last and lengths is not None and self.network.past_length == "zero":
            alive = _alive(lengths, len(x))
            alive = alive[::-1] if flipped else alive
            y = np.where(alive, y, 0)

        def pull(dy: Array, *dstates: Array) -> Pull:
            dy = dy if alive is None else np.where(alive, dy, 0)
            dparams: dict[str, Array] = {}
            dx = dy.copy() if self.layer.residual else np.zeros_like(x)
            initial: list[Array] = []
            for k, (run, dpart) in enumerate(zip(runs, merge.pull(dy, *parts), strict=True)):
                own = list(dstates[k * count : (k + 1) * count])
                if last:
                    own[0] = own[0] + dpart
                    dpart = np.zeros_like(run.y)
                assert run.pull is not None
                here = run.pull(dpart[::-1] if flipped else dpart, *own)
                dparams |= {self.passes[k].key + name: d for name, d in here.params.items()}
                dx = dx + here.x
                initial += here.states
            return Pull(dparams, dx, tuple(initial))

        return Trace(y, tuple(s for run in runs for s in run.states), pull if keep else None)

    def _one(
        self, run: Pass, params: Params, x: Array, states: tuple[Array, ...], lengths: Array | None, keep: bool
    ) -> Trace:
        """Run one direction; y is aligned with x."""
        own = run.own(params)
        given = flip(x, lengths) if run.reverse else x
        if lengths is None:
            inner = trace(run.cell, own, given, states, keep=keep)
        else:
            empty = run.reverse and self.top and self.network.past_length == "repeat"
            inner = _held(
                _by_length(run.cell, own, given, states, lengths, keep), states[0], lengths, run.reverse, empty
            )
        if not run.reverse:
            return inner

        def pull(dy: Array, *dstates: Array) -> Pull:
            assert inner.pull is not None
            back = inner.pull(flip(dy, lengths), *dstates)
            return Pull(back.params, flip(back.x, lengths), back.states)

        return Trace(flip(inner.y, lengths), inner.states, pull if keep else None)


def flip(a: Array, lengths: Array | None) -> Array:
    """Return a sequence (T, B, size) from its last step to its first, each row within its own length."""
    if lengths is None:
        return a[::-1]
    t = np.arange(len(a))[:, None]
    return a[np.where(t < lengths, lengths - 1 - t, t), np.arange(a.shape[1])]


def _alive(lengths: Array, T: int) -> Array:
    return (np.arange(T)[:, None] < lengths)[:, :, None]


def _by_length(cell: Any, params: Params, x: Array, states: tuple[Array, ...], lengths: Array, keep: bool) -> Trace:
    """Run the rows that still last from one row's end to the next, so that no step past an end is computed."""
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
            here = back(np.ascontiguousarray(dy[steps, rows]), *(d[rows] for d in arriving))
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


def _held(inner: Trace, h0: Array, lengths: Array, reverse: bool, empty: bool) -> Trace:
    """Fill y past every length: with the state that is held there, or with nothing.

    A reverse direction has not begun past the end: what is held there is its initial state.
    """
    if empty:
        return inner
    alive = _alive(lengths, len(inner.y))
    y = np.where(alive, inner.y, h0 if reverse else inner.states[0])

    def pull(dy: Array, *dstates: Array) -> Pull:
        past = np.where(alive, 0, dy).sum(axis=0)
        dstates = dstates if reverse else (dstates[0] + past, *dstates[1:])
        assert inner.pull is not None
        back = inner.pull(np.where(alive, dy, 0), *dstates)
        return Pull(back.params, back.x, (back.states[0] + past, *back.states[1:]) if reverse else back.states)

    return Trace(y, inner.states, None if inner.pull is None else pull)


@dataclass(frozen=True)
class _Merge:
    """What becomes of the outputs of both directions; pull: of its cotangent and of what it was given."""

    value: Callable[..., Array]
    pull: Callable[..., Sequence[Array]]


_ALONE = _Merge(lambda y: y, lambda dy, y: (dy,))
_MERGES: Mapping[str, _Merge] = MappingProxyType(
    {
        "concatenate": _Merge(
            lambda a, b: np.concatenate([a, b], axis=-1),
            lambda dy, a, b: (dy[..., : a.shape[-1]], dy[..., a.shape[-1] :]),
        ),
        "sum": _Merge(lambda a, b: a + b, lambda dy, a, b: (dy, dy)),
        "multiply": _Merge(lambda a, b: a * b, lambda dy, a, b: (dy * b, dy * a)),
        "average": _Merge(lambda a, b: 0.5 * (a + b), lambda dy, a, b: (0.5 * dy, 0.5 * dy)),
    }
)
