"""Laws 22, 23, 25 and 27: what a cell is run over: time backwards, rows of unequal length, layers, blocks of steps.

Except for the last one they hold a network against the cell that it is made of, so ``ask`` is asked about both.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from lstm_spec.calculus.laws.law import Answer, Ask, Case, Claim, Law
from lstm_spec.calculus.laws.linear import Array, Measured
from lstm_spec.calculus.laws.structure import sizes_of
from lstm_spec.calculus.laws.time_and_batch import as_allowed
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program


def _network(cell: Program, *layers: Layer, past_length: Literal["zero"] | None = None) -> Network:
    # Where a cell needs x to have the size of its state, so does the network.
    return Network(name=cell.name, layers=layers, n=cell.inputs[0].shape[0], past_length=past_length)


# Law 22: directions.


def _backwards(case: Case) -> Case:
    return case.put(x=case.x[::-1])


def _reversed(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """A layer in reverse is flip ∘ forward ∘ flip."""
    network = _network(cell, Layer(cell=cell, direction="reverse"))
    there, back = ask(cell).forward(_backwards(case)), ask(network).forward(case)
    for name, own in there.items():
        turned = _turned(own, name)
        yield Claim(name, turned, as_allowed(back[name].value, turned))


def _turned(own: Measured, name: str) -> Measured:
    return own[::-1] if name == "y" else own


def _both_directions(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """Both directions are their concatenation; with both changed for each other and time flipped, so are the halves."""
    network = _network(cell, Layer(cell=cell, direction="both"))
    other = case.put(**{name: -0.5 * a for name, a in case.params.items()})
    first, second = ask(cell).forward(case), ask(cell).forward(_backwards(other))
    sides = [first["y"], _turned(second["y"], "y")]
    yield from _halves("y", sides, ask(network).forward(_stacked(case, {"l0.": case, "l0r.": other}))["y"].value)
    swapped = _stacked(_backwards(case), {"l0.": other, "l0r.": case})
    yield from _halves("y swapped", sides[::-1], ask(network).forward(swapped)["y"].value[::-1])


def _halves(name: str, sides: list[Measured], whole: Array) -> Iterator[Claim]:
    for k, (side, got) in enumerate(zip(sides, np.split(whole, 2, axis=-1), strict=True)):
        yield Claim(f"half {k} of {name}", side, as_allowed(got, side))


def _stacked(case: Case, parts: Mapping[str, Case]) -> Case:
    """Return the case of a network whose passes have the parameters and states of some cases."""
    params = {key + name: a for key, part in parts.items() for name, a in part.params.items()}
    states = {name: np.stack([part.leaves[name] for part in parts.values()]) for name in case.states}
    return Case({**params, "x": case.x, **states}, case.cotangents)


# Law 23: rows of unequal length.


def _lengths(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """A row gives what it gives alone, and its final states are those at its own length; past it y is 0."""
    T, B, _ = case.x.shape
    network = _network(cell, Layer(cell=cell), past_length="zero")
    lengths = T - np.arange(B) % T
    cells, padded = ask(cell), ask(network).forward(Case(case.leaves, case.cotangents, lengths=lengths))
    for row, length in enumerate(lengths):
        alone = cells.forward(case.part(slice(0, length), slice(row, row + 1)))
        for name, own in alone.items():
            got = padded[name].value[:length, [row]] if name == "y" else padded[name].value[[row]]
            yield Claim(f"{name} of row {row}", own, as_allowed(got, own))
        past = padded["y"].value[length:, row]
        yield Claim(f"y past row {row}", Measured.exact(past), Measured.exact(np.zeros_like(past)))


# Law 25: layers.


def _composition(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """The second layer reads y of the first."""
    network = _network(cell, Layer(cell=cell), Layer(cell=cell))
    sizes = {s.name: k for s, k in sizes_of(cell, case.leaves).items() if s in network.sizes}
    shapes = network.dimensions(**sizes)
    above = {name: np.resize(-0.5 * a[..., ::-1], shapes[f"l1.{name}"]) for name, a in case.params.items()}
    first = ask(cell).forward(case)
    second = ask(cell).forward(_upper(case, above, first))
    both = ask(network).forward(_stacked(case, {"l0.": case, "l1.": Case({**case.leaves, **above}, case.cotangents)}))
    yield Claim("y", second["y"], as_allowed(both["y"].value, second["y"]))
    for name in cell.states:
        for k, own in enumerate((first[name], second[name])):
            yield Claim(f"{name} of layer {k}", own, as_allowed(both[name].value[k], own))


def _upper(case: Case, params: Mapping[str, Array], below: Answer) -> Case:
    y = below["y"]
    return Case({**case.leaves, **params, "x": y.value}, case.cotangents, {"x": y.error})


# Law 27: truncated backpropagation.


def _whole_window(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """A window of T steps or more truncates nothing."""
    own = ask(cell)
    assert own.backward is not None
    assert own.truncated is not None
    whole = own.backward(case)
    for window in (len(case.x), len(case.x) + 3):
        for name, cut in own.truncated(case, window).items():
            yield Claim(f"d{name}, window {window}", whole[name], as_allowed(cut.value, whole[name]))


def _always(cell: Any) -> bool:
    return True


NETWORKS: tuple[Law, ...] = (
    Law("reverse", 22, "a reverse layer is flip ∘ forward ∘ flip", _always, _reversed, alone=False),
    Law("bidirectional", 22, "both directions are concatenated, and change places with time", _always,
        _both_directions, alone=False),
    Law("lengths", 23, "padding is irrelevant, and final states are those at a row's own length", _always, _lengths,
        alone=False),
    Law("stack", 25, "layers are composed", _always, _composition, alone=False),
    Law("whole_window", 27, "truncated backpropagation with window ≥ T is the full one", _always, _whole_window,
        gradients=True, alone=False),
)  # fmt: skip
"""Laws 22, 23, 25 and 27."""
