"""Targets in a process of their own: what they do to it is a finding, the rest of the run goes on, nothing is left."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.isolated import isolated
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.process import Limits
from lstm_spec.targets.service import MOST_HANGS
from lstm_spec.verify.fit import UsageError
from lstm_spec.verify.replay import replay
from tests import lawless, misbehaving
from tests.faulty import correct, gates_permuted

FEW = ("signature", "step", "inputs", "repeat")


def apart(target, **options):
    """Verify a target in a process of its own, which for one without a name is a copy of this one."""
    given = {"profile": "quick", "checks": FEW, "isolate": True, "timeout": 60, **options}
    return ls.verify(target, **given)


def unnamed(function):
    return SimpleNamespace(forward=function)


@pytest.mark.parametrize("target", lawless.SAID, ids=lambda f: f.__name__)
def test_what_a_target_does_to_its_process_is_a_finding(target):
    report = apart(unnamed(target), timeout=1 if target is lawless.sleeps else 60, first_finding=True)
    assert (report.verdict, report.exit_status) == ("discrepancy", 1)
    assert report.finding.message.startswith(lawless.SAID[target])
    assert "\n" not in report.finding.message


def test_a_target_that_writes_into_our_pipe_is_found_out():
    """Loaded by its name: in a copy of this process it would write into whatever the tests have open."""
    report = apart(lawless.writes_where_we_do, checks=["signature"])
    assert report.target == "writes_where_we_do"
    said = "forward answered 'hello\\nhello', which is no answer of ours, on a valid case (float64)"
    assert report.checks[0].message == said


def test_what_a_target_prints_goes_aside(capfd):
    assert apart(unnamed(lawless.prints)).verdict == "verified"
    out, err = capfd.readouterr()
    assert out == ""
    assert "what a target prints" in err


@pytest.mark.parametrize("target", misbehaving.SAID, ids=lambda f: f.__name__)
def test_the_same_is_said_as_without_isolation(target):
    options = {"profile": "quick", "checks": ["signature", "step", "inputs"], "first_finding": True, "diagnose": False}
    here = ls.verify(target, **options)
    there = apart(unnamed(target), **options)
    assert there.finding.message == here.finding.message
    assert [check.status for check in there.checks] == [check.status for check in here.checks]


def test_a_correct_target_is_verified_with_the_same_numbers():
    """By its name, and as a copy; gradients too."""
    checks = ["gradient_step"]
    here = ls.verify("numpy", profile="quick", checks=checks).to_dict()
    for given in ("numpy", Target(name="numpy", **layer())):
        there = apart(given, checks=checks).to_dict()
        assert {**there, "seconds": 0, "given": {}} == {**here, "seconds": 0, "given": {}}


def layer():
    from lstm_spec.compute.layer import backward, forward

    return {"forward": forward, "backward": backward, "dtypes": ("float64", "float32")}


def test_a_fault_is_diagnosed_in_its_layout():
    target = SimpleNamespace(forward=lambda params, *rest: gates_permuted(params, *rest))
    report = apart(target, checks=["signature", "step"])
    assert report.diagnosis[0].sentence == ls.verify(gates_permuted, profile="quick").diagnosis[0].sentence


def test_a_target_says_over_there_what_it_is():
    layers = ls.layers(ls.cell("gru"), count=2, bidirectional=True)
    weights = {"b": np.ones(3)}
    given = Target("mine", correct, layout=Layout(gates="urh"), spec=layers, weights=weights, dtypes=("float32",))
    told = isolated(given)
    told.release()
    assert (told.name, told.layout, told.spec, told.dtypes) == ("mine", given.layout, layers, ("float32",))
    assert told.weights["b"].tolist() == [1, 1, 1]
    assert (told.backward, told.possible) == (None, given.possible)


def test_what_its_library_is_set_to_is_asked_over_there(monkeypatch):
    """Here it is of no account."""
    monkeypatch.setattr("lstm_spec.targets.contract.has_float64", lambda kind: False)
    with pytest.raises(TargetError, match="SimpleNamespace: JAX computes in float32 until it is told otherwise"):
        apart(unnamed(correct), checks=["step"])
    assert apart(unnamed(correct), checks=["step"], dtypes=["float32"]).verdict == "verified"


def test_sizes_are_asked_over_there():
    told = isolated(Target("mine", correct, possible=lambda sizes: sizes["n"] > os.getpid() * 0 + 2))
    assert [told.possible({"n": n}) for n in (2, 3)] == [False, True]
    told.release()


def test_a_target_that_hangs_is_given_up(monkeypatch):
    """A check that it hangs in costs one deadline: no simpler case is looked for, and after some nothing is asked."""
    checks = ["step", "sequence", "inputs", "carry", "batch", "repeat"]
    # As if no check needed another.
    monkeypatch.setattr(import_module("lstm_spec.verify.asking"), "FAILED", frozenset())
    report = apart(unnamed(lawless.sleeps_at_times), checks=checks, timeout=0.5)
    statuses = [check.status for check in report.checks]
    assert statuses.count("discrepancy") == MOST_HANGS
    assert statuses.count("blocked") == len(checks) - MOST_HANGS
    assert {c.message for c in report.checks if c.status == "blocked"} == {
        f"not asked, since the target hung in {MOST_HANGS} checks before"
    }


def alive(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        # One that nobody has waited for yet is over all the same.
        return "Z" not in subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    return False


def is_gone(pid):
    """Give the system the time to carry out a signal."""
    for _ in range(600):
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(TARGETS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


TARGETS = """
import os
import time
from pathlib import Path

