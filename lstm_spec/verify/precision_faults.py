"""The faults of precision: something is computed, rounded or kept in a narrower format than the rest."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.spec.program import Program
from lstm_spec.verify.around import Named, Params, around, on_arguments, on_results, stepped, with_state
from lstm_spec.verify.hypotheses import Forward, Hypothesis

NARROWER: Mapping[str, int] = MappingProxyType({"float32": 0, "float16": 0, "bfloat16": 16, "TF32": 13})
"""Formats that are narrower than float64, with the bits of float32 that they lack, 0 where NumPy has them."""


def precision_faults(cell: Program) -> tuple[Hypothesis, ...]:
    """Return the ways in which an implementation of a cell may lose precision.

    >>> from lstm_spec.spec.cells import lstm
    >>> [f.sentence for f in precision_faults(lstm())][1]
    'the parameters are rounded to float32'
    """
    return around("precision", cell, _of_precision(cell))


def rounded_to(a: Array, name: str) -> Array:
    """Return numbers rounded to a format, to nearest, in their own dtype.

    >>> rounded_to(np.array([1 + 2**-8, 1 + 3 * 2**-8]), "bfloat16").tolist()
    [1.0, 1.015625]
    """
    with np.errstate(all="ignore"):
        if not (lost := NARROWER[name]):
            return a.astype(name).astype(a.dtype)
        bits = a.astype(np.float32).view(np.uint32)
        # To nearest, and to even where two are as near.
        bits = bits + np.uint32((1 << (lost - 1)) - 1) + (bits >> np.uint32(lost) & np.uint32(1))
        rounded = (bits & ~np.uint32((1 << lost) - 1)).view(np.float32)
        return np.where(np.isfinite(a), rounded, a).astype(a.dtype)


def _of_precision(cell: Program) -> Named:
    first = cell.states[0]
    for lower in NARROWER:
        if not NARROWER[lower]:
            inner = lambda f, d=lower: lambda p, x, *s: _cast(f(*_lowered(d, p, x, *s)), x.dtype)  # noqa: E731
            yield f"computed-in-{lower}", f"everything is computed in {lower}", inner
        weights = lambda p, x, *s, d=lower: (_rounded(p, d), x, *s)  # noqa: E731
        yield f"parameters-in-{lower}", f"the parameters are rounded to {lower}", on_arguments(weights)
        inputs = lambda p, x, *s, d=lower: (p, rounded_to(x, d), *s)  # noqa: E731
        yield f"x-in-{lower}", f"x is rounded to {lower}", on_arguments(inputs)
        for k, name in enumerate(cell.states):
            kept = lambda f, p, x, s, s0, t, k=k, d=lower: f(p, x, *with_state(s, k, rounded_to(s[k], d)))  # noqa: E731
            yield f"{name}-in-{lower}", f"{name} is kept in {lower} between the steps", stepped(kept)
        what = f"the factors of all products, kernels, x and {first}, are rounded to {lower}"
        yield f"products-in-{lower}", what, _products(lower)
    noisy = lambda y, *s: (y * (1 + 1e-5 * np.sin(1e4 * y).astype(y.dtype)), *s)  # noqa: E731
    yield "noise", "y is off by about 1e-5 of itself", on_results(noisy)


def _products(lower: str) -> Any:
    """Make a decorator in which kernels, x and the first state are rounded on their way into products."""

    def factors(params: Params, x: Array, *states: Array) -> tuple[Any, ...]:
        kernels = {n: rounded_to(p, lower) if p.ndim == 2 else p for n, p in params.items()}
        return kernels, rounded_to(x, lower), *states

    def read(f: Forward, p: Params, x: Array, s: tuple[Array, ...], s0: tuple[Array, ...], t: int) -> Any:
        return f(p, x, *with_state(s, 0, rounded_to(s[0], lower)))

    return lambda forward: on_arguments(factors)(stepped(read)(forward))


def _lowered(dtype: str, params: Params, *arrays: Array) -> tuple[Any, ...]:
    with np.errstate(all="ignore"):
        return {k: v.astype(dtype) for k, v in params.items()}, *(v.astype(dtype) for v in arrays)


def _rounded(params: Params, name: str) -> Params:
    return {k: rounded_to(v, name) for k, v in params.items()}


def _cast(outputs: tuple[Array, ...], dtype: Any) -> tuple[Array, ...]:
    return tuple(v.astype(dtype) for v in outputs)
