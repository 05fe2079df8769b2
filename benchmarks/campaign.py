"""Is a campaign the same however often it is killed, and wherever it runs? And what does a job cost beside its target?

    python benchmarks/campaign.py [--kills 5] [--seeds 2] [--seed 0] [--no-dask]

One campaign over ten targets, two of them wrong, is run without a break; then it is killed with SIGKILL at random
moments and resumed until it is done; then it runs on a Dask scheduler with two workers, one of which is killed. Every
job notes in a file that it has begun, so that it can be counted what ran twice.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path

from lstm_spec.verify.campaign import Campaign, Job, read_campaign, run_campaign
from lstm_spec.verify.findings import Findings, Outcome, compare_findings

TARGETS = (
    "numpy",
    "spec",
    "torch",
    "torch-cell",
    "torch-gru",
    "torch-rnn",
    "right.py:a",
    "right.py:b",
    "wrong.py:a",
    "wrong.py:b",
)
NOTE = """\
import os, sys

words = sys.orig_argv
if "verify" in words:
    with open(os.path.join(os.path.dirname(__file__), "begun"), "a") as file:
        file.write(" ".join(words[words.index("verify") + 1 : words.index("--json")]) + "\\n")
"""
RIGHT = "from lstm_spec.compute.layer import forward as a\n\nb = a\n"
WRONG = """
from lstm_spec.compute.layer import forward


def a(params, x, h0, c0):
    return forward(params, x, c0, h0)


def b(params, x, h0, c0):
    y, h, c = forward(params, x, h0, c0)
    return y, c, h
