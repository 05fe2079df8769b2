"""Campaigns: many verifications from one file, each in a process of its own, with every finding kept as it comes.

A job is one call of ``lstm-spec verify`` with its options. It runs in a fresh process wherever an executor takes it,
this machine's threads or a cluster's workers; so nothing that one target does to its process reaches another job, and
what is found does not depend on how many run at once.
"""

import json
import signal
import subprocess
import sys
import time
import tomllib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from lstm_spec.verify.findings import Findings, Outcome
from lstm_spec.verify.fit import UsageError, check_known

ATTEMPTS = 2
"""How often a job is tried whose process dies."""

OPTIONS = ("spec", "layout", "dtype", "profile", "seed", "checks", "skip", "require", "max-seconds")
"""What a job may say beside its target: the options of ``lstm-spec verify`` of the same names."""


@dataclass(frozen=True)
class Job:
    """One verification: its target, and options by name in the order of the command."""

    target: str
    options: tuple[tuple[str, str], ...] = ()

    @property
    def id(self) -> str:
        """Its name in the findings, which two campaigns share if they ask the same."""
        return " ".join([self.target, *(f"{name}={value}" for name, value in self.options)])

    @property
    def arguments(self) -> list[str]:
        """What follows ``lstm-spec verify`` on its command line."""
        return [self.target, *(word for name, value in self.options for word in (f"--{name}", value))]


@dataclass(frozen=True)
class Campaign:
    """Jobs, the folder that their paths start from, and after how many seconds one is given up."""

    jobs: tuple[Job, ...]
    folder: Path
    timeout: float = 3600.0


def read_campaign(path: str | Path) -> Campaign:
    """Read a campaign from a TOML file.

    Every table [[jobs]] names a target, or a list of them, and options of ``lstm-spec verify``; where an option is a
    list, there is a job for each of its values. ``timeout`` is in seconds for a job. Raises UsageError in one sentence.
    """
    try:
        given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no TOML: {error}") from None
    for key in given:
        check_known("key of a campaign", key, ("jobs", "timeout"))
    tables, timeout = given.get("jobs"), given.get("timeout", 3600)
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        raise UsageError(f"{path} has no jobs; it needs a table [[jobs]] with a target")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < 1e9:
        raise UsageError(f"timeout in {path} is a positive number of seconds, got {timeout!r}")
    jobs = dict.fromkeys(job for table in tables for job in _jobs(table, path))
    return Campaign(tuple(jobs), Path(path).absolute().parent, float(timeout))


def _jobs(table: Mapping[str, Any], path: str | Path) -> Iterator[Job]:
    if "target" not in table:
        raise UsageError(f"a table [[jobs]] in {path} has no target")
    for key in table:
        check_known("key of a job", key, ("target", *OPTIONS))
    targets = _values("target", table["target"], path)
    options = [(name, _values(name, table[name], path)) for name in OPTIONS if name in table]
    for target, *chosen in product(targets, *(values for _, values in options)):
        yield Job(target, tuple(zip((name for name, _ in options), chosen, strict=True)))


def _values(name: str, given: Any, path: str | Path) -> list[str]:
    values = given if isinstance(given, list) else [given]
    if not values or any(isinstance(v, bool) or not isinstance(v, str | int) for v in values):
        raise UsageError(f"{name} in {path} is a text, a number or a list of them, got {given!r}")
    return [str(v) for v in values]


def ask(arguments: Sequence[str], folder: str, timeout: float) -> Outcome:
    """Run one job in a process of its own and return what came of it; it is what executors are given."""
    command = [sys.executable, "-m", "lstm_spec", "verify", *arguments, "--json", "-"]
    begun = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome("error", f"it was given up after {timeout:g} s", time.perf_counter() - begun)
    seconds = time.perf_counter() - begun
    if done.returncode in (0, 1, 3):
        try:
            report = json.loads(done.stdout)
            return Outcome(report["verdict"], "", seconds, report)
        except (ValueError, KeyError, TypeError):
            return Outcome("died", "its report cannot be read", seconds)
    if done.returncode == 130:
        return Outcome("interrupted", "interrupted", seconds)
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode == 2:
        return Outcome("error", said[-1].removeprefix("lstm-spec: ") if said else "it could not be run", seconds)
    return Outcome("died", _death(done.returncode), seconds)


def _death(status: int) -> str:
    try:
        return f"its process died of {signal.Signals(-status).name}"
    except ValueError:
        return f"its process ended with status {status}"


Progress = Callable[[int, int, str], None]


def run_campaign(
    campaign: Campaign, findings: Findings, executor: Executor, *, at_once: int, progress: Progress | None = None
) -> bool:
    """Run what is left of a campaign and keep what comes; returns whether all of it is done.

    findings: what is in there already is not asked again. executor: runs jobs, ``at_once`` of them, and may live on
    other machines. progress: called with (done, total, what). A job whose process dies is tried once more, and then
    reported. A keyboard interrupt lets the jobs in flight end, keeps what they found, and starts no other.
    """
    findings.plan(job.id for job in campaign.jobs)
    done = findings.done()
    queue = deque((job, 1) for job in campaign.jobs if job.id not in done)
    total, running = len(campaign.jobs), dict[Future[Outcome], tuple[Job, int]]()
    try:
        while queue or running:
            while queue and len(running) < at_once:
                job, attempt = queue.popleft()
                future = executor.submit(ask, job.arguments, str(campaign.folder), campaign.timeout)
                running[future] = (job, attempt)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job, attempt = running.pop(future)
                if not _keep(findings, job, attempt, future):
                    queue.appendleft((job, attempt + 1))
            if progress is not None:
                progress(total - len(queue) - len(running), total, "")
    except KeyboardInterrupt:
        for future in wait(running).done:
            _keep(findings, *running[future], future)
    return findings.done() >= {job.id for job in campaign.jobs}


def _keep(findings: Findings, job: Job, attempt: int, future: Future[Outcome]) -> bool:
    """Keep what came of a job; returns whether it need not be tried again."""
    try:
        outcome = future.result()
    except Exception as error:
        # An executor's own: its worker died, or could not be reached.
        outcome = Outcome("died", f"its worker failed: {type(error).__name__}", 0.0)
    if outcome.verdict == "interrupted":
        return True
    if outcome.verdict == "died" and attempt < ATTEMPTS:
        return False
    findings.keep(job.id, job.target, outcome, attempt)
    return True
