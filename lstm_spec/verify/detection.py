"""How small an error of one weight would have been seen: what a run that found nothing has ruled out.

The cases are those of the check ``weights``: one step, on inputs of which one is not zero, each in a row of the batch,
and on dense ones; some steps, where a target is given no states. To first order a weight w that is off by r·w moves
every output by r·w·∂output/∂w; it shows where that exceeds the allowed error of the output. Its detection limit is the
smallest such r over all outputs of all these cases. Other checks can only lower it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.compile import run
from lstm_spec.compute.forced import forced_bounds
from lstm_spec.compute.network import plain, run_network
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.contract import Target
from lstm_spec.verify.cases import Array, Case, fixed_sizes, seeded_case, sizes_of
from lstm_spec.verify.checks import Check, against_spec
from lstm_spec.verify.subject import Subject

CASES = 6
"""How many cases there are; in every third one the inputs are dense."""

STEPS_FROM_ZERO = 3
"""How many steps a case has of what is given no states: the recurrent weights are seen from the second one on."""

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
    """Return cases that are all of the same sizes; none where the target can have none of ours."""
    shape = _shape(cell, target)
    if shape is None:
        return ()
    subject = Subject(target, cell)
    cases = (_case(subject, dtype, shape, seed) for seed in range(CASES))
    return tuple(case if target.weights is None else case.with_weights(target.weights) for case in cases)


def _shape(cell: Program | Network, target: Target) -> Mapping[str, int] | None:
    """Return sizes that a target can have, with its numbers of steps "T" and of rows "B" where it fixes these."""
    own = [{s.name: preferred.get(s.name, 3) for s in cell.sizes} for preferred in _PREFERRED]
    fixed = fixed_sizes(cell, target.weights)
    for shape in [fixed] if fixed else target.sizes or own:
        if target.possible(_sizes(shape)):
            return shape
    return None


def _sizes(shape: Mapping[str, int]) -> dict[str, int]:
    return {key: size for key, size in shape.items() if key not in "TB"}


def _case(subject: Subject, dtype: str, shape: Mapping[str, int], seed: int) -> Case:
    states = subject.cell.states
    given = states[0] in subject.begun
    T = shape.get("T", 1 if {*states} <= {*subject.begun} else STEPS_FROM_ZERO)
    make = partial(seeded_case, subject.cell, dtype, sizes=_sizes(shape), T=T, regime="weights x3", seed=seed)
    dense = make(B=shape.get("B", 3))
    if seed % 3 == 2:
        return subject.taken(dense)
    n, h = dense.x.shape[-1], dense.states[0].shape[-1] if given else 0
    ones = np.eye(n + h + 1)[:, : n + h]
    case = make(B=shape.get("B", min(len(ones), MOST_ROWS)))
    rows = ones[np.arange(seed * T * case.B, (seed + 1) * T * case.B) % len(ones)].reshape(T, case.B, n + h)
    # The first state goes into products as x does; the others are multiplied by what these products make.
    begun = (rows[0, :, n:], *case.states[1:]) if given else case.states
    one_hot = replace(
        case,
        x=rows[..., :n].astype(case.dtype),
        states=tuple(np.asarray(s, case.dtype) for s in begun),
        regime="one-hot",
    )
    return subject.taken(one_hot)


def detection(
    cell: Program | Network, cases: Sequence[Case], contract: Accuracy, *, returned: Collection[str] | None = None
) -> Detection:
    """Return the detection limit of cases of the same sizes, under an accuracy contract.

    returned: the outputs that a target returns, "y" and states, by default all.

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
        shown = [returned is None or name in returned for name in ("y", *case.state_names)]
        limits = np.minimum(limits, _limits(cell, case, places, contract, shown))
    total = sum(p.size for p in cases[0].params.values())
    sizes = sizes_of(cell, cases[0].params)
    return Detection(float(np.median(limits)), float(limits.max()), len(places), total, sizes)


def _places(params: Mapping[str, Array]) -> list[tuple[str, tuple[int, ...]]]:
    every = [(name, at) for name, p in params.items() for at in np.ndindex(p.shape)]
    if len(every) <= MOST_WEIGHTS:
        return every
    chosen = np.random.default_rng(0).choice(len(every), MOST_WEIGHTS, replace=False)
    return [every[k] for k in sorted(chosen)]


def _limits(
    cell: Program | Network,
    case: Case,
    places: Sequence[tuple[str, tuple[int, ...]]],
    k: Accuracy,
    shown: Sequence[bool],
) -> Array:
    """Return for every place the smallest relative error that shows in a case, in those outputs that are shown."""
    params = {name: p.astype(np.float64) for name, p in case.params.items()}
    x, *states = (a.astype(np.float64) for a in (case.x, *case.states))

    def expected(y: Array) -> list[Bounded]:
        """What is held against what was returned: from the second step on it depends on that."""
        bounds = forced_bounds(cell, case.params, case.x, case.states, y, k)
        return [bounds[name] for name in ("y", *case.state_names)]

    right = expected(_forward(cell, params, x, states)[0])
    found = np.empty(len(places))
    with np.errstate(all="ignore"):
        for index, (name, at) in enumerate(places):
            moved = params[name].copy()
            moved[at] *= 1 + STEP
            wrong = _forward(cell, {**params, name: moved}, x, states)
            wanted = right if case.T == 1 else expected(wrong[0])
            slopes = (np.abs(got - b.value) / STEP for got, b in zip(wrong, wanted, strict=True))
            ratios = (b.errors / slope for b, slope in compress(zip(right, slopes, strict=True), shown))
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
    asks="for every weight there is a case in which it counts for much, with the largest numbers that stay linear",
    catches="one weight that is slightly off, taken twice, or another's",
    needs=("step",),
    listed=lambda subject, dtype: weight_cases(subject.cell, subject.target, dtype),
)
"""The check whose cases tell how small an error shows."""
