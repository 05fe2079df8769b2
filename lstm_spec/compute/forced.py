"""Allowed errors through time, without the growth that makes bounds of a free-running recurrence useless.

After one full call of an implementation, the reference takes at step t the state that the implementation itself
returned for step t−1. A state that is returned at every step is then exact by definition, and no error is multiplied by
the recurrent weights; states that are not returned (the cell state) stay in the reference, where the error of c is only
multiplied by the forget gate. The backward pass runs on the same forward values, its adjoints carried in the reference;
where an implementation shows the adjoints of its pre-activations, those are taken from it in the same way.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from sympy import MatrixSymbol

from lstm_spec.calculus.adjoint import adjoint_symbol, backward
from lstm_spec.compute.accuracy import Accuracy, accuracy
from lstm_spec.compute.recipe import Environment, scalars_of
from lstm_spec.compute.rounding import OUTWARD, Array, Bounded
from lstm_spec.compute.stages import Stages, as_rows, by_step, run_stages, split
from lstm_spec.spec.program import Program


@lru_cache(maxsize=256)
def forward_stages(cell: Program) -> Stages:
    """Split the equations of a cell for a recurrence whose first state is given.

    >>> from lstm_spec.spec.cells import lstm
    >>> stages = forward_stages(lstm())
    >>> [name for name, _ in stages.through], [name for name, _ in stages.after]
    (['c'], ['h'])
    """
    carried = [(before.name, after.name) for before, after in cell.recurrence[1:]]
    return split(cell.definitions, carried, cell.shared)


@lru_cache(maxsize=256)
def backward_stages(cell: Program, shown: frozenset[str] = frozenset()) -> Stages:
    """Split the adjoints of a cell for a recurrence that runs against time.

    Those that are shown are given, and what the equations say of them goes by another name.
    """
    program = backward(cell)
    carried = [(arriving.name, leaving.name) for arriving, leaving in program.carried]
    equations = [replace(d, symbol=_own(d.symbol)) if d.name in shown else d for d in program.derived]
    return split(equations, carried, program.shared)


def _own(symbol: MatrixSymbol) -> MatrixSymbol:
    return MatrixSymbol(f"{symbol.name}_own", *symbol.shape)


def error_bound(
    cell: Program, params: Mapping[str, Array], x: Array, *states: Array, y: Array, dtype: str | Accuracy = "float64"
) -> dict[str, Bounded]:
    """Return what a correct implementation may return: the value and the allowed error of every output.

    cell: the specification; params: arrays by name; x: (T, B, n); states: initial states, each (B, m); y: (T, B, m),
    the sequence that the implementation returned; dtype: the format it computes in, or its accuracy contract. Returns
    "y" and every final state by name, each with ``.value`` and ``.error``. Raises AccuracyError for a format without a
    contract, and for an operator or function without an error rule.

    >>> from lstm_spec.compute.layer import forward
    >>> from lstm_spec.spec.cells import lstm
    >>> params = {name: np.ones(shape, "float32") for name, shape in lstm().dimensions(n=2, m=3).items()}
    >>> x, h0, c0 = (np.ones(shape, "float32") for shape in ((4, 1, 2), (1, 3), (1, 3)))
    >>> y, h, c = forward(params, x, h0, c0)
    >>> bound = error_bound(lstm(), params, x, h0, c0, y=y, dtype="float32")
    >>> bool((abs(y - bound["y"].value) <= bound["y"].error).all()), bool(bound["c"].error.max() < 1e-4)
    (True, True)
    """
    contract = accuracy(dtype) if isinstance(dtype, str) else dtype
    return forced_bounds(cell, params, x, states, y, contract)


def forced_bounds(
    cell: Program,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    y: Array,
    contract: Accuracy,
) -> dict[str, Bounded]:
    """Return what a correct implementation may return, given the first state that this one returned at every step.

    Arguments, returns and errors as ``error_bound``.
    """
    with np.errstate(all="ignore"):
        known = _forward(cell, params, x, states, y, contract)
    return _returned(cell, known, x.shape[:2])


def _returned(cell: Program, known: Environment, shape: tuple[int, int]) -> dict[str, Bounded]:
    returned = {"y": by_step(known.values[cell.states[0]], *shape)}
    for name in cell.states:
        every = by_step(known.values[name], *shape)
        returned[name] = Bounded(every.value[-1], every.errors[-1])
    return outward(returned)


def backward_bounds(
    cell: Program,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    y: Array,
    dy: Array,
    dstates: tuple[Array, ...],
    contract: Accuracy,
    *,
    shown: Mapping[str, Bounded] = MappingProxyType({}),
) -> dict[str, Bounded]:
    """Return the gradients that a correct implementation may return, by the names of what they belong to.

    params, x, states, y: as for ``error_bound``; dy: (T, B, m), the cotangent of y; dstates: those of the final states;
    shown: adjoints (T, B, m) of computed values by name, such as "da_f", as the implementation showed them, each with
    how far from that it may be what the implementation went on with. Returns the bounds for every parameter by its
    name, for "x", for every initial state ("h0", "c0", …), and for what is shown. Raises AccuracyError for an operator
    or function without an error rule.
    """
    return differentiated_bounds(cell, params, x, states, y, dy, dstates, contract, shown=shown)[1]


def differentiated_bounds(
    cell: Program,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    y: Array,
    dy: Array,
    dstates: tuple[Array, ...],
    contract: Accuracy,
    *,
    shown: Mapping[str, Bounded] = MappingProxyType({}),
) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
    """Return what a forward pass and the backward pass that ran on it may return: both bounds at the price of one.

    Arguments and errors as ``backward_bounds``; returns what ``forced_bounds`` does, and what ``backward_bounds`` does.
    """
    T, B, _ = x.shape
    stages = backward_stages(cell, frozenset(shown))
    with np.errstate(all="ignore"):
        known = _forward(cell, params, x, states, y, contract)
        known.values["dy"] = as_rows(dy)
        known.values.update({name: _seen(adjoint, contract) for name, adjoint in shown.items()})
        arriving = [Bounded(np.asarray(d, np.float64)) for d in dstates]
        initial = run_stages(stages, known, arriving, (T, B), contract, reverse=True)
    gradients = {p.name: known.values[adjoint_symbol(cell, p).name] for p in cell.parameters}
    gradients["x"] = by_step(known.values[adjoint_symbol(cell, cell.inputs[0]).name], T, B)
    gradients |= {f"{name}0": bound for name, bound in zip(cell.states, initial, strict=True)}
    own = {name: by_step(known.values[f"{name}_own"], T, B) for name in shown}
    return _returned(cell, known, (T, B)), outward({**gradients, **_all_or_none(own)})


def _all_or_none(shown: Mapping[str, Bounded]) -> dict[str, Bounded]:
    """Give up on all that a row shows at a step where one of it may overflow: 0·∞ would hide the others."""
    if not shown:
        return {}
    finite = np.logical_and.reduce([np.isfinite(b.errors).all(axis=-1, keepdims=True) for b in shown.values()])
    return {name: Bounded(b.value, np.where(finite, b.errors, np.inf)) for name, b in shown.items()}


def _seen(given: Bounded, contract: Accuracy) -> Bounded:
    """Return rows as an implementation showed them: flushed if subnormal, and unknown if they are no numbers."""
    rows = Bounded(as_rows(given.value).value, as_rows(given.errors + contract.tiny).value)
    finite = np.isfinite(rows.value)
    return Bounded(np.where(finite, rows.value, 0), np.where(finite, rows.errors, np.inf))


def _forward(
    cell: Program,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    y: Array,
    contract: Accuracy,
) -> Environment:
    exact = {name: Bounded(np.asarray(p, np.float64)) for name, p in params.items()}
    previous = {before.name: s for (before, _), s in zip(cell.recurrence, states, strict=True)}
    known = Environment(exact, scalars_of(cell, {**params, **previous, cell.inputs[0].name: x}))
    known.values[cell.inputs[0].name] = as_rows(x)
    known.values[cell.recurrence[0][0].name] = as_rows(np.concatenate([states[0][None], y[:-1]]))
    initial = [Bounded(np.asarray(s, np.float64)) for s in states[1:]]
    run_stages(forward_stages(cell), known, initial, x.shape[:2], contract)
    return known


def outward(bounds: Mapping[str, Bounded]) -> dict[str, Bounded]:
    """Return bounds widened by what computing them has rounded away."""
    return {name: Bounded(b.value, b.errors * OUTWARD) for name, b in bounds.items()}
