"""A stack of LSTM layers in both directions as people write it, in plain loops, each fault planted by a word."""

import numpy as np

from tests.faulty import sigmoid

FAULTS = (
    "reverse not flipped",
    "halves swapped",
    "layer 1 reads x",
    "lengths ignored",
    "reverse state at the wrong end",
    "states by direction",
    "residual forgotten",
    "padding not zero",
    "reverse starts at the padding",
)


def step(params, key, x, h, c):
    z = np.concatenate([x, h], axis=-1)
    a = {gate: z @ params[f"{key}W_{gate}"].T + params[f"{key}b_{gate}"] for gate in "fico"}
    c = sigmoid(a["f"]) * c + sigmoid(a["i"]) * np.tanh(a["c"])
    return sigmoid(a["o"]) * np.tanh(c), c


def one_direction(params, key, x, h, c, lengths, *, reverse, fault=None):
    """Row by row: the outputs aligned with x, zero past a length, and the final states."""
    y, last_h, last_c = np.zeros((*x.shape[:2], h.shape[-1]), x.dtype), h.copy(), c.copy()
    for b, length in enumerate(lengths):
        steps = range(len(x) if fault == "lengths ignored" else length)
        if fault == "reverse starts at the padding" and reverse:
            steps = range(len(x))
        h_b, c_b = h[b], c[b]
        for t in reversed(steps) if reverse and fault != "reverse not flipped" else steps:
            h_b, c_b = step(params, key, x[t, b], h_b, c_b)
            y[t, b] = h_b
        last_h[b], last_c[b] = h_b, c_b
        if fault == "reverse state at the wrong end" and reverse:
            last_h[b] = y[length - 1, b]
        if fault == "padding not zero":
            y[length:, b] = h_b
        if fault == "reverse starts at the padding":
            y[length:, b] = 0
    return y, last_h, last_c


def stack(*, layers, bidirectional, residual=False, fault=None):
    """Return forward(params, x, h0, c0, lengths=None) of a network of LSTM layers."""
    keys = [[f"l{k}.", f"l{k}r."][: 1 + bidirectional] for k in range(layers)]
    order = [key for own in keys for key in own]
    if fault == "states by direction":
        order = [own[d] for d in range(1 + bidirectional) for own in keys]

    def forward(params, x, h0, c0, *, lengths=None):
        lengths = [len(x)] * x.shape[1] if lengths is None else lengths
        h, c, below = {}, {}, x
        for index, own in enumerate(keys):
            parts = []
            for reverse, key in enumerate(own):
                at = order.index(key)
                given = x if fault == "layer 1 reads x" else below
                part, h[key], c[key] = one_direction(
                    params, key, given, h0[at], c0[at], lengths, reverse=bool(reverse), fault=fault
                )
                parts.append(part)
            y = np.concatenate(parts[::-1] if fault == "halves swapped" else parts, axis=-1)
            below = y + below if residual and index > 0 and fault != "residual forgotten" else y
        return below, np.stack([h[key] for key in order]), np.stack([c[key] for key in order])

    return forward
