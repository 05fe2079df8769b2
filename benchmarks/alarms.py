"""What the measurements of false alarms share: which cases, a log that a run goes on from, and the tables."""

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
from kernels import chosen, run_blocks
from layer import blas, processor
from plot import shares
from rich.console import Console
from rich.progress import track

from lstm_spec.verify.regimes import REGIMES

FORMATS = ("float64", "float32", "bfloat16", "float16")
# Many small cases, and enough long and wide ones: how often each is drawn.
STEPS = {1: 10, 2: 10, 3: 10, 5: 10, 8: 15, 20: 20, 50: 10, 100: 8, 200: 7}
SIZES = {1: 4, 2: 6, 3: 8, 5: 8, 7: 8, 8: 8, 13: 8, 16: 8, 17: 8, 31: 7, 33: 7, 64: 6, 70: 5, 128: 5, 256: 4}
QUANTILES = (0.5, 0.9, 0.99, 0.999, 1.0)

Entry = dict[str, Any]


def structure(
    k: int, *, steps: dict[int, int] = STEPS, sizes: dict[int, int] = SIZES, formats: tuple[str, ...] = FORMATS
) -> dict[str, Any]:
    """Return what case k is like, as ``seeded_case`` takes it; the formats take turns."""
    rng = np.random.default_rng(k)

    def one_of(weights: dict[int, int]) -> int:
        values = np.array(list(weights.values()))
        return int(rng.choice(list(weights), p=values / values.sum()))

    chosen = {"n": one_of(sizes), "m": one_of(sizes)}
    T, B, regime = one_of(steps), int(rng.integers(1, 6)), str(rng.choice(list(REGIMES)))
    return {"dtype": formats[k % len(formats)], "sizes": chosen, "T": T, "B": B, "regime": regime, "seed": k}


def entry(k: int, about: dict[str, Any], found: dict[str, tuple[float, bool]]) -> Entry:
    """Return the line of the log of case k: error/allowed, and whether that can tell, by implementation."""
    shape = {"T": about["T"], "B": about["B"], **about["sizes"]}
    about = {key: about[key] for key in ("dtype", "regime")}
    return {"case": k, **about, **shape, "kernels": chosen(), "found": found}


def measure(description: str | None, examine: Callable[[int], Entry], *, cases: int, packages: Iterable[str]) -> None:
    """Examine as many cases as the command line says, and print what came."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--cases", type=int, default=cases, help="how many cases")
    parser.add_argument("--log", type=Path, help="a line of JSON for every case; what it has is not asked again")
    parser.add_argument("--kernels", action="store_true", help="in blocks under all choices of kernels; needs --log")
    parser.add_argument("--plot", type=Path, help="draw there which share of the calls comes how near to the bound")
    parser.add_argument("--silent", action="store_true", help="only write the log")
    options = parser.parse_args()
    wanted = range(options.first, options.first + options.cases)
    entries = [known_entry for known_entry in known(options.log) if known_entry["case"] in wanted]
    done = {known_entry["case"] for known_entry in entries}
    if options.kernels:
        run_blocks(wanted, done, options.log)
        entries = [known_entry for known_entry in known(options.log) if known_entry["case"] in wanted]
        done = set(wanted)
    rest = [k for k in wanted if k not in done]
    console = Console(stderr=True)
    # Where nobody watches, nothing moves.
    run(track(rest, "cases", console=console, disable=not console.is_terminal), examine, options.log, entries)
    if options.silent:
        return
    if not entries:
        sys.exit("no case was finished")
    print("\n".join([*machine(packages), *report(sorted(entries, key=lambda e: e["case"]))]))
    if options.plot:
        options.plot.write_text(shares(ratios_by_format(entries)), encoding="utf-8")


def ratios_by_format(entries: list[Entry]) -> dict[str, list[float]]:
    return {
        dtype: [ratio for e in entries if e["dtype"] == dtype for ratio, _ in e["found"].values()] for dtype in FORMATS
    }


def known(log: Path | None) -> list[Entry]:
    if log is None or not log.exists():
        return []
    # A run that was killed may have left half a line.
    lines = log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def run(cases: Iterable[int], examine: Callable[[int], Entry], log: Path | None, entries: list[Entry]) -> None:
    """Examine cases, each into the entries and the log, until they are done or somebody stops it."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(log.open("a")) if log else None
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        for k in cases:
            found = examine(k)
            entries.append(found)
            if file:
                file.write(json.dumps(found) + "\n")
                file.flush()


def report(entries: list[Entry]) -> Iterator[str]:
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
    if plain := [c for c in calls if c[0].startswith("plain")]:
        yield from table("plain cell", plain, lambda name, e: name)
    yield from table("regime", calls, lambda name, e: e["regime"])
    yield from table("format", calls, lambda name, e: e["dtype"])
    if len({e.get("kernels") for e in entries}) > 1:
        yield from table("kernels", calls, lambda name, e: e["kernels"])


def table(what: str, calls: list[Any], key: Callable[[str, Entry], str]) -> Iterator[str]:
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


def machine(packages: Iterable[str]) -> Iterator[str]:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    yield f"- {time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {versions}; BLAS: {blas()}"
    yield f"- {processor()}, {os.cpu_count()} cores, one used"
