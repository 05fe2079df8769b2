"""Numbers out of somebody's ONNX file, which may be cut short or claim what it does not hold.

Every size is compared with what there is before memory is taken, and nothing outside the model's own folder is read.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.targets.contract import TargetError

Array = NDArray[Any]

LARGEST = 2**31
"""The most bytes of a model's own file, by the format that it is written in; larger weights are beside it."""

_FLOATS = {"FLOAT": "float32", "DOUBLE": "float64", "FLOAT16": "float16"}


class TensorError(TargetError):
    """A tensor that does not hold what it says, or that may not be read."""


@dataclass(frozen=True)
class Tensors:
    """The constants that the nodes of a graph can read, by name: those of the graph and of those around it.

    folder: of the model, the only one from which external data are read.
    """

    folder: Path
    known: Mapping[str, Any]

    def dims(self, name: str) -> tuple[int, ...]:
        """Return the shape that a constant claims."""
        return tuple(int(d) for d in self.known[name].dims)

    def array(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return a constant of numbers, which has to have a shape.

        Raises TensorError for another shape or type, and for data that are missing, cut short or out of reach.
        """
        tensor = self.known[name]
        if self.dims(name) != shape:
            raise TensorError(f"{name} has the shape {self.dims(name)}; expected {shape}")
        dtype = np.dtype(self.dtype(name))
        data = self._bytes(tensor, math.prod(shape) * dtype.itemsize)
        if data is None:
            return self._listed(tensor, shape, dtype)
        array = np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
        return self._finite(name, array)

    def dtype(self, name: str) -> str:
        """Return the format of a constant; raises TensorError where it is none of floating point."""
        from onnx import TensorProto

        given = self.known[name].data_type
        kinds = dict(zip(TensorProto.DataType.values(), TensorProto.DataType.keys(), strict=True))
        if kinds.get(given) not in _FLOATS:
            raise TensorError(f"{name} holds {kinds.get(given, given)}; expected {', '.join(_FLOATS)}")
        return _FLOATS[str(kinds[given])]

    def _bytes(self, tensor: Any, wanted: int) -> bytes | None:
        """Return the bytes of a tensor; None where its numbers are listed one by one."""
        from onnx import TensorProto

        if tensor.data_location == TensorProto.EXTERNAL:
            return self._external(tensor, wanted)
        if not tensor.HasField("raw_data"):
            return None
        if len(tensor.raw_data) != wanted:
            raise TensorError(f"{tensor.name} holds {len(tensor.raw_data):,} bytes; its shape takes {wanted:,}")
        return bytes(tensor.raw_data)

    def _listed(self, tensor: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        field = {"float32": "float_data", "float64": "double_data", "float16": "int32_data"}[str(dtype)]
        numbers = getattr(tensor, field)
        if len(numbers) != math.prod(shape):
            raise TensorError(f"{tensor.name} holds {len(numbers):,} numbers; its shape takes {math.prod(shape):,}")
        # Half precision is listed as the bits of its numbers.
        array = np.array(numbers, np.uint16).view(dtype) if field == "int32_data" else np.array(numbers, dtype)
        return self._finite(tensor.name, array.reshape(shape))

    def _external(self, tensor: Any, wanted: int) -> bytes:
        said = {entry.key: entry.value for entry in tensor.external_data}
        place = said.get("location", "")
        path = (self.folder / place).resolve()
        if not place or not path.is_relative_to(self.folder.resolve()):
            raise TensorError(f"{tensor.name} is in {place or 'no file'}, outside the folder of the model")
        try:
            offset, length = int(said.get("offset", 0)), int(said.get("length", wanted))
        except ValueError:
            raise TensorError(f"{tensor.name} has no number as its offset or length in {place}") from None
        if not path.is_file():
            raise TensorError(f"{tensor.name} is in {place}, which is not there")
        if length != wanted:
            raise TensorError(f"{tensor.name} takes {length:,} bytes of {place}; its shape takes {wanted:,}")
        if offset < 0 or offset + length > path.stat().st_size:
            raise TensorError(f"{tensor.name} ends beyond {place}, which has {path.stat().st_size:,} bytes")
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def _finite(self, name: str, array: Array) -> Array:
        if not np.isfinite(array).all():
            raise TensorError(f"{name} holds NaN or infinity")
        return array


def read_model(path: Path) -> Any:
    """Return the model in a file, its external data left where they are; raises TargetError in one sentence."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    if not path.is_file():
        raise TargetError(f"there is no file {path}")
    if path.stat().st_size > LARGEST:
        raise TargetError(f"{path} has {path.stat().st_size:,} bytes; a model has at most {LARGEST:,}")
    model = ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except OSError as error:
        raise TargetError(f"{path} cannot be read: {error.strerror}") from None
    except DecodeError:
        raise TargetError(f"{path} is no ONNX model, or it is cut short") from None
    return model
