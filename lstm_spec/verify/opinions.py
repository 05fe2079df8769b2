"""Which of three is the odd one out: where two gradients part, a third one, taken by another way, decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.compute.complex_step import partial
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import Case
from lstm_spec.verify.compare import Deviation

CLEARLY = 4
"""How many times nearer to each other than to the third two numbers are, for the third to be the odd one."""


@dataclass(frozen=True)
class Disagreement:
    """Where opinions part: the name of a gradient, the place in it, what each says, and who is alone, if anybody is."""

    name: str
    at: tuple[int, ...]
    values: Mapping[str, float]
    odd: str | None


def odd_one_out(values: Mapping[str, float]) -> str | None:
    """Return the one of three numbers that the other two agree against, or None where no two are clearly nearer.

    >>> odd_one_out({"layer": 0.25, "equations": 0.5, "complex step": 0.500001})
    'layer'
    >>> odd_one_out({"layer": 0.1, "equations": 0.2, "complex step": 0.3}) is None
    True
    """
    apart = {pair: abs(values[pair[0]] - values[pair[1]]) for pair in combinations(values, 2)}
    nearest = min(apart, key=lambda pair: apart[pair] if np.isfinite(apart[pair]) else np.inf)
    if not np.isfinite(apart[nearest]):
        return None
    (odd,) = set(values) - set(nearest)
    others = [distance for pair, distance in apart.items() if odd in pair]
    return odd if all(not distance <= CLEARLY * apart[nearest] for distance in others) else None


def disagreement(opinions: Mapping[str, Mapping[str, Array]], allowed: Mapping[str, Array]) -> Disagreement | None:
    """Return where three opinions on the same gradients part most, or None where all are within what is allowed.

    opinions: arrays by name, by whose they are; allowed: by name, how far any two may be from each other.
    """
    worst, ratio = None, 1.0
    for name, limit in allowed.items():
        given = np.stack([opinion[name] for opinion in opinions.values()])
        with np.errstate(all="ignore"):
            share = np.nan_to_num(np.ptp(given, axis=0) / limit, nan=np.inf)
        share = np.where(np.isfinite(limit), share, 0.0)
        at = np.unravel_index(int(np.argmax(share)), share.shape)
        if share[at] > ratio:
            worst, ratio = (name, tuple(int(k) for k in at)), float(share[at])
    if worst is None:
        return None
    name, place = worst
    values = {who: float(opinion[name][place]) for who, opinion in opinions.items()}
    return Disagreement(name, place, values, odd_one_out(values))


def third_opinion(cell: Program, case: Case, deviation: Deviation) -> str:
    """Return what the complex step of the equations says to a gradient that deviates, as the end of a sentence.

    It is empty where it supports neither: the complex step runs free, and not from the h that a target returned.
    """
    dy, *dstates = (np.asarray(d, np.float64) for d in case.cotangents)
    of, at = deviation.output.removeprefix("d"), tuple(deviation.position.values())
    if deviation.output in case.exposed:
        of, at = "x", (*at[:-1], case.exposed[deviation.output].start + at[-1])
    third = partial(cell, case.params, case.x, case.states, dy, tuple(dstates), of, at)
    odd = odd_one_out({"target": deviation.got, "specification": deviation.expected, "complex step": third})
    sides = {"target": "the specification", "specification": "the target"}
    if odd not in sides:
        return ""
    return f"; the complex step of the equations gives {third:.9g} and agrees with {sides[odd]}"
