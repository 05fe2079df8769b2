"""Variants that are the LSTM in disguise: the values agree, and the gradients do under the embedding."""

import numpy as np
import pytest
from sympy import Lambda, tanh

import lstm_spec as ls
from lstm_spec.compute.compile import run
from lstm_spec.compute.gradients import gradients
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.functions import SLOTS
from lstm_spec.spec.recurrent import gru
from lstm_spec.spec.xlstm import slstm
from tests.tables import random_case

T, B = 4, 3


def cotangents(states, seed=1):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((T, *states[0].shape)), tuple(rng.standard_normal(s.shape) for s in states)


def both_ways(cell, params, x, states, dy, dstates):
    """Return y, the final states and every gradient, by name."""
    y, *final = run(cell, params, x, *states)
    values = {"y": y, **dict(zip(cell.states, final, strict=True))}
    found = gradients(cell, params, x, states, dy, dstates)
    return {**values, **{f"d{name}": gradient for name, gradient in found.items()}}


def assert_equal(got, wanted, *, exactly=False):
    for name, value in wanted.items():
        assert_one = np.testing.assert_array_equal if exactly else np.testing.assert_allclose
        assert_one(got[name], value, **({} if exactly else {"rtol": 1e-11, "atol": 1e-12}), err_msg=name)


def by_gate(params, gate):
    return {name: value for name, value in params.items() if name.endswith(f"_{gate}")}


@pytest.mark.parametrize(("option", "dependent", "free"), [("f=1-i", "f", "i"), ("i=1-f", "i", "f")])
def test_a_coupled_gate_is_one_with_the_opposite_parameters(option, dependent, free):
    cell = lstm(coupled=option)
    params, x, states = random_case(cell, T=T, B=B, seed=0)
    opposite = {f"{kind}_{dependent}": -params[f"{kind}_{free}"] for kind in "Wb"}
    dy, dstates = cotangents(states)
    got = both_ways(cell, params, x, states, dy, dstates)
    whole = both_ways(lstm(), {**params, **opposite}, x, states, dy, dstates)
    for kind in "Wb":
        whole[f"d{kind}_{free}"] = whole[f"d{kind}_{free}"] - whole.pop(f"d{kind}_{dependent}")
    assert_equal(got, whole)


@pytest.mark.parametrize(("name", "gate"), [("nig", "i"), ("nfg", "f"), ("nog", "o")])
def test_a_fixed_gate_is_one_that_its_bias_saturates(name, gate):
    cell = ls.cell(name)
    params, x, states = random_case(cell, T=T, B=B, seed=1)
    saturated = {f"W_{gate}": np.zeros((3, 5)), f"b_{gate}": np.full(3, 40.0)}
    dy, dstates = cotangents(states)
    whole = both_ways(lstm(), {**params, **saturated}, x, states, dy, dstates)
    assert np.abs(whole.pop(f"dW_{gate}")).max() < 1e-15
    assert np.abs(whole.pop(f"db_{gate}")).max() < 1e-15
    assert_equal(both_ways(cell, params, x, states, dy, dstates), whole)


def test_no_peepholes_are_peepholes_of_zero():
    cell = lstm(peepholes="fio")
    params, x, states = random_case(cell, T=T, B=B, seed=2)
    params |= {f"p_{gate}": np.zeros(3) for gate in "fio"}
    case = (params, x, states, *cotangents(states))
    assert_equal(both_ways(cell, *case), both_ways(ls.cell("np"), *case), exactly=True)


def test_the_identity_is_a_projection_that_changes_nothing():
    cell = lstm(projection=True)
    params, x, states = random_case(cell, T=T, B=B, seed=3, q=3)
    params["W_p"] = np.eye(3)
    case = (params, x, states, *cotangents(states))
    assert_equal(both_ways(cell, *case), both_ways(lstm(), *case))


