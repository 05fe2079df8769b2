"""A recorded run: arrays that somebody saved, and the ways in which they may be read as a case and what came of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.sizes import evaluate_shape
from lstm_spec.targets.weights import Weights
from lstm_spec.verify.cases import Array, Case


class RecordError(ValueError):
    """Arrays that do not make a run; the message is one sentence with what was expected."""


@dataclass(frozen=True)
class Record:
    """What was saved of one run, in whatever axes it was saved.

    x, got: the input and the output; initial, final: states by kind, "h" and "c", as far as they were saved; lengths:
    (B,) where rows have them.
    """

    x: Array
    got: Array | None
    initial: Mapping[str, Array] = field(default_factory=dict)
    final: Mapping[str, Array] = field(default_factory=dict)
    lengths: Array | None = None


@dataclass(frozen=True)
class Reading:
    """A record read as a question and its answer.

    axes: how x and the output were read, in words; case: the question; returned: the answer by name; as_said: whether
    the layout says these axes.
    """

    axes: str
    case: Case
    returned: Mapping[str, Array]
    as_said: bool


_SEQUENCES = {1: ("I",), 2: ("TI", "BI"), 3: ("TBI", "BTI"), 4: ("TDBI", "BDTI", "TBDI", "BTDI")}
_STACKS = {1: ("I",), 2: ("BI", "DI"), 3: ("DBI", "BDI")}


def readings(record: Record, weights: Weights) -> tuple[Reading, ...]:
    """Return the ways in which a record can be read, the one that the layout says first.

    Raises RecordError where there is none.
    """
    network = network_of(weights.spec)
    found: dict[tuple[bytes, ...], Reading] = {}
    for x_axes, y_axes in _axes(record, weights):
        reading = _read(record, weights, network, x_axes, y_axes)
        if reading is not None:
            # With T=1 or B=1 several axes may mean the same.
            found.setdefault(_numbers(reading), reading)
    if not found:
        raise RecordError(_mismatch(record, weights, network))
    return tuple(found.values())


def _numbers(reading: Reading) -> tuple[bytes, ...]:
    return tuple(str(a.shape).encode() + a.tobytes() for a in (reading.case.x, *reading.returned.values()))


def _axes(record: Record, weights: Weights) -> Iterator[tuple[str, str]]:
    """Yield axes of x and of y: those of the layout, then both with time or with rows first, then mixed."""
    said = weights.layout.axes.split()[0]
    xs = _SEQUENCES.get(record.x.ndim, ())
    ys = ("",) if record.got is None else _SEQUENCES.get(record.got.ndim, ())
    pairs = list(product(xs, ys))

    def unusual(pair: tuple[str, str]) -> tuple[bool, bool, bool]:
        x, y = pair
        return (not _within(x, said), not _within(y, said), x[0] != y[:1])

    yield from sorted(pairs, key=unusual)


def _within(axes: str, said: str) -> bool:
    """Whether axes are some of those that are said, in their order."""
    return [a for a in said if a in axes] == [a for a in axes if a in said]


def _read(record: Record, weights: Weights, network: Network, x_axes: str, y_axes: str) -> Reading | None:
    x = _sequence(record.x, x_axes)
    T, B, n = x.shape
    sizes = network.check_sizes(weights.sizes)
    width = evaluate_shape(network.output.shape, sizes)[0]
    shapes = [(B, evaluate_shape(before.shape, sizes)[0]) for before, _ in network.recurrence]
    returned: dict[str, Array] = {}
    if record.got is not None:
        y = _output(record.got, y_axes, (T, B, width))
        if y is None:
            return None
        returned["y" if y.ndim == 3 else "last"] = y
    if n != weights.sizes.get("n", n) or (record.lengths is not None and record.lengths.shape != (B,)):
        return None
    initial = _states(record.initial, network, shapes)
    final = _states(record.final, network, shapes)
    if initial is None or final is None:
        return None
    states = tuple(initial.get(name, np.zeros(shape)) for name, shape in zip(network.states, shapes, strict=True))
    case = Case(
        params=weights.params,
        x=x,
        states=states,
        regime="recorded",
        state_names=network.states,
        lengths=record.lengths,
    )
    said = weights.layout.axes.split()[0]
    as_said = _within(x_axes, said) and _within(y_axes, said)
    return Reading(_in_words(x_axes, y_axes, "last" in returned), case, {**returned, **final}, as_said)


def _sequence(array: Array, axes: str) -> Array:
    """Return x as (T, B, n)."""
    order = [axes.index(a) for a in "TBI" if a in axes]
    lengths = dict(zip(axes, array.shape, strict=True))
    return np.ascontiguousarray(array.transpose(order)).reshape([lengths.get(a, 1) for a in "TBI"]).astype(np.float64)


def _output(array: Array, axes: str, shape: tuple[int, int, int]) -> Array | None:
    """Return an output as (T, B, width), or as (B, width) of the last step; None where it is neither."""
    T, B, width = shape
    lengths = dict(zip(axes, array.shape, strict=True))
    order = [axes.index(a) for a in "TBDI" if a in axes]
    moved = np.ascontiguousarray(array.transpose(order)).astype(np.float64)
    features = lengths["I"] * lengths.get("D", 1)
    if features != width or lengths.get("B", 1) != B:
        return None
    if lengths.get("T", 1) == T:
        return moved.reshape(shape)
    return moved.reshape(B, width) if "T" not in axes else None


def _states(given: Mapping[str, Array], network: Network, shapes: list[tuple[int, int]]) -> dict[str, Array] | None:
    """Return states, saved by kind, by the network's names; None where their shapes do not fit."""
    wanted = dict(zip(network.states, shapes, strict=True))
    found: dict[str, Array] = {}
    for kind, array in given.items():
        names = network.stacks[kind]
        rows, size = wanted[names[0]]
        stack = _stack(array, (len(names), rows, size))
        if stack is None:
            return None
        found |= dict(zip(names, stack, strict=True))
    return found


