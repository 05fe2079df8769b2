"""What is wrong, in one sentence: the hypotheses that reproduce what a target returned, number for number.

A hypothesis explains a target if it gives all its outputs on every observation, to about two thirds of the digits of
the format: far more than chance, and less than rounding may take away over a few steps. One that does so only where it
cannot be told from the specification explains nothing. Nothing is said unless something fits.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.compile import Array
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import Case
from lstm_spec.verify.faults import faults
from lstm_spec.verify.gradient_faults import gradient_faults
from lstm_spec.verify.hypotheses import Hypothesis, equation_hypotheses, everywhere
from lstm_spec.verify.mispackings import mispackings

BEST_SINGLES = 20
"""How many of the hypotheses that come nearest alone are tried in pairs."""

SECONDS = 10.0
"""After how long no further pair is tried."""


@dataclass(frozen=True)
class Observation:
    """One call of a target: the case, and what it returned, by name; what is not known is left out."""

    case: Case
    returned: Mapping[str, Array]


@dataclass(frozen=True)
class Diagnosis:
    """What is probably wrong.

    id: that of the hypothesis; sentence: what is wrong; confidence: 1 over the number of hypotheses that explain the
    observations equally well.
    """

    id: str
    sentence: str
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as JSON takes it."""
        return {"id": self.id, "sentence": self.sentence, "confidence": round(self.confidence, 3)}


def catalogue(cell: Program, *, gradients: bool = False) -> tuple[Hypothesis, ...]:
    """Return every fault that an implementation of a cell may have, or with ``gradients`` its backward pass alone."""
    if gradients:
        return (*gradient_faults(cell), *equation_hypotheses(cell, gradients=True))
    return (*mispackings(cell), *faults(cell), *everywhere(cell), *equation_hypotheses(cell))


def hypotheses(cell: Program, *, gradients: bool = False) -> tuple[Hypothesis, ...]:
    """Return the faults of the catalogue that one call can tell.

    What shows only in a second call, such as a state that is kept, and what only a coarser contract explains are none.
    """
    return tuple(h for h in catalogue(cell, gradients=gradients) if h.kind not in ("calls", "precision"))


def _said(found: Iterable[Hypothesis]) -> tuple[Diagnosis, ...]:
    distinct = {h.sentence: h for h in found}
    return tuple(Diagnosis(h.id, h.sentence, 1 / len(distinct)) for h in distinct.values())


class Matcher:
    """Observations of one target, against which hypotheses are held.

    observations: calls of the target, the most telling first. contract: the accuracy contract of its format.

    >>> from lstm_spec.compute.accuracy import accuracy
    >>> from lstm_spec.spec.cells import lstm
    >>> from lstm_spec.verify.cases import seeded_case
    >>> cell = lstm()
    >>> case = seeded_case(cell, "float64", sizes={"n": 2, "m": 3}, T=3, B=2, regime="weights x3", seed=0)
    >>> wrong = next(f for f in faults(cell) if f.id == "reverse-direction")
    >>> matcher = Matcher([Observation(case, run_hypothesis(wrong, case))], accuracy("float64"))
    >>> [d.sentence for d in matcher.singles(hypotheses(cell))]
    ['the sequence is run in the reverse direction']
    """

    def __init__(self, observations: Sequence[Observation], contract: Accuracy) -> None:
        self.observations = observations
        self.limit = contract.unit ** (2 / 3)
        self._closeness: dict[str, float] = {}

    def singles(self, candidates: Iterable[Hypothesis]) -> tuple[Diagnosis, ...]:
        """Return the candidates that explain all observations."""
        return _said([h for h in candidates if self.explains(h)])

    def pairs(self, candidates: Iterable[Hypothesis], *, seconds: float) -> tuple[Diagnosis, ...]:
        """Return the first two candidates that do so together, among those that come nearest alone."""
        deadline = time.monotonic() + seconds
        nearest = sorted(candidates, key=lambda h: self._closeness.get(h.id, np.inf))[:BEST_SINGLES]
        for first, second in combinations(nearest, 2):
            if time.monotonic() > deadline:
                break
            pair = first.joined(second)
            if pair is not None and self.explains(pair):
                return _said([pair])
        return ()

    def explains(self, hypothesis: Hypothesis) -> bool:
        """Tell whether a hypothesis gives what was observed, and is told from the specification by it."""
        for observation in self.observations:
            given = run_hypothesis(hypothesis, observation.case)
            if hypothesis.id not in self._closeness:
                self._closeness[hypothesis.id] = closeness(given, observation.returned)
            if distance(given, observation.returned) > self.limit:
                return False
        return any(self._told(hypothesis, observation) for observation in self.observations)

    def _told(self, hypothesis: Hypothesis, observation: Observation) -> bool:
        right = run_hypothesis(Hypothesis("spec", "spec", "it is right", hypothesis.cell), observation.case)
        return distance(right, observation.returned) > self.limit


