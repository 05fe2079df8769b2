"""Whether converted weights are right: each library runs its own arrays, and both have to compute the same cell.

Nothing is unpacked for it: the arrays go to each library as they were read and as they will be written. What comes is
held against the equations with the parameters that the source has, within the allowed error of every number.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.forced import forced_bounds
from lstm_spec.compute.formats import dtype_of
from lstm_spec.compute.initial import state_widths
from lstm_spec.spec.network import network_of
from lstm_spec.targets.calls import MisbehaviourError
from lstm_spec.targets.contract import Outputs
from lstm_spec.targets.convert import Converted
from lstm_spec.targets.equivalents import HUB
from lstm_spec.targets.held import held
from lstm_spec.targets.running import run_weights
from lstm_spec.targets.weights import Weights
from lstm_spec.verify.cases import Array
from lstm_spec.verify.compare import compare
from lstm_spec.verify.verdict import DISCREPANCY, INCONCLUSIVE, VERIFIED

STEPS, ROWS = 5, 2
"""The length of the sequence that is run, and its rows."""


@dataclass(frozen=True)
class Side:
    """One side of a conversion: what ran its arrays, and how far off that is.

    library: as ``lstm-spec verify`` names it, None where the equations were computed by NumPy instead; reason: why.
    ratio: the largest error over allowed error, infinite where it could not run; message: where that is, or why.
    conclusive: whether the allowed errors are small enough to tell.
    """

    layout: str
    library: str | None
    ratio: float
    message: str
    conclusive: bool = True
    reason: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        ratio = self.ratio if np.isfinite(self.ratio) else str(self.ratio)
        return {**vars(self), "ratio": ratio, "versions": dict(self.versions), "reason": self.reason or None}


@dataclass(frozen=True)
class Agreement:
    """What came of running both sides of a conversion.

    apart: the largest difference of their outputs; changed: the parameters that differ by more than rounding.
    """

    source: Side
    target: Side
    apart: float
    changed: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """One of verified, discrepancy, inconclusive."""
        if max(self.source.ratio, self.target.ratio) > 1 or self.changed:
            return DISCREPANCY
        return VERIFIED if self.source.conclusive and self.target.conclusive else INCONCLUSIVE

    @property
    def exit_status(self) -> int:
        """The exit status of the command line."""
        return {VERIFIED: 0, DISCREPANCY: 1, INCONCLUSIVE: 3}[self.status]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        apart = self.apart if np.isfinite(self.apart) else None
        sides = {"source": self.source.to_dict(), "target": self.target.to_dict()}
        return {"status": self.status, **sides, "apart": apart, "changed": list(self.changed)}


def agreement(found: Converted, *, seed: int = 0) -> Agreement:
    """Run both sides of a conversion on the same input, and say whether both compute the same.

    Each library runs its own arrays; where one is not known or not installed, or does not have the format of the
    weights, the equations are computed in its place, and the side says so. seed: the same one draws the same input.
    """
    network = network_of(found.source.spec)
    dtype = dtype_of(str(np.result_type(*found.source.arrays.values())))
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(STEPS, ROWS, found.source.sizes["n"])).astype(dtype)
    widths = state_widths(network, found.source.params).values()
    states = tuple(rng.normal(size=(ROWS, width)).astype(dtype) for width in widths)
    (source, before), (target, after) = (_side(w, x, states) for w in (found.source, found.target))
    apart = np.inf
    if before is not None and after is not None:
        apart = max(float(np.abs(a - b).max()) for a, b in zip(_flat(before), _flat(after), strict=True))
    return Agreement(source, target, apart, tuple(_changed(found)))


def _changed(found: Converted) -> Iterator[str]:
    """Yield the parameters that are not those of the source, but for the rounding of a bias."""
    apart = [held(HUB, weights.spec).pack(weights.params) for weights in (found.source, found.target)]
    source, target = (_summed(params, kept=apart[0].keys() & apart[1].keys()) for params in apart)
    unit = accuracy(str(np.result_type(*found.source.arrays.values()))).unit
    offset = max(abs(weights.layout.forget_offset) for weights in (found.source, found.target))
    for name in source.keys() | target.keys():
        a, b = source.get(name, np.zeros(1)), target.get(name, np.zeros(1))
        bias = name.rpartition(".")[2].startswith("b_")
        allowed = 4 * unit * (np.abs(a) + offset) if bias else 0.0
        if (np.abs(a - b) > allowed).any():
            yield name


def _summed(params: Mapping[str, Array], *, kept: Collection[str]) -> dict[str, Array]:
    """Return parameters with the sum of the two biases of a gate, but where both sides have two, which are kept."""
    found: dict[str, Array] = {}
    for name, array in params.items():
        key = name if name in kept else name.replace("bR_", "b_")
        exact = np.asarray(array, np.float64)
        found[key] = found[key] + exact if key in found else exact
    return found


def _flat(outputs: Outputs) -> list[Array]:
    return [np.asarray(a, np.float64) for a in (outputs.y, *outputs.states.values())]


def _side(weights: Weights, x: Array, states: tuple[Array, ...]) -> tuple[Side, Outputs | None]:
    """Run one side, and hold what comes against the equations with the parameters that are meant."""
    try:
        ran = run_weights(weights, x, states)
    except MisbehaviourError as error:
        return Side(weights.layout.name, None, np.inf, str(error), reason="it cannot run these arrays"), None
    outputs = ran.outputs
    bounds = forced_bounds(weights.spec, weights.params, x, states, outputs.y, accuracy(ran.dtype))
    compared = compare({"y": outputs.y, **outputs.states}, bounds, accuracy(ran.dtype))
    about = (weights.layout.name, ran.library, float(compared.worst.ratio), str(compared.worst), compared.conclusive)
    return Side(*about, reason=ran.reason, versions=ran.versions), outputs
