"""Laws 28–32: parameters for which the states have a closed form."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import (
    BlockMatrix,
    Expr,
    HadamardProduct,
    Integer,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Symbol,
    ZeroMatrix,
    simplify,
    tanh,
)

from lstm_spec.calculus.laws.embeddings import peepholes
from lstm_spec.calculus.laws.law import Ask, Case, Claim, Law
from lstm_spec.calculus.laws.linear import Array, Measured
from lstm_spec.calculus.laws.parity import parities
from lstm_spec.calculus.laws.structure import Gate, carousel, complement, is_one, products, sizes_of
from lstm_spec.calculus.laws.units import idle
from lstm_spec.spec.operators import Elementwise
from lstm_spec.spec.program import Program

SATURATED = 100.0
"""A bias at which σ and tanh are 1, and at whose opposite σ is below what any sum can feel."""


# Law 28: all parameters zero.


class _NoClosedForm(Exception):  # noqa: N818
    """The equations mix units by more than weights."""


@lru_cache(maxsize=256)
def _at_zero(cell: Program) -> dict[str, Expr] | None:
    """Return every state of one unit in terms of the states before, all parameters zero; None where units mix."""
    values: dict[str, Any] = {p.name: Integer(0) for p in cell.parameters}
    values |= {s.name: Symbol(s.name, real=True) for s in cell.leaves if s.name not in values}

    def of(e: Any) -> Any:
        if isinstance(e, MatrixSymbol):
            return values[e.name]
        if isinstance(e, OneMatrix | ZeroMatrix):
            return Integer(isinstance(e, OneMatrix))
        if isinstance(e, MatAdd):
            return sum((of(a) for a in e.args), start=Integer(0))
        if isinstance(e, HadamardProduct):
            return np.prod([of(a) for a in e.args])
        if isinstance(e, Elementwise):
            return e.function(*(of(a) for a in e.arguments)).doit()
        if isinstance(e, MatMul):
            factors = [a for a in e.args if getattr(a, "is_Matrix", False)]
            if len(factors) == 1:
                return of(factors[0]) * np.prod([a for a in e.args if a not in factors])
            if factors[0] in cell.parameters:
                return Integer(0)
        if isinstance(e, BlockMatrix):
            return Integer(0)
        raise _NoClosedForm

    try:
        for d in cell:
            values[d.name] = of(d.expression)
    except _NoClosedForm:
        return None
    return {name: simplify(values[name]) for name in cell.states}


def _halves(cell: Program) -> str | None:
    """Return the state that is halved at every step when all parameters are zero."""
    found = _at_zero(cell)
    if found is None:
        return None
    own = {after.name: Symbol(before.name, real=True) for before, after in cell.recurrence}
    if "c" in found and found["c"] == own["c"] / 2 and found["h"] == tanh(own["c"] / 2) / 2:
        return "c"
    return "h" if len(own) == 1 and found["h"] == own["h"] / 2 else None


def _all_zero(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    name = _halves(cell)
    T = len(case.x)
    answer = ask(cell).forward(case.put(**{p: np.zeros_like(a) for p, a in case.params.items()}))
    start = np.asarray(case.leaves[f"{name}0"], np.float64)
    sequence = start / 2.0 ** np.arange(1, T + 1)[:, None, None]
    yield Claim(str(name), answer[str(name)], Measured.exact(sequence[-1]))
    yield Claim("y", answer["y"], computed(np.tanh(sequence) / 2 if name == "c" else sequence))


def computed(value: Array) -> Measured:
    """Return numbers of a closed form that was computed in float64, by functions good to 4 units in the last place."""
    return Measured(value, 2.0**-50 * np.abs(value))


# Law 29: nothing to remember.


def _nothing(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """With every odd parameter and state zero, as the candidate's are, nothing ever comes out."""
    yield from idle(cell, case, ask, every=1)


# Laws 30 and 31: gates held open or shut.


