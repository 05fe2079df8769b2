"""Laws 39–45: identities between gradients, none of which needs anybody else's gradient."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import BlockMatrix, HadamardProduct, Integer, MatAdd, MatMul, MatrixSymbol

from lstm_spec.calculus.laws.bounds import contracting
from lstm_spec.calculus.laws.fixed_values import computed
from lstm_spec.calculus.laws.law import Answer, Answers, Ask, Case, Claim, Law
from lstm_spec.calculus.laws.linear import Array, Measured
from lstm_spec.calculus.laws.structure import Gate, Product, carousel, products, sizes_of
from lstm_spec.calculus.laws.time_and_batch import untied
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.operators import parts_of
from lstm_spec.spec.program import Program


def _backward(ask: Answers, case: Case) -> Answer:
    assert ask.backward is not None
    return ask.backward(case)


def _reads(cell: Program, value: MatrixSymbol) -> tuple[Product, ...]:
    return products(cell, value) or ()


def _once(cell: Program, value: MatrixSymbol) -> bool:
    """Whether a value is read by products with weights alone, by each weight once."""
    weights = [p.weight for p in _reads(cell, value)]
    return bool(weights) and len(set(weights)) == len(weights)


# Law 39: the backward pass is the transpose of the derivative.


def _directions(case: Case, seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(a.shape) for name, a in case.leaves.items()}


def _pairing(answer: Answer, with_: Mapping[str, Array]) -> Measured:
    """Return Σ <answer, direction> over all names."""
    total = Measured.exact(np.zeros(()))
    for name, a in answer.items():
        letters = "abc"[: a.value.ndim]
        total = total + a.mapped(f"{letters},{letters}->", np.asarray(with_[name], np.float64))
    return total


def _adjoint(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """<u, J v> = <Jᵀ u, v>, and J v by the complex step."""
    own, v = ask(cell), _directions(case, 0)
    assert own.along is not None
    right = _pairing(_backward(own, case), v)
    moved = own.along(case, v)
    left = _pairing({name: moved[name] for name in case.cotangents}, case.cotangents)
    # J v is computed from the same derivatives, so it is held to the same error.
    yield Claim("<u, J v>", Measured(left.value, right.error), right)


def _symmetric(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """<u, H v> = <H u, v> for the Hessian H of Σ <cotangent, output>."""
    own, u, v = ask(cell), _directions(case, 1), _directions(case, 2)
    assert own.along is not None
    bent = [{name: a for name, a in own.along(case, d).items() if name in case.leaves} for d in (u, v)]
    yield Claim("<u, H v>", _pairing(bent[1], u), _pairing(bent[0], v))


# Laws 40 and 41: gradients of weights beside those of x and of biases.


def _x_and_weights(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """Σ_t dx_t x_tᵀ = Σ_g W_gᵀ dW_g over the columns that read x."""
    gradient, sizes = _backward(ask(cell), case), sizes_of(cell, case.leaves)
    left = gradient["x"].mapped("tbi,tbj->ij", np.asarray(case.x, np.float64))
    yield Claim("Σ dx xᵀ", left, _through_weights(cell, case, gradient, sizes))


def _through_weights(cell: Program, case: Case, gradient: Answer, sizes: Mapping[Any, int]) -> Measured:
    total = Measured.exact(np.zeros((1, 1)))
    for p in _reads(cell, cell.inputs[0]):
        columns = p.columns(cell, sizes)
        W = np.asarray(case.leaves[p.weight], np.float64)[:, columns]
        total = total + gradient[p.weight][:, columns].mapped("kj,ki->ij", W)
    return total


def _x_and_biases(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """Σ_t dx_t = Σ_g W_gᵀ db_g."""
    gradient, sizes = _backward(ask(cell), case), sizes_of(cell, case.leaves)
    total = Measured.exact(np.zeros(1))
    for p in _reads(cell, cell.inputs[0]):
        W = np.asarray(case.leaves[p.weight], np.float64)[:, p.columns(cell, sizes)]
        total = total + gradient[p.biases[0]].mapped("k,ki->i", W)
    yield Claim("Σ dx", gradient["x"].mapped("tbi->i"), total)


def _constant_x(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """With the same x at every step and in every row, dW = db xᵀ."""
    x = np.asarray(case.x[0, 0], np.float64)
    gradient, sizes = _backward(ask(cell), case.put(x=np.broadcast_to(x, case.x.shape))), sizes_of(cell, case.leaves)
    for p in _reads(cell, cell.inputs[0]):
        left = gradient[p.weight][:, p.columns(cell, sizes)]
        yield Claim(f"d{p.weight}", left, gradient[p.biases[0]].mapped("k,i->ki", x))


def _each_has_a_bias(cell: Program) -> bool:
    return _once(cell, cell.inputs[0]) and all(p.biases for p in _reads(cell, cell.inputs[0]))


# Law 42: one step of one row.


def _first(case: Case) -> Case:
    return case.part(slice(0, 1), slice(0, 1))


def _rank_one(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """At one step of one row dW is a column times xᵀ: dW_ij x_k = dW_ik x_j."""
    case, sizes = _first(case), sizes_of(cell, case.leaves)
    gradient, x = _backward(ask(cell), case), np.asarray(case.x[0, 0], np.float64)
    for p in _reads(cell, cell.inputs[0]):
        dW = gradient[p.weight][:, p.columns(cell, sizes)]
        yield Claim(f"d{p.weight}", dW.mapped("ij,k->ijk", x), dW.mapped("ik,j->ijk", x))


def _no_past(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """At one step from h0 = 0, the columns that read h' have no gradient."""
    sizes, case = sizes_of(cell, case.leaves), case.part(slice(0, 1))
    gradient = _backward(ask(cell), case.put(h0=np.zeros_like(case.leaves["h0"])))
    for p in _reads(cell, cell.recurrence[0][0]):
        own = gradient[p.weight][:, p.columns(cell, sizes)]
        yield Claim(f"d{p.weight}", own, Measured.exact(0 * own.value))


