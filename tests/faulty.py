"""LSTMs as people write them, in twenty lines, each with one classic fault planted."""

import numpy as np


def sigmoid(a):
    return 0.5 * (1 + np.tanh(0.5 * a))


def plain(
    params,
    x,
    h0,
    c0,
    *,
    gates="fico",
    candidate=np.tanh,
    gate=sigmoid,
    squash=np.tanh,
    forget_bias=True,
    late_c=False,
    mix=False,
    factor=1.0,
):
    h, c, ys = h0, c0, []
    W = {g: params[f"W_{g}"].copy() for g in "fico"}
    W["f"][0, 0] *= factor
    for x_t in x:
        z = np.concatenate([x_t, h[::-1] if mix else h], axis=-1)
        a = {}
        for g, source in zip("fico", gates, strict=True):
            a[g] = z @ W[source].T + params[f"b_{source}"] * (forget_bias or g != "f")
        c_prev = c
        c = gate(a["f"]) * c + gate(a["i"]) * candidate(a["c"])
        h = gate(a["o"]) * squash(c_prev if late_c else c)
        ys.append(h)
    return np.stack(ys), h, c


def gates_permuted(params, x, h0, c0):
    return plain(params, x, h0, c0, gates="ifco")


def forget_bias_missing(params, x, h0, c0):
    return plain(params, x, h0, c0, forget_bias=False)


def no_output_tanh(params, x, h0, c0):
    return plain(params, x, h0, c0, squash=lambda c: c)


def previous_cell_in_output(params, x, h0, c0):
    return plain(params, x, h0, c0, late_c=True)


def sigmoid_candidate(params, x, h0, c0):
    return plain(params, x, h0, c0, candidate=sigmoid)


def hard_sigmoid_gates(params, x, h0, c0):
    return plain(params, x, h0, c0, gate=lambda a: np.clip(a / 6 + 0.5, 0, 1))


def initial_state_ignored(params, x, h0, c0):
    return plain(params, x, np.zeros_like(h0), np.zeros_like(c0))


def states_swapped(params, x, h0, c0):
    y, h, c = plain(params, x, h0, c0)
    return y, c, h


def rows_mixed(params, x, h0, c0):
    return plain(params, x, h0, c0, mix=True)


def last_step_dropped(params, x, h0, c0):
    y, h, c = plain(params, x, h0, c0)
    y[-1] = 0
    return y, h, c


def weight_slightly_off(params, x, h0, c0):
    return plain(params, x, h0, c0, factor=1 + 1e-4)


def input_changed(params, x, h0, c0):
    outputs = plain(params, x, h0, c0)
    x *= 2
    return outputs


def nan_for_large(params, x, h0, c0):
    return plain(params, x, h0, c0, gate=lambda a: np.exp(a) / (1 + np.exp(a)))


def correct(params, x, h0, c0):
    return plain(params, x, h0, c0)


FAULTS = (
    gates_permuted,
    forget_bias_missing,
    no_output_tanh,
    previous_cell_in_output,
    sigmoid_candidate,
    hard_sigmoid_gates,
    initial_state_ignored,
    states_swapped,
    rows_mixed,
    last_step_dropped,
    weight_slightly_off,
    input_changed,
    nan_for_large,
)
