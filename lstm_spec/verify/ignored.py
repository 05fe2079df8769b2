"""Options that an implementation takes and does not heed: a clip, activations, a coupling, a share, a direction.

They are read off the equations, so they are known of every cell and of every network, whoever made it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from sympy import HadamardProduct

from lstm_spec.spec.elementwise import elementwise
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.network import Network
from lstm_spec.spec.operators import Elementwise, apply, hadamard, one_minus, scale
from lstm_spec.spec.program import Program
from lstm_spec.verify.hypotheses import Hypothesis
from lstm_spec.verify.network_hypotheses import NetworkHypothesis

WITHOUT_LIMIT = 1e30

_USUAL: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("f", "i", "o", "u", "r"), "sigmoid"),
        **dict.fromkeys(("c_tilde", "h_tilde", "h"), "tanh"),
    }
)
"""The activation that a value has unless somebody asks for another one, by its name."""

_LIMITED: Mapping[str, str] = MappingProxyType(
    {
        "limit_a": "the pre-activations are not clipped",
        "limit_h": "what the activation of h reads is not clipped",
        "limit_c": "the cell state is not clipped",
        "limit_p": "the projection is not clipped",
    }
)


def ignored(cell: Program) -> tuple[Hypothesis, ...]:
    """Return the hypotheses that an option of a cell is ignored; those that it does not have are none.

    What a coupled gate's own weights would be nobody can say; they are taken to be 0, as a layout fills them in.

    >>> from lstm_spec.spec.cells import lstm
    >>> [h.sentence for h in ignored(lstm(clip={"a": 3.0, "h": 3.0}, coupled="f=1-i"))]
    ['clip is ignored', 'clip is ignored in part: the pre-activations are not clipped',
     'clip is ignored in part: what the activation of h reads is not clipped',
     'the coupling of f and i is ignored: f has weights of its own, which are 0']
    """
    return tuple(Hypothesis(cell=cell, kind="ignored", **found) for found in _ignored(cell))


def ignored_in_network(network: Network) -> tuple[NetworkHypothesis, ...]:
    """Return the hypotheses that an option is ignored in all layers and directions, or that a direction is.

    >>> from lstm_spec.spec.layers import layers
    >>> [h.sentence for h in ignored_in_network(layers(direction="reverse"))]
    ['the direction is ignored: the sequence is run forwards']
    """
    cells = {cell: {h.id: h for h in ignored(cell)} for layer in network.layers for cell in layer.cells}
    named = {name: h.sentence for own in cells.values() for name, h in own.items()}

    def without(name: str) -> Callable[[Program], Program]:
        return lambda cell: cells[cell][name].program if name in cells[cell] else cell

    found = [
        NetworkHypothesis(name, "ignored", sentence, network, changed=_with_cells(network, without(name)))
        for name, sentence in named.items()
    ]
    if any(layer.reverse_cell not in (None, layer.cell) for layer in network.layers):
        what = "the reverse direction computes what the forward direction does: its own options are ignored"
        alike = replace(network, layers=tuple(replace(layer, reverse_cell=None) for layer in network.layers))
        found.append(NetworkHypothesis("reverse-options-ignored", "ignored", what, network, changed=alike))
    if any(layer.direction == "reverse" for layer in network.layers):
        what = "the direction is ignored: the sequence is run forwards"
        found.append(NetworkHypothesis("direction-ignored", "ignored", what, network, changed=_forwards(network)))
    return tuple(found)


def _with_cells(network: Network, change: Callable[[Program], Program]) -> Network:
    def changed(layer: Layer) -> Layer:
        other = None if layer.reverse_cell is None else change(layer.reverse_cell)
        return replace(layer, cell=change(layer.cell), reverse_cell=other)

    return replace(network, layers=tuple(map(changed, network.layers)))


def _forwards(network: Network) -> Network:
    turned = (replace(la, direction="forward") if la.direction == "reverse" else la for la in network.layers)
    return replace(network, layers=tuple(turned))


def _ignored(cell: Program) -> Iterator[dict[str, Any]]:
    limits = [symbol.name for symbol, _ in cell.constants if symbol.name in _LIMITED]
    if limits:
        every = tuple((name, WITHOUT_LIMIT) for name in limits)
        yield {"id": "clip-ignored", "sentence": "clip is ignored", "constants": every}
    for name in limits if len(limits) > 1 else ():
        part = f"clip is ignored in part: {_LIMITED[name]}"
        yield {"id": f"{name}-ignored", "sentence": part, "constants": ((name, WITHOUT_LIMIT),)}
    for name in (symbol.name for symbol, _ in cell.constants if symbol.name.startswith("d_")):
        what = f"zoneout of {name.removeprefix('d_')} is ignored"
        yield {"id": f"{name}-ignored", "sentence": what, "constants": ((name, 0.0),)}
    usual = tuple((d.name, e) for d in cell if (e := _as_usual(d)) is not None)
    if usual:
        what = "activations are ignored: sigmoid and tanh stand in their places"
        yield {"id": "activations-ignored", "sentence": what, "equations": usual}
    for first, second in (("f", "i"), ("i", "f")):
        yield from _uncoupled(cell, first, second)


def _as_usual(equation: Equation) -> Any:
    """Return what an equation would compute with the usual activation, None where it has that or none at all."""
    wanted, e = _USUAL.get(equation.name), equation.expression
    if wanted is None:
        return None
    if isinstance(e, HadamardProduct) and equation.name == "h" and len(e.args) == 2:
        # The output: a gate times what the activation makes of the cell state.
        inner = _with_usual(e.args[1], wanted)
        return None if inner is None else hadamard(e.args[0], inner)
    return _with_usual(e, wanted)


def _with_usual(e: Any, wanted: str) -> Any:
    if not isinstance(e, Elementwise) or len(e.arguments) != 1 or e.function == elementwise(wanted):
        return None
    # What limits an argument is no activation.
    if e.application is not None and e.application[0] == "clip":
        return apply(wanted, e)
    return apply(wanted, *e.arguments)


def _uncoupled(cell: Program, gate: str, other: str) -> Iterator[dict[str, Any]]:
    names = {d.name: d for d in cell}
    if gate not in names or other not in names or names[gate].expression != one_minus(names[other].symbol):
        return
    free = names[other].expression
    if isinstance(free, Elementwise) and len(free.arguments) == 1:
        alone = apply(free.function, scale(0, names[other].symbol))
        what = f"the coupling of f and i is ignored: {gate} has weights of its own, which are 0"
        yield {"id": "coupling-ignored", "sentence": what, "equations": ((gate, alone),)}
