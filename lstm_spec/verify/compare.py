"""Comparing what came with what is allowed, and keeping the place where they part."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.rounding import Bounded

Array = NDArray[Any]


SEQUENCE = ("step", "row", "unit")
MATRIX = ("unit", "column")
"""The axes of what is compared, by name; arrays with fewer have the last ones."""


@dataclass(frozen=True)
class Deviation:
    """One number that came, beside the one expected, at a named place.

    output: "y", a final state, or a gradient such as "dW_f"; position: step (of sequences only), row and unit, of
    a matrix unit and column, from 0. ratio: error over allowed error.
    """

    output: str
    position: Mapping[str, int]
    got: float
    expected: float
    allowed: float

    @property
    def error(self) -> float:
        """How far off it is; infinite for what is no number."""
        difference = abs(self.got - self.expected)
        return difference if np.isfinite(difference) else np.inf

    @property
    def ratio(self) -> float:
        """Error over allowed error; above 1 is a discrepancy, and where no bound holds there is none."""
        if not np.isfinite(self.allowed):
            return 0.0
        return self.error / self.allowed if self.allowed else (np.inf if self.error else 0.0)

    @property
    def numbers(self) -> str:
        """The number that came beside the one expected, in words."""
        return f"expected {self.expected:.9g}, got {self.got:.9g}, error {self.error:.2g}, allowed {self.allowed:.2g}"

    def __str__(self) -> str:
        place = ", ".join(f"{axis} {index}" for axis, index in self.position.items())
        return f"{self.output} at {place}: {self.numbers}"


@dataclass(frozen=True)
class Comparison:
    """The worst deviation of one call, and whether its bounds are tight enough to mean something."""

    worst: Deviation
    conclusive: bool

    @property
    def agrees(self) -> bool:
        """Whether every number is within its allowed error."""
        return self.worst.ratio <= 1


def compare(
    got: Mapping[str, Array],
    allowed: Mapping[str, Bounded],
    contract: Accuracy,
    matrices: Collection[str] = (),
    *,
    scale: float = 1.0,
) -> Comparison:
    """Compare outputs with what a correct implementation may return.

    got: arrays by name; allowed: for the same names; matrices: the names whose rows are units, not rows of a batch;
    scale: how large numbers are that are not small, that of what they are proportional to if they are. A
    number whose bound is infinite or NaN cannot fail, so a case with one is not conclusive. Nor is one where most
    bounds on some output are above √u of its scale, u being what the contract resolves: a number that may have lost
    more than half of the digits that are promised says little.
    """
    worst = [
        furthest(name, np.asarray(got[name], np.float64), bounded, MATRIX if name in matrices else SEQUENCE)
        for name, bounded in allowed.items()
    ]
    conclusive = all(_conclusive(bounded, contract, scale) for bounded in allowed.values())
    return Comparison(max(worst, key=lambda deviation: deviation.ratio), conclusive)


def of(bounds: Mapping[str, Bounded], got: Collection[str]) -> dict[str, Bounded]:
    """Return the bounds of what a target returns; not every target returns every state."""
    return {name: bounded for name, bounded in bounds.items() if name in got}


def furthest(name: str, got: Array, bounded: Bounded, names: tuple[str, ...] = SEQUENCE) -> Deviation:
    """Return the number of one output that goes furthest beyond what is allowed; names: of its last axes."""
    with np.errstate(all="ignore"):
        limit = np.where(np.isfinite(bounded.errors), bounded.errors, np.inf)
        error = np.abs(got - bounded.value)
        ratio = np.where(np.isfinite(error), error, np.inf) / limit
    # Infinite over infinite: not a number came where no bound holds.
    ratio = np.where(np.isnan(ratio), 0.0, ratio)
    at = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    axes = names[-ratio.ndim :]
    return Deviation(
        output=name,
        position={axis: int(index) for axis, index in zip(axes, at, strict=True)},
        got=float(got[at]),
        expected=float(bounded.value[at]),
        allowed=float(limit[at]),
    )


def _conclusive(bounded: Bounded, contract: Accuracy, scale: float) -> bool:
    useful = bounded.errors <= np.sqrt(contract.resolution) * np.maximum(np.abs(bounded.value), scale)
    return bool(np.isfinite(bounded.errors).all() and useful.mean() >= 0.5)
