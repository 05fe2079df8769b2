"""A target that has few sizes, or to which every other shape is dear, is asked for these alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lstm_spec as ls
from lstm_spec.targets.contract import Target
from lstm_spec.verify.cases import seeded_cases, small_cases
from tests.faulty import correct

pytestmark = pytest.mark.usefixtures("few_cases")

SHAPES = ({"T": 2, "B": 3, "n": 4, "m": 2}, {"T": 5, "B": 1, "n": 1, "m": 3})


def shape(case):
    return {"T": case.T, "B": case.B, "n": case.x.shape[2], "m": case.states[0].shape[1]}


@given(st.data())
@settings(max_examples=20)
def test_a_case_has_one_of_the_shapes(data):
    cell = ls.lstm()
    assert shape(data.draw(small_cases(cell, "float64", steps=9, among=SHAPES))) in SHAPES
    wide = seeded_cases(cell, "float64", steps=(1, 2, 5), among=SHAPES, gradients=True, possible=lambda s: s["n"] < 5)
    assert shape(data.draw(wide)) in SHAPES


@given(st.data())
@settings(max_examples=20)
def test_where_none_is_within_the_limits_only_the_sizes_are_taken(data):
    case = data.draw(small_cases(ls.lstm(), "float64", steps=1, among=SHAPES))
    assert case.T == 1
    assert {key: size for key, size in shape(case).items() if key in "nm"} in ({"n": 4, "m": 2}, {"n": 1, "m": 3})


def sized(n, m, forward=correct):
    def only(params, x, h0, c0):
        assert (x.shape[-1], h0.shape[-1]) == (n, m)
        return forward(params, x, h0, c0)

    sizes = {"n": n, "m": m}
    return Target("sized", forward=only, sizes=(sizes,), possible=lambda asked: asked == sizes)


def test_a_target_of_one_size_is_verified():
    assert ls.verify(sized(3, 2), profile="quick").verdict == "verified"


def test_its_counterexample_has_its_size():
    def wrong(params, x, h0, c0):
        y, h, c = correct(params, x, h0, c0)
        return y, h, c * 1.0001

    report = ls.verify(sized(3, 2, wrong), profile="quick")
    assert report.verdict == "discrepancy"
    assert {key: size for key, size in shape(report.finding.case).items() if key in "nm"} == {"n": 3, "m": 2}
    assert "AssertionError" not in report.finding.message
