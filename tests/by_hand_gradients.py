"""Backward passes of an LSTM as people write them, each wrong in one way."""

from types import SimpleNamespace

import numpy as np

from lstm_spec.targets.contract import Target
from tests.by_hand import gates, plain
from tests.faulty import sigmoid

GATES = "fico"


def saved(params, x, h0, c0):
    """Return what the backward pass needs of every step."""
    h, c, steps = h0, c0, []
    for x_t in x:
        a = gates(params, x_t, h)
        s = SimpleNamespace(x=x_t, z=np.concatenate([x_t, h], axis=-1), before=c)
        s.f, s.i, s.o, s.g = sigmoid(a["f"]), sigmoid(a["i"]), sigmoid(a["o"]), np.tanh(a["c"])
        c = s.f * c + s.i * s.g
        s.c, s.h = c, s.o * np.tanh(c)
        h = s.h
        steps.append(s)
    return steps


def through(s, dh, dc):
    """Return the adjoints of c and of the pre-activations of one step."""
    dc = dc + dh * s.o * (1 - np.tanh(s.c) ** 2)
    return dc, {
        "f": dc * s.before * s.f * (1 - s.f),
        "i": dc * s.g * s.i * (1 - s.i),
        "c": dc * s.i * (1 - s.g**2),
        "o": dh * np.tanh(s.c) * s.o * (1 - s.o),
    }


def backward(
    *,
    local=through,
    stored=lambda steps: None,
    carry=lambda steps, t, dc: dc * steps[t].f,
    sums=None,
    end=None,
    loop=reversed,
    divided=lambda dz, n: (dz[:, :n], dz[:, n:]),
):
    """Make a backward pass.

    local: as ``through``; stored: changes what was saved; carry: what dc is at the step before; sums: takes (da, z, t)
    to the rows that count; end: changes (dparams, dx, dh0, dc0), given params too; loop: the order of the steps;
    divided: takes the adjoint of z, and n, to those of x and of h.
    """

    def run(params, x, h0, c0, dy, dh, dc):
        steps, n = saved(params, x, h0, c0), x.shape[-1]
        stored(steps)
        dparams, dx = {k: np.zeros_like(p) for k, p in params.items()}, np.empty_like(x)
        for t in loop(range(len(x))):
            s = steps[t]
            dc, da = local(s, dh + dy[t], dc)
            dz = sum(da[g] @ params[f"W_{g}"] for g in GATES)
            for g in GATES:
                rows, z = (da[g], s.z) if sums is None else sums(da[g], s.z, t)
                dparams[f"W_{g}"] += rows.T @ z
                dparams[f"b_{g}"] += rows.sum(0)
            (dx[t], dh), dc = divided(dz, n), carry(steps, t, dc)
        found = dparams, dx, dh, dc
        return found if end is None else end(params, x, *found)

    return run


def target(name, run):
    return Target(name=name, forward=plain, backward=run)


def initial_memory_zero(steps):
    steps[0].before = 0 * steps[0].before


def initial_h_zero(steps):
    n = steps[0].x.shape[-1]
    steps[0].z = np.concatenate([steps[0].x, 0 * steps[0].z[:, n:]], axis=-1)


def initial_states_zero(steps):
    initial_memory_zero(steps)
    initial_h_zero(steps)


def next_z(steps):
    seen = [s.z for s in steps]
    for t, s in enumerate(steps):
        s.z = seen[min(t + 1, len(steps) - 1)]


def carry_next(steps, t, dc):
    return dc * (steps[t + 1].f if t + 1 < len(steps) else 0)


def carry_next_own(steps, t, dc):
    return dc * steps[min(t + 1, len(steps) - 1)].f


def carry_before(steps, t, dc):
    return dc * steps[t - 1].f


def carry_before_own(steps, t, dc):
    return dc * steps[max(t - 1, 0)].f


def arriving_by_own(s, dh, dc):
    return through(s, dh, dc * s.f)


def square_of_c(s, dh, dc):
    return _slope(s, dh, dc, 1 - s.c**2)


def square_of_h(s, dh, dc):
    return _slope(s, dh, dc, 1 - s.h**2)


def tanh_of_before(s, dh, dc):
    return _slope(s, dh, dc, 1 - np.tanh(s.before) ** 2)


def _slope(s, dh, dc, slope):
    dc, da = through(s, 0 * dh, dc + dh * s.o * slope)
    return dc, {**da, "o": dh * np.tanh(s.c) * s.o * (1 - s.o)}


def slope_of_another_gate(s, dh, dc):
    dc, da = through(s, dh, dc)
    return dc, {**da, "f": dc * s.before * s.i * (1 - s.i)}


