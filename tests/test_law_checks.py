"""Laws as checks of a verification: which are asked of whom, and that a target which breaks one is told so."""

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute import layer
from lstm_spec.verify.fit import subject_of
from lstm_spec.verify.law_checks import law_checks
from tests.faulty import correct, no_output_tanh, sigmoid_candidate


def ids(target, spec=None):
    return [check.id for check in law_checks(subject_of(target, spec, None))]


def test_a_cell_is_asked_the_laws_that_hold_for_it():
    assert {"law_sign_flip", "law_unit_order", "law_contraction", "law_gradient_x_and_weights"} <= set(ids("numpy"))
    assert "law_convex_state" in ids("spec", "gru")
    assert not {"law_contraction", "law_carries"} & set(ids("spec", "gru"))
    assert "law_stabiliser" in ids("spec", "slstm")


def test_what_offers_no_gradients_is_asked_for_none():
    report = ls.verify(correct, profile="quick", checks=["law_sign_flip", "law_gradient_rows"])
    assert [(check.id, check.status) for check in report.checks] == [
        ("law_sign_flip", "verified"),
        ("gradients", "not_claimed"),
    ]


def test_fixed_weights_cannot_be_moved_about():
    class Trained:
        forward = staticmethod(correct)
        weights = {name: np.zeros(shape) for name, shape in ls.lstm().dimensions(n=2, m=3).items()}  # noqa: RUF012

    report = ls.verify(Trained(), profile="quick", checks=["signature", "law_sign_flip"])
    assert [(check.id, check.status) for check in report.checks][:2] == [
        ("signature", "verified"),
        ("law_sign_flip", "not_testable"),
    ]


@pytest.mark.parametrize(
    ("target", "law"),
    [
        (sigmoid_candidate, "law_sign_flip"),
        (sigmoid_candidate, "law_nothing"),
        (no_output_tanh, "law_all_zero"),
    ],
)
def test_a_fault_is_found_without_the_right_answer(target, law):
    report = ls.verify(target, checks=[law])
    assert report.verdict == "discrepancy"
    check = report.checks[0]
    assert check.message.startswith(f"not so: {check.clause}; ")
    assert check.finding.case.T <= 5


class WrongGradient:
    """The built-in layer, one of whose gradients is a little too large."""

    def forward(self, params, x, *states):
        return layer.forward(params, x, *states)

    def backward(self, params, x, *others):
        dparams, dx, *dstates = layer.backward(params, x, *others)
        return ({**dparams, "W_i": dparams["W_i"] * 1.01}, dx, *dstates)


@pytest.mark.parametrize("law", ["law_gradient_x_and_weights", "law_gradient_constant_x"])
def test_a_wrong_gradient_is_found_without_the_right_one(law):
    assert ls.verify(WrongGradient(), profile="quick", checks=[law]).verdict == "discrepancy"


def test_what_is_blocked_says_what_failed_first():
    report = ls.verify(sigmoid_candidate, profile="quick")
    found = {check.id: check for check in report.checks}
    assert found["law_sign_flip"].status == "blocked"
    assert found["law_sign_flip"].message == "not asked, since sequence failed"
