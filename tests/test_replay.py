"""A stored counterexample asked again: reproduced, gone, or unusable in one sentence."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator, ValidationError

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.report.schema import report_schema
from lstm_spec.targets.origin import Origin
from lstm_spec.verify import snippet
from lstm_spec.verify.verdict import case_dict
from tests import faulty
from tests.faulty_layers import stack

TARGETS = "from tests.faulty import *\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(TARGETS)
    report = ls.verify("mine.py:rows_mixed", profile="quick", diagnose=False)
    (tmp_path / "report.json").write_text(json.dumps(report.to_dict()))
    return tmp_path


def replay(*words):
    return CliRunner().invoke(main, ["replay", *words])


def told(target, **options):
    """A report as it comes out of its file."""
    return json.loads(json.dumps(ls.verify(target, profile="quick", diagnose=False, **options).to_dict()))


@pytest.mark.parametrize(
    "fault", [f for f in faulty.FAULTS if f is not faulty.gates_permuted], ids=lambda f: f.__name__
)
def test_a_counterexample_is_reproduced_and_gone_once_mended(fault):
    report = told(fault)
    again = ls.replay(report)
    assert (again.reproduced, again.check) == (True, report["counterexample"]["check"])
    assert again.message == report["counterexample"]["message"]
    mended = ls.replay(report, target=faulty.correct)
    assert (mended.reproduced, mended.exit_status, mended.message) == (False, 0, "the stored case passes")


def test_numbers_come_back_to_the_last_bit():
    report = told(faulty.nan_for_large, dtypes=["float32"])
    seen = []

    def looking(params, x, h0, c0):
        seen.append(x)
        return faulty.correct(params, x, h0, c0)

    ls.replay(report, target=looking)
    assert seen[0].dtype == np.float32
    assert [[[v.hex() for v in row] for row in step] for step in seen[0].astype(float).tolist()] == report[
        "counterexample"
    ]["x"]


def test_gradients_lengths_and_layers_are_replayed():
    network = ls.layers(bidirectional=True)
    wrong, right = (stack(layers=1, bidirectional=True, fault=fault) for fault in ("lengths ignored", None))
    wrong.past_length = right.past_length = "zero"
    report = told(wrong, spec=network, checks=["lengths"])
    assert "lengths" in report["counterexample"]
    assert ls.replay(report, target=wrong, spec=network).reproduced
    assert not ls.replay(report, target=right, spec=network).reproduced


def test_exposed_adjoints_are_stored():
    from lstm_spec.verify.cases import seeded_case
    from lstm_spec.verify.exposed import expose

    cell = ls.lstm()
    options = {"T": 2, "B": 1, "regime": "usual", "seed": 1, "gradients": True}
    case = expose(cell, seeded_case(cell, "float64", sizes={"n": 1, "m": 2}, **options), {"n": 1, "m": 2})
    assert case_dict(case)["exposed"]["da_f"] == [1, 3]


def test_the_command_says_what_came_of_it(folder):
    result = replay("report.json")
    assert result.exit_code == 1
    assert result.stdout.startswith("REPRODUCED  mine.py:rows_mixed, step: ")
    result = replay("report.json", "--target", "mine.py:correct", "--json", "-")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["status"] == "gone"
    (folder / "mine.py").write_text("from tests.faulty import correct as rows_mixed\n")
    assert replay("report.json").stdout == "GONE  mine.py:rows_mixed, step: the stored case passes\n"


def without(key):
    def change(report):
        del report["counterexample"][key]

    return change


def put(path, value):
    def change(report):
        *places, last = path
        for place in places:
            report = report[place]
        report[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put(["counterexample"], None), "report.json says discrepancy and has no counterexample to replay"),
        (put(["counterexample"], 3), "report.json: counterexample is an object, got 3"),
        (put(["schema"], 99), "report.json has the form of version 99, not 1; make it anew"),
        (lambda report: report.pop("verdict"), "report.json is no report; `lstm-spec verify --json FILE` writes one"),
        (without("x"), "report.json: the counterexample cannot be read: 'x' is missing"),
        (put(["counterexample", "x"], "soon"), "report.json: the counterexample cannot be read: "),
        (put(["counterexample", "x"], [[["0x1p0"], ["0x1p0", "0x1p0"]]]), "report.json: the counterexample cannot be"),
        (put(["counterexample", "dtype"], "float63"), "report.json: the counterexample cannot be read: "),
        (put(["counterexample", "params", "W_f"], [["0x1p0"]]), "report.json: the counterexample cannot be read: "),
        (put(["counterexample", "states", "c0"], [["0x1p0"]] * 9), "report.json: the arrays of the counterexample"),
        (put(["counterexample", "check"], "stp"), 'there is no check "stp"; did you mean step?'),
        (put(["spec"], "gru"), "report.json is about gru, not lstm; give its cell as spec"),
        (put(["given", "target"], None), "report.json is about mine.py:rows_mixed, to which no name leads; give a"),
        (put(["given", "target"], "mine.py:nothing"), "mine.py has no nothing"),
        (put(["counterexample", "check"], "gradient_step"), "mine.py:rows_mixed offers no backward, which gradient_st"),
    ],
    ids=range(15),
)
def test_what_cannot_be_replayed_is_one_sentence(folder, change, sentence):
    report = json.loads((folder / "report.json").read_text())
    change(report)
    (folder / "report.json").write_text(json.dumps(report))
    result = replay("report.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"lstm-spec: {sentence}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "other.json is no JSON: "), ("[]", "other.json is no report; "), (None, "cannot be read")],
)
def test_a_file_that_is_no_report(folder, text, sentence):
    if text is not None:
        (folder / "other.json").write_text(text)
    result = replay("other.json")
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_the_schema_refuses_what_is_no_report():
    validator = Draft202012Validator(report_schema())
    Draft202012Validator.check_schema(report_schema())
    report = told(faulty.sigmoid_candidate, checks=["step"])
    for path, wrong in ((["verdict"], "fine"), (["checks", 0, "status"], "FAILED"), (["counterexample", "x"], [[1.5]])):
        broken = json.loads(json.dumps(report))
        put(path, wrong)(broken)
        with pytest.raises(ValidationError):
            validator.validate(broken)


def test_a_program_that_a_file_names_is_run_only_if_somebody_names_it(folder):
    report = json.loads((folder / "report.json").read_text())
    harmful = f"{sys.executable} -c \"open('ran', 'w')\""
    (folder / "report.json").write_text(json.dumps({**report, "given": {"command": harmful}}))
    result = replay("report.json")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "report.json is about the program" in result.stderr
    assert not (folder / "ran").exists()
    with pytest.raises(ls.ReplayError, match="which is run only if you name it as the command"):
        ls.replay("report.json")
    named = replay("report.json", "--command", harmful)
    assert named.exit_code in (1, 2)
    assert (folder / "ran").exists()
    assert "give either --target or --command" in replay("report.json", "--command", "a", "--target", "b").stderr


def test_what_makes_a_long_case_again_names_the_program():
    subject = SimpleNamespace(target=SimpleNamespace(origin=Origin("./mine --fast", "command")))
    assert "ls.replay(\"report.json\", target=ls.Command('./mine --fast'))" in snippet.from_report(subject)
