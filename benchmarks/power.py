"""What do fixed tolerances catch, and at what price? `python benchmarks/power.py [--profile quick] [--dtype float32]`.

On the cases of the checks of one step and of sequences every fault of a forward pass that one call can tell is held
against the specification: by the derived bounds, and by the tolerances in use, which compare with a free run in
float64. Correct implementations (the compiled equations and PyTorch's cell, in the format itself) are held against it
in the same way: the cases on which one of them fails are false alarms, and there nothing counts as found.
"""

from alarms import FORMATS, machine  # isort: skip  (it sets the threads before NumPy is loaded)
import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.answers import canonical
from lstm_spec.compute.compile import run
from lstm_spec.compute.forced import forced_bounds
from lstm_spec.spec.cells import lstm
from lstm_spec.targets.contract import call_forward
from lstm_spec.targets.python import load
from lstm_spec.targets.reference import compiled_spec
from lstm_spec.verify.asking import PROFILES, Asking
from lstm_spec.verify.cases import Array, Case
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.compare import compare
from lstm_spec.verify.search import Outcome
from lstm_spec.verify.selftest import planted, typed
from lstm_spec.verify.subject import Subject

CELL = lstm()
PYTORCH = {"float64": (1e-7, 1e-7), "float32": (1.3e-6, 1e-5), "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5)}
ASKED = ("step", "sequence")

Judge = Callable[[Case, Sequence[Array]], bool]
"""Whether what came passes on a case."""


def cases_of(profile: str, dtype: str) -> list[Case]:
    """Return the cases that a verification asks."""
    found: list[Case] = []

    def take(subject: Subject, case: Case, contract: Any) -> Outcome:
        found.append(case)
        return Outcome()

    plan = tuple(replace(check, examine=take, needs=()) for check in CHECKS if check.id in ASKED)
    Asking(Subject(compiled_spec(), CELL), PROFILES[profile], (dtype,), 0, plan).everything()
    return found


def within(relative: float, absolute: float) -> Judge:
    expected: dict[int, Sequence[Array]] = {}

    def judge(case: Case, outputs: Sequence[Array]) -> bool:
        if id(case) not in expected:
            params = {name: p.astype(np.float64) for name, p in case.params.items()}
            expected[id(case)] = run(CELL, params, *(a.astype(np.float64) for a in (case.x, *case.states)))
        pairs = zip(outputs, expected[id(case)], strict=True)
        return all(np.allclose(a.astype(np.float64), b, rtol=relative, atol=absolute) for a, b in pairs)

    return judge


def derived(dtype: str) -> Judge:
    contract = accuracy(dtype)

    def judge(case: Case, outputs: Sequence[Array]) -> bool:
        bounds = forced_bounds(CELL, case.params, case.x, case.states, outputs[0], contract)
        return compare(dict(zip(("y", "h", "c"), outputs, strict=True)), bounds, contract).agrees

    return judge


def judges(dtype: str) -> dict[str, Judge]:
    return {
        "derived bounds": derived(dtype),
        "PyTorch's default": within(*PYTORCH[dtype]),
        "np.allclose": within(1e-5, 1e-8),
        "1e-3": within(1e-3, 1e-3),
    }


def rows(profile: str, dtype: str, every: int) -> Iterator[str]:
    cases = cases_of(profile, dtype)
    right = (typed(canonical(CELL)[0]), torch_cell)
    faults = [f for f in planted(CELL, dtype) if not f.in_gradients_only and f.kind != "calls"][::every]
    judged = judges(dtype)
    fair = {
        name: [case for case in cases if all(judge(case, answer(forward, case)) for forward in right)]
        for name, judge in judged.items()
    }
    killed = dict.fromkeys(judged, 0)
    for fault in faults:
        forward, left = typed(fault.forward), set(judged)
        kept = {name: {id(case) for case in fair[name]} for name in judged}
        for case in cases:
            if not left:
                break
            got = answer(forward, case)
            caught = {name for name in left if id(case) in kept[name] and not judged[name](case, got)}
            left -= caught
            for name in caught:
                killed[name] += 1
    for name in judged:
        alarms = 1 - len(fair[name]) / len(cases)
        share = f"{killed[name]:,} of {len(faults):,} ({killed[name] / len(faults):.1%})"
        yield f"| {dtype} | {profile} | {name} | {share} | {alarms:.1%} of {len(cases):,} cases |"


def torch_cell(params: dict[str, Array], x: Array, h: Array, c: Array) -> Sequence[Array]:
    outputs, _ = call_forward(load("torch-cell"), CELL, params, x, (h, c))
    return (outputs.y, outputs.states["h"], outputs.states["c"])


def answer(forward: Callable[..., Any], case: Case) -> Sequence[Array]:
    with np.errstate(all="ignore"):
        return forward({name: p.copy() for name, p in case.params.items()}, case.x.copy(), *case.states)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="quick,standard")
    parser.add_argument("--dtype", default=",".join(FORMATS))
    parser.add_argument("--every", type=int, default=1, help="plant only every so many faults")
    options = parser.parse_args()
    print("\n".join([*machine(("numpy", "torch", "ml_dtypes")), ""]))
    print("| format | profile | held against | faults found | false alarms |")
    print("|---|---|---|---|---|")
    for dtype in options.dtype.split(","):
        for profile in options.profile.split(","):
            print("\n".join(rows(profile, dtype, options.every)), flush=True)


if __name__ == "__main__":
    main()
