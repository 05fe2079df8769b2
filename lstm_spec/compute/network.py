"""Networks with numbers: layers, directions and lengths, composed of runs of one cell over a sequence.

The composition is written once, for an arithmetic: plain arrays, or values with the bounds of their errors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.compute.engine import Pull, Trace
from lstm_spec.compute.initial import initial_gradients, initial_states
from lstm_spec.compute.lengths import alive, flip, run
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.network import Network
from lstm_spec.spec.passes import Pass
from lstm_spec.spec.program import Program

Array = NDArray[Any]


@dataclass(frozen=True)
class Wiring:
    """How the passes of a network are put together; any other way than this one is a mistake that somebody may make.

    reads: (layer, x, below) → what a layer reads. around: (run, pass, x, lengths) → Trace, one pass, which run(pass, x,
    lengths) computes. parts: the outputs of the directions, as they are merged.
    """

    reads: Callable[[int, Any, Any], Any] = lambda layer, x, below: below
    around: Callable[[Callable[..., Trace], Pass, Any, Array | None], Trace] = lambda run, p, x, lengths: run(
        p, x, lengths
    )
    parts: Callable[[list[Any]], list[Any]] = lambda parts: parts


@dataclass(frozen=True)
class Arithmetic:
    """How the values of a network are computed.

    run: (cell, params, x, states, lengths, returned) → Trace, a run of one cell forwards; past a length y holds the
    final state; returned: y as somebody returned it, or None. each: (change, *values) → a value whose entries are
    moved, selected or left out, never computed with. add, multiply, halve: elementwise. join: a + b, each a sum of
    products, whose terms may as well have been added in any order. total: over the first axis. wiring: how the passes
    are put together.
    """

    run: Callable[[Program, Mapping[str, Any], Any, tuple[Any, ...], Array | None, Array | None], Trace]
    each: Callable[..., Any]
    add: Callable[[Any, Any], Any]
    multiply: Callable[[Any, Any], Any]
    halve: Callable[[Any], Any]
    join: Callable[[Any, Any], Any]
    total: Callable[[Any], Any]
    wiring: Wiring = field(default_factory=Wiring)


def plain(*, keep: bool) -> Arithmetic:
    """Return the arithmetic of arrays; ``keep`` for runs that can be taken back."""
    return Arithmetic(
        run=lambda cell, params, x, states, lengths, returned: run(cell, params, x, states, lengths, keep=keep),
        each=lambda change, *values: change(*values),
        add=np.add,
        multiply=np.multiply,
        halve=lambda a: 0.5 * a,
        join=np.add,
        total=lambda a: a.sum(axis=0),
    )


def run_network(
    network: Network,
    params: Mapping[str, Any],
    x: Any,
    states: tuple[Any, ...],
    lengths: Array | None,
    arithmetic: Arithmetic,
    returned: Array | None = None,
) -> Trace:
    """Run a network over x (T, B, n).

    states: the initial ones, one (B, m) for each of ``network.states``, or none where the network has its own; lengths:
    (B,) where rows have them; returned: y as somebody returned it. The trace's ``pull`` takes the cotangents of y and
    of every final state, and gives those of all parameters, of x and of the initial states that are given.
    """
    below, at = x, 0
    states = initial_states(network, params, x, states, arithmetic.each)
    pulls: list[tuple[Any, slice]] = []
    final: list[Any] = []
    for index in range(len(network.layers)):
        layer = _Layer(network, index, lengths, arithmetic)
        taken = states[at : at + layer.count]
        read = arithmetic.wiring.reads(index, x, below)
        here = layer.trace(params, read, taken, returned if layer.exposed else None)
        below = here.y
        final += here.states
        pulls.append((here.pull, slice(at, at + layer.count)))
        at += layer.count

    def pull(dy: Any, *dstates: Any) -> Pull:
        dparams: dict[str, Any] = {}
        shown: dict[str, Any] = {}
        initial: tuple[Any, ...] = ()
        for back, own in reversed(pulls):
            here = back(dy, *dstates[own])
            dparams |= here.params
            shown |= here.shown
            initial = (*here.states, *initial)
            dy = here.x
        learned, initial = initial_gradients(network, initial, arithmetic.total)
        dparams |= learned
        return Pull({name: dparams[name] for name in params if name in dparams}, dy, initial, shown)

    return Trace(below, tuple(final), pull)


@dataclass(frozen=True)
class _Layer:
    """One layer of a network: its directions side by side, then what becomes of their outputs."""

    network: Network
    index: int
    lengths: Array | None
    arithmetic: Arithmetic

    @property
    def layer(self) -> Layer:
        return self.network.layers[self.index]

    @property
    def passes(self) -> tuple[Pass, ...]:
        return self.network.passes[self.index]

    @property
    def top(self) -> bool:
        return self.index == len(self.network.layers) - 1

    @property
    def count(self) -> int:
        """How many states it has."""
        return sum(len(p.states) for p in self.passes)

    @property
    def exposed(self) -> bool:
        """Whether y shows what every direction returned at every step."""
        kept = len(self.passes) == 1 or self.layer.merge == "concatenate"
        return self.top and kept and not self.layer.residual and not self.last

    @property
    def last(self) -> bool:
        return self.top and self.network.outputs == "last"

    def trace(self, params: Mapping[str, Any], x: Any, states: tuple[Any, ...], returned: Array | None) -> Trace:
        each, half = self.arithmetic.each, self.count // len(self.passes)
        wiring = self.arithmetic.wiring

        def one(k: int) -> Callable[[Pass, Any, Array | None], Trace]:
            taken, shown = states[k * half : (k + 1) * half], self.shown(returned, states[::half], k)
            return lambda p, x, lengths: replace(self, lengths=lengths).one(p, p.own(params), x, taken, shown)

        runs = [wiring.around(one(k), p, x, self.lengths) for k, p in enumerate(self.passes)]
        parts = wiring.parts([r.states[0] if self.last else each(self.order, r.y) for r in runs])
        merge = _MERGES[self.layer.merge] if len(parts) == 2 else _ALONE
        y = merge.value(self.arithmetic, *parts)
        y = self.arithmetic.add(y, x) if self.layer.residual else y

        def pull(dy: Any, *dstates: Any) -> Pull:
            dy = each(self.ended, dy)
            dx: Any = None
            dparams: dict[str, Any] = {}
            shown: dict[str, Any] = {}
            initial: tuple[Any, ...] = ()
            for k, (p, r, part) in enumerate(
                zip(self.passes, runs, merge.pull(self.arithmetic, dy, *parts), strict=True)
            ):
                dh, *others = dstates[k * half : (k + 1) * half]
                if self.last:
                    part, dh = each(np.zeros_like, r.y), self.arithmetic.add(dh, part)
                else:
                    part = each(self.order, part)
                assert r.pull is not None
                here = r.pull(part, dh, *others)
                dparams |= {p.key + name: d for name, d in here.params.items()}
                shown |= {p.key + name: d for name, d in here.shown.items()}
                dx = here.x if dx is None else self.arithmetic.join(dx, here.x)
                initial = (*initial, *here.states)
            return Pull(dparams, self.arithmetic.add(dx, dy) if self.layer.residual else dx, initial, shown)

        return Trace(each(self.ended, y), tuple(s for r in runs for s in r.states), pull)

    def shown(self, returned: Array | None, states: Sequence[Any], k: int) -> Array | None:
        """Return the part of y that one direction returned, aligned with x."""
        if returned is None:
            return None
        start = 0 if k == 0 else _width(states[0])
        return self.order(returned)[..., start : start + _width(states[k])]

    def order(self, a: Array) -> Array:
        """Turn between time and the order in which a layer that goes backwards gives its output."""
        return a[::-1] if self.layer.direction == "go_backwards" else a

    def ended(self, a: Array) -> Array:
        """Set y, or its cotangent, to zero past every length, where the network says so."""
        if self.lengths is None or not self.top or self.last or self.network.past_length != "zero":
            return a
        return np.where(self.order(alive(self.lengths, len(a))), a, 0)

    def one(self, p: Pass, params: Mapping[str, Any], x: Any, states: tuple[Any, ...], shown: Array | None) -> Trace:
        """Run one direction; y is aligned with x."""
        if not p.reverse:
            return self.arithmetic.run(p.cell, params, x, states, self.lengths, shown)
        return self.reversed(p, params, x, states, shown)

    def reversed(
        self, p: Pass, params: Mapping[str, Any], x: Any, states: tuple[Any, ...], shown: Array | None
    ) -> Trace:
        """Run from the last step to the first; past a row's end that has not begun, so the initial state is held."""
        each, lengths = self.arithmetic.each, self.lengths
        turned = None if shown is None else flip(shown, lengths)
        inner = self.arithmetic.run(p.cell, params, self.flipped(x), states, lengths, turned)
        lasting = None if lengths is None else alive(lengths, _length(x))
        empty = self.top and self.network.past_length == "repeat"

        def pull(dy: Any, *dstates: Any) -> Pull:
            assert inner.pull is not None
            here = each(lambda d: d if lasting is None else np.where(lasting, d, 0), dy)
            back = inner.pull(self.flipped(here), *dstates)
            initial = back.states
            if lasting is not None and not empty:
                past = self.arithmetic.total(each(lambda d: np.where(lasting, 0, d), dy))
                initial = (self.arithmetic.add(initial[0], past), *initial[1:])
            return Pull(back.params, self.flipped(back.x), initial, back.shown)

        def begun(y: Array, h0: Array) -> Array:
            return y if lasting is None else np.where(lasting, y, 0 if empty else h0)

        return Trace(each(begun, self.flipped(inner.y), states[0]), inner.states, pull)

    def flipped(self, value: Any) -> Any:
        return self.arithmetic.each(lambda a: flip(a, self.lengths), value)


