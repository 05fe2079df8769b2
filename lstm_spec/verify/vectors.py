"""Test vectors: cases with the answers and the allowed error of every number, for people who cannot run Python there.

The cases are chosen by what they see: every fault of the catalogue is planted in turn, and a case is added for each one
that no case chosen before tells from the specification. The allowed errors are those of a recurrence that runs freely,
since nobody has returned anything yet; so the sequences are short.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from lstm_spec.compute.accuracy import Accuracy, accuracy
from lstm_spec.compute.forced import differentiated_bounds
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.targets.held import concat_of
from lstm_spec.targets.layout import Layout
from lstm_spec.verify.cases import Array, Case, seeded_case, with_lengths
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.compare import furthest
from lstm_spec.verify.diagnose import implementation, probe_cases
from lstm_spec.verify.fit import UsageError
from lstm_spec.verify.hypotheses import Hypothesis
from lstm_spec.verify.regimes import REGIMES
from lstm_spec.verify.selftest import planted

FORMATS = ("float64", "float32", "float16")
"""The formats of which there are vectors: those that NumPy's files and C hold."""

_SHAPES: tuple[tuple[Mapping[str, int], int, int], ...] = (
    ({"n": 3, "m": 5, "q": 4}, 1, 2),
    ({"n": 4, "m": 4, "q": 4}, 4, 3),
    ({"n": 5, "m": 3, "q": 2}, 7, 2),
)
"""Sizes, steps and rows: one step, a square kernel, and an odd one through several steps."""


@dataclass(frozen=True)
class Vector:
    """One case with its answers.

    id: its name in the set; expected: by "y", the final states, "dW_f", …, "dx", "dh0", … the value and the allowed
    error; follows: the id of the vector whose final states it starts from, if it goes on with another's sequence.
    """

    id: str
    case: Case
    expected: Mapping[str, Bounded]
    follows: str | None = None

    @property
    def clauses(self) -> tuple[str, ...]:
        """The ids of the checks whose clauses it exercises."""
        case = self.case
        kind = "lengths" if case.lengths is not None else "step" if case.T == 1 else "sequence"
        others = [name for name, holds in (("batch", case.B > 1), ("carry", self.follows)) if holds]
        return ("signature", kind, *others, "gradient_signature", f"gradient_{kind}")

    def differs(self, returned: Mapping[str, Array]) -> bool:
        """Tell whether something returned, by the names of ``expected``, is not what a correct implementation gives."""
        return any(self.worst(name, array) > 1 for name, array in returned.items())

    def worst(self, name: str, array: Array) -> float:
        """Return the largest error of an output over what is allowed; infinite for a wrong shape and for NaN."""
        bounded = self.expected[name]
        if np.shape(array) != bounded.value.shape:
            return np.inf
        return furthest(name, np.asarray(array, np.float64), bounded).ratio


@dataclass(frozen=True)
class VectorSet:
    """The vectors of a cell in a format, and what they see.

    past_length: what y holds past a row's length, where some vectors have lengths. faults: how many were planted;
    alive: the ids of those that no vector tells from the specification. layout: how parameters and states are laid out
    where the vectors are written; those here are by the names of the specification.
    """

    cell: Program
    layout: Layout
    dtype: str
    seed: int
    vectors: tuple[Vector, ...]
    faults: int
    alive: tuple[str, ...]
    past_length: str | None = None

    @property
    def share(self) -> float:
        """The part of the faults that the vectors tell from the specification."""
        return 1 - len(self.alive) / self.faults if self.faults else 1.0

    @property
    def clauses(self) -> dict[str, str]:
        """What the specification says, by the ids of the checks whose clauses the vectors exercise."""
        seen = {name for vector in self.vectors for name in vector.clauses}
        return {check.id: check.clause for check in CHECKS if check.id in seen}


Progress = Callable[[int, int, str], None]


