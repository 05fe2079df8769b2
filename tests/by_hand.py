"""LSTMs as people write them, each wrong in one way that has been seen in public or in a kernel."""

import threading

import numpy as np

from tests.faulty import sigmoid


def gates(params, x, h, *, order="fico"):
    """Return the pre-activations of one step by gate."""
    z = np.concatenate([x, h], axis=-1)
    return {g: z @ params[f"W_{own}"].T + params[f"b_{own}"] for g, own in zip("fico", order, strict=True)}


def usual(a, h, c):
    """Return h and c after a step from its pre-activations and the states before."""
    c = sigmoid(a["f"]) * c + sigmoid(a["i"]) * np.tanh(a["c"])
    return sigmoid(a["o"]) * np.tanh(c), c


def looped(step):
    """Make a forward pass of step(params, x_t, h, c, t)."""

    def forward(params, x, h0, c0):
        h, c, y = h0, c0, []
        for t, x_t in enumerate(x):
            h, c = step(params, x_t, h, c, t)
            y.append(h)
        return np.stack(y), h, c

    return forward


def of_gates(change):
    """Make a forward pass from what turns (a, h, c) into (h, c)."""
    return looped(lambda params, x, h, c, t: change(gates(params, x, h), h, c))


plain = of_gates(usual)


def with_gate(function, *, candidate=np.tanh, squash=np.tanh):
    def change(a, h, c):
        c = function(a["f"]) * c + function(a["i"]) * candidate(a["c"])
        return function(a["o"]) * squash(c), c

    return of_gates(change)


def table(function, count, reach, *, lines=False, ends=None):
    """Return a function read from a table, the nearest entry or with lines between; ends: what it is beyond."""
    grid = np.linspace(-reach, reach, count)
    values = function(grid)

    def read(a):
        nearest = np.clip(np.rint((a + reach) / (2 * reach) * (count - 1)), 0, count - 1).astype(int)
        y = np.interp(a, grid, values) if lines else values[nearest]
        return y if ends is None else np.where(a <= -reach, ends[0], np.where(a >= reach, ends[1], y))

    return read


def four_segments(a):
    """PLAN, of Amin, Curtis and Hayes-Gill 1997."""
    b = np.abs(a)
    above = np.select([b >= 5, b >= 2.375, b >= 1], [1, 0.03125 * b + 0.84375, 0.125 * b + 0.625], 0.25 * b + 0.5)
    return np.where(a < 0, 1 - above, above)


def quick_exponential(a):
    """Schraudolph 1999: the exponent of a number is written into its bits."""
    return ((2**20 / np.log(2) * a + 1072693248 - 60801).astype(np.int64) << 32).view(np.float64)


