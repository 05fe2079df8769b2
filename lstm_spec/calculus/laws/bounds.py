"""Laws 33–38: how large outputs are, in which direction they move, and how far."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import HadamardProduct, MatAdd, MatMul, MatrixSymbol

from lstm_spec.calculus.laws.fixed_values import blind, computed, held
from lstm_spec.calculus.laws.law import Ask, Case, Claim, Law
from lstm_spec.calculus.laws.linear import Array, Measured
from lstm_spec.calculus.laws.structure import (
    Carousel,
    Gate,
    carousel,
    complement,
    gate,
    is_one,
    products,
    sizes_of,
)
from lstm_spec.spec.operators import Elementwise
from lstm_spec.spec.program import Program

_INCREASING = frozenset(
    {"sigmoid", "tanh", "identity", "relu", "softplus", "softsign", "hard_sigmoid", "clip", "exp", "quotient"}
)


def _gates(cell: Program) -> Carousel:
    found = carousel(cell)
    assert found is not None
    return found


def _sigma(cell: Program, own: Gate | None, name: str) -> bool:
    """Whether a gate is between 0 and 1."""
    if own is not None:
        return own.squash in ("sigmoid", "hard_sigmoid")
    other = complement(cell, name)
    return is_one(cell, name) or (other is not None and _sigma(cell, gate(cell, other), other))


# Law 33: the output beside the cell state.


def _squashed_output(cell: Program) -> bool:
    found = carousel(cell)
    return found is not None and found.squash == "tanh" and (found.o is None or found.o.squash == "sigmoid")


def _output_below_tanh(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    answer = ask(cell).forward(case)
    h, c = answer["h"], answer["c"]
    size = computed(np.tanh(np.abs(c.value)))
    # tanh does not stretch: its argument's error is more than its own.
    yield Claim("|h|", Measured(np.abs(h.value), h.error), Measured(size.value, size.error + c.error), "≤")
    sign = np.sign(c.value) * (np.abs(c.value) > c.error)
    yield Claim("sign h", Measured(-sign * h.value, h.error), Measured.exact(0 * h.value), "≤")


# Law 34: how large states become.


def _bounded_sum(cell: Program) -> bool:
    found = carousel(cell)
    if found is None or found.candidate is None or found.candidate.squash != "tanh":
        return False
    return all(_sigma(cell, own, name) for own, name in zip((found.f, found.i), found.values, strict=False))


def _linear_growth(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    c = ask(cell).forward(case)["c"]
    limit = np.abs(np.asarray(case.leaves["c0"], np.float64)) + len(case.x)
    yield Claim("|c|", Measured(np.abs(c.value), c.error), computed(limit), "≤")


def _geometric(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """With f held at F: |c| ≤ F^t |c0| + (1 − F^t)/(1 − F)."""
    found = _gates(cell)
    c = ask(cell).forward(held(cell, case, {found.values[0]: 0.5}))["c"]
    F, c0 = 1 / (1 + np.exp(-0.5)), np.abs(np.asarray(case.leaves["c0"], np.float64))
    limit = computed(F ** len(case.x) * c0 + (1 - F ** len(case.x)) / (1 - F))
    yield Claim("|c|", Measured(np.abs(c.value), c.error), Measured(limit.value, limit.error + c.error), "≤")


def _own_forget(cell: Program) -> bool:
    return _bounded_sum(cell) and _gates(cell).f is not None and bool(_gates(cell).f.biases)  # type: ignore[union-attr]


@lru_cache(maxsize=256)
def _blended(cell: Program) -> str | None:
    """Return the state that is a convex combination of its past and of a candidate between −1 and 1."""
    for before, after in cell.recurrence:
        total = cell[after.name].expression
        if not (isinstance(total, MatAdd) and [type(t) for t in total.args] == [HadamardProduct] * 2):
            continue
        (u, first), (v, second) = (t.args for t in total.args)
        new = second if first == before else first if second == before else None
        tanh = gate(cell, new.name) if isinstance(new, MatrixSymbol) else None
        if tanh and tanh.squash == "tanh" and (_complements(cell, u, v) or _complements(cell, v, u)):
            return after.name
    return None


def _complements(cell: Program, u: Any, v: Any) -> bool:
    """Whether u is 1 − v, written out or by name, and v a sigmoid."""
    if not isinstance(v, MatrixSymbol) or (own := gate(cell, v.name)) is None or own.squash != "sigmoid":
        return False
    if isinstance(u, MatrixSymbol):
        return complement(cell, u.name) == v.name
    return isinstance(u, MatAdd) and len(u.args) == 2 and u.args[1].args[-1] == v


def _convex(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    name = str(_blended(cell))
    state, begun = ask(cell).forward(case)[name], np.abs(np.asarray(case.leaves[f"{name}0"], np.float64))
    yield Claim(f"|{name}|", Measured(np.abs(state.value), state.error), Measured.exact(np.maximum(begun, 1)), "≤")


# Law 35: one step, p = 0, h' fixed.


def _monotone_step(cell: Program) -> bool:
    found = carousel(cell)
    if found is None or found.squash not in ("tanh", "identity") or not _bounded_sum(cell):
        return False
    return found.o is None or found.o.squash == "sigmoid"


def _one_step(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    found, forward = _gates(cell), ask(cell).forward
    case = blind(cell, case.part(slice(0, 1)))
    before = forward(case)
    raised = {"c0": "c0"}
    if found.candidate and found.candidate.biases:
        raised["c̃"] = found.candidate.biases[0]
    for what, leaf in raised.items():
        after = forward(case.put(**{leaf: case.leaves[leaf] + 0.25}))
        for name in ("c", "h"):
            yield Claim(f"{name} by {what}", before[name], after[name], "≤")
    if found.o and found.o.biases:
        after = forward(case.put(**{found.o.biases[0]: case.leaves[found.o.biases[0]] + 0.25}))
        low, high = (Measured(np.abs(a["h"].value), a["h"].error) for a in (before, after))
        yield Claim("|h| by o", low, high, "≤")
    yield from _by_sign(cell, case, ask)


def _by_sign(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """The effect of a_f has the sign of c', that of a_i the sign of c̃, which is that of c where c' = 0."""
    found, forward = _gates(cell), ask(cell).forward
    for own, other, start in ((found.f, found.values[1], case), (found.i, found.values[0], _from_nothing(case))):
        if own is None or not own.biases or complement(cell, other) == own.value:
            continue
        before = forward(start)["c"]
        after = forward(start.put(**{own.biases[0]: start.leaves[own.biases[0]] + 0.25}))["c"]
        sign = (
            np.sign(start.leaves["c0"]) if start is case else np.sign(before.value) * (abs(before.value) > before.error)
        )
        low, high = (Measured(sign * a.value, a.error) for a in (before, after))
        yield Claim(f"c by {own.value}", low, high, "≤")


def _from_nothing(case: Case) -> Case:
    return case.put(c0=np.zeros_like(case.leaves["c0"]))


# Law 36: with nothing negative, more in gives more out.


def _order_preserving(cell: Program) -> bool:
    return all(_increases(d.expression) for d in cell)


def _increases(e: Any) -> bool:
    """Whether an expression of nonnegative values is nonnegative and increases with each of them."""
    if isinstance(e, MatrixSymbol):
        return True
    if isinstance(e, Elementwise):
        known = e.application is not None and e.application[0] in _INCREASING - {"quotient"}
        return known and all(_increases(a) for a in e.arguments)
    if isinstance(e, MatMul) and not all(getattr(a, "is_Matrix", False) or a.is_positive for a in e.args):
        return False
    return all(_increases(a) for a in e.args if getattr(a, "is_Matrix", False))


def _ordered(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    case = case.put(**{name: np.abs(a) for name, a in case.leaves.items()})
    more = {name: case.leaves[name] + 0.5 for name in ("x", *case.states)}
    low, high = ask(cell).forward(case), ask(cell).forward(case.put(**more))
    for name in low:
        yield Claim(name, low[name], high[name], "≤")


_SLACK = 2.0**-40
"""What covers the rounding of a limit that is itself a sum of many terms."""


# Law 37: how far two states of the past are apart after one step.


def contracting(cell: Program) -> bool:
    """Whether a cell is the LSTM, with or without peepholes: four gates of x and h' alone."""
    found = carousel(cell)
    own = (found.f, found.i, found.candidate, found.o) if found else ()
    if len(cell.recurrence) != 2 or not own or not all(g is not None and g.weights for g in own):
        return False
    reading = {p.weight for v in (cell.inputs[0], cell.recurrence[0][0]) for p in products(cell, v) or ()}
    squashes = [g.squash for g in own if g] == ["sigmoid", "sigmoid", "tanh", "sigmoid"]
    return (
        squashes
        and found is not None
        and found.squash == "tanh"
        and {w for g in own if g for w in g.weights} <= reading
    )


