"""The command `verify`: exit statuses, what goes to which stream, and one sentence for every mistake."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main

ROOT = Path(__file__).parent.parent

TARGETS = """
import ctypes
import os
import signal
import sys
from tests.faulty import correct, gates_permuted

print("printed by the import")

def talks(params, x, h0, c0):
    print("printed by Python")
    os.write(1, b"written to the descriptor\\n")
    ctypes.CDLL(None).printf(b"buffered by C\\n")
    return correct(params, x, h0, c0)

def exits(params, x, h0, c0):
    sys.exit(0)

calls = []

def stopped(params, x, h0, c0):
    calls.append(x)
    if len(calls) == 30:
        os.kill(os.getpid(), signal.SIGINT)
    return correct(params, x, h0, c0)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(TARGETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def verify(*words):
    return CliRunner().invoke(main, ["verify", *words, "--profile", "quick"])


def process(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=None, **environment):
    """Run the command as a user does."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "lstm_spec", "verify", *words, "--profile", "quick"],
        stdout=stdout,
        stderr=stderr,
        preexec_fn=preexec_fn,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )


@pytest.mark.parametrize(
    ("words", "status", "verdict"),
    [
        (["mine.py:correct"], 0, "VERIFIED  mine.py:correct computes lstm: forward in float64, 311 cases, seed 0"),
        (["mine:correct", "--dtype", "float32"], 0, "VERIFIED  mine:correct computes lstm: forward in float32"),
        (
            ["mine.py:gates_permuted"],
            1,
            "DISCREPANCY (SEMANTIC)  mine.py:gates_permuted does not compute lstm: forward",
        ),
        (
            ["mine.py:exits"],
            1,
            "DISCREPANCY (MISBEHAVIOUR)  mine.py:exits misbehaves on a valid case of lstm: forward in float64, 1 case,",
        ),
        (["mine.py:correct", "--layout", "pytorch"], 1, "DISCREPANCY"),
        (["mine.py:correct", "--spec", "noaf"], 1, "DISCREPANCY (SEMANTIC)  mine.py:correct does not compute noaf"),
        (["mine.py:correct", "--require", "gradients", "--checks", "step"], 1, "DISCREPANCY"),
        (["mine.py:correct", "--checks", "gradient_step"], 3, "INCONCLUSIVE  mine.py:correct against lstm"),
    ],
    ids=str,
)
def test_the_exit_status_is_that_of_the_verdict(folder, words, status, verdict):
    result = verify(*words)
    assert result.exit_code == status
    assert result.stdout.startswith(verdict)


def test_a_discrepancy_is_shown_with_its_place_and_its_case(folder):
    shown = verify("mine.py:gates_permuted").stdout
    assert "what holds: signature, inputs" in shown
    assert re.search(r"^sequence +BLOCKED *$", shown, re.MULTILINE)
    assert "step: one step computes the equations of the cell" in shown
    assert "  c at row 0, unit 0: expected 0.5, got 0.731058579, error 0.23, allowed" in shown
    assert "The simplest case found\n  T=1, B=1, n=1, m=1, float64\n  b_i = [1.]\n  c0 = [[1.]]\n  zero: W_f" in shown


def test_what_could_not_be_told_is_counted_in_the_headline_and_the_table(folder):
    (folder / "coarse.toml").write_text("unit = 1e-2")
    shown = verify("mine.py:correct", "--accuracy", "coarse.toml", "--checks", "step,sequence,batch").stdout
    told = re.search(r"cases, seed 0; (\d+) of them inconclusive \([\d.]+%\)", shown)
    assert told
    assert re.search(r"check +status +cases +inconclusive +error/allowed", shown)
    column = re.findall(r"^[\w ]+? +VERIFIED +\d+ +(\d+) +[\d.e-]+ *$", shown, re.MULTILINE)
    assert sum(map(int, column)) == int(told[1])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nunpy"], 'there is no target "nunpy"; did you mean "numpy"? your own is named'),
        (["mime.py:correct"], "there is no file mime.py; did you mean mine.py?"),
        (["dir.py:correct"], "dir.py is a folder, expected a file of Python"),
        (["mine.py:corect"], "mine.py has no corect; did you mean correct?"),
        (["nowhere.at.all:f"], "there is no module nowhere"),
        (["mine.py:calls"], "mine.py:calls is a list, neither callable nor an object with a forward method"),
        (["broken.py:f"], "importing broken.py failed with SyntaxError: "),
        (["leaving.py:f"], "importing leaving.py failed with SystemExit: 0 at leaving.py:3"),
        (["numpy", "--layout", "pytorch"], "numpy is built in and says its own layout; leave --layout out"),
        (
            ["mine.py:correct", "--layout", "pytroch"],
            'mine.py:correct: unknown layout "pytroch": did you mean py',
        ),
        (
            ["mine.py:correct", "--layout", "pytorch", "--spec", "gru"],
            "the layout pytorch has the states h, c, but the",
        ),
        (["numpy", "--spec", "cifg"], "numpy is built in; its parameters are not those of cifg"),
        (["numpy", "--spec", "lstmm"], 'there is no cell "lstmm"; did you mean lstm?'),
        (["numpy", "--spec", "mine.py:calls"], "mine.py:calls is a list, not a Program"),
        (["numpy", "--checks", "stp"], 'there is no check "stp"; did you mean step?'),
        (["numpy", "--skip", "stp"], 'there is no check "stp"; did you mean step?'),
        (["numpy", "--dtype", "float63"], 'there is no format "float63"; did you mean float64?'),
        (["numpy", "--require", "gradient"], 'there is no capability "gradient"; did you mean gradients?'),
        (["numpy", "--json", "nowhere/report.json"], "cannot write nowhere/report.json: there is no folder nowhere"),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence_on_stderr_and_nothing_else(folder, words, sentence):
    (folder / "broken.py").write_text("def f(:\n")
    (folder / "dir.py").mkdir()
    (folder / "leaving.py").write_text("import sys\n\nsys.exit(0)\n")
    result = verify(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    said = [line for line in result.stderr.splitlines() if line != "printed by the import"]
    assert len(said) == 1
    assert said[0].startswith(f"lstm-spec: {sentence}")


def test_a_profile_that_does_not_exist_is_refused(folder):
    result = CliRunner().invoke(main, ["verify", "numpy", "--profile", "quik"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == 'lstm-spec: there is no profile "quik"; did you mean quick?\n'


@pytest.mark.parametrize("to", ["-", "report.json"])
def test_nothing_that_a_target_prints_gets_into_the_output(folder, to):
    """Not what Python prints, not what is written to the descriptor, not what C keeps until the process ends."""
    done = process("mine.py:talks", "--checks", "signature,step", "--json", to)
    assert done.returncode == 0, done.stderr
    for words in ("printed by the import", "printed by Python", "written to the descriptor", "buffered by C"):
        assert words in done.stderr
    if to == "-":
        assert json.loads(done.stdout)["verdict"] == "verified"
    else:
        assert json.loads((folder / to).read_text())["verdict"] == "verified"
        lines = [line.split(" ")[0] for line in done.stdout.splitlines()]
        assert lines == ["VERIFIED", "check", "signature", "step", "gradients"]


def test_a_cell_whose_file_prints_does_not_print_into_what_is_derived(folder):
    (folder / "cells.py").write_text('import lstm_spec\nprint("loud")\ncell = lstm_spec.lstm()\n')
    result = CliRunner().invoke(main, ["derive", "cells.py:cell", "--wrt", "b_f", "--format", "latex"])
    assert result.exit_code == 0
    assert "loud" not in result.stdout
    assert "loud" in result.stderr


def test_where_nobody_reads_the_output_the_files_are_written(folder):
    """As in `lstm-spec verify … | head -1`, with a reader that is gone before the first line."""
    files = [word for name in ("json", "junit", "html") for word in (f"--{name}", f"report.{name}")]
    nobody, ours = os.pipe()
    os.close(nobody)
    try:
        done = process("mine.py:gates_permuted", *files, stdout=ours)
    finally:
        os.close(ours)
    assert (done.returncode, done.stderr) == (1, "printed by the import\n")
    assert all((folder / f"report.{name}").stat().st_size > 1000 for name in ("json", "junit", "html"))
    # Nor is anything else left there, such as what Hypothesis would keep.
    assert {path.name for path in folder.iterdir() if path.name.startswith(".")} == set()


def test_an_interruption_ends_with_what_is_known_and_the_report_is_written(folder):
    done = process("mine.py:stopped", "--json", "report.json")
    assert done.returncode == 130
    assert done.stdout.startswith("INCONCLUSIVE  mine.py:stopped against lstm: forward in float64, 29 cases, seed 0;")
    assert "Interrupted: what follows is what was known by then." in done.stdout
    assert "step: one step computes the equations of the cell\n  interrupted\n" in done.stdout
    told = json.loads((folder / "report.json").read_text())
    assert (told["verdict"], told["interrupted"]) == ("inconclusive", True)
    assert [(c["id"], c["status"]) for c in told["checks"]] == [
        ("signature", "verified"),
        ("step", "inconclusive"),
        ("gradients", "not_claimed"),
    ]
    assert signal.SIGINT.name not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interruption_while_the_target_is_loaded_is_no_verdict(folder):
    (folder / "slow.py").write_text("raise KeyboardInterrupt\n")
    result = verify("slow.py:forward")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "lstm-spec: interrupted\n")


def test_the_report_does_not_depend_on_the_process(folder):
    """The order of Python's sets differs between the two, and the second one is taken for a continuous integration."""
    reports = [
        json.loads(process("mine.py:gates_permuted", "--json", "-", "--seed", "5", **environment).stdout)
        for environment in ({"PYTHONHASHSEED": "1", "CI": ""}, {"PYTHONHASHSEED": "2", "CI": "true"})
    ]
    for report in reports:
        report.pop("seconds")
    assert reports[0] == reports[1]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
@pytest.mark.parametrize("watched", [True, False])
def test_progress_is_shown_where_somebody_watches(folder, watched):
    if not watched:
        assert process("mine.py:correct", "--checks", "step").stderr == "printed by the import\n"
        return
    ours, theirs = os.openpty()
    done = process("mine.py:correct", "--checks", "step", stderr=theirs, TERM="xterm")
    os.close(theirs)
    shown = b""
    # At the end of it a pseudo-terminal fails to read, where a file would be empty.
    with suppress(OSError):
        while part := os.read(ours, 100_000):
            shown += part
    os.close(ours)
    assert "step float64" in shown.decode(errors="replace")
    assert "\x1b" not in done.stdout


def test_plain_text_where_colours_are_not_wanted(monkeypatch, capsys):
    from rich.console import Console

    from lstm_spec.report import console

    monkeypatch.setattr(Console, "is_terminal", property(lambda self: True))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console.terminal().print("word", style="bold red")
    assert "\x1b" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    console.terminal().print("word", style="bold red")
    assert capsys.readouterr().out == "word\n"


def test_what_a_target_says_is_shown_as_it_is(folder):
    """Not as the markup of the library that prints it, nor with its pictures for names between colons."""
    said = "[red]odd[/red] [/] :warning: weights['W_f']"
    (folder / "odd.py").write_text(f"def f(*arguments):\n    raise RuntimeError({said!r})\n")
    result = verify("odd.py:f")
    assert result.exit_code == 1
    assert f"  forward raised RuntimeError: {said} at odd.py:2 on a valid case (float64)\n" in result.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", [[], ["--json", "-"]], ids=str)
def test_a_full_disk_is_one_sentence_and_no_verdict(folder, words):
    with open("/dev/full", "w") as full:
        done = process("mine.py:correct", "--checks", "signature", *words, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "printed by the import\nlstm-spec: cannot write the output: No space left on device\n"


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor")
def test_a_stream_of_errors_that_is_closed_changes_nothing(folder):
    done = process("mine.py:talks", "--checks", "signature", stderr=None, preexec_fn=lambda: os.close(2))
    assert done.returncode == 0
    lines = [line.split(" ")[0] for line in done.stdout.splitlines()]
    assert lines == ["VERIFIED", "check", "signature", "gradients"]


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor")
@pytest.mark.parametrize("target", ["correct", "raises"])
def test_where_nobody_reads_the_status_is_still_that_of_the_verdict(folder, target):
    (folder / "mine.py").write_text(TARGETS + "\ndef raises(*arguments):\n    raise RuntimeError\n")
    words = [f"mine.py:{target}", "--checks", "signature"]
    reader, writer = os.pipe()
    os.close(reader)
    unread = process(*words, stdout=writer)
    os.close(writer)
    closed = process(*words, stdout=None, preexec_fn=lambda: os.close(1))
    status = int(target == "raises")
    assert [(done.returncode, done.stderr) for done in (unread, closed)] == [(status, "printed by the import\n")] * 2


@pytest.mark.parametrize("error", [KeyError("k"), TypeError("cannot create mpf from\n1.1*k"), ValueError("matmul")])
def test_what_nobody_foresaw_is_no_discrepancy(monkeypatch, error):
    def fails(*arguments, **options):
        raise error

    monkeypatch.setattr(importlib.import_module("lstm_spec.verify.run"), "verified", fails)
    result = verify("numpy")
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    found = re.fullmatch(r"lstm-spec: unexpected (\w+): .*, a fault of lstm-spec and no verdict; .* with (\S+)", line)
    assert found
    assert found[1] == type(error).__name__
    report = Path(found[2])
    assert "in fails" in report.read_text(encoding="utf-8")
    report.unlink()
