"""How many digits recorded numbers have: those of their format, of a narrower one that holds them all, or decimals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lstm_spec.compute.accuracy import Accuracy, accuracy
from lstm_spec.verify.cases import Array
from lstm_spec.verify.diagnose import Observation, distance, run_hypothesis
from lstm_spec.verify.hypotheses import Candidate

ENOUGH = 4
"""From how many different numbers on it is no chance that all of them have few digits."""

RESPONSE = 16
"""How many times the response of the equations to one rounding of everything an honest run may be off."""


@dataclass(frozen=True)
class Precision:
    """The precision of recorded numbers.

    contract: of the narrowest format that holds them all; decimals: after how many digits behind the point they are
    rounded, None where they are not.
    """

    contract: Accuracy
    decimals: int | None = None

    def __str__(self) -> str:
        return self.contract.format if self.decimals is None else f"{self.decimals} digits behind the point"


def precision_of(arrays: Sequence[Array]) -> Precision:
    """Return the precision of what was recorded in some arrays.

    >>> str(precision_of([np.float32([0.123456, 0.2345678, 1 / 3, 0.4]).astype(np.float64)]))
    'float32'
    >>> str(precision_of([np.array([0.1234, 0.5678, -0.4321, 0.25])]))
    '4 digits behind the point'
    """
    numbers = np.concatenate([np.asarray(a, np.float64).ravel() for a in arrays])
    numbers = numbers[np.isfinite(numbers)]
    widest = "float32" if any(np.asarray(a).dtype.itemsize == 4 for a in arrays) else "float64"
    widest = "float16" if any(np.asarray(a).dtype.itemsize == 2 for a in arrays) else widest
    if len(np.unique(np.abs(numbers))) < ENOUGH:
        return Precision(accuracy(widest))
    with np.errstate(over="ignore"):
        narrow = [name for name in ("float32", "float16") if (numbers.astype(name) == numbers).all()]
        bits = numbers.astype(np.float32).view(np.uint32)
    if "float32" in narrow and not (bits & 0xFFFF).any():
        narrow.append("bfloat16")
    contract = accuracy(([widest, *narrow])[-1])
    places = (
        k for k in range(1, 8) if (np.abs(np.round(numbers, k) - numbers) <= 4 * contract.unit * np.abs(numbers)).all()
    )
    decimals = next(places, None)
    if decimals is not None and 10.0**-decimals > 8 * contract.unit:
        return Precision(contract, decimals)
    return Precision(contract)


def limit_of(precision: Precision, right: Candidate, observation: Observation) -> float:
    """Return how far apart, over their scale, numbers may be and still be the same.

    It is what rounding takes away in a few steps, what the record itself has rounded away, or, where that is more, what
    the equations of this run make of a rounding of everything that they are given.
    """
    contract = precision.contract
    floor = min((observation.floors.get(name, 1.0) for name in observation.returned), default=1.0)
    decimals = 0.0 if precision.decimals is None else 0.51 * 10.0**-precision.decimals / floor
    response = RESPONSE * _response(right, observation, contract.unit)
    return float(min(0.03, max(contract.unit ** (2 / 3), decimals, response)))


def _response(right: Candidate, observation: Observation, unit: float) -> float:
    """Return by how much the specification's answer changes when every number it is given is rounded."""
    rng = np.random.default_rng(0)

    def nudged(a: Array) -> Array:
        return np.asarray(a, np.float64) * (1 + unit * rng.choice([-1.0, 1.0], np.shape(a)))

    case = observation.case
    other = replace(
        case,
        params={name: nudged(p) for name, p in case.params.items()},
        x=nudged(case.x),
        states=tuple(nudged(s) for s in case.states),
    )
    here, there = (run_hypothesis(right, c) for c in (case, other))
    return distance(here, {name: there[name] for name in observation.returned}, observation.floors)
