"""Is the first sentence of a diagnosis the fault that was planted, and how long does it take?

    python benchmarks/diagnosis.py [--every 2] [--pairs 60] [--jobs 4] [--seed 0] [-o diagnosis.md]

Every fault of the catalogue (or every so many of them) is planted in the equations of the LSTM, forward or backward,
and so are random pairs of forward faults. Each is asked on cases until one shows it, and then explained as ``verify``
does. What comes first counts as right if it is the fault, or gives the same numbers on cases that hide nothing; of a
pair, if it names one of the two.
"""

import argparse
import os
import platform
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.compile import run
from lstm_spec.spec.cells import lstm
from lstm_spec.targets.contract import Target
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.diagnose import hypotheses, told_apart
from lstm_spec.verify.explain import explain
from lstm_spec.verify.regimes import REGIMES
from lstm_spec.verify.search import Finding
from lstm_spec.verify.subject import Subject

CELL = lstm()
CONTRACT = accuracy("float64")
SHAPES = ((2, 3, 4, 3), (3, 3, 6, 2), (2, 2, 20, 2), (1, 2, 70, 1))


def case_of(n, m, T, B, regime, seed, gradients):
    return seeded_case(CELL, "float64", sizes={"n": n, "m": m}, T=T, B=B, regime=regime, seed=seed, gradients=gradients)


def finding_of(subject, gradients):
    """Return the first case that shows a fault, as a finding, None where none does."""
    for seed, ((n, m, T, B), regime) in enumerate(product(SHAPES, REGIMES)):
        case = case_of(n, m, T, B, regime, seed, gradients)
        if gradients:
            outputs = subject.call_differentiated(case)
            comparison = subject.compare_gradients(case, outputs, subject.call_backward(case)[0], CONTRACT)
        else:
            comparison = subject.compare(case, subject.call(case)[0], CONTRACT)
        if not comparison.agrees:
            return Finding("it deviates", case, comparison.worst)
    return None


def general(gradients):
    return [case_of(2, 3, 12, 3, regime, 0, gradients) for regime in ("weights x3", "wide range", "remembering")]


def asked(fault, gradients):
    """Return what is said first, and in how many seconds; None where no case shows the fault."""
    forward = (lambda params, x, *s: run(CELL, params, x, *s)) if gradients else fault.forward
    target = Target(name=fault.id, forward=forward, backward=fault.backward if gradients else None)
    subject = Subject(target, CELL)
    finding = finding_of(subject, gradients)
    if finding is None:
        return None
    begun = time.process_time()
    found = explain(subject, finding)
    return found, time.process_time() - begun


def single(gradients, k):
    """Return the kind and the sentence of a fault, whether it is named first, what is said, and the seconds."""
    catalogue = hypotheses(CELL, gradients=gradients)
    fault, by_id = catalogue[k], {h.id: h for h in catalogue}
    answer = asked(fault, gradients)
    if answer is None:
        return fault.kind, fault.sentence, "never shown", "", 0.0
    found, seconds = answer
    first = found[0] if found else None
    same = first is not None and (
        first.id == fault.id
        or (first.id in by_id and len(told_apart([fault, by_id[first.id]], general(gradients))) == 1)
    )
    outcome = "named" if same else "missed" if first is None else "other"
    return fault.kind, fault.sentence, outcome, first.sentence if first else "", seconds


def pair(seed):
    """Return the same of a random pair of forward faults, of which one has to be named."""
    rng = np.random.default_rng(seed)
    catalogue = hypotheses(CELL)
    while True:
        first, second = (catalogue[k] for k in rng.integers(0, len(catalogue), 2))
        both = first.joined(second)
        answer = None if both is None or first.id == second.id else asked(both, gradients=False)
        if answer is None:
            continue
        found, seconds = answer
        sentence = found[0].sentence if found else ""
        named = first.sentence in sentence or second.sentence in sentence
        outcome = "named" if named else "other" if found else "missed"
        return "pair", both.sentence, outcome, sentence, seconds


def table(rows):
    kinds = defaultdict(Counter)
    for kind, _, outcome, *_ in rows:
        kinds[kind][outcome] += 1
    lines = ["| kind | faults | named first | named otherwise | nothing said |", "|---|---:|---:|---:|---:|"]
    for kind, counts in sorted(kinds.items()):
        shown = sum(counts.values()) - counts["never shown"]
        lines.append(f"| {kind} | {shown} | {counts['named']} | {counts['other']} | {counts['missed']} |")
    return lines


def share(rows):
    shown = [r for r in rows if r[2] != "never shown"]
    named = sum(r[2] == "named" for r in shown)
    return f"{named} of {len(shown)} ({named / max(len(shown), 1):.1%})"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only every so many faults")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.jobs) as pool:
        forward, backward = (
            [pool.submit(single, gradients, k) for k in range(0, len(known), options.every)]
            for gradients in (False, True)
            if (known := hypotheses(CELL, gradients=gradients))
        )
        two = [pool.submit(pair, (options.seed, k)) for k in range(options.pairs)]
        forward, backward, two = ([done.result() for done in group] for group in (forward, backward, two))
    seconds = sorted(r[-1] for r in (*forward, *backward, *two) if r[-1])
    text = [
        "# Is the first sentence the fault that was planted?",
        "",
        f"LSTM, float64, every {options.every}. fault of the catalogue, {options.pairs} random pairs,"
        f" seed {options.seed}; {platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}.",
        "",
        f"- single faults of the forward pass: {share(forward)}",
        f"- single faults of the backward pass: {share(backward)}",
        f"- pairs, one of the two named first: {share(two)}",
        f"- seconds of one processor a diagnosis: median {seconds[len(seconds) // 2]:.2f}, worst {seconds[-1]:.1f}",
        "",
        "## Forward",
        "",
        *table(forward),
        "",
        "## Backward",
        "",
        *table(backward),
        "",
        "## What was said instead",
        "",
        *(f"- {r[1]}: {r[3] or 'nothing'}" for r in (*forward, *backward, *two) if r[2] in ("other", "missed")),
    ]
    report = "\n".join(text) + "\n"
    if options.output:
        Path(options.output).write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
