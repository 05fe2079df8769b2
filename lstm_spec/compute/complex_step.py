"""Derivatives from the forward pass alone: Im f(v + iεd)/ε has no cancellation, so it is exact to rounding.

Neither the backward pass of the specification nor that of an implementation has a part in it, which makes it a third
opinion where those two disagree. At a kink (relu, a clip, max) it gives one of the one-sided derivatives.

Source: Squire & Trapp 1998, "Using complex variables to estimate derivatives of real functions".
"""

from collections.abc import Mapping

import numpy as np

from lstm_spec.compute.compile import Array, Params, run
from lstm_spec.compute.gradients import leaves_of
from lstm_spec.spec.program import Program

STEP = 1e-30
"""ε: its square is below the rounding of anything that is not itself tiny."""


def directional(
    cell: Program,
    params: Params,
    x: Array,
    states: tuple[Array, ...],
    dy: Array,
    dstates: tuple[Array, ...],
    direction: Mapping[str, Array],
) -> float:
    """Return the derivative of Σ dy∘y + Σ dstates∘states along a direction, from one forward pass.

    params: arrays by name; x: (T, B, n); states: initial states, each (B, m); dy: (T, B, m), the cotangent of y;
    dstates: those of the final states; direction: by the names of ``leaves_of``; what it leaves out does not move.

    >>> from lstm_spec.spec.cells import lstm
    >>> params = {name: np.ones(shape) for name, shape in lstm().dimensions(n=2, m=1).items()}
    >>> x, zero = np.ones((3, 1, 2)), np.zeros((1, 1))
    >>> move = {"x": np.eye(3, 2)[:, None]}
    >>> round(directional(lstm(), params, x, (zero, zero), 0 * x[..., :1], (1 + zero, zero), move), 4)
    0.002
    """
    moved = {name: value.astype(complex) for name, value in leaves_of(cell, params, x, states).items()}
    for name, d in direction.items():
        moved[name] += 1j * STEP * d
    initial = (moved[f"{name}0"] for name in cell.states)
    with np.errstate(all="ignore"):
        y, *final = run(cell, {name: moved[name] for name in params}, moved["x"], *initial)
        loss = np.sum(dy * y) + sum(np.sum(d * s) for d, s in zip(dstates, final, strict=True))
    return float(loss.imag / STEP)


def partial(
    cell: Program,
    params: Params,
    x: Array,
    states: tuple[Array, ...],
    dy: Array,
    dstates: tuple[Array, ...],
    of: str,
    at: tuple[int, ...],
) -> float:
    """Return the derivative by one number, the entry ``at`` of the leaf ``of``; other arguments as ``directional``."""
    along = np.zeros_like(leaves_of(cell, params, x, states)[of], dtype=np.float64)
    along[at] = 1
    return directional(cell, params, x, states, dy, dstates, {of: along})


def complex_step(
    cell: Program, params: Params, x: Array, states: tuple[Array, ...], dy: Array, dstates: tuple[Array, ...]
) -> dict[str, Array]:
    """Return every element of every gradient, one forward pass each; arguments and names as ``gradients``."""
    return {
        name: np.array(
            [partial(cell, params, x, states, dy, dstates, name, at) for at in np.ndindex(leaf.shape)]
        ).reshape(leaf.shape)
        for name, leaf in leaves_of(cell, params, x, states).items()
    }
