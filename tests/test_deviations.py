"""Known deviations: declared, they fail nothing and hide nothing else; and what no status is passed over."""

import datetime
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.verify import prepare
from lstm_spec.verify.deviations import KnownDeviation, Seen, read_deviations, warnings_of
from lstm_spec.verify.fit import UsageError
from tests import faulty

FORWARD = ["signature", "step", "sequence", "batch", "inputs", "repeat"]


def late_rows(params, x, h0, c0):
    """Wrong in y of the second row alone, which every check of several rows sees."""
    y, h, c = faulty.correct(params, x, h0, c0)
    y[:, 1:] += 1
    return y, h, c


def asked(target, *known, **options):
    given = {"profile": "quick", "diagnose": False, "checks": FORWARD, **options}
    return ls.verify(target, known_deviations=known, **given)


def statuses(report):
    return {check.id: check.status for check in report.checks}


def test_a_declared_failure_is_known_and_what_needs_it_is_asked_all_the_same():
    report = asked(faulty.input_changed, KnownDeviation("inputs", "x is scaled in place", link="https://example.org/1"))
    assert statuses(report)["inputs"] == "known_deviation"
    assert report.verdict == "verified"
    assert report.failing is None
    assert report.to_dict()["counterexample"] is None
    told = next(c for c in report.to_dict()["checks"] if c["id"] == "inputs")
    assert told["known"] == {"reason": "x is scaled in place", "link": "https://example.org/1", "expires": None}
    assert told["message"].endswith("; known: x is scaled in place (https://example.org/1)")


def test_a_declared_root_hides_no_other_fault():
    """Declared for one step; that sequences fail as well is told, since nobody has said so."""
    report = asked(late_rows, KnownDeviation("step", "y of later rows"))
    assert statuses(report)["step"] == "known_deviation"
    assert statuses(report)["sequence"] == "discrepancy"
    assert statuses(report)["batch"] == "blocked"
    assert report.verdict == "discrepancy"
    assert report.failing.id == "sequence"


def test_a_declaration_of_a_diagnosis_covers_no_other_fault():
    known = KnownDeviation("step", "gates as PyTorch has them", diagnosis="gates-*")
    assert statuses(asked(faulty.gates_permuted, known))["step"] == "known_deviation"
    assert statuses(asked(faulty.sigmoid_candidate, known))["step"] == "discrepancy"


def test_a_declaration_for_a_format_covers_no_other():
    known = KnownDeviation("step", "computed in half", dtype="float32")
    both = {"dtypes": ["float32", "float64"], "checks": ["step"]}
    assert statuses(asked(faulty.weight_slightly_off, known, **both))["step"] == "discrepancy"
    either = KnownDeviation("step", "computed in half", dtype="float*")
    assert statuses(asked(faulty.weight_slightly_off, either, **both))["step"] == "known_deviation"


@pytest.mark.parametrize("other", [{"target": "torch*"}, {"spec": "gru"}, {"dtype": "bfloat16"}])
def test_a_declaration_about_something_else_covers_nothing(other):
    report = asked(faulty.sigmoid_candidate, KnownDeviation("step", "other", **other), checks=["step"])
    assert statuses(report)["step"] == "discrepancy"
    assert report.warnings == ()


def test_a_stale_declaration_warns_and_fails_where_that_is_asked():
    known = KnownDeviation("step", "mended long ago")
    report = asked(faulty.correct, known, checks=["step"])
    assert report.verdict == "verified"
    assert report.warnings == ("the known deviation of step is stale: the check passes; take it out",)
    strict = asked(faulty.correct, known, checks=["step"], strict=True)
    assert strict.verdict == "discrepancy"
    assert strict.checks[-1].id == "known_deviations"
    assert strict.checks[-1].message == report.warnings[0]


def test_what_was_not_asked_is_not_stale():
    known = (KnownDeviation("step", "other"), KnownDeviation("gradient_step", "other"))
    report = asked(faulty.correct, *known, checks=["signature"], strict=True)
    assert (report.warnings, report.verdict) == ((), "verified")


def test_a_declaration_expires():
    known = KnownDeviation("step", "until then", expires=datetime.date(2020, 1, 31))
    report = asked(faulty.sigmoid_candidate, known, checks=["step"])
    assert statuses(report)["step"] == "known_deviation"
    assert report.warnings == ("the known deviation of step has expired on 2020-01-31",)
    assert asked(faulty.sigmoid_candidate, known, checks=["step"], strict=True).verdict == "discrepancy"
    seen = {"step": Seen(frozenset({"float64"}), frozenset())}
    assert warnings_of([known], seen, datetime.date(2020, 1, 31)) == ()