def test_a_projection_is_the_lstm_with_the_product_of_the_weights():
    cell = lstm(projection=True, concat=None)
    params, x, (_, c0) = random_case(cell, T=T, B=B, seed=4, q=2)
    P, m0 = params["W_p"], np.random.default_rng(4).standard_normal((B, 3))
    wide = {name: value @ P if name.startswith("R_") else value for name, value in params.items() if name != "W_p"}
    y, h, c = run(cell, params, x, m0 @ P.T, c0)
    y_wide, h_wide, c_wide = run(lstm(concat=None), wide, x, m0, c0)
    for got, wanted in ((y, y_wide @ P.T), (h, h_wide @ P.T), (c, c_wide)):
        np.testing.assert_allclose(got, wanted, rtol=1e-11)


def test_the_reset_gate_may_come_before_or_after_a_diagonal_matrix():
    before, after = gru(), gru(reset_after=True)
    params, x, states = random_case(before, T=T, B=B, seed=5)
    params["R_h"] = np.diag(np.diag(params["R_h"]))
    doubled = {**params, **{f"bR_{gate}": np.zeros(3) for gate in "urh"}}
    dy, dstates = cotangents(states)
    got, wanted = both_ways(after, doubled, x, states, dy, dstates), both_ways(before, params, x, states, dy, dstates)
    for gradient in (got, wanted):
        gradient["dR_h"] = np.diag(gradient["dR_h"])
    assert_equal(got, wanted)
    full = {**doubled, "R_h": random_case(before, T=T, B=B, seed=6)[0]["R_h"]}
    assert not np.allclose(run(after, full, x, *states)[0], run(before, full, x, *states)[0])


def test_zoneout_of_nothing_is_the_lstm():
    cell = lstm(zoneout={"c": 0, "h": 0})
    params, x, states = random_case(cell, T=T, B=B, seed=7)
    case = (params, x, states, *cotangents(states))
    assert_equal(both_ways(cell, *case), both_ways(lstm(), *case))


def test_zoneout_of_everything_freezes_the_states():
    cell = lstm(zoneout={"c": 1, "h": 1})
    params, x, states = random_case(cell, T=T, B=B, seed=8)
    dy, (dh, dc) = cotangents(states)
    got = both_ways(cell, params, x, states, dy, (dh, dc))
    frozen = {"y": np.broadcast_to(states[0], dy.shape), "h": states[0], "c": states[1]}
    assert_equal(got, {**frozen, "dh0": dh + dy.sum(axis=0), "dc0": dc, "dx": np.zeros_like(x)})
    assert_equal(got, {f"d{name}": np.zeros_like(value) for name, value in params.items()}, exactly=True)


def test_a_network_without_hidden_layers_is_the_affine_map():
    assert lstm(deep={"f": (), "o": ()}) == lstm()


def test_a_linear_hidden_layer_is_a_product_of_matrices():
    cell = lstm(deep={"f": (4,)}, activations={"deep": "identity"})
    params, x, states = random_case(cell, T=T, B=B, seed=9)
    first, second = params["W_f1"], params["W_f"]
    shallow = {name: value for name, value in params.items() if name not in ("W_f1", "b_f1")}
    shallow |= {"W_f": second @ first, "b_f": second @ params["b_f1"] + params["b_f"]}
    dy, dstates = cotangents(states)
    whole = both_ways(lstm(), shallow, x, states, dy, dstates)
    dW, db = whole["dW_f"], whole["db_f"]
    whole |= {"dW_f": dW @ first.T + np.outer(db, params["b_f1"]), "dW_f1": second.T @ dW, "db_f1": second.T @ db}
    assert_equal(both_ways(cell, params, x, states, dy, dstates), whole)


