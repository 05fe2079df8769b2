"""Are the frameworks VERIFIED? `python benchmarks/frameworks.py [--cases 2000] [--seed 0] [TARGET …]`.

Every target runs in a process of its own, Keras on every backend that is installed. A case draws a format, sizes,
steps, rows, a regime of numbers and a seed, lengths where the target takes them, and holds forward and all gradients
against the specification. Where shapes are compiled they come from a pool of 20. A target may be an original with its
arguments, such as "torch.nn.LSTM(num_layers=3)"; BACKEND:TARGET is Keras on a backend. PYTHON_PADDLE names the
interpreter for PaddlePaddle, which may be in an environment of its own.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time

import numpy as np

BACKENDS = ("numpy", "torch", "jax", "tensorflow")
KERAS = ("keras", "keras-cell", "keras-bidirectional", "keras-gru")
OTHERS = (
    *("torch", "torch-cell", "torch-gru", "torch-rnn", "torch-stack"),
    *("flax", "flax-optimized", "flax-nnx", "flax-nnx-optimized", "equinox", "haiku"),
    *("mlx", "openvino", "paddle", "paddle.nn.LSTM(direction='bidirect', lengths=True)", "tinygrad"),
)
SLOW = {"tinygrad": 200}
"""Targets of which a case costs more than a tenth of a second, with the most cases that they are asked."""

SIZES = (1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 33)
POOL = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--here", action="store_true", help="ask one target in this process and print JSON")
    options = parser.parse_args()
    if options.here:
        print(json.dumps(asked(options.targets[0], options.cases, options.seed)))
        return
    keras = [f"{b}:{name}" for b in BACKENDS if importlib.util.find_spec(b) for name in KERAS]
    print(f"{options.cases} cases, seed {options.seed}\n")
    print("| target | versions | format | cases | verdict | forward | gradients | inconclusive | worst error/allowed |")
    print("|" + "---|" * 9, flush=True)
    found = []
    for target in options.targets or (*OTHERS, *keras):
        for row in elsewhere(target, options):
            print(f"| {' | '.join(row['cells'])} |", flush=True)
            found += row["first"]
    print("\nThe first finding of each:\n")
    for sentence in found:
        print(f"- {sentence}")


def elsewhere(target, options):
    """Ask a target in a process of its own, and return the rows of the table."""
    backend, _, name = target.rpartition(":")
    environment = {**os.environ, "DEV": "PYTHON"} | ({"KERAS_BACKEND": backend} if backend else {})
    python = os.environ.get("PYTHON_PADDLE", sys.executable) if name.startswith("paddle") else sys.executable
    cases = min(options.cases, SLOW.get(name, options.cases))
    command = [python, __file__, name, "--here", "--cases", str(cases), "--seed", str(options.seed)]
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout.splitlines()[-1]) if run.returncode == 0 else []


def asked(name, cases, seed):
    """Ask a target so many questions, and return a row for each of its formats."""
    from lstm_spec.targets.calls import MisbehaviourError
    from lstm_spec.targets.claims import claimed
    from lstm_spec.targets.like import like
    from lstm_spec.targets.python import BUILT_IN, load
    from lstm_spec.verify.subject import Subject

    target = load(name) if name in BUILT_IN else like(name)
    subject, rng = Subject(target, claimed(target)), np.random.default_rng(seed)
    compiled = target.sizes is not None
    sizes = target.sizes if name in SLOW else None
    shapes = [structure(subject, rng, sizes) for _ in range(POOL if compiled else cases)]
    rows = {dtype: Row() for dtype in target.dtypes}
    begun = time.perf_counter()
    for k in range(cases):
        dtype, shape, ends = shapes[k % len(shapes)]
        try:
            compare(subject, dtype, dict(shape), ends, rng, rows[dtype])
        except MisbehaviourError as error:
            rows[dtype].raised(str(error))
        if k % 20 == 19:
            print(f"\r{name} {k + 1}/{cases}, {time.perf_counter() - begun:.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return [row.shown(name, dtype, target) for dtype, row in rows.items()]


def structure(subject, rng, among):
    """Draw a format, sizes, numbers of steps and rows, and whether there are lengths; a shape from ``among`` if any."""
    drawn = {"T": int(rng.integers(1, 9)), "B": int(rng.integers(1, 6))}
    drawn |= {s.name: int(rng.choice(SIZES)) for s in subject.cell.sizes}
    shape = drawn if among is None else dict(among[int(rng.integers(len(among)))])
    ends = subject.target.past_length is not None and bool(rng.integers(2))
    return str(rng.choice(subject.target.dtypes)), shape, ends


class Row:
    """What was seen in one format."""

    def __init__(self):
        self.cases, self.inconclusive, self.worst, self.first = 0, 0, 0.0, None
        self.wrong = {"forward": 0, "gradients": 0}

    def raised(self, message):
        self.cases += 1
        self.wrong["forward"] += 1
        self.first = self.first or message

    def add(self, findings):
        self.cases += 1
        self.inconclusive += not all(comparison.conclusive for comparison in findings.values())
        for what, comparison in findings.items():
            self.worst = max(self.worst, comparison.worst.ratio)
            self.wrong[what] += not comparison.agrees
            if not comparison.agrees:
                self.first = self.first or str(comparison.worst)

    def shown(self, name, dtype, target):
        versions = ", ".join(f"{package} {version}" for package, version in target.versions.items())
        verdict = "DISCREPANCY" if self.first else "VERIFIED"
        gradients = "not claimed" if target.backward is None else str(self.wrong["gradients"])
        numbers = (str(self.wrong["forward"]), gradients, str(self.inconclusive), f"{self.worst:.2g}")
        cells = [name, versions, dtype, str(self.cases), verdict, *numbers]
        return {"cells": cells, "first": [f"{name}, {versions}, {dtype}: {self.first}"] if self.first else []}


def compare(subject, dtype, sizes, ends, rng, row):
    """Ask one question and add what came of it to a row."""
    from lstm_spec.compute.accuracy import accuracy
    from lstm_spec.verify.cases import seeded_case, with_lengths
    from lstm_spec.verify.regimes import REGIMES

    T, B = sizes.pop("T"), sizes.pop("B")
    regime, seed = str(rng.choice(list(REGIMES))), int(rng.integers(2**31))
    case = seeded_case(subject.cell, dtype, sizes=sizes, T=T, B=B, regime=regime, seed=seed, gradients=True)
    if ends:
        lengths = rng.integers(1, T + 1, B)
        lengths[rng.integers(B)] = T
        case = with_lengths(case, subject.cell, lengths)
    contract = accuracy(dtype)
    findings = {"forward": subject.compare(case, subject.call(case)[0], contract)}
    if subject.target.backward is not None and findings["forward"].agrees:
        ran, (gradients, _) = subject.call_differentiated(case), subject.call_backward(case)
        findings["gradients"] = subject.compare_gradients(case, ran, gradients, contract)
    row.add(findings)


if __name__ == "__main__":
    main()
