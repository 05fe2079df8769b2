"""Whether what a target returns are numbers in fixed point, and with how many bits after the point."""

from collections.abc import Iterable

import numpy as np

from lstm_spec.compute.compile import Array

MOST_BITS = 16
"""Up to how many bits after the point are looked for; numbers of float16 are all multiples of 2⁻²⁴."""

ENOUGH = 40
"""How many numbers have to be there, or they are multiples by chance."""


def bits_after_point(arrays: Iterable[Array]) -> int | None:
    """Return with how many bits after the point all numbers can be written, None where they need too many.

    In fixed point large numbers use the last bit as often as small ones do, which those of a narrow float do not.

    >>> values = np.linspace(-3, 3, 101)
    >>> bits_after_point([np.round(values * 256) / 256]), bits_after_point([values])
    (8, None)
    """
    values = np.concatenate([np.ravel(a).astype(np.float64) for a in arrays])
    values = np.unique(values[np.isfinite(values) & (values != 0)])
    if len(values) < ENOUGH:
        return None
    for bits in range(MOST_BITS + 1):
        scaled = values * 2.0**bits
        if (scaled == np.round(scaled)).all():
            large = np.abs(scaled) >= np.median(np.abs(scaled))
            return bits if (scaled[large] % 2).mean() > 0.25 else None
    return None
