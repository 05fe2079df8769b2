"""Floating-point formats as NumPy has them, and how to compute in one that it only stores."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import AccuracyError

STORED = "bfloat16"
"""The format that NumPy can hold, with a package that adds it, but whose products and mixed sums are float32."""


def dtype_of(name: str) -> np.dtype[Any]:
    """Return a format by its name; raises AccuracyError where bfloat16 needs a package that is not installed.

    >>> dtype_of("float16").itemsize
    2
    """
    if name == STORED:
        try:
            import ml_dtypes  # noqa: F401  (importing it makes the format known to NumPy)
        except ImportError as error:
            raise AccuracyError(
                "bfloat16 is no format of NumPy's own; install ml_dtypes with: pip install 'lstm_spec[bfloat16]'"
            ) from error
    return np.dtype(name)


def widened(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of arrays that computes in float32 what is given in bfloat16, and rounds what it returns.

    function: takes arrays or dicts of them, and returns a tuple of the same; other formats are left as they are, and so
    are keywords.
    """

    def wide(*arguments: Any, **keywords: Any) -> Any:
        given = next((a.dtype for a in arguments if isinstance(a, np.ndarray)), None)
        if given is None or given.name != STORED:
            return function(*arguments, **keywords)
        wider = (in_format(a, np.float32) for a in arguments)
        return tuple(in_format(a, given) for a in function(*wider, **keywords))

    return wide


def in_format(value: Any, dtype: Any) -> Any:
    """Return an array, or a dict of them, in a format."""
    if isinstance(value, Mapping):
        return {name: in_format(a, dtype) for name, a in value.items()}
    return np.asarray(value, dtype)
