"""The LSTM in loops, the cells and sizes the layer is tried with, and the checks that its tests share."""

import itertools

import numpy as np

from lstm_spec.compute.layer import numpy_layer

PEEPHOLES = ["", "f", "i", "o", "fi", "fo", "io", "fio"]
COUPLED = [None, "f=1-i", "i=1-f"]
CELLS = [(p, c) for p, c in itertools.product(PEEPHOLES, COUPLED) if c is None or c[0] not in p]
LAYOUTS = list(itertools.product(["xh", "hx", None], [0, 1, 2]))
DEFAULTS = {"f": "sigmoid", "i": "sigmoid", "c": "tanh", "o": "sigmoid", "h": "tanh"}
SHUFFLED = {"f": "hard_sigmoid", "i": "softsign", "c": "softplus", "o": "hard_sigmoid_onnx", "h": "sigmoid"}
SIZES = [(1, 1, 1, 1), (1, 2, 3, 4), (5, 3, 4, 4), (4, 2, 3, 5)]

SCALAR = {
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "tanh": np.tanh,
    "hard_sigmoid": lambda a: min(max(a / 6 + 0.5, 0.0), 1.0),
    "hard_sigmoid_onnx": lambda a: min(max(0.2 * a + 0.5, 0.0), 1.0),
    "relu": lambda a: max(a, 0.0),
    "identity": lambda a: a,
    "softsign": lambda a: a / (1 + abs(a)),
    "softplus": lambda a: np.log1p(np.exp(a)),
}


def loops(
    params,
    x,
    h0,
    c0,
    *,
    peepholes="",
    coupled=None,
    concat="xh",
    biases=1,
    projection=False,
    activations=None,
    clip=None,
):
    """The LSTM one number at a time."""
    T, B, _ = x.shape
    m, q = c0.shape[1], h0.shape[1]
    W_p = params["W_p"] if projection else np.eye(m)
    act = {key: SCALAR[name] for key, name in {**DEFAULTS, **(activations or {})}.items()}

    def limited(what, v):
        limit = (clip or {}).get(what, np.inf)
        return min(max(v, -limit), limit)

    def gate(g, t, b, j, h, c):
        seen = list(x[t, b]) + list(h) if concat != "hx" else list(h) + list(x[t, b])
        W = list(params[f"W_{g}"][j]) + (list(params[f"R_{g}"][j]) if concat is None else [])
        a = sum(w * v for w, v in zip(W, seen, strict=True))
        a += sum(params[f"{prefix}_{g}"][j] for prefix in ("b", "bR")[:biases])
        return act[g](limited("a", a + (params[f"p_{g}"][j] * c if g in peepholes else 0)))

    y, h_end, c_end = np.empty((T, B, q)), h0.copy(), c0.copy()
    for b in range(B):
        for t in range(T):
            h_prev, c_prev, h_tilde = h_end[b].copy(), c_end[b].copy(), np.empty(m)
            for j in range(m):
                f = gate("f", t, b, j, h_prev, c_prev[j]) if coupled != "f=1-i" else None
                i = gate("i", t, b, j, h_prev, c_prev[j]) if coupled != "i=1-f" else 1 - f
                f = 1 - i if f is None else f
                c_end[b, j] = limited("c", f * c_prev[j] + i * gate("c", t, b, j, h_prev, None))
                h_tilde[j] = gate("o", t, b, j, h_prev, c_end[b, j]) * act["h"](c_end[b, j])
            h_end[b] = [limited("p", sum(w * v for w, v in zip(row, h_tilde, strict=True))) for row in W_p]
            y[t, b] = h_end[b]
    return y, h_end, c_end


def size_of_h(options, m):
    return 2 if options.get("projection") else m


def arrays(options, sizes, *, seed=0, dtype=np.float64):
    """Parameters and inputs, all distinct and nonzero: what is multiplied by zero or twice the same is not tested."""
    T, B, n, m = sizes
    rng = np.random.default_rng(seed)
    normal = lambda shape: rng.normal(size=shape).astype(dtype)  # noqa: E731
    q = size_of_h(options, m)
    params = {name: normal(shape) for name, shape in numpy_layer(**options).options.shapes(n, m, q).items()}
    return params, normal((T, B, n)), normal((B, q)), normal((B, m))


def cotangents(sizes, *, seed=1, dtype=np.float64, only=("dy", "dh", "dc"), q=None):
    T, B, _, m = sizes
    rng = np.random.default_rng(seed)
    q = m if q is None else q
    shapes = {"dy": (T, B, q), "dh": (B, q), "dc": (B, m)}
    return [(rng.normal(size=s) * (name in only)).astype(dtype) for name, s in shapes.items()]


def check_forward(forward, options, sizes):
    args = arrays(options, sizes)
    for name, got, expected in zip("yhc", forward(*args), loops(*args, **options), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13, err_msg=name)


def check_backward(layer, options, sizes, only=("dy", "dh", "dc")):
    """Every element of every gradient against central differences in the widest format that NumPy has."""
    wide = np.longdouble
    eps = np.finfo(wide).eps
    params, x, h0, c0 = arrays(options, sizes, dtype=wide)
    T, B, n, m = sizes
    q = size_of_h(options, m)
    out = cotangents(sizes, dtype=wide, only=only, q=q)
    forward = numpy_layer(**options).workspace(T=T, B=B, n=n, m=m, q=q, dtype=wide, backward=False).forward

    def loss():
        return sum(np.sum(d * v) for d, v in zip(out, forward(params, x, h0, c0), strict=True))

    dparams, dx, dh0, dc0 = layer.backward(params, x, h0, c0, *out)
    assert list(dparams) == list(params)
    grads = {**dparams, "x": dx, "h0": dh0, "c0": dc0}
    for name, value in {**params, "x": x, "h0": h0, "c0": c0}.items():
        assert grads[name].shape == value.shape
        step = eps ** (1 / 3)
        for index in np.ndindex(value.shape):
            kept = value[index]
            value[index] = kept + step
            above = loss()
            value[index] = kept - step
            below = loss()
            value[index] = kept
            difference = (above - below) / (2 * step)
            assert abs(grads[name][index] - difference) < 300 * eps ** (2 / 3), (name, index)


def check_untouched(call, values):
    before = [v.copy() for v in values]
    call()
    for v, kept in zip(values, before, strict=True):
        np.testing.assert_array_equal(v, kept)


def check_apart(outputs, others):
    for i, a in enumerate(outputs):
        assert not any(np.shares_memory(a, b) for b in others)
        assert not any(np.shares_memory(a, b) for b in outputs[i + 1 :])


def flat(results):
    return [v for r in results for v in (r.values() if isinstance(r, dict) else [r])]
