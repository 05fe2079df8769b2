"""Every command, file and output in the README is run."""

import re
import subprocess

import pytest

from tests.readme import README, render


def without_rounding(text):
    """Return a text without what rounding decides, which differs between processors, and without its spacing.

    Those are fractions, and in a table of checks how many cases were too near the limit to tell.
    """
    text = re.sub(r"; [\d,]+ of them inconclusive", "", text)
    text = re.sub(r"^(.*\b(?:VERIFIED|DISCREPANCY))[ \d,.e+-]*$", r"\1", text, flags=re.M)
    return re.sub(r"\s+", " ", re.sub(r"-?\d+(\.\d+(e[+-]?\d+)?|e[+-]?\d+)", "#", text))


@pytest.fixture(scope="module")
def shown():
    return README.read_text()


@pytest.fixture(scope="module")
def rendered(shown):
    return render(shown)


def test_the_readme_shows_what_comes_out(shown, rendered):
    assert without_rounding(rendered) == without_rounding(shown)


def test_a_stale_output_would_be_noticed(shown, rendered):
    stale = shown.replace("70×102", "70×101", 1)
    assert stale != shown
    assert without_rounding(rendered) != without_rounding(stale)


def test_the_continuous_integration_runs_the_test_command_of_the_readme():
    command = re.findall(r"```sh\n(.*pytest.*)\n```", README.read_text())
    script = (README.parent / ".ci" / "run").read_text()
    assert command
    assert all(line in script for line in command)


def test_the_script_is_sound_shell():
    subprocess.run(["bash", "-n", str(README.parent / ".ci" / "run")], check=True)
