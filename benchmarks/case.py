"""What every peer is given, and the form in which it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_spec.compute.layer import numpy_layer

Array = np.ndarray[Any, Any]


class NotRunError(Exception):
    """Why a peer cannot take part in a case."""


@dataclass(frozen=True)
class Case:
    T: int
    B: int
    n: int
    m: int
    dtype: type
    params: dict[str, Array]
    x: Array
    h0: Array
    c0: Array
    dy: Array
    dh: Array
    dc: Array

    def stacked(self, gates: str) -> tuple[Array, Array, Array]:
        """W_x (4m,n), W_h (4m,m) and b (4m,) with the gates in this order."""
        W = np.concatenate([self.params[f"W_{g}"] for g in gates])
        b = np.concatenate([self.params[f"b_{g}"] for g in gates])
        return W[:, : self.n].copy(), W[:, self.n :].copy(), b


@dataclass(frozen=True)
class Runs:
    """The two calls, the first giving y, the second (y, dx); None where a peer has no backward pass."""

    forward: Callable[[], Any] | None
    both: Callable[[], Any] | None = None


def make_case(T: int, B: int, n: int, m: int, dtype: type) -> Case:
    rng = np.random.default_rng(0)
    bound = 1 / np.sqrt(m)
    params = {
        name: rng.uniform(-bound, bound, shape).astype(dtype)
        for name, shape in numpy_layer().options.shapes(n, m).items()
    }
    normal = [rng.normal(size=s).astype(dtype) for s in ((T, B, n), (B, m), (B, m), (T, B, m))]
    # numpy-ml starts from zero states and has no cotangents of the final ones; so all do.
    zero = np.zeros((B, m), dtype)
    return Case(T, B, n, m, dtype, params, normal[0], zero, zero, normal[3], zero, zero)


def installed(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise NotRunError(f"not installed ({error})") from error
