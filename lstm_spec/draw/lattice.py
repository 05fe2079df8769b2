"""What the router works on: boxes with ports on a lattice, and the nets that join them.

A lattice step is ``STEP`` points; every border and every wire lies on lattice lines.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

STEP = 12
"""Points between neighbouring lattice lines, so the least distance between parallel wires."""

Vertex = tuple[int, int]
Direction = tuple[int, int]
EAST, NORTH, WEST, SOUTH = (1, 0), (0, 1), (-1, 0), (0, -1)
DIRECTIONS = (EAST, NORTH, WEST, SOUTH)

Style = Literal["layer", "beside", "circle", "rail", "bar", "west", "east", "south", "north", "free", "flow"]
"""How a spot takes wires: a layer from below and the sides, upwards out; a circle anywhere; a bar from the left; …"""


@dataclass(frozen=True)
class Port:
    """A way in or out: the vertex on the border, the direction of travel, and what using it costs."""

    at: Vertex
    heading: Direction
    cost: int = 0


@dataclass(frozen=True)
class Spot:
    """A box on the lattice: centre and half extents in steps; fan: how many wires come in at the regular side."""

    id: str
    x: int
    y: int
    half_width: int
    half_height: int
    style: Style
    fan: int = 1

    def sides(self, heading: Direction, *, into: bool) -> Vertex:
        """Return the middle of the side through which one travels into or out of the box with a heading."""
        sign = -1 if into else 1
        return self.x + sign * heading[0] * self.half_width, self.y + sign * heading[1] * self.half_height

    def port(self, heading: Direction, cost: int, *, into: bool) -> Port:
        """Return the port in the middle of a side."""
        return Port(self.sides(heading, into=into), heading, cost)

    def entries(self, first: bool) -> tuple[Port, ...]:
        """Return the ways in. first: whether it is the state that runs along a rail."""
        return _ENTRIES[self.style](self, first)

    def exits(self) -> tuple[Port, ...]:
        """Return the ways out."""
        return _EXITS[self.style](self)


def _spread(count: int, half: int) -> list[int]:
    """Return ``count`` offsets around 0, two steps apart where there is room."""
    step = 2 if count <= half + 1 else 1
    return [step * k - step * (count - 1) // 2 for k in range(count)]


def _into_layer(s: Spot, first: bool) -> tuple[Port, ...]:
    below = [Port((s.x + dx, s.y - s.half_height), NORTH) for dx in _spread(s.fan, s.half_width - 1)]
    sides = [
        Port((s.x - d[0] * s.half_width, s.y + dy), d, cost + 3 * abs(dy))
        for d, cost in ((EAST, 1), (WEST, 8))
        for dy in range(1 - s.half_height, s.half_height)
    ]
    return (*below, *sides)


def _into_bar(s: Spot, first: bool) -> tuple[Port, ...]:
    return tuple(Port((s.x - s.half_width, s.y + dy), EAST) for dy in _spread(s.fan, s.half_height))


def _out_of_bar(s: Spot) -> tuple[Port, ...]:
    return (Port((s.x + s.half_width, s.y), EAST),)


def _out_of_split(s: Spot) -> tuple[Port, ...]:
    return tuple(Port((s.x - s.half_width, s.y + dy), WEST) for dy in _spread(s.fan, s.half_height))


def _ports(into: bool, *costs: tuple[Direction, int]):  # type: ignore[no-untyped-def]
    def ports(s: Spot, first: bool = False) -> tuple[Port, ...]:
        return tuple(s.port(d, cost, into=into) for d, cost in costs)

    return ports


def _into_rail(s: Spot, first: bool) -> tuple[Port, ...]:
    headings = ((EAST, 0),) if first else ((NORTH, 0), (SOUTH, 4))
    return tuple(s.port(d, cost, into=True) for d, cost in headings)


_ANYWHERE = ((EAST, 0), (NORTH, 0), (SOUTH, 0), (WEST, 3))
_ENTRIES = {
    "flow": _into_bar,
    "layer": _into_layer,
    "beside": _ports(True, (EAST, 0), (NORTH, 4), (SOUTH, 4)),
    "circle": _ports(True, *_ANYWHERE),
    "free": _ports(True, *_ANYWHERE),
    "rail": _into_rail,
    "bar": _into_bar,
    "east": _ports(True, (EAST, 0)),
    "west": _ports(True, (WEST, 0)),
    "north": _ports(True, (NORTH, 0)),
    "south": _ports(True, (SOUTH, 0)),
}
_EXITS = {
    "flow": _out_of_bar,
    "layer": _ports(False, (NORTH, 0)),
    "beside": _ports(False, (EAST, 0)),
    "circle": _ports(False, (EAST, 0), (NORTH, 0), (SOUTH, 3), (WEST, 4)),
    "free": _ports(False, *_ANYWHERE),
    "rail": _ports(False, (EAST, 0)),
    "bar": _out_of_bar,
    "east": _ports(False, (EAST, 0)),
    "west": _ports(False, (WEST, 0)),
    "north": _ports(False, (NORTH, 0)),
    "south": _ports(False, (SOUTH, 0)),
}


@dataclass(frozen=True)
class Sink:
    """An end of a net: a spot; ``first`` marks the state that enters a rail operation from the left; a fixed port."""

    spot: str
    first: bool = False
    port: Port | None = None


@dataclass(frozen=True)
class Net:
    """One value: the spot that makes it and the spots that read it.

    rank: the smaller the earlier it is routed; port: where it leaves its spot, None for the usual way out.
    """

    value: str
    source: str
    sinks: tuple[Sink, ...]
    rank: int = 1
    port: Port | None = None


@dataclass(frozen=True)
class Field:
    """The lattice itself: its corners, the frames (low, high) whose lines may be crossed but not followed, and the
    fields (low, high) that wires had better avoid, because text stands there or the lines of weights fan out."""

    low: Vertex
    high: Vertex
    frames: tuple[tuple[Vertex, Vertex], ...] = ()
    texts: tuple[tuple[Vertex, Vertex], ...] = ()
    fans: tuple[tuple[Vertex, Vertex], ...] = ()


def names_at_sides(spots: Iterable[Spot], low: Vertex, high: Vertex) -> tuple[tuple[Vertex, Vertex], ...]:
    """Return the columns of the names left and right on a field, around which no wire should make its way."""
    names = [s for s in spots if s.style in ("east", "west")]
    left = max(s.x + s.half_width for s in names if 2 * s.x < low[0] + high[0])
    right = min(s.x - s.half_width for s in names if 2 * s.x > low[0] + high[0])
    return (low, (left - 1, high[1])), ((right + 1, low[1]), high)


@dataclass(frozen=True)
class Branch:
    """A path on the lattice from the source, or from a joint of the tree, to one sink."""

    sink: Sink
    path: tuple[Vertex, ...]


@dataclass(frozen=True)
class Tree:
    """The routed net: its branches in the order in which they leave, and what it costs apart from crossings."""

    net: Net
    branches: tuple[Branch, ...]
    length: int
