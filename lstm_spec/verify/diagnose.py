"""What is wrong, in one sentence: the hypotheses that reproduce what a target returned, number for number.

A hypothesis explains a target if it gives all its outputs on every observation, to about two thirds of the digits of
the format: far more than chance, and less than rounding may take away over a few steps. One that does so only where it
cannot be told from the specification explains nothing. Nothing is said unless something fits.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from itertools import chain, combinations, product
from types import MappingProxyType
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.compile import Array
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import Case
from lstm_spec.verify.faults import faults
from lstm_spec.verify.gate_faults import gate_faults
from lstm_spec.verify.gradient_faults import gradient_faults
from lstm_spec.verify.hypotheses import Candidate, Hypothesis, equation_hypotheses
from lstm_spec.verify.ignored import ignored, ignored_in_network
from lstm_spec.verify.length_faults import length_faults
from lstm_spec.verify.mispackings import misordered_adjoints, mispackings
from lstm_spec.verify.network_faults import network_faults
from lstm_spec.verify.network_gradient_faults import network_gradient_faults
from lstm_spec.verify.network_hypotheses import in_every_pass
from lstm_spec.verify.saved_faults import saved_faults
from lstm_spec.verify.substitutions import other_cells, substitutions

BEST_SINGLES = 20
"""How many of the hypotheses that come nearest alone are tried in pairs."""

REPEATED = 1e-12
"""Up to which distance two hypotheses are one and the same."""

USUAL = frozenset({"gate_order", "packing", "coupling", "directions", "lengths"})
"""The kinds of hypotheses that are tried in pairs besides."""

MISREAD = frozenset({"gate_order", "packing", "order_of_some"})
"""The kinds of hypotheses that leave nothing alike, so that a second fault beside them has to be looked for."""

SECONDS = 10.0
"""After how long, of the processor's time, no further pair is tried."""


