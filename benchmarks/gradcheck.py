"""What does a check of every gradient cost? `python benchmarks/gradcheck.py [--sizes 4,8,…] [--slow 64] [--rounds 7]`.

The subject is one and the same `torch.nn.LSTM` layer in float64, n = m, T = 8, B = 1; JAX has the same layer as a scan.
Ours calls the target forward and backward, derives the bounds, and compares every element of every gradient.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from alarms import machine  # isort: skip  (it sets the threads before NumPy is loaded)
import numpy as np
from differentiated import jax_scan
from layer import ONE_THREAD

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.layer import numpy_layer
from lstm_spec.spec.cells import lstm
from lstm_spec.targets.arrays import from_numpy
from lstm_spec.targets.python import load
from lstm_spec.verify.cases import Case, seeded_case
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.subject import Subject

CELL, T, B = lstm(), 8, 1
EXAMINE = next(check.examine for check in CHECKS if check.id == "gradient_sequence")
OURS, FAST, SLOW, JAX, PASS = "lstm_spec", "gradcheck fast", "gradcheck slow", "check_grads", "one backward pass"
ALARMS = "calls of check_grads that fail on these correct gradients, %"


def case_of(m: int) -> Case:
    case = seeded_case(CELL, "float64", sizes={"n": m, "m": m}, T=T, B=B, regime="usual", seed=m, gradients=True)
    return case.with_cotangents(7)


def one_pass(case: Case) -> Callable[[], Any]:
    """The unit of all: forward and backward of the NumPy layer in its own workspace."""
    m = case.states[0].shape[-1]
    workspace = numpy_layer().workspace(T=T, B=B, n=m, m=m, dtype="float64")

    def call() -> None:
        workspace.forward(case.params, case.x, *case.states)
        workspace.backward(*case.cotangents)

    return call


def ours(case: Case) -> Callable[[], Any]:
    subject, contract = Subject(load("torch"), CELL), accuracy("float64")

    def call() -> None:
        outcome = EXAMINE(subject, case, contract)
        assert outcome.finding is None
        assert outcome.conclusive

    return call


def gradcheck(case: Case, *, fast: bool) -> Callable[[], Any]:
    import torch

    target = load("torch")
    names, arrays = zip(*target.layout.pack(case.params, concat="xh").items(), strict=True)
    given = [torch.from_numpy(np.array(a)).requires_grad_() for a in (*arrays, case.x, *case.states)]
    m = case.states[0].shape[-1]
    network = torch.nn.LSTM(m, m, dtype=torch.float64)

    def layer(*values: Any) -> Any:
        *params, x, h0, c0 = values
        y, (h, c) = torch.func.functional_call(
            network, dict(zip(names, params, strict=True)), (x, (h0[None], c0[None]))
        )
        return y, h, c

    return lambda: torch.autograd.gradcheck(layer, given, fast_mode=fast)


def check_grads(case: Case, alarms: list[bool]) -> Callable[[], Any]:
    from jax.test_util import check_grads as check

    layer = jax_scan().forward
    params = {name: from_numpy(p, "jax") for name, p in case.params.items()}
    given = (params, *(from_numpy(a, "jax") for a in (case.x, *case.states)))

    def call() -> None:
        # Its directions are random and its tolerance fixed: it fails on correct gradients, too.
        try:
            check(layer, given, order=1)
            alarms.append(False)
        except AssertionError:
            alarms.append(True)

    return call


def timed(call: Callable[[], Any], seconds: float) -> float:
    """Processor seconds of one call, over as many as fill the time; other work on the machine costs them little."""
    repeats, begun = 0, time.process_time()
    while repeats == 0 or time.process_time() - begun < seconds:
        call()
        repeats += 1
    return (time.process_time() - begun) / repeats


def measure(m: int, *, slow: bool, rounds: int) -> dict[str, float]:
    """Return times over that of one backward pass, medians over rounds in which all take their turn."""
    case = case_of(m)
    alarms: list[bool] = []
    calls = {
        PASS: one_pass(case),
        OURS: ours(case),
        FAST: gradcheck(case, fast=True),
        JAX: check_grads(case, alarms),
    }
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(timed(call, 0.05))
    ratios = {name: median(a / b for a, b in zip(values, times[PASS], strict=True)) for name, values in times.items()}
    if slow:
        # Minutes at large sizes, so once; the pass beside it is that of the same minute.
        ratios[SLOW] = timed(gradcheck(case, fast=False), 0) / timed(calls[PASS], 0.05)
    share = sum(alarms) / len(alarms)
    return {**ratios, f"{OURS} in ms": 1e3 * median(times[OURS]), ALARMS: 100 * share}


def growth(sizes: list[int], ratios: list[float | None]) -> str:
    """How the cost grows against one backward pass, as the exponent of the number of parameters."""
    known = [(m, r) for m, r in zip(sizes, ratios, strict=True) if r is not None]
    if len(known) < 2:
        return "–"
    (first, low), (last, high) = known[0], known[-1]
    count = [CELL.parameter_count(n=m, m=m) for m in (first, last)]
    return f"{math.log(high / low) / math.log(float(count[1] / count[0])):+.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="4,8,16,32,64,128", help="n = m, the sizes of the layer")
    parser.add_argument("--slow", type=int, default=64, help="the largest size at which slow mode is run")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved repeats, of which the median counts")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("\n".join(machine(("numpy", "torch", "jax"))))
    sizes, found = [int(m) for m in options.sizes.split(",")], []
    for m in sizes:
        found.append(measure(m, slow=m <= options.slow, rounds=options.rounds))
        print(f"m = {m}: {found[-1]}", file=sys.stderr, flush=True)
    print("\n| time over one backward pass | " + " | ".join(f"m={m}" for m in sizes) + " | growth |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for name in (OURS, FAST, JAX, SLOW):
        values = [result.get(name) for result in found]
        row = " | ".join("–" if v is None else f"{v:,.0f}" for v in values)
        print(f"| {name} | {row} | {growth(sizes, values)} |")
    for name in (FAST, JAX, SLOW):
        row = " | ".join(f"{r[name] / r[OURS]:,.1f}" if name in r else "–" for r in found)
        print(f"| {name} / {OURS} | {row} | |")
    for name in (f"{OURS} in ms", ALARMS):
        print(f"| {name} | " + " | ".join(f"{result[name]:.1f}" for result in found) + " | |")
    print("| gradients, elements | " + " | ".join(f"{elements(m):,}" for m in sizes) + " | |")


def elements(m: int) -> int:
    case = case_of(m)
    return sum(a.size for a in (*case.params.values(), case.x, *case.states))


if __name__ == "__main__":
    if not ONE_THREAD.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    main()
