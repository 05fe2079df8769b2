"""How fast are derivation and proof beside plain SymPy? `python benchmarks/symbolic.py [--limit 30]`.

Every question is asked once, in a fresh process that is stopped at the limit; the time is that of its processor.
"""

import argparse
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import sympy
from sympy import Symbol, tanh

import lstm_spec as ls
from lstm_spec.spec.catalogue import CATALOGUE
from lstm_spec.spec.functions import sigmoid

PEER_SIZES = ((1, 1, 1), (1, 1, 2), (1, 1, 3), (1, 1, 4), (2, 2, 1), (2, 2, 2), (3, 3, 1), (8, 8, 1))
FORMATS = ("text", "latex", "markdown", "mathml", "numpy", "torch", "jax")
GATES = "fico"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=30, help="seconds after which a process is stopped")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, SymPy {sympy.__version__}, {os.cpu_count()} processors\n")
    for title, rows in (
        ("Every gradient of the vanilla LSTM", gradients(options.limit)),
        ("Derivation and proof of every cell", catalogue(options.limit)),
        ("Printing the backward pass of the peephole LSTM", printing(options.limit)),
    ):
        print(f"## {title}\n")
        for row in rows:
            print(row, flush=True)
        print()


def gradients(limit: float) -> Iterator[str]:
    """Yield a table: our Program, for all n, m, T, and SymPy's derivatives of the explicit loss by every weight."""
    ours = timed(derive, ("lstm",), limit)
    yield "| way | n, m, T | seconds | over ours |\n|---|---|---|---|"
    yield f"| backward Program | all | {seconds(ours)} | 1 |"
    yield f"| proof of all its formulas | all | {seconds(timed(prove, ('lstm',), limit))} | |"
    for way in (explicit, explicit_written_out):
        for sizes in PEER_SIZES:
            progress(f"{way.__name__} {sizes}")
            took = timed(way, sizes, limit)
            ratio = f"> {limit / ours:,.0f}" if took == float("inf") else f"{took / ours:,.0f}"
            label = (way.__doc__ or "").strip(".")
            yield f"| {label} | {', '.join(map(str, sizes))} | {seconds(took, limit)} | {ratio} |"


def catalogue(limit: float) -> Iterator[str]:
    """Yield a table of the time that derivation and proof take, by cell."""
    yield "| cell | derive | prove | formulas |\n|---|---|---|---|"
    for name in CATALOGUE:
        progress(name)
        count = len(ls.backward(ls.cell(name)).derived)
        yield (
            f"| {name} | {seconds(timed(derive, (name,), limit))} "
            f"| {seconds(timed(prove, (name,), limit), limit)} | {count} |"
        )


def printing(limit: float) -> Iterator[str]:
    """Yield a table of the time that each format takes, after import."""
    yield "| format | seconds |\n|---|---|"
    for form in FORMATS:
        progress(form)
        yield f"| {form} | {seconds(timed(write, (form,), limit))} |"


def derive(name: str) -> Callable[[], object]:
    cell = ls.cell(name)
    return lambda: ls.backward(cell)


def prove(name: str) -> Callable[[], object]:
    cell = ls.cell(name)
    return lambda: _prove(cell)


def _prove(cell: ls.Program) -> None:
    found = {p.name: p.status for p in ls.prove(cell)}
    assert set(found.values()) == {"proved"}, found


def write(form: str) -> Callable[[], object]:
    program = ls.backward(ls.cell("peephole"))
    return lambda: ls.write(program, format=form)


def explicit(n: int, m: int, T: int) -> Callable[[], object]:
    """SymPy, explicit elements, σ as a Function."""
    return lambda: _explicit(n, m, T, sigmoid)


def explicit_written_out(n: int, m: int, T: int) -> Callable[[], object]:
    """SymPy, explicit elements, σ written out."""
    return lambda: _explicit(n, m, T, sigmoid.definition)


def _explicit(n: int, m: int, T: int, squash: Callable[..., object]) -> object:
    weights = {g: [_real(f"W{g}{k}", n + m) for k in range(m)] for g in GATES}
    biases = {g: _real(f"b{g}", m) for g in GATES}
    h, c, loss = _real("h", m), _real("c", m), 0
    for t in range(T):
        z = [*_real(f"x{t}", n), *h]
        a = {
            g: [sum(w * v for w, v in zip(weights[g][k], z, strict=True)) + biases[g][k] for k in range(m)]
            for g in GATES
        }
        f, i, o = ([squash(v) for v in a[g]] for g in "fio")
        c = [f[k] * c[k] + i[k] * tanh(a["c"][k]) for k in range(m)]
        h = [o[k] * tanh(c[k]) for k in range(m)]
        loss += sum(d * v for d, v in zip(_real(f"d{t}", m), h, strict=True))
    leaves = [w for g in GATES for row in weights[g] for w in row] + [b for g in GATES for b in biases[g]]
    return [loss.diff(leaf) for leaf in leaves]


def _real(name: str, count: int) -> list[Symbol]:
    return [Symbol(f"{name}_{k}", real=True) for k in range(count)]


def timed(make: Callable[..., Callable[[], object]], arguments: tuple[object, ...], limit: float) -> float:
    """Return the seconds that a call takes of its processor, which others do not disturb; infinity beyond the limit."""
    queue: multiprocessing.Queue[float] = multiprocessing.Queue()
    process = multiprocessing.Process(target=_measure, args=(make, arguments, queue))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
        return float("inf")
    return queue.get() if process.exitcode == 0 else float("nan")


def _measure(make: Callable[..., Callable[[], object]], arguments: tuple[object, ...], queue: Any) -> None:
    run = make(*arguments)
    begun = time.process_time()
    run()
    queue.put(time.process_time() - begun)


def seconds(took: float, limit: float = float("inf")) -> str:
    return f"stopped at {limit:g}" if took == float("inf") else f"{took:.2g}" if took < 10 else f"{took:.0f}"


def progress(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