def test_masks_are_absorbed_by_the_weights():
    cell = lstm(masks="xh", concat=None)
    params, x, states = random_case(cell, T=T, B=B, seed=10)
    masks = {"W": params["k_x"], "R": params["k_h"]}
    absorbed = {name: value * masks.get(name[0], 1) for name, value in params.items() if not name.startswith("k_")}
    dy, dstates = cotangents(states)
    whole = both_ways(lstm(concat=None), absorbed, x, states, dy, dstates)
    for kind, mask in masks.items():
        whole |= {f"d{kind}_{gate}": whole[f"d{kind}_{gate}"] * mask for gate in "fico"}
    assert_equal(both_ways(cell, params, x, states, dy, dstates), whole)


def test_limits_that_nothing_reaches_clip_nothing():
    cell = lstm(projection=True, clip={"a": 1e6, "c": 1e6, "p": 1e6})
    params, x, states = random_case(cell, T=T, B=B, seed=11)
    case = (params, x, states, *cotangents(states))
    assert_equal(both_ways(cell, *case), both_ways(lstm(projection=True), *case), exactly=True)


def test_full_gate_recurrence_with_zero_matrices_is_the_lstm():
    cell = lstm(gate_recurrence=True)
    params, x, states = random_case(cell, T=T, B=B, seed=12)
    params = {name: np.zeros_like(v) if len(name) == 4 and name[0] == "R" else v for name, v in params.items()}
    dy, dstates = cotangents(states)
    plain = {name: v for name, v in params.items() if not (len(name) == 4 and name[0] == "R")}
    # The final gates are states too; their cotangents would add to the gradients of the last step.
    dstates = (*dstates[:2], *(np.zeros_like(s) for s in dstates[2:]))
    wanted = both_ways(lstm(concat=None), plain, x, states[:2], dy, dstates[:2])
    assert_equal(both_ways(cell, params, x, states, dy, dstates), wanted)


def test_the_first_lstm_is_one_without_forget_gate_and_with_halved_arguments():
    s = SLOTS[0]
    twin = lstm(fixed="f", activations={"c": Lambda((s,), 2 * tanh(s / 2)), "h": Lambda((s,), tanh(s / 2))})
    params, x, states = random_case(twin, T=T, B=B, seed=13)
    case = (params, x, states, *cotangents(states))
    assert_equal(both_ways(ls.cell("lstm_1997"), *case), both_ways(twin, *case))


@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
def test_the_stabiliser_changes_c_and_nu_by_one_factor_and_h_not_at_all(forget):
    cell = slstm(forget=forget)
    params, x, (h, c, nu, s) = random_case(cell, T=T, B=B, seed=14)
    nu, shift = np.abs(nu) + 0.5, 1.7
    y, _, c_T, nu_T, s_T = run(cell, params, x, h, c, nu, s)
    shifted = run(cell, params, x, h, c * np.exp(-shift), nu * np.exp(-shift), s + shift)
    np.testing.assert_allclose(shifted[0], y, rtol=1e-11)
    np.testing.assert_allclose(shifted[2] * np.exp(shifted[4]), c_T * np.exp(s_T), rtol=1e-11)
    np.testing.assert_allclose(shifted[3] * np.exp(shifted[4]), nu_T * np.exp(s_T), rtol=1e-11)


def test_layer_normalisation_has_no_use_for_the_scale_of_its_weights():
    for name in ("layer_norm", "layer_norm_gate"):
        cell = lstm(layer_norm="joint" if name == "layer_norm" else "gate", eps=0)
        params, x, states = random_case(cell, T=T, B=B, seed=15)
        scaled = {k: v * 3 if k[0] in "WR" else v for k, v in params.items()}
        np.testing.assert_allclose(run(cell, scaled, x, *states)[0], run(cell, params, x, *states)[0], rtol=1e-10)


def test_minimal_gates_sum_to_one():
    cell = ls.cell("minlstm")
    params, x, states = random_case(cell, T=1, B=B, seed=16)
    f, i = ls.compile_program(cell, ("f_tilde", "i_tilde"))(params, x[0], *states)
    np.testing.assert_allclose(f + i, 1, rtol=1e-15)