def slope_of_c_in_candidate(s, dh, dc):
    dc, da = through(s, dh, dc)
    return dc, {**da, "c": dc * s.i * (1 - np.tanh(s.g) ** 2)}


def tanh_squared_forgotten(s, dh, dc):
    return _slope(s, dh, dc, 1 - np.tanh(s.c))


def last_row(da, z, t):
    return da[-1:], z[-1:]


def first_step(da, z, t):
    return (da, z) if t == 0 else (0 * da, z)


def clipped(limit):
    return lambda params, x, dp, dx, dh, dc: ({k: np.clip(d, -limit, limit) for k, d in dp.items()}, dx, dh, dc)


def all_clipped(limit):
    return lambda params, x, dp, dx, dh, dc: (
        {k: np.clip(d, -limit, limit) for k, d in dp.items()},
        *(np.clip(d, -limit, limit) for d in (dx, dh, dc)),
    )


def global_norm(limit, eps=0.0):
    def end(params, x, dp, dx, dh, dc):
        norm = np.sqrt(sum((d**2).sum() for d in dp.values()))
        return {k: d * min(1, limit / (norm + eps)) for k, d in dp.items()}, dx, dh, dc

    return end


def norm_of_each(limit):
    def end(params, x, dp, dx, dh, dc):
        return {k: d * min(1, limit / max(np.linalg.norm(d), 1e-300)) for k, d in dp.items()}, dx, dh, dc

    return end


def norm_of_all(limit):
    def end(params, x, dp, dx, dh, dc):
        norm = np.sqrt(sum((d**2).sum() for d in (*dp.values(), dx, dh, dc)))
        s = min(1, limit / max(norm, 1e-300))
        return {k: d * s for k, d in dp.items()}, dx * s, dh * s, dc * s

    return end


def weight_decay(rate, *, kernels=False):
    return lambda params, x, dp, dx, dh, dc: (
        {k: d + rate * params[k] if k[0] == "W" or not kernels else d for k, d in dp.items()},
        dx,
        dh,
        dc,
    )


def averaged(axes=(1,), *, vectors=False, everything=False):
    """Divide by the lengths of some axes of x, (T, B, n)."""

    def end(params, x, dp, dx, dh, dc):
        by = np.prod([x.shape[axis] for axis in axes])
        dp = {k: d / by if d.ndim == 1 or not vectors else d for k, d in dp.items()}
        return (dp, dx / by, dh / by, dc / by) if everything else (dp, dx, dh, dc)

    return end


def scaled(factor, *names):
    def end(params, x, dp, dx, dh, dc):
        return {k: d * factor if k in names or not names else d for k, d in dp.items()}, dx, dh, dc

    return end


def plus_l1(params, x, dp, dx, dh, dc):
    return {k: d + 1e-3 * np.sign(params[k]) for k, d in dp.items()}, dx, dh, dc


def forget_elsewhere(steps, t, dc):
    return dc


def last_step_keeps_c(steps, t, dc):
    return 0 * dc if t == len(steps) - 1 else dc * steps[t].f


def flow_clipped(steps, t, dc):
    return np.clip(dc * steps[t].f, -2.5, 2.5)


def slope_of_tanh(*, whole):
    """Take 1 − o² for 1 − o, or for the whole of o(1 − o)."""

    def local(s, dh, dc):
        dc, da = through(s, dh, dc)
        return dc, {**da, "o": dh * np.tanh(s.c) * (1 if whole else s.o) * (1 - s.o**2)}

    return local


def stacked(order):
    """Stack the adjoints of the gates in another order than that in which they are read."""

    def local(s, dh, dc):
        dc, da = through(s, dh, dc)
        return dc, {g: da[other] for g, other in zip(GATES, order, strict=True)}

    return local


def summed_over_units(*names):
    return lambda params, x, dp, dx, dh, dc: (
        {k: np.full_like(d, d.sum()) if k in names else d for k, d in dp.items()},
        dx,
        dh,
        dc,
    )


def first_cotangent_returned(run):
    def returned(params, x, h0, c0, dy, dh, dc):
        dparams, dx, _, dc0 = run(params, x, h0, c0, dy, dh, dc)
        return dparams, dx, dy[0], dc0

    return returned


def assigned(name):
    """Assign one gradient in the loop, where the others are added."""

    def run(params, x, *rest):
        dparams, *others = backward()(params, x, *rest)
        return {**dparams, name: backward(sums=first_step)(params, x, *rest)[0][name]}, *others

    return run
