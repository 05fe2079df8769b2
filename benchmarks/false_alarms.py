"""Does a correct implementation ever fail? `python benchmarks/false_alarms.py [--cases 20000] [--log FILE]`.

Case k is always the same one. With a log, which has one line a case, a run goes on where the last one ended; runs over
other ranges may write logs of their own, and `cat` joins them.
"""

from collections.abc import Callable
from functools import cache

from alarms import FORMATS, Entry, entry, measure, structure  # isort: skip  (it sets the threads before NumPy is loaded)
import numpy as np

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.spec.cells import lstm
from lstm_spec.targets.contract import Target
from lstm_spec.targets.python import load
from lstm_spec.verify.cases import Array, seeded_case
from lstm_spec.verify.subject import Subject

CELL = lstm()


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


@cache
def fixed() -> tuple[Target, ...]:
    return tuple(load(name) for name in ("numpy", "torch", "torch-cell"))


def examine(k: int) -> Entry:
    """Hold every target against the specification on case k."""
    about = structure(k)
    case = seeded_case(CELL, **about)
    contract = accuracy(about["dtype"])
    found = {}
    # Case k and k + 1 differ in the format, so that both formats see every way.
    for target in (*fixed(), plain_target(k // 2)):
        subject = Subject(target, CELL)
        outputs, _ = subject.call(case)
        comparison = subject.compare(case, outputs, contract)
        found[target.name] = (round(comparison.worst.ratio, 6), comparison.conclusive)
    return entry(k, about, found)


if __name__ == "__main__":
    measure(__doc__, examine, cases=20_000, packages=("numpy", "torch"))
