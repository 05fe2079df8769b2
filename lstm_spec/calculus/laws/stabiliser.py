"""Law 46: the stabiliser of the sLSTM is a change of units that nobody outside can see."""

from collections.abc import Iterator, Set
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import HadamardProduct, MatAdd

from lstm_spec.calculus.laws.fixed_values import computed
from lstm_spec.calculus.laws.law import Ask, Case, Claim, Law, Twin
from lstm_spec.calculus.laws.linear import Measured, Term, same
from lstm_spec.calculus.laws.structure import products, unchanged
from lstm_spec.spec.operators import Elementwise
from lstm_spec.spec.program import Program

SHIFT = 1.0


@lru_cache(maxsize=256)
def _stabilised(cell: Program) -> tuple[str, tuple[str, ...], str] | None:
    """Return the stabiliser, the states that it scales, and the pre-activation of the exponential input gate."""
    for _, after in cell.recurrence:
        e = cell[after.name].expression
        if isinstance(e, Elementwise) and e.application == ("maximum", ()):
            prefixed = {d.name for d in cell if isinstance(d.expression, Elementwise) and after.name in d.uses}
            scaled = tuple(s for s in cell.states if _accumulates(cell, s, prefixed))
            return after.name, scaled, e.arguments[1].name
    return None


def _accumulates(cell: Program, state: str, factors: Set[str]) -> bool:
    """Whether a state is a sum of its past and of something new, both times the exponentials of the stabiliser."""
    total: Any = cell[state].expression
    return (
        isinstance(total, MatAdd) and isinstance(total.args[0], HadamardProduct) and cell[state].uses & factors != set()
    )


def _other_units(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """s + a with c e⁻ᵃ and ν e⁻ᵃ gives the same h, and c eˢ, ν eˢ as before."""
    found = _stabilised(cell)
    assert found is not None
    s, scaled, _ = found
    leaves = dict(unchanged(cell))
    for name in scaled:
        leaves[f"{name}0"] = (Term(f"{name}0", "bi,->bi", (np.exp(np.longdouble(-SHIFT)),)),)
    twin = Twin(leaves, {f"{s}0": np.array(SHIFT)}, seen={"y": same("y", 3)}, other_seen={"y": same("y", 3)})
    yield from twin.claims(cell, case, ask)


def _shifted_input_gate(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """î + a for every step, from s + a, gives the same h."""
    found = _stabilised(cell)
    assert found is not None
    s, _, total = found
    bias = next(p.biases[0] for p in products(cell, cell.inputs[0]) or () if p.weight in _of(cell, total))
    constant = {bias: np.array(SHIFT), f"{s}0": np.array(SHIFT)}
    twin = Twin(unchanged(cell), constant, seen={"y": same("y", 3)}, other_seen={"y": same("y", 3)})
    yield from twin.claims(cell, case, ask)


def _of(cell: Program, total: str) -> Set[str]:
    return cell[total].uses


def _weighted_mean(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """From |c0| ≤ ν0, h is a gated mean of candidates, so |h| < 1."""
    found = _stabilised(cell)
    assert found is not None
    norm = next(name for name in found[1] if name != "c")
    wide = {f"{norm}0": np.abs(case.leaves[f"{norm}0"]) + np.abs(case.leaves["c0"])}
    y = ask(cell).forward(case.put(**wide))["y"]
    yield Claim("|y|", Measured(np.abs(y.value), y.error), computed(np.ones_like(y.value)), "≤")


STABILISER: tuple[Law, ...] = tuple(
    Law(name, 46, statement, lambda c: _stabilised(c) is not None, claims, source="Beck et al. 2024, appendix A")
    for name, statement, claims in (
        ("stabiliser", "h does not depend on the stabiliser", _other_units),
        ("shifted_input_gate", "a constant added to î changes nothing", _shifted_input_gate),
        ("weighted_mean", "|h| < 1 from |c0| ≤ ν0", _weighted_mean),
    )
)
"""Law 46."""
