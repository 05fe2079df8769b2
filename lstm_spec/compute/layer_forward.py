"""The recurrence forward: a list of array calls on buffers that are laid out once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_spec.compute.layer_activations import Activation, Call, Operand
from lstm_spec.compute.layer_parameters import COUPLED_GATE, GATES, Options, Packing

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Sizes:
    """Steps T, batch B, input size n, hidden size m, size q of h and the floating-point format of all arrays."""

    T: int
    B: int
    n: int
    m: int
    q: int
    dtype: np.dtype[Any]


class Forward:
    """The buffers of one sequence and the calls that run it.

    Everything is feature-major, (features, B) a step: a gate is then one contiguous block, on which a call costs
    neither strides nor a broadcast. With ``keep`` every step has buffers of its own, which is what the backward
    pass reads; without it all steps share one set, which stays in the cache.
    """

    def __init__(self, options: Options, sizes: Sizes, *, keep: bool) -> None:
        T, B, n, m, q, dtype = sizes.T, sizes.B, sizes.n, sizes.m, sizes.q, sizes.dtype
        kept = T if keep else 1
        self.options, self.sizes, self.keep = options, sizes, keep
        self.one = np.ones((), dtype)
        self.packing = Packing(options, n, m, q)
        self.weights = np.empty(self.packing.shape, dtype)
        self.peepholes = {gate: np.empty((m, 1), dtype) for gate in options.peepholes}
        self.z = np.empty((T + 1, n + q + 1, B), dtype)
        self.z[:, -1] = 1
        values = np.empty((T + 1 if keep else 1, len(GATES) + 1, m, B), dtype)
        self.rows, self.c = values[:kept, :-1], values[:, -1]
        self._blended, self._products = values[:kept, -2:], np.empty((2, m, B), dtype)
        self.squashed = np.empty((kept, m, B), dtype)
        self.W_p = np.empty((q, m), dtype)
        self.h_tilde = np.empty((kept if options.projection else 0, m, B), dtype)
        self.limits = {what: (np.array(-limit, dtype), np.array(limit, dtype)) for what, limit in options.clip.items()}
        limited = {
            "a": self.rows[:, : len(options.gates)],
            "c": self.c[1:] if keep else self.c,
            "p": self.z[1:, self.packing.h],
        }
        # The derivative at a limit is that of one side, which the limited value does not tell.
        self.given = {w: np.empty_like(v) if keep and w in options.clip else v for w, v in limited.items()}
        self._spare = np.empty((m, B), dtype)
        self._calls = unroll(self._step(), T)

    def run(self, params: Mapping[str, Array], x: Array, h0: Array, c0: Array) -> tuple[Array, Array, Array]:
        """Run the sequence; returns y (T,B,q), h (B,q) and c (B,m) as new arrays."""
        T, packing = self.sizes.T, self.packing
        packing.pack(params, out=self.weights)
        for gate, peephole in self.peepholes.items():
            np.multiply(params[f"p_{gate}"][:, None], self.options.activation(gate).sign, out=peephole)
        if self.options.projection:
            self.W_p[:] = params["W_p"]
        hidden = self.z[:, packing.h]
        self.z[:T, packing.x] = x.transpose(0, 2, 1)
        hidden[0] = h0.T
        self.c[0] = c0.T
        run(self._calls)
        if self.keep and self.options.divisible:
            gates = self.rows[:, :3]
            np.reciprocal(gates, gates)
        return batch_major(hidden[1:]), batch_major(hidden[T]), batch_major(self.c[-1])

    def gate(self, name: str) -> Array:
        """The values of a gate, (T,m,B)."""
        names = (*self.options.gates, COUPLED_GATE[self.options.coupled])
        return self.rows[:, names.index(name)]

    def _step(self) -> Iterator[Call]:
        m, B = self.sizes.m, self.sizes.B
        options, one, spare = self.options, self.one, self._spare
        count = len(options.gates)
        a, c_new, h_new = self.given["a"], self._each(self.given["c"]), list(self.given["p"])
        f, i, c_tilde, o = (self._each(self.gate(name)) for name in "fico")
        c_prev, c = (list(self.c[:-1]), list(self.c[1:])) if self.keep else (self.c[0], self.c[0])
        squashed = self._each(self.squashed)
        late = "o" in options.peepholes
        divided = options.divisible
        times = np.divide if divided else np.multiply

        yield np.dot, (self.weights, list(self.z[:-1]), self._each(a.reshape(len(a), count * m, B)))
        yield from self._peep("f", c_prev)
        yield from self._peep("i", c_prev)
        early = slice(1 if late else 0, count)
        yield from self._limit("a", self._each(a[:, early]), self._each(self.rows[:, early]))
        for activation, rows in options.runs(options.gates[early]):
            s = self._each(self.rows[:, rows])
            yield from (activation.divisor if divided and activation.divisor else activation.value)(s, s, one)
        if options.coupled == "f=1-i":
            yield np.subtract, (one, i, f)
        if options.coupled == "i=1-f":
            yield np.subtract, (one, f, i)
        if options.coupled:
            yield np.multiply, (c_tilde, i, spare)
            yield np.multiply, (c_prev, f, c_new)
            yield np.add, (c_new, spare, c_new)
        else:
            yield times, (self._each(self._blended), self._each(self.rows[:, 1:3]), self._products)
            yield np.add, (*self._products, c_new)
        yield from self._limit("c", c_new, c)
        yield from self._peep("o", c)
        if late:
            yield from self._limit("a", self._each(a[:, 0]), o)
            activation = options.activation("o")
            yield from (activation.divisor if divided and activation.divisor else activation.value)(o, o, one)
        yield from _squash(options.activation("h"), c, squashed, one)
        h = list(self.z[1:, self.packing.h])
        if options.projection:
            h_tilde = self._each(self.h_tilde)
            yield times, (squashed, o, h_tilde)
            yield np.dot, (self.W_p, h_tilde, h_new)
            yield from self._limit("p", h_new, h)
        else:
            yield times, (squashed, o, h)

    def _each(self, buffer: Array) -> Operand:
        return list(buffer) if self.keep else buffer[0]

    def _peep(self, gate: str, c: Operand) -> Iterator[Call]:
        if gate in self.peepholes:
            a = self._each(self.given["a"][:, self.options.gates.index(gate)])
            yield np.multiply, (self.peepholes[gate], c, self._spare)
            yield np.add, (a, self._spare, a)

    def _limit(self, what: str, given: Operand, out: Operand) -> Iterator[Call]:
        if what in self.limits:
            # The method costs a third of what the function does at small sizes.
            yield np.ndarray.clip, (given, *self.limits[what], out)


def unroll(step: Iterable[Call], T: int) -> list[Call]:
    """The calls of T steps, from those of one step whose operands are lists over the steps, or the same for all."""
    columns = [
        zip(repeat(function), zip(*(o if isinstance(o, list) else repeat(o) for o in operands), strict=False))
        for function, operands in step
    ]
    rows = zip(range(T), *columns, strict=False)
    return list(chain.from_iterable(row[1:] for row in rows))


def run(calls: Iterable[Call]) -> None:
    """Make the calls in their order."""
    # σ reaches its limit 0 through exp = inf, which is no overflow of the mathematics.
    with np.errstate(over="ignore", under="ignore"):
        for function, arguments in calls:
            function(*arguments)


def batch_major(feature_major: Array) -> Array:
    """A new array with the last two axes, (features, B), exchanged."""
    return feature_major.swapaxes(-1, -2).copy()


def _squash(activation: Activation, c: Operand, out: Operand, one: Array) -> list[Call]:
    if activation.sign > 0:
        return activation.value(c, out, one)
    # No weight can absorb the sign of c.
    return [(np.negative, (c, out)), *activation.value(out, out, one)]
