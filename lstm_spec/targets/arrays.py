"""Whose arrays a target takes: NumPy's, PyTorch's or JAX's, converted at the border and nowhere else."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = ("numpy", "torch", "jax")


def from_numpy(array: NDArray[Any], kind: str) -> Any:
    """Return an array as the library ``kind`` has it; a NumPy array stays itself."""
    if kind == "numpy":
        return array
    if kind == "torch":
        import torch

        return torch.from_numpy(array)
    import jax.numpy as jnp

    return jnp.asarray(array)


def to_numpy(value: Any, kind: str) -> NDArray[Any]:
    """Return a NumPy array of what a target returned; raises TypeError or ValueError where it is no array."""
    if kind == "torch" and hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError(f"{type(value).__name__} holds no numbers")
    return array
