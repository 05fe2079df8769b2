"""Models of a single node, for any attributes of the recurrent operators."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.spec.onnx import INPUTS, Operator

Array = NDArray[Any]

OPSET = 22
"""The version of the operators since which they are as they are."""

IR = 10
"""The version of the file format that came with it."""

GATES: Mapping[str, int] = MappingProxyType({"LSTM": 4, "GRU": 3, "RNN": 1})
"""How many gates the matrices of an operator have room for."""


def input_names(operator: Operator) -> tuple[str, ...]:
    """Return the inputs of a node in order, empty where one is left out before another."""
    known = [name for name in INPUTS if operator.kind == "LSTM" or name not in ("initial_c", "P")]
    names = ["X", "W", "R", *(name if name in operator.inputs else "" for name in known)]
    while not names[-1]:
        names.pop()
    return tuple(names)


def shapes(operator: Operator, n: int, m: int) -> dict[str, tuple[int | str, ...]]:
    """Return the shapes of all inputs and outputs, T steps and B rows being open."""
    d, gates = len(operator.keys), GATES[operator.kind]
    state: tuple[int | str, ...] = ("B", d, m) if operator.layout else (d, "B", m)
    return {
        "X": ("B", "T", n) if operator.layout else ("T", "B", n),
        "W": (d, gates * m, n),
        "R": (d, gates * m, m),
        "B": (d, 2 * gates * m),
        "sequence_lens": ("B",),
        "initial_h": state,
        "initial_c": state,
        "P": (d, 3 * m),
        "Y": ("B", "T", d, m) if operator.layout else ("T", d, "B", m),
        "Y_h": state,
        "Y_c": state,
    }


def single_node(
    operator: Operator, n: int, m: int, dtype: str, constants: Mapping[str, Array] = MappingProxyType({})
) -> bytes:
    """Return a model with one node of the operator.

    n, m: the input and the hidden size; dtype: the format of all numbers; constants: inputs that are in the model as
    initialisers, by name. The other inputs are those of the model, X, W, R, B, …; its outputs are Y, Y_h and Y_c.
    """
    from onnx import helper

    names, outputs = input_names(operator), ("Y", *(f"Y_{s}" for s in operator.states))
    size = {"hidden_size": m} if operator.hidden_size else {}
    node = helper.make_node(operator.kind, names, outputs, **operator.attributes(), **size)
    of = shapes(operator, n, m)
    inputs = [value_of(name, dtype, of[name]) for name in names if name and name not in constants]
    returned = [value_of(name, dtype, of[name]) for name in outputs]
    return model_with([node], "one_node", inputs, returned, list(initialisers(constants)))


def model_with(
    nodes: Sequence[Any], name: str, inputs: Sequence[Any], outputs: Sequence[Any], constants: Sequence[Any]
) -> bytes:
    """Return a model of some nodes, with a name, in the versions that are written here."""
    from onnx import helper

    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    return bytes(model.SerializeToString())


def value_of(name: str, dtype: str, shape: tuple[int | str, ...]) -> Any:
    """Return an input or output of a graph."""
    from onnx import helper

    kind = np.dtype("int32" if name == "sequence_lens" else dtype)
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(kind), shape)


def initialisers(constants: Mapping[str, Array]) -> Iterator[Any]:
    """Yield arrays by name as a graph holds them."""
    from onnx import numpy_helper

    for name, array in constants.items():
        yield numpy_helper.from_array(array, name)
