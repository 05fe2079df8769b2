"""Backpropagation through time: its ends, its truncation, and what it does not cost."""

import numpy as np
import pytest

from lstm_spec import WriteError, bptt, cell, cells, lstm, run, write
from lstm_spec.report.derive import derived_text
from lstm_spec.spec.equation import ProgramError
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


def test_the_ends_are_equations_of_their_step():
    """Of the gru, δh⁺ would be multiplied by u⁺: what comes from outside is added as it is, and nothing at a cut."""
    through_time = bptt(cell("gru"), window=3)
    assert [str(d) for d in through_time.last] == ["δh = δy + δh_T"]
    assert [str(d) for d in through_time.cut] == ["δh = δy"]
    printed = str(through_time)
    assert "with δh_T for the gradient that comes from outside on the final state:\n  δh = δy + δh_T\n" in printed
    assert "multiple of 3, where nothing arrives:\n  δh = δy\n" in printed
    assert [str(d) for d in bptt(lstm(concat=None)).last] == [
        "δh = δy + δh_T",
        "δc = δh∘o∘(1 − tanh(c)∘tanh(c)) + δc_T",
    ]


@pytest.mark.parametrize("name", cells())
def test_the_text_is_what_write_gives_and_every_format_has_every_section(name):
    through_time = bptt(cell(name), window=7)
    assert write(through_time) == f"{through_time}\n"
    for form, mark in (("latex", r"\begin{align}"), ("markdown", "$$\n\\begin"), ("mathml", 'display="block"')):
        assert write(through_time, format=form).count(mark) == len(list(through_time.sections())) == 5


def test_latex_has_the_steps_in_subscripts_and_marks_what_comes_from_outside():
    written = write(bptt(cell("gru")), format="latex", notation="pytorch")
    assert r"\delta z_t\odot" in written
    assert r"$t = T, \dots, 1$:" in written
    assert r"\delta h_{t+1}\odot z_{t+1}" in written
    assert r"\delta h_T &= \delta y_T + \delta h_T^+" in written
    assert r"\delta h_0 &= \delta h_1\odot z_1" in written
    assert r"\delta W_{iz} &= \sum_t \delta a_{z,t}\, x_t^{\top}" in written
    greff = write(bptt(lstm()), notation="greff")
    assert "δy^{T} = Δ^{T} + δy^{T,+}" in greff.replace("^T ", "^{T} ")


def test_a_gradient_through_time_brings_what_leads_to_it_through_the_step_after():
    written = derived_text(lstm(concat=None), wrt=["b_o", "c_prev"], through_time=True)
    assert "  δb_o = Σ_t δa_o\n" in written
    assert "  δc_0 = δc∘f\n" in written
    assert "  δa_f = δf∘f∘(1 − f)\n" in written, "δh reads it of the step after"
    assert "δW_" not in written
    assert "δh_0" not in written
    assert "δx" not in written
    with pytest.raises(ProgramError, match="no W_g to differentiate by"):
        derived_text(lstm(), wrt=["W_g"], through_time=True)


@pytest.mark.parametrize("choice", [{"form": "numpy"}, {"level": "unit"}])
def test_through_time_is_refused_where_it_is_not_written(choice):
    with pytest.raises(WriteError, match="backpropagation through time is written for whole layer vectors as text"):
        derived_text(lstm(), through_time=True, **choice)


def test_what_is_no_backward_pass_is_not_derived_through_time():
    for choice in ({"forward": True}, {"jacobian": ("c", "c_prev")}):
        with pytest.raises(ProgramError, match="are two things"):
            derived_text(lstm(), through_time=True, **choice)
    with pytest.raises(WriteError, match="through time defines no dW_g"):
        write(bptt(lstm()), only=["dW_g"])


def test_the_recurrence_keeps_its_shapes_and_names_each_value_once():
    recurrence = bptt(CELL).recurrence
    carried = [(before.name, after.name) for before, after in recurrence.carried]
    assert carried == [("dz_next", "dz"), ("da_f_next", "da_f"), ("da_i_next", "da_i"), ("dc_next", "dc")]
    assert [s.name for s in recurrence.inputs] == ["x", "dy", "f_next"]


def test_nothing_is_unrolled():
    """One step is written down, whatever n, m and T: as many equations as the cell's backward pass, less the states."""
    for through_time in (bptt(CELL), bptt(CELL, window=1_000_000)):
        assert len(through_time.recurrence.derived) == len(through_time.step.derived) - len(through_time.first)