def test_from_a_file_by_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("from tests.faulty import correct, input_changed\n")
    (tmp_path / "known.toml").write_text('[[deviation]]\ncheck = "inputs"\nreason = "in place"\ntarget = "mine*"\n')
    words = ["verify", "mine.py:input_changed", "--profile", "quick", "--known-deviations", "known.toml"]
    result = CliRunner().invoke(main, [*words, "--checks", "signature,inputs", "--json", "report.json"])
    assert result.exit_code == 0
    assert "; known to deviate in inputs" in result.stdout
    assert "KNOWN DEVIATION" in result.stdout
    assert json.loads((tmp_path / "report.json").read_text())["checks"][1]["status"] == "known_deviation"
    words[1] = "mine.py:correct"
    result = CliRunner().invoke(main, [*words, "--checks", "inputs"])
    assert result.exit_code == 0
    assert "lstm-spec: warning: the known deviation of inputs is stale" in result.stderr
    assert CliRunner().invoke(main, [*words, "--checks", "inputs", "--strict"]).exit_code == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("deviation = 3", "known.toml holds tables [[deviation]] and nothing else, each with a check and a reason"),
        ("x = [", "known.toml is no TOML: "),
        ("[[deviation]]\ncheck = 'step'", "known.toml, deviation 1 has no reason; a deviation says which check fails"),
        (
            "[[deviation]]\nchek = 'step'\nreason = 'x'",
            'there is no key of a deviation in known.toml, deviation 1: "chek"; did you mean check?',
        ),
        ("[[deviation]]\ncheck = 3\nreason = 'x'", "known.toml, deviation 1: check is a text, got 3"),
        (
            "[[deviation]]\ncheck = 'step'\nreason = 'x'\nexpires = 'soon'",
            "known.toml, deviation 1: expires is a date such as 2030-01-31, got 'soon'",
        ),
        (
            "[[deviation]]\ncheck = 'step'\nreason = 'x'\ndtype = 'double'",
            "known.toml, deviation 1: dtype is one of float64, float32, float16, bfloat16 or a pattern of them",
        ),
        ("[[deviation]]\ncheck = 'stp'\nreason = 'x'", 'there is no check "stp"; did you mean step?'),
    ],
    ids=range(8),
)
def test_a_file_that_makes_no_sense_is_refused_in_one_sentence(text, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "known.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        ls.verify(faulty.correct, known_deviations="known.toml")
    assert str(caught.value).startswith(sentence)


def test_a_file_that_is_not_there():
    with pytest.raises(UsageError, match=r"nowhere\.toml cannot be read: No such file or directory"):
        read_deviations("nowhere.toml")


def test_laws_need_parameters_that_a_target_with_weights_cannot_take():
    def fixed(params, x, h0, c0):
        return faulty.correct(params, x, h0, c0)

    fixed.weights = {name: np.ones(shape) / 4 for name, shape in ls.lstm().dimensions(n=2, m=3).items()}
    report = ls.verify(fixed, profile="quick", checks=["signature", "step", "law_sign_flip"])
    assert statuses(report) == {
        "signature": "verified",
        "step": "verified",
        "law_sign_flip": "not_testable",
        "gradients": "not_claimed",
    }
    assert report.verdict == "verified"


def test_a_fault_of_ours_is_an_error_and_no_verdict_on_the_target(monkeypatch):
    def broken(subject, case, contract):
        raise KeyError("lost")

    own = tuple(c if c.id != "inputs" else replace(c, examine=broken) for c in prepare.CHECKS)
    monkeypatch.setattr(prepare, "CHECKS", own)
    report = asked(faulty.correct, checks=["signature", "inputs", "step"])
    assert statuses(report)["inputs"] == "error"
    assert statuses(report)["step"] == "verified"
    assert (report.verdict, report.exit_status) == ("error", 2)
    assert "asking it failed with KeyError: 'lost' at test_deviations.py:" in str(report.to_dict()["checks"])


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(UsageError, match="the seed is a whole number from 0 on, got"):
        ls.verify("numpy", seed=seed)


def test_an_option_that_there_is_not_is_named():
    with pytest.raises(UsageError, match=r"^assert_conforms has no option dtype; did you mean dtypes\?$"):
        ls.assert_conforms("numpy", dtype="float32")
