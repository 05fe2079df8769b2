"""Blunter cases: what is asked in place of a case whose bounds are too wide to tell anything.

A bound grows with the steps, with the terms of a sum and with their size, and the fewer digits a format has the sooner
it is as large as what it bounds. So a case that cannot tell is asked again with less of each, until it can.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import Array, Case, sizes_of
from lstm_spec.verify.exposed import expose, showing

FEW_STEPS, FEW_ROWS = 3, 2
"""The steps and rows that are left at first: a state that is carried on shows, and a sum over rows."""

EVERY = 4
"""Of how many steps and weights one is left at a time, and by how much numbers are made smaller."""

TIMES = 3
"""How often numbers are made smaller at most."""


def blunter(
    cell: Program | Network, case: Case, *, least_steps: int = 1, least_rows: int = 1, fixed: bool = False
) -> Iterator[Case]:
    """Yield a case in ever blunter forms.

    The gradient of x shows the adjoints, from which the others then follow; steps at the end go, again and again, and
    rows; then most of the weights; then every number becomes smaller; then only the steps and rows are left that there
    have to be at least. fixed: whether the parameters have to stay as they are.
    """
    if isinstance(cell, Program) and case.cotangents and not (fixed or case.exposed or case.lengths is not None):
        case = expose(cell, case, sizes_of(cell, case.params))
        yield case
    while case.T > FEW_STEPS or case.B > FEW_ROWS:
        case = case.part(slice(max(FEW_STEPS, case.T // EVERY)), slice(max(FEW_ROWS, case.B // EVERY)))
        yield case
    if not fixed:
        case = _thinned(cell, case)
        yield case
    for _ in range(TIMES):
        case = _smaller(cell, case, fixed)
        yield case
    if least_steps < case.T or least_rows < case.B:
        yield case.part(slice(least_steps), slice(least_rows))


def _thinned(cell: Program | Network, case: Case) -> Case:
    """Leave of every row of every matrix one weight in so many, others in each gate."""

    def thin(k: int, p: Array) -> Array:
        rows, columns = np.indices(p.shape)
        return np.where((rows + columns + k) % EVERY == 0, p, np.zeros_like(p))

    matrices = {name: thin(k, p) for k, (name, p) in enumerate(case.params.items()) if p.ndim == 2}
    return _with_parameters(cell, case, {**case.params, **matrices})


def _smaller(cell: Program | Network, case: Case, fixed: bool) -> Case:
    def less(a: Array) -> Array:
        return (a / EVERY).astype(a.dtype)

    case = replace(case, x=less(case.x), states=tuple(less(s) for s in case.states))
    return case if fixed else _with_parameters(cell, case, {name: less(p) for name, p in case.params.items()})


def _with_parameters(cell: Program | Network, case: Case, params: Mapping[str, Array]) -> Case:
    """Return a case with other parameters, but for what shows its adjoints."""
    kept = showing(cell, case) if isinstance(cell, Program) else {}
    params = {name: np.where(kept[name], case.params[name], p) if name in kept else p for name, p in params.items()}
    return replace(case, params=params)