def _stack(array: Array, shape: tuple[int, int, int]) -> Array | None:
    """Return one kind of state as (L·D, B, m), None where it is not that in any order of axes."""
    for axes in _STACKS.get(array.ndim, ()):
        lengths = dict(zip(axes, array.shape, strict=True))
        if tuple(lengths.get(a, 1) for a in "DBI") == shape:
            order = [axes.index(a) for a in "DBI" if a in axes]
            return np.ascontiguousarray(array.transpose(order)).reshape(shape).astype(np.float64)
    return None


def _in_words(x_axes: str, y_axes: str, last: bool) -> str:
    x = f"x is ({_letters(x_axes)})"
    if not y_axes:
        return x
    if last:
        return f"{x}, the output ({_letters(y_axes)}) that of the last step"
    return f"x and the output are ({_letters(x_axes)})" if x_axes == y_axes else f"{x}, the output ({_letters(y_axes)})"


def _letters(axes: str) -> str:
    return ", ".join({"I": "features"}.get(a, a) for a in axes)


def _mismatch(record: Record, weights: Weights, network: Network) -> str:
    sizes = ", ".join(f"{name}={value}" for name, value in weights.sizes.items())
    width = evaluate_shape(network.output.shape, network.check_sizes(weights.sizes))[0]
    parts = [f"x {record.x.shape}"]
    parts += [] if record.got is None else [f"the output {record.got.shape}"]
    parts += [f"the {when} {name} {a.shape}" for when, of in _both(record) for name, a in of.items()]
    parts += [] if record.lengths is None else [f"lengths {record.lengths.shape}"]
    wanted = f"x is (T, B, n) or (B, T, n), the output has {width} features in the same T and B, or is of the last step"
    return f"{', '.join(parts)} do not fit together for {network.name} with {sizes}: {wanted}, states are (B, m)"


def _both(record: Record) -> tuple[tuple[str, Mapping[str, Array]], ...]:
    return ("initial", record.initial), ("final", record.final)


def checked(record: Record, weights: Weights) -> Record:
    """Return a record whose arrays are numbers of this cell's; raises RecordError."""
    kinds = tuple(network_of(weights.spec).stacks)
    for when, states in _both(record):
        for kind in states:
            if kind not in kinds:
                raise RecordError(
                    f"{network_of(weights.spec).name} has no state {kind}; its states are {', '.join(kinds)}"
                )
            _check_numbers(f"the {when} {kind}", states[kind])
    _check_numbers("x", record.x)
    if record.got is not None:
        _check_numbers("the output", record.got)
    if record.lengths is None:
        return record
    lengths = np.asarray(record.lengths)
    whole = lengths.dtype.kind in "iuf" and bool((lengths == np.round(lengths)).all()) and bool((lengths >= 0).all())
    if lengths.ndim != 1 or not whole or lengths.max(initial=0) > max(record.x.shape[:2]):
        raise RecordError(f"lengths are (B,) whole numbers of steps from 0 to T, got {lengths.tolist()}")
    return replace(record, lengths=lengths.astype(np.int64))


def _check_numbers(name: str, value: Any) -> None:
    if np.asarray(value).dtype.kind not in "fiu" or not 1 <= np.ndim(value) <= 4 or not np.size(value):
        raise RecordError(f"{name} is an array {np.shape(value)} of {np.asarray(value).dtype}; expected one of numbers")
