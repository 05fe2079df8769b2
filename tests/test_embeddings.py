"""Variants that are another cell in disguise, beside those that are laws: values agree, and gradients by the transpose.

Coupled and fixed gates, projections, peepholes, masks, zoneout and the versions of the GRU are laws 12–18.
"""

import numpy as np
import pytest
from sympy import Lambda, tanh

import lstm_spec as ls
from lstm_spec.calculus.laws.every import LAWS
from lstm_spec.calculus.laws.law import Twin
from lstm_spec.calculus.laws.linear import Term, same
from lstm_spec.calculus.laws.structure import unchanged
from lstm_spec.compute.answers import compiled_answers
from lstm_spec.compute.compile import run
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.functions import SLOTS
from tests.tables import random_case
from tests.test_laws import case_for, violations

SHARED = {"y": same("y", 3), "h": same("h", 2), "c": same("c", 2)}


def assert_twins(twin, cell, case, gradients):
    """Hold both answers together, each within its rounding; gradients: the leaves whose gradients have to be there."""
    claims = {claim.name: claim for claim in twin.claims(cell, case, compiled_answers)}
    assert {f"d{name}" for name in gradients} <= claims.keys()
    assert {"y", "h", "c"} <= claims.keys()
    assert [name for name, claim in claims.items() if not claim.holds] == []


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("cifg", "coupled"),
        ("cifg_i", "coupled"),
        ("nig", "fixed"),
        ("nfg", "fixed"),
        ("nog", "fixed"),
        ("lstm_1997", "fixed"),
        ("peephole", "no_peepholes"),
        ("lstmp", "identity_projection"),
        ("lstmp", "projection"),
        ("lstmp_peephole", "projection"),
        ("gru_reset_after", "diagonal_reset"),
        ("zoneout", "no_zoneout"),
        ("zoneout", "full_zoneout"),
        ("dropout", "masks"),
    ],
)
def test_the_variants_of_the_literature_are_embedded(name, law):
    (embedding,) = (one for one in LAWS if one.id == law)
    assert embedding.holds_for(ls.cell(name))
    assert violations(embedding, ls.cell(name)) == []


def test_an_embedding_holds_where_its_condition_does_only():
    """r∘(R h') and R (r∘h') are two cells where R is full."""
    before, after = ls.cell("gru"), ls.cell("gru_reset_after")
    params, x, states = random_case(before, T=4, B=3, seed=6)
    doubled = {**params, **{f"bR_{gate}": np.zeros(3) for gate in "urh"}}
    assert not np.allclose(run(after, doubled, x, *states)[0], run(before, params, x, *states)[0])


def test_a_network_without_hidden_layers_is_the_affine_map():
    assert lstm(deep={"f": (), "o": ()}) == lstm()


@pytest.mark.parametrize("layer", ["first", "second"])
def test_a_linear_hidden_layer_is_a_product_of_matrices(layer):
    """A product is linear in each factor, so that each gives a twin of its own."""
    cell = lstm(deep={"f": (4,)}, activations={"deep": "identity"})
    case = case_for(cell)
    leaves = {name: term for name, term in unchanged(cell).items() if name not in ("W_f1", "b_f1", "W_f")}
    if layer == "first":
        second = case.leaves["W_f"]
        leaves["W_f"] = (Term("W_f1", "jk,ij->ik", (second,)),)
        leaves["b_f"] = (Term("b_f1", "j,ij->i", (second,)), *leaves["b_f"])
    else:
        leaves["W_f"] = (Term("W_f", "ij,jk->ik", (case.leaves["W_f1"],)),)
        leaves["b_f"] = (Term("W_f", "ij,j->i", (case.leaves["b_f1"],)), *leaves["b_f"])
    own = ("W_f1", "b_f1") if layer == "first" else ("W_f",)
    assert_twins(Twin(leaves, other=lstm()), cell, case, (*own, "W_i", "b_f", "x", "h0", "c0"))


def test_limits_that_nothing_reaches_clip_nothing():
    cell = lstm(projection=True, clip={"a": 1e6, "c": 1e6, "p": 1e6})
    assert_twins(Twin(unchanged(cell), other=lstm(projection=True)), cell, case_for(cell), unchanged(cell))


def test_full_gate_recurrence_with_zero_matrices_is_the_lstm():
    cell, plain = lstm(gate_recurrence=True), lstm(concat=None)
    whole = case_for(cell).leaves
    gone = {name: np.zeros_like(a) for name, a in whole.items() if name not in unchanged(plain)}
    twin = Twin(unchanged(plain), gone, seen=SHARED, other_seen=SHARED, other=cell)
    assert_twins(twin, plain, case_for(plain), unchanged(plain))


def test_the_first_lstm_is_one_without_forget_gate_and_with_halved_arguments():
    s = SLOTS[0]
    halved = lstm(fixed="f", activations={"c": Lambda((s,), 2 * tanh(s / 2)), "h": Lambda((s,), tanh(s / 2))})
    cell = ls.cell("lstm_1997")
    assert_twins(Twin(unchanged(cell), other=halved), cell, case_for(cell), unchanged(cell))


@pytest.mark.parametrize("norm", ["joint", "gate"])
def test_layer_normalisation_has_no_use_for_the_scale_of_its_weights(norm):
    cell = lstm(layer_norm=norm, eps=0)
    params, x, states = random_case(cell, T=4, B=3, seed=15)
    scaled = {name: 3 * p if name[0] in "WR" else p for name, p in params.items()}
    np.testing.assert_allclose(run(cell, scaled, x, *states)[0], run(cell, params, x, *states)[0], rtol=1e-10)


def test_minimal_gates_sum_to_one():
    cell = ls.cell("minlstm")
    params, x, states = random_case(cell, T=1, B=3, seed=16)
    f, i = ls.compile_program(cell, ("f_tilde", "i_tilde"))(params, x[0], *states)
    np.testing.assert_allclose(f + i, 1, rtol=1e-15)
