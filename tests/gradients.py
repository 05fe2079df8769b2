"""Gradients of a sequence by the derived backward pass, compiled to NumPy, and by the complex step."""

import numpy as np

from lstm_spec import bptt, compile_program, run


def random_cotangents(y, states, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(y.shape), tuple(rng.standard_normal(s.shape) for s in states)


def loss(cell, params, x, states, dy, dstates):
    y, *last = run(cell, params, x, *states)
    return (y * dy).sum() + sum((s * d).sum() for s, d in zip(last, dstates, strict=True))


def derived_gradient(cell, params, x, states, dy, dstates, *, window=None):
    """Return {name: gradient} for the parameters, x, and the initial states by their name in the cell."""
    through_time = bptt(cell, window=window)
    forward, backward = compile_program(cell, cell.states), compile_program(through_time.step)
    outputs = through_time.step.outputs
    before = [states]
    for x_t in x:
        after = forward(params, x_t, *before[-1])
        before.append(after if isinstance(after, tuple) else (after,))
    total = {p.name: 0.0 for p in cell.parameters}
    dx, arriving, T = np.empty_like(x), dstates, len(x)
    for t in reversed(range(T)):
        if through_time.arriving(t + 1, T) == "zero":
            arriving = tuple(np.zeros_like(a) for a in arriving)
        found = dict(zip(outputs, backward(params, x[t], dy[t], *before[t], *arriving), strict=True))
        dx[t] = found["dx"]
        arriving = tuple(found[f"d{symbol.name}"] for symbol, _ in cell.recurrence)
        for name in total:
            total[name] = total[name] + found[f"d{name}"]
    return {**total, "x": dx, **{symbol.name: d for (symbol, _), d in zip(cell.recurrence, arriving, strict=True)}}


def complex_step_gradient(cell, params, x, states, dy, dstates):
    """Return the same gradients, one evaluation an entry; the cell's functions have to be analytic."""
    names = [symbol.name for symbol, _ in cell.recurrence]
    leaves = {**params, "x": x, **dict(zip(names, states, strict=True))}
    found = {}
    for name, leaf in leaves.items():
        found[name] = np.empty_like(leaf)
        for position in np.ndindex(leaf.shape):
            moved = {key: value.astype(complex) for key, value in leaves.items()}
            moved[name][position] += 1e-30j
            given = {key: moved[key] for key in params}
            value = loss(cell, given, moved["x"], tuple(moved[key] for key in names), dy, dstates)
            found[name][position] = value.imag / 1e-30
    return found
