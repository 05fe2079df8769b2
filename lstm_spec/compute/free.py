"""Allowed errors of a recurrence that runs freely, every error carried on from step to step.

Such bounds grow with the steps, so that they are for short sequences; but they hold around one value that no
implementation has a part in. So two correct implementations of one function, or one of them asked in two ways, are
apart by no more than the sum of both bounds.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from lstm_spec.calculus.adjoint import adjoint_symbol
from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.forced import backward_stages, outward
from lstm_spec.compute.recipe import Environment, scalars_of
from lstm_spec.compute.rounding import Bounded
from lstm_spec.compute.stages import Stages, by_step, run_stages, split
from lstm_spec.spec.program import Program

Bounds = Mapping[str, Bounded]


@lru_cache(maxsize=256)
def _free_stages(cell: Program) -> Stages:
    return split(cell.definitions, [(before.name, after.name) for before, after in cell.recurrence], cell.shared)


def free_bounds(cell: Program, leaves: Bounds, contract: Accuracy) -> dict[str, Bounded]:
    """Return what any correct implementation may return for numbers that are known up to an error themselves.

    leaves: by name the parameters, "x" (T, B, n) and the initial states "h0", …, (B, m); without errors, or with the
    radius of what they stand for. Returns "y" and the final states by name. Raises AccuracyError for an operator or
    function without an error rule.
    """
    T, B, _ = leaves[cell.inputs[0].name].value.shape
    with np.errstate(all="ignore"):
        known, final = _forward(cell, leaves, contract)
    return outward({"y": by_step(known.values[cell.states[0]], T, B), **dict(zip(cell.states, final, strict=True))})


def free_backward_bounds(cell: Program, leaves: Bounds, cotangents: Bounds, contract: Accuracy) -> dict[str, Bounded]:
    """Return the gradients that any correct implementation may return, by the names of the leaves.

    leaves: as for ``free_bounds``; cotangents: of "y" (T, B, m) and of the final states by name.
    """
    T, B, _ = leaves[cell.inputs[0].name].value.shape
    with np.errstate(all="ignore"):
        known, _ = _forward(cell, leaves, contract)
        known.values["dy"] = _rows(cotangents["y"])
        arriving = [cotangents[name] for name in cell.states]
        initial = run_stages(backward_stages(cell), known, arriving, (T, B), contract, reverse=True)
    gradients = {p.name: known.values[adjoint_symbol(cell, p).name] for p in cell.parameters}
    gradients["x"] = by_step(known.values[adjoint_symbol(cell, cell.inputs[0]).name], T, B)
    return outward({**gradients, **{f"{name}0": b for name, b in zip(cell.states, initial, strict=True)}})


def _forward(cell: Program, leaves: Bounds, contract: Accuracy) -> tuple[Environment, tuple[Bounded, ...]]:
    x = cell.inputs[0].name
    states = [leaves[f"{after.name}0"] for _, after in cell.recurrence]
    previous = {before.name: s.value for (before, _), s in zip(cell.recurrence, states, strict=True)}
    params = {p.name: leaves[p.name] for p in cell.parameters}
    arrays = {**{name: p.value for name, p in params.items()}, **previous, x: leaves[x].value}
    known = Environment(dict(params), scalars_of(cell, arrays))
    known.values[x] = _rows(leaves[x])
    final = run_stages(_free_stages(cell), known, states, leaves[x].value.shape[:2], contract)
    return known, final


def _rows(b: Bounded) -> Bounded:
    """Return (T, B, size) as rows (T·B, size)."""
    size = b.value.shape[-1]
    return Bounded(b.value.reshape(-1, size), None if b.error is None else b.error.reshape(-1, size))
