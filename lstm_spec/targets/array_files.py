"""Files of arrays by name in the formats in which weights are saved, by the ending of the file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from lstm_spec.targets.keras_files import check_keras, read_keras, write_keras
from lstm_spec.targets.keras_model import check_model, write_model
from lstm_spec.targets.numpy_files import check_npz, read_npz, write_npz
from lstm_spec.targets.reading import FileError
from lstm_spec.targets.safetensors_files import check_safetensors, read_safetensors, write_safetensors
from lstm_spec.targets.torch_files import check_torch, read_torch, write_torch

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Format:
    """A format of files: how arrays are read and written by name, and what refuses those that it has no place for."""

    read: Callable[[str | Path], Arrays]
    write: Callable[[str | Path, Arrays], None]
    check: Callable[[str | Path, Arrays], None]


def _check_model(path: str | Path, arrays: Arrays) -> None:
    check_keras(path, arrays)
    check_model(path, arrays)


_TORCH = Format(read_torch, write_torch, check_torch)

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        ".npz": Format(read_npz, write_npz, check_npz),
        ".safetensors": Format(read_safetensors, write_safetensors, check_safetensors),
        ".pt": _TORCH,
        ".pth": _TORCH,
        ".h5": Format(read_keras, write_keras, check_keras),
        ".keras": Format(read_keras, write_model, _check_model),
    }
)
"""The formats by the ending of a file's name; ``.weights.h5`` ends in ``.h5`` too."""


LONGEST = 500
"""How many letters the name of an array may have."""


def read_arrays(path: str | Path) -> Arrays:
    """Return the arrays in a file by name; raises FileError, or TargetError where a package is missing.

    A file without an ending that is known is read as NumPy's, which says of itself what it is.
    """
    found = FORMATS.get(Path(path).suffix, FORMATS[".npz"]).read(path)
    if any(len(name) > LONGEST or not name.isprintable() for name in found):
        raise FileError(
            f"{path} holds an array whose name is no name: it cannot be printed, or has over {LONGEST} letters"
        )
    return found


def write_arrays(path: str | Path, arrays: Arrays) -> None:
    """Write arrays by name into a file; raises FileError, or TargetError where a package is missing."""
    _written_as(path).write(path, arrays)


def check_arrays(path: str | Path, arrays: Arrays) -> None:
    """Raise for arrays that could not be written into a file of this ending, as ``write_arrays`` does."""
    _written_as(path).check(path, arrays)


def _written_as(path: str | Path) -> Format:
    ending = Path(path).suffix
    if ending not in FORMATS:
        raise FileError(f"{path} has no ending that tells what it is; expected {', '.join(FORMATS)} or .onnx")
    return FORMATS[ending]
