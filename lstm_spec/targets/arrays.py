"""Whose arrays a target takes: NumPy's, PyTorch's or JAX's, converted at the border and nowhere else."""

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.compute.formats import STORED, dtype_of

ARRAYS: Mapping[str, str] = MappingProxyType(
    {"numpy": "a NumPy array", "torch": "a torch.Tensor", "jax": "a jax.Array"}
)
"""The kinds of arrays that a target may take, each with what one of them is called."""


def from_numpy(array: NDArray[Any], kind: str) -> Any:
    """Return an array as the library ``kind`` has it; a NumPy array stays itself."""
    if kind == "numpy":
        return array
    if kind == "torch":
        import torch

        # The two know nothing of each other's bfloat16, but have its bits in common.
        bits = array.dtype.name == STORED
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16) if bits else torch.from_numpy(array)
    import jax.numpy as jnp

    return jnp.asarray(array)


def is_array(value: Any, kind: str) -> bool:
    """Tell whether a value is an array of the library ``kind``; one that is not imported has made none."""
    if kind == "numpy":
        return isinstance(value, np.ndarray | np.generic)
    library = sys.modules.get(kind)
    return library is not None and isinstance(value, library.Tensor if kind == "torch" else library.Array)


def to_numpy(value: Any, kind: str) -> NDArray[Any]:
    """Return a NumPy array of what a target returned; raises where the library cannot."""
    if kind != "torch":
        return np.asarray(value)
    import torch

    tensor = value.detach().cpu()
    bits = tensor.dtype == torch.bfloat16
    return tensor.view(torch.int16).numpy().view(dtype_of(STORED)) if bits else np.asarray(tensor)


def has_float64(kind: str) -> bool:
    """Tell whether the library ``kind`` has float64 arrays; JAX makes float32 of them unless it is told not to."""
    return kind != "jax" or bool(sys.modules["jax"].config.jax_enable_x64)
