"""The recurrence backward: slopes over many steps at once, a linear recurrence, one product at the end."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_spec.compute.layer_activations import Call
from lstm_spec.compute.layer_forward import Forward, batch_major, run, unroll

Array = npt.NDArray[Any]

# Values of one gate in a chunk of steps, so that the slopes of a chunk are still in the cache when it is run.
CHUNK = 2**14


class Backward:
    """The buffers of the adjoints and the calls that fill them, after a `Forward` that keeps its steps.

    With everything but δh and δc known from the forward pass, a step backward is linear in them, and elementwise
    but for one product:

        δc += E∘δh    δa_o = A_o∘δh    δa_g = A_g∘δc for g = f, i, c̃    δc' = F∘δc    δh' = Σ_g R_gᵀ δa_g

    A_g, E and F are the diagonals of ∂a/∂(h,c), ∂c/∂h and ∂c/∂c'; peepholes and coupled gates are in them. With a
    projection h = W_p h̃, δh̃ = W_pᵀ δh stands in the place of δh. The slopes of limits are in them too, but for that of
    the projection, which multiplies δh.
    """

    def __init__(self, forward: Forward) -> None:
        sizes, count = forward.sizes, len(forward.options.gates)
        T, B, n, m, q, dtype = sizes.T, sizes.B, sizes.n, sizes.m, sizes.q, sizes.dtype
        self._forward = forward
        self._through_f = not {"f", "i"} & forward.peepholes.keys() and "c" not in forward.limits
        chunk = max(1, min(T, CHUNK // max(1, m * B)))
        self._a = np.empty((chunk, count, m, B), dtype)
        self._E, self._F, self._spare = (np.empty((chunk, m, B), dtype) for _ in range(3))
        self._open = {w: np.empty((chunk, *forward.given[w].shape[1:]), dtype) for w in forward.limits}
        # A copy, because np.dot would copy a slice of the weights again at every step.
        self._W_h_transposed = np.empty((q, count * m), dtype)
        self._W_p_transposed = np.empty((m, q), dtype)
        self._dy = np.empty((T, q, B), dtype)
        self._dh, self._dh_tilde, self._dc = (np.empty((size, B), dtype) for size in (q, m, m))
        self._dh_each = np.empty((T if forward.options.projection else 0, q, B), dtype)
        self._da = np.empty((count, m, T, B), dtype)
        self._z = np.empty((n + q + 1, T, B), dtype)
        starts = range(0, T, chunk)
        self._calls = [call for lo in reversed(starts) for call in self._chunk(lo, min(T, lo + chunk))]

    def run(self, dy: Array, dh: Array, dc: Array) -> tuple[dict[str, Array], Array, Array, Array]:
        """Return dparams, dx (T,B,n), dh0 (B,q) and dc0 (B,m) as new arrays."""
        forward, sizes = self._forward, self._forward.sizes
        T, B, n, q = sizes.T, sizes.B, sizes.n, sizes.q
        self._dy[:] = dy.swapaxes(-1, -2)
        self._dh[:] = dh.T
        self._dc[:] = dc.T
        self._W_h_transposed[:] = forward.weights[:, forward.packing.h].T
        self._W_p_transposed[:] = forward.W_p.T
        run(self._calls)
        self._z[:] = forward.z[:T].swapaxes(0, 1)
        da = self._da.reshape(forward.weights.shape[0], T * B)
        dparams = forward.packing.unpack(np.dot(da, self._z.reshape(n + q + 1, T * B).T))
        dx = np.dot(da.T, forward.weights[:, forward.packing.x]).reshape(T, B, n)
        return dparams | self._peepholes() | self._projection(), dx, batch_major(self._dh), batch_major(self._dc)

    def _peepholes(self) -> dict[str, Array]:
        forward, options = self._forward, self._forward.options
        seen = {"f": forward.c[:-1], "i": forward.c[:-1], "o": forward.c[1:]}
        return {
            f"p_{gate}": options.activation(gate).sign
            * np.einsum("mtb,tmb->m", self._da[options.gates.index(gate)], seen[gate])
            for gate in options.peepholes
        }

    def _projection(self) -> dict[str, Array]:
        if not self._forward.options.projection:
            return {}
        rows, columns = (a.swapaxes(0, 1).reshape(a.shape[1], -1) for a in (self._dh_each, self._forward.h_tilde))
        return {"W_p": np.dot(rows, columns.T)}

    def _chunk(self, lo: int, hi: int) -> Iterator[Call]:
        steps = slice(lo, hi)
        yield from self._slopes(steps)
        yield from unroll(self._step(steps), hi - lo)
        yield np.copyto, (self._da[:, :, steps], self._a[: hi - lo].transpose(1, 2, 0, 3))

    def _slopes(self, steps: slice) -> Iterator[Call]:
        forward, options, one = self._forward, self._forward.options, self._forward.one
        f, i, c_tilde, o = (forward.gate(name)[steps] for name in "fico")
        c_prev, squashed = forward.c[steps], forward.squashed[steps]
        count = len(squashed)
        a, E, F, spare = self._a[:count], self._E[:count], self._F[:count], self._spare[:count]
        slope = {name: a[:, row] for row, name in enumerate(options.gates)}

        for activation, rows in options.runs(options.gates):
            yield from activation.slope(forward.rows[steps, rows], a[:, rows], one)
            yield from self._cut("a", steps, [a[:, rows]], rows, sign=activation.sign)
        yield np.multiply, (slope["o"], squashed, slope["o"])
        yield np.multiply, (slope["c"], i, slope["c"])
        gain = {"f": c_prev, "i": c_tilde}
        if options.coupled == "f=1-i":
            yield np.subtract, (c_tilde, c_prev, spare)
            gain = {"i": spare}
        if options.coupled == "i=1-f":
            yield np.subtract, (c_prev, c_tilde, spare)
            gain = {"f": spare}
        for name, factor in gain.items():
            yield np.multiply, (slope[name], factor, slope[name])
        if not self._through_f:
            yield np.copyto, (F, f)
        yield from self._cut("c", steps, [F, *(slope[name] for name in options.gates if name != "o")])
        yield from self._cut("p", steps, [])

        h = options.activation("h")
        yield from h.slope(squashed, E, one)
        if h.sign < 0:
            yield np.negative, (E, E)
        yield np.multiply, (E, o, E)
        for name, peephole in forward.peepholes.items():
            total = E if name == "o" else F
            yield np.multiply, (peephole, slope[name], spare)
            yield np.add, (total, spare, total)

    def _cut(
        self, what: str, steps: slice, slopes: list[Array], rows: slice = slice(None), *, sign: int = 1
    ) -> Iterator[Call]:
        """Put the slope of a limit into others, where there is one."""
        if what in self._forward.limits:
            given = self._forward.given[what][steps, rows]
            out = self._open[what][: len(given), rows]
            yield _open, (given, *self._forward.limits[what], sign, out)
            for slope in slopes:
                yield np.multiply, (slope, out, slope)

    def _step(self, steps: slice) -> Iterator[Call]:
        forward, options = self._forward, self._forward.options
        m, B = forward.sizes.m, forward.sizes.B
        dy = self._dy[steps]
        a, E = self._a[: len(dy)], self._E[: len(dy)]
        F = forward.gate("f")[steps] if self._through_f else self._F[: len(dy)]
        dh, dc, spare = self._dh, self._dc, self._spare[0]

        yield np.add, (dh, _last_first(dy), dh)
        out = dh
        if "p" in self._open:
            yield np.multiply, (dh, _last_first(self._open["p"][: len(dy)]), dh)
        if options.projection:
            out = self._dh_tilde
            yield np.copyto, (_last_first(self._dh_each[steps]), dh)
            yield np.dot, (self._W_p_transposed, dh, out)
        yield np.multiply, (_last_first(E), out, spare)
        yield np.add, (dc, spare, dc)
        for row, name in enumerate(options.gates):
            slope = _last_first(a[:, row])
            yield np.multiply, (slope, out if name == "o" else dc, slope)
        yield np.multiply, (_last_first(F), dc, dc)
        stacked = a.reshape(len(dy), len(options.gates) * m, B)
        yield np.dot, (self._W_h_transposed, _last_first(stacked), dh)


def _open(given: Array, low: Array, high: Array, sign: int, out: Array) -> None:
    """Write the slope of clip(a, low, high) at a = sign·given, which is 0 at the lower limit and 1 at the upper one."""
    np.copyto(out, (given > low) & (given <= high) if sign > 0 else (given >= low) & (given < high))


def _last_first(buffer: Array) -> list[Array]:
    return list(buffer[::-1])
