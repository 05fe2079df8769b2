"""The laws, over the whole catalogue and over what breaks each of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.calculus.laws.every import LAWS
from lstm_spec.calculus.laws.law import Claim
from lstm_spec.calculus.laws.linear import Measured, Term, apply, move, transpose
from lstm_spec.calculus.laws.parity import parities
from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.answers import answers_of, canonical, case_of, compiled_answers
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.operators import add, hadamard, ones, scale
from lstm_spec.spec.operators import apply as elementwise
from tests.test_catalogue import CELLS, case_with_cotangents

BY_ID = {law.id: law for law in LAWS}
HOLDING = {law.id: [name for name, cell in CELLS.items() if law.holds_for(cell)] for law in LAWS}


def case_for(cell, *, seed=0, T=3, B=2, **sizes):
    params, x, states, dy, dstates = case_with_cotangents(cell, seed=seed, T=T, B=B, **sizes)
    return case_of(cell, params, x, states, (dy, *dstates))


def violations(law, cell, *, ask=compiled_answers, seed=0):
    claims = list(law.claims(cell, case_for(cell, seed=seed), ask))
    assert claims, f"{law.id} claims nothing of {cell.name}"
    return [f"{c.name}: {np.max(c.apart):.1e} > {np.max(c.allowed):.1e}" for c in claims if not c.holds]


@pytest.mark.parametrize("law", LAWS, ids=BY_ID)
def test_every_law_holds_for_some_cells(law):
    """The first, the middle and the last of the cells that it speaks of."""
    names = HOLDING[law.id]
    assert names
    for name in {names[0], names[len(names) // 2], names[-1]}:
        assert not violations(law, CELLS[name]), name


@pytest.mark.catalogue
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("law", LAWS, ids=BY_ID)
def test_every_law_holds_for_every_cell(law, seed):
    for name in HOLDING[law.id]:
        assert not violations(law, CELLS[name], seed=seed), name


def test_the_numbers_of_the_laws():
    assert {law.number for law in LAWS} == set(range(1, 47))
    assert len(BY_ID) == len(LAWS)


# What breaks them.


def before(change):
    """Change the arguments of both passes."""

    def fault(cell, forward, backward):
        return (
            lambda params, x, *states: forward(*change(params, x, *states)),
            lambda params, x, *others: backward(*change(params, x, *others)),
        )

    return fault


def after(change):
    """Change what forward returns, (y, *states)."""
    return lambda cell, forward, backward: (lambda *a: change(*forward(*a)), backward)


def gradients(change):
    """Change what backward returns: every gradient by its name."""

    def fault(cell, forward, backward):
        def faulty(params, x, *others):
            dparams, dx, *dstates = backward(params, x, *others)
            dparams = {name: change(name, d, params[name]) for name, d in dparams.items()}
            initial = (change(f"{s}0", d, d) for s, d in zip(cell.states, dstates, strict=True))
            return (dparams, change("x", dx, x), *initial)

        return forward, faulty

    return fault


def mutant(name, rewrite):
    """Compute another equation than the cell has."""

    def fault(cell, forward, backward):
        return canonical(cell.with_equation(name, rewrite(cell)))

    return fault


def on(params, names, change):
    return {name: change(p) if name in names else p for name, p in params.items()}


def plus(amount, *names):
    return gradients(lambda name, d, p: d + amount if name in names else d)


def times(factor, *names):
    return gradients(lambda name, d, p: factor * d if name in names else d)


def x_to(change):
    return before(lambda params, x, *rest: (params, change(x), *rest))


def states_to(change):
    def changed(params, x, *rest):
        count = 2 if len(rest) in (2, 5) else 1 if len(rest) in (1, 3) else 4
        return (params, x, *(change(s) for s in rest[:count]), *rest[count:])

    return before(changed)


def params_to(names, change):
    return before(lambda params, x, *rest: (on(params, names, change), x, *rest))


def by_position(cell, forward, backward):
    names = [p.name for p in cell.parameters]

    def read(params):
        return dict(zip(names, (params[n].copy() for n in params), strict=True))

    def safe(params, x, *states):
        given = read(params)
        fits = all(given[n].shape == params[n].shape for n in names)
        return forward(given if fits else {n: 0 * p for n, p in params.items()}, x, *states)

    return safe, backward


def final_cotangents_ignored(cell, forward, backward):
    count = len(cell.states)
    return forward, lambda params, x, *r: backward(params, x, *r[: count + 1], *(0 * d for d in r[count + 1 :]))


@dataclass(frozen=True)
class OfAnswers:
    """A fault of what is answered beside forward and backward, or by a network."""

    change: Callable


@OfAnswers
def curvature_of_one_weight_doubled(answers):
    def along(case, direction):
        found = answers.along(case, direction)
        return {name: a + a if name == "W_f" else a for name, a in found.items()}

    return replace(answers, along=along)


@OfAnswers
def lengths_ignored(answers):
    return replace(answers, forward=lambda case: answers.forward(replace(case, lengths=None)))


@OfAnswers
def cut_too_early(answers):
    return replace(answers, truncated=lambda case, window: answers.truncated(case, len(case.x) - 1))


def answered(name, change):
    """Change one output of a network."""
    return OfAnswers(
        lambda answers: replace(
            answers, forward=lambda case: {k: change(a) if k == name else a for k, a in answers.forward(case).items()}
        )
    )


sigmoid_candidate = mutant("c_tilde", lambda cell: elementwise("sigmoid", cell.symbols["a_c"]))
no_output_tanh = mutant("h", lambda cell: hadamard(cell.symbols["o"], cell.symbols["c"]))
late_cell_state = mutant("h", lambda cell: hadamard(cell.symbols["o"], elementwise("tanh", cell.symbols["c_prev"])))
ten_times = after(lambda y, *states: (10 * y, *(10 * s for s in states)))
batch_norm = x_to(lambda x: x - x.mean(axis=1, keepdims=True))

FAULTS = {
    "two_biases": (lstm(biases=2), params_to(["bR_f"], lambda b: 2 * b)),
    "parameter_order": ("lstm", by_position),
    "unit_order": ("lstm", params_to(["b_f"], lambda b: b + np.arange(len(b)))),
    "sign_flip": ("lstm", sigmoid_candidate),
    "input_scale": ("lstm", x_to(lambda x: np.clip(x, -0.5, 0.5))),
    "input_basis": ("lstm", x_to(lambda x: np.clip(x, -0.5, 0.5))),
    "bias_as_weight": ("lstm", params_to(["b_f"], lambda b: 0 * b)),
    "one_hot": ("lstm", x_to(lambda x: x[..., ::-1])),
    "inert_features": ("lstm", x_to(lambda x: x / (1 + np.abs(x).sum(axis=-1, keepdims=True)))),
    "added_units": ("lstm", states_to(lambda s: s - s.mean(axis=-1, keepdims=True))),
    "idle_unit": ("lstm", sigmoid_candidate),
    "two_cells": ("lstm", states_to(lambda s: np.roll(s, 1, axis=-1))),
    "tanh_gates": ("lstm", mutant("f", lambda cell: elementwise("hard_sigmoid", cell.symbols["a_f"]))),
    "masks": ("dropout", params_to(["k_x"], np.ones_like)),
    "coupled": ("cifg", mutant("f", lambda cell: cell.symbols["i"])),
    "fixed": ("nig", mutant("i", lambda cell: scale(2, ones(cell.symbols["i"].shape[0])))),
    "identity_projection": ("lstmp", params_to(["W_p"], lambda p: 2 * p)),
    "projection": ("lstmp", params_to(["W_p"], lambda p: 2 * p)),
    "no_peepholes": ("peephole", params_to(["p_i"], lambda p: p + 0.1)),
    "diagonal_reset": ("gru_reset_after", params_to(["b_r"], lambda b: b + 0.1)),
    "no_zoneout": ("zoneout", after(lambda y, h, c: (y, h, 0.99 * c))),
    "full_zoneout": ("zoneout", after(lambda y, h, c: (y, h, 0.99 * c))),
    "gradient_of_coupled": ("cifg", times(0.5, "W_i")),
    "gradient_of_projection": ("lstmp", times(0.5, "W_i")),
    "split": ("lstm", states_to(np.zeros_like)),
    "parts": ("lstm", final_cotangents_ignored),
    "causality": ("lstm", x_to(lambda x: x - x.mean(axis=0))),
    "no_future": ("lstm", gradients(lambda name, d, p: d - d.mean(axis=0) if name == "x" else d)),
    "row_order": ("lstm", x_to(lambda x: x + np.arange(x.shape[1])[:, None])),
    "single_rows": ("lstm", batch_norm),
    "rows": ("lstm", gradients(lambda name, d, p: d.clip(-0.01, 0.01) if name == "W_f" else d)),
    "poison": ("lstm", batch_norm),
    "all_zero": ("lstm", no_output_tanh),
    "nothing": ("lstm", sigmoid_candidate),
    "carries": ("lstm", states_to(lambda s: 0.9 * s)),
    "counts": ("lstm", states_to(lambda s: 0.9 * s)),
    "affine_in_c0": ("lstm", states_to(np.tanh)),
    "output_below_tanh": ("lstm", late_cell_state),
    "linear_growth": ("lstm", ten_times),
    "geometric_growth": ("lstm", ten_times),
    "convex_state": ("gru", ten_times),
    "monotone_step": ("lstm", states_to(np.negative)),
    "order_preserving": ("lstm", after(lambda *outputs: tuple(-a for a in outputs))),
    "contraction": ("lstm", states_to(lambda s: 10 * s)),
    "enclosure": ("lstm", x_to(lambda x: 50 * x)),
    "adjoint": ("lstm", times(1 + 1e-9, "W_f", "W_c", "W_o", "x")),
    "x_and_weights": ("lstm", times(1 + 1e-9, "x")),
    "x_and_biases": ("lstm", times(1 + 1e-9, "x")),
    "constant_x": ("lstm", times(1 + 1e-9, "W_i")),
    "rank_one": ("lstm", plus(1e-9, "W_i")),
    "no_past": ("lstm", plus(1e-9, "W_i")),
    "nothing_to_forget": ("lstm", plus(1e-9, "W_f")),
    "determinant": ("lstm", times(1 + 1e-6, "c0")),
    "output_gate_alone": ("lstm", plus(1e-9, "c0")),
    "linearity": ("lstm", gradients(lambda name, d, p: d.clip(-0.1, 0.1))),
    "symmetric_hessian": ("lstm", curvature_of_one_weight_doubled),
    "untied": ("lstm", final_cotangents_ignored),
    "scale_free": ("layer_norm", gradients(lambda name, d, p: d + 1e-6 * p if name[0] == "W" else d)),
    "stabiliser": ("slstm", states_to(np.ones_like)),
    "shifted_input_gate": ("slstm", states_to(np.ones_like)),
    "weighted_mean": ("slstm", ten_times),
    "reverse": ("lstm", answered("y", lambda y: y[::-1])),
    "bidirectional": ("lstm", answered("y", lambda y: y[..., ::-1])),
    "lengths": ("lstm", lengths_ignored),
    "stack": ("lstm", answered("h", lambda h: h[::-1])),
    "whole_window": ("lstm", cut_too_early),
}
SECOND = {"identity_projection", "no_peepholes", "diagonal_reset", "reverse", "bidirectional", "lengths", "stack"}
"""The laws whose first question goes to the cell that is embedded, and the second to the one that is at fault."""


def with_fault(fault, *, second):
    """Return the answers of a faulty implementation for one of the cells that a law asks about."""
    asked = []

    def ask(cell):
        if cell not in asked:
            asked.append(cell)
        if asked.index(cell) != int(second):
            return compiled_answers(cell)
        if isinstance(fault, OfAnswers):
            return fault.change(compiled_answers(cell))
        faulty = answers_of(cell, *fault(cell, *canonical(cell)), accuracy("float64"))
        return replace(compiled_answers(cell), forward=faulty.forward, backward=faulty.backward)

    return ask


def test_every_law_has_something_that_breaks_it():
    assert FAULTS.keys() == BY_ID.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_what_breaks_a_law_is_found(name):
    cell, fault = FAULTS[name]
    cell = ls.cell(cell) if isinstance(cell, str) else cell
    assert BY_ID[name].holds_for(cell)
    assert not violations(BY_ID[name], cell)
    assert violations(BY_ID[name], cell, ask=with_fault(fault, second=name in SECOND))


# The machinery.


def test_the_transpose_of_a_linear_map():
    rng = np.random.default_rng(0)
    A, B, v = rng.standard_normal((4, 2)), rng.standard_normal((5, 3)), rng.standard_normal(2)
    linear = {
        "a": (Term("W", "ij,ki,lj->kl", (A, B)),),
        "b": (Term("W", "ij,i->j", (v,)), Term("d", "j,->j", (np.array(3.0),))),
    }
    leaves = {"W": rng.standard_normal((2, 3)), "d": rng.standard_normal(3)}
    images = {"a": rng.standard_normal((4, 5)), "b": rng.standard_normal(3)}
    up = apply(linear, {name: Measured.exact(a) for name, a in leaves.items()})
    down = apply(transpose(linear), {name: Measured.exact(a) for name, a in images.items()})
    left = sum(np.sum(up[name].value * images[name]) for name in images)
    assert left == pytest.approx(sum(np.sum(down[name].value * leaves[name]) for name in leaves), rel=1e-13)


def test_what_a_format_moves_is_known():
    third = {"a": np.array([1 / 3], np.float32)}
    image, error = move({"a": (Term("a", "i,->i", (np.array(3.0),)),)}, third)
    exact = 3 * np.longdouble(third["a"])
    assert image["a"].dtype == np.float32
    assert np.all(np.abs(image["a"] - exact) <= error["a"])
    assert np.all(move({"a": (Term("a", "i->i"),)}, third)[1]["a"] == 0)


def test_errors_are_carried_along():
    a = Measured(np.array([1.0, -2.0]), np.array([0.1, 0.2]))
    np.testing.assert_allclose((a + a).error, [0.2, 0.4])
    np.testing.assert_allclose(a.mapped("i,ij->j", np.array([[1.0], [-1.0]])).error, [0.3])
    assert Claim("", a, Measured.exact([1.09, -2.19])).holds
    assert not Claim("", a, Measured.exact([1.11, -2.2])).holds
    assert Claim("", a, Measured.exact([5.0, 5.0]), "≤").holds
    assert not Claim("", Measured.exact([np.nan]), Measured.exact([0.0])).holds


def test_a_cell_without_parity_has_none():
    cell = lstm(activations={"c": "sigmoid"})
    assert parities(cell) is None
    both = lstm(activations={"c": "relu"})
    assert parities(both) is None
    swapped = lstm().with_equation("c", add(lstm().symbols["f"], lstm().symbols["c_prev"]))
    assert parities(swapped) is None
