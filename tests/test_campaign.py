"""Campaigns: which jobs a file asks for, that none is lost or asked twice, and what is said of what was found."""

import csv
import io
import json
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main
from lstm_spec.report.campaign import csv_text, markdown_text, status_lines
from lstm_spec.verify.campaign import ask, read_campaign, run_campaign
from lstm_spec.verify.findings import Findings, Outcome, compare_findings
from lstm_spec.verify.fit import UsageError

JOBS = """
[[jobs]]
target = ["one", "two"]
profile = "quick"
seed = [0, 1]

[[jobs]]
target = "three"
"""


@pytest.fixture
def campaign(tmp_path):
    (tmp_path / "c.toml").write_text(JOBS)
    return read_campaign(tmp_path / "c.toml")


@pytest.fixture
def findings(tmp_path):
    return Findings(tmp_path / "c.sqlite")


class Answering(Executor):
    """An executor that answers jobs at once, from a function of the arguments; it keeps what it was asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def submit(self, function, arguments, *others):
        assert function is ask
        self.asked.append(" ".join(arguments))
        future = Future()
        try:
            future.set_result(self.answer(arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def report(verdict, status=None):
    check = {"id": "step", "status": status or verdict, "cases": 7, "inconclusive": 0, "worst": {}, "message": ""}
    return Outcome(verdict, "", 0.1, {"verdict": verdict, "checks": [check], "counterexample": {"x": ["0x1p+0"]}})


def failing(target):
    return Answering(lambda arguments: report("discrepancy" if arguments[0] == target else "verified"))


def test_a_list_stands_for_a_job_with_each_of_its_values(campaign):
    assert [job.id for job in campaign.jobs] == [
        "one profile=quick seed=0",
        "one profile=quick seed=1",
        "two profile=quick seed=0",
        "two profile=quick seed=1",
        "three",
    ]
    assert campaign.jobs[1].arguments == ["one", "--profile", "quick", "--seed", "1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jobs = 3", "has no jobs"),
        ("", "has no jobs"),
        ("[[jobs]]\nprofile = 'quick'", "has no target"),
        ("[[jobs]]\ntarget = 'numpy'\nprofiles = 'quick'", 'no key of a job "profiles"; did you mean profile?'),
        ("[[job]]\ntarget = 'numpy'", 'no key of a campaign "job"; did you mean jobs?'),
        ("[[jobs]]\ntarget = []", r"target in .* is a text, a number or a list of them, got \[\]"),
        ("[[jobs]]\ntarget = 'numpy'\nseed = true", "seed in .* got True"),
        ("timeout = -1\n[[jobs]]\ntarget = 'numpy'", "timeout in .* is a positive number of seconds, got -1"),
        ("[[jobs", "is no TOML"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_sentence(tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        read_campaign(tmp_path / "c.toml")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_campaign(tmp_path / "other.toml")


@pytest.mark.parametrize("at_once", [1, 2, 16])
def test_every_job_is_asked_once_however_many_run_at_once(campaign, findings, at_once):
    executor = Answering(lambda arguments: report("verified"))
    assert run_campaign(campaign, findings, executor, at_once=at_once)
    assert sorted(executor.asked) == sorted(" ".join(job.arguments) for job in campaign.jobs)
    again = Answering(lambda arguments: report("verified"))
    assert run_campaign(campaign, findings, again, at_once=at_once)
    assert again.asked == []


def test_what_was_interrupted_goes_on_where_it_stopped(campaign, findings):
    class Stopped(Answering):
        def submit(self, *given):
            if len(self.asked) == 3:
                raise KeyboardInterrupt
            return super().submit(*given)

    first = Stopped(lambda arguments: report("verified"))
    assert not run_campaign(campaign, findings, first, at_once=2)
    assert len(findings.done()) == 3
    assert findings.left() == 2
    second = Answering(lambda arguments: report("verified"))
    assert run_campaign(campaign, findings, second, at_once=2)
    assert sorted(first.asked + second.asked) == sorted(" ".join(job.arguments) for job in campaign.jobs)


def test_a_job_that_dies_is_tried_once_more_and_then_reported(campaign, findings):
    def answer(arguments):
        if arguments[0] == "three":
            return Outcome("died", "its process died of SIGKILL", 0.1)
        if arguments[0] == "two":
            raise OSError("the worker is gone")
        return report("verified")

    executor = Answering(answer)
    assert run_campaign(campaign, findings, executor, at_once=2)
    assert [executor.asked.count(" ".join(job.arguments)) for job in campaign.jobs] == [1, 1, 2, 2, 2]
    said = {row.job: (row.status, row.message) for row in findings.rows()}
    assert said["three"] == ("error", "its process died of SIGKILL, 2 times")
    assert said["two profile=quick seed=0"] == ("error", "its worker failed: OSError, 2 times")


def test_a_death_that_does_not_happen_again_leaves_no_trace(campaign, findings):
    died = set()

    def answer(arguments):
        name = " ".join(arguments)
        if name in died:
            return report("verified")
        died.add(name)
        return Outcome("died", "its process died of SIGKILL", 0.1)

    assert run_campaign(campaign, findings, Answering(answer), at_once=2)
    assert {row.verdict for row in findings.rows()} == {"verified"}


def test_changes_between_two_campaigns_are_told_by_their_direction(campaign, findings, tmp_path):
    run_campaign(campaign, findings, failing("one"), at_once=1)
    later = Findings(tmp_path / "later.sqlite")
    run_campaign(campaign, later, failing("two"), at_once=1)
    assert {c.direction for c in compare_findings(findings, later)} == {"better", "worse"}
    assert compare_findings(later, later) == []
    paths = [str(findings.path), str(later.path)]
    outcome = CliRunner().invoke(main, ["campaign", "compare", *paths])
    assert outcome.exit_code == 1
    assert outcome.stdout.splitlines()[0] == "worse  two profile=quick seed=0: step: verified → discrepancy"
    assert CliRunner().invoke(main, ["campaign", "compare", paths[0], paths[0]]).stdout == "nothing changed\n"


def test_findings_can_be_shown_and_exported(campaign, findings):
    run_campaign(campaign, findings, failing("one"), at_once=1)
    assert next(status_lines(findings)) == "5 jobs done: 2 discrepancy, 3 verified"
    rows = list(csv.DictReader(io.StringIO(csv_text(findings))))
    assert [row["status"] for row in rows if row["job"] == "three"] == ["verified"]
    assert "| three | verified | verified |" in markdown_text(findings)
    outcome = CliRunner().invoke(main, ["campaign", "export", str(findings.path), "--json", "-"])
    assert json.loads(outcome.stdout)["jobs"]["three"]["checks"][0]["cases"] == 7
    assert "at once" not in CliRunner().invoke(main, ["campaign", "show", str(findings.path)]).stdout
    assert CliRunner().invoke(main, ["campaign", "show", str(findings.path), "four"]).stdout.startswith("nothing is")


def test_what_holds_no_findings_is_refused(tmp_path):
    outcome = CliRunner().invoke(main, ["campaign", "status", str(tmp_path / "none.sqlite")])
    assert (outcome.exit_code, outcome.stderr.startswith("lstm-spec: there are no findings in")) == (2, True)
    (tmp_path / "text.sqlite").write_text("certainly no database, whatever its name is")
    outcome = CliRunner().invoke(main, ["campaign", "status", str(tmp_path / "text.sqlite")])
    assert (outcome.exit_code, "does not hold the findings of a campaign" in outcome.stderr) == (2, True)


REAL = """
[[jobs]]
target = "noted.py:forward"
profile = "quick"
checks = "signature"
seed = [0, 1]