def run_hypothesis(hypothesis: Hypothesis, case: Case) -> dict[str, Array]:
    """Return what a target would return if a hypothesis held: outputs, or gradients where there are cotangents."""
    params = {name: p.astype(np.float64) for name, p in case.params.items()}
    x, *states = (v.astype(np.float64) for v in (case.x, *case.states))
    names = case.state_names
    with np.errstate(all="ignore"):
        if not case.cotangents:
            return dict(zip(("y", *names), hypothesis.forward(params, x, *states), strict=True))
        cotangents = (d.astype(np.float64) for d in case.cotangents)
        dparams, dx, *dstates = hypothesis.backward(params, x, *states, *cotangents)
    return {**dparams, "x": dx, **{f"{n}0": d for n, d in zip(names, dstates, strict=True)}}


def distance(first: Mapping[str, Array], second: Mapping[str, Array]) -> float:
    """Return how far apart outputs are, over their scale: the worst of all numbers that both have.

    >>> distance({"y": np.array([1.0, 2.0])}, {"y": np.array([1.0, 2.5])})
    0.2
    """
    return max((_apart(first[name], np.asarray(second[name], np.float64)) for name in second), default=np.inf)


def closeness(first: Mapping[str, Array], second: Mapping[str, Array]) -> float:
    """Return the mean over all numbers of the logarithm of how far they are apart: few right ones count for much."""
    gaps = [_gaps(first[name], np.asarray(second[name], np.float64)).ravel() for name in second]
    return float(np.mean(np.log10(np.clip(np.concatenate(gaps), 1e-16, 1e3))))


def _apart(first: Array, second: Array) -> float:
    return float(_gaps(first, second).max(initial=0.0))


def _gaps(first: Array, second: Array) -> Array:
    if first.shape != second.shape:
        return np.full(1, np.inf)
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    with np.errstate(all="ignore"):
        gap = np.where(same, 0.0, np.abs(first - second) / np.maximum(np.maximum(np.abs(first), np.abs(second)), 1.0))
    return np.nan_to_num(gap, nan=np.inf)


PROBES: tuple[tuple[Mapping[str, int], int, int, str], ...] = (
    ({"n": 2, "m": 3, "q": 2}, 4, 3, "weights x3"),
    ({"n": 3, "m": 3, "q": 3}, 3, 2, "usual"),
    ({"n": 3, "m": 2, "q": 1}, 5, 2, "weights x6"),
    ({"n": 2, "m": 2, "q": 2}, 3, 3, "wide range"),
    ({"n": 2, "m": 2, "q": 2}, 4, 2, "remembering"),
    ({"n": 1, "m": 2, "q": 1}, 70, 1, "usual"),
)
"""What a target is asked for a diagnosis: sizes, steps, rows and regime, the most telling first."""


def probe_cases(make: Callable[..., Case], cell: Program) -> Iterator[Case]:
    """Yield the cases that a target is asked for a diagnosis; make: ``seeded_case`` with its cell and format given."""
    for seed, (sizes, T, B, regime) in enumerate(PROBES):
        own = {s.name: sizes.get(s.name, 2) for s in cell.sizes}
        yield make(sizes=own, T=T, B=B, regime=regime, seed=seed)
