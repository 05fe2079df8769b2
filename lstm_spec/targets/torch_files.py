"""Arrays in files as PyTorch saves them: tensors alone, and no byte of memory that the file does not have."""

import pickle
import warnings
import zipfile
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from packaging.version import Version

from lstm_spec.targets.arrays import from_numpy, to_numpy
from lstm_spec.targets.modules import required
from lstm_spec.targets.reading import FileError, existing, members, reading

Array = NDArray[Any]

SAFE = "2.6"
"""The version of PyTorch from which on reading with weights_only keeps its promise (CVE-2025-32434)."""

KIND = "state_dict as torch.save writes it"


def read_torch(path: str | Path) -> dict[str, Array]:
    """Return the tensors of a file by name, those of inner dictionaries with the names around them and a dot before.

    Raises FileError, TargetError without PyTorch. Of a pickle nothing is made but tensors, numbers and containers.
    """
    torch, place = required("torch", "PyTorch", "torch", who=str(path)), existing(path)
    with reading(path, KIND), warnings.catch_warnings():
        # What PyTorch has to say of its own older ways is nobody's business here.
        warnings.simplefilter("ignore")
        _check(torch, place)
        found = _loaded(torch, place)
        arrays = {name: to_numpy(t, "torch") for name, t in _tensors(torch, found) if _is_plain(torch, t, place)}
    if not arrays:
        raise FileError(f"{path} holds no tensors by name; expected a {KIND} of a module's state_dict()")
    return arrays


def check_torch(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Raise TargetError without PyTorch; there is a place for all arrays."""
    required("torch", "PyTorch", "torch", who=str(path))


def write_torch(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays as a state_dict; raises TargetError without PyTorch."""
    torch = required("torch", "PyTorch", "torch", who=str(path))
    torch.save({name: from_numpy(np.ascontiguousarray(a), "torch") for name, a in arrays.items()}, path)


def _loaded(torch: Any, place: Path) -> Any:
    try:
        # Memory-mapped, a tensor can claim no more than the file has; read as usual it can.
        return torch.load(place, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        if "unsupported global" not in str(error).lower():
            raise
        what = "holds objects of Python beside tensors, which could run code and are not read"
        raise FileError(f"{place} {what}; save the state_dict() of the module alone") from None


def _check(torch: Any, place: Path) -> None:
    """Refuse what is not read safely, or what PyTorch itself never writes: members that may grow to any size."""
    if Version(str(torch.__version__)) < Version(SAFE):
        raise FileError(f"{place} is read by PyTorch {SAFE} or newer, before which tensors alone were not safe to read")
    if not zipfile.is_zipfile(place):
        what = f"{place} is no {KIND} since PyTorch 1.6, or it is cut short"
        raise FileError(f"{what}; an older one can be loaded where you trust it, and saved again")
    with zipfile.ZipFile(place) as archive:
        every = members(archive, place)
        if any(m.filename.endswith("/constants.pkl") for m in every):
            raise FileError(f"{place} is a module of TorchScript, whose code is not loaded; save its state_dict()")
        if any(m.compress_type != zipfile.ZIP_STORED or m.file_size != m.compress_size for m in every):
            raise FileError(f"{place} is compressed, which torch.save never does; it is not read")


def _tensors(torch: Any, found: Any) -> Iterator[tuple[str, Any]]:
    """Yield tensors by name; a container that is in several places, or in itself, is entered once."""
    seen, left = set(), deque([("", found)])
    while left:
        name, value = left.popleft()
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
