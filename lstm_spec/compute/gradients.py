"""Gradients over a sequence by the compiled backward pass of one step: the reference for what ``backward`` returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sympy import MatrixSymbol

from lstm_spec.calculus.adjoint import adjoint_symbol
from lstm_spec.calculus.bptt import bptt
from lstm_spec.compute.compile import Array, Params, compile_program
from lstm_spec.spec.program import Program


def leaves_of(cell: Program, params: Params, x: Array, states: tuple[Array, ...]) -> dict[str, Array]:
    """Return what gradients are taken of, by name: every parameter, "x", and the initial states "h0", "c0", …"""
    return {**params, "x": x, **{f"{name}0": s for name, s in zip(cell.states, states, strict=True)}}


@dataclass(frozen=True)
class Read:
    """A value that a backward pass reads otherwise than its equations have it, of another step perhaps.

    symbol: under which name its equations have it, as a further input; value: the name of the value; pick: (the value
    at every step, each (B, m), t) → what is read at step t.
    """

    symbol: MatrixSymbol
    value: str
    pick: Callable[[Sequence[Array], int], Array]


def gradients(
    cell: Program,
    params: Params,
    x: Array,
    states: tuple[Array, ...],
    dy: Array,
    dstates: tuple[Array, ...],
    *,
    window: int | None = None,
    formulas: Program | None = None,
    reads: Sequence[Read] = (),
) -> Mapping[str, Array]:
    """Return the gradients of Σ dy∘y + Σ dstates∘states by the names of what they belong to, as ``leaves_of`` has them.

    params: arrays by name; x: (T, B, n); states: initial states, each (B, m); dy: (T, B, m), the cotangent of y;
    dstates: those of the final states; window: of truncated backpropagation, as in ``bptt``; formulas: another backward
    pass of one step than the one that is derived, such as a mutant of it; reads: the inputs that it has besides.

    >>> from lstm_spec.spec.cells import lstm
    >>> params = {name: np.ones(shape) for name, shape in lstm().dimensions(n=2, m=1).items()}
    >>> x, zero = np.ones((3, 1, 2)), np.zeros((1, 1))
    >>> gradients(lstm(), params, x, (zero, zero), 0 * x[..., :1], (1 + zero, zero))["x"][:, 0].round(4).tolist()
    [[0.0008, 0.0008], [0.0011, 0.0011], [0.0194, 0.0194]]
    """
    through_time = bptt(cell, window=window)
    forward = compile_program(cell, cell.states)
    leaves = (cell.inputs[0], *(before for before, _ in cell.recurrence), *cell.parameters)
    pull = compile_program(formulas or through_time.step, tuple(adjoint_symbol(cell, leaf).name for leaf in leaves))
    before = [states]
    for x_t in x[:-1]:
        after = forward(params, x_t, *before[-1])
        before.append(after if isinstance(after, tuple) else (after,))
    saved = _saved(cell, params, x, before, [r.value for r in reads]) if reads else {}
    total = {p.name: np.zeros_like(params[p.name]) for p in cell.parameters}
    dx, arriving, T = np.empty_like(x), dstates, len(x)
    for t in reversed(range(T)):
        if through_time.arriving(t + 1, T) == "zero":
            arriving = tuple(np.zeros_like(d) for d in arriving)
        read = (r.pick(saved[r.value], t) for r in reads)
        found = pull(params, x[t], dy[t], *read, *before[t], *arriving)
        dx[t], arriving = found[0], found[1 : 1 + len(states)]
        for p, d in zip(cell.parameters, found[1 + len(states) :], strict=True):
            total[p.name] += np.reshape(d, total[p.name].shape)
    return leaves_of(cell, total, dx, tuple(arriving))


def _saved(
    cell: Program, params: Params, x: Array, before: Sequence[tuple[Array, ...]], names: Sequence[str]
) -> dict[str, list[Array]]:
    """Return values at every step by name."""
    saved = {p.name: [states[k] for states in before] for k, (p, _) in enumerate(cell.recurrence)}
    for name in {*names} - saved.keys():
        value = compile_program(cell, (name,))
        saved[name] = [value(params, x_t, *states) for x_t, states in zip(x, before, strict=True)]
    return saved
