"""Arrays in files as NumPy writes them, ``.npy`` and ``.npz``; nothing in them is run."""

import io
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from lstm_spec.targets.reading import FileError, existing, members, reading

Array = NDArray[Any]

HEADER = 2**16
"""In how many bytes from its beginning an array has its header."""

KIND = "file of arrays as NumPy writes it"


def read_npy(path: str | Path) -> Array:
    """Return the array in a ``.npy`` file; raises FileError."""
    place = existing(path)
    with reading(path, f"{KIND} with numpy.save"), place.open("rb") as file:
        if file.read(2) == b"PK":
            raise FileError(f"{path} holds several arrays; expected a single one, as numpy.save writes it")
        file.seek(0)
        return _array(file, place.stat().st_size, str(path))


def read_npz(path: str | Path) -> dict[str, Array]:
    """Return the arrays in a ``.npz`` file by name; raises FileError."""
    place = existing(path)
    with reading(path, f"{KIND} with numpy.savez"):
        with place.open("rb") as file:
            if file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX:
                wanted = "expected several with names, as numpy.savez(path, **arrays) writes"
                raise FileError(f"{path} holds a single array; {wanted}")
        with zipfile.ZipFile(place) as archive:
            return {m.filename.removesuffix(".npy"): _member(archive, m, path) for m in members(archive, path)}


def write_npz(path: str | Path, arrays: dict[str, Array]) -> None:
    """Write arrays by name as a ``.npz`` file; raises FileError for a format that NumPy's files do not have."""
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise FileError(f"{path} cannot hold {name}: NumPy's files have no {array.dtype}; write .safetensors")
    np.savez(path, **arrays)  # type: ignore[arg-type]


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str | Path) -> Array:
    with archive.open(member) as stream:
        return _array(stream, member.file_size, f"{path}: {member.filename.removesuffix('.npy')}")


def _array(stream: IO[bytes], size: int, where: str) -> Array:
    """Read one array; size: how many bytes the stream has, its header too."""
    # Out of memory, since reading a file takes as much of it at once as a header says of its own length.
    head = io.BytesIO(stream.read(min(size, HEADER)))
    read = npy.read_array_header_1_0 if npy.read_magic(head) == (1, 0) else npy.read_array_header_2_0
    shape, by_columns, dtype = read(head)
    if dtype.hasobject:
        raise FileError(f"{where} holds objects of Python, which could run code and are not read; expected numbers")
    if dtype.kind not in "fiu":
        raise FileError(f"{where} holds {dtype}; expected numbers")
    wanted, left = math.prod(shape) * dtype.itemsize, size - head.tell()
    if min(shape, default=1) < 1:
        raise FileError(f"{where} has the shape {shape}; expected positive numbers")
    if wanted > left:
        raise FileError(f"{where} claims {wanted:,} bytes for its shape {shape} and has {max(left, 0):,}")
    begun = head.read(wanted)
    data = np.frombuffer(begun + stream.read(wanted - len(begun)), dtype)
    return data.reshape(shape, order="F" if by_columns else "C").astype(dtype.newbyteorder("="))
