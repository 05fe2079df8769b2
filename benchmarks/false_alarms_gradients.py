"""Do correct gradients ever fail? `python benchmarks/false_alarms_gradients.py [--cases 5000] [--log FILE]`.

Case k is always the same one. With a log, which has one line a case, a run goes on where the last one ended; what is
known when somebody stops it is printed.
"""

from functools import cache

from alarms import FORMATS, Entry, entry, measure, structure  # isort: skip  (it sets the threads before NumPy is loaded)
from differentiated import jax_scan

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.spec.cells import lstm
from lstm_spec.targets.contract import Target
from lstm_spec.targets.python import load
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.exposed import expose
from lstm_spec.verify.subject import Subject

CELL = lstm()
STEPS = {1: 10, 2: 10, 3: 10, 5: 10, 8: 15, 20: 20, 50: 15, 100: 10}
SIZES = {1: 4, 2: 6, 3: 8, 5: 8, 7: 8, 8: 8, 13: 8, 16: 8, 17: 8, 31: 7, 33: 7, 64: 7, 70: 6, 128: 7}
# JAX compiles for every shape, which takes longer than all the rest of a case; it gets few shapes, and less often.
SHAPES_OF_JAX = {"steps": {1: 1, 3: 1, 20: 1, 100: 1}, "sizes": {1: 1, 5: 1, 33: 1}}
JAX_EVERY = 10
EXAMINE = next(check.examine for check in CHECKS if check.id == "gradient_sequence")


@cache
def fixed() -> tuple[Target, ...]:
    return tuple(load(name) for name in ("numpy", "torch", "torch-cell"))


def examine(k: int) -> Entry:
    """Hold the gradients of every target against the specification on case k."""
    # Both formats: k is even or odd.
    with_jax = k // 2 % JAX_EVERY == 0
    shapes = SHAPES_OF_JAX if with_jax else {"steps": STEPS, "sizes": SIZES}
    about = structure(k, **shapes, formats=FORMATS[:2])
    if with_jax:
        about["B"] = 3
    case = seeded_case(CELL, **about, gradients=True)
    # Three of four show their adjoints, as in a verification.
    if k >> 3 & 3:
        case = expose(CELL, case, about["sizes"])
    found = {}
    for target in (*fixed(), *([jax_scan()] if with_jax else [])):
        comparison = EXAMINE(Subject(target, CELL), case, accuracy(about["dtype"])).comparison
        assert comparison is not None
        found[target.name] = (round(comparison.worst.ratio, 6), comparison.conclusive)
    return entry(k, about, found)


if __name__ == "__main__":
    measure(__doc__, examine, cases=5_000, packages=("numpy", "torch", "jax"))
