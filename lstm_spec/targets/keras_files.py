"""Arrays in files as Keras saves them, ``.weights.h5`` and ``.keras``: datasets are read, and nothing else of them.

Keras numbers the layers of a class, lstm, lstm_1, …, and the weights of a cell. Here layers of a class that are beside
each other are l0, l1, …, both directions of one l0 and l0r, and weights go by their names: layers/lstm/cell/vars/0 is
layers/lstm/kernel, and with a second layer layers/lstm/l0.kernel.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.targets.modules import required
from lstm_spec.targets.reading import FileError, check_claim, existing, members, reading

Array = NDArray[Any]

KIND = "file of weights as Keras writes it"
WEIGHTS = ("kernel", "recurrent_kernel", "bias")
"""The weights of a cell in the order in which Keras numbers them."""

DIRECTIONS = {"forward_layer/": "", "backward_layer/": "r"}
_LAYER = re.compile(
    r"(?P<before>(?:.*?/)?)(?P<cls>[a-z]\w*?)(?:_(?P<index>\d+))?/"
    r"(?P<direction>(?:(?:for|back)ward_layer/)?)cell/vars/(?P<weight>[012])"
)
_NAME = re.compile(r"(?:l(?P<index>\d+)(?P<reverse>r?)\.)?(?P<weight>kernel|recurrent_kernel|bias)")


def read_keras(path: str | Path) -> dict[str, Array]:
    """Return the arrays of a file of HDF5, by their places in it or as Keras's weights; raises FileError.

    Raises TargetError without h5py.
    """
    h5py, place = _package(path), existing(path)
    with reading(path, KIND):
        source: Any = place
        if zipfile.is_zipfile(place):
            with zipfile.ZipFile(place) as archive:
                (weights,) = (m for m in members(archive, path) if m.filename == "model.weights.h5")
                source = io.BytesIO(archive.read(weights))
        with h5py.File(source, "r") as file:
            datasets = dict(_datasets(h5py, file))
            check_claim(path, sum(d.nbytes for d in datasets.values()), place.stat().st_size)
            return _named({name: _array(d, f"{path}: {name}") for name, d in datasets.items()})


def check_keras(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Raise FileError for what no file of Keras's weights can hold, TargetError without h5py."""
    if wrong := [name for name in arrays if not _NAME.fullmatch(name)]:
        raise FileError(
            f"{path} is a file of Keras, which has no place for {wrong[0]}; convert to keras, or write .npz"
        )
    _package(path)


def write_keras(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Write weights as ``Model.load_weights`` takes them for a model of these layers alone.

    Raises FileError, and TargetError without h5py.
    """
    check_keras(path, arrays)
    with _package(path).File(path, "w") as file:
        for place, array in _placed(arrays):
            file[place] = array


def layer_of(name: str) -> tuple[str, str, str]:
    """Return of the name of a weight what layer it is of, "r" where that runs in reverse, and which weight it is.

    >>> layer_of("l1r.kernel")
    ('1', 'r', 'kernel')
    """
    parts = _parts(name)
    return parts["index"] or "0", parts["reverse"] or "", parts["weight"]


def _datasets(h5py: Any, file: Any) -> Iterator[tuple[str, Any]]:
    """Yield every dataset once, with its place; links, which may lead to other files, are not followed."""
    found: list[tuple[str, Any]] = []
    file.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    for name, dataset in found:
        if dataset.external or dataset.is_virtual:
            raise FileError(f"{file.filename}: {name} is in another file, which is not read")
        if dataset.dtype.kind in "fiu" and dataset.size:
            yield name, dataset


def _array(dataset: Any, where: str) -> Array:
    stored = dataset.id.get_storage_size()
    if dataset.chunks is None and stored != dataset.nbytes:
        raise FileError(f"{where} claims {dataset.nbytes:,} bytes for its shape {dataset.shape} and has {stored:,}")
    return np.asarray(dataset[()])


def _named(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return weights of Keras by their names, others as they are."""
    found = {name: _LAYER.fullmatch(name) for name in arrays}
    layers: dict[str, list[int]] = {}
    for match in filter(None, found.values()):
        layers.setdefault(match["before"] + match["cls"], []).append(int(match["index"] or 0))
    return {_own_name(name, match, layers): _flat(match, arrays[name]) for name, match in found.items()}


def _own_name(name: str, match: "re.Match[str] | None", layers: Mapping[str, list[int]]) -> str:
    if match is None:
        return name
    place = match["before"] + match["cls"]
    every = sorted(set(layers[place]))
    key = f"l{every.index(int(match['index'] or 0))}{DIRECTIONS.get(match['direction'], '')}."
    return f"{place}/{key if len(every) > 1 or match['direction'] else ''}{WEIGHTS[int(match['weight'])]}"


def _flat(match: "re.Match[str] | None", array: Array) -> Array:
    """Return the two biases of a GRU, which are the rows of one array, as one vector."""
    return array.ravel() if match and match["weight"] == "2" else array


def _placed(arrays: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    both = any(_parts(name)["reverse"] for name in arrays)
    for name, array in arrays.items():
        parts = _parts(name)
        key = name.removesuffix(parts["weight"])
        height, width = arrays[f"{key}recurrent_kernel"].shape
        cls = {4: "lstm", 3: "gru", 1: "simple_rnn"}[width // height]
        index = int(parts["index"] or 0)
        layer = f"{'bidirectional' if both else cls}{f'_{index}' if index else ''}"
        direction = ("backward_layer/" if parts["reverse"] else "forward_layer/") if both else ""
        rows = array.reshape(2, -1) if array.ndim == 1 and array.size == 2 * width else array
        yield f"layers/{layer}/{direction}cell/vars/{WEIGHTS.index(parts['weight'])}", rows


def _parts(name: str) -> "re.Match[str]":
    match = _NAME.fullmatch(name)
    assert match is not None
    return match


def _package(path: str | Path) -> Any:
    return required("h5py", "the package h5py", "keras", who=str(path))
