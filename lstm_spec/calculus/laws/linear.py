"""Linear maps between named arrays, with their transposes, and numbers that know how far they may be off.

A law moves numbers about: units are permuted, signs flipped, columns added. Said as a linear map, the same statement
gives the law of the values and, by the transpose, that of the gradients.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_LAW_UNIT = float(np.finfo(np.float64).eps) / 2
_MOVE_UNIT = float(np.finfo(np.longdouble).eps) / 2


@dataclass(frozen=True)
class Measured:
    """An array that an implementation returned, and by how much rounding may have moved each entry.

    Sums and linear maps of it carry the error along, their own rounding in float64 included.
    """

    value: Array
    error: Array

    @classmethod
    def exact(cls, value: Any) -> "Measured":
        """Return numbers without error."""
        array = np.asarray(value, np.float64)
        return cls(array, np.zeros_like(array))

    def __getitem__(self, at: Any) -> "Measured":
        return Measured(self.value[at], self.error[at])

    def __add__(self, other: "Measured") -> "Measured":
        value = self.value + other.value
        return Measured(value, self.error + other.error + _LAW_UNIT * np.abs(value))

    def mapped(self, formula: str, *tensors: Array) -> "Measured":
        """Return ``einsum(formula, self, *tensors)``."""
        sizes = [np.abs(t) for t in tensors]
        roundings = len(tensors) + _summed(formula, (self.value, *tensors))
        own = roundings * _LAW_UNIT * einsum(formula, np.abs(self.value), *sizes)
        return Measured(einsum(formula, self.value, *tensors), einsum(formula, self.error, *sizes) + own)


def _summed(formula: str, arrays: tuple[Array, ...]) -> int:
    """Return how many products an entry of an ``einsum`` is the sum of, less one."""
    given, result = formula.split("->")
    sizes = {
        letter: size
        for own, a in zip(given.split(","), arrays, strict=True)
        for letter, size in zip(own, a.shape, strict=True)
    }
    return int(np.prod([size for letter, size in sizes.items() if letter not in result], dtype=int)) - 1


def einsum(formula: str, *arrays: Array) -> Array:
    """Return NumPy's ``einsum``, contracted pair by pair."""
    return np.einsum(formula, *arrays, optimize=len(arrays) > 2)


@dataclass(frozen=True)
class Term:
    """One term of a linear map: ``einsum(formula, array, *tensors)`` of a named array.

    formula: the subscripts of the array, then those of the tensors, such as "ij,ai,bj->ab" for A W Bᵀ.
    """

    source: str
    formula: str
    tensors: tuple[Array, ...] = ()

    @property
    def transposed(self) -> str:
        """The formula of the transpose: the array and the result change places."""
        given, result = self.formula.split("->")
        own, *rest = given.split(",")
        return f"{','.join((result, *rest))}->{own}"


Linear = Mapping[str, tuple[Term, ...]]
"""A linear map from named arrays to named arrays: for every result the terms it is the sum of."""


def same(name: str, axes: int) -> tuple[Term, ...]:
    """Return the identity on an array with this many axes."""
    letters = "abcdefg"[:axes]
    return (Term(name, f"{letters}->{letters}"),)


def apply(linear: Linear, values: Mapping[str, Measured]) -> dict[str, Measured]:
    """Return the image of measured arrays; a result that needs an array which is not there is left out."""
    return {
        name: _total([values[t.source].mapped(t.formula, *t.tensors) for t in terms])
        for name, terms in linear.items()
        if all(t.source in values for t in terms)
    }


def transpose(linear: Linear) -> dict[str, tuple[Term, ...]]:
    """Return the transpose of a linear map."""
    found: dict[str, tuple[Term, ...]] = {}
    for name, terms in linear.items():
        for t in terms:
            found[t.source] = (*found.get(t.source, ()), Term(name, t.transposed, t.tensors))
    return found


def move(
    linear: Linear, values: Mapping[str, Array], constant: Mapping[str, Array] | None = None
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the image of exact arrays, plus a constant, in their own format, and how far the format moved each entry.

    The image is computed wider than the format; a map that only moves numbers about is exact.
    """
    images, errors = {}, {}
    dtype = next(iter(values.values())).dtype
    constant = constant or {}
    for name in dict.fromkeys((*linear, *constant)):
        terms = linear.get(name, ())
        added = np.asarray(constant.get(name, 0.0), np.longdouble)
        wide = sum((_wide(values[t.source], t) for t in terms), start=added)
        sizes = sum((_wide(np.abs(values[t.source]), _absolute(t)) for t in terms), start=np.abs(added))
        images[name] = np.asarray(wide, dtype)
        spread = _MOVE_UNIT * (len(terms) > 1 or any(t.tensors for t in terms))
        off = np.abs(wide - images[name].astype(np.longdouble)) + 8 * spread * sizes
        errors[name] = np.asarray(off, np.float64)
    return images, errors


def _absolute(term: Term) -> Term:
    return Term(term.source, term.formula, tuple(np.abs(t) for t in term.tensors))


def _wide(value: Array, term: Term) -> Array:
    return einsum(term.formula, value.astype(np.longdouble), *(t.astype(np.longdouble) for t in term.tensors))


def _total(terms: list[Measured]) -> Measured:
    found = terms[0]
    for t in terms[1:]:
        found = found + t
    return found
