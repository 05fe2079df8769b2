"""Arrays in files of the format safetensors, whose reader holds every claim against the file's own size."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.targets.modules import required
from lstm_spec.targets.reading import existing, reading

Array = NDArray[Any]

KIND = "file of the format safetensors"


def read_safetensors(path: str | Path) -> dict[str, Array]:
    """Return the arrays of a file by name; raises FileError, TargetError without the package."""
    package, place = _package(path), existing(path)
    with reading(path, KIND), package.safe_open(place, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def write_safetensors(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name; raises TargetError without the package."""
    _package(path)
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, path, metadata={"format": "np"})


def _package(path: str | Path) -> Any:
    return required("safetensors", "the package safetensors", "safetensors", who=str(path))
