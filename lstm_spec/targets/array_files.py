"""Files of arrays by name in the formats in which weights are saved, by the ending of the file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from lstm_spec.targets.keras_files import read_keras, write_keras
from lstm_spec.targets.numpy_files import read_npz, write_npz
from lstm_spec.targets.reading import FileError
from lstm_spec.targets.safetensors_files import read_safetensors, write_safetensors
from lstm_spec.targets.torch_files import read_torch, write_torch

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Format:
    """A format of files: how arrays are read and written by name."""

    read: Callable[[str | Path], Arrays]
    write: Callable[[str | Path, Arrays], None]


_TORCH, _KERAS = Format(read_torch, write_torch), Format(read_keras, write_keras)

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        ".npz": Format(read_npz, write_npz),
        ".safetensors": Format(read_safetensors, write_safetensors),
        ".pt": _TORCH,
        ".pth": _TORCH,
        ".h5": _KERAS,
        ".keras": _KERAS,
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
    ending = Path(path).suffix
    if ending not in FORMATS:
        raise FileError(f"{path} has no ending that tells what it is; expected {', '.join(FORMATS)} or .onnx")
    FORMATS[ending].write(path, arrays)
