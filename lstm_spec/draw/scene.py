"""What a picture consists of, with every position in points, y upwards; the outputs only write it down."""

from dataclasses import dataclass
from typing import Literal

from lstm_spec.draw.text import Text, width

Point = tuple[float, float]
Kind = Literal[
    "layer",
    "neuron",
    "product",
    "sum",
    "function",
    "constant",
    "concat",
    "split",
    "copy",
    "terminal",
    "cell",
    "more",
    "entry",
    "vector",
]
"""A role: learned boxes, single neurons, pointwise circles, bars, the names at the ends of wires, whole cells, …"""

Flow = Literal["state", "value", "state_gradient", "gradient", "weight"]
"""What runs along a wire: a state on its rail, any other value, and their gradients; or a single weight."""


ROW = 1.4
"""Height of a row relative to its font size in Graphviz, which lowers subscripts further than SVG does."""


@dataclass(frozen=True)
class Line:
    """A line of text inside a node: the text and its size in points."""

    text: Text
    size: float

    @property
    def width(self) -> float:
        """Its width in points."""
        return width(self.text, self.size)

    @property
    def row(self) -> int:
        """Its height in points as a row in Graphviz."""
        return round(ROW * self.size)


@dataclass(frozen=True)
class Node:
    """Something with a place: id, role, the equation it comes from, centre and size in points, its lines of text."""

    id: str
    kind: Kind
    center: Point
    width: float
    height: float
    lines: tuple[Line, ...] = ()
    equation: str = ""
    title: str = ""


@dataclass(frozen=True)
class Wire:
    """One branch of a value's tree: from a node, or from a joint on the tree, to a node.

    points: the corners, first to last; hops: where it arcs over other wires; sharp: corners that are not rounded,
    because another branch leaves there; arrow: whether it ends in a tip.
    """

    source: str
    target: str
    value: str
    points: tuple[Point, ...]
    hops: tuple[Point, ...] = ()
    sharp: tuple[Point, ...] = ()
    flow: Flow = "value"
    arrow: bool = True
    title: str = ""


@dataclass(frozen=True)
class Joint:
    """A visible dot where a value is copied."""

    at: Point
    value: str
    flow: Flow = "value"


@dataclass(frozen=True)
class Label:
    """Free text: what it belongs to (a value, or "" for a note), the centre of its box, its size in points.

    flush: whether it begins where its box begins, also in a narrower font.
    """

    of: str
    text: Text
    center: Point
    size: float
    flush: bool = False

    @property
    def width(self) -> float:
        """The width of its box in points."""
        return width(self.text, self.size)

    @property
    def height(self) -> float:
        """The height of its box in points."""
        return 1.2 * self.size


@dataclass(frozen=True)
class Panel:
    """The rounded field behind a cell: lower left and upper right corner, and its title."""

    id: str
    low: Point
    high: Point
    title: Label | None = None


@dataclass(frozen=True)
class Scene:
    """A whole picture: what it shows in a word and in a sentence, and its parts."""

    name: str
    title: str
    description: str
    nodes: tuple[Node, ...]
    wires: tuple[Wire, ...] = ()
    joints: tuple[Joint, ...] = ()
    labels: tuple[Label, ...] = ()
    panels: tuple[Panel, ...] = ()
    legend: tuple["LegendItem", ...] = ()
    highlight: frozenset[str] = frozenset()


@dataclass(frozen=True)
class LegendItem:
    """A sample of a role or of a flow, with its meaning; the place of both is fixed."""

    sample: Kind | Flow | Literal["joint"]
    at: Point
    label: Label
