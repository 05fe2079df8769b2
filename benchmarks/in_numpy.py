"""The LSTM in NumPy: its bare products, this package, and the usual ways to write it."""

import collections
import collections.abc
import io
import warnings
from contextlib import redirect_stderr
from typing import Any

import numpy as np
from case import Array, Case, NotRunError, Runs, installed

from lstm_spec.compute.layer import numpy_layer


def products(case: Case, *, elementary: bool = False) -> Runs:
    """The bare products that the layer contains, into buffers; with ``elementary`` its exp and tanh, too."""
    T, B, n, m, dtype = case.T, case.B, case.n, case.m, case.dtype
    W = np.concatenate(case.stacked("ofic")[:2], axis=1)
    R_transposed = W[:, n:].T.copy()
    z = [np.concatenate([x.T, np.ones((m, B), dtype)]) for x in case.x]
    a, dh, gate = np.empty((4 * m, B), dtype), np.empty((m, B), dtype), np.full((m, B), 0.5, dtype)
    gates, out = np.full((3 * m, B), -0.5, dtype), np.empty((3 * m, B), dtype)
    da, zs = np.full((4 * m, T * B), 0.5, dtype), np.full((n + m, T * B), 0.5, dtype)
    dW, dx = np.empty((4 * m, n + m), dtype), np.empty((T * B, n), dtype)

    def forward() -> None:
        for zt in z:
            np.dot(W, zt, a)
            if elementary:
                np.exp(gates, out)
                np.tanh(gate, dh)
                np.tanh(gate, dh)

    def both() -> None:
        forward()
        for _ in z:
            np.dot(R_transposed, a, dh)
        np.dot(da, zs.T, dW)
        np.dot(da.T, W[:, :n], dx)

    return Runs(forward, both)


def products_and_functions(case: Case) -> Runs:
    return products(case, elementary=True)


def ours(case: Case, **options: Any) -> Runs:
    sizes = {"T": case.T, "B": case.B, "n": case.n, "m": case.m, "dtype": case.dtype}
    layer = numpy_layer(**options)
    small, full = layer.workspace(**sizes, backward=False), layer.workspace(**sizes)

    def both() -> tuple[Array, Array]:
        y, _, _ = full.forward(case.params, case.x, case.h0, case.c0)
        _, dx, _, _ = full.backward(case.dy, case.dh, case.dc)
        return y, dx

    return Runs(lambda: small.forward(case.params, case.x, case.h0, case.c0)[0], both)


def ours_clipped(case: Case) -> Runs:
    """With limits that no number reaches, so that it gives what the others give."""
    return ours(case, clip={"a": 50.0, "c": 50.0})


def ours_without_workspace(case: Case) -> Runs:
    layer, args = numpy_layer(), (case.params, case.x, case.h0, case.c0)
    # The backward function runs the forward pass itself, so it alone is the pair.
    return Runs(
        lambda: layer.forward(*args)[0],
        lambda: (None, layer.backward(*args, case.dy, case.dh, case.dc)[1]),
    )


def _sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def per_gate(case: Case) -> Runs:
    """The equations as they are printed: eight products a step, a new array for each term."""
    p, T, n = case.params, case.T, case.n
    Wt = {g: p[f"W_{g}"].T.copy() for g in "fico"}

    def forward(tape: list[Any] | None = None) -> Array:
        h, c, y = case.h0, case.c0, []
        for x in case.x:
            z = np.concatenate([x, h], axis=1)
            f, i, o = (_sigmoid(z @ Wt[g] + p[f"b_{g}"]) for g in "fio")
            c_tilde = np.tanh(z @ Wt["c"] + p["b_c"])
            c_prev, c = c, f * c + i * c_tilde
            h = o * np.tanh(c)
            y.append(h)
            if tape is not None:
                tape.append((z, f, i, o, c_tilde, c_prev, c))
        return np.stack(y)

    def both() -> tuple[Array, Array]:
        tape: list[Any] = []
        y = forward(tape)
        grads = {name: np.zeros_like(value) for name, value in p.items()}
        dh, dc, dx = case.dh, case.dc, np.empty_like(case.x)
        for t in reversed(range(T)):
            z, f, i, o, c_tilde, c_prev, c = tape[t]
            tc = np.tanh(c)
            dh = dh + case.dy[t]
            dc = dc + dh * o * (1 - tc**2)
            da = {
                "f": dc * c_prev * f * (1 - f),
                "i": dc * c_tilde * i * (1 - i),
                "c": dc * i * (1 - c_tilde**2),
                "o": dh * tc * o * (1 - o),
            }
            for g, d in da.items():
                grads[f"W_{g}"] += d.T @ z
                grads[f"b_{g}"] += d.sum(axis=0)
            dz = sum(d @ p[f"W_{g}"] for g, d in da.items())
            dx[t], dh, dc = dz[:, :n], dz[:, n:], dc * f
        return y, dx

    return Runs(forward, both)


