"""Are PyTorch's layers VERIFIED in any combination? `python benchmarks/torch_layers.py [--cases 2000] [--seed 0]`.

Every case draws a module (LSTM, projected LSTM, GRU, RNN with tanh or relu), layers, directions, axes, packed lengths,
a format, sizes, a regime of numbers and a seed, and holds forward and backward against the specification.
"""

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.targets.claims import claimed
from lstm_spec.targets.like import like
from lstm_spec.verify.cases import seeded_case, with_lengths
from lstm_spec.verify.regimes import REGIMES
from lstm_spec.verify.subject import Subject

KINDS = {
    "LSTM": "LSTM({})",
    "LSTMP": "LSTM(proj_size=True, {})",
    "GRU": "GRU({})",
    "RNN": "RNN({})",
    "RNN relu": "RNN(nonlinearity='relu', {})",
}
SIZES = (1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 33)


@dataclass
class Row:
    """What was seen of one kind of module."""

    cases: int = 0
    alarms: int = 0
    inconclusive: Counter = field(default_factory=Counter)
    worst: dict = field(default_factory=lambda: {"forward": 0.0, "gradients": 0.0})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    rows, depths = {kind: Row() for kind in KINDS}, {layers: Row() for layers in (1, 2, 3)}
    begun = time.perf_counter()
    for k in range(options.cases):
        kind, layers, findings = draw(rng)
        for row in (rows[kind], depths[layers]):
            row.cases += 1
            for what, comparison in findings.items():
                row.alarms += not comparison.agrees
                row.inconclusive[what] += not comparison.conclusive
                row.worst[what] = max(row.worst[what], comparison.worst.ratio)
        if k % 20 == 19:
            print(f"\r{k + 1}/{options.cases}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{options.cases} cases, seed {options.seed}, {time.perf_counter() - begun:.0f} s\n")
    table("module", rows)
    table("layers", depths)


def draw(rng):
    """Ask one question, and return the kind, the number of layers and the two comparisons."""
    kind, layers = str(rng.choice(list(KINDS))), int(rng.integers(1, 4))
    flags = ", ".join(f"{flag}={bool(rng.integers(2))}" for flag in ("bidirectional", "batch_first", "lengths"))
    target = like("torch.nn." + KINDS[kind].format(f"num_layers={layers}, {flags}"))
    network = claimed(target)
    sizes = {s.name: int(rng.choice(SIZES)) for s in network.sizes}
    while not target.possible(sizes):
        sizes = {s.name: int(rng.choice(SIZES)) for s in network.sizes}
    dtype, T, B = str(rng.choice(target.dtypes)), int(rng.integers(1, 9)), int(rng.integers(1, 6))
    regime, seed = str(rng.choice(list(REGIMES))), int(rng.integers(2**31))
    case = seeded_case(network, dtype, sizes=sizes, T=T, B=B, regime=regime, seed=seed, gradients=True)
    if target.past_length is not None:
        lengths = rng.integers(1, T + 1, B)
        lengths[rng.integers(B)] = T
        case = with_lengths(case, network, lengths)
    subject, contract = Subject(target, network), accuracy(dtype)
    outputs, _ = subject.call(case)
    gradients, _ = subject.call_backward(case)
    recorded = subject.call_differentiated(case)
    findings = {
        "forward": subject.compare(case, outputs, contract),
        "gradients": subject.compare_gradients(case, recorded, gradients, contract),
    }
    for what, comparison in findings.items():
        if not comparison.agrees:
            print(
                f"ALARM {target.name} {target} {sizes} T={T} B={B} {dtype} {regime} {seed} {what}: {comparison.worst}"
            )
    return kind, layers, findings


def table(heading, rows):
    columns = ("cases", "false alarms", "inconclusive forward", "gradients", "worst error/allowed forward", "gradients")
    print(f"| {heading} | {' | '.join(columns)} |")
    print("|" + "---|" * 7)
    for name, row in rows.items():
        few, many = row.inconclusive["forward"], row.inconclusive["gradients"]
        print(
            f"| {name} | {row.cases} | {row.alarms} | {few} | {many} |"
            f" {row.worst['forward']:.2f} | {row.worst['gradients']:.2f} |"
        )
    print()


if __name__ == "__main__":
    main()