def hangs(params, x, h0, c0):
    Path("pid").with_suffix(".part").write_text(str(os.getpid()))
    Path("pid.part").rename("pid")
    while True:
        time.sleep(3600)

def leaves_a_child(params, x, h0, c0):
    import subprocess
    child = subprocess.Popen(["sleep", "3600"])
    Path("pid").write_text(str(child.pid))
    os.abort()

def fails(params, x, h0, c0):
    raise RuntimeError(os.getcwd())
"""


def test_nothing_is_left_of_a_process_that_was_lost(folder):
    """Nor of the one in which the report is replayed."""
    report = apart("mine.py:leaves_a_child", checks=["signature"], first_finding=True)
    again = replay(report.to_dict())
    assert report.finding.message == again.message == "forward died of SIGABRT on a valid case"
    assert is_gone(int((folder / "pid").read_text()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a process with its parent")
def test_no_process_outlives_the_command(folder, number):
    command = [sys.executable, "-m", "lstm_spec", "verify", "mine.py:hangs", "--isolate", "--json", "report.json"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (folder / "pid").exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    pid = int((folder / "pid").read_text())
    assert alive(pid)
    running.send_signal(number)
    out, err = running.communicate()
    if number == signal.SIGINT:
        assert (running.returncode, err) == (130, "")
        assert out.startswith("INCONCLUSIVE  mine.py:hangs against lstm")
    assert is_gone(pid)


def test_a_file_is_found_from_where_we_are(folder):
    report = apart("mine.py:fails", checks=["signature"])
    assert report.finding.message == f"forward raised RuntimeError: {folder} at mine.py:19 on a valid case"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os; os.abort()", "bad.py:f cannot be loaded: its process died of SIGABRT"),
        ("import time; time.sleep(3600)", "bad.py:f is not loaded after 1 s; give it longer with --timeout"),
        (
            "import os; os.write(4, b'hello, world and more')",
            "bad.py:f cannot be loaded: its process wrote 'hello, world",
        ),
        ("raise KeyError('W')", "importing bad.py failed with KeyError: 'W' at bad.py:1"),
        ("f = 3", "bad.py:f is an int, neither callable nor an object with a forward method"),
        ("def f(): ...\nf.layout = 'pytroch'", 'bad.py:f: unknown layout "pytroch": did you mean pytorch?'),
    ],
)
def test_what_cannot_be_loaded_is_refused(folder, code, sentence):
    (folder / "bad.py").write_text(code)
    with pytest.raises(TargetError) as caught:
        isolated("bad.py:f", limits=Limits(start=1 if "sleep" in code else 60))
    assert str(caught.value).startswith(sentence)


def test_what_has_no_name_needs_a_system_that_copies_processes(monkeypatch):
    monkeypatch.delattr(os, "fork")
    with pytest.raises(TargetError, match="SimpleNamespace has no name by which another process could load it, and"):
        isolated(unnamed(correct))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"timeout": 3}, "timeout limits a target in a process of its own; add isolate"),
        ({"isolate": True, "timeout": 0}, "timeout is a positive number, got 0"),
        ({"isolate": True, "memory": "much"}, "memory is a positive number, got 'much'"),
    ],
)
def test_limits_that_are_none(options, sentence):
    with pytest.raises((UsageError, TargetError)) as caught:
        ls.verify("numpy", **options)
    assert str(caught.value) == sentence
