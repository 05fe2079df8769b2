"""Weights out of files and into files: arrays by name in the usual formats, and models of ONNX."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lstm_spec.spec.layer import Layer
from lstm_spec.spec.network import network_of
from lstm_spec.spec.onnx import OF_LAYERS, Operator, readings
from lstm_spec.targets.array_files import check_arrays, read_arrays, write_arrays
from lstm_spec.targets.convert import Converted, convert_arrays
from lstm_spec.targets.equivalents import ConvertError
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.modules import required
from lstm_spec.targets.onnx import layout_of
from lstm_spec.targets.onnx_file import Saved, saved_nodes
from lstm_spec.targets.onnx_model import single_node
from lstm_spec.targets.onnx_stack import stacked
from lstm_spec.targets.reading import FileError
from lstm_spec.targets.weights import Spec

MODEL = ".onnx"


def convert(
    given: str | Path | Mapping[str, Any],
    *,
    target: str | Layout,
    source: str | Layout | None = None,
    spec: Spec | None = None,
    prefix: str | None = None,
    target_prefix: str = "",
    sizes: Mapping[str, int] | None = None,
) -> Converted:
    """Return the weights of one library as another one holds them.

    given: arrays by the names that they were saved under, or a file of them: .npz, .safetensors, PyTorch's .pt and
    .pth, Keras's .weights.h5 and .keras; or a model of ONNX, which says itself what it is, and of whose recurrent nodes
    ``prefix`` names one. The rest as for ``convert_arrays``.

    Raises ConvertError or LayoutError in one sentence for arrays that are no such weights and where the other library
    has no place for them, FileError for a file that cannot be read, TargetError where a package is missing.

    >>> import numpy as np
    >>> mlx = {"Wx": np.eye(8, 3), "Wh": np.eye(8, 2), "bias": np.ones(8)}
    >>> {name: array.shape for name, array in convert(mlx, source="mlx", target="haiku").arrays.items()}
    {'lstm/linear/w': (5, 8), 'lstm/linear/b': (8,)}
    """
    asked: dict[str, Any] = {"target": target, "target_prefix": target_prefix, "sizes": sizes}
    if isinstance(given, Mapping):
        return convert_arrays(given, source=source, spec=spec, prefix=prefix, **asked)
    try:
        return _convert_file(given, source=source, spec=spec, prefix=prefix, **asked)
    except ConvertError as error:
        raise ConvertError(f"{given}: {error}") from None


def _convert_file(
    path: str | Path, *, source: str | Layout | None, spec: Spec | None, prefix: str | None, **asked: Any
) -> Converted:
    if Path(path).suffix != MODEL:
        return convert_arrays(read_arrays(path), source=source, spec=spec, prefix=prefix, **asked)
    if (source is not None and not str(source).startswith("onnx")) or spec is not None:
        raise FileError(f"{path} is a model, whose nodes say what they are: leave out from what it is converted")
    node = _node(path, prefix)
    own = _operator(node.operator)
    return convert_arrays(
        node.weights, source=layout_of(own, readings()["coupling"]), spec=own.spec(), prefix="", **asked
    )


def save_weights(path: str | Path, found: Converted) -> None:
    """Write converted weights into a file; raises FileError where it is not of a format that has a place for them."""
    if Path(path).suffix != MODEL:
        write_arrays(path, found.arrays)
        return
    Path(path).write_bytes(model_of(path, found))


def check_weights(path: str | Path, found: Converted) -> None:
    """Raise FileError where a file of this ending has no place for converted weights, TargetError for a package."""
    if Path(path).suffix == MODEL:
        model_of(path, found)
    else:
        check_arrays(path, found.arrays)


def model_of(path: str | Path, found: Converted) -> bytes:
    """Return weights in a layout of ONNX as a model of a node for each layer; raises FileError for what none can hold.

    Initial states are zero in it.
    """
    layout, network = found.target.layout, network_of(found.target.spec)
    if not layout.name.startswith("onnx"):
        raise FileError(f"{path} is a model of ONNX; convert to onnx, or give the file another ending")
    for layer in network.layers:
        if layer.residual or layer.merge != "concatenate" or layer.direction not in OF_LAYERS:
            raise FileError(
                f"{path} holds layers that feed each other, with nothing added, merged or turned; write .npz"
            )
    required("onnx", "ONNX", "onnx", who=str(path))
    arrays, count = found.target.arrays, len(network.layers)
    keys = [f"l{k}." for k in range(count)] if count > 1 else [""]
    operators = [_operator_of(layout, layer, arrays, key) for layer, key in zip(network.layers, keys, strict=True)]
    sizes = [(arrays[f"{key}W"].shape[2], arrays[f"{key}R"].shape[2]) for key in keys]
    dtype = str(arrays[f"{keys[0]}W"].dtype)
    if count > 1:
        return stacked(operators, sizes, dtype, arrays)
    return single_node(operators[0], *sizes[0], dtype, arrays)


def _operator_of(layout: Layout, layer: Layer, arrays: Mapping[str, Any], key: str) -> Operator:
    return Operator(
        kind={"onnx": "LSTM", "onnx_gru": "GRU", "onnx_rnn": "RNN"}[layout.name],  # type: ignore[arg-type]
        direction=OF_LAYERS[layer.direction],
        linear_before_reset=int(layer.cell.name == "gru_reset_after"),
        inputs=frozenset(name for name in ("B", "P") if key + name in arrays),
    )


def _node(path: str | Path, name: str | None) -> Saved:
    """Return the recurrent node of a model that has a name, or its only one."""
    every = saved_nodes(path)
    found = [node for node in every if name is None or node.name == name]
    if len(found) != 1:
        known = ", ".join(node.name for node in every)
        raise FileError(f"{path} has the recurrent nodes {known}; name one of them by the prefix")
    if found[0].reason:
        raise FileError(f"{path}, {found[0].name}: {found[0].reason}")
    return found[0]


def _operator(operator: Operator) -> Operator:
    """Return an operator as what has weights: given initial states, and without lengths and axes of its own."""
    states = {f"initial_{name}" for name in operator.states}
    return replace(operator, inputs=frozenset(({"B", "P"} & operator.inputs) | states), layout=0)
