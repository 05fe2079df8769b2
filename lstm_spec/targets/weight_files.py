"""Weights into files: arrays by name in the usual formats, and models of ONNX."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstm_spec.spec.layer import Layer
from lstm_spec.spec.network import network_of
from lstm_spec.spec.onnx import OF_LAYERS, Operator
from lstm_spec.targets.array_files import check_arrays, write_arrays
from lstm_spec.targets.convert import Converted
from lstm_spec.targets.given_weights import MODEL
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.modules import required
from lstm_spec.targets.onnx_model import single_node
from lstm_spec.targets.onnx_stack import stacked
from lstm_spec.targets.reading import FileError


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