def _contraction(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """(|Δc|, |Δh|) ≤ [[F, k], [F, k + r]] (|Δc'|, |Δh'|) in the largest entry of each row."""
    found, forward = _gates(cell), ask(cell).forward
    case = blind(cell, case.part(slice(0, 1)))
    other = case.put(**{s: 0.5 - case.leaves[s] for s in case.states})
    one, two = forward(case), forward(other)
    norm = {g.value: _recurrent_norm(cell, case, g) for g in (found.f, found.i, found.candidate, found.o) if g}
    f, i, candidate = (norm[name] for name in found.values)
    h, c = (np.maximum(np.abs(case.leaves[s]), np.abs(other.leaves[s])).max(axis=-1) for s in case.states)
    F = np.exp(-np.logaddexp(0, -_largest(cell, case, found.f, h)))
    k = c * f / 4 + i / 4 + candidate
    r = norm[found.o.value] / 4 if found.o else 0
    dh, dc = (np.abs(np.float64(case.leaves[s]) - other.leaves[s]).max(axis=-1) for s in case.states)
    for name, limit in (("c", F * dc + k * dh), ("h", F * dc + (k + r) * dh)):
        error = one[name].error + two[name].error
        apart = Measured(np.abs(one[name].value - two[name].value), error)
        yield Claim(f"|Δ{name}|", apart, Measured(limit[:, None], _SLACK * limit[:, None]), "≤")


def _recurrent(cell: Program, case: Case, own: Gate) -> Iterator[Array]:
    sizes = sizes_of(cell, case.leaves)
    for p in products(cell, cell.recurrence[0][0]) or ():
        if p.weight in own.weights:
            yield np.asarray(case.leaves[p.weight], np.float64)[:, p.columns(cell, sizes)]


def _recurrent_norm(cell: Program, case: Case, own: Gate) -> float:
    return sum(float(np.abs(R).sum(axis=1).max()) for R in _recurrent(cell, case, own))


def _largest(cell: Program, case: Case, own: Gate | None, h: Array) -> Array:
    """Return the largest pre-activation of a gate in each row, whatever h' of this size is."""
    assert own is not None
    sizes = sizes_of(cell, case.leaves)
    wide = {name: np.asarray(a, np.float64) for name, a in case.leaves.items()}
    terms = [wide[b] + np.zeros((case.x.shape[1], 1)) for b in own.biases]
    for p in products(cell, cell.inputs[0]) or ():
        if p.weight in own.weights:
            W = wide[p.weight][:, p.columns(cell, sizes)]
            terms += [wide["x"][0, :, [k]].T * W[:, k] for k in range(W.shape[1])]
    terms += [np.abs(R).sum(axis=1) * h[:, None] for R in _recurrent(cell, case, own)]
    largest: Array = np.sum(terms, axis=0) + _SLACK * np.sum(np.abs(terms), axis=0)
    return largest.max(axis=-1)


# Law 38: evaluation with an error contains what is within it.

RADIUS = 2.0**-6


def _contained(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """Inputs known up to a radius give outputs within the error that is stated for them."""
    forward = ask(cell).forward
    moved = ("x", *case.states)
    box = Case(case.leaves, case.cotangents, {name: np.full(case.leaves[name].shape, RADIUS) for name in moved})
    centre = forward(box)
    for sign in (-1, 1):
        shifts = {name: sign * RADIUS * np.cos(np.arange(case.leaves[name].size)).reshape(case.leaves[name].shape)
                  for name in moved}  # fmt: skip
        point = forward(case.put(**{name: case.leaves[name] + shift for name, shift in shifts.items()}))
        for name in point:
            yield Claim(name, point[name], centre[name])


BOUNDS: tuple[Law, ...] = (
    Law("output_below_tanh", 33, "|h| ≤ tanh |c|, and h has the sign of c", _squashed_output, _output_below_tanh),
    Law("linear_growth", 34, "|c_t| ≤ |c0| + t", _bounded_sum, _linear_growth),
    Law("geometric_growth", 34, "|c_t| ≤ F^t |c0| + (1 − F^t)/(1 − F) with f ≤ F", _own_forget, _geometric),
    Law("convex_state", 34, "a convex combination stays within max(|h0|, 1)", lambda c: _blended(c) is not None,
        _convex),
    Law("monotone_step", 35, "with p = 0 and h' fixed: c and h increase in c' and a_c, |h| in a_o, c in a_f with the"
        " sign of c' and in a_i with that of c̃", _monotone_step, _one_step),
    Law("order_preserving", 36, "with no negative parameter, larger x and states give larger outputs",
        _order_preserving, _ordered),
    Law("contraction", 37, "(|Δc|, |Δh|) ≤ [[F, k], [F, k + r]] (|Δc'|, |Δh'|)", contracting, _contraction),
    Law("enclosure", 38, "evaluation with errors contains the values of every sampled point", lambda c: True,
        _contained),
)  # fmt: skip
"""Laws 33–38."""
