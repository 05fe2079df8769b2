"""Allowed errors of a recurrence that runs freely, every error carried on from step to step.

Such bounds grow with the steps, so that they are for short sequences; but they hold around one value that no
implementation has a part in. So two correct implementations of one function, or one of them asked in two ways, are
apart by no more than the sum of both bounds.
"""

from collections.abc import Mapping

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.bounded import bounded_trace
from lstm_spec.compute.engine import Trace
from lstm_spec.compute.forced import outward
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.program import Program

Bounds = Mapping[str, Bounded]


def free_bounds(cell: Program, leaves: Bounds, contract: Accuracy) -> dict[str, Bounded]:
    """Return what any correct implementation may return for numbers that are known up to an error themselves.

    leaves: by name the parameters, "x" (T, B, n) and the initial states "h0", …, (B, m); without errors, or with the
    radius of what they stand for. Returns "y" and the final states by name. Raises AccuracyError for an operator or
    function without an error rule.
    """
    with np.errstate(all="ignore"):
        run = _run(cell, leaves, contract)
    return outward({"y": run.y, **dict(zip(cell.states, run.states, strict=True))})


def free_backward_bounds(cell: Program, leaves: Bounds, cotangents: Bounds, contract: Accuracy) -> dict[str, Bounded]:
    """Return the gradients that any correct implementation may return, by the names of the leaves.

    leaves: as for ``free_bounds``; cotangents: of "y" (T, B, m) and of the final states by name.
    """
    with np.errstate(all="ignore"):
        run = _run(cell, leaves, contract)
        assert run.pull is not None
        back = run.pull(cotangents["y"], *(cotangents[name] for name in cell.states))
    initial = {f"{name}0": b for name, b in zip(cell.states, back.states, strict=True)}
    return outward({**back.params, cell.inputs[0].name: back.x, **initial})


def _run(cell: Program, leaves: Bounds, contract: Accuracy) -> Trace:
    params = {p.name: leaves[p.name] for p in cell.parameters}
    states = tuple(leaves[f"{name}0"] for name in cell.states)
    return bounded_trace(cell, params, leaves[cell.inputs[0].name], states, None, None, contract)
