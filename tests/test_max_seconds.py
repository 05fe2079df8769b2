"""A verification that has only so much time: when it ends, what it says, and that it never says "verified"."""

import json
import sys

import jsonschema
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.report.html import html
from lstm_spec.report.junit import junit
from lstm_spec.report.schema import report_schema
from lstm_spec.targets.onnx_file import Node
from lstm_spec.verify import models
from lstm_spec.verify.campaign import Job
from lstm_spec.verify.deadline import OutOfTime
from lstm_spec.verify.fit import UsageError
from tests import faulty

# The name of the package is that of the function too.
DEADLINE = sys.modules[OutOfTime.__module__]
CHECKS = ["signature", "step", "sequence", "law_causality"]


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by a second with every call of a target."""
    seconds = [0.0]
    monkeypatch.setattr(DEADLINE, "monotonic", lambda: seconds[0])
    return seconds


def slow(forward, clock, each):
    def taking_its_time(params, x, h0, c0):
        clock[0] += each
        return forward(params, x, h0, c0)

    return taking_its_time


def verified(clock, seconds, forward=faulty.correct, each=1, **options):
    return ls.verify(slow(forward, clock, each), profile="quick", checks=CHECKS, max_seconds=seconds, **options)


@pytest.mark.parametrize("seconds", [0, 1, 12, 13, 100, 131])
def test_no_call_begins_after_the_last_second_and_nothing_is_verified_then(seconds, clock):
    report = verified(clock, seconds)
    assert clock[0] == report.cases == seconds
    assert (report.verdict, report.exit_status, report.out_of_time) == ("inconclusive", 3, True)
    assert report.detection == {}
    assert [c.id for c in report.checks if c.id != "gradients"] == CHECKS
    *whole, cut = [c for c in report.checks if c.status not in ("not_reached", "not_claimed")]
    assert all(c.status == "verified" for c in whole)
    assert (cut.status, cut.message) == ("inconclusive", "out of time")
    left = [c for c in report.checks if c.status == "not_reached"]
    assert all((c.cases, c.message) == (0, "not asked, out of time") for c in left)


def test_with_time_enough_nothing_is_changed(clock):
    report = verified(clock, 1e9)
    assert (report.verdict, report.out_of_time) == ("verified", False)
    without = ls.verify(faulty.correct, profile="quick", checks=CHECKS)
    assert [(c.id, c.status, c.cases, c.worst) for c in report.checks] == [
        (c.id, c.status, c.cases, c.worst) for c in without.checks
    ]


def test_that_only_laws_are_missing_is_not_passed_over(clock):
    whole = verified(clock, None)
    law = next(c for c in whole.checks if c.id == "law_causality")
    report = verified(clock, 1 + sum(c.cases for c in whole.checks) - law.cases)
    assert [c.status for c in report.checks if c.id in CHECKS[:3]] == ["verified"] * 3
    assert report.verdict == "inconclusive"


@pytest.mark.parametrize(("each", "named"), [(0.5, True), (6, False)])
def test_a_fault_is_told_though_time_is_out(each, named, clock):
    """It is looked for no simpler case then; but what is wrong may still be asked, for ten seconds."""
    calls = verified(clock, None, faulty.gates_permuted, first_finding=True).cases
    began = clock[0]
    report = verified(clock, each * calls, faulty.gates_permuted, each=each)
    assert (report.verdict, report.exit_status, report.out_of_time) == ("discrepancy", 1, True)
    assert clock[0] - began < each * calls + 10 + each
    assert report.failing.snippet
    assert any("in the order" in diagnosis.sentence for diagnosis in report.diagnosis) == named


def test_every_form_of_the_report_says_so(clock):
    report = verified(clock, 13)
    assert "2 checks not reached" in html(report)
    assert "Out of time: what follows is what was known by then." in html(report)
    assert 'skipped message="not reached: not asked, out of time"' in junit(report)
    jsonschema.validate(json.loads(json.dumps(report.to_dict())), report_schema())


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), True, "60"])
def test_what_is_no_number_of_seconds_is_refused(wrong):
    with pytest.raises(UsageError, match="max_seconds is a number of seconds from 0 on, got"):
        ls.verify("numpy", max_seconds=wrong)


def test_the_command_takes_it():
    outcome = CliRunner().invoke(main, ["verify", "numpy", "--max-seconds", "0", "--json", "-"])
    told = json.loads(outcome.stdout)
    assert (outcome.exit_code, told["verdict"], told["out_of_time"]) == (3, "inconclusive", True)
    job = Job("numpy", (("max-seconds", "60"),))
    assert job.arguments == ["numpy", "--max-seconds", "60"]


def test_the_nodes_of_a_model_share_the_time(monkeypatch):
    given, seconds = [], iter([100.0, 130.0, 170.0, 250.0])
    monkeypatch.setattr(DEADLINE, "monotonic", lambda: next(seconds))
    monkeypatch.setattr(models, "nodes", lambda *asked, **options: [Node("", "LSTM", target="any")] * 3)
    monkeypatch.setattr(models, "verified", lambda target, options: given.append(options.max_seconds))
    models.verify_model("m.onnx", max_seconds=120)
    assert given == [90.0, 50.0, 0.0]
