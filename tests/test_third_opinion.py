"""The layer, the compiled backward pass and the complex step: all agree, and a fault in one of them is told as its."""

import numpy as np
import pytest

from lstm_spec import verify
from lstm_spec.calculus.adjoint import backward
from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.complex_step import complex_step, directional, partial
from lstm_spec.compute.forced import backward_bounds
from lstm_spec.compute.gradients import gradients
from lstm_spec.compute.layer import numpy_layer
from lstm_spec.spec.cells import lstm
from lstm_spec.verify.compare import Deviation
from lstm_spec.verify.opinions import disagreement, odd_one_out, third_opinion
from tests.faulty_gradients import FAULTS, target
from tests.gradients import random_cotangents
from tests.tables import OPTIONS, random_case
from tests.test_verify_gradients import question

SIZES = {"n": 2, "m": 2, "T": 3, "B": 2}


def by_layer(options, params, x, states, dy, dstates):
    dparams, dx, dh0, dc0 = numpy_layer(**options).backward(params, x, *states, dy, *dstates)
    return {**dparams, "x": dx, "h0": dh0, "c0": dc0}


def opinions_on(options, seed=0):
    """Return the three opinions, and twice what each may be off."""
    cell = lstm(**options)
    params, x, states = random_case(cell, **SIZES, seed=seed)
    y = numpy_layer(**options).forward(params, x, *states)[0]
    dy, dstates = random_cotangents(y, states, seed=seed + 1)
    given = (params, x, states, dy, dstates)
    opinions = {
        "layer": by_layer(options, *given),
        "equations": gradients(cell, *given),
        "complex step": complex_step(cell, *given),
    }
    bounds = backward_bounds(cell, params, x, states, y, dy, dstates, accuracy("float64"))
    return opinions, {name: 2 * bound.errors for name, bound in bounds.items()}


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_three_opinions_agree_over_the_whole_table(options):
    assert disagreement(*opinions_on(options)) is None


@pytest.mark.parametrize("faulty", ["layer", "equations", "complex step"])
@pytest.mark.parametrize("name", ["W_f", "b_o", "x", "h0", "c0"])
def test_a_fault_in_one_of_three_is_told_as_its(faulty, name):
    opinions, allowed = opinions_on({})
    opinions[faulty] = {**opinions[faulty], name: opinions[faulty][name] * (1 + 1e-9)}
    found = disagreement(opinions, allowed)
    assert (found.name, found.odd) == (name, faulty)


def test_a_wrong_equation_of_the_backward_pass_is_told_as_its():
    """A mutant of the forward pass, whose gradients are right for another cell, is alone against two."""
    params, x, states = random_case(lstm(), **SIZES, seed=0)
    dy, dstates = random_cotangents(np.empty((3, 2, 2)), states, seed=1)
    mutant = lstm().with_equation("h", lstm()["h"].expression.xreplace({lstm()["c"].symbol: lstm().symbols["c_prev"]}))
    assert backward(mutant).derivation == "backward"
    opinions, allowed = opinions_on({})
    for who, cell in (("equations", gradients), ("complex step", complex_step)):
        given = {**opinions, who: cell(mutant, params, x, states, dy, dstates)}
        assert disagreement(given, allowed).odd == who


def test_three_that_all_differ_have_no_odd_one():
    assert odd_one_out({"a": 1.0, "b": 2.0, "c": 3.0}) is None
    assert odd_one_out({"a": np.nan, "b": 2.0, "c": 2.0}) == "a"
    assert odd_one_out({"a": np.nan, "b": np.nan, "c": 2.0}) is None


def test_a_direction_adds_up_its_elements():
    cell = lstm(peepholes="fio")
    params, x, states = random_case(cell, **SIZES, seed=2)
    given = (cell, params, x, states, *random_cotangents(np.empty((3, 2, 2)), states, seed=3))
    every = gradients(*given)
    rng = np.random.default_rng(4)
    direction = {name: rng.standard_normal(g.shape) for name, g in every.items()}
    assert directional(*given, direction) == pytest.approx(sum(np.sum(every[k] * d) for k, d in direction.items()))
    assert partial(*given, "W_f", (1, 2)) == pytest.approx(every["W_f"][1, 2])


def test_the_report_says_with_whom_the_complex_step_agrees():
    report = verify(
        target("wrong", FAULTS["c_t in place of c_{t-1}"]), profile="quick", checks=["gradient_step"], seed=1
    )
    assert "; the complex step of the equations gives " in report.finding.message
    assert report.finding.message.endswith("and agrees with the specification")


@pytest.mark.parametrize(("got", "expected", "with_whom"), [(2, 1, "the target"), (1, 2, "the specification")])
def test_the_third_opinion_may_go_either_way(got, expected, with_whom):
    case = question()
    dy, *dstates = case.cotangents
    truth = gradients(lstm(), case.params, case.x, case.states, dy, tuple(dstates))["W_i"][1, 2]
    where = {"unit": 1, "column": 2}
    deviation = Deviation("dW_i", where, truth / 2 * got, truth / 2 * expected, 1e-15)
    assert third_opinion(lstm(), case, deviation).endswith(f"agrees with {with_whom}")
    far = Deviation("dW_i", where, 3 * truth, -truth, 1e-15)
    assert third_opinion(lstm(), case, far) == ""
