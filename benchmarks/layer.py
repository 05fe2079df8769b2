"""How fast is the NumPy layer? Ratios in one run: `python benchmarks/layer.py [--rounds 15] [--peers PyTorch JAX]`."""

import argparse
import contextlib
import io
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from case import Case, NotRunError, make_case
from peers import PEERS

SIZES = [(16, 1, 8, 8), (64, 8, 32, 70), (100, 32, 64, 128), (50, 64, 256, 512)]
# A BLAS and XLA read these when they are loaded.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
FLOORS = ("GEMM", "GEMM, exp, tanh")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="interleaved repeats, of which the median counts")
    parser.add_argument("--seconds", type=float, default=0.02, help="time of one repeat of the fastest")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS), help="the rows to measure")
    options = parser.parse_args()
    peers = {name: make for name, make in PEERS.items() if name in ("GEMM", "lstm_spec", *options.peers)}
    # One processor for all: JAX has no other switch that holds.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("\n".join(machine()))
    for dtype in (np.float64, np.float32):
        for way in ("forward", "both"):
            table(peers, dtype, way, options.rounds, options.seconds)


def machine() -> list[str]:
    names = ["numpy", "torch", "jax", "jaxlib", "onnxruntime", "onnx", "numpy-ml"]
    found = []
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return [
        f"- {time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, " + ", ".join(found),
        f"- {processor()}; one processor, one thread",
        f"- BLAS: {blas()}",
        f"- NumPy's kernels: {', '.join(kernels())}",
    ]


def processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def blas() -> str:
    try:
        from threadpoolctl import threadpool_info

        return "; ".join(f"{i['internal_api']} {i['version']}, {i.get('architecture')}" for i in threadpool_info())
    except ImportError:
        config: Any = np.show_config(mode="dicts")
        build = config["Build Dependencies"]["blas"]
        return f"{build['name']} {build['version']} (threadpoolctl, which names the kernel, is not installed)"


def kernels() -> list[str]:
    functions = np.lib.introspect.opt_func_info(func_name="^(exp|tanh)$")
    return [f"{name} {kind} {info['current']}" for name, kinds in functions.items() for kind, info in kinds.items()]


def table(peers: dict[str, Callable[[Case], Any]], dtype: type, way: str, rounds: int, seconds: float) -> None:
    """Print one table: rows are peers, columns are sizes, entries are times over the bare products."""
    columns, reasons = [], {}
    for sizes in SIZES:
        case = make_case(*sizes, dtype)
        calls = {}
        for name, make in peers.items():
            try:
                calls[name] = checked(name, make, case, way)
            except NotRunError as reason:
                reasons[name] = str(reason)
        columns.append(measure(calls, rounds, seconds))
    title = "forward" if way == "forward" else "forward and backward"
    print(f"\n### {np.dtype(dtype).name}, {title}\n")
    print("| time over the bare products | " + " | ".join(str(s).replace(" ", "") for s in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    for name in [name for name in peers if name not in reasons]:
        print(f"| {name} | " + " | ".join(f"{median(c[name]):.2f}" for c in columns) + " |")
    for peer in [name for name in peers if name not in reasons and name not in FLOORS and name != "lstm_spec"]:
        over = [median(a / b for a, b in zip(c["lstm_spec"], c[peer], strict=True)) for c in columns]
        print(f"| lstm_spec / {peer} | " + " | ".join(f"{ratio:.2f}" for ratio in over) + " |")
    for name, reason in reasons.items():
        print(f"\nNot run: {name}: {reason}.")
    sys.stdout.flush()


def checked(name: str, make: Callable[[Case], Any], case: Case, way: str) -> Callable[[], Any]:
    """The call of a peer, after it has given what the layer gives."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        run = getattr(make(case), way)
        if run is None:
            raise NotRunError("has no backward pass")
        got = run()
    if name not in FLOORS:
        expected = getattr(PEERS["lstm_spec"](case), way)()
        pairs = zip(got, expected, strict=True) if way == "both" else [(got, expected)]
        for theirs, ours in pairs:
            if theirs is not None:
                np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e3 * np.finfo(case.dtype).eps, err_msg=name)
    return run


def measure(calls: dict[str, Callable[[], Any]], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Times over those of the bare products in the same round, so that a machine that slows down slows all."""
    repeats = {name: max(1, round(seconds / timed(call, 2))) for name, call in calls.items()}
    result: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        times = {name: timed(call, repeats[name]) for name, call in calls.items()}
        for name, value in times.items():
            result[name].append(value / times["GEMM"])
    return result


def timed(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


if __name__ == "__main__":
    if not ONE_THREAD.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    main()
