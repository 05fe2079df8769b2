"""What does a case cost, and whose time is it? `python benchmarks/cases_per_second.py [--rounds 101]`.

For every target: cases a second in the check of sequences, and the share of the target's own calls in that time; then
what our part of a case goes into, and the bound as a multiple of the reference in float64. Times are those of the
process, so that other work on the machine does not count, and medians over the cases.
"""

from alarms import machine  # isort: skip  (it sets the threads before NumPy is loaded)
import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.forced import forced_bounds
from lstm_spec.compute.layer import forward as layer
from lstm_spec.spec.cells import lstm
from lstm_spec.targets.contract import Target, call_forward
from lstm_spec.targets.python import load
from lstm_spec.verify.cases import Case, seeded_case
from lstm_spec.verify.compare import compare
from lstm_spec.verify.run import verify

CELL = lstm()
PARTS = ("generation", "target", "conversion", "bound", "comparison")
SHAPES = ((1, 1, 3, 3), (4, 3, 4, 4), (8, 2, 13, 17), (20, 3, 33, 33), (100, 2, 70, 128))


class Clock:
    """The time that a function has taken so far."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.seconds = function, 0.0

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        begun = time.process_time()
        try:
            return self.function(*arguments, **keywords)
        finally:
            self.seconds += time.process_time() - begun


def whole_runs(names: tuple[str, ...]) -> Iterator[str]:
    yield "| target | profile | cases | cases a second | the target's share |"
    yield "|---|---|---|---|---|"
    for name in names:
        target = load(name)
        for profile in ("quick", "standard"):
            clock = Clock(target.forward)
            begun = time.process_time()
            report = verify(
                replace(target, forward=clock), profile=profile, checks=["step", "sequence"], dtypes=["float64"]
            )
            seconds = time.process_time() - begun
            rate, share = report.cases / seconds, clock.seconds / seconds
            yield f"| {name} | {profile} | {report.cases:,} | {rate:,.0f} | {share:.0%} |"


def parts(case: Case, target: Target, about: dict[str, Any]) -> dict[str, float]:
    """Return the seconds that each part of a case takes."""
    contract = accuracy(str(case.dtype))
    clock = Clock(target.forward)
    timed = replace(target, forward=clock)

    def call() -> Any:
        return call_forward(timed, CELL, case.params, case.x, case.states)[0]

    made, _ = once(lambda: seeded_case(CELL, **about))
    called, outputs = once(call)
    bound, allowed = once(lambda: forced_bounds(CELL, case.params, case.x, case.states, outputs.y, contract))
    compared, _ = once(lambda: compare({"y": outputs.y, **outputs.states}, allowed, contract))
    reference, _ = once(lambda: layer(case.params, case.x, *case.states))
    return {
        "generation": made,
        "target": clock.seconds,
        "conversion": called - clock.seconds,
        "bound": bound,
        "comparison": compared,
        "reference": reference,
    }


def once(function: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    value = function()
    return time.process_time() - begun, value


def by_part(rounds: int) -> Iterator[str]:
    yield "| (T, B, n, m) | " + " | ".join(PARTS) + " | ours in all | bound / float64 reference |"
    yield "|---|" + "---|" * (len(PARTS) + 2)
    for T, B, n, m in SHAPES:
        about = {"dtype": "float64", "sizes": {"n": n, "m": m}, "T": T, "B": B, "regime": "usual", "seed": 0}
        case = seeded_case(CELL, **about)
        target = load("numpy")
        seen = [parts(case, target, about) for _ in range(rounds)]
        typical = {key: median(s[key] for s in seen) for key in seen[0]}
        ours = sum(typical[key] for key in PARTS if key != "target")
        ratio = median(s["bound"] / s["reference"] for s in seen)
        figures = " | ".join(f"{1e3 * typical[key]:.2f} ms" for key in PARTS)
        yield f"| ({T}, {B}, {n}, {m}) | {figures} | {1e3 * ours:.2f} ms | {ratio:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=101, help="repeats, of which the median counts")
    options = parser.parse_args()
    print("\n".join([*machine(("numpy", "hypothesis", "sympy")), ""]))
    np.seterr(all="ignore")
    print("\n".join([*by_part(options.rounds), "", *whole_runs(("numpy", "spec", "torch"))]))


if __name__ == "__main__":
    main()