@dataclass(frozen=True)
class Observation:
    """One call of a target: the case, and what it returned, by name; what is not known is left out.

    returned: "y" (T, B, m) or "last" (B, m), that of the last step alone, and final states; or gradients. floors: by
    name, below which size numbers are compared as if they were of it, 1 where nothing is said.
    """

    case: Case
    returned: Mapping[str, Array]
    floors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Diagnosis:
    """What is probably wrong.

    id: that of the hypothesis; sentence: what is wrong; confidence: 1 over the number of hypotheses that explain the
    observations equally well. equations: the names of those at fault, of the cell or of its backward pass, where it is
    about some.
    """

    id: str
    sentence: str
    confidence: float
    equations: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as JSON takes it."""
        return {
            "id": self.id,
            "sentence": self.sentence,
            "confidence": round(self.confidence, 3),
            "equations": list(self.equations),
        }


def catalogue(cell: Program, *, gradients: bool = False) -> tuple[Hypothesis, ...]:
    """Return every fault that an implementation of a cell may have, or with ``gradients`` its backward pass alone."""
    if gradients:
        around = (*gradient_faults(cell), *saved_faults(cell), *misordered_adjoints(cell))
        return (*around, *equation_hypotheses(cell, gradients=True))
    whole = (*substitutions(cell), *gate_faults(cell), *equation_hypotheses(cell), *other_cells(cell))
    return (*ignored(cell), *mispackings(cell), *faults(cell), *whole)


@lru_cache(maxsize=16)
def hypotheses(spec: Program | Network, *, gradients: bool = False) -> tuple[Candidate, ...]:
    """Return the faults of the catalogue that one call can tell, the usual ones first.

    What shows only in a second call, such as a state that is kept, and what only a coarser contract explains are none.
    Of a network they are those of its layers, directions and lengths, and those of its cells in every pass.
    """
    if isinstance(spec, Program):
        return tuple(h for h in catalogue(spec, gradients=gradients) if h.kind not in ("calls", "precision"))
    cells = dict.fromkeys(run.cell for run in spec.every_pass)
    known = (h for cell in cells for h in hypotheses(cell, gradients=gradients))
    inner = [in_every_pass(spec, h) for h in known if isinstance(h, Hypothesis)]
    forward = () if gradients else (*ignored_in_network(spec), *length_faults(spec), *network_faults(spec))
    found: dict[str, Candidate] = {}
    for hypothesis in (*(network_gradient_faults(spec) if gradients else forward), *inner):
        found.setdefault(hypothesis.id, hypothesis)
    return tuple(found.values())


def said(found: Iterable[Candidate]) -> tuple[Diagnosis, ...]:
    """Return hypotheses that explain observations equally well as diagnoses, each sentence once."""
    distinct = {h.sentence: h for h in found}
    return tuple(Diagnosis(h.id, h.sentence, 1 / len(distinct), h.at_fault) for h in distinct.values())


@dataclass(frozen=True)
class Nearness:
    """How near a hypothesis comes to an observation.

    worst: the largest gap of a number, over its scale; agreeing: the share of the numbers that agree; mean: that of the
    logarithms of all gaps, to which few right numbers count for much.
    """

    worst: float
    agreeing: float
    mean: float

    @classmethod
    def of(cls, apart: Array, limit: float) -> "Nearness":
        """Return it from the gaps of all numbers and the largest that is none."""
        if not apart.size:
            return cls(np.inf, 0.0, np.inf)
        mean = float(np.mean(np.log10(np.clip(apart, 1e-16, 1e3))))
        return cls(float(apart.max()), float((apart <= limit).mean()), mean)


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

    def __init__(self, observations: Sequence[Observation], contract: Accuracy, *, limit: float | None = None) -> None:
        self.observations, self.contract = observations, contract
        self.limit = contract.unit ** (2 / 3) if limit is None else limit
        self.nearness: dict[str, Nearness] = {}
        self._right: dict[int, Mapping[str, Array]] = {}

    def singles(self, candidates: Iterable[Candidate]) -> tuple[Diagnosis, ...]:
        """Return the candidates that explain all observations."""
        return said([h for h in candidates if self.explains(h)])

    def pairs(
        self, candidates: Iterable[Candidate], *, seconds: float, isolating: Sequence[Observation] = ()
    ) -> tuple[Diagnosis, ...]:
        """Return the first two candidates that do so together.

        isolating: observations in which some part of the equations has no say, so that one of two faults explains them
        alone; those are tried with each other first. Then comes what is usually wrong, since two mistakes of packing
        hide each other, what comes nearest alone, and every mistake of packing with every other one. seconds: of the
        processor, whatever else it has to do.
        """
        deadline = time.process_time() + seconds
        looked = [h for h in candidates if h.id in self.nearness]
        partial = self._partial(looked, (*self.observations[:1], *isolating))
        nearest = sorted(looked, key=lambda h: self.nearness[h.id].mean)[:BEST_SINGLES]
        usual = [h for h in looked if h.kind in USUAL]
        some = ((a, b) for a in partial for b in looked if b not in partial)
        misread = (h for h in looked if h.kind in MISREAD)
        wrong = [h for h in looked if h.kind not in MISREAD]
        tried = (
            combinations(partial, 2),
            combinations(usual, 2),
            some,
            combinations(nearest, 2),
            product(misread, wrong),
        )
        matcher = Matcher([*isolating[:1], *self.observations], self.contract, limit=self.limit)
        for first, second in chain.from_iterable(tried):
            if time.process_time() > deadline:
                break
            # One order of gates after another is an order of gates.
            pair = None if first.kind == second.kind == "gate_order" else first.joined(second)
            if pair is not None and matcher.explains(pair):
                return said([pair])
        return ()

    def _partial(self, looked: Sequence[Candidate], observations: Sequence[Observation]) -> list[Candidate]:
        """Return the candidates that explain at least one output of one observation, which the specification does not.

        Those that explain most come first.
        """
        count: dict[str, int] = {}
        for observation in observations:
            right = self._agreeing(looked[0].right, observation) if looked else frozenset()
            wrong = observation.returned.keys() - right
            for hypothesis in looked if wrong else ():
                count[hypothesis.id] = count.get(hypothesis.id, 0) + len(
                    self._agreeing(hypothesis, observation) & wrong
                )
        return sorted((h for h in looked if count.get(h.id)), key=lambda h: -count[h.id])

    def _agreeing(self, hypothesis: Candidate, observation: Observation) -> frozenset[str]:
        """Return the names of the outputs that a hypothesis gives in full."""
        given = run_hypothesis(hypothesis, observation.case)
        alone = ({name: a} for name, a in observation.returned.items())
        return frozenset(
            name for one in alone for name in one if distance(given, one, observation.floors) <= self.limit
        )

    def explains(self, hypothesis: Candidate) -> bool:
        """Tell whether a hypothesis gives what was observed, and is told from the specification by it."""
        for observation in self.observations:
            given = run_hypothesis(hypothesis, observation.case)
            near = self.near(given, observation)
            self.nearness.setdefault(hypothesis.id, near)
            if not near.worst <= self.limit:
                return False
        return any(self._told(hypothesis, k) for k in range(len(self.observations)))

    def near(self, given: Mapping[str, Array], observation: Observation) -> Nearness:
        """Return how near to an observation comes what a hypothesis gives."""
        return Nearness.of(gaps(given, observation.returned, observation.floors), self.limit)

    def _told(self, hypothesis: Candidate, k: int) -> bool:
        """Tell whether an observation is none that the specification would give."""
        observation = self.observations[k]
        if k not in self._right:
            self._right[k] = run_hypothesis(hypothesis.right, observation.case)
        return distance(self._right[k], observation.returned, observation.floors) > self.limit


def told_apart(found: Sequence[Candidate], cases: Sequence[Case]) -> list[Candidate]:
    """Return hypotheses without those that say in other words what an earlier one says: the same on all of some cases.

    cases: general ones, which show what a hypothesis does.
    """
    kept: list[tuple[Candidate, list[Mapping[str, Array]]]] = []
    for hypothesis in found:
        given: list[Mapping[str, Array]] = [run_hypothesis(hypothesis, case) for case in cases]
        same = (all(distance(a, b) < REPEATED for a, b in zip(given, other, strict=True)) for _, other in kept)
        if not any(same):
            kept.append((hypothesis, given))
    return [hypothesis for hypothesis, _ in kept]


def run_hypothesis(hypothesis: Candidate, case: Case) -> dict[str, Array]:
    """Return what a target would return if a hypothesis held: outputs, or gradients where there are cotangents.

    Beside y there is "last", that of the last step alone.
    """
    return implementation(hypothesis)(case)


def implementation(hypothesis: Candidate) -> Callable[[Case], dict[str, Array]]:
    """Return what answers cases as ``run_hypothesis`` does, and keeps what the hypothesis keeps from call to call."""
    function = cache(partial(getattr, hypothesis))

    def answer(case: Case) -> dict[str, Array]:
        params = {name: p.astype(np.float64) for name, p in case.params.items()}
        x, *states = (v.astype(np.float64) for v in (case.x, *case.states))
        names = case.state_names
        rows = {} if case.lengths is None else {"lengths": case.lengths}
        with np.errstate(all="ignore"):
            if not case.cotangents:
                returned = dict(zip(("y", *names), function("forward")(params, x, *states, **rows), strict=True))
                return {**returned, "last": returned["y"][-1]}
            cotangents = (d.astype(np.float64) for d in case.cotangents)
            dparams, dx, *dstates = function("backward")(params, x, *states, *cotangents, **rows)
        return {**dparams, "x": dx, **{f"{n}0": d for n, d in zip(names if dstates else (), dstates, strict=True)}}

    return answer


EXACT: Mapping[str, float] = MappingProxyType({})


def distance(first: Mapping[str, Array], second: Mapping[str, Array], floors: Mapping[str, float] = EXACT) -> float:
    """Return how far apart outputs are, over their scale: the worst of all numbers that the second has.

    floors: as an observation has them.

    >>> distance({"y": np.array([1.0, 2.0])}, {"y": np.array([1.0, 2.5])})
    0.2
    """
    return float(gaps(first, second, floors).max(initial=0.0)) if second else np.inf


def gaps(first: Mapping[str, Array], second: Mapping[str, Array], floors: Mapping[str, float] = EXACT) -> Array:
    """Return how far apart outputs are, over their scale, number by number."""
    found = [_gaps(first[name], np.asarray(a, np.float64), floors.get(name, 1.0)).ravel() for name, a in second.items()]
    return np.concatenate([*found, np.zeros(0)])


def _gaps(first: Array, second: Array, floor: float) -> Array:
    if first.shape != second.shape:
        return np.full(1, np.inf)
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    with np.errstate(all="ignore"):
        scale = np.maximum(np.maximum(np.abs(first), np.abs(second)), floor)
        gap = np.where(same, 0.0, np.abs(first - second) / scale)
    return np.where(np.isnan(gap), np.inf, gap)


PROBES: tuple[tuple[Mapping[str, int], int, int, str], ...] = (
    ({"n": 2, "m": 3, "q": 2}, 4, 3, "weights x3"),
    ({"n": 3, "m": 3, "q": 3}, 3, 2, "usual"),
    ({"n": 3, "m": 2, "q": 1}, 5, 2, "weights x6"),
    ({"n": 2, "m": 2, "q": 2}, 3, 3, "wide range"),
    ({"n": 2, "m": 2, "q": 2}, 4, 2, "remembering"),
    ({"n": 1, "m": 2, "q": 1}, 70, 1, "usual"),
)
"""What a target is asked for a diagnosis: sizes, steps, rows and regime, the most telling first."""


def isolating_cases(make: Callable[..., Case], cell: Program) -> Iterator[Case]:
    """Yield cases of one step in which one state, or all parameters of one gate, are zero; make: as ``probe_cases``."""
    sizes = {s.name: {"n": 2, "m": 3, "q": 2}.get(s.name, 2) for s in cell.sizes}
    whole = make(sizes=sizes, T=1, B=4, regime="weights x3", seed=len(PROBES))
    yield whole
    for k in range(len(whole.states)):
        yield replace(whole, states=tuple(0 * s if j == k else s for j, s in enumerate(whole.states)))
    for gate in dict.fromkeys(parse_name(name).subscript for name in whole.params):
        params = {name: 0 * p if parse_name(name).subscript == gate else p for name, p in whole.params.items()}
        yield replace(whole, params=params)


def probe_cases(make: Callable[..., Case], cell: Program | Network) -> Iterator[Case]:
    """Yield the cases that a target is asked for a diagnosis; make: ``seeded_case`` with its cell and format given."""
    for seed, (sizes, T, B, regime) in enumerate(PROBES):
        own = {s.name: sizes.get(s.name, 2) for s in cell.sizes}
        yield make(sizes=own, T=T, B=B, regime=regime, seed=seed)
