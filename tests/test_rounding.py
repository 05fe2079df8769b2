"""The bound holds for correct implementations, and a wrong one leaves it."""

import re

import numpy as np
import pytest

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.bounded import forward_stages as stages
from lstm_spec.compute.compile import run
from lstm_spec.compute.forced import error_bound, forced_bounds
from lstm_spec.compute.rounding import half_ulp
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.operators import apply
from tests.tables import OPTIONS, cube, random_case


def largest_ratio(cell, params, x, states, outputs, dtype):
    """Return the largest error over allowed error of what an implementation returned."""
    allowed = forced_bounds(cell, params, x, states, outputs[0], accuracy(dtype))
    ratios = []
    for name, got in zip(("y", *cell.states), outputs, strict=True):
        bounded = np.isfinite(allowed[name].error)
        error = np.abs(np.asarray(got, np.float64) - allowed[name].value)[bounded]
        ratios.append(np.max(error / allowed[name].error[bounded], initial=0))
    return max(ratios)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_correct_implementation_stays_within_the_bound(options, dtype):
    cell = lstm(**options)
    for seed, scale in enumerate((0.1, 1.0, 5.0)):
        params, x, states = random_case(cell, n=5, m=4, T=7, B=3, seed=seed, scale=scale, dtype=dtype)
        assert largest_ratio(cell, params, x, states, run(cell, params, x, *states), dtype) <= 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_weight_that_is_slightly_off_leaves_the_bound(dtype):
    cell = lstm()
    params, x, states = random_case(cell, n=3, m=3, T=4, B=2, seed=0, dtype=dtype)
    off = {**params, "W_f": params["W_f"] * np.array(1 + (1e-4 if dtype == "float32" else 1e-11), dtype)}
    assert largest_ratio(cell, params, x, states, run(cell, off, x, *states), dtype) > 1


def test_long_chaotic_sequences_stay_conclusive():
    cell = lstm()
    params, x, states = random_case(cell, n=16, m=64, T=100, B=1, seed=1, scale=1.5, dtype="float32")
    outputs = run(cell, params, x, *states)
    allowed = forced_bounds(cell, params, x, states, outputs[0], accuracy("float32"))
    free = run(
        cell, {k: v.astype(float) for k, v in params.items()}, x.astype(float), *(s.astype(float) for s in states)
    )
    assert np.abs(outputs[0] - free[0]).max() > 1e-2, "the case is meant to be chaotic"
    assert largest_ratio(cell, params, x, states, outputs, "float32") <= 1
    assert allowed["y"].error.max() < 1e-3


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_what_may_overflow_has_no_bound():
    cell = lstm(coupled="f=1-i", activations={"c": "relu", "h": "identity"})
    params, x, states = random_case(cell, n=5, m=4, T=7, B=3, seed=2, scale=5.0, dtype="float16")
    outputs = run(cell, params, x, *states)
    allowed = forced_bounds(cell, params, x, states, outputs[0], accuracy("float16"))
    assert not np.isfinite(outputs[0]).all()
    assert np.isinf(allowed["y"].error).any()
    assert largest_ratio(cell, params, x, states, outputs, "float16") <= 1


def test_saturation_and_huge_inputs_leave_finite_bounds():
    cell = lstm(peepholes="fio")
    params, x, states = random_case(cell, n=4, m=4, T=5, B=2, seed=0, scale=100.0, dtype="float32")
    x = (x * np.float32(1e4)).astype(np.float32)
    outputs = run(cell, params, x, *states)
    allowed = forced_bounds(cell, params, x, states, outputs[0], accuracy("float32"))
    assert all(np.isfinite(b.error).all() for b in allowed.values())
    assert largest_ratio(cell, params, x, states, outputs, "float32") <= 1


def test_half_an_ulp():
    values = np.array([1.0, 1.5, 1.999, 2.0, 0.75, 3e-5])
    np.testing.assert_array_equal(half_ulp(values, 2.0**-24), np.spacing(values.astype(np.float32)) / 2)


def test_the_cell_state_is_the_only_recurrence_left_when_h_is_given():
    assert [name for name, _ in stages(lstm()).through] == ["c"]
    assert {name for name, _ in stages(lstm(peepholes="fio")).through} == {"a_f", "f", "a_i", "i", "c"}
    assert [name for name, _ in stages(lstm(peepholes="o")).after] == ["a_o", "o", "h"]


def test_a_function_without_a_rule_is_refused():
    cell = lstm().with_equation("f", apply(cube, lstm().symbols["a_f"]))
    params, x, states = random_case(cell, n=2, m=2, T=1, B=1, seed=0)
    with pytest.raises(ValueError, match="the function cube has no rule for its rounding error"):
        forced_bounds(cell, params, x, states, np.zeros((1, 1, 2)), accuracy("float64"))


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="no accuracy contract for float8; there is one for float64"):
        accuracy("float8")


def test_zero_is_exact():
    assert half_ulp(np.zeros(2), 2.0**-24).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"params": {}}, "the parameters of lstm are W_f, W_i, W_c, W_o, b_f, b_i, b_c, b_o; got none"),
        ({"states": 1}, "lstm has 2 initial states, h0, c0; got 1"),
        ({"y": (3, 1, 1)}, "y has shape (3, 1, 1); expected (2, 1, 1), (T, B, m) as x and h0 have them"),
    ],
    ids=["params", "states", "y"],
)
def test_arrays_that_do_not_belong_together_are_refused_in_one_sentence(change, sentence):
    cell = lstm()
    params = {name: np.ones(shape) for name, shape in cell.dimensions(n=1, m=1).items()}
    states = [np.ones((1, 1))] * change.get("states", 2)
    y = np.ones(change.get("y", (2, 1, 1)))
    with pytest.raises(DimensionError, match=re.escape(sentence)):
        error_bound(cell, change.get("params", params), np.ones((2, 1, 1)), *states, y=y)