def _shuts(cell: Program, forget: float, write: float) -> dict[str, float] | None:
    """Return the biases that hold f and i at 0 or 1, None where the cell cannot."""
    found = carousel(cell)
    if found is None:
        return None
    biases: dict[str, float] = {}
    for name, own, wanted in zip(found.values, (found.f, found.i), (forget, write), strict=False):
        other = complement(cell, name)
        if own is not None and own.squash == "sigmoid" and own.biases:
            biases[name] = SATURATED * (2 * wanted - 1)
        elif not (is_one(cell, name) and wanted == 1) and not (other in found.values and forget + write == 1):
            return None
    return biases


def held(cell: Program, case: Case, biases: dict[str, float]) -> Case:
    """Return the case with gates that see nothing but a bias."""
    found = carousel(cell)
    assert found is not None
    gates = {g.value: g for g in (found.f, found.i, found.candidate, found.o) if g}
    changed: dict[str, Array] = {}
    for name, bias in biases.items():
        changed |= silenced(case, gates[name])
        changed[gates[name].biases[0]] = np.full_like(case.leaves[gates[name].biases[0]], bias)
    return case.put(**changed)


def silenced(case: Case, gate: Gate) -> dict[str, Array]:
    """Return zeros for all that a gate sees."""
    names = (*gate.weights, *gate.biases, *([gate.peephole] if gate.peephole else []))
    return {name: np.zeros_like(case.leaves[name]) for name in names}


def _carries(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    biases = _shuts(cell, 1, 0)
    assert biases is not None
    answer = ask(cell).forward(held(cell, case, biases))
    yield Claim("c", answer["c"], Measured.exact(case.leaves["c0"]))


def _counts(cell: Program) -> dict[str, float] | None:
    found, biases = carousel(cell), _shuts(cell, 1, 1)
    if found is None or biases is None or not (found.candidate and found.candidate.biases):
        return None
    return {**biases, found.values[2]: SATURATED} if found.candidate.squash == "tanh" else None


def _counting(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    biases = _counts(cell)
    assert biases is not None
    answer = ask(cell).forward(held(cell, case, biases))
    yield Claim("c", answer["c"], computed(np.asarray(case.leaves["c0"], np.float64) + len(case.x)))


# Law 32: without feedback the carousel is linear.


def blind(cell: Program, case: Case) -> Case:
    """Return the case with every peephole zero."""
    names = {t.args[0].name for t in peepholes(cell)}
    return case.put(**{name: np.zeros_like(case.leaves[name]) for name in names})


def _deaf(cell: Program, case: Case) -> Case:
    """Return the case with every weight that reads h' and every peephole zero."""
    case, sizes = blind(cell, case), sizes_of(cell, case.leaves)
    changed: dict[str, Array] = {}
    for p in products(cell, cell.recurrence[0][0]) or ():
        changed[p.weight] = changed.get(p.weight, case.leaves[p.weight].copy())
        changed[p.weight][:, p.columns(cell, sizes)] = 0
    return case.put(**changed)


def _affine(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """c as a function of c0 is affine: c(2 c0) + c(0) = 2 c(c0)."""
    deaf, forward = _deaf(cell, case), ask(cell).forward
    c0 = case.leaves["c0"]
    once, twice, never = (forward(deaf.put(c0=k * c0))["c"] for k in (1, 2, 0))
    yield Claim("c", twice + never, once + once)


def _has_feedback_by_weights(cell: Program) -> bool:
    return carousel(cell) is not None and products(cell, cell.recurrence[0][0]) is not None


FIXED_VALUES: tuple[Law, ...] = (
    Law("all_zero", 28, "with all parameters 0, c = c0/2^t and h = tanh(c)/2", lambda c: _halves(c) is not None,
        _all_zero, bitwise=True),
    Law("nothing", 29, "without candidate and states nothing comes out", lambda c: parities(c) is not None, _nothing,
        bitwise=True),
    Law("carries", 30, "f = 1 and i = 0 keep c0", lambda c: _shuts(c, 1, 0) is not None, _carries,
        source="Hochreiter & Schmidhuber 1997, constant error carousel", bitwise=True),
    Law("counts", 31, "f = i = c̃ = 1 give c = c0 + t", lambda c: _counts(c) is not None, _counting),
    Law("affine_in_c0", 32, "without feedback c is affine in c0", _has_feedback_by_weights, _affine),
)  # fmt: skip
"""Laws 28–32."""