"""


def folder(place, seeds):
    """Write the campaign, its targets, and what every Python runs that starts beside them; return the campaign."""
    path = Path(place)
    (path / "sitecustomize.py").write_text(NOTE)
    (path / "right.py").write_text(RIGHT)
    (path / "wrong.py").write_text(WRONG)
    os.environ["PYTHONPATH"] = os.pathsep.join([place, *filter(None, [os.environ.get("PYTHONPATH")])])
    names = ", ".join(f'"{name}"' for name in TARGETS)
    (path / "c.toml").write_text(
        f'[[jobs]]\ntarget = [{names}]\nprofile = "quick"\nchecks = "signature,step,sequence"\nseed = {seeds}\n'
    )
    return path / "c.toml"


def command(file, findings, *options):
    return [sys.executable, "-m", "lstm_spec", "campaign", "run", str(file), "--findings", str(findings), *options]


def run(file, findings, *options):
    begun = time.perf_counter()
    subprocess.run(command(file, findings, *options), stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begun


def begun(place):
    """Return the jobs that have begun so far, each as often as it did."""
    path = Path(place) / "begun"
    return path.read_text().splitlines() if path.exists() else []


@dataclass(frozen=True)
class Kill:
    """What was done when a run was killed, how many jobs had begun, and whether there was anything left to kill."""

    done: frozenset
    begun: int
    running: bool


def run_killed(file, findings, kills, most, rng):
    """Run with two workers, killed at random moments, then to the end; returns what was known at each kill."""
    known = []
    for _ in range(kills):
        process = subprocess.Popen(command(file, findings, "--workers", "2"), stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.5, most))
        running = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        known.append(Kill(frozenset(Findings(findings).done()), len(begun(file.parent)), running))
        # The jobs in flight have lost who would have kept what they find; they end by themselves.
        time.sleep(most / 10)
    run(file, findings, "--workers", "2")
    return known


@contextlib.contextmanager
def scheduler():
    """Start a Dask scheduler with two workers, and yield its address and the workers."""
    from distributed import Client

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", str(port), "--host", "127.0.0.1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen([*dask, "--no-dashboard"], **quiet)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    processes += [subprocess.Popen([*worker, "--no-nanny"], **quiet) for _ in range(2)]
    try:
        with Client(address, timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run_on_dask(file, findings):
    """Run on Dask, with one of two workers killed once three jobs are done; returns how many were done then."""
    with scheduler() as (address, workers):
        process = subprocess.Popen(
            command(file, findings, "--scheduler", address, "--workers", "2"), stdout=subprocess.DEVNULL
        )
        while process.poll() is None and not (findings.exists() and len(Findings(findings).done()) >= 3):
            time.sleep(0.2)
        workers[0].kill()
        done = len(Findings(findings).done())
        process.wait()
    return done


def same(first, second):
    return not compare_findings(first, second) and first.rows() == second.rows()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2, help="How many seeds every target is asked with.")
    parser.add_argument("--seed", type=int, default=0, help="Of the moments at which it is killed.")
    parser.add_argument("--no-dask", action="store_true")
    options = parser.parse_args()
    seeds = list(range(options.seeds))
    with tempfile.TemporaryDirectory() as place:
        measure(Path(place), seeds, options)


def measure(place, seeds, options):
    file = folder(str(place), seeds)
    paths = [place / f"{name}.sqlite" for name in ("two", "one", "killed", "dask")]
    two = run(file, paths[0], "--workers", "2")
    one = run(file, paths[1], "--workers", "1")
    whole, single = Findings(paths[0]), Findings(paths[1])
    count, bare = len(whole.done()), python("pass")
    say(f"{count} jobs over {len(TARGETS)} targets, {os.cpu_count()} processors")
    say(f"one worker takes {one / two:.2f} times as long as two")
    say(f"to keep what was found of a job takes {kept(place, whole) / bare:.2f} times what starting Python does")
    say(f"beside its verification a job of numpy takes {beside() / bare:.0f} times that")
    say(f"of which the imports alone are {python('import lstm_spec.verify.run') / bare:.0f} times")
    say(f"the same findings with one worker and with two: {same(whole, single)}")
    (place / "begun").unlink()
    kills = run_killed(file, paths[2], options.kills, 1.5 * two / options.kills, random.Random(options.seed))
    say(f"killed {sum(k.running for k in kills)} times while it ran, after {[len(k.done) for k in kills]} jobs")
    report_repeats(place, whole.done() - Findings(paths[2]).done(), kills)
    say(f"the same findings: {same(whole, Findings(paths[2]))}")
    if not options.no_dask:
        done = run_on_dask(file, paths[3])
        say(f"on Dask, a worker of two killed after {done} jobs: the same findings: {same(whole, Findings(paths[3]))}")


def report_repeats(place, lost, kills):
    """Print how many jobs began more than once, and how many of those were done already, which none may be."""
    by_words = {" ".join(job.arguments): job.id for job in read_campaign(place / "c.toml").jobs}
    order = [by_words[words] for words in begun(place)]
    repeated = len(order) - len(set(order))
    needless = sum(job in kill.done for kill in kills for job in order[kill.begun :])
    say(f"{len(lost)} jobs lost; {repeated} begun again since they were in flight, {needless} though they were done")


def kept(place, findings):
    """Return the time to keep the report of a job, when every job is answered at once with one that was found."""
    report = next(iter(findings.reports().values()))
    campaign = Campaign(tuple(Job(f"target{k}") for k in range(200)), place)
    start = time.perf_counter()
    run_campaign(campaign, Findings(place / "kept.sqlite"), Answering(report), at_once=2)
    return (time.perf_counter() - start) / len(campaign.jobs)


class Answering(Executor):
    """An executor that answers every job at once with the same report."""

    def __init__(self, report):
        self.report = report

    def submit(self, *asked):
        future = Future()
        future.set_result(Outcome(self.report["verdict"], "", 0.0, self.report))
        return future


def beside():
    """Return the least time of a job's process that is no part of its verification."""
    words = [
        sys.executable,
        "-m",
        "lstm_spec",
        "verify",
        "numpy",
        "--profile",
        "quick",
        "--checks",
        "step",
        "--json",
        "-",
    ]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run(words, capture_output=True, check=True)
        times.append(time.perf_counter() - start - json.loads(done.stdout)["seconds"])
    return min(times)


def say(line):
    print(line, flush=True)


def python(statement):
    """Return the least time of starting Python with a statement."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", statement], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
