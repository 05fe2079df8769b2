"""Does a correct implementation ever fail? `python benchmarks/false_alarms.py [--cases 20000] [--log FILE]`.

Case k is always the same one. With a log, which has one line a case, a run goes on where the last one ended; runs over
other ranges may write logs of their own, and `cat` joins them.
"""

import argparse
import contextlib
import itertools
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

# A BLAS reads it when it is loaded.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from layer import blas, processor
from rich.console import Console
from rich.progress import track

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.spec.cells import lstm
from lstm_spec.targets.contract import Target
from lstm_spec.targets.python import load
from lstm_spec.verify.cases import REGIMES, Array, Case, seeded_case
from lstm_spec.verify.checks import Subject

CELL = lstm()
FORMATS = ("float64", "float32")
# Many small cases, and enough long and wide ones: how often each is drawn.
STEPS = {1: 10, 2: 10, 3: 10, 5: 10, 8: 15, 20: 20, 50: 10, 100: 8, 200: 7}
SIZES = {1: 4, 2: 6, 3: 8, 5: 8, 7: 8, 8: 8, 13: 8, 16: 8, 17: 8, 31: 7, 33: 7, 64: 6, 70: 5, 128: 5, 256: 4}
QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)


def product(z: Array, W: Array) -> Array:
    return z @ W.T


def first_to_last(z: Array, W: Array) -> Array:
    total = np.zeros((len(z), len(W)), z.dtype)
    for k in range(z.shape[1]):
        total += z[:, k, None] * W[:, k]
    return total


def last_to_first(z: Array, W: Array) -> Array:
    return first_to_last(z[:, ::-1], W[:, ::-1])


def pairwise(z: Array, W: Array) -> Array:
    return (z[:, None, :] * W).sum(axis=-1)


def largest_first(z: Array, W: Array) -> Array:
    order = np.argsort(-np.abs(z).max(axis=0), kind="stable")
    return first_to_last(z[:, order], W[:, order])


def by_exp(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def by_tanh(a: Array) -> Array:
    half = a.dtype.type(0.5)
    return half * (1 + np.tanh(half * a))


def by_sign(a: Array) -> Array:
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, e) / (1 + e)


SUMS = (product, first_to_last, last_to_first, pairwise, largest_first)
SIGMOIDS = (by_exp, by_tanh, by_sign)


def plain(
    params: dict[str, Array], x: Array, h: Array, c: Array, *, dot: Callable[..., Array], sigmoid: Callable[..., Array]
) -> tuple[Array, Array, Array]:
    """The equations as printed, with a choice of how sums are taken and σ is computed."""
    ys = []
    for x_t in x:
        z = np.concatenate([x_t, h], axis=-1)
        f, i, o = (sigmoid(dot(z, params[f"W_{g}"]) + params[f"b_{g}"]) for g in "fio")
        c = f * c + i * np.tanh(dot(z, params["W_c"]) + params["b_c"])
        h = o * np.tanh(c)
        ys.append(h)
    return np.stack(ys), h, c


