"""Backpropagation through time: its ends, its truncation, and what it does not cost."""

import numpy as np
import pytest

from lstm_spec import bptt, lstm, run
from lstm_spec.spec.program import ProgramError
from tests.gradients import complex_step_gradient, derived_gradient, loss, random_cotangents
from tests.tables import random_case

CELL = lstm(peepholes="fio")


def sequence(T, seed=1):
    params, x, states = random_case(CELL, n=2, m=3, T=T, B=2, seed=seed)
    return params, x, states, *random_cotangents(np.empty((T, 2, 3)), states, seed=seed + 1)


@pytest.mark.parametrize("part", ["y", "h", "c"])
def test_each_external_gradient_alone_is_right(part):
    params, x, states, dy, (dh, dc) = sequence(3)
    dy, dh, dc = dy * (part == "y"), dh * (part == "h"), dc * (part == "c")
    expected = complex_step_gradient(CELL, params, x, states, dy, (dh, dc))
    found = derived_gradient(CELL, params, x, states, dy, (dh, dc))
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-12, err_msg=name)


def test_one_step_has_both_ends():
    params, x, states, dy, dstates = sequence(1)
    expected = complex_step_gradient(CELL, params, x, states, dy, dstates)
    found = derived_gradient(CELL, params, x, states, dy, dstates)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-12, err_msg=name)


def test_a_window_cuts_the_sequence_into_blocks():
    """With window 2 of 5 steps, the gradient is that of the blocks, each started from the state where it begins."""
    params, x, states, dy, dstates = sequence(5)
    found = derived_gradient(CELL, params, x, states, dy, dstates, window=2)
    total, begin = dict.fromkeys(params, 0.0), states
    zero = tuple(np.zeros_like(s) for s in states)
    for start in (0, 2, 4):
        block = slice(start, start + 2)
        last = dstates if start == 4 else zero
        part = derived_gradient(CELL, params, x[block], begin, dy[block], last)
        total = {name: total[name] + part[name] for name in total}
        begin = run(CELL, params, x[block], *begin)[1:]
        if start == 0:
            np.testing.assert_allclose(found["h0"], part["h0"], rtol=1e-12)
    for name in params:
        np.testing.assert_allclose(found[name], total[name], rtol=1e-12, atol=1e-14, err_msg=name)


def test_a_window_of_the_whole_length_is_the_full_gradient_and_a_shorter_one_is_not():
    arguments = sequence(4)
    full = derived_gradient(CELL, *arguments)
    whole = derived_gradient(CELL, *arguments, window=4)
    shorter = derived_gradient(CELL, *arguments, window=2)
    for name in full:
        np.testing.assert_array_equal(full[name], whole[name])
    assert np.abs(full["W_f"] - shorter["W_f"]).max() > 1e-3


def test_gradients_add_where_a_sequence_is_split():
    params, x, states, dy, dstates = sequence(5)
    full = derived_gradient(CELL, params, x, states, dy, dstates)
    middle = run(CELL, params, x[:3], *states)[1:]
    second = derived_gradient(CELL, params, x[3:], middle, dy[3:], dstates)
    first = derived_gradient(CELL, params, x[:3], states, dy[:3], (second["h0"], second["c0"]))
    for name in params:
        np.testing.assert_allclose(full[name], first[name] + second[name], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(full["x"], np.concatenate([first["x"], second["x"]]), rtol=1e-12)
    assert loss(CELL, params, x, states, dy, dstates) == pytest.approx(
        loss(CELL, params, x[:3], states, dy[:3], (0 * middle[0], 0 * middle[1]))
        + loss(CELL, params, x[3:], middle, dy[3:], dstates)
    )


def test_the_arriving_adjoint_says_where_it_comes_from():
    through_time = bptt(CELL, window=3)
    assert [through_time.arriving(t, 7) for t in range(1, 8)] == [
        "next",
        "next",
        "zero",
        "next",
        "next",
        "zero",
        "final",
    ]
    assert bptt(CELL).arriving(3, 7) == "next"
    with pytest.raises(ValueError, match="one of 1 … 7"):
        through_time.arriving(8, 7)
    for window in (0, -1, True, 1.5):
        with pytest.raises(ProgramError, match="positive number of steps"):
            bptt(CELL, window=window)


def test_it_prints_as_papers_do():
    printed = str(bptt(lstm(concat=None), window=5)).splitlines()
    assert printed[0] == "t = T, …, 1:"
    assert "  δh = δy + R_fᵀ δa_f⁺ + R_iᵀ δa_i⁺ + R_cᵀ δa_c⁺ + R_oᵀ δa_o⁺" in printed
    assert "  δc = δh∘o∘(1 − tanh(c)∘tanh(c)) + δc⁺∘f⁺" in printed
    assert "  δW_f = Σ_t δa_f xᵀ" in printed
    assert "  δc_0 = δc∘f" in printed
    assert any("multiple of 5" in line for line in printed)


def test_the_recurrence_keeps_its_shapes_and_names_each_value_once():
    recurrence = bptt(CELL).recurrence
    carried = [(before.name, after.name) for before, after in recurrence.carried]
    assert carried == [("dz_next", "dz"), ("da_f_next", "da_f"), ("da_i_next", "da_i"), ("dc_next", "dc")]
    assert [s.name for s in recurrence.inputs] == ["x", "dy", "f_next"]


def test_nothing_is_unrolled():
    """One step is written down, whatever n, m and T: as many equations as the cell's backward pass, less the states."""
    for through_time in (bptt(CELL), bptt(CELL, window=1_000_000)):
        assert len(through_time.recurrence.derived) == len(through_time.step.derived) - len(through_time.first)
