"""The float64 reference and the derived bounds against the exact values, in balls that certainly hold them."""

import numpy as np
import pytest
from sympy import Identity

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.compile import run
from lstm_spec.compute.forced import error_bound
from lstm_spec.compute.layer import forward
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.operators import apply, matmul
from tests.tables import OPTIONS, cube, plain_rnn, random_case

pytest.importorskip("flint")

from lstm_spec.compute.balls import Balls, exact

CELLS = {str(options): lstm(**options) for options in OPTIONS} | {
    "rnn": plain_rnn(),
    "diagonal": plain_rnn(diagonal=True),
}
REGIMES = {"small": 1e-3, "usual": 0.6, "saturating": 8.0}


def shares(cell, params, x, states, outputs, dtype):
    """Return error over allowed error of every output, the error measured from the exact values."""
    y, *final = outputs
    allowed = error_bound(cell, params, x, *states, y=y, dtype=dtype)
    truth = exact(cell, params, x, *states, y=y)
    result = []
    for name, balls, got in zip(("y", *cell.states), truth, (y, *final), strict=True):
        assert balls.radius.max() <= 1e-30
        bound = allowed[name].error
        with np.errstate(all="ignore"):
            result.append(np.where(np.isinf(bound), 0, balls.distance(got) / bound).max())
    return result


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("key", CELLS)
def test_the_reference_and_a_low_precision_run_are_within_the_bound_of_the_exact_values(key, regime):
    cell = CELLS[key]
    for dtype in ("float64", "float32"):
        params, x, states = random_case(cell, n=3, m=4, T=3, B=2, seed=11, scale=REGIMES[regime], dtype=dtype)
        assert max(shares(cell, params, x, states, run(cell, params, x, *states), dtype)) <= 1


@pytest.mark.parametrize("key", CELLS)
def test_the_value_that_the_bound_is_drawn_around_is_itself_within_its_share(key):
    """The bound has one part for the implementation and one for the reference; here the reference alone is judged."""
    cell = CELLS[key]
    params, x, states = random_case(cell, n=4, m=3, T=4, B=2, seed=3)
    y = run(cell, params, x, *states)[0]
    allowed = error_bound(cell, params, x, *states, y=y, dtype="float64")
    truth = exact(cell, params, x, *states, y=y)
    for name, balls in zip(("y", *cell.states), truth, strict=True):
        assert np.all(balls.distance(allowed[name].value) <= allowed[name].error / 2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_layer_written_for_speed_is_within_the_bound_of_the_exact_values(dtype):
    cell = lstm()
    for seed, scale in enumerate((1e-3, 0.5, 3.0, 30.0)):
        params, x, states = random_case(cell, n=9, m=8, T=12, B=2, seed=seed, scale=scale, dtype=dtype)
        assert max(shares(cell, params, x, states, forward(params, x, *states), dtype)) <= 1


def test_a_weight_that_is_slightly_off_is_outside():
    cell = lstm()
    params, x, states = random_case(cell, n=3, m=3, T=3, B=1, seed=0)
    off = {**params, "W_i": params["W_i"] * (1 + 1e-12)}
    assert max(shares(cell, params, x, states, run(cell, off, x, *states), "float64")) > 1


def test_precision_is_raised_until_a_chaotic_run_of_a_hundred_steps_is_known_to_thirty_digits():
    cell = lstm()
    params, x, states = random_case(cell, n=2, m=16, T=100, B=1, seed=1, scale=4.0)
    x = 0.1 * x
    truth = exact(cell, params, x, *states)
    assert all(balls.radius.max() < 1e-30 for balls in truth)
    got = run(cell, params, x, *states)
    assert truth[0].distance(got[0]).max() > 0.1, "the case is meant to leave no digit right in float64"
    assert max(shares(cell, params, x, states, got, "float64")) <= 1, "started from the returned h at every step"


def test_the_reference_runs_free_within_what_rounding_can_do_where_nothing_amplifies_it():
    cell = lstm()
    params, x, states = random_case(cell, n=8, m=8, T=100, B=2, seed=2, scale=0.2)
    truth = exact(cell, params, x, *states)
    for balls, got in zip(truth, run(cell, params, x, *states), strict=True):
        assert balls.radius.max() < 1e-30
        assert balls.distance(got).max() < 100 * 2.0**-53


def test_tails_and_large_numbers_are_exact_too():
    cell = lstm()
    params, x, states = random_case(cell, n=3, m=3, T=3, B=2, seed=4, scale=100.0)
    assert max(shares(cell, params, 1e4 * x, states, run(cell, params, 1e4 * x, *states), "float64")) <= 1


def test_a_ball_says_how_far_a_number_is():
    from flint import arb

    balls = Balls(np.array([[arb(1, 0.25), arb(-2)]]))
    np.testing.assert_allclose(balls.midpoint, [[1, -2]])
    np.testing.assert_allclose(balls.radius, [[0.25, 0]], atol=1e-300)
    np.testing.assert_allclose(balls.distance(np.array([[1.5, -1.0]])), [[0.75, 1.0]])
    assert np.all(balls.distance(np.array([[1.5, -1.0]])) >= [[0.75, 1.0]])
    assert np.isinf(balls.distance(np.array([[np.nan, np.inf]]))).all()


def test_what_has_no_rule_in_balls_is_refused():
    cell = lstm()
    arguments = random_case(cell, n=2, m=2, T=1, B=1, seed=0)
    wave = cell.with_equation("f", apply(cube, cell.symbols["a_f"]))
    with pytest.raises(ValueError, match=r"cube\(.*\) \(cube\) has no rule in ball arithmetic"):
        exact(wave, arguments[0], arguments[1], *arguments[2])
    same = cell.with_equation("f", matmul(Identity(cell.sizes[1]), cell.symbols["a_f"]))
    with pytest.raises(ValueError, match=r"\(Identity\) has no rule in ball arithmetic"):
        exact(same, arguments[0], arguments[1], *arguments[2])


def test_numbers_that_no_precision_brings_together_are_refused():
    cell = lstm()
    params, x, states = random_case(cell, n=2, m=2, T=1, B=1, seed=0)
    x[0, 0, 0] = np.nan
    with pytest.raises(ArithmeticError, match="65536 bits do not bring lstm within 1e-30 of its exact values"):
        exact(cell, params, x, *states)


def test_the_contracts_of_these_tests_are_the_default_ones():
    assert accuracy("float64").functions is accuracy("float32").functions
