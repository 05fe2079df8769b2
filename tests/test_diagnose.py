"""A diagnosis names what was planted, says what it cannot tell apart, and is silent where nothing fits."""

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.report.console import diagnosis_lines
from lstm_spec.targets.contract import Target
from lstm_spec.targets.layouts import layout
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.gate_faults import gate_faults
from lstm_spec.verify.selftest import planted
from tests import faulty, faulty_gradients

NAMED = {
    "gates_permuted": "the gates are taken in the order i, f, c̃, o where they are f, i, c̃, o",
    "forget_bias_missing": "the term b_f is missing in a_f = W_f z + b_f",
    "no_output_tanh": "c stands where the spec has tanh(c), in h = o∘tanh(c)",
    "previous_cell_in_output": "h uses c' where the spec has c, in h = o∘tanh(c)",
    "sigmoid_candidate": "σ(a_c) stands where the spec has tanh(a_c), in c̃ = tanh(a_c)",
    "hard_sigmoid_gates": "hard_sigmoid stands where the spec has sigmoid, in f, i and o",
    "initial_state_ignored": "the initial states are ignored",
    "states_swapped": "the final h and c are returned in each other's place",
    "rows_mixed": "h goes from step to step with the rows reversed",
    "last_step_dropped": "y is zero at the last step",
}


GRADIENTS = [check.id for check in CHECKS if check.gradients]
UNEXPLAINED: set[str] = set()


def quick(target, **options):
    return ls.verify(target, profile="quick", **options)


@pytest.mark.parametrize("name", NAMED)
def test_a_planted_fault_is_named_first(name):
    report = quick(getattr(faulty, name))
    assert report.diagnosis[0].sentence == NAMED[name]
    assert sum(d.confidence for d in report.diagnosis) == pytest.approx(1)
    assert report.to_dict()["diagnosis"][0]["sentence"] == NAMED[name]
    assert diagnosis_lines(report)[0] == f"Probably: {NAMED[name]}"


def test_overflow_and_lower_precision_are_named():
    assert "something overflows" in quick(faulty.nan_for_large).diagnosis[0].sentence

    def coarse(params, x, h0, c0):
        single = {k: v.astype("float32") for k, v in params.items()}
        outputs = faulty.correct(single, *(v.astype("float32") for v in (x, h0, c0)))
        return tuple(v.astype(x.dtype) for v in outputs)

    (found,) = quick(coarse).diagnosis
    assert found.id == "accuracy-of-float32"


class Stateful:
    """Goes on from the states of the call before, as long as the sizes stay what they were."""

    def __init__(self):
        self.states = None

    def forward(self, params, x, h0, c0):
        if self.states is None or self.states[0].shape != h0.shape:
            self.states = h0, c0
        y, *self.states = faulty.correct(params, x, *self.states)
        return y, *self.states


def by_chance(params, x, h0, c0):
    y, h, c = faulty.correct(params, x, h0, c0)
    return y + 1e-9 * np.random.randn(*y.shape), h, c


@pytest.mark.parametrize("target", [Stateful(), by_chance])
def test_what_differs_from_call_to_call_is_said_to(target):
    (found,) = quick(target).diagnosis
    assert found.id == "depends-on-calls"


def test_a_result_that_the_next_call_writes_over_is_found():
    class Buffered:
        def __init__(self):
            self.y = None

        def forward(self, params, x, h0, c0):
            y, h, c = faulty.correct(params, x, h0, c0)
            if self.y is None or self.y.shape != y.shape:
                self.y = np.empty_like(y)
            self.y[...] = y
            return self.y, h, c

    report = quick(Buffered())
    (failed,) = (c for c in report.checks if c.status == "discrepancy")
    assert failed.id == "repeat"
    assert "an array that its next call wrote over" in failed.message


def test_what_is_not_finite_without_a_large_number_is_no_overflow():
    def infinite(params, x, h0, c0):
        y, h, c = faulty.correct(params, x, h0, c0)
        return y, h, c + np.inf

    (found,) = quick(infinite).diagnosis
    assert (found.id, found.sentence) == ("not-finite", "c is inf where the spec is finite")


def test_what_is_right_has_no_diagnosis():
    report = quick("numpy", checks=["step"])
    assert report.diagnosis == ()
    assert diagnosis_lines(report) == []


def test_nothing_is_said_of_a_function_that_fits_nothing():
    def other(params, x, h0, c0):
        y, h, c = faulty.correct(params, x, h0, c0)
        return np.cos(3 * y) + 0.1, np.sin(h + 1), np.exp(-c)

    report = quick(other)
    assert report.verdict == "discrepancy"
    assert report.diagnosis == ()
    assert diagnosis_lines(report) == ["No fault of the catalogue, nor a pair of them, gives these numbers."]


def test_two_faults_at_once_are_both_named():
    def twice(params, x, h0, c0):
        return faulty.plain(params, x, h0, c0, late_c=True, forget_bias=False)

    (found,) = quick(twice).diagnosis
    assert NAMED["forget_bias_missing"] in found.sentence
    assert NAMED["previous_cell_in_output"] in found.sentence


def test_a_wrong_order_of_gates_is_said_in_terms_of_the_packing():
    pytorch = layout("pytorch")

    def packed(params, x, h0, c0):
        own = {k: v.reshape(4, -1, *v.shape[1:])[[1, 0, 2, 3]].reshape(v.shape) for k, v in params.items()}
        canonical = pytorch.unpack(own, ls.lstm().dimensions(n=x.shape[-1], m=h0.shape[-1]), concat="xh")
        return faulty.correct(canonical, x, h0, c0)

    report = ls.verify(Target(name="packed", forward=packed, layout=pytorch), profile="quick")
    assert report.verdict == "discrepancy"
    assert report.diagnosis[0].sentence == "it matches the spec if the gates are packed f, i, c̃, o"


@pytest.mark.parametrize("name", faulty_gradients.FAULTS)
def test_a_fault_of_gradients_is_explained(name):
    report = quick(faulty_gradients.target(name, faulty_gradients.FAULTS[name]), checks=GRADIENTS)
    assert report.verdict == "discrepancy"
    assert report.diagnosis or name in UNEXPLAINED, name


@pytest.mark.parametrize("spec", ["lstm", "gru"])
def test_planted_hypotheses_are_recognised(spec):
    """A part of the catalogue, planted as targets: what comes first is the fault, or gives the same numbers."""
    cell = ls.cell(spec)
    chosen = [h for h in planted(cell) if not h.in_gradients_only and h.kind not in ("calls", "precision")][::29]
    for fault in chosen:
        report = quick(Target(name=fault.id, forward=fault.forward), spec=spec, first_finding=True)
        if report.verdict == "discrepancy":
            said = {d.sentence for d in report.diagnosis}
            # A clip far out changes nothing but the last digits, and is told as what it costs.
            assert fault.sentence in said or (fault.kind == "clip" and report.diagnosis), fault.id


@pytest.mark.parametrize("place", ["a", "c", "h"])
def test_faults_of_several_equations_are_made_of_cells_with_limits_too(place):
    made = gate_faults(ls.lstm(clip={place: 0.5}))
    assert made
    assert all(h.program.states == ("h", "c") for h in made)
