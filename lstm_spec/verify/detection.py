"""How small an error of one weight would have been seen: what a run that found nothing has ruled out.

The cases are those of the check ``weights``: one step, on inputs of which one is not zero, each in a row of the batch,
and on dense ones. To first order a weight w that is off by r·w moves every output by r·w·∂output/∂w; it shows where
that exceeds the allowed error of the output. Its detection limit is the smallest such r over all outputs of all these
cases. Other checks can only lower it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.compile import run
from lstm_spec.compute.forced import forced_bounds
from lstm_spec.compute.network import plain, run_network
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.contract import Target
from lstm_spec.verify.cases import Array, Case, fixed_sizes, seeded_case
from lstm_spec.verify.checks import Check, against_spec

CASES = 6
"""How many cases there are; in every third one the inputs are dense."""

MOST_ROWS = 24
MOST_WEIGHTS = 300
"""Of larger parameters so many entries are looked at, by chance but always the same ones."""

STEP = 2.0**-20
"""By which part of itself a weight is moved; exact, and small enough for a slope."""

_PREFERRED = ({"n": 5, "m": 4, "q": 3}, {"n": 4, "m": 4, "q": 4}, {"n": 3, "m": 3, "q": 3}, {"n": 1, "m": 1, "q": 1})


@dataclass(frozen=True)
class Detection:
    """The smallest relative error of one weight that shows: the median and the worst over the weights.

    weights: how many entries of the parameters were looked at; total: how many there are; sizes: of the cases.
    """

    median: float
    worst: float
    weights: int
    total: int
    sizes: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it; what no error of a weight shows is written as a string."""
        limits = {"median": self.median, "worst": self.worst}
        finite = {key: value if np.isfinite(value) else str(value) for key, value in limits.items()}
        return {**finite, "weights": self.weights, "of": self.total, "sizes": dict(self.sizes)}


def weight_cases(cell: Program | Network, target: Target, dtype: str) -> tuple[Case, ...]:
    """Return cases of one step, all at the same sizes; none where the target can have none of ours."""
    sizes = _sizes(cell, target)
    if sizes is None:
        return ()
    cases = (_case(cell, dtype, sizes, seed) for seed in range(CASES))
    return tuple(case if target.weights is None else case.with_weights(target.weights) for case in cases)


def _sizes(cell: Program | Network, target: Target) -> Mapping[str, int] | None:
    own = [{s.name: preferred.get(s.name, 3) for s in cell.sizes} for preferred in _PREFERRED]
    fixed = fixed_sizes(cell, target.weights)
    candidates = [fixed] if fixed else target.sizes or own
    return next((dict(sizes) for sizes in candidates if target.possible(sizes)), None)


def _case(cell: Program | Network, dtype: str, sizes: Mapping[str, int], seed: int) -> Case:
    make = partial(seeded_case, cell, dtype, sizes=sizes, T=1, regime="weights x3", seed=seed)
    case = make(B=3)
    if seed % 3 == 2:
        return case
    ones = _one_by_one(case.x.shape[-1], [s.shape[-1] for s in case.states])
    x, *states = (part[:MOST_ROWS] for part in ones)
    case = make(B=len(x))
    # The first state goes into the products as x does; the others are multiplied by what these products make.
    first = (states[0], *(own for own in case.states[1:]))
    return Case(
        params=case.params,
        x=x[None].astype(case.dtype),
        states=tuple(np.asarray(s, case.dtype) for s in first),
        regime="one-hot",
        seed=seed,
        state_names=case.state_names,
    )


def _one_by_one(n: int, states: Sequence[int]) -> Iterator[Array]:
    """Yield x, then every state, with a row for each entry of x and of the first state, in which it alone is 1."""
    whole = np.eye(n + states[0])
    nothing = np.zeros((1, n + states[0]))
    rows = np.concatenate([whole, nothing])
    yield rows[:, :n]
    yield rows[:, n:]


def detection(cell: Program | Network, cases: Sequence[Case], contract: Accuracy) -> Detection:
    """Return the detection limit of cases of one step at the same sizes, under an accuracy contract.

    >>> from lstm_spec.compute.accuracy import accuracy
    >>> from lstm_spec.spec.cells import lstm
    >>> from lstm_spec.targets.reference import compiled_spec
    >>> cases = weight_cases(lstm(), compiled_spec(), "float32")
    >>> found = detection(lstm(), cases, accuracy("float32"))
    >>> found.weights, 1e-7 < found.median < found.worst < 1e-4
    (160, True)
    """
    places = _places(cases[0].params)
    limits = np.full(len(places), np.inf)
    for case in cases:
        limits = np.minimum(limits, _limits(cell, case, places, contract))
    total = sum(p.size for p in cases[0].params.values())
    width = {"n": cases[0].x.shape[-1], "m": cases[0].states[-1].shape[-1]}
    return Detection(float(np.median(limits)), float(limits.max()), len(places), total, width)


def _places(params: Mapping[str, Array]) -> list[tuple[str, tuple[int, ...]]]:
    every = [(name, at) for name, p in params.items() for at in np.ndindex(p.shape)]
    if len(every) <= MOST_WEIGHTS:
        return every
    chosen = np.random.default_rng(0).choice(len(every), MOST_WEIGHTS, replace=False)
    return [every[k] for k in sorted(chosen)]


def _limits(cell: Program | Network, case: Case, places: Sequence[tuple[str, tuple[int, ...]]], k: Accuracy) -> Array:
    """Return for every place the smallest relative error that shows in a case of one step."""
    params = {name: p.astype(np.float64) for name, p in case.params.items()}
    x, *states = (a.astype(np.float64) for a in (case.x, *case.states))
    # Of one step, nothing depends on what y was returned.
    unused = np.zeros((1, case.B, _forward(cell, params, x, states)[0].shape[-1]))
    bounds = forced_bounds(cell, case.params, case.x, case.states, unused, k)
    allowed = [bounds[name].errors for name in ("y", *case.state_names)]
    right = _forward(cell, params, x, states)
    found = np.empty(len(places))
    with np.errstate(all="ignore"):
        for index, (name, at) in enumerate(places):
            moved = params[name].copy()
            moved[at] *= 1 + STEP
            wrong = _forward(cell, {**params, name: moved}, x, states)
            ratios = [e / (np.abs(w - r) / STEP) for w, r, e in zip(wrong, right, allowed, strict=True)]
            found[index] = min(float(np.nanmin(ratio, initial=np.inf)) for ratio in ratios)
    return found


def _forward(
    cell: Program | Network, params: Mapping[str, Array], x: Array, states: Sequence[Array]
) -> Sequence[Array]:
    if isinstance(cell, Program):
        return run(cell, params, x, *states)
    trace = run_network(cell, params, x, tuple(states), None, plain(keep=False))
    return (trace.y, *trace.states)


WEIGHTS = Check(
    "weights",
    "every weight counts for what it is, down to the smallest error that shows",
    lambda subject, case, contract: against_spec(subject, case, contract)[0],
    needs=("step",),
    most_steps=1,
    listed=lambda subject, dtype: weight_cases(subject.cell, subject.target, dtype),
)
"""The check whose cases tell how small an error shows."""
