"""Where a target is wrong, if it is right elsewhere: the units, rows or steps from some number on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.forced import forced_bounds
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import Array, Case, seeded_case

AXES = ("steps", "rows", "units")

ASKED = ((3, 33, 5, 6), (3, 13, 4, 3), (2, 3, 70, 2), (2, 3, 3, 40))
"""The sizes n and m, the numbers of steps and of rows of the cases in which it is looked for."""

FIRST_STEPS = 4
"""From which step on it tells something that the steps before are right."""


@dataclass(frozen=True)
class Place:
    """From where on a target is wrong: the axis, the first that is wrong, and how many there are."""

    axis: str
    first: int
    count: int

    @property
    def sentence(self) -> str:
        """The place in words."""
        last = self.count - 1
        wrong = f"{self.axis} {self.first} to {last}" if self.first < last else f"{self.axis[:-1]} {last}"
        right = f"{self.axis} 0 to {self.first - 1}" if self.first > 1 else f"{self.axis[:-1]} 0"
        return (
            f"only what belongs to {wrong} is wrong, of {self.count}; {right} {'are' if self.first > 1 else 'is'} right"
        )


def place(cell: Program, answer: Callable[[Case], Array], dtype: str, contract: Accuracy) -> Place | None:
    """Return from where on a target is wrong, None where it is so throughout.

    answer: the target's y (T, B, m) for a case.
    """
    make = partial(seeded_case, cell, dtype, regime="weights x3", seed=len(ASKED))
    for n, m, T, B in ASKED:
        sizes = {s.name: {"n": n, "m": m}.get(s.name, m) for s in cell.sizes}
        case = make(sizes=sizes, T=T, B=B)
        if found := next(_places(_wrong(cell, case, answer(case), contract)), None):
            return found
    return None


def _wrong(cell: Program, case: Case, y: Array, contract: Accuracy) -> Array:
    """Return which numbers of y are not what they may be, each step begun from what came of the one before."""
    allowed = forced_bounds(cell, case.params, case.x, case.states, y, contract)["y"]
    with np.errstate(all="ignore"):
        return ~(np.abs(np.asarray(y, np.float64) - allowed.value) <= allowed.errors)


def _places(wrong: Array) -> Iterator[Place]:
    for axis, name in enumerate(AXES):
        others = tuple(k for k in range(wrong.ndim) if k != axis)
        share = np.asarray(wrong.mean(axis=others))
        first = int(np.argmax(share > 0))
        # Most of what follows has to be wrong, or it is chance; and a wrong state leaves the first steps right.
        if first >= (FIRST_STEPS if name == "steps" else 1) and share[first:].min() > 0.5:
            yield Place(name, first, len(share))
