"""Arrays from files that NumPy writes, refused in a sentence where they are none."""

from pathlib import Path

import numpy as np

from lstm_spec.verify.cases import Array
from lstm_spec.verify.record import RecordError


def read_array(path: str) -> Array:
    """Return the array in a .npy file; raises RecordError."""
    found = _loaded(path, "numpy.save")
    if not isinstance(found, np.ndarray):
        raise RecordError(f"{path} holds several arrays; expected a single one, as numpy.save writes it")
    return found


def read_arrays(path: str) -> dict[str, Array]:
    """Return the arrays in a .npz file by name; raises RecordError.

    Of a file written by ``torch.save`` or in another format it says how to make one.
    """
    found = _loaded(path, "numpy.savez")
    if isinstance(found, np.ndarray):
        raise RecordError(
            f"{path} holds a single array; expected several with names, as numpy.savez(path, **arrays) writes"
        )
    with found:
        return {name: found[name] for name in found.files}


def _loaded(path: str, writer: str) -> Array | np.lib.npyio.NpzFile:
    remedy = f"write it with {writer}"
    if Path(path).suffix in (".pt", ".pth", ".safetensors", ".h5", ".keras"):
        remedy = "write what is in it with numpy.savez(path, **{name: numpy.asarray(a) for name, a in weights.items()})"
    try:
        return np.load(path, allow_pickle=False)
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or 'it is no file of NumPy'}; {remedy}") from None
    except (ValueError, EOFError):
        raise RecordError(f"{path} holds no arrays of numbers as NumPy saves them; {remedy}") from None
