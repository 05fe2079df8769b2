"""The diagnosis of one recorded run: weights from here, an output from there, and what lies between them.

Nothing can be asked, so there is one observation only, of unknown precision and in unknown axes. Everything that may be
wrong is held against it and ranked by how well it fits. What fits equally well is told to be undecided.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import FORMATS, accuracy
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.program import Program
from lstm_spec.targets.cells import find_spec
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.weights import Weights, read_weights
from lstm_spec.verify.cases import Array, Case, seeded_case, with_lengths
from lstm_spec.verify.diagnose import (
    SECONDS,
    Diagnosis,
    Matcher,
    Nearness,
    Observation,
    hypotheses,
    run_hypothesis,
    said,
    told_apart,
)
from lstm_spec.verify.digits import Precision, limit_of, precision_of
from lstm_spec.verify.hypotheses import Candidate, Hypothesis
from lstm_spec.verify.initial import other_states
from lstm_spec.verify.mispackings import gates_of
from lstm_spec.verify.network_hypotheses import right_of
from lstm_spec.verify.packed import in_layout, packed_hypotheses
from lstm_spec.verify.precision_faults import precision_faults
from lstm_spec.verify.record import Reading, Record, RecordError, checked, readings

AS_SPECIFIED, EXPLAINED, UNEXPLAINED = "as_specified", "explained", "unexplained"

LOCAL = frozenset({"gate_order", "packing", "order_of_some", "cell"})
"""The kinds of hypotheses with something around the equations that does the same at every step and in every row."""

SHOWN = 6
"""How many of the ranked hypotheses are kept beside those that fit."""

COARSE = 8
"""Up to how many unit roundoffs of a narrower format an output is right to its accuracy."""

ENOUGH_DIGITS = 8
"""How many digits a record needs in all for a hypothesis to explain it; for two at once, twice as many."""

LARGE_RUN = 3_000_000
"""From how many products a step on, times steps, a hypothesis is held against the first steps and rows before all."""


@dataclass(frozen=True)
class Ranked:
    """One hypothesis held against a record: id and sentence, whether it fits, and how near it comes."""

    id: str
    sentence: str
    fits: bool
    nearness: Nearness

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        worst = self.nearness.worst if np.isfinite(self.nearness.worst) else None
        agreeing = round(self.nearness.agreeing, 4)
        return {"id": self.id, "sentence": self.sentence, "fits": self.fits, "worst": worst, "agreeing": agreeing}


@dataclass(frozen=True)
class Recorded:
    """What is to be said of a recorded run.

    status: "as_specified", "explained" or "unexplained". spec, layout, axes, precision: as what it was read. diagnosis:
    what is probably wrong, several that the record cannot tell apart; ranked: what comes nearest, the best first;
    tried: how many hypotheses there were; unseen: how many faults would have left this record as the specification has
    it; notes: why it tells little, where it does. expected: the same of the output that was expected, if it was given.
    """

    status: str
    spec: str
    layout: str
    axes: str
    precision: str
    diagnosis: tuple[Diagnosis, ...]
    ranked: tuple[Ranked, ...]
    tried: int
    unseen: int = 0
    notes: tuple[str, ...] = ()
    expected: "Recorded | None" = None

    @property
    def exit_status(self) -> int:
        """The exit status of the command line: 0 as specified, 1 otherwise."""
        return 0 if self.status == AS_SPECIFIED else 1

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        own = {key: getattr(self, key) for key in ("status", "spec", "layout", "axes", "precision", "tried", "unseen")}
        return {
            **own,
            "notes": list(self.notes),
            "diagnosis": [d.to_dict() for d in self.diagnosis],
            "ranked": [r.to_dict() for r in self.ranked],
            "expected": None if self.expected is None else self.expected.to_dict(),
        }


def diagnose(
    *,
    weights: Mapping[str, Any],
    x: Any,
    got: Any,
    expected: Any = None,
    layout: str | Layout | None = None,
    spec: str | Program | Network | None = None,
    h0: Any = None,
    c0: Any = None,
    got_h: Any = None,
    got_c: Any = None,
    lengths: Any = None,
    seconds: float = SECONDS,
) -> Recorded:
    """Say what a recorded run has done in place of the specification; the most likely first.

    weights: arrays by the names of the layout, such as a state_dict; what they have in common before their names may
    stay. x, got: the input and the output, (T, B, ·), (B, T, ·), or the output of the last step alone. expected: the
    output that it should have been, as another implementation gave it: it is diagnosed too. layout, spec: whose weights
    and of which cell or network; by default what the names and shapes fit. h0, c0: the initial states, zero where they
    are not given; got_h, got_c: the final states, if they were recorded; lengths: (B,), the steps of every row.
    seconds: after how long no pair of faults is tried.

    Raises WeightsError, RecordError or LayoutError for arrays that do not make a run.

    >>> from lstm_spec.compute.layer import forward
    >>> from lstm_spec.spec.cells import lstm
    >>> rng = np.random.default_rng(0)
    >>> shapes = lstm().dimensions(n=2, m=3)
    >>> weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    >>> x, zero = rng.standard_normal((4, 2, 2)), np.zeros((2, 3))
    >>> wrong = {**weights, "W_f": weights["W_i"], "W_i": weights["W_f"], "b_f": weights["b_i"], "b_i": weights["b_f"]}
    >>> diagnose(weights=weights, x=x, got=forward(wrong, x, zero, zero)[0]).diagnosis[0].sentence
    'the gates are taken in the order i, f, c̃, o where they are f, i, c̃, o'
    """
    initial = {kind: np.asarray(a) for kind, a in (("h", h0), ("c", c0)) if a is not None}
    final = {kind: np.asarray(a) for kind, a in (("h", got_h), ("c", got_c)) if a is not None}
    ends = None if lengths is None else np.asarray(lengths)
    record = Record(np.asarray(x), np.asarray(got), initial, final, ends)
    own = weights_of(weights, record, layout, spec)
    found = _diagnosed(checked(record, own), own, seconds)
    if expected is None:
        return found
    wanted = replace(record, got=np.asarray(expected), final={})
    return replace(found, expected=_diagnosed(checked(wanted, own), own, seconds))


def weights_of(
    weights: Mapping[str, Any], record: Record, layout: str | Layout | None, spec: str | Program | Network | None
) -> Weights:
    """Return saved weights with what they are the parameters of; arguments as for ``diagnose``."""
    if record.x.ndim < 1 or not record.x.size:
        raise RecordError(f"x is an array {record.x.shape}; expected (T, B, n)")
    known = None if layout is None else find_layout(layout)
    cell = find_spec(spec) if isinstance(spec, str) else spec
    found = read_weights(weights, n=record.x.shape[-1], layout=known, spec=cell)
    if record.lengths is None:
        return found
    return replace(found, spec=replace(network_of(found.spec), past_length="zero"))


def _diagnosed(record: Record, weights: Weights, seconds: float) -> Recorded:
    read = readings(record, weights)
    assert record.got is not None
    precision = precision_of((record.got, *record.final.values()))
    search = _Search(weights, [_Held(reading, weights, precision) for reading in read])
    return search.run(seconds)


class _Held:
    """One reading of a record, with the hypotheses that were held against it so far."""

    def __init__(self, reading: Reading, weights: Weights, precision: Precision) -> None:
        self.reading, self.precision = reading, precision
        floors = {name: _floor(a) for name, a in reading.returned.items()}
        self.right: Candidate = right_of(weights.spec)
        self.whole = Observation(reading.case, reading.returned, floors)
        limit = limit_of(precision, self.right, self.whole)
        self.matcher = Matcher([self.whole], precision.contract, limit=limit)
        self.quick = self.matcher
        if _is_large(reading) and "y" in reading.returned and isinstance(weights.spec, Program):
            steps, rows = slice(0, 6), slice(0, 2)
            part = Observation(reading.case.part(steps, rows), {"y": reading.returned["y"][steps, rows]}, floors)
            self.quick = Matcher([part, self.whole], precision.contract, limit=limit)
            self.quick.nearness = self.matcher.nearness

    def fits(self) -> bool:
        """Tell whether the specification itself gives what was recorded."""
        given = run_hypothesis(self.right, self.reading.case)
        self.matcher.nearness["spec"] = self.matcher.near(given, self.whole)
        return self.matcher.nearness["spec"].worst <= self.matcher.limit

    @property
    def digits(self) -> float:
        """How many digits were recorded in all that a wrong hypothesis would have to hit by chance."""
        numbers = sum(np.unique(a).size for a in self.reading.returned.values())
        return numbers * -np.log10(self.matcher.limit)

    def leaves(self, candidate: Candidate, deadline: float) -> bool:
        """Tell whether a hypothesis would have given what was recorded as well, as far as there is time."""
        if time.process_time() > deadline:
            return False
        near = self.matcher.near(run_hypothesis(candidate, self.reading.case), self.whole)
        return near.worst <= self.matcher.limit

    def explaining(self, candidates: Iterable[Candidate], deadline: float) -> list[Candidate]:
        """Return the hypotheses that explain the record, as far as there is time."""
        found = []
        for candidate in candidates:
            matcher = self.quick if _is_local(candidate) else self.matcher
            if time.process_time() < deadline and matcher.explains(candidate):
                found.append(candidate)
        return found


def _floor(array: Array) -> float:
    """Numbers of an output are compared on its own scale, where that is below 1."""
    largest = float(np.abs(array[np.isfinite(array)]).max(initial=0.0))
    return min(1.0, largest) or 1.0


def _is_large(reading: Reading) -> bool:
    weights = sum(p.size for p in reading.case.params.values())
    return weights * reading.case.T * reading.case.B > LARGE_RUN


def _is_local(candidate: Candidate) -> bool:
    """Tell whether the first steps of the first rows show what a hypothesis does to them."""
    return isinstance(candidate, Hypothesis) and (not candidate.wraps or candidate.kind in LOCAL)


@dataclass
class _Search:
    """The search for what explains a record: the specification, what is usual, other axes, then two faults at once."""

    weights: Weights
    held: Sequence[_Held]

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """Everything that one run can tell, the usual first."""
        spec = self.weights.spec
        packed = packed_hypotheses(self.weights)
        coarse = precision_faults(spec) if isinstance(spec, Program) else ()
        return (*packed, *hypotheses(spec), *coarse)

    def run(self, seconds: float) -> Recorded:
        begun = time.process_time()
        # Singles take a moment for usual sizes; a large run must not be given up before they are through.
        deadline = begun + 6 * seconds
        for held in self.held:
            if held.fits():
                return self.fitting(held, begun + seconds)
        candidates = self.candidates
        for held in self.held:
            found = held.explaining(candidates, deadline) if held.digits >= ENOUGH_DIGITS else []
            padding = [h for h in found if h.kind == "padding"]
            if padding:
                return self.fitting(held, begun + seconds, padding[0].sentence)
            if found:
                return self.explained(held, found)
        usual = self.held[0]
        if not usual.digits >= 2 * ENOUGH_DIGITS:
            return replace(self.result(UNEXPLAINED, usual, ()), notes=blind(usual.reading))
        if elsewhere := other_states(usual.right, usual.whole, usual.matcher.limit):
            return self.result(EXPLAINED, usual, (elsewhere,))
        coarse = self.coarser(usual)
        if coarse:
            return self.result(EXPLAINED, usual, (coarse,))
        pairs = usual.matcher.pairs(candidates, seconds=max(seconds / 2, seconds - (time.process_time() - begun)))
        return self.result(EXPLAINED if pairs else UNEXPLAINED, usual, pairs)

    def fitting(self, held: _Held, deadline: float, padding: str = "") -> Recorded:
        """Say that the record is as specified, if need be in other axes than the layout says."""
        notes = (padding,) if padding else ()
        if held.reading.as_said:
            unseen = [h for h in self.candidates if h.kind != "padding" and held.leaves(h, deadline)]
            found = self.result(AS_SPECIFIED, held, ())
            return replace(found, unseen=len(unseen), notes=(*notes, *blind(held.reading)))
        said_axes = f"the layout {self.weights.layout.name} has {self.weights.layout.axes.split()[0]}"
        sentence = (
            f"it is as the spec has it if {held.reading.axes}, where {said_axes}: the axes are taken for each other"
        )
        return replace(self.result(EXPLAINED, held, (Diagnosis("axes", sentence, 1.0),)), notes=notes)

    def explained(self, held: _Held, found: Sequence[Candidate]) -> Recorded:
        """Say what explains the record; what fits by far less well than the best is left out."""
        near = held.matcher.nearness
        best = min(near[h.id].worst for h in found)
        kept = [h for h in found if near[h.id].worst <= max(best * 50, held.matcher.limit * 1e-3)]
        diagnosis = tuple(self.worded(d) for d in said(told_apart(kept, self.general(held))))
        notes = blind(held.reading) if len(diagnosis) > 1 else ()
        return replace(self.result(EXPLAINED, held, diagnosis), notes=notes)

    def general(self, held: _Held) -> list[Case]:
        """Return cases of the same cell and sizes that hide nothing."""
        spec, lengths = self.weights.spec, held.reading.case.lengths
        cases = [
            seeded_case(spec, "float64", sizes=self.weights.sizes, T=6, B=3, regime=regime, seed=0)
            for regime in ("weights x3", "wide range")
        ]
        return cases if lengths is None else [with_lengths(case, spec, np.array([6, 2, 4])) for case in cases]

    def worded(self, diagnosis: Diagnosis) -> Diagnosis:
        """Say a diagnosis in terms of the layout."""
        return in_layout(diagnosis, self.weights.layout, gates_of(network_of(self.weights.spec).every_pass[0].cell))

    def coarser(self, held: _Held) -> Diagnosis | None:
        """Say so where the run is right to fewer digits than it was recorded in."""
        worst = held.matcher.nearness["spec"].worst
        for name in FORMATS:
            if worst <= COARSE * accuracy(name).unit:
                sentence = f"it is right to {-np.log10(worst):.0f} digits, which is the accuracy of {name}"
                reason = "something is computed in a lower precision, or approximated"
                return Diagnosis(f"accuracy-of-{name}", f"{sentence}: {reason}", 0.5)
        return None

    def result(self, status: str, held: _Held, diagnosis: tuple[Diagnosis, ...]) -> Recorded:
        """Put together what is known, with the hypotheses that come nearest."""
        near, fitting = held.matcher.nearness, {d.id for d in diagnosis}
        looked = sorted((h for h in self.candidates if h.id in near), key=lambda h: near[h.id].mean)
        chosen = sorted(looked, key=lambda h: h.id not in fitting)[: len(fitting) + SHOWN]
        return Recorded(
            status=status,
            spec=network_of(self.weights.spec).name,
            layout=self.weights.layout.name,
            axes=held.reading.axes,
            precision=str(held.precision),
            diagnosis=diagnosis,
            ranked=tuple(
                Ranked(h.id, self.worded(said([h])[0]).sentence, h.id in fitting, near[h.id])
                for h in (held.right, *chosen)
                if h.id in near
            ),
            tried=len(looked),
        )


def blind(reading: Reading) -> tuple[str, ...]:
    """Return why a record cannot tell some faults from others, or from the specification."""
    case = reading.case
    biases = [p for name, p in case.params.items() if p.ndim == 1]
    initial = [f"{symbol_text(n)}" for n, s in zip(case.state_names, case.states, strict=True) if not s.any()]
    facts = {
        "it has one step only": case.T == 1,
        "it has one row only": case.B == 1,
        "all biases are zero": bool(biases) and not any(b.any() for b in biases),
        f"the initial {' and '.join(initial)} {'is' if len(initial) == 1 else 'are'} zero": bool(initial),
        "the final states were not recorded": not set(case.state_names) & set(reading.returned),
        "only the last step of the output was recorded": "last" in reading.returned,
        "the output is saturated": _saturated(reading),
    }
    return tuple(fact for fact, holds in facts.items() if holds)


def _saturated(reading: Reading) -> bool:
    y = next(iter(reading.returned.values()))
    return bool((np.abs(y) > 0.999).mean() > 0.5)
