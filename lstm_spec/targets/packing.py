"""How the specification's parameters lie in a third party's arrays: a list of pieces, read in four ways.

Every choice of a layout (order of gates, joint or separate kernels, one bias or two, …) ends up as pieces:
this rectangle of that parameter is that rectangle of that array. Packing is then an affine map and the
other three directions follow from the same list::

    pack             array      =   units of parameter − offset
    unpack           parameter  = Σ array + offset
    unpack_gradients dparameter = Σ units of darray         the transpose of pack
    pack_gradients   darray     =   dparameter              the transpose of unpack
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Shape = tuple[int, ...]
Index = tuple[slice | EllipsisType, ...]


class LayoutError(ValueError):
    """A layout that cannot exist, be read, or hold the cell at hand; the message is one sentence."""


@dataclass(frozen=True)
class Piece:
    """A rectangle of a parameter (`part`) and the one of a third party's array that it fills (`place`).

    units: 0 or 1 where only every second unit, the even or the odd ones, is in this array; None where all are.
    """

    parameter: str
    part: Index
    array: str
    place: Index
    units: int | None = None
    offset: float = 0.0


@dataclass(frozen=True)
class Packing:
    """A layout applied to the dimension table of one cell.

    `arrays` has the shapes before `transposed` (matrices only) and `stacked` (a leading axis of one
    direction) are applied.
    """

    layout: str
    parameters: Mapping[str, Shape]
    arrays: Mapping[str, Shape]
    pieces: Sequence[Piece]
    transposed: bool
    stacked: bool

    def shapes(self) -> dict[str, Shape]:
        """The shape of every array as the third party holds it."""
        return {
            name: (1,) * self.stacked + (shape[::-1] if self._turned(shape) else shape)
            for name, shape in self.arrays.items()
        }

    def pack(self, parameters: Arrays) -> dict[str, Array]:
        """The third party's arrays, from the specification's parameters."""
        return self._spread(parameters, lambda piece, value: _shift(_own(value, piece), -piece.offset))

    def unpack(self, arrays: Arrays) -> dict[str, Array]:
        """The specification's parameters, from the third party's arrays."""
        return self._collect(arrays, lambda piece, value: _shift(value, piece.offset))

    def pack_gradients(self, gradients: Arrays) -> dict[str, Array]:
        """The gradients with respect to the arrays, from those with respect to the parameters."""
        return self._spread(gradients, lambda piece, value: value)

    def unpack_gradients(self, gradients: Arrays) -> dict[str, Array]:
        """The gradients with respect to the parameters, from those with respect to the arrays."""
        return self._collect(gradients, lambda piece, value: _own(value, piece))

    def _spread(self, parameters: Arrays, value: Callable[[Piece, Array], Array]) -> dict[str, Array]:
        given = {name: _floating(array) for name, array in parameters.items()}
        packed = {}
        for name, shape in self.arrays.items():
            pieces = [piece for piece in self.pieces if piece.array == name]
            array = np.zeros(shape, np.result_type(*(given[piece.parameter].dtype for piece in pieces)))
            for piece in pieces:
                array[piece.place] = value(piece, given[piece.parameter][piece.part])
            packed[name] = self._outward(array)
        return packed

    def _collect(self, arrays: Arrays, value: Callable[[Piece, Array], Array]) -> dict[str, Array]:
        given = self._inward({name: _floating(array) for name, array in arrays.items()})
        unpacked = {}
        for name, shape in self.parameters.items():
            pieces = [piece for piece in self.pieces if piece.parameter == name]
            # The neutral element of IEEE addition is −0.0: 0.0 would turn a parameter of −0.0 into 0.0.
            total = np.full(shape, -0.0, np.result_type(*(given[piece.array].dtype for piece in pieces)))
            for piece in pieces:
                total[piece.part] += value(piece, given[piece.array][piece.place])
            unpacked[name] = total
        return unpacked

    def _turned(self, shape: Shape) -> bool:
        return self.transposed and len(shape) == 2

    def _outward(self, array: Array) -> Array:
        turned = array.T.copy() if self._turned(array.shape) else array
        return turned[np.newaxis] if self.stacked else turned

    def _inward(self, arrays: Arrays) -> Arrays:
        expected = self.shapes()
        if missing := [name for name in expected if name not in arrays]:
            raise LayoutError(
                f"{self.layout} expects the arrays {', '.join(expected)}, but {', '.join(missing)} is missing"
            )
        if extra := [name for name in arrays if name not in expected]:
            raise LayoutError(
                f"{self.layout} expects the arrays {', '.join(expected)}, but got {', '.join(extra)} as well"
            )
        for name, shape in expected.items():
            if arrays[name].shape != shape:
                raise LayoutError(
                    f"{self.layout} expects {name} of shape {shape} for this cell, got {arrays[name].shape}"
                )
        flat = {name: array[0] if self.stacked else array for name, array in arrays.items()}
        return {name: array.T if self._turned(array.shape) else array for name, array in flat.items()}


def _floating(array: npt.ArrayLike) -> Array:
    given = np.asarray(array)
    return given.astype(np.float64) if given.dtype.kind in "biu" else given


def _own(value: Array, piece: Piece) -> Array:
    """The units of a bias that are in this array; what is not adds nothing, not even to a −0.0."""
    if piece.units is None:
        return value
    own = np.full_like(value, -0.0)
    own[piece.units :: 2] = value[piece.units :: 2]
    return own


def _shift(value: Array, offset: float) -> Array:
    return value + offset if offset else value
