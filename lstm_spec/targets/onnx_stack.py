"""Models of several layers: a recurrent node for each, and what makes the output of one the input of the next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.spec.onnx import Operator
from lstm_spec.targets.onnx_model import initialisers, input_names, model_with, shapes, value_of

Array = NDArray[Any]

_WEIGHTS = ("W", "R", "B", "P")


@dataclass(frozen=True)
class Stacked:
    """A layer of a stack: its operator, its input and its hidden size, and what stands before its names."""

    operator: Operator
    n: int
    m: int
    key: str

    @property
    def directions(self) -> int:
        """How many directions it has."""
        return len(self.operator.keys)


def stacked(
    operators: Sequence[Operator],
    sizes: Sequence[tuple[int, int]],
    dtype: str,
    constants: Mapping[str, Array] = MappingProxyType({}),
) -> bytes:
    """Return a model of layers, each of which reads what the one below gives, both directions beside each other.

    operators: from the input upwards, with layout=0 and without sequence_lens; sizes: the input and the hidden size of
    each; dtype: the format of all numbers; constants: weights that are in the model as initialisers, by name. Inputs
    are X (T, B, n), the other weights, l0.W, …, and initial_h and initial_c (L·D, B, m) where the operators take them.
    Outputs are Y (T, B, D·m), and Y_h and Y_c, of all layers in one where these are of one hidden size, else of each.
    """
    layers = [Stacked(op, n, m, f"l{k}.") for k, (op, (n, m)) in enumerate(zip(operators, sizes, strict=True))]
    top, rows = layers[-1], sum(layer.directions for layer in layers)
    even = len({m for _, m in sizes}) == 1
    nodes, below = [], "X"
    inputs = [value_of("X", dtype, ("T", "B", layers[0].n))]
    outputs = [value_of("Y", dtype, ("T", "B", top.directions * top.m))]
    kept = dict(constants)
    for layer in layers:
        given = {f"{layer.key}{name}": shape for name, shape in _weights(layer).items()}
        inputs += [value_of(name, dtype, shape) for name, shape in given.items() if name not in constants]
        result = "Y" if layer is top else f"{layer.key}y"
        nodes += list(_nodes(layer, below, result))
        below = result
    kept["rows"] = np.array([0, 0, -1], np.int64)
    for state in top.operator.states:
        each = [f"{layer.key}Y_{state}" for layer in layers]
        if top.operator.is_given_states:
            kept["directions"] = np.array([layer.directions for layer in layers], np.int64)
            inputs.append(value_of(f"initial_{state}", dtype, (rows, "B", top.m)))
            parts = [f"{layer.key}initial_{state}" for layer in layers]
            nodes.insert(0, _node("Split", [f"initial_{state}", "directions"], parts, axis=0))
        if even:
            nodes.append(_node("Concat", each, [f"Y_{state}"], axis=0))
            outputs.append(value_of(f"Y_{state}", dtype, (rows, "B", top.m)))
        else:
            own = zip(each, layers, strict=True)
            outputs += [value_of(name, dtype, (layer.directions, "B", layer.m)) for name, layer in own]
    return model_with(nodes, "layers", inputs, outputs, list(initialisers(kept)))


def _weights(layer: Stacked) -> dict[str, tuple[int | str, ...]]:
    of = shapes(layer.operator, layer.n, layer.m)
    return {name: of[name] for name in input_names(layer.operator) if name in _WEIGHTS}


def _nodes(layer: Stacked, below: str, result: str) -> Iterator[Any]:
    """Yield the node of a layer, and those that put its directions beside each other: (T, D, B, m) as (T, B, D·m)."""
    own, key = layer.operator, layer.key
    names = [below if name == "X" else name and key + name for name in input_names(own)]
    outputs = [f"{key}Y", *(f"{key}Y_{state}" for state in own.states)]
    yield _node(own.kind, names, outputs, name=key.rstrip("."), hidden_size=layer.m, **own.attributes())
    yield _node("Transpose", [f"{key}Y"], [f"{key}Y_by_row"], perm=[0, 2, 1, 3])
    yield _node("Reshape", [f"{key}Y_by_row", "rows"], [result])


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, outputs, **attributes)
