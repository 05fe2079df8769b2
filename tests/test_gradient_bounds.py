"""The derived bounds of gradients: they hold the exact values and what a correct run gives, and nothing much beyond."""

import numpy as np
import pytest

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.compile import run
from lstm_spec.compute.forced import backward_bounds
from lstm_spec.compute.gradients import gradients, leaves_of
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.recurrent import gru
from lstm_spec.verify.compare import compare
from tests.faulty_gradients import bptt, derivative
from tests.gradients import random_cotangents
from tests.tables import OPTIONS, plain_rnn, random_case

pytest.importorskip("flint")

from lstm_spec.compute.balls import exact_gradients

CELLS = {str(options): lstm(**options) for options in OPTIONS[::2]} | {
    "projection": lstm(projection=True),
    "gru": gru(),
    "rnn": plain_rnn(),
    "diagonal": plain_rnn(diagonal=True),
}
REGIMES = {"small": 1e-3, "usual": 0.6, "saturating": 8.0}
SIZES = {"T": 3, "B": 2, "n": 2, "m": 3}


def arguments(cell, *, dtype, seed=5, scale=0.6):
    params, x, states = random_case(cell, **SIZES, seed=seed, scale=scale, dtype=dtype)
    y = run(cell, params, x, *states)[0]
    dy, dstates = random_cotangents(y, states, seed=seed + 1)
    return params, x, states, dy.astype(dtype), tuple(d.astype(dtype) for d in dstates)


def allowed_and_exact(cell, given, dtype):
    """Return the bounds and the exact gradients, both on the h of a run in the format."""
    params, x, states, dy, dstates = given
    y = run(cell, params, x, *states)[0]
    allowed = backward_bounds(cell, params, x, states, y, dy, dstates, accuracy(dtype))
    return allowed, exact_gradients(cell, *given, y=y)


def largest_share(allowed, truth, found):
    """Return the largest distance from the exact values, over the allowed error."""
    shares = []
    for name, bounded in allowed.items():
        with np.errstate(all="ignore"):
            share = truth[name].distance(np.asarray(found[name], np.float64)) / bounded.errors
        shares.append(np.where(np.isfinite(bounded.errors), share, 0).max())
    return max(shares)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("key", CELLS)
def test_the_exact_gradients_and_those_of_a_run_are_within_the_bound(key, dtype):
    for seed, scale in enumerate(REGIMES.values()):
        given = arguments(CELLS[key], dtype=dtype, seed=seed, scale=scale)
        allowed, truth = allowed_and_exact(CELLS[key], given, dtype)
        assert largest_share(allowed, truth, gradients(CELLS[key], *given)) <= 1
        reference = {name: bounded.value for name, bounded in allowed.items()}
        # Its own part of the bound; the rest is the implementation's.
        assert largest_share(allowed, truth, reference) <= 0.5


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("key", ["{}", *list(CELLS)[-4:]])
def test_a_number_beyond_the_bound_is_caught_wherever_it_is(key, dtype):
    cell = CELLS.get(key, lstm())
    allowed, _ = allowed_and_exact(cell, arguments(cell, dtype=dtype), dtype)
    contract = accuracy(dtype)
    for name, bounded in allowed.items():
        for at in np.ndindex(bounded.value.shape):
            for share, agrees in ((0.99, True), (-0.99, True), (1.01, False), (-1.01, False)):
                found = {k: b.value.copy() for k, b in allowed.items()}
                found[name][at] += share * bounded.errors[at]
                # What the addition itself rounds away must not decide.
                moved = abs(found[name][at] - bounded.value[at]) / bounded.errors[at]
                comparison = compare(found, allowed, contract)
                assert comparison.agrees == (agrees if bounded.errors[at] == 0 else moved <= 1)
                assert comparison.worst.output == name or comparison.agrees


SLOPES = {
    "float64": lambda gate: derivative(gate) * (1 + 1e-12),
    "float32": lambda gate: derivative(gate) * np.float32(1 + 1e-4),
    "float16 inside": lambda gate: derivative(gate.astype(np.float16)).astype(gate.dtype),
}


@pytest.mark.parametrize(
    ("slope", "dtype"), [("float64", "float64"), ("float32", "float32"), ("float16 inside", "float32")]
)
def test_a_derivative_that_is_slightly_off_leaves_the_bound(slope, dtype):
    params, x, states, dy, dstates = given = arguments(lstm(), dtype=dtype)
    allowed, truth = allowed_and_exact(lstm(), given, dtype)
    for wrong in (derivative, SLOPES[slope]):
        dparams, dx, *initial = bptt(params, x, *states, dy, *dstates, slope=wrong)
        found = leaves_of(lstm(), dparams, dx, tuple(initial))
        assert (largest_share(allowed, truth, found) <= 1) == (wrong is derivative)


def test_a_bound_that_is_too_small_fails_against_the_exact_values():
    """The must-fail of this file: with a tenth of the rounding that is real, the run leaves the bound."""
    given = arguments(lstm(), dtype="float32")
    allowed, truth = allowed_and_exact(lstm(), given, "float32")
    narrow = {name: Bounded(b.value, b.errors / 100) for name, b in allowed.items()}
    assert largest_share(narrow, truth, gradients(lstm(), *given)) > 1
