"""Backpropagation through time by the compiled backward pass of one step, and its check by the complex step."""

from collections import defaultdict

import numpy as np

from lstm_spec.calculus.adjoint import backward
from lstm_spec.compute.compile import compile_program, run


def gradients(cell, params, x, states, dy, dstates):
    """Return the adjoints of every parameter, of x and of the initial states: "dW_f", …, "dx", "dh0", …"""
    back = backward(cell)
    previous = [before.name for before, _ in cell.recurrence]
    step = compile_program(cell, cell.states)
    history, current = [], states
    for x_t in x:
        history.append(current)
        after = step(params, x_t, *current)
        current = after if isinstance(after, tuple) else (after,)
    pull = compile_program(back)
    given = [s.name for s in back.leaves if s not in back.parameters]
    arriving = dict(zip((before.name for before, _ in back.carried), dstates, strict=True))
    total, dx = defaultdict(float), []
    for t in reversed(range(len(x))):
        values = {"x": x[t], "dy": dy[t], **dict(zip(previous, history[t], strict=True)), **arriving}
        found = dict(zip(back.outputs, pull(params, *(values[name] for name in given)), strict=True))
        dx.append(found["dx"])
        arriving = {before.name: found[after.name] for before, after in back.carried}
        for p in cell.parameters:
            total[f"d{p.name}"] = total[f"d{p.name}"] + found[f"d{p.name}"].reshape(params[p.name].shape)
    leaving = (arriving[before.name] for before, _ in back.carried)
    return {**total, "dx": np.stack(dx[::-1]), **{f"d{s}0": g for s, g in zip(cell.states, leaving, strict=True)}}


def complex_step(cell, params, x, states, dy, dstates):
    """Return the same adjoints from the forward pass alone, exact to rounding: Im loss(v + i·10⁻³⁰)/10⁻³⁰."""
    leaves = {**params, "x": x, **{f"{name}0": s for name, s in zip(cell.states, states, strict=True)}}

    def loss(values):
        y, *final = run(
            cell, {name: values[name] for name in params}, values["x"], *(values[f"{name}0"] for name in cell.states)
        )
        return np.sum(dy * y) + sum(np.sum(d * s) for d, s in zip(dstates, final, strict=True))

    found = {}
    for name, value in leaves.items():
        found[f"d{name}"] = np.empty(value.shape)
        for at in np.ndindex(value.shape):
            moved = {k: v.astype(complex) for k, v in leaves.items()}
            moved[name][at] += 1e-30j
            found[f"d{name}"][at] = loss(moved).imag / 1e-30
    return found
