"""A whole model of Keras, of the layers whose weights somebody has: made by Keras itself, and saved as it saves one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.targets.keras_files import WEIGHTS, layer_of
from lstm_spec.targets.modules import failing_as, required
from lstm_spec.targets.reading import FileError

Array = NDArray[Any]

DTYPES = ("float16", "float32", "float64")
"""The formats in which a model keeps its numbers."""


def write_model(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Write a model of the layers of some weights alone, each of which returns its whole sequence.

    arrays: by Keras's names, of several layers after l0. or l0r., …. Raises FileError for numbers that Keras does not
    keep, TargetError without Keras.
    """
    keras = keras_for(path)
    found: dict[str, dict[str, dict[str, Array]]] = {}
    for name, array in arrays.items():
        key, reverse, weight = layer_of(name)
        found.setdefault(key, {}).setdefault(reverse, {})[weight] = array
    given = [[a for own in directions.values() for a in _in_order(own)] for directions in found.values()]
    with failing_as(f"{path} cannot be made by Keras: "):
        layers = [_layer(keras, directions) for directions in found.values()]
        model = keras.Sequential([keras.Input((None, given[0][0].shape[0])), *layers])
        for layer, own in zip(layers, given, strict=True):
            # The two biases of a GRU are the rows of one array there.
            shapes = [held.shape for held in layer.get_weights()]
            layer.set_weights([a.reshape(shape) for a, shape in zip(own, shapes, strict=True)])
    kept = [held for layer in layers for held in layer.get_weights()]
    for array, held in zip((a for own in given for a in own), kept, strict=True):
        if array.dtype != held.dtype or array.tobytes() != np.ascontiguousarray(held).tobytes():
            where = f"Keras on {keras.backend.backend()} does not keep {array.dtype}"
            raise FileError(f"{path}: {where}; set KERAS_BACKEND to another, or write .npz")
    model.save(path)


def keras_for(path: str | Path) -> Any:
    """Return Keras, for a file that only it can write; raises TargetError without it."""
    return required("keras", "Keras", "keras", who=str(path))


def check_model(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Raise FileError for weights that no model keeps, TargetError without Keras."""
    keras_for(path)
    for name, array in arrays.items():
        if str(array.dtype) not in DTYPES:
            raise FileError(f"{path} keeps numbers of {', '.join(DTYPES)}, and {name} is {array.dtype}; write .npz")


def _layer(keras: Any, directions: Mapping[str, Mapping[str, Array]]) -> Any:
    """Return the layer of one or both directions, without its weights."""
    first = next(iter(directions.values()))
    m, width = first["recurrent_kernel"].shape
    kind = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}[width // m]
    given: dict[str, Any] = {"use_bias": "bias" in first, "dtype": str(first["kernel"].dtype)}
    # The usual one cannot draw in half precision everywhere, and what it draws is written over.
    given["recurrent_initializer"] = "zeros"
    if kind == "GRU":
        given["reset_after"] = "bias" not in first or first["bias"].size == 2 * width
    layer = getattr(keras.layers, kind)(m, return_sequences=True, **given)
    return keras.layers.Bidirectional(layer, dtype=given["dtype"]) if len(directions) == 2 else layer


def _in_order(weights: Mapping[str, Array]) -> list[Array]:
    return [weights[name] for name in WEIGHTS if name in weights]
