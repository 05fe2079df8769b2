"""How small are the counterexamples? Plant every fault of a cell, and look at the case that is reported for each.

    python benchmarks/shrinking.py [--cell lstm] [--dtype float64] [--every 1] [--offset 0] [--out FILE]
    python benchmarks/shrinking.py --table FILE ...

A counterexample is small if it has at most three steps, three features and three units, two rows, and numbers of at
most three digits. Where one is not, its fault is asked for smaller ones: by all the cases, with short decimals, of that
size that the checks would draw in a thousand tries. If none of them shows it, the fault does not show at that size.
With ``--out`` every fault becomes a line of JSON as soon as it is known, and those that are there are not asked again;
``--table`` prints the page from such files.
"""

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from alarms import machine  # isort: skip  (it sets the threads before NumPy is loaded)
import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase, settings

import lstm_spec as ls
from lstm_spec.targets.contract import Target
from lstm_spec.verify.cases import small_cases
from lstm_spec.verify.checks import CHECKS, examine
from lstm_spec.verify.fit import subject_of
from lstm_spec.verify.plain import digits
from lstm_spec.verify.run import verify
from lstm_spec.verify.selftest import planted, typed

TRIES = 1000
STEPS, SIZE, ROWS, DIGITS = 3, 3, 2, 3


def measured(fault, dtype, profile):
    """What is reported for a planted fault: the size of its simplest case, and whether it is small or could be."""
    backward = typed(fault.backward) if fault.in_gradients_only else None
    target = Target(name=fault.id, forward=typed(fault.forward), backward=backward, dtypes=(dtype,))
    ids = [check.id for check in CHECKS if check.gradients == fault.in_gradients_only]
    begun = time.process_time()
    report = verify(target, spec=fault.cell, profile=profile, checks=ids, diagnose=False)
    told = {"id": fault.id, "kind": fault.kind, "seconds": round(time.process_time() - begun, 2)}
    if report.failing is None:
        return {**told, "found": False}
    size = size_of(report.finding.case)
    small = is_small(size)
    shows = small or shows_small(target, fault.cell, report.failing.id, dtype)
    return {**told, "found": True, "check": report.failing.id, **size, "small": small, "possible": shows}


def size_of(case):
    states = max(s.shape[-1] for s in case.states)
    numbers = {"numbers": int(np.count_nonzero(case.numbers)), "digits": max(map(digits, case.numbers))}
    return {"T": case.T, "n": case.x.shape[-1], "m": states, "B": case.B, **numbers}


def is_small(size):
    limits = {"T": STEPS, "n": SIZE, "m": SIZE, "B": ROWS, "digits": DIGITS}
    return all(size[key] <= limit for key, limit in limits.items())


def shows_small(target, cell, check_id, dtype):
    """Tell whether some small case of short decimals shows a fault, among those of a thousand tries."""
    subject = subject_of(target, cell, None)
    check = next(c for c in CHECKS if c.id == check_id)
    limits = {"least_steps": check.least_steps, "least_rows": check.least_rows, "gradients": check.gradients}
    shown = []

    @settings(
        max_examples=TRIES,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.seed(0)
    @hypothesis.given(small_cases(subject.cell, dtype, steps=STEPS, rows=ROWS, size=SIZE, **limits))
    def ask(case):
        short = case.with_numbers(np.round(case.numbers.astype(np.float64), 2).astype(case.dtype))
        if not shown and examine(check, subject, short, subject.contracts[dtype]).finding:
            shown.append(short)

    ask()
    return bool(shown)


def page(lines):
    """The page of what is known of every fault."""
    found = [line for line in lines if line["found"]]
    alive = [line for line in lines if not line["found"]]
    yield "| kind | faults | found | small | not small | of these show smaller |"
    yield "|---|---|---|---|---|---|"
    kinds = Counter(line["kind"] for line in lines)
    for kind in [*sorted(kinds), None]:
        every = [line for line in lines if kind in (line["kind"], None)]
        there = [line for line in every if line["found"]]
        large = [line for line in there if not line["small"]]
        could = sum(line["possible"] for line in large)
        name = "all" if kind is None else kind
        yield f"| {name} | {len(every)} | {len(there)} | {len(there) - len(large)} | {len(large)} | {could} |"
    yield ""
    numbers, most = (Counter(line[key] for line in found) for key in ("numbers", "digits"))
    yield f"Numbers that are not zero: {spread(numbers)}. Most digits of one: {spread(most)}."
    yield ""
    yield "Not small, those that no smaller case shows first:"
    yield ""
    large = {}
    for line in sorted((line for line in found if not line["small"]), key=lambda line: (line["possible"], line["T"])):
        size = ", ".join(f"{key}={line[key]}" for key in "TBnm") + f", digits {line['digits']}"
        large.setdefault((line["possible"], size), []).append(line["id"])
    for (possible, size), names in large.items():
        yield f"- {size}{'; **a smaller case shows it**' if possible else ''}: {', '.join(names)}"
    yield ""
    yield f"Not found: {', '.join(line['id'] for line in alive) or 'none'}."
    yield f"Processor time of one: {np.median([line['seconds'] for line in lines]):.2f} s in the median."


def spread(counts):
    return ", ".join(f"{key} in {count:,}" for key, count in sorted(counts.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--every", type=int, default=1, help="plant only every so manieth fault")
    parser.add_argument("--offset", type=int, default=0, help="begin with this one")
    parser.add_argument("--out", type=Path, help="where to keep what is known")
    parser.add_argument("--table", type=Path, nargs="+", help="files to print the page of")
    chosen = parser.parse_args()
    if chosen.table:
        known = [json.loads(line) for file in chosen.table for line in file.read_text().splitlines()]
        print("\n".join([*machine(("numpy", "hypothesis", "sympy")), "", *page(known)]))
        return
    known = {}
    if chosen.out and chosen.out.exists():
        known = {line["id"]: line for line in map(json.loads, chosen.out.read_text().splitlines())}
    for fault in planted(ls.cell(chosen.cell), chosen.dtype)[chosen.offset :: chosen.every]:
        if fault.id not in known:
            known[fault.id] = measured(fault, chosen.dtype, chosen.profile)
            if chosen.out:
                with chosen.out.open("a") as file:
                    file.write(json.dumps(known[fault.id]) + "\n")
    print("\n".join(page(list(known.values()))))


if __name__ == "__main__":
    main()
