"""Laws 3, 4 and 8–10: units in another order, with another sign, or with others beside them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lstm_spec.calculus.laws.law import Ask, Case, Claim, Law, Twin
from lstm_spec.calculus.laws.linear import Array, Measured, Term
from lstm_spec.calculus.laws.parity import parities
from lstm_spec.calculus.laws.structure import (
    averages,
    axes,
    change,
    changed_outputs,
    length_of,
    sizes_of,
    state_sizes,
)
from lstm_spec.spec.program import Program


def _length(side: Any, sizes: Any) -> int:
    return int(side.subs(sizes))


def _independent_units(cell: Program) -> bool:
    """Whether units meet only in products with weights."""
    return not set(averages(cell)) & state_sizes(cell)


def _separable(cell: Program) -> bool:
    """Whether every weight that reads a state has the rows of states."""
    states = state_sizes(cell)
    reading = [own for own in axes(cell).values() if len(own) == 2 and set(own[1]) & states]
    return _independent_units(cell) and all(set(own[0]) <= states for own in reading)


def _permuted(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    sizes = sizes_of(cell, case.leaves)
    shifts = {s: np.roll(np.eye(k), 1, axis=0) for s, k in sizes.items()}
    twin = Twin(change(cell, sizes, shifts), seen=changed_outputs(cell, sizes, shifts))
    yield from twin.claims(cell, case, ask)


def _signs(k: int) -> Array:
    return np.where(np.arange(k) % 2 == 0, -1.0, 1.0)


def _flipped(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    found, sizes = parities(cell), sizes_of(cell, case.leaves)
    assert found is not None
    flips = {s: np.diag(_signs(k)) for s, k in sizes.items()}
    leaves = {}
    for name, (term,) in change(cell, sizes, {}).items():
        own = axes(cell)[name]
        odd = [(found.rows[name],) * len(own[0]), found.columns.get(name, ())]
        tensors = [
            np.diag(np.concatenate([_signs(sizes.get(s, 0)) if o else np.ones(_length(s, sizes)) for s, o in pairs]))
            for pairs in (list(zip(axis, o, strict=True)) for axis, o in zip(own, odd, strict=False))
        ]
        leaves[name] = (Term(name, term.formula, tuple(tensors)),)
    odd_states = [s for s in cell.states if found.rows[f"{s}0"]]
    outputs = changed_outputs(cell, sizes, flips)
    plain = changed_outputs(cell, sizes, {})
    seen = {name: outputs[name] if name == "y" or name in odd_states else plain[name] for name in outputs}
    yield from Twin(leaves, seen=seen).claims(cell, case, ask)


def _undriven(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """Zero what is odd of every second unit, and its states: they stay zero."""
    yield from idle(cell, case, ask, every=2)


def idle(cell: Program, case: Case, ask: Ask, *, every: int) -> Iterator[Claim]:
    """Yield that units whose odd parameters and states are zero, every second one or all, return zeros."""
    found = parities(cell)
    assert found is not None
    changed = {name: case.leaves[name].copy() for name, odd in found.rows.items() if odd}
    for name, a in changed.items():
        units = (slice(None, None, every),) if name in case.params else (..., slice(None, None, every))
        a[units] = 0
    answer = ask(cell).forward(case.put(**changed))
    odd = [s for s in cell.states if found.rows[f"{s}0"]]
    for name in dict.fromkeys(("y", *odd)):
        own = answer[name][..., ::every]
        yield Claim(name, own, Measured.exact(np.zeros_like(own.value)))


def _added_units(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """Two more units of every kind, which read whatever they like and which no old unit reads."""
    sizes = sizes_of(cell, case.leaves)
    grown = state_sizes(cell)
    longer = {s: np.eye(k + 2, k) for s, k in sizes.items() if s in grown}
    larger = {s: k + 2 * (s in grown) for s, k in sizes.items()}
    constant = {}
    for name, own in axes(cell).items():
        rows = np.concatenate([_fresh(side, sizes, side in grown) for side in own[0]])
        lead = case.leaves[name].shape[: case.leaves[name].ndim - len(own)]
        shape = (*lead, *(length_of(axis, larger) for axis in own))
        numbers = np.resize([0.5, -0.25, 0.75, 1.0, -0.5], shape)
        constant[name] = numbers * (rows[:, None] if len(own) == 2 else rows)
    back = {s: m.T for s, m in longer.items()}
    other_seen = changed_outputs(cell, larger, back)
    yield from Twin(change(cell, sizes, longer), constant, other_seen=other_seen).claims(cell, case, ask)


def _fresh(side: Any, sizes: Any, grown: bool) -> Array:
    """Mark the new places along an axis."""
    return np.concatenate([np.zeros(_length(side, sizes)), np.ones(2 * grown)])


def _two_cells(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """The cell beside itself with all units in reverse order: with no weight between them, they do not meet."""
    sizes = sizes_of(cell, case.leaves)
    kinds = state_sizes(cell)
    first = {s: np.eye(2 * k, k) for s, k in sizes.items() if s in kinds}
    second = {s: np.eye(2 * k, k, -k)[:, ::-1] for s, k in sizes.items() if s in kinds}
    both = change(cell, sizes, first)
    for name, terms in change(cell, sizes, second).items():
        if {side for axis in axes(cell)[name] for side in axis} & kinds:
            both[name] = (*both[name], *terms)
    larger = {s: 2 * k if s in kinds else k for s, k in sizes.items()}
    for half in (first, second):
        seen = changed_outputs(cell, larger, {s: m.T for s, m in half.items()})
        yield from Twin(both, other_seen=seen).claims(cell, case, ask)


UNITS: tuple[Law, ...] = (
    Law("unit_order", 3, "W → Π W, R → Π R Πᵀ, b, p, states → Π· gives h → Π h", lambda c: True, _permuted),
    Law(
        "sign_flip",
        4,
        "with S = diag(±1), what is odd in the sign of a unit → S· gives odd outputs → S·",
        lambda c: parities(c) is not None,
        _flipped,
        bitwise=True,
    ),
    Law("added_units", 8, "units that no old one reads leave old outputs alone", _independent_units, _added_units),
    Law(
        "idle_unit",
        9,
        "a unit whose odd parameters and states are zero stays zero",
        lambda c: parities(c) is not None and _independent_units(c),
        _undriven,
        source="follows from the sign flip",
    ),
    Law("two_cells", 10, "block-diagonal weights are two independent cells", _separable, _two_cells),
)
"""Laws 3, 4 and 8–10."""
