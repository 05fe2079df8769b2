"""How far may a correct implementation be off? Values with error bounds, and one rule per operation.

Every value v comes with an error e such that a correct implementation's value lies within e of v. The rules cover any
order of summation, fused multiply–add or none, and flushing of subnormal numbers; the arithmetic of the reference is
included.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstm_spec.compute.accuracy import REFERENCE_UNIT, Accuracy
from lstm_spec.compute.curves import Curve

Array = NDArray[np.float64]

OUTWARD = 1 + 2.0**-40
"""Bounds are computed in floating point themselves; this factor covers what that rounds away."""


@dataclass(frozen=True)
class Bounded:
    """A value of the reference, and how far a correct implementation may be from it; error None means exact."""

    value: Array
    error: Array | None = None

    @property
    def errors(self) -> Array:
        """The error as an array."""
        return np.zeros_like(self.value) if self.error is None else self.error


FACTOR_ROUNDINGS = 3
"""The roundings that a factor such as 1 − d may cost: of d, of the difference, of the product."""


@dataclass(frozen=True)
class Term:
    """One product of a sum: rows of vectors times a matrix, times a number."""

    rows: Bounded
    matrix: Bounded
    factor: float = 1.0


def half_ulp(magnitude: Array, unit: float) -> Array:
    """Return half a unit in the last place of numbers up to ``magnitude`` in a format with this unit roundoff.

    It is 0 for 0, which every operation that gives it gives exactly.
    """
    _, exponent = np.frexp(magnitude)
    return np.ldexp(unit * (magnitude != 0), exponent - 1)


def rounded(value: Array, error: Array | None, contract: Accuracy, times: int = 1) -> Bounded:
    """Return a value after roundings of its own, by the implementation and by the reference."""
    magnitude = np.abs(value) if error is None else np.abs(value) + error
    own = times * (half_ulp(magnitude, contract.unit + REFERENCE_UNIT) + 4 * contract.tiny)
    return Bounded(value, own if error is None else error + own)


def added(arrays: Sequence[Array]) -> Array:
    """Return the sum of arrays, from the first on."""
    return sum(arrays[1:], start=arrays[0])


def total(errors: Sequence[Array | None]) -> Array | None:
    """Return the sum of the errors that there are, or None."""
    present = [e for e in errors if e is not None]
    return added(present) if present else None


def plain_sum(terms: Sequence[Bounded], contract: Accuracy) -> Bounded:
    """Return the elementwise sum of values, in any order."""
    value, error = added([t.value for t in terms]), total([t.error for t in terms])
    if len(terms) == 2:
        return rounded(value, error, contract)
    magnitude = added([np.abs(t.value) for t in terms])
    size = magnitude if error is None else magnitude + error
    own = (len(terms) - 1) * (contract.unit + REFERENCE_UNIT) * size + 4 * len(terms) * contract.tiny
    return Bounded(value, own if error is None else error + own)


def affine(
    products: Sequence[Term], plain: Sequence[Bounded], contract: Accuracy, unit: float | None = None
) -> Bounded:
    """Return Σ factor · rows @ matrix + Σ plain, summed in any order, products kept or rounded before they are added.

    unit: the unit roundoff of the summation, by default that in which the contract accumulates.
    """
    values: list[Array] = []
    sizes: list[Array] = []
    errors: list[Array | None] = []
    count = scalings = 0
    # Products summed in a wider format do not underflow; of their factors, what is subnormal may be lost.
    wider = unit is None and contract.accumulation < contract.unit
    unscaled: list[Array] = []
    for term in products:
        rows, matrix, scale = np.abs(term.rows.value), np.abs(term.matrix.value), abs(term.factor)
        product = term.rows.value @ term.matrix.value
        values.append(product if term.factor == 1 else term.factor * product)
        unscaled.append(rows @ matrix)
        sizes.append(scale * unscaled[-1])
        if term.rows.error is not None:
            errors.append(scale * (term.rows.error @ matrix))
        if term.matrix.error is not None:
            reach = rows if term.rows.error is None else rows + term.rows.error
            errors.append(scale * (reach @ term.matrix.error))
        if wider:
            lost = _flushed(term.rows, contract) @ matrix + rows @ _flushed(term.matrix, contract)
            errors.append(scale * lost)
        count += term.matrix.value.shape[0]
        scalings += 0 if is_exact(term.factor) else FACTOR_ROUNDINGS
    for bounded in plain:
        values.append(bounded.value)
        sizes.append(np.abs(bounded.value))
        errors.append(bounded.error)
        count += 1
    value, size, error = added(values), added(sizes), total(errors)
    reach = size if error is None else size + error
    # Both factors of a product may be rounded.
    inputs = contract.products * (2 + contract.products)
    own = (count * (unit or contract.accumulation) + (contract.partials + scalings) * contract.unit + inputs) * reach
    underflows = scalings + (contract.partials + 1 if wider else count)
    own = own + (count + scalings) * REFERENCE_UNIT * size + 4 * underflows * contract.tiny
    beyond = np.maximum(reach, added(unscaled)) > contract.largest
    if beyond.any():
        # A partial sum may overflow although the whole does not, and the sum of a mean although the mean does not.
        own = np.where(beyond, np.inf, own)
    return Bounded(value, own if error is None else error + own)


def _flushed(a: Bounded, contract: Accuracy) -> Array:
    """Return how much of numbers is lost where those below the smallest normal one are read as zero."""
    reach = np.abs(a.value) if a.error is None else np.abs(a.value) + a.error
    least = np.abs(a.value) if a.error is None else np.abs(a.value) - a.error
    return np.where(least < contract.tiny, np.minimum(reach, contract.tiny), 0.0)


def times(a: Bounded, b: Bounded, contract: Accuracy) -> Bounded:
    """Return the elementwise product."""
    error = total(
        [
            None if b.error is None else np.abs(a.value) * b.error,
            None if a.error is None else np.abs(b.value) * a.error,
            None if a.error is None or b.error is None else a.error * b.error,
        ]
    )
    return rounded(a.value * b.value, error, contract)


def is_exact(factor: float) -> bool:
    """Tell whether a multiple is exact: that by a power of two."""
    return bool(np.frexp(abs(factor))[0] == 0.5)


def scaled(factor: float, a: Bounded, contract: Accuracy) -> Bounded:
    """Return a multiple by a constant; exact for powers of two."""
    value, error = factor * a.value, None if a.error is None else abs(factor) * a.error
    return Bounded(value, error) if is_exact(factor) else relative(value, error, FACTOR_ROUNDINGS, contract)


def relative(value: Array, error: Array | None, roundings: int, contract: Accuracy) -> Bounded:
    """Return a value after several roundings in a row, each relative to the value."""
    magnitude = np.abs(value) if error is None else np.abs(value) + error
    own = roundings * ((contract.unit + REFERENCE_UNIT) * magnitude + 4 * contract.tiny)
    return Bounded(value, own if error is None else error + own)


def quotient(a: Bounded, b: Bounded, contract: Accuracy) -> Bounded:
    """Return a/b, divided or multiplied by a rounded reciprocal; without bound where b may be 0."""
    value = a.value / b.value
    least = np.abs(b.value) - b.errors
    # The reciprocal is rounded, or flushed to zero, and so is the product with it.
    error = (a.errors + np.abs(value) * b.errors) / least + 4 * contract.tiny * np.abs(a.value)
    result = relative(value, error, 2, contract)
    return Bounded(value, np.where(least > 0, result.errors, np.inf))


def maximum(a: Bounded, b: Bounded, contract: Accuracy) -> Bounded:
    """Return the larger of two; near the kink either may be the larger one."""
    apart = np.abs(a.value - b.value) > a.errors + b.errors
    larger = np.where(a.value >= b.value, a.errors, b.errors)
    return Bounded(np.maximum(a.value, b.value), np.where(apart, larger, np.maximum(a.errors, b.errors)))


def minimum(a: Bounded, b: Bounded, contract: Accuracy) -> Bounded:
    """Return the smaller of two; near the kink either may be the smaller one."""
    larger = maximum(Bounded(-a.value, a.error), Bounded(-b.value, b.error), contract)
    return Bounded(-larger.value, larger.error)


def curved(curve: Curve, at: Bounded, ulps: float, absolute: float, contract: Accuracy) -> Bounded:
    """Return a function of one number, good to ``ulps`` units in the last place plus ``absolute`` unit roundoffs.

    The latter are those of numbers of the size ``curve.scale``.
    """
    value = curve.value(at.value)
    error = None
    if at.error is not None:
        nearest = np.minimum(np.maximum(curve.steepest, at.value - at.error), at.value + at.error)
        # An argument without a bound may be NaN, so that not even the range of the function limits the value; an
        # infinite slope times no error is NaN too, and there the range does.
        rise = np.fmin(curve.slope(nearest) * at.error, curve.width)
        error = np.where(np.isfinite(at.value) & np.isfinite(at.error), rise, np.inf)
    if not (ulps or absolute):
        return Bounded(value, error)
    unit = contract.unit + REFERENCE_UNIT
    size = np.abs(value) if error is None else np.abs(value) + error
    own = 2 * ulps * half_ulp(size, unit) + absolute * unit * curve.scale + 4 * contract.tiny
    return Bounded(value, own if error is None else error + own)


def limited(bounded: Bounded, contract: Accuracy) -> Bounded:
    """Give up on the entries that may leave the range of the format: an overflow there is nobody's fault."""
    reach = np.abs(bounded.value) if bounded.error is None else np.abs(bounded.value) + bounded.error
    beyond = reach > contract.largest
    return Bounded(bounded.value, np.where(beyond, np.inf, bounded.errors)) if beyond.any() else bounded