[[jobs]]
target = "nowhere"

[[jobs]]
target = "aborts.py:forward"
profile = "quick"
"""
NOTED = """
import sys
from pathlib import Path

from lstm_spec.compute.layer import forward

with open(Path(__file__).parent / "begun", "a") as file:
    file.write(sys.argv[sys.argv.index("--seed") + 1] + "\\n")
"""


def written(folder):
    (folder / "r.toml").write_text(REAL)
    (folder / "noted.py").write_text(NOTED)
    (folder / "aborts.py").write_text("import os\n\n\ndef forward(*given):\n    os.abort()\n")
    return folder / "r.toml", folder / "r.sqlite"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A campaign that nobody stopped, with two at once."""
    file, kept = written(tmp_path_factory.mktemp("whole"))
    with ThreadPoolExecutor(2) as executor:
        assert run_campaign(read_campaign(file), Findings(kept), executor, at_once=2)
    return Findings(kept)


def test_jobs_run_in_processes_of_their_own(whole):
    verdicts = {row.job.split()[0]: (row.verdict, row.message) for row in whole.rows()}
    assert verdicts["noted.py:forward"][0] == "verified"
    assert verdicts["nowhere"][1].startswith('there is no target "nowhere"')
    assert verdicts["aborts.py:forward"] == ("error", "its process died of SIGABRT, 2 times")


def test_a_campaign_that_is_killed_is_resumed(whole, tmp_path):
    """Nothing is lost, the findings are the same, and what was done before is not begun again."""
    file, kept = written(tmp_path)
    command = [sys.executable, "-m", "lstm_spec", "campaign", "run", str(file), "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as killed:
        while killed.poll() is None and not (kept.exists() and Findings(kept).done()):
            time.sleep(0.05)
        killed.kill()
    done = Findings(kept).done()
    assert 0 < len(done) < 4
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 1
    assert Findings(kept).rows() == whole.rows()
    begun = (tmp_path / "begun").read_text().splitlines()
    assert set(begun) == {"0", "1"}
    assert all(begun.count(seed) == 1 for seed in begun if any(job.endswith(f"seed={seed}") for job in done))
    assert len(begun) <= 3
