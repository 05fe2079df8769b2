"""Does a correct implementation ever fail? `python benchmarks/false_alarms.py [--cases 100000] [--log FILE --kernels]`.

Case k is always the same one. With a log, which has one line a case, a run goes on where the last one ended; runs over
other ranges may write logs of their own, and `cat` joins them. With ``--kernels`` blocks of cases are run in processes
of their own, in which the libraries take other kernels than they would choose.
"""

from collections.abc import Callable
from functools import cache

from alarms import FORMATS, Entry, entry, measure, structure  # isort: skip  (it sets the threads before NumPy is loaded)
import numpy as np
from differentiated import jax_scan

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
    """The equations as printed, with a choice of sums and of σ; 16-bit formats are summed in float32."""
    ys = []

    def affine(z: Array, g: str) -> Array:
        wide = np.float32 if x.dtype.itemsize == 2 else x.dtype
        return dot(z.astype(wide), params[f"W_{g}"].astype(wide)).astype(x.dtype) + params[f"b_{g}"]

    for x_t in x:
        z = np.concatenate([x_t, h], axis=-1)
        f, i, o = (sigmoid(affine(z, g)) for g in "fio")
        c = f * c + i * np.tanh(affine(z, "c"))
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


STEPS = {1: 10, 2: 10, 3: 10, 5: 15, 8: 15, 20: 10}
SIZES = {1: 4, 2: 6, 3: 8, 5: 8, 7: 8, 8: 8, 13: 8, 16: 8, 17: 8, 31: 4, 33: 4}
LARGE_EVERY = 64
LARGE = (
    {"steps": {100: 2, 200: 1}, "sizes": SIZES},
    {"steps": {1: 1, 3: 1, 8: 1}, "sizes": {128: 2, 256: 1}},
    {"steps": {100: 1}, "sizes": {64: 1, 128: 1}},
)
# JAX compiles for every shape, which takes longer than all the rest of a case; it gets few shapes, and less often.
SHAPES_OF_JAX = {"steps": {1: 1, 8: 1}, "sizes": {5: 1}}
JAX_EVERY = 10


def examine(k: int) -> Entry:
    """Hold targets whose turn it is against the specification on case k; k and the next ones differ in the format."""
    turn = k // len(FORMATS)
    with_jax = turn % JAX_EVERY == 0
    if turn % LARGE_EVERY == 1:
        about = structure(k, **LARGE[turn // LARGE_EVERY % len(LARGE)])
    else:
        about = structure(k, **(SHAPES_OF_JAX if with_jax else {"steps": STEPS, "sizes": SIZES}))
    if with_jax:
        about["B"] = 3
    case = seeded_case(CELL, **about)
    contract = accuracy(about["dtype"])
    found = {}
    for target in (fixed()[turn % len(fixed())], plain_target(turn), *([jax_scan()] if with_jax else [])):
        subject = Subject(target, CELL)
        outputs, _ = subject.call(case)
        comparison = subject.compare(case, outputs, contract)
        found[target.name] = (round(comparison.worst.ratio, 6), comparison.conclusive)
    return entry(k, about, found)


if __name__ == "__main__":
    measure(__doc__, examine, cases=100_000, packages=("numpy", "torch", "jax", "ml_dtypes"))
