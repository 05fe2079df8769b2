"""How a third party holds the parameters, the states and the sequence of a cell: data, never code paths."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from lstm_spec.targets.axes import are_axes, move_axes
from lstm_spec.targets.packing import Array, Arrays, LayoutError, Packing, Shape
from lstm_spec.targets.plan import ROLES, plan

Dimensions = Mapping[str, Shape] | Arrays

_CHOICES: Mapping[str, tuple[str | int | None, ...]] = MappingProxyType(
    {
        "kernels": (None, "joint", "separate"),
        "concat": (None, "xh", "hx"),
        "biases": (None, 0, 1, 2, "concatenated"),
    }
)
_OTHER_NAME = r"[a-zA-Z]\w*_\w+|[a-oq-z]"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a third party holds what the specification calls W_f, b_f, h, c, x, …

    What is left out is as the cell has it, so `Layout()` is the canonical layout of every cell.

    ============== ==================== ================================================================
    key            values               meaning
    ============== ==================== ================================================================
    gates          "ifco", "fco", "urh" order of the gates packed in one array (c is the candidate,
                                        PyTorch's g); "" for one array per gate
    kernels        "joint", "separate"  one matrix over z, or an input kernel W and a recurrent kernel R
    concat         "xh", "hx"           order of the columns in a joint kernel
    transposed     true, false          (input, gates·m) rather than (gates·m, input); every matrix
    biases         0, 1, 2,             how many per gate; 2 are two arrays, b and bR,
                   "concatenated"       "concatenated" is the two in one array, first b, then bR
    forget_offset  a number             what the implementation itself adds to the forget gate's
                                        pre-activation; it is subtracted from b_f in packing
    unused         "f"                  gates that have their place in those arrays although the cell has no
                                        parameters for them, a coupled one perhaps; what stands there is 0
    peepholes      "iof"                order of the peepholes packed in one array; "" for one per gate
    states         "hc", "ch"           order in which the states are passed and returned
    axes           "TBI", "BTI", "TI",  axes of the sequence, time T, batch B, features I and, in y only,
                   "TDBI", "TBI DBI"    directions D (each array has then a leading axis of directions);
                                        an axis left out has length 1. After a space those of the
                                        states; else they are those of y without T
    names          a table              the third party's name for each role: W, R, b, bR, p, or one
                                        parameter (W_p, W_f); with one array per gate a template such
                                        as "W_{gate}", and f = "forget" renames a gate within it. What
                                        has no name there is not held. Without a table, the spec's names
    ============== ==================== ================================================================

    Where the layout has two biases and the cell one, even units have theirs in the first array, odd ones in the second.

    >>> pytorch = Layout(gates="ifco", kernels="separate", biases=2)
    >>> pytorch.shapes({"W_f": (3, 5), "W_i": (3, 5), "W_c": (3, 5), "W_o": (3, 5), "b_f": (3,), "b_i": (3,),
    ...                 "b_c": (3,), "b_o": (3,)})
    {'W': (12, 2), 'R': (12, 3), 'b': (12,), 'bR': (12,)}
    """

    gates: str = ""
    unused: str = ""
    kernels: Literal["joint", "separate"] | None = None
    concat: Literal["xh", "hx"] | None = None
    transposed: bool = False
    biases: Literal[0, 1, 2, "concatenated"] | None = None
    forget_offset: float = 0.0
    peepholes: str = ""
    states: str | None = None
    axes: str = "TBI"
    reverse: str = ""
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    name: str = field(default="given", compare=False)

    def __post_init__(self) -> None:
        for key, allowed in _CHOICES.items():
            _check(key, _is_one_of(getattr(self, key), allowed), _either(allowed), self)
        for key in ("gates", "unused", "peepholes"):
            _check(key, _distinct(getattr(self, key)), 'each gate\'s letter once, such as "ifco"', self)
        states = 'each state\'s letter once, such as "hc"'
        _check("states", self.states is None or (self.states != "" and _distinct(self.states)), states, self)
        _check("transposed", _is_bool(self.transposed), "true or false", self)
        _check("forget_offset", _is_finite(self.forget_offset), "a finite number", self)
        _check("reverse", isinstance(self.reverse, str), "a text", self)
        _check("axes", are_axes(self.axes), 'letters of T, B, D, I once, such as "TBI" or "TBI DBI"', self)
        _check_names(self)
        object.__setattr__(self, "forget_offset", float(self.forget_offset))
        object.__setattr__(self, "names", MappingProxyType(dict(self.names)))

    def __reduce__(self) -> tuple[object, ...]:
        # A mapping proxy, which keeps `names` from being changed, can be neither copied nor pickled.
        return _revive, ({**{f.name: getattr(self, f.name) for f in fields(self)}, "names": dict(self.names)},)

    @property
    def by_layer(self) -> bool:
        """Whether its names tell the layers of a network apart."""
        return any("{layer}" in name for name in self.names.values())

    def at(self, layer: int, reverse: bool) -> Layout:
        """The layout of one layer and direction of a network: its names filled in.

        >>> Layout(gates="fico", reverse="_back", names={"W": "w{layer}{direction}"}).at(1, True).names["W"]
        'w1_back'
        """
        return replace(self, names={role: self.name_of(role, layer, reverse) for role in self.names})

    def name_of(self, role: str, layer: int, reverse: bool) -> str:
        """The name of a role in one layer and direction of a network; empty where it has none."""
        name = self.names.get(role, "").replace("{layer}", str(layer))
        return name.replace("{direction}", self.reverse if reverse else "")

    def shapes(self, dimensions: Dimensions, *, concat: str | None = "xh") -> dict[str, Shape]:
        """The third party's arrays for a cell, by name, with their shapes.

        Args:
            dimensions: the cell's parameters by name, as shapes or as arrays.
            concat: the cell's own order in z; None for separate kernels.

        Raises:
            LayoutError: the layout cannot hold this cell.
        """
        return self._packing(dimensions, concat).shapes()

    def pack(self, params: Arrays, *, concat: str | None = "xh") -> dict[str, Array]:
        """The specification's parameters as the third party holds them.

        Args:
            params: W_f (m, n+m), b_f (m,), …, or W_f (m, n), R_f (m, m), …; never modified.
            concat: the cell's own order in z, as in `cell.concat`; None for separate kernels.

        Returns:
            New contiguous arrays by the third party's names, of the same dtype.

        Raises:
            LayoutError: the layout cannot hold these parameters.
        """
        return self._packing(params, concat).pack(params)

    def unpack(self, packed: Arrays, dimensions: Dimensions, *, concat: str | None = "xh") -> dict[str, Array]:
        """The third party's parameters as the specification names them: the inverse of `pack`.

        It is the exact inverse in floating point, but for the rounding of a `forget_offset` (at most an ulp
        of |b_f| + |offset|).

        Args:
            packed: the third party's arrays by its names; never modified.
            dimensions: the cell's parameters by name, as shapes or as arrays.
            concat: the cell's own order in z; None for separate kernels.

        Returns:
            New contiguous arrays by the specification's names; two biases of the layout are added when the
            cell has one.

        Raises:
            LayoutError: an array is missing, unexpected or of the wrong shape, or the layout cannot hold the
                cell.
        """
        return self._packing(dimensions, concat).unpack(packed)

    def pack_gradients(self, gradients: Arrays, *, concat: str | None = "xh") -> dict[str, Array]:
        """The loss's gradients with respect to the third party's arrays, from those to the parameters.

        Arguments, returns and raises as `pack`. Since b = b_W + b_R, both biases receive the whole of db, and
        an offset has no gradient.
        """
        return self._packing(gradients, concat).pack_gradients(gradients)

    def unpack_gradients(
        self, gradients: Arrays, dimensions: Dimensions, *, concat: str | None = "xh"
    ) -> dict[str, Array]:
        """The loss's gradients with respect to the parameters, from those to the third party's arrays.

        Arguments, returns and raises as `unpack`. It is the transpose of `pack`: where one bias is
        packed by turns as two, so is its gradient taken from them.
        """
        return self._packing(dimensions, concat).unpack_gradients(gradients)

    def to_x(self, x: npt.ArrayLike) -> Array:
        """The input x (T, B, n), or its gradient, in the third party's axes (a copy)."""
        return self._move(x, "TBI", self.x_axes)

    def from_x(self, x: npt.ArrayLike) -> Array:
        """The input, or its gradient, in the third party's axes as (T, B, n) (a copy)."""
        return self._move(x, self.x_axes, "TBI")

    def to_y(self, y: npt.ArrayLike, *, directions: int = 1) -> Array:
        """The output y (T, B, m), or its gradient, in the third party's axes (a copy).

        With several directions, whose outputs are side by side in y, those get an axis of their own.
        """
        return self._move(_apart(y, directions), "TBDI", self._y_axes)

    def from_y(self, y: npt.ArrayLike) -> Array:
        """The output, or its gradient, in the third party's axes as (T, B, m) (a copy)."""
        return _together(self._move(y, self._y_axes, "TBDI"))

    def to_states(self, *states: npt.ArrayLike, order: Iterable[str] = "hc") -> tuple[Array, ...]:
        """The states in the third party's order and axes (copies).

        Args:
            states: each (B, m), in the cell's order.
            order: the cell's order, as in `cell.states`.

        Raises:
            LayoutError: the layout orders other states than the cell's.
        """
        held, theirs = self._orders(order, states)
        by_name = dict(zip(held, states, strict=True))
        return tuple(self.to_state(by_name[state]) for state in theirs)

    def from_states(self, *states: npt.ArrayLike, order: Iterable[str] = "hc") -> tuple[Array, ...]:
        """The third party's states as (B, m) in the cell's order: the inverse of `to_states`."""
        held, theirs = self._orders(order, states)
        by_name = dict(zip(theirs, states, strict=True))
        return tuple(self.from_state(by_name[state]) for state in held)

    def to_state(self, state: npt.ArrayLike) -> Array:
        """One state (B, m) in the third party's axes (a copy)."""
        return self._move(state, "BI", self.state_axes)

    def from_state(self, state: npt.ArrayLike) -> Array:
        """One state in the third party's axes as (B, m) (a copy)."""
        return self._move(state, self.state_axes, "BI")

    def order_of(self, states: Iterable[str]) -> tuple[str, ...]:
        """The names of a cell's states in the third party's order; raises LayoutError where it has others."""
        held = tuple(states)
        theirs = tuple(self.states or held)
        if set(held) != set(theirs):
            raise LayoutError(
                f"the layout {self.name} has the states {', '.join(theirs)}, but the cell has"
                f" {', '.join(held)}: use a layout of these states"
            )
        return theirs

    def to_stack(self, state: npt.ArrayLike) -> Array:
        """One state of all layers and directions (L·D, B, m), in the third party's axes (a copy)."""
        return self._move(state, "DBI", self._stack_axes)

    def from_stack(self, state: npt.ArrayLike) -> Array:
        """One state of all layers and directions in the third party's axes as (L·D, B, m) (a copy)."""
        return self._move(state, self._stack_axes, "DBI")

    def to_last(self, y: npt.ArrayLike, *, directions: int = 1) -> Array:
        """The output of the last step (B, m), or its gradient, in the third party's axes (a copy)."""
        return self._move(_apart(y, directions), "BDI", self._y_axes.replace("T", ""))

    def from_last(self, y: npt.ArrayLike) -> Array:
        """The output of the last step in the third party's axes as (B, m) (a copy)."""
        return _together(self._move(y, self._y_axes.replace("T", ""), "BDI"))

    @property
    def stacks_directions(self) -> bool:
        """Whether both directions of a layer are in the same arrays, along an axis of their own."""
        return "D" in self._y_axes

    def to_toml(self) -> str:
        """The layout as a TOML file; what is as in the specification is left out.

        >>> print(Layout(gates="ifco", transposed=True, names={"W": "kernel"}).to_toml(), end="")
        gates = "ifco"
        transposed = true
        <BLANKLINE>
        [names]
        W = "kernel"
        """
        lines = [
            f"{f.name} = {_literal(getattr(self, f.name))}\n"
            for f in fields(self)
            if f.compare and f.name != "names" and getattr(self, f.name) != f.default
        ]
        names = [f"{key} = {_literal(value)}\n" for key, value in self.names.items()]
        return "".join(lines + (["\n[names]\n", *names] if names else []))

    def _packing(self, dimensions: Dimensions, concat: str | None) -> Packing:
        table = tuple(
            (name, value if isinstance(value, tuple) else np.shape(value)) for name, value in dimensions.items()
        )
        own = self.at(0, False) if self.names else self
        return _plan(own, self.name, table, concat)

    @property
    def _y_axes(self) -> str:
        return self.axes.split()[0]

    @property
    def x_axes(self) -> str:
        """The axes of the input, a letter each."""
        return self._y_axes.replace("D", "")

    @property
    def state_axes(self) -> str:
        """The axes of a state, a letter each."""
        return self.axes.split()[-1].replace("T", "")

    @property
    def _stack_axes(self) -> str:
        return self.state_axes if "D" in self.state_axes else f"D{self.state_axes}"

    def _orders(self, order: Iterable[str], states: Sequence[object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        held = tuple(order)
        theirs = self.order_of(held)
        if len(states) != len(held):
            raise LayoutError(f"expected the {len(held)} states {', '.join(held)}, got {len(states)}")
        return held, theirs

    def _move(self, given: npt.ArrayLike, source: str, target: str) -> Array:
        return move_axes(given, source, target, where=f"the layout {self.name}")


def _apart(y: npt.ArrayLike, directions: int) -> Array:
    array = np.asarray(y)
    return array.reshape(*array.shape[:-1], directions, -1)


def _together(y: Array) -> Array:
    return y.reshape(*y.shape[:-2], -1)


def _revive(values: dict[str, object]) -> Layout:
    return Layout(**values)  # type: ignore[arg-type]


@lru_cache(maxsize=256)
def _plan(layout: Layout, name: str, table: tuple[tuple[str, Shape], ...], concat: str | None) -> Packing:
    # Layouts of different names are equal, but the name stands in the messages: hence it is part of the key.
    return plan(layout, dict(table), concat)


def _check(key: str, valid: bool, expected: str, layout: Layout) -> None:
    if not valid:
        raise LayoutError(f"{key}: expected {expected}, got {_literal(getattr(layout, key))}")


def _check_names(layout: Layout) -> None:
    if not isinstance(layout.names, Mapping):
        raise LayoutError(f"names: expected a table of names, got {_literal(layout.names)}")
    for key, value in layout.names.items():
        if not isinstance(value, str) or not value or not value.isprintable():
            raise LayoutError(f"names.{key}: expected a printable name, got {_literal(value)}")
        if key not in ROLES and not re.fullmatch(_OTHER_NAME, key, re.ASCII):
            raise LayoutError(
                f"names: expected {', '.join(ROLES)}, a parameter such as W_p or a gate's letter, got {key}"
            )
        order = layout.peepholes if key == "p" else layout.gates
        if key in ROLES and not order and "{gate}" not in value:
            raise LayoutError(f"names.{key}: expected {{gate}} in it, one array per gate, got {_literal(value)}")


def _is_one_of(value: object, choices: Iterable[object]) -> bool:
    # True and 1.0 equal 1, but are no number of biases.
    return any(type(value) is type(choice) and value == choice for choice in choices)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not _is_bool(value) and math.isfinite(value)


def _distinct(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch("[a-oq-z]*", value)) and len(set(value)) == len(value)


def _either(choices: Iterable[object]) -> str:
    return " or ".join(_literal(choice) for choice in choices if choice is not None)


def _literal(value: object) -> str:
    """A value as TOML writes it, or as Python does when TOML has no such value."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if _is_bool(value) else repr(value)