def _nothing_to_forget(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """At one step from c0 = 0, the forget gate and the peepholes that see c' have no gradient."""
    found = carousel(cell)
    assert found is not None
    case = case.part(slice(0, 1))
    gradient = _backward(ask(cell), case.put(c0=np.zeros_like(case.leaves["c0"])))
    names = [*(_parameters(found.f) if found.f else ()), *([found.i.peephole] if found.i and found.i.peephole else [])]
    for name in names:
        yield Claim(f"d{name}", gradient[name], Measured.exact(0 * gradient[name].value))


def _parameters(own: Gate) -> tuple[str, ...]:
    return (*own.weights, *own.biases, *([own.peephole] if own.peephole else []))


def _lone_forget_gate(cell: Program) -> bool:
    """Whether f is a gate of its own, read by c alone."""
    found = carousel(cell)
    if found is None or found.f is None:
        return False
    return len(cell.recurrence) == 2 and [d.name for d in cell if found.f.value in d.uses] == ["c"]


# Law 43: the Jacobian of one step.


def _jacobian(cell: Program, case: Case, ask: Ask) -> tuple[Measured, Case]:
    """Return ∂(h, c)/∂(h', c') of the first row and step, from one backward pass with a row for each cotangent."""
    m = case.leaves["h0"].shape[-1]
    one = _first(case)
    tiled = {name: np.repeat(a, 2 * m, axis=1 if name == "x" else 0) for name, a in one.leaves.items()
             if name == "x" or name in case.states}  # fmt: skip
    units = np.eye(2 * m)
    cotangents = {"y": np.zeros((1, 2 * m, m)), "h": units[:, :m], "c": units[:, m:]}
    cast = {name: np.asarray(a, case.x.dtype) for name, a in cotangents.items()}
    gradient = _backward(ask(cell), Case({**one.leaves, **tiled}, cast))
    parts = gradient["h0"], gradient["c0"]
    return Measured(*(np.concatenate([getattr(p, k) for p in parts], axis=1) for k in ("value", "error"))), one


def _values(cell: Program, case: Case) -> dict[str, Array]:
    """Return the gates of one row and step by "f", "i", "c̃", "o", and "c", from the equations of the LSTM."""
    found, sizes = carousel(cell), sizes_of(cell, case.leaves)
    assert found is not None
    wide = {name: np.asarray(a, np.float64) for name, a in case.leaves.items()}
    h, c = wide["h0"][0], wide["c0"][0]

    def value(own: Gate | None, seen: Array) -> Array:
        assert own is not None
        total = sum((wide[b] for b in own.biases), start=np.zeros_like(c))
        for source, v in ((cell.inputs[0], wide["x"][0, 0]), (cell.recurrence[0][0], h)):
            for p in _reads(cell, source):
                if p.weight in own.weights:
                    total = total + wide[p.weight][:, p.columns(cell, sizes)] @ v
        total = total + (wide[own.peephole] * seen if own.peephole else 0)
        return np.tanh(total) if own.squash == "tanh" else (1 + np.tanh(total / 2)) / 2

    f, i, candidate = (value(own, c) for own in (found.f, found.i, found.candidate))
    after = f * c + i * candidate
    return {"f": f, "i": i, "c̃": candidate, "c": after, "o": value(found.o, after), "c'": c}


def _recurrent(cell: Program, case: Case, own: Gate | None) -> Array:
    assert own is not None
    sizes = sizes_of(cell, case.leaves)
    reads = [p for p in _reads(cell, cell.recurrence[0][0]) if p.weight in own.weights]
    return sum((np.asarray(case.leaves[p.weight], np.float64)[:, p.columns(cell, sizes)] for p in reads),
               start=np.zeros((len(case.leaves["h0"][0]),) * 2))  # fmt: skip


def _determinant(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """Yield det J = det(Dc) · Π tanh(c) o (1 − o) · det R_o."""
    found = carousel(cell)
    assert found is not None
    J, case = _jacobian(cell, case, ask)
    v = _values(cell, case)
    p_f, p_i = (np.asarray(case.leaves[g.peephole], np.float64) if g and g.peephole else 0 for g in (found.f, found.i))
    kept = v["f"] + v["c'"] * v["f"] * (1 - v["f"]) * p_f + v["c̃"] * v["i"] * (1 - v["i"]) * p_i
    R = _recurrent(cell, case, found.o)
    product = np.prod(kept) * np.prod(np.tanh(v["c"]) * v["o"] * (1 - v["o"])) * np.linalg.det(R)
    allowed = _determinant_error(J)
    yield Claim("det J", Measured(np.asarray(np.linalg.det(J.value)), allowed), Measured(np.asarray(product), allowed))


def _determinant_error(J: Measured) -> Array:
    """Return how far errors of the entries move a determinant, by Hadamard's inequality row by row."""
    rows = np.linalg.norm(J.value, axis=1)
    # Elimination in float64 is as if every entry had an error of this size.
    off = np.linalg.norm(J.error + 8 * len(rows) * 2.0**-53 * np.abs(J.value).max(), axis=1)
    return np.asarray(np.prod(rows + off) - np.prod(rows))


def _output_gate_alone(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """With R_o = 0 the rows of h are multiples of those of c, so that J has rank ≤ m."""
    found, sizes = carousel(cell), sizes_of(cell, case.leaves)
    assert found is not None
    assert found.o is not None
    changed = {}
    for p in _reads(cell, cell.recurrence[0][0]):
        if p.weight in found.o.weights:
            changed[p.weight] = case.leaves[p.weight].copy()
            changed[p.weight][:, p.columns(cell, sizes)] = 0
    J, case = _jacobian(cell, case.put(**changed), ask)
    v, m = _values(cell, case), case.leaves["h0"].shape[-1]
    p_o = np.asarray(case.leaves[found.o.peephole], np.float64) if found.o.peephole else 0
    factor = computed(v["o"] * (1 - np.tanh(v["c"]) ** 2) + np.tanh(v["c"]) * v["o"] * (1 - v["o"]) * p_o)
    yield Claim("∂h", J[:m], as_rows(J[m:], factor))


def as_rows(rows: Measured, factor: Measured) -> Measured:
    """Return rows times the entries of a vector that has errors of its own."""
    scaled = rows.mapped("ij,i->ij", factor.value)
    return Measured(scaled.value, scaled.error + factor.error[:, None] * np.abs(rows.value))


# Law 44: gradients are linear in what they are gradients of.


def _linear(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """The gradients for y alone and for the final states alone add up; twice the cotangents give twice as much."""
    zero = {name: np.zeros_like(a) for name, a in case.cotangents.items()}
    own = ask(cell)
    whole, twice = (_backward(own, case.put(**{n: k * a for n, a in case.cotangents.items()})) for k in (1, 2))
    of_y = _backward(own, case.put(**{**zero, "y": case.cotangents["y"]}))
    of_states = _backward(own, case.put(y=zero["y"]))
    for name, gradient in whole.items():
        yield Claim(f"d{name}", gradient, of_y[name] + of_states[name])
        yield Claim(f"d{name} doubled", twice[name], gradient + gradient)


# Law 45: what layer normalisation does not see.


@lru_cache(maxsize=256)
def _scale_free(cell: Program) -> tuple[tuple[str, ...], ...]:
    """Return the groups of parameters whose common scale a normalisation takes out."""
    centred = {d.expression.args[0] for d in cell if isinstance(d.expression, MatAdd) and d.name.startswith("e_")}
    groups = (_linear_in(cell, d) for d in cell if d.symbol in centred)
    return tuple(g for g in groups if g)


def _linear_in(cell: Program, d: Equation) -> tuple[str, ...] | None:
    """Return the parameters that every term of a sum or part of a concatenation has as its first factor."""
    e = d.expression
    terms = parts_of(e) if isinstance(e, BlockMatrix) else e.args if isinstance(e, MatAdd) else (e,)
    if all(isinstance(t, MatMul | HadamardProduct) and t.args[0] in cell.parameters for t in terms):
        return tuple(t.args[0].name for t in terms)
    return None


@lru_cache(maxsize=64)
def _without_eps(cell: Program) -> Program:
    return replace(cell, constants=tuple((s, Integer(0) if s.name == "eps" else v) for s, v in cell.constants))


def _scale_invariant(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    gradient = _backward(ask(_without_eps(cell)), case)
    for group in _scale_free(cell):
        total = _pairing({name: gradient[name] for name in group}, case.leaves)
        yield Claim("+".join(f"<{name}, d{name}>" for name in group), total, Measured.exact(0 * total.value))


def _always(cell: Program) -> bool:
    return True


def _reads_x(cell: Program) -> bool:
    return _once(cell, cell.inputs[0])


GRADIENTS: tuple[Law, ...] = (
    Law("adjoint", 39, "<u, J v> = <Jᵀ u, v>", _always, _adjoint, gradients=True, alone=False),
    Law("x_and_weights", 40, "Σ dx_t x_tᵀ = Σ W_gᵀ dW_g", _reads_x, _x_and_weights, gradients=True),
    Law("x_and_biases", 40, "Σ dx_t = Σ W_gᵀ db_g", _each_has_a_bias, _x_and_biases, gradients=True),
    Law("constant_x", 41, "where x is constant, dW = db xᵀ", _each_has_a_bias, _constant_x, gradients=True),
    Law("rank_one", 42, "one step of one row gives dW of rank one", _reads_x, _rank_one, gradients=True),
    Law("no_past", 42, "at T = 1 with h0 = 0, dR = 0", lambda c: _once(c, c.recurrence[0][0]), _no_past,
        gradients=True, bitwise=True),
    Law("nothing_to_forget", 42, "at T = 1 with c0 = 0, dW_f = db_f = dp_f = dp_i = 0", _lone_forget_gate,
        _nothing_to_forget, gradients=True, bitwise=True),
    Law("determinant", 43, "det J = det(Dc) Π tanh(c) o (1 − o) det R_o", contracting, _determinant, gradients=True),
    Law("output_gate_alone", 43, "J has rank ≤ m if R_o = 0", contracting, _output_gate_alone, gradients=True),
    Law("linearity", 44, "gradients are linear in the cotangents", _always, _linear, gradients=True),
    Law("symmetric_hessian", 44, "second derivatives do not depend on their order", _always, _symmetric, gradients=True,
        alone=False),
    Law("untied", 44, "gradients of each step's own parameters add up to those of shared ones", _always, untied,
        gradients=True),
    Law("scale_free", 45, "with eps = 0, <W, dW> = <R, dR> = 0 under layer normalisation",
        lambda c: bool(_scale_free(c)), _scale_invariant, source="Ba, Kiros & Hinton 2016", gradients=True,
        alone=False),
)  # fmt: skip
"""Laws 39–45."""
