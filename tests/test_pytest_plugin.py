"""The plugin in a real pytest, run as a user runs it: one item for every check, each with its own result."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lstm_spec as ls
from lstm_spec.verify.fit import UsageError
from tests import faulty

ROOT = Path(__file__).parent.parent
CHECKS = '["signature", "step", "sequence", "inputs", "gradient_step"]'

TESTS = f"""
import lstm_spec as ls

OPTIONS = dict(profile="quick", checks={CHECKS})


@ls.parametrize("mine.py:forward", **OPTIONS)
def test_right(lstm_check):
    lstm_check()


@ls.parametrize("mine.py:wrong", **OPTIONS)
def test_wrong(lstm_check):
    lstm_check()


@ls.parametrize("mine.py:spoiling", known_deviations="known.toml", **OPTIONS)
def test_known(lstm_check):
    lstm_check()


@ls.parametrize("mine.py:forward", known_deviations="known.toml", **OPTIONS)
def test_stale(lstm_check):
    lstm_check()
"""
MINE = """
from tests.faulty import correct as forward, sigmoid_candidate as wrong, input_changed as spoiling
"""
KNOWN = '[[deviation]]\ncheck = "inputs"\nreason = "in place"\n'


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "mine.py").write_text(MINE)
    (folder / "test_mine.py").write_text(TESTS)
    (folder / "known.toml").write_text(KNOWN)
    return folder


def run(project, *words):
    # Where the package is installed its entry point loads the plugin; in a checkout it is named.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "300"}
    plugins = ["-p", "lstm_spec.verify.plugin", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *plugins, "-rA", *words]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def done(project):
    return run(project, "-v")


def statuses(text):
    return dict(re.findall(r"^test_mine\.py::(\S+\[\w+\]) (PASSED|FAILED|SKIPPED|XFAIL|XPASS)", text, flags=re.M))


def test_every_check_is_an_item_with_its_own_result(done):
    assert done.returncode == 1, done.stdout
    told = statuses(done.stdout)
    right = {name: told[f"test_right[{name}]"] for name in ("signature", "step", "sequence", "inputs")}
    assert set(right.values()) == {"PASSED"}
    assert told["test_right[gradients]"] == "SKIPPED"
    assert told["test_known[inputs]"] == "XFAIL"
    assert told["test_known[sequence]"] == "PASSED"


def test_what_fails_says_why_and_shows_it(done):
    assert "FAILED test_mine.py::test_wrong[step] - Failed: mine.py:wrong against lstm, step: one step" in done.stdout
    assert re.search(r"^Probably: .*c̃.*$", done.stdout, flags=re.M)
    assert 'target = runpy.run_path("mine.py")["wrong"]' in done.stdout
    assert "Traceback" not in done.stdout
    assert "blocked: not asked, since step failed" in done.stdout
    assert "not claimed: the target offers no backward" in done.stdout


def test_a_known_deviation_is_an_expected_failure_and_strict(done):
    assert re.search(r"XFAIL test_mine.py::test_known\[inputs\] - (reason: )?in place", done.stdout)
    stale = "Failed: the known deviation of inputs is stale: the check passes; take it out"
    assert f"FAILED test_mine.py::test_stale[inputs] - {stale}" in done.stdout


def test_one_item_alone_asks_what_it_needs_and_takes_another_profile(project):
    done = run(project, "test_mine.py::test_wrong[sequence]")
    assert "blocked: not asked, since step failed" in done.stdout
    done = run(project, "test_mine.py::test_right[signature]", "--lstm-spec-profile", "standard")
    assert "1 passed" in done.stdout
    done = run(project, "--lstm-spec-profile", "quik")
    assert done.returncode == 4
    assert "--lstm-spec-profile: invalid choice: 'quik'" in done.stderr


def test_a_target_that_cannot_be_used_is_one_sentence_at_collection(project, tmp_path):
    (tmp_path / "test_none.py").write_text(
        "import lstm_spec as ls\n\n@ls.parametrize('nunpy')\ndef test(lstm_check): pass"
    )
    done = run(tmp_path)
    assert done.returncode == 2
    assert 'TargetError: there is no target "nunpy"; did you mean "numpy"?' in done.stdout


def test_an_option_that_there_is_not_is_named():
    with pytest.raises(UsageError, match=r"^parametrize has no option dtype; did you mean dtypes\?$"):
        ls.parametrize(faulty.correct, dtype="float32")


def test_the_page_shows_what_runs(tmp_path):
    page = (ROOT / "docs" / "how-to" / "in-pytest.md").read_text(encoding="utf-8")
    (tmp_path / "my_lstm.py").write_text(MINE)
    (tmp_path / "test_lstm.py").write_text(re.search(r"```python\n(.*?)```", page, flags=re.S)[1])
    done = run(tmp_path, "test_lstm.py::test_my_lstm[step]")
    assert "1 passed" in done.stdout, done.stdout
