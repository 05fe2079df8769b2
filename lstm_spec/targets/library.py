"""A shared library as a target: a function with a C signature, called by ctypes.

Its arguments are the sizes, then pointers to what ``forward`` takes, then to what it returns, in the same order.
"""

import ctypes
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lstm_spec.targets.calls import Array, MisbehaviourError
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.layout import Layout

MARGIN = 64
"""How many numbers are kept free before and after every result, to see what is written there."""


def is_library(place: str) -> bool:
    """Tell whether a name is that of a shared library.

    >>> [is_library(name) for name in ("./liblstm.so", "liblstm.so.1", "lstm.dll", "lstm.py")]
    [True, True, True, False]
    """
    return re.search(r"\.(so|dylib|dll)(\.\d+)*$", place) is not None


def library(place: str, symbol: str, *, layout: Layout) -> Target:
    """Return a function of a shared library as a target.

    place: its file; symbol: the name of the function; where there is one with "backward" in place of "forward", it
    gives the gradients; layout: how they hold parameters and states. Raises TargetError where there is no such library
    or function.
    """
    if not Path(place).is_file():
        raise TargetError(f"there is no file {place}")
    try:
        loaded = ctypes.CDLL(str(Path(place).resolve()))
    except OSError as error:
        raise TargetError(f"{place} cannot be loaded: {error}") from None
    if not hasattr(loaded, symbol):
        raise TargetError(f"{place} has no function {symbol} that others can call")
    other = symbol.replace("forward", "backward")
    backward = getattr(loaded, other) if other != symbol and hasattr(loaded, other) else None
    return Target(
        name=f"{place}:{symbol}",
        forward=partial(_forward, partial(_run, getattr(loaded, symbol), symbol), layout),
        backward=backward and partial(_backward, partial(_run, backward, other), layout),
        layout=layout,
    )


Run = Callable[[Sequence[int], Mapping[str, Array], Mapping[str, tuple[int, ...]]], dict[str, Array]]
"""Calls a function with sizes and arrays, and returns results of the shapes that are given by name."""


def _forward(run: Run, layout: Layout, params: Mapping[str, Array], x: Array, *states: Array) -> tuple[Array, ...]:
    sizes = _sizes(layout, x, states)
    y = np.empty((*sizes[:2], states[0].shape[layout.state_axes.index("I")]))
    shapes = {"y": layout.to_y(y).shape, **{f"state {k}": state.shape for k, state in enumerate(states, 1)}}
    given = {**params, "x": x, **{f"state {k} before": state for k, state in enumerate(states, 1)}}
    return tuple(run(sizes, given, shapes).values())


def _backward(run: Run, layout: Layout, params: Mapping[str, Array], x: Array, *rest: Array) -> tuple[Any, ...]:
    count = (len(rest) - 1) // 2
    given = {**params, "x": x, **{f"state {k} before": state for k, state in enumerate(rest[:count], 1)}}
    cotangents = {f"cotangent {k}": array for k, array in enumerate(rest[count:])}
    shapes = {f"the gradient of {name}": array.shape for name, array in given.items()}
    found = run(_sizes(layout, x, rest[:count]), {**given, **cotangents}, shapes)
    gradients = list(found.values())
    return dict(zip(params, gradients, strict=False)), *gradients[len(params) :]


def _sizes(layout: Layout, x: Array, states: Sequence[Array]) -> tuple[int, ...]:
    """Return T, B, n and m; where the first state has another size, as after a projection, that too."""
    of_x = dict(zip(layout.x_axes, x.shape, strict=True))
    widths = dict.fromkeys(state.shape[layout.state_axes.index("I")] for state in reversed(states))
    return of_x.get("T", 1), of_x.get("B", 1), of_x["I"], *widths


def _run(
    function: Any,
    name: str,
    sizes: Sequence[int],
    given: Mapping[str, Array],
    shapes: Mapping[str, tuple[int, ...]],
) -> dict[str, Array]:
    dtype = given["x"].dtype
    rooms = {key: _Room(shape, dtype) for key, shape in shapes.items()}
    # A pointer says nothing of strides.
    packed = [np.ascontiguousarray(array) for array in given.values()]
    pointers = [a.ctypes.data for a in (*packed, *(room.inside for room in rooms.values()))]
    function.restype = None
    function(*map(ctypes.c_int64, sizes), *map(ctypes.c_void_p, pointers))
    for key, room in rooms.items():
        if where := room.spilled():
            raise MisbehaviourError(f"{name} wrote {where} {key} on a valid case")
    return {key: room.inside for key, room in rooms.items()}


class _Room:
    """Memory for one result, all NaN until it is written, with a margin in which nothing may be written."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        size = int(np.prod(shape))
        self._whole = np.full(size + 2 * MARGIN, np.nan, dtype)
        self._clean = self._whole[:MARGIN].tobytes()
        self.inside = self._whole[MARGIN : MARGIN + size].reshape(shape)

    def spilled(self) -> str | None:
        """Return where the margin has been written, or None."""
        if self._whole[:MARGIN].tobytes() != self._clean:
            return "before the beginning of"
        return "past the end of" if self._whole[-MARGIN:].tobytes() != self._clean else None
