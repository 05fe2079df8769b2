"""How a target holds what a cell or a network has: its parameters, its states, and its output, in a layout."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import BlockMatrix

from lstm_spec.compute.initial import state_widths
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.operators import parts_of
from lstm_spec.spec.passes import Pass
from lstm_spec.spec.program import Program
from lstm_spec.targets.layout import Layout

Array = NDArray[Any]


@dataclass(frozen=True)
class Held:
    """A specification in a layout.

    The parameters of every layer and direction go by the layout's names for them, or where it has none by its names
    after l0. or l0r.; where the layout has an axis of directions, both are in the same arrays. Learned initial states
    go by the names of the network. The states are arrays as the network stacks them: (L·D, B, m), layer before
    direction; or (B, m), of a single layer, or one by one where layers differ in size.
    """

    layout: Layout
    spec: Program | Network

    @cached_property
    def network(self) -> Network:
        """The specification as a network."""
        return network_of(self.spec)

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The arrays of states by name, in the order in which the layout has them."""
        passes, stacks = self.network.every_pass, self.network.stacks
        order = self.layout.order_of(dict.fromkeys(name for p in passes for name in p.cell.states))
        alone = tuple(p.key + name for p in passes for name in order if name in p.cell.states)
        return tuple(order) if order[0] in stacks else alone

    def pack(self, params: Mapping[str, Array]) -> dict[str, Array]:
        """Return the specification's parameters as the target holds them."""
        packed: dict[str, Array] = {}
        for layer, p in self._passes:
            own = layer.pack(p.own(params), concat=concat_of(p.cell))
            for name, array in ((self._key(p) + name, array) for name, array in own.items()):
                packed[name] = np.concatenate([packed[name], array]) if name in packed else array
        return packed | {p.name: params[p.name].copy() for p in self.network.learned}

    def shapes(self, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the target's arrays by name, for the specification's sizes."""
        found: dict[str, tuple[int, ...]] = {}
        every = self.spec.dimensions(**sizes)
        for layer, p in self._passes:
            own = layer.shapes(p.own(every), concat=concat_of(p.cell))
            for name, shape in ((self._key(p) + name, shape) for name, shape in own.items()):
                found[name] = (found[name][0] + shape[0], *shape[1:]) if name in found else shape
        return found

    @property
    def roles(self) -> dict[str, str]:
        """The role of each array that holds all gates, W, R, b or bR, by its name; there may be none of that name."""
        if not self.layout.gates:
            return {}
        roles = ("W", "R", "b", "bR")
        return {self._key(p) + layer.names.get(role, role): role for layer, p in self._passes for role in roles}

    def unpack(self, packed: Mapping[str, Array], sizes: Mapping[str, int]) -> dict[str, Array]:
        """Return the specification's parameters from the target's arrays, among which there may be others."""
        found: dict[str, Array] = {}
        every = self.spec.dimensions(**sizes)
        for layer, p in self._passes:
            dimensions = p.own(every)
            own = self._own(packed, layer, p, dimensions)
            found |= self._named(p, layer.unpack(own, dimensions, concat=concat_of(p.cell)))
        return found | {p.name: packed[p.name] for p in self.network.learned}

    def of_pass(self, packed: Mapping[str, Array], p: Pass, sizes: Mapping[str, int]) -> dict[str, Array]:
        """Return the arrays of one layer and direction out of the target's arrays, as of a single cell."""
        layer = next(layer for layer, own in self._passes if own.key == p.key)
        return self._own(packed, layer, p, p.own(self.spec.dimensions(**sizes)))

    def unpack_gradients(self, packed: Mapping[str, Array], params: Mapping[str, Array]) -> dict[str, Array]:
        """Return the gradients of the parameters, from those of what the target holds."""
        found: dict[str, Array] = {}
        for layer, p in self._passes:
            dimensions = p.own(params)
            own = self._own(packed, layer, p, dimensions)
            found |= self._named(p, layer.unpack_gradients(own, dimensions, concat=concat_of(p.cell)))
        return found | {p.name: packed[p.name] for p in self.network.learned}

    def blank_states(self, params: Mapping[str, Array], rows: int) -> tuple[Array, ...]:
        """Return zeros in the shapes of the states, pass by pass, for so many rows."""
        return tuple(np.zeros((rows, width)) for width in state_widths(self.network, params).values())

    def to_states(self, states: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return states, or their gradients, given pass by pass, as the target holds them."""
        by_name, stacks = dict(zip(self.network.states, states, strict=True)), self.network.stacks
        return tuple(
            self.layout.to_state(by_name[array])
            if array in by_name
            else self.layout.to_stack(np.stack([by_name[name] for name in stacks[array]]))
            for array in self.states
        )

    def from_states(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the target's states pass by pass: the inverse of ``to_states``."""
        return tuple(self.from_some(dict(zip(self.states, arrays, strict=True))).values())

    def from_some(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Return some of the target's states, given by name, pass by pass by the names of the network."""
        by_name: dict[str, Array] = {}
        for name, array in arrays.items():
            if name in self.network.states:
                by_name[name] = self.layout.from_state(array)
            else:
                by_name |= zip(self.network.stacks[name], self.layout.from_stack(array), strict=True)
        return {name: by_name[name] for name in self.network.states if name in by_name}

    def to_y(self, y: Array) -> Array:
        """Return the output, or its gradient, as the target holds it."""
        to = self.layout.to_last if self.network.outputs == "last" else self.layout.to_y
        return to(y, directions=len(self.network.passes[-1]) if self.layout.stacks_directions else 1)

    def from_y(self, y: Array) -> Array:
        """Return the target's output as (T, B, size), or (B, size) of the last step."""
        return self.layout.from_last(y) if self.network.outputs == "last" else self.layout.from_y(y)

    def y_shape(self, x: Array, states: tuple[Array, ...]) -> tuple[int, ...]:
        """Return the shape of y, for x (T, B, n) and states given pass by pass."""
        top = self.network.passes[-1]
        sizes = dict(zip(self.network.states, (s.shape[-1] for s in states), strict=True))
        widths = [sizes[p.states[0]] for p in top]
        width = sum(widths) if self.network.layers[-1].merge == "concatenate" else widths[0]
        return (*x.shape[self.network.outputs == "last" : 2], width)

    @cached_property
    def _passes(self) -> list[tuple[Layout, Pass]]:
        layers = enumerate(self.network.passes)
        return [(self.layout.at(index, p.reverse), p) for index, passes in layers for p in passes]

    def _key(self, p: Pass) -> str:
        if self.layout.by_layer:
            return ""
        if not self.layout.stacks_directions:
            return p.key
        return p.key.replace("r.", ".") if len(self.network.layers) > 1 else ""

    def _own(
        self, packed: Mapping[str, Array], layout: Layout, p: Pass, dimensions: Mapping[str, Any]
    ) -> dict[str, Array]:
        """Return what belongs to one pass out of the target's arrays, by the layout's own names."""
        names = {name: self._key(p) + name for name in layout.shapes(dimensions, concat=concat_of(p.cell))}
        place = slice(None)
        if layout.stacks_directions:
            k = next(passes for passes in self.network.passes if p in passes).index(p)
            place = slice(k, k + 1)
        return {name: packed[key][place] for name, key in names.items()}

    def _named(self, p: Pass, own: Mapping[str, Array]) -> dict[str, Array]:
        return {p.key + name: array for name, array in own.items()}


@lru_cache(maxsize=256)
def held(layout: Layout, spec: Program | Network) -> Held:
    """Return a specification in a layout, the same one for every call of a target."""
    return Held(layout, spec)


@lru_cache(maxsize=256)
def concat_of(cell: Program) -> str | None:
    """Return the order of a cell's concatenation, "xh" or "hx", or None where it has separate matrices."""
    joined = next((d.expression for d in cell if isinstance(d.expression, BlockMatrix)), None)
    if joined is None:
        return None
    return "xh" if parts_of(joined)[0] in cell.inputs else "hx"