def _width(value: Any) -> int:
    return int(getattr(value, "value", value).shape[-1])


def _length(value: Any) -> int:
    return len(getattr(value, "value", value))


@dataclass(frozen=True)
class _Merge:
    """What becomes of the outputs of both directions; pull: of its cotangent and of what it was given."""

    value: Callable[..., Any]
    pull: Callable[..., Sequence[Any]]


def _halves(to: Arithmetic, dy: Any, first: Any, second: Any) -> tuple[Any, Any]:
    m = _width(first)
    return to.each(lambda d: d[..., :m], dy), to.each(lambda d: d[..., m:], dy)


_ALONE = _Merge(lambda to, y: y, lambda to, dy, y: (dy,))
_MERGES: Mapping[str, _Merge] = MappingProxyType(
    {
        "concatenate": _Merge(lambda to, a, b: to.each(lambda *p: np.concatenate(p, axis=-1), a, b), _halves),
        "sum": _Merge(lambda to, a, b: to.add(a, b), lambda to, dy, a, b: (dy, dy)),
        "multiply": _Merge(
            lambda to, a, b: to.multiply(a, b), lambda to, dy, a, b: (to.multiply(dy, b), to.multiply(dy, a))
        ),
        "average": _Merge(lambda to, a, b: to.halve(to.add(a, b)), lambda to, dy, a, b: (to.halve(dy), to.halve(dy))),
    }
)