def softmax(a, axis):
    e = np.exp(a - a.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def softmax_over_gates(a, h, c):
    f, i, o = softmax(np.stack([a["f"], a["i"], a["o"]]), 0)
    c = f * c + i * np.tanh(a["c"])
    return o * np.tanh(c), c


def tanh_of_c_kept(a, h, c):
    c = np.tanh(sigmoid(a["f"]) * c + sigmoid(a["i"]) * np.tanh(a["c"]))
    return sigmoid(a["o"]) * c, c


def tanh_of_c_twice(a, h, c):
    c = np.tanh(sigmoid(a["f"]) * c + sigmoid(a["i"]) * np.tanh(a["c"]))
    return sigmoid(a["o"]) * np.tanh(c), c


def unit_by_unit(params, x, h, c, t):
    """The h of a unit is written where the units after it read it."""
    h, c = h.copy(), c.copy()
    for k in range(h.shape[-1]):
        after, memory = usual(gates(params, x, h), h, c)
        h[:, k], c[:, k] = after[:, k], memory[:, k]
    return h, c


def output_gate_from_new_h(params, x, h, c, t):
    new, c = usual(gates(params, x, h), h, c)
    return sigmoid(gates(params, x, new)["o"]) * np.tanh(c), c


def tile_edge(params, x, h, c, t):
    """Tiles of 8 units; what is left over is computed by the code for the last whole tile."""
    a = gates(params, x, h)
    m = h.shape[-1]
    whole = m // 8 * 8
    if whole and whole < m:
        for g in a:
            a[g][:, whole:] = params[f"b_{g}"][whole:]
    return usual(a, h, c)


def rows_beyond(limit):
    def step(params, x, h, c, t):
        h = np.where(np.arange(len(h))[:, None] < limit, h, h[:1])
        return usual(gates(params, x, h), h, c)

    return looped(step)


def single_row(params, x, h0, c0):
    """A batch of one is squeezed, and broadcasts over the steps."""
    y, h, c = plain(params, x, h0, c0)
    return (0 * y + y[-1:], h, c) if x.shape[1] == 1 else (y, h, c)


def square_transposed(params, x, h0, c0):
    """Whether the kernel of x is transposed is told by its shape, which does not tell where n = m."""
    n, m = x.shape[-1], h0.shape[-1]
    own = dict(params)
    for g in "fico":
        W = params[f"W_{g}"][:, :n]
        own[f"W_{g}"] = np.concatenate([W.T if W.shape[0] == n else W, params[f"W_{g}"][:, n:]], axis=1)
        assert own[f"W_{g}"].shape == (m, n + m)
    return plain(own, x, h0, c0)


def reads_memory_as_it_lies(params, x, h0, c0):
    return plain(params, x.ravel(order="K").reshape(x.shape), h0, c0)


def ignores_negative_strides(params, x, h0, c0):
    return plain(params, x[::-1] if x.strides[0] < 0 else x, h0, c0)


def clips_x_in_place(params, x, h0, c0):
    np.clip(x, -1, 1, out=x)
    return plain(params, x, h0, c0)


def skips_zeros(params, x, h, c, t):
    """A step whose x is zero is taken for padding, as a mask value of 0 has it."""
    after, memory = usual(gates(params, x, h), h, c)
    empty = ~x.any(axis=-1, keepdims=True)
    return np.where(empty, h, after), np.where(empty, c, memory)


def ring_of(size):
    """y is kept in a ring buffer."""

    def forward(params, x, h0, c0):
        y, h, c = plain(params, x, h0, c0)
        kept = np.zeros((min(size, len(y)), *y.shape[1:]), y.dtype)
        for t, value in enumerate(y):
            kept[t % size] = value
        return np.stack([kept[t % size] for t in range(len(y))]), h, c

    return forward


def dropped_after(steps):
    return looped(
        lambda params, x, h, c, t: usual(
            gates(params, x, h * (t % steps != 0 or t == 0)), h, c * (t % steps != 0 or t == 0)
        )
    )


def zoneout(kept):
    def change(a, h, c):
        after, memory = usual(a, h, c)
        return kept * h + (1 - kept) * after, kept * c + (1 - kept) * memory

    return of_gates(change)


def leaky(a, h, c):
    return usual(a, h, 0.99 * c)


def peephole_added(a, h, c):
    return usual({**a, "f": a["f"] + c}, h, c)


def fixed_point(bits):
    scale = 2.0**bits

    def change(a, h, c):
        return tuple(np.round(v * scale) / scale for v in usual(a, h, c))

    return of_gates(change)


def sums_in_float32(params, x, h, c, t):
    single = {k: p.astype("float32") for k, p in params.items()}
    a = gates(single, x.astype("float32"), h.astype("float32"))
    return usual({g: v.astype("float64") for g, v in a.items()}, h, c)


def sums_in_float16(params, x, h, c, t):
    z = np.concatenate([x, h], axis=-1)
    a = {}
    for g in "fico":
        total = params[f"b_{g}"].astype("float16") + np.zeros((len(z), 1), "float16")
        for k in range(z.shape[-1]):
            total = (total + (z[:, k : k + 1] * params[f"W_{g}"][:, k]).astype("float16")).astype("float16")
        a[g] = total.astype("float64")
    return usual(a, h, c)


def single_constant(a, h, c):
    return usual({**a, "f": a["f"] + (np.float64(np.float32(0.1)) - 0.1)}, h, c)


def two_steps_ago(params, x, h0, c0):
    h, c, old, y = h0, c0, h0, []
    for x_t in x:
        a = gates(params, x_t, old)
        old = h
        h, c = usual(a, h, c)
        y.append(h)
    return np.stack(y), h, c


def forget_bias_twice(a, h, c):
    return usual({**a, "f": a["f"] + 1.0}, h, c)


def offset(number, gate="f"):
    return of_gates(lambda a, h, c: usual({**a, gate: a[gate] + number}, h, c))


def coupled(a, h, c):
    i = sigmoid(a["i"])
    c = (1 - i) * c + i * np.tanh(a["c"])
    return sigmoid(a["o"]) * np.tanh(c), c


def clipped_memory(a, h, c):
    h, c = usual(a, h, np.clip(c, -0.7, 0.7))
    return h, c


def scaled_tanh(a, h, c):
    squash = lambda v: 1.7159 * np.tanh(2 / 3 * v)  # noqa: E731
    c = sigmoid(a["f"]) * c + sigmoid(a["i"]) * squash(a["c"])
    return sigmoid(a["o"]) * np.tanh(c), c


def sigmoid_twice(a, h, c):
    f, i, o = (sigmoid(sigmoid(a[g])) for g in "fio")
    c = f * c + i * np.tanh(a["c"])
    return o * np.tanh(c), c


def temperature(a, h, c):
    return usual({g: v / 2 if g != "c" else v for g, v in a.items()}, h, c)


def residual(params, x, h0, c0):
    y, h, c = plain(params, x, h0, c0)
    return (y + x if x.shape == y.shape else y), h, c


def y_normalised(params, x, h0, c0):
    y, h, c = plain(params, x, h0, c0)
    return y / np.maximum(np.linalg.norm(y, axis=-1, keepdims=True), 1e-12), h, c


class KeepsWorkspace:
    """The buffer of h is made once for a size, and not cleared."""

    def __init__(self):
        self.buffers = {}

    def forward(self, params, x, h0, c0):
        buffer = self.buffers.setdefault(h0.shape, h0.copy())
        y, h, c = plain(params, x, buffer, c0)
        buffer[...] = h
        return y, h, c


class Uninitialised:
    """The first step reads memory that was never written."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, params, x, h0, c0):
        garbage = self.rng.standard_normal(c0.shape) * 1e-3
        return plain(params, x, h0, c0 + garbage)


class CachesFirstWeights:
    """Packs the weights at the first call of a size, and does not look again."""

    def __init__(self):
        self.packed = {}

    def forward(self, params, x, h0, c0):
        key = (x.shape[-1], h0.shape[-1])
        return plain(self.packed.setdefault(key, {k: p.copy() for k, p in params.items()}), x, h0, c0)


class SharedScratch:
    """Two threads share one buffer."""

    def __init__(self):
        self.pause = threading.Event()
        self.scratch = {}

    def forward(self, params, x, h0, c0):
        h, c, y = h0, c0, []
        for x_t in x:
            self.scratch["a"] = gates(params, x_t, h)
            self.pause.wait(1e-6)
            h, c = usual(self.scratch["a"], h, c) if self.scratch["a"]["f"].shape == c.shape else (h, c)
            y.append(h)
        return np.stack(y), h, c
