"""What every step on the lattice costs, in flat lists: boxes, frames and texts once, wires as they come and go.

A vertex is a number; a state is a vertex entered with a heading, four times the vertex plus the heading's number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lstm_spec.draw.lattice import DIRECTIONS, Direction, Field, Spot, Tree, Vertex

BEND, CROSSING, NEAR, OUTSIDE, TEXT, FAN = 4, 30, 2, 4, 25, 6
"""What is paid, in lattice steps, for a bend, a crossing, a box beside the way, a step outside, over text or over
the lines of weights."""

MEETING = 200
"""What is paid where nets meet as they should not, if there is no other way."""

FORBIDDEN = 10**6
"""More than any way costs."""

EVERY = range(len(DIRECTIONS))
HEADING: Mapping[Direction, int] = {d: k for k, d in enumerate(DIRECTIONS)}
OPPOSITE = tuple(HEADING[-x, -y] for x, y in DIRECTIONS)
ACROSS = tuple(sum(1 << k for k, e in enumerate(DIRECTIONS) if (e[0] == 0) != (d[0] == 0)) for d in DIRECTIONS)
"""By heading: the directions in which a wire leaves a vertex that can be crossed there."""


@dataclass
class Tolls:
    """The state of the board: which vertices boxes block, which net runs where, and the price of entering a vertex.

    strict: whether nets may only cross where it looks well; without it every meeting is allowed at a price.
    """

    board: Field
    spots: Mapping[str, Spot]
    strict: bool = True
    blocked: set[int] = field(default_factory=set)
    runs: dict[int, dict[str, int]] = field(default_factory=dict)
    ground: list[int] = field(default_factory=list)
    price: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        (x0, y0), (x1, y1) = self.board.low, self.board.high
        # A forbidden rim around the board spares every step the question whether it leaves it.
        self.wide, self.tall = x1 - x0 + 3, y1 - y0 + 3
        self.offsets = tuple(dx + dy * self.wide for dx, dy in DIRECTIONS)
        # What may follow each heading: the next heading, the step, and what the bend costs.
        ways = [[(k, self.offsets[k], BEND * (k != heading)) for k in EVERY] for heading in EVERY]
        self.onward = tuple((ways[k][k],) for k in EVERY)
        self.turning = tuple(tuple(way for way in ways[k] if way[0] != OPPOSITE[k]) for k in EVERY)
        self.ground = [FORBIDDEN] * (4 * self.wide * self.tall)
        near = self._near()
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                v = self.number((x, y))
                if v not in self.blocked:
                    cost = 1 + near.get(v, 0) + self._outside(x, y)
                    self.ground[4 * v : 4 * v + 4] = [cost] * 4
        for (left, low), (right, high) in self.board.frames:
            self._forbid(((x, y) for x in (left, right) for y in range(low, high + 1)), level=0)
            self._forbid(((x, y) for y in (low, high) for x in range(left, right + 1)), level=1)
        self.price = list(self.ground)

    def number(self, v: Vertex) -> int:
        """Return the number of a vertex."""
        return v[0] - self.board.low[0] + 1 + (v[1] - self.board.low[1] + 1) * self.wide

    def vertex(self, number: int) -> Vertex:
        """Return the vertex with a number."""
        y, x = divmod(number, self.wide)
        return x + self.board.low[0] - 1, y + self.board.low[1] - 1

    def _near(self) -> dict[int, int]:
        """Note what boxes block; return what is paid beside them and over texts."""
        near: dict[int, int] = {}
        for s in self.spots.values():
            w, h = s.half_width, s.half_height
            for x in range(s.x - w - 1, s.x + w + 2):
                for y in range(s.y - h - 1, s.y + h + 2):
                    if abs(x - s.x) <= w and abs(y - s.y) <= h:
                        self.blocked.add(self.number((x, y)))
                    else:
                        near[self.number((x, y))] = NEAR
        avoided = [*((*field, TEXT) for field in self.board.texts), *((*field, FAN) for field in self.board.fans)]
        for (left, low), (right, high), cost in avoided:
            near |= {self.number((x, y)): cost for x in range(left, right + 1) for y in range(low, high + 1)}
        return near

    def _outside(self, x: int, y: int) -> int:
        frames = self.board.frames
        inside = any(left <= x <= right and low <= y <= high for (left, low), (right, high) in frames)
        return OUTSIDE if frames and not inside else 0

    def _forbid(self, line: Iterable[Vertex], *, level: int) -> None:
        """Forbid to run along the side of a frame. level: 1 for a level side, 0 for an upright one."""
        for v in line:
            for k in EVERY:
                if abs(DIRECTIONS[k][1 - level]):
                    self.ground[4 * self.number(v) + k] = FORBIDDEN

    def put(self, tree: Tree) -> None:
        """Mark where a tree runs."""
        own: dict[int, int] = {}
        for branch in tree.branches:
            mark(own, [self.number(v) for v in branch.path], self.offsets)
        for v, used in own.items():
            self.runs.setdefault(v, {})[tree.net.value] = used
        self._refresh(own)

    def take_up(self, tree: Tree) -> None:
        """Forget where a tree runs."""
        value = tree.net.value
        left = [v for v, nets in self.runs.items() if value in nets]
        for v in left:
            del self.runs[v][value]
            if not self.runs[v]:
                del self.runs[v]
        self._refresh(left)

    def crossings(self, tree: Tree) -> int:
        """Return how many other nets a tree crosses now."""
        return sum(self.number(v) in self.runs for branch in tree.branches for v in branch.path[1:-1])

    def _refresh(self, changed: Iterable[int]) -> None:
        """Set the prices where wires have changed, and beside, because nobody crosses right beside a fork."""
        for v in {v + step for v in changed for step in (0, *self.offsets)}:
            for k in EVERY:
                self.price[4 * v + k] = self.ground[4 * v + k] + self._crossing(v, k)

    def _crossing(self, v: int, heading: int) -> int:
        """Return the cost of the nets crossed at a vertex; one that runs along or bends there cannot be crossed."""
        others = self.runs.get(v)
        if not others:
            return 0
        if not self.strict:
            return MEETING
        if len(others) != 1:
            return FORBIDDEN
        ((net, used),) = others.items()
        if used != ACROSS[heading]:
            return FORBIDDEN
        beside = [self.runs.get(v + self.offsets[k], {}).get(net, 0) for k in EVERY if used >> k & 1]
        return FORBIDDEN if any(map(forks, beside)) else CROSSING


def forks(used: int) -> bool:
    """Tell whether a wire leaves a vertex in more than two directions."""
    return used.bit_count() > 2


def mark(own: dict[int, int], path: Sequence[int], offsets: Sequence[int]) -> None:
    """Add a path to the directions in which a tree leaves each of its vertices."""
    for v, w in pairwise(path):
        k = offsets.index(w - v)
        own[v] = own.get(v, 0) | 1 << k
        own[w] = own.get(w, 0) | 1 << OPPOSITE[k]
