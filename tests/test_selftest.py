"""The tester is tested: what is planted is found, what is too late for a profile is said to live."""

import json
import re

import pytest
from click.testing import CliRunner

from lstm_spec import cell, lstm
from lstm_spec.cli import main
from lstm_spec.report.selftest import score_lines
from lstm_spec.verify.hypotheses import Hypothesis
from lstm_spec.verify.selftest import Score, kill, planted, selftest


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_part_of_the_catalogue_of_faults_is_found(name):
    faults = [f for f in planted(cell(name)) if not re.search("-(16|20|32|64)", f.id)][::23]
    kills = list(selftest(cell(name), profile="quick", faults=faults))
    assert [k.fault.id for k in kills] == [f.id for f in faults]
    assert [k.fault.id for k in kills if k.check is None] == []


@pytest.mark.catalogue
def test_every_fault_is_found_in_the_standard_profile():
    assert [k.fault.id for k in selftest(lstm()) if k.check is None] == []


@pytest.mark.catalogue
def test_nearly_every_fault_is_found_in_the_quick_profile():
    kills = tuple(selftest(lstm(), profile="quick"))
    assert Score("lstm", "quick", "float64", kills).share >= 0.97


def test_what_is_right_lives():
    alive = kill(Hypothesis("right", "none", "nothing is wrong", lstm()), profile="quick")
    assert alive.check is None
    score = Score("lstm", "quick", "float64", (alive,))
    assert (score.killed, score.share) == (0, 0.0)
    assert "  alive: right: nothing is wrong" in list(score_lines(score))


def test_gradients_alone_are_found_by_the_checks_of_gradients():
    fault = next(f for f in planted(lstm()) if f.id == "truncated-2")
    assert kill(fault, profile="quick").check == "gradient_sequence"


def test_there_are_faults_enough_and_a_loss_of_precision_depends_on_the_format():
    assert len(planted(lstm())) > 700
    assert not any(f.id == "computed-in-float32" for f in planted(lstm(), "float32"))
    assert any(f.id == "computed-in-float16" for f in planted(lstm(), "float32"))


def test_the_command_prints_the_score_and_fails_when_one_lives(tmp_path):
    file = tmp_path / "score.json"
    result = CliRunner().invoke(main, ["selftest", "--profile", "quick", "--kind", "order,offset", "--json", str(file)])
    assert result.exit_code == 0, result.output
    assert "11 of 11 planted faults found (100.0%) in lstm, float64, profile quick" in result.stdout
    assert json.loads(file.read_text())["killed"] == 11
    result = CliRunner().invoke(main, ["selftest", "--profile", "quick", "--kind", "ordr"])
    assert result.exit_code == 2
    assert 'there is no kind "ordr"; did you mean order?' in result.stderr