def course_style(case: Case) -> Runs:
    """The style taught in CS231n's third assignment: stacked gates, x·Wx + h·Wh a step, caches in tuples."""
    m = case.m
    W, R, b = case.stacked("ifoc")
    Wx, Wh = W.T.copy(), R.T.copy()

    def forward(caches: list[Any] | None = None) -> Array:
        h, c = case.h0, case.c0
        y = np.zeros((case.T, case.B, m), case.dtype)
        for t, x in enumerate(case.x):
            a = x @ Wx + h @ Wh + b
            i, f, o = (_sigmoid(a[:, k * m : (k + 1) * m]) for k in range(3))
            g = np.tanh(a[:, 3 * m :])
            h_prev, c_prev = h, c
            c = f * c_prev + i * g
            squashed = np.tanh(c)
            h = y[t] = o * squashed
            if caches is not None:
                caches.append((x, h_prev, c_prev, i, f, o, g, squashed))
        return y

    def both() -> tuple[Array, Array]:
        caches: list[Any] = []
        y = forward(caches)
        dx, dWx, dWh, db = np.zeros_like(case.x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
        dh, dc = case.dh, case.dc
        for t in reversed(range(case.T)):
            x, h_prev, c_prev, i, f, o, g, squashed = caches[t]
            dh = dh + case.dy[t]
            dc = dc + dh * o * (1 - squashed**2)
            da = np.hstack(
                (dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dh * squashed * o * (1 - o), dc * i * (1 - g**2))
            )
            dx[t], dh, dc = da @ Wx.T, da @ Wh.T, dc * f
            dWx += x.T @ da
            dWh += h_prev.T @ da
            db += da.sum(axis=0)
        return y, dx

    return Runs(forward, both)


def numpy_ml(case: Case) -> Runs:
    if case.dtype is not np.float64:
        raise NotRunError("it computes in float64 only")
    # Its last release is from before Python 3.10 moved these names.
    for name in ("Hashable", "Iterable", "Mapping"):
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        installed("numpy_ml")
        from numpy_ml.neural_nets.layers.layers import LSTMCell
    # Its LSTM, a loop over this cell, cannot be made: a property without a setter is set.
    cell = LSTMCell(case.m)
    cell.n_in = case.n
    cell._init_params()
    for theirs, gate in (("f", "f"), ("u", "i"), ("c", "c"), ("o", "o")):
        W = case.params[f"W_{gate}"]
        cell.parameters[f"W{theirs}"] = np.concatenate([W[:, case.n :], W[:, : case.n]], axis=1).T.copy()
        cell.parameters[f"b{theirs}"] = case.params[f"b_{gate}"][None].copy()

    def forward() -> Array:
        state: dict[str, Any] = {name: [] for name in ("C", "A", "Gf", "Gu", "Go", "Gc", "Cc")}
        state |= {"n_timesteps": 0, "current_step": 0, "dLdA_accumulator": None, "dLdC_accumulator": None}
        cell.X, cell.derived_variables = [], state
        cell.gradients = {name: np.zeros_like(v) for name, v in cell.parameters.items()}
        return np.stack([cell.forward(x)[0] for x in case.x])

    def both() -> tuple[Array, Array]:
        return forward(), np.stack([cell.backward(dy) for dy in case.dy[::-1]][::-1])

    return Runs(forward, both)
