"""The operators LSTM, GRU and RNN of ONNX by hand, from the operators' text alone, without the package."""

from functools import partial

import numpy as np

WITH_ALPHA = {"affine": 1, "leakyrelu": 0.01, "thresholdedrelu": 1, "scaledtanh": 1, "hardsigmoid": 0.2, "elu": 1}
WITH_BETA = {"affine": 0, "scaledtanh": 1, "hardsigmoid": 0.5}
FUNCTIONS = {
    "relu": lambda x, a, b: np.maximum(x, 0),
    "tanh": lambda x, a, b: np.tanh(x),
    "sigmoid": lambda x, a, b: 0.5 * np.tanh(x / 2) + 0.5,
    "affine": lambda x, a, b: a * x + b,
    "leakyrelu": lambda x, a, b: np.where(x >= 0, x, a * x),
    "thresholdedrelu": lambda x, a, b: np.where(x >= a, x, 0 * x),
    "scaledtanh": lambda x, a, b: a * np.tanh(b * x),
    "hardsigmoid": lambda x, a, b: np.minimum(np.maximum(a * x + b, 0), 1),
    "elu": lambda x, a, b: np.where(x >= 0, x, a * np.expm1(np.minimum(x, 0))),
    "softsign": lambda x, a, b: x / (1 + abs(x)),
    "softplus": lambda x, a, b: np.logaddexp(0, x),
}
DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def activations(kind, attributes, directions):
    """Return the functions of every direction, alpha and beta consumed by those that take one."""
    names = list(attributes.get("activations") or DEFAULTS[kind] * directions)
    alphas, betas = (list(np.float32(attributes.get(f"activation_{k}") or ())) for k in ("alpha", "beta"))
    found = []
    for name in (n.lower() for n in names):
        a = (alphas.pop(0) if alphas else np.float32(WITH_ALPHA[name])) if name in WITH_ALPHA else None
        b = (betas.pop(0) if betas else np.float32(WITH_BETA[name])) if name in WITH_BETA else None
        found.append(partial(applied, FUNCTIONS[name], (a, b)))
    count = len(found) // directions
    return [found[k * count : (k + 1) * count] for k in range(directions)]


def applied(function, constants, x):
    return function(x, *(None if v is None else x.dtype.type(v) for v in constants))


def run(kind, attributes, feeds):
    """Return [Y, Y_h] or [Y, Y_h, Y_c] of the operator with its attributes, for inputs by name."""
    x, W, R = feeds["X"], feeds["W"], feeds["R"]
    turned = attributes.get("layout", 0) == 1
    h0, c0 = feeds.get("initial_h"), feeds.get("initial_c")
    if turned:
        x = x.swapaxes(0, 1)
        h0, c0 = (None if s is None else s.swapaxes(0, 1) for s in (h0, c0))
    (T, N, _), (D, _, m) = x.shape, R.shape
    zero = np.zeros((D, N, m), x.dtype)
    h0, c0 = (zero if s is None else s for s in (h0, c0))
    B = feeds.get("B", np.zeros((D, 2 * W.shape[1]), x.dtype))
    P = feeds.get("P", np.zeros((D, 3 * m), x.dtype))
    lengths = feeds.get("sequence_lens", np.full(N, T))
    limit = np.float32(attributes.get("clip") or np.inf)
    squash = activations(kind, attributes, D)
    Y = np.zeros((T, D, N, m), x.dtype)
    last = [np.zeros((D, N, m), x.dtype) for _ in range(2)]
    for d in range(D):
        back = attributes.get("direction", "forward") == "reverse" or d == 1
        for row in range(N):
            steps = range(lengths[row])
            h, c = h0[d, row], c0[d, row]
            for t in reversed(steps) if back else steps:
                h, c = step(kind, attributes, x[t, row], h, c, W[d], R[d], B[d], P[d], squash[d], x.dtype.type(limit))
                Y[t, d, row] = h
            last[0][d, row], last[1][d, row] = h, c
    if turned:
        Y, last = Y.transpose(2, 0, 1, 3), [s.swapaxes(0, 1) for s in last]
    return [Y, *last] if kind == "LSTM" else [Y, last[0]]


def step(kind, attributes, x, h, c, W, R, B, P, squash, limit):
    """Return h and c after one step of one row."""
    limited = [lambda v, f=f: f(np.clip(v, -limit, limit)) for f in squash]
    bias, recurrent_bias = np.split(B, 2)
    if kind == "RNN":
        return limited[0](W @ x + R @ h + bias + recurrent_bias), c
    if kind == "GRU":
        (wz, wr, wh), (rz, rr, rh) = np.split(W @ x + bias, 3), np.split(R, 3)
        bz, br, bh = np.split(recurrent_bias, 3)
        f, g = limited
        z, r = f(wz + rz @ h + bz), f(wr + rr @ h + br)
        inner = r * (rh @ h + bh) if attributes.get("linear_before_reset") else rh @ (r * h) + bh
        return (1 - z) * g(wh + inner) + z * h, c
    i, o, f, g = np.split(W @ x + R @ h + bias + recurrent_bias, 4)
    p_i, p_o, p_f = np.split(P, 3)
    sigma, squash_c, squash_h = limited
    i = sigma(i + p_i * c)
    f = 1 - i if attributes.get("input_forget") else sigma(f + p_f * c)
    c = f * c + i * squash_c(g)
    return sigma(o + p_o * c) * squash_h(c), c
