"""Mistakes in reading packed weights: what a layout holds, taken apart in another way than it was put together."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from lstm_spec.spec.network import Network
from lstm_spec.spec.notation import symbol_text
from lstm_spec.targets.held import Held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.weights import Weights
from lstm_spec.verify.cases import Array
from lstm_spec.verify.diagnose import Diagnosis
from lstm_spec.verify.hypotheses import Candidate, Hypothesis, Wrap
from lstm_spec.verify.network_hypotheses import NetworkHypothesis

Change = Callable[[Array], Array]
Params = Mapping[str, Array]


def packed_hypotheses(weights: Weights) -> tuple[Candidate, ...]:
    """Return the ways in which arrays of saved weights may be taken apart wrongly, each kind of them by itself.

    >>> from lstm_spec.targets.weights import read_weights
    >>> keras = {"kernel": np.ones((2, 12)), "recurrent_kernel": np.ones((3, 12)), "bias": np.ones(12)}
    >>> packed_hypotheses(read_weights(keras, n=2))[0].sentence
    'kernel is reshaped to its other shape where it has to be transposed'
    """
    held, found = Held(weights.layout, weights.spec), []
    for name, sentence, changes in _changes(weights):

        def taken(params: Params, changes: Mapping[str, Change] = changes) -> Params:
            arrays = held.pack(params)
            changed = {n: changes[n](a) if n in changes else a for n, a in arrays.items()}
            return {**params, **held.unpack(changed, weights.sizes)}

        found.append(_hypothesis(weights, name, sentence, taken))
    return tuple(found)


def _hypothesis(weights: Weights, name: str, sentence: str, taken: Callable[[Params], Params]) -> Candidate:
    wrap = Wrap(forward=lambda inner: lambda params, *rest, **rows: inner(taken(params), *rest, **rows))
    if isinstance(weights.spec, Network):
        return NetworkHypothesis(name, "packing", sentence, weights.spec, wraps=(wrap,))
    return Hypothesis(name, "packing", sentence, weights.spec, wraps=(wrap,))


def _changes(weights: Weights) -> Iterator[tuple[str, str, Mapping[str, Change]]]:
    kinds = _kinds(weights)
    matrices = {kind: names for kind, names in kinds.items() if _plane(weights.arrays[names[0]]).ndim == 2}
    for chosen in [*([kind] for kind in matrices), *([[*matrices]] if len(matrices) > 1 else [])]:
        names = [name for kind in chosen for name in matrices[kind]]
        listed = " and ".join(matrices[kind][0] for kind in chosen)
        what, it = (
            (listed, "is")
            if len(names) == 1
            else (f"{listed}{' and so on' if len(names) > len(chosen) else ''}", "are")
        )
        its, it_has = ("its other shape", "it has") if it == "is" else ("their other shapes", "they have")
        sentence = f"{what} {it} reshaped to {its} where {it_has} to be transposed"
        yield f"{'-'.join(chosen)}-reshaped", sentence, dict.fromkeys(names, _reshaped)
        yield f"{'-'.join(chosen)}-by-column", f"{what} {it} read column by column", dict.fromkeys(names, _by_column)
    if len(weights.layout.gates) > 1:
        every = {name: partial(_interleaved, weights.layout) for names in kinds.values() for name in names}
        yield (
            "interleaved",
            "the packed arrays are read as if they held the gates unit by unit, not gate by gate",
            every,
        )


def _kinds(weights: Weights) -> dict[str, list[str]]:
    """Return the names of arrays that hold all gates by their role."""
    found: dict[str, list[str]] = {}
    for name, role in Held(weights.layout, weights.spec).roles.items():
        if name in weights.arrays:
            found.setdefault(role, []).append(name)
    return found


def _plane(array: Array) -> Array:
    """An array without its leading axis of one direction."""
    return array[0] if array.ndim == 3 else array


def _reshaped(a: Array) -> Array:
    turned = a.reshape(*a.shape[:-2], a.shape[-1], a.shape[-2])
    return np.ascontiguousarray(turned.swapaxes(-1, -2))


def _by_column(a: Array) -> Array:
    return np.ascontiguousarray(a.swapaxes(-1, -2)).reshape(a.shape)


def _interleaved(layout: Layout, a: Array) -> Array:
    """The entries 0, 4, 8, … of an axis of four gates taken for the first one, and so on."""
    vector = a.ndim == 1 + ("D" in layout.axes.split()[0])
    axis = a.ndim - 1 if vector or layout.transposed else a.ndim - 2
    halves = 2 if vector and layout.biases == "concatenated" else 1
    moved = np.moveaxis(a, axis, 0)
    blocks = moved.reshape(halves, -1, len(layout.gates), *moved.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(np.moveaxis(blocks.reshape(moved.shape), 0, axis))


def in_layout(diagnosis: Diagnosis, layout: Layout, gates: tuple[str, ...]) -> Diagnosis:
    """Say a wrong order of gates, or an offset of the forget gate, in terms of a layout's own packing.

    >>> from lstm_spec.targets.layouts import LAYOUTS
    >>> wrong = Diagnosis("gates-ifco", "the gates are taken in another order", 1.0)
    >>> in_layout(wrong, LAYOUTS["pytorch"], ("f", "i", "c", "o")).sentence
    'it matches the spec if the gates are packed f, i, c̃, o'

    Of two faults at once each is said so.
    """
    ids, sentences = diagnosis.id.split("+"), diagnosis.sentence.split("; and ")
    if len(ids) == len(sentences) > 1:
        each = (replace(diagnosis, id=i, sentence=s) for i, s in zip(ids, sentences, strict=True))
        return replace(diagnosis, sentence="; and ".join(in_layout(d, layout, gates).sentence for d in each))
    if diagnosis.id in ("a_f.offset1", "a_f.offset2") and "f" in gates:
        added = diagnosis.id == "a_f.offset1"
        known = layout.forget_offset == 1
        what = {
            (True, True): "the forget offset of 1 is added twice",
            (True, False): "a forget offset of 1 is added that these weights do not ask for",
            (False, True): "the forget offset of 1 is not added",
            (False, False): "1 is subtracted from the forget gate's pre-activation",
        }[added, known]
        return replace(diagnosis, sentence=f"{what}: {diagnosis.sentence}")
    order = diagnosis.id.removeprefix("gates-")
    if sorted(order) != sorted(gates) or sorted(layout.gates) != sorted(gates):
        return diagnosis
    read_as = dict(zip(order, gates, strict=True))
    named = (f"{g}_tilde" if g in "ch" and len(gates) > 1 else g for g in (read_as[s] for s in layout.gates))
    letters = ", ".join(map(symbol_text, named))
    return replace(diagnosis, sentence=f"it matches the spec if the gates are packed {letters}")
