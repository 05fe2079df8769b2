"""Arrays in files as PyTorch saves them: tensors alone, and no byte of memory that the file does not have."""

import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.targets.arrays import from_numpy, to_numpy
from lstm_spec.targets.modules import required
from lstm_spec.targets.reading import FileError, existing, reading

Array = NDArray[Any]

KIND = "state_dict as torch.save writes it"


def read_torch(path: str | Path) -> dict[str, Array]:
    """Return the tensors of a file by name, those of inner dictionaries with the names around them and a dot before.

    Raises FileError, TargetError without PyTorch. Of a pickle nothing is made but tensors, numbers and containers.
    """
    torch, place = required("torch", "PyTorch", "torch", who=str(path)), existing(path)
    with reading(path, KIND), warnings.catch_warnings():
        # What PyTorch has to say of its own older ways is nobody's business here.
        warnings.simplefilter("ignore")
        _check(place)
        # Memory-mapped, a tensor can claim no more than the file has; read as usual it can.
        found = torch.load(place, map_location="cpu", weights_only=True, mmap=True)
        arrays = {name: to_numpy(t, "torch") for name, t in _tensors(torch, found) if _is_plain(torch, t, place)}
    if not arrays:
        raise FileError(f"{path} holds no tensors by name; expected a {KIND} of a module's state_dict()")
    return arrays


def write_torch(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays as a state_dict; raises TargetError without PyTorch."""
    torch = required("torch", "PyTorch", "torch", who=str(path))
    torch.save({name: from_numpy(np.ascontiguousarray(a), "torch") for name, a in arrays.items()}, path)


def _check(place: Path) -> None:
    """Refuse what PyTorch itself never writes: members that are compressed, and so may be of any size."""
    if not zipfile.is_zipfile(place):
        raise FileError(f"{place} is no {KIND} since PyTorch 1.6; load it where you trust it, and save it again")
    with zipfile.ZipFile(place) as archive:
        if any(m.compress_type != zipfile.ZIP_STORED or m.file_size != m.compress_size for m in archive.infolist()):
            raise FileError(f"{place} is compressed, which torch.save never does; it is not read")


def _tensors(torch: Any, found: Any) -> Iterator[tuple[str, Any]]:
    """Yield tensors by name; a container that is in several places, or in itself, is entered once."""
    seen, left = set(), [("", found)]
    while left:
        name, value = left.pop(0)
        if isinstance(value, torch.Tensor):
            yield name.removesuffix("."), value
        elif isinstance(value, Mapping) and id(value) not in seen:
            seen.add(id(value))
            left += [(f"{name}{key}.", inner) for key, inner in value.items() if isinstance(key, str)]


def _is_plain(torch: Any, tensor: Any, place: Path) -> bool:
    """Tell whether a tensor is one of numbers with all of them in the file."""
    stored = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    numbers = tensor.is_floating_point() or tensor.dtype in (torch.int8, torch.uint8, torch.int32, torch.int64)
    if stored and tensor.numel() * tensor.element_size() > place.stat().st_size:
        raise FileError(f"{place} holds a tensor {tuple(tensor.shape)}, which is larger than the file")
    return bool(stored and numbers)