def vectors(
    cell: Program,
    *,
    layout: Layout | None = None,
    dtype: str = "float64",
    past_length: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> VectorSet:
    """Choose vectors of a cell that see its faults; the same arguments give the same ones.

    layout: of the implementation they are for, by default the canonical one; its packing may round. dtype: float64,
    float32 or float16. past_length: what y holds past a row's length, for vectors with lengths too. progress: called
    with (done, total, what). Raises UsageError for another format, LayoutError for a layout that cannot hold the cell.

    >>> from lstm_spec.spec.recurrent import rnn
    >>> found = vectors(rnn())
    >>> found.share > 0.95, sorted({clause for v in found.vectors for clause in v.clauses})[:3]
    (True, ['batch', 'carry', 'gradient_sequence'])
    """
    if dtype not in FORMATS:
        raise UsageError(f"there are vectors in {', '.join(FORMATS)}, not in {dtype}")
    held = layout or Layout()
    make = partial(_vector, cell, held, accuracy(dtype))
    first, second = _halves(cell, dtype, seed, make)
    chosen = [first, second]
    if past_length is not None:
        ended = replace(network_of(cell), past_length=past_length)  # type: ignore[arg-type]
        chosen.append(make(_with_ends(cell, dtype, seed), ended))
    others = [v for v in map(make, _candidates(cell, dtype, seed)) if _is_bounded(v)]
    chosen.append(others.pop(0))
    faults, alive = planted(cell, dtype), []
    for done, fault in enumerate(faults):
        if progress is not None:
            progress(done, len(faults), fault.id)
        if _seen(fault, chosen) is None:
            better = _seen(fault, others)
            if better is None:
                alive.append(fault.id)
            else:
                others = [v for v in others if v is not better]
                chosen.append(better)
    named = tuple(replace(v, id=f"v{k:02d}", follows="v01" if v is second else None) for k, v in enumerate(chosen, 1))
    return VectorSet(cell, held, dtype, seed, named, len(faults), tuple(alive), past_length)


def _candidates(cell: Program, dtype: str, seed: int) -> Iterator[Case]:
    """Yield cases of every regime, one step first, those of the diagnosis after them."""
    make = partial(seeded_case, cell, dtype, gradients=True)
    for shape, (sizes, T, B) in enumerate(_SHAPES):
        own = {s.name: sizes.get(s.name, 2) for s in cell.sizes}
        for k, regime in enumerate(REGIMES):
            yield make(sizes=own, T=T, B=B, regime=regime, seed=8 * (100 * seed + 10 * shape + k))
    yield from probe_cases(make, cell)


def _whole(cell: Program, dtype: str, seed: int) -> Case:
    sizes, T, B = _SHAPES[2]
    own = {s.name: sizes.get(s.name, 2) for s in cell.sizes}
    return seeded_case(cell, dtype, sizes=own, T=T, B=B, regime="weights x3", seed=800 * (seed + 1), gradients=True)


def _halves(cell: Program, dtype: str, seed: int, make: Callable[[Case], Vector]) -> tuple[Vector, Vector]:
    """Return a sequence cut in two, the second part begun from the states that the first one leaves."""
    whole = _whole(cell, dtype, seed)
    first = make(whole.part(slice(0, 3)))
    states = tuple(first.expected[name].value.astype(dtype) for name in cell.states)
    return first, make(whole.part(slice(3, None), states=states))


def _with_ends(cell: Program, dtype: str, seed: int) -> Case:
    case = _whole(cell, dtype, seed)
    return with_lengths(case, cell, np.array([case.T, case.T // 2]))


def _vector(cell: Program, layout: Layout, contract: Accuracy, case: Case, spec: Network | None = None) -> Vector:
    """Answer a case; what packing parameters rounds is part of the question."""
    concat = concat_of(cell)
    params = layout.unpack(layout.pack(case.params, concat=concat), case.params, concat=concat)
    case = replace(case, params=params)
    dy, *dstates = case.cotangents
    outputs, gradients = differentiated_bounds(
        spec or cell, params, case.x, case.states, None, dy, tuple(dstates), contract, case.lengths
    )
    return Vector("", case, MappingProxyType({**outputs, **{f"d{name}": d for name, d in gradients.items()}}))


def _is_bounded(vector: Vector) -> bool:
    return all(np.isfinite(b.errors).all() and np.isfinite(b.value).all() for b in vector.expected.values())


def _seen(fault: Hypothesis, among: Iterable[Vector]) -> Vector | None:
    """Return the first vector that tells a fault from the specification; one implementation is asked all of them."""
    asked = implementation(fault)
    for vector in among:
        case = vector.case
        if case.lengths is not None:
            continue
        if fault.in_gradients_only:
            returned = {f"d{name}": d for name, d in asked(case).items()}
        else:
            outputs = asked(replace(case, cotangents=()))
            returned = {name: outputs[name] for name in ("y", *case.state_names)}
        if vector.differs(returned):
            return vector
    return None
