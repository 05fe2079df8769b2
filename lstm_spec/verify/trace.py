"""Every named value of a run, step by step, beside what somebody recorded of it; the first that deviates is marked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_spec.compute.compile import compile_program
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape
from lstm_spec.targets.layout import Layout
from lstm_spec.verify.cases import Array, Case
from lstm_spec.verify.diagnose import gaps
from lstm_spec.verify.digits import precision_of
from lstm_spec.verify.record import Reading, Record, RecordError, checked, readings
from lstm_spec.verify.recorded import weights_of


@dataclass(frozen=True)
class Value:
    """One named value of one step: (B, size), beside what was recorded of it, if it was.

    differs: whether the two are further apart than their digits allow; at: the row and the unit where they are most.
    """

    step: int
    name: str
    value: Array
    recorded: Array | None = None
    differs: bool = False
    at: tuple[int, int] = (0, 0)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        own = {"step": self.step, "name": self.name, "value": self.value.tolist()}
        if self.recorded is None:
            return own
        return {**own, "recorded": self.recorded.tolist(), "differs": self.differs, "at": list(self.at)}


@dataclass(frozen=True)
class Trace:
    """All values of a run in the order in which they are computed, step by step."""

    spec: str
    layout: str
    axes: str
    values: tuple[Value, ...]

    @property
    def first(self) -> Value | None:
        """The first value that deviates from what was recorded, None where there is none."""
        return next((v for v in self.values if v.differs), None)

    @property
    def exit_status(self) -> int:
        """The exit status of the command line: 0 where nothing deviates, 1 where something does."""
        return int(self.first is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        first = self.first
        return {
            "spec": self.spec,
            "layout": self.layout,
            "axes": self.axes,
            "first": None if first is None else {"step": first.step, "name": first.name, "at": list(first.at)},
            "values": [v.to_dict() for v in self.values],
        }


def trace(
    *,
    weights: Mapping[str, Any],
    x: Any,
    recorded: Mapping[str, Any] | None = None,
    got: Any = None,
    layout: str | Layout | None = None,
    spec: str | Program | Network | None = None,
    h0: Any = None,
    c0: Any = None,
) -> Trace:
    """Return every named value of a run as the specification computes it, beside what was recorded.

    recorded: values by name, such as "a_f" or "c", any of them, each (T, B, size) as x has its axes, or without the
    axis of T or B where that is 1; got: the output, which is the first state. The other arguments are those of
    ``diagnose``. Raises RecordError for names and shapes that the cell has not.

    >>> from lstm_spec.spec.cells import lstm
    >>> weights = {name: np.ones(shape) for name, shape in lstm().dimensions(n=1, m=1).items()}
    >>> found = trace(weights=weights, x=np.ones((2, 1, 1)), recorded={"f": np.full((2, 1, 1), 0.8807970779778823)})
    >>> found.first.step, found.first.name
    (1, 'f')
    """
    initial = {kind: np.asarray(a) for kind, a in (("h", h0), ("c", c0)) if a is not None}
    record = Record(np.asarray(x), None if got is None else np.asarray(got), initial)
    own = weights_of(weights, record, layout, spec)
    if isinstance(own.spec, Network):
        raise RecordError(f"{own.spec.name} has several passes; a trace is of one layer in one direction")
    reading = readings(checked(record, own), own)[0]
    beside = {name: np.asarray(a) for name, a in (recorded or {}).items()}
    if got is not None and "y" in reading.returned:
        beside.setdefault(own.spec.states[0], reading.returned["y"])
    sizes = own.spec.check_sizes(own.sizes)
    given = {name: _read(own.spec, name, a, reading, sizes) for name, a in beside.items()}
    limit = max(2.0**-40, precision_of(list(beside.values())).contract.unit ** (2 / 3)) if beside else 0.0
    values = tuple(_values(own.spec, reading.case, given, limit))
    return Trace(own.spec.name, own.layout.name, reading.axes, values)


def _read(cell: Program, name: str, array: Array, reading: Reading, sizes: Mapping[Any, int]) -> Array:
    """Return what was recorded of a value as (T, B, size)."""
    names = [d.name for d in cell]
    if name not in names:
        raise RecordError(f"{cell.name} computes no {name}; it computes {', '.join(names)}")
    T, B = reading.case.T, reading.case.B
    wanted = (T, B, evaluate_shape(cell[name].symbol.shape, sizes)[0])
    rows_first = "(B, T" in reading.axes
    moved = array.swapaxes(0, 1) if rows_first and array.ndim == 3 else array
    short = {(T, wanted[2]) if B == 1 else None, (B, wanted[2]) if T == 1 else None}
    if moved.shape != wanted and moved.shape not in short:
        raise RecordError(f"the recorded {name} has the shape {array.shape}; expected (T, B, size) = {wanted}")
    return moved.reshape(wanted).astype(np.float64)


def _values(cell: Program, case: Case, recorded: Mapping[str, Array], limit: float) -> Iterator[Value]:
    names = tuple(d.name for d in cell)
    step = compile_program(cell, names)
    params = {name: p.astype(np.float64) for name, p in case.params.items()}
    states = case.states
    for t, x_t in enumerate(case.x):
        with np.errstate(all="ignore"):
            found = dict(zip(names, step(params, x_t, *states), strict=True))
        states = tuple(found[name] for name in cell.states)
        for name in names:
            value = np.broadcast_to(found[name], (case.B, found[name].shape[-1]))
            if name not in recorded:
                yield Value(t, name, value)
                continue
            beside = recorded[name][t]
            apart = gaps({name: value}, {name: beside}).reshape(beside.shape)
            row, unit = np.unravel_index(int(apart.argmax()), apart.shape)
            yield Value(t, name, value, beside, bool(apart.max() > limit), (int(row), int(unit)))
