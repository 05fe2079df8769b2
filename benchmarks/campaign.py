"""Is a campaign the same however often it is killed, and wherever it runs? And what does a job cost beside its target?

    python benchmarks/campaign.py [--kills 5] [--no-dask]

One campaign over ten targets, two of them wrong, is run without a break; then it is killed with SIGKILL at random
moments and resumed until it is done; then it runs on a Dask scheduler with two workers, one of which is killed. Every
target notes in a file that it was loaded, so that it can be counted what was run twice.
"""

import argparse
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lstm_spec.verify.findings import Findings, compare_findings

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

with open(os.path.join(os.path.dirname(__file__), "loaded"), "a") as file:
    file.write(" ".join(sys.argv[2:3]) + "\\n")
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
    """Write the campaign and its targets, and return its file."""
    path = Path(place)
    (path / "right.py").write_text(NOTE + RIGHT)
    (path / "wrong.py").write_text(NOTE + WRONG)
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


def run_killed(file, findings, kills, most, rng):
    """Run with two workers, killed at random moments, then to the end; returns how many jobs were done at each kill."""
    done = []
    for _ in range(kills):
        process = subprocess.Popen(command(file, findings, "--workers", "2"), stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(1.0, most))
        process.send_signal(signal.SIGKILL)
        process.wait()
        done.append(len(Findings(findings).done()))
    run(file, findings, "--workers", "2")
    return done


@contextlib.contextmanager
def scheduler():
    """Start a Dask scheduler with two workers, and yield its address and the workers."""
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
        time.sleep(5)
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def run_on_dask(file, findings):
    """Run on Dask, with one of two workers killed once a job is done."""
    with scheduler() as (address, workers):
        process = subprocess.Popen(
            command(file, findings, "--scheduler", address, "--workers", "2"), stdout=subprocess.DEVNULL
        )
        while process.poll() is None and not (findings.exists() and len(Findings(findings).done()) >= 3):
            time.sleep(0.2)
        workers[0].kill()
        process.wait()


def same(first, second):
    return not compare_findings(first, second) and first.rows() == second.rows()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--no-dask", action="store_true")
    options = parser.parse_args()
    seeds = list(range(options.seeds))
    with tempfile.TemporaryDirectory() as place:
        measure(Path(place), seeds, options)


def measure(place, seeds, options):
    file, loaded = folder(place, seeds), place / "loaded"
    paths = [place / f"{name}.sqlite" for name in ("two", "one", "killed", "dask")]
    two = run(file, paths[0], "--workers", "2")
    one = run(file, paths[1], "--workers", "1")
    whole, single = Findings(paths[0]), Findings(paths[1])
    inside = [report["seconds"] for report in single.reports().values()]
    beside = (single.seconds() - sum(inside)) / len(inside)
    print(f"{len(inside)} jobs over {len(TARGETS)} targets, {os.cpu_count()} cores")
    print(f"1 worker {one:.1f} s, 2 workers {two:.1f} s: {one / two:.2f} times as fast")
    print(f"a job costs {beside:.2f} s beside its verification, which takes {sum(inside) / len(inside):.2f} s here")
    print(f"the same findings with 1 and 2 workers: {same(whole, single)}")
    loaded.unlink()
    done = run_killed(file, paths[2], options.kills, two / 2, random.Random(0))
    again = len(loaded.read_text().splitlines()) - sum(".py:" in job for job in whole.done())
    print(f"killed {len(done)} times, after {done} jobs; the same findings: {same(whole, Findings(paths[2]))}")
    print(f"jobs of files that ran again, since they were in flight when it was killed: {again}")
    if not options.no_dask:
        run_on_dask(file, paths[3])
        print(f"on Dask, one of two workers killed: the same findings: {same(whole, Findings(paths[3]))}")


if __name__ == "__main__":
    main()
