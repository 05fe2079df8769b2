"""What a check asks in words: its clause, its equations, and that it catches what it says."""

import json

import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.report.clause import checks_of
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.exercised import equations_of
from lstm_spec.verify.selftest import kill, planted
from tests import faulty

CATCHES = {
    "step": "initial-c-ignored",
    "sequence": "c-not-carried",
    "inputs": "x-changed",
    "gradient_step": "db_f-zero",
    "gradient_sequence": "truncated-2",
}


def explain(*words):
    return CliRunner().invoke(main, ["explain", *words])


def test_every_check_says_what_it_asks_and_catches():
    for check in checks_of(ls.cell("peephole")).values():
        assert check.asks
        assert check.catches
        assert not check.asks.endswith(".")


@pytest.mark.parametrize("check", CATCHES)
def test_a_check_catches_what_it_says_first(check):
    fault = next(f for f in planted(ls.lstm()) if f.id == CATCHES[check])
    assert kill(fault, profile="quick").check == check


def test_the_equations_of_the_cell_are_shown():
    shown = explain("step").output
    assert shown.startswith("step: one step computes the equations of the cell\n  asked    one step is run")
    assert "  needs    signature\n" in shown
    assert (
        "\nEquations of lstm that it exercises; ' marks the step before\n  z = [x; h']\n  a_f = W_f z + b_f\n" in shown
    )
    assert "δr = (R_hᵀ δa_h)∘h'" in explain("gradient_step", "--spec", "gru").output
    assert "Equations" not in explain("signature").output


def test_a_law_is_told_by_its_statement():
    shown = explain("law_sign_flip").output
    assert shown.startswith("law_sign_flip: ")
    assert "with no reference beside them" in shown


def test_the_list_has_every_check():
    ids = [line.split(" ")[0] for line in explain("--list").output.splitlines()]
    assert ids[: len(CHECKS)] == [check.id for check in CHECKS]
    assert "law_sign_flip" in ids


def test_as_json():
    told = json.loads(explain("sequence", "--json", "-").output)
    assert told["needs"] == ["step"]
    assert told["equations"][-1] == "h = o∘tanh(c)"
    assert {c["id"] for c in json.loads(explain("--list", "--json", "-").output)["checks"]} >= {"step", "law_sign_flip"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["stp"], 'there is no check "stp"; did you mean step?'),
        (["step", "--spec", "lstmm"], 'there is no cell "lstmm"'),
    ],
)
def test_a_mistake_is_one_sentence(words, sentence):
    result = explain(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"lstm-spec: {sentence}")


def test_the_report_says_which_equations_were_exercised_and_how_often():
    report = ls.verify(faulty.correct, profile="quick", checks=["signature", "step", "inputs"])
    told = report.to_dict()["exercised"]
    assert [e["equation"] for e in told] == list(equations_of(ls.lstm(), ["forward"]))
    step = next(c for c in report.checks if c.id == "step")
    assert {(tuple(e["checks"]), e["cases"]) for e in told} == {(("step",), step.cases - step.inconclusive)}


def test_gradients_that_are_not_asked_exercise_no_adjoint():
    told = ls.verify("numpy", profile="quick", checks=["step", "gradient_step"], dtypes=["float64"]).exercised
    adjoints = [e for e in told if e.equation.startswith("δ")]
    assert adjoints
    assert {e.checks for e in adjoints} == {("gradient_step",)}
    assert equations_of(ls.layers(bidirectional=True), ["forward"]) == equations_of(ls.lstm(), ["forward"])
