"""Backpropagation through time as people write it, once right and once for each classic mistake."""

from functools import partial

import numpy as np

from lstm_spec.targets.contract import Target
from tests.faulty import plain, sigmoid

GATES = "fico"


def derivative(gate):
    return gate * (1 - gate)


def trace(params, x, h0, c0):
    """Return what backward needs of every step: (z, gates, c before, c after, h after)."""
    h, c, steps = h0, c0, []
    for x_t in x:
        z = np.concatenate([x_t, h], axis=-1)
        gate = {g: (np.tanh if g == "c" else sigmoid)(z @ params[f"W_{g}"].T + params[f"b_{g}"]) for g in GATES}
        before, c = c, gate["f"] * c + gate["i"] * gate["c"]
        h = gate["o"] * np.tanh(c)
        steps.append((z, gate, before, c, h))
    return steps


def bptt(
    params,
    x,
    h0,
    c0,
    dy,
    dh,
    dc,
    *,
    slope=derivative,
    through_h=True,
    through_c=True,
    c_after=False,
    h_after=False,
    window=None,
    counted=slice(None),
    reduce=np.sum,
    bias_of=None,
    totals=None,
    shown=1.0,
):
    steps, n, T = trace(params, x, h0, c0), x.shape[-1], len(x)
    dparams = {name: np.zeros_like(p) for name, p in params.items()} if totals is None else totals(params)
    dx, kept = np.empty_like(x), range(T)[counted]
    for t in reversed(range(T)):
        z, gate, before, c, h = steps[t]
        if window and t < T - window:
            dh, dc = 0 * dh, 0 * dc
        dh = dh + dy[t]
        dc = dc + dh * gate["o"] * (1 - np.tanh(c) ** 2)
        da = {
            "f": dc * (c if c_after else before) * slope(gate["f"]),
            "i": dc * gate["c"] * slope(gate["i"]),
            "c": dc * gate["i"] * (1 - gate["c"] ** 2),
            "o": dh * np.tanh(c) * slope(gate["o"]),
        }
        dz = sum(da[g] @ params[f"W_{g}"] for g in GATES)
        seen = np.concatenate([x[t], h], axis=-1) if h_after else z
        for g in GATES if t in kept else ():
            source = da[(bias_of or {}).get(g, g)]
            dparams[f"W_{g}"] += reduce(da[g][:, :, None] * seen[:, None, :], axis=0)
            dparams[f"b_{g}"] += reduce(source, axis=0)
        dx[t], dh, dc = dz[:, :n] * np.array(shown, x.dtype), dz[:, n:] * through_h, dc * gate["f"] * through_c
    return {name: d.copy() for name, d in dparams.items()}, dx, dh, dc


def without_final(name):
    def backward(params, x, h0, c0, dy, dh, dc):
        return bptt(params, x, h0, c0, dy, dh * (name != "h"), dc * (name != "c"))

    return backward


def initial_swapped(*arguments):
    dparams, dx, dh0, dc0 = bptt(*arguments)
    return dparams, dx, dc0, dh0


def kept_buffers():
    """Accumulate into buffers that the next call of the same shapes finds as they are."""
    kept = {}

    def totals(params):
        key = tuple(p.shape for p in params.values())
        return kept.setdefault(key, {name: np.zeros_like(p) for name, p in params.items()})

    return lambda *arguments: bptt(*arguments, totals=totals)


def target(name, backward):
    return Target(name=name, forward=plain, backward=backward)


FAULTS = {
    "the recurrent term is missing": partial(bptt, through_h=False),
    "the path through c is missing": partial(bptt, through_c=False),
    "c_t in place of c_{t-1}": partial(bptt, c_after=True),
    "h_t in place of h_{t-1} in dW": partial(bptt, h_after=True),
    "db_i copied from the forget gate": partial(bptt, bias_of={"i": "f"}),
    "truncated after two steps": partial(bptt, window=2),
    "only the last step counts": partial(bptt, counted=slice(-1, None)),
    "step 0 does not count": partial(bptt, counted=slice(1, None)),
    "mean over the batch": partial(bptt, reduce=np.mean),
    "σ' taken at σ": partial(bptt, slope=lambda gate: derivative(sigmoid(gate))),
    "σ in place of σ'": partial(bptt, slope=lambda gate: gate),
    "dh_T is ignored": without_final("h"),
    "dc_T is ignored": without_final("c"),
    "dh0 and dc0 are swapped": initial_swapped,
}
"""Backward passes by what is wrong with them; those that keep something between calls are made anew by a function."""