def plain_target(k: int) -> Target:
    """Return the plain cell with the ways of summing and of σ whose turn it is."""
    dot, sigmoid = SUMS[k % len(SUMS)], SIGMOIDS[k // len(SUMS) % len(SIGMOIDS)]
    name = f"plain {dot.__name__} {sigmoid.__name__}"
    return Target(name, lambda *arguments: plain(*arguments, dot=dot, sigmoid=sigmoid), dtypes=FORMATS)


def make_case(k: int) -> Case:
    rng = np.random.default_rng(k)

    def one_of(weights: dict[int, int]) -> int:
        values = np.array(list(weights.values()))
        return int(rng.choice(list(weights), p=values / values.sum()))

    sizes = {"n": one_of(SIZES), "m": one_of(SIZES)}
    T, B, regime = one_of(STEPS), int(rng.integers(1, 6)), str(rng.choice(list(REGIMES)))
    return seeded_case(CELL, FORMATS[k % 2], sizes=sizes, T=T, B=B, regime=regime, seed=k)


def examine(k: int, targets: Iterable[Target]) -> dict[str, Any]:
    """Hold every target against the specification on case k; what came is a line of the log."""
    case = make_case(k)
    contract = accuracy(str(case.dtype))
    found = {}
    for target in targets:
        subject = Subject(target, CELL)
        outputs, _ = subject.call(case)
        comparison = subject.compare(case, outputs, contract)
        found[target.name] = (round(comparison.worst.ratio, 6), comparison.conclusive)
    shape = {"T": case.T, "B": case.B, "n": case.x.shape[-1], "m": case.states[0].shape[-1]}
    return {"case": k, "dtype": str(case.dtype), **shape, "regime": case.regime, "found": found}


def known(log: Path | None) -> list[dict[str, Any]]:
    if log is None or not log.exists():
        return []
    # A run that was killed may have left half a line.
    lines = log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def run(cases: Iterable[int], log: Path | None, entries: list[dict[str, Any]]) -> None:
    """Examine cases, each into the entries and the log, until they are done or somebody stops it."""
    fixed = [load(name) for name in ("numpy", "torch", "torch-cell")]
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(log.open("a")) if log else None
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        for k in cases:
            # Case k and k + 1 differ in the format, so that both formats see every way.
            entry = examine(k, [*fixed, plain_target(k // 2)])
            entries.append(entry)
            if file:
                file.write(json.dumps(entry) + "\n")
                file.flush()


def report(entries: list[dict[str, Any]]) -> Iterator[str]:
    long, wide = (sum(e["T"] >= 100 for e in entries), sum(e["m"] >= 128 for e in entries))
    both = sum(e["T"] >= 100 and e["m"] >= 128 for e in entries)
    calls = [(name, e, ratio, conclusive) for e in entries for name, (ratio, conclusive) in sorted(e["found"].items())]
    alarms = [(name, e, ratio) for name, e, ratio, _ in calls if ratio > 1]
    unsure = sum(not conclusive for *_, conclusive in calls)
    yield f"- {len(entries):,} cases, {len(calls):,} calls of correct implementations"
    yield f"- **{len(alarms)} false alarms**; {unsure:,} calls inconclusive ({unsure / len(calls):.2%})"
    yield f"- {long:,} cases with T ≥ 100, {wide:,} with m ≥ 128, {both:,} with both"
    yield from (f"- FALSE ALARM: {name}, error/allowed {ratio:.3g}: {e}" for name, e, ratio in alarms)
    yield from table("implementation", calls, lambda name, e: f"{name.split()[0]}, {e['dtype']}")
    yield from table("plain cell", [c for c in calls if c[0].startswith("plain")], lambda name, e: name)
    yield from table("regime", calls, lambda name, e: e["regime"])


def table(what: str, calls: list[Any], key: Callable[[str, dict[str, Any]], str]) -> Iterator[str]:
    def group(call: Any) -> str:
        return key(call[0], call[1])

    yield ""
    yield f"| {what} | calls | inconclusive | " + " | ".join(f"{q:.1%}" for q in QUANTILES[:-1]) + " | largest |"
    yield "|---|" + "---|" * (len(QUANTILES) + 2)
    for name, members in itertools.groupby(sorted(calls, key=group), group):
        ratios, conclusive = zip(*((ratio, sure) for _, _, ratio, sure in members), strict=True)
        unsure = f"{1 - np.mean(conclusive):.2%}"
        figures = " | ".join(f"{value:.3f}" for value in np.quantile(ratios, QUANTILES))
        yield f"| {name} | {len(ratios):,} | {unsure} | {figures} |"


def machine() -> Iterator[str]:
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "torch"))
    yield f"- {time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {packages}; BLAS: {blas()}"
    yield f"- {processor()}, {os.cpu_count()} cores, one used"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--cases", type=int, default=20_000, help="how many cases")
    parser.add_argument("--log", type=Path, help="a line of JSON for every case; what it has is not asked again")
    options = parser.parse_args()
    wanted = range(options.first, options.first + options.cases)
    entries = [entry for entry in known(options.log) if entry["case"] in wanted]
    done = {entry["case"] for entry in entries}
    rest = [k for k in wanted if k not in done]
    console = Console(stderr=True)
    # Where nobody watches, nothing moves.
    run(track(rest, "cases", console=console, disable=not console.is_terminal), options.log, entries)
    if not entries:
        sys.exit("no case was finished")
    print("\n".join([*machine(), *report(sorted(entries, key=lambda e: e["case"]))]))


if __name__ == "__main__":
    main()
