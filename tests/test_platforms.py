"""What only some systems have is not needed: without what Windows lacks the commands do what they do here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

WITHOUT = """
import os, signal, sys

for module in ("fcntl", "grp", "pty", "pwd", "resource", "termios"):
    sys.modules[module] = None
for name in ("fork", "forkpty", "getuid", "killpg", "setsid", "sysconf"):
    delattr(os, name)
for name in ("SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1"):
    delattr(signal, name)
"""
EVERY_MODULE = """
import importlib, pkgutil
import lstm_spec

for module in pkgutil.walk_packages(lstm_spec.__path__, "lstm_spec."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
MINE = """
from tests.faulty import correct as forward


class Object:
    forward = staticmethod(forward)


thing = Object()
"""


@pytest.fixture
def run(tmp_path):
    """Run Python where nothing is that only some systems have, and where a pipe takes no Greek letters."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    (tmp_path / "mine.py").write_text(MINE)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "PYTHONIOENCODING": "cp1252",
        "PYTHONUTF8": "0",
    }

    def run(*words):
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False, timeout=300)

    return run


def test_what_is_taken_away_is_not_there(run):
    assert b"ModuleNotFoundError" in run("-c", "import resource").stderr
    assert b"AttributeError" in run("-c", "import os; os.fork()").stderr
    assert b"UnicodeEncodeError" in run("-c", "print('σ')").stderr


def test_every_module_is_imported_without_it(run):
    done = run("-c", EVERY_MODULE)
    assert done.returncode == 0, done.stderr.decode()


def test_formulas_are_written_whatever_a_pipe_takes(run):
    done = run("-m", "lstm_spec", "derive", "rnn")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "δa_h = δh∘(1 − h∘h)" in done.stdout.decode("utf-8")
    refused = run("-m", "lstm_spec", "derive", "σ")
    assert refused.returncode == 2
    assert "σ" in refused.stderr.decode("utf-8")


def test_a_target_is_verified_in_a_process_of_its_own(run):
    options = ("--isolate", "--profile", "quick", "--checks", "signature,step", "--json", "-")
    done = run("-m", "lstm_spec", "verify", "mine.py:forward", *options)
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert (told["verdict"], told["given"]["isolate"]) == ("verified", True)


def test_a_campaign_runs(run, tmp_path):
    (tmp_path / "c.toml").write_text('[[jobs]]\ntarget = "mine.py:thing"\nprofile = "quick"\nchecks = "signature"\n')
    done = run("-m", "lstm_spec", "campaign", "run", "c.toml")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == "1 job done: 1 verified"
