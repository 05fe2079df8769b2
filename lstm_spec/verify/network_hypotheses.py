"""Hypotheses about networks: what every pass may do in place of its cell, and what goes wrong between the passes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.compute.engine import Pull, Trace
from lstm_spec.compute.lengths import alive
from lstm_spec.compute.network import Wiring, plain, run_network
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.verify.hypotheses import Backward, Forward, Hypothesis, Wrap


@dataclass(frozen=True)
class NetworkHypothesis:
    """What an implementation may do in place of a network.

    id, kind, sentence: as of a ``Hypothesis``; network: the specification; changed: the network that is run, None for
    the specification's; wiring: how its passes are put together; inner: what every pass runs in place of its cell;
    wraps: what is done around the whole, the innermost first.
    """

    id: str
    kind: str
    sentence: str
    network: Network
    changed: Network | None = None
    wiring: Wiring | None = None
    inner: Hypothesis | None = None
    wraps: tuple[Wrap, ...] = ()

    @property
    def at_fault(self) -> tuple[str, ...]:
        """The names of the equations that every pass rewrites."""
        return self.inner.at_fault if self.inner else ()

    @property
    def right(self) -> "NetworkHypothesis":
        """The hypothesis that nothing is wrong."""
        return NetworkHypothesis("spec", "spec", "it is right", self.network)

    @property
    def forward(self) -> Forward:
        """The forward pass as the hypothesis has it: forward(params, x, *states, lengths=None)."""
        return reduce(lambda f, wrap: wrap.forward(f) if wrap.forward else f, self.wraps, self._run)

    @property
    def backward(self) -> Backward:
        """The backward pass as the hypothesis has it: backward(params, x, *states, dy, *dstates, lengths=None)."""
        return reduce(lambda b, wrap: wrap.backward(b) if wrap.backward else b, self.wraps, self._pull)

    def _trace(self, params: Mapping[str, Array], x: Array, states: Any, lengths: Any, *, keep: bool) -> Trace:
        run = replace(plain(keep=keep), wiring=self.wiring or Wiring())
        if self.inner is not None:
            run = replace(run, run=_in_place_of(self.inner.cell, _by_length(self.inner, keep=keep), run.run))
        return run_network(self.changed or self.network, params, x, states, lengths, run)

    def _run(self, params: Mapping[str, Array], x: Array, *states: Array, lengths: Any = None) -> tuple[Array, ...]:
        trace = self._trace(params, x, states, lengths, keep=False)
        return (trace.y, *trace.states)

    def _pull(self, params: Mapping[str, Array], x: Array, *others: Array, lengths: Any = None) -> tuple[Any, ...]:
        given = len(self.network.states) if self.network.initial == "given" else 0
        trace = self._trace(params, x, others[:given], lengths, keep=True)
        assert trace.pull is not None
        back = trace.pull(*others[given:])
        return (back.params, back.x, *back.states)

    def joined(self, other: "NetworkHypothesis") -> "NetworkHypothesis | None":
        """Return the hypothesis that both are true, or None where they contradict each other."""
        inner = self.inner or other.inner
        if self.inner and other.inner:
            inner = self.inner.joined(other.inner)
        if (inner is None and self.inner) or (self.changed and other.changed) or (self.wiring and other.wiring):
            return None
        return replace(
            self,
            id=f"{self.id}+{other.id}",
            kind="pair",
            sentence=f"{self.sentence}; and {other.sentence}",
            changed=self.changed or other.changed,
            wiring=self.wiring or other.wiring,
            inner=inner,
            wraps=self.wraps + other.wraps,
        )


def right_of(spec: Program | Network) -> Hypothesis | NetworkHypothesis:
    """Return the hypothesis that nothing is wrong with a cell or a network."""
    if isinstance(spec, Program):
        return Hypothesis("spec", "spec", "it is right", spec)
    return NetworkHypothesis("spec", "spec", "it is right", spec)


def in_every_pass(network: Network, hypothesis: Hypothesis) -> NetworkHypothesis:
    """Return the hypothesis that every layer and direction of a network runs a cell with one mistake."""
    where = "" if network.plain else ", in every layer and direction"
    return NetworkHypothesis(hypothesis.id, hypothesis.kind, f"{hypothesis.sentence}{where}", network, inner=hypothesis)


def _in_place_of(cell: Program, run: Callable[..., Trace], other: Callable[..., Trace]) -> Callable[..., Trace]:
    return lambda own, *given: (run if own == cell else other)(own, *given)


def _by_length(hypothesis: Hypothesis, *, keep: bool) -> Callable[..., Trace]:
    """Make the run of a pass from a hypothesis about its cell, every row for its own number of steps."""
    forward = hypothesis.forward

    def run(
        cell: Program, params: Mapping[str, Array], x: Array, states: tuple[Array, ...], lengths: Any, returned: Any
    ) -> Trace:
        pull = _pull_by_length(hypothesis.backward, params, x, states, lengths) if keep else None
        if lengths is None:
            y, *final = forward(params, x, *states)
            return Trace(y, tuple(final), pull)
        ends = [s.copy() for s in states]
        rows_y = np.zeros((*x.shape[:2], states[0].shape[-1]), x.dtype)
        for length in np.unique(lengths[lengths > 0]):
            rows = np.flatnonzero(lengths == length)
            y, *final = forward(params, x[:length, rows], *(s[rows] for s in states))
            rows_y[:length, rows] = y
            for end, state in zip(ends, final, strict=True):
                end[rows] = state
        return Trace(np.where(alive(lengths, len(x)), rows_y, ends[0]), tuple(ends), pull)

    return run


def _pull_by_length(
    backward: Backward, params: Mapping[str, Array], x: Array, states: tuple[Array, ...], lengths: Any
) -> Callable[..., Pull]:
    """Make the way back of a pass from the backward pass of one cell."""
    if lengths is None:

        def whole(dy: Array, *dstates: Array) -> Pull:
            dparams, dx, *initial = backward(params, x, *states, dy, *dstates)
            return Pull(dict(dparams), dx, tuple(initial))

        return whole

    def pull(dy: Array, dh: Array, *others: Array) -> Pull:
        # Past its length a row holds its last h.
        lasting = alive(lengths, len(x))
        dh = dh + np.where(lasting, 0, dy).sum(axis=0)
        dx, initial = np.zeros_like(x), [d.copy() for d in (dh, *others)]
        total = {name: np.zeros_like(p) for name, p in params.items()}
        for length in np.unique(lengths[lengths > 0]):
            rows = np.flatnonzero(lengths == length)
            arriving = (d[rows] for d in (dh, *others))
            given = (x[:length, rows], *(s[rows] for s in states), dy[:length, rows], *arriving)
            dparams, dx[:length, rows], *leaving = backward(params, *given)
            total = {name: d + dparams[name] for name, d in total.items()}
            for d, left in zip(initial, leaving, strict=True):
                d[rows] = left
        return Pull(total, dx, tuple(initial))

    return pull
