"""Right-angled wires: each value is a tree of cheapest paths on the lattice, improved by taking up and laying again.

A path may cross another net straight on, and pays for it; it may not run along one, bend on one or touch a box.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise

from lstm_spec.draw.lattice import DIRECTIONS, Branch, Direction, Field, Net, Port, Sink, Spot, Tree, Vertex

BEND, CROSSING, JOINT, NEAR, OUTSIDE, TEXT = 4, 30, 2, 2, 4, 25
"""What is paid, in lattice steps, for a bend, a crossing, a fork, a box beside the way, a step outside or over text."""

PASSES = 2


class RoutingError(ValueError):
    """A wire that finds no way; the placing needs more room."""


@dataclass
class Router:
    """The state of the board: which vertices boxes block, and which net runs where."""

    board: Field
    spots: Mapping[str, Spot]
    blocked: set[Vertex] = field(default_factory=set)
    near: dict[Vertex, int] = field(default_factory=dict)
    runs: dict[Vertex, dict[str, set[Direction]]] = field(default_factory=dict)
    costs: dict[tuple[Vertex, Direction], float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for spot in self.spots.values():
            self._block(spot)
        for (left, low), (right, high) in self.board.texts:
            self.near |= {(x, y): TEXT for x in range(left, right + 1) for y in range(low, high + 1)}
        self.near = {v: c for v, c in self.near.items() if v not in self.blocked}

    def _block(self, s: Spot) -> None:
        w, h = s.half_width, s.half_height
        for x in range(s.x - w - 1, s.x + w + 2):
            for y in range(s.y - h - 1, s.y + h + 2):
                inside = abs(x - s.x) <= w and abs(y - s.y) <= h
                if inside and s.style != "none":
                    self.blocked.add((x, y))
                else:
                    self.near[x, y] = NEAR

    def step_cost(self, v: Vertex, w: Vertex) -> float | None:
        """Return what a step costs apart from other nets, None where it is not allowed."""
        (x0, y0), (x1, y1) = self.board.low, self.board.high
        if not (x0 <= w[0] <= x1 and y0 <= w[1] <= y1):
            return None
        outside = bool(self.board.frames)
        for (left, low), (right, high) in self.board.frames:
            along = (v[0] == w[0] in (left, right) and low <= w[1] <= high) or (
                v[1] == w[1] in (low, high) and left <= w[0] <= right
            )
            if along:
                return None
            outside &= not (left <= w[0] <= right and low <= w[1] <= high)
        return 1 + self.near.get(w, 0) + (OUTSIDE if outside else 0)

    def lay(self, net: Net, *, both_ways: bool = False) -> Tree:
        """Return the cheapest tree found for a net, the nearest sink first; raises RoutingError where there is none.

        both_ways: try the furthest sink first as well.
        """
        ends = [(s, self.spots[s.spot]) for s in net.sinks]
        source = self.spots[net.source]
        near_first = [s for s, _ in sorted(ends, key=lambda e: abs(e[1].x - source.x) + abs(e[1].y - source.y))]
        orders = [near_first, near_first[::-1]] if both_ways and len(ends) > 1 else [near_first]
        found = [tree for order in orders if (tree := self._grow(net, order)) is not None]
        if not found:
            raise RoutingError(f"no way for {net.value}")
        return min(found, key=lambda tree: tree.cost)

    def _grow(self, net: Net, sinks: Sequence[Sink]) -> Tree | None:
        own: dict[Vertex, set[Direction]] = {}
        branches, total = [], 0.0
        for sink in sinks:
            found = self._search(net, own, sink)
            if found is None:
                return None
            path, cost = found
            total += cost
            branches.append(Branch(sink, path))
            mark(own, path)
        return Tree(net, tuple(branches), total)

    def _search(
        self, net: Net, own: Mapping[Vertex, set[Direction]], sink: Sink
    ) -> tuple[tuple[Vertex, ...], float] | None:
        """Find the cheapest path from the tree so far to a sink."""
        targets: dict[Vertex, list[Port]] = {}
        spot = self.spots[sink.spot]
        for port in (sink.port,) if sink.port else spot.entries(sink.first):
            if port.at not in self.runs and port.at not in own:
                targets.setdefault(port.at, []).append(port)
        if not targets:
            return None
        low = min(v[0] for v in targets), min(v[1] for v in targets)
        high = max(v[0] for v in targets), max(v[1] for v in targets)

        def distance(v: Vertex) -> int:
            return max(low[0] - v[0], 0, v[0] - high[0]) + max(low[1] - v[1], 0, v[1] - high[1])

        heap: list[tuple[float, float, int, Vertex, Direction]] = []
        best: dict[tuple[Vertex, Direction], float] = {}
        came: dict[tuple[Vertex, Direction], tuple[Vertex, Direction] | None] = {}
        for vertex, heading, cost in self._starts(net, own):
            key = (vertex, heading)
            best[key], came[key] = cost, None
            heappush(heap, (cost + distance(vertex), -cost, len(came), vertex, heading))
        while heap:
            _, minus_cost, _, v, d = heappop(heap)
            cost = -minus_cost
            if cost > best[v, d]:
                continue
            if v in targets and came[v, d] is not None:
                return _walk(came, (v, d)), cost
            for w, heading, more in self._moves(v, d, own, targets, came[v, d] is None):
                key = (w, heading)
                if cost + more < best.get(key, float("inf")):
                    best[key], came[key] = cost + more, (v, d)
                    heappush(heap, (cost + more + distance(w), -cost - more, len(came), w, heading))
        return None

    def _starts(self, net: Net, own: Mapping[Vertex, set[Direction]]) -> Iterable[tuple[Vertex, Direction, float]]:
        if not own:
            spot = self.spots[net.source]
            for port in (net.port,) if net.port else spot.exits():
                if port.at not in self.runs:
                    yield port.at, port.heading, port.cost
        for v, used in own.items():
            if v in self.blocked or v in self.runs or self._crowded(v, used, own):
                continue
            for d in DIRECTIONS:
                if d not in used:
                    yield v, d, JOINT

    def _crowded(self, v: Vertex, used: set[Direction], own: Mapping[Vertex, set[Direction]]) -> bool:
        """Tell whether a fork has a crossing or another fork of the tree right beside it, which leaves it no room."""
        beside = [(v[0] + d[0], v[1] + d[1]) for d in used]
        return any(w in self.runs or len(own.get(w, ())) > 2 for w in beside)

    def _moves(
        self,
        v: Vertex,
        d: Direction,
        own: Mapping[Vertex, set[Direction]],
        targets: Mapping[Vertex, list[Port]],
        start: bool,
    ) -> Iterable[tuple[Vertex, Direction, float]]:
        straight_only = start or v in self.runs
        for heading in (d,) if straight_only else DIRECTIONS:
            if heading == (-d[0], -d[1]):
                continue
            w = v[0] + heading[0], v[1] + heading[1]
            bend = 0 if heading == d else BEND
            ports = [p for p in targets.get(w, ()) if p.heading == heading]
            if ports:
                yield w, heading, 1 + bend + ports[0].cost
                continue
            if w in self.blocked or w in own or (start and w in self.runs):
                continue
            step = (v, heading)
            if step not in self.costs:
                self.costs[step] = self.step_cost(v, w)
            cost = self.costs[step]
            if cost is None:
                continue
            crossed = self._crossed(w, heading)
            if crossed is not None:
                yield w, heading, cost + bend + crossed

    def _crossed(self, w: Vertex, heading: Direction) -> float | None:
        """Return the cost of the nets crossed at a vertex, None where one runs along or bends."""
        others = self.runs.get(w)
        if not others:
            return 0
        across = {(heading[1], heading[0]), (-heading[1], -heading[0])}
        if len(others) != 1:
            return None
        ((net, used),) = others.items()
        forks = any(len(self.runs.get((w[0] + d[0], w[1] + d[1]), {}).get(net, ())) > 2 for d in used)
        return CROSSING if used == across and not forks else None

    def put(self, tree: Tree) -> None:
        """Mark where a tree runs."""
        own: dict[Vertex, set[Direction]] = {}
        for branch in tree.branches:
            mark(own, branch.path)
        for v, used in own.items():
            self.runs.setdefault(v, {})[tree.net.value] = used

    def take_up(self, tree: Tree) -> None:
        """Forget where a tree runs."""
        for v in [v for v, nets in self.runs.items() if nets.pop(tree.net.value, None) and not nets]:
            del self.runs[v]


def mark(own: dict[Vertex, set[Direction]], path: Sequence[Vertex]) -> None:
    """Add a path to the directions in which a tree leaves each of its vertices."""
    for v, w in pairwise(path):
        d = w[0] - v[0], w[1] - v[1]
        own.setdefault(v, set()).add(d)
        own.setdefault(w, set()).add((-d[0], -d[1]))


def _walk(
    came: Mapping[tuple[Vertex, Direction], tuple[Vertex, Direction] | None], end: tuple[Vertex, Direction]
) -> tuple[Vertex, ...]:
    path = []
    key: tuple[Vertex, Direction] | None = end
    while key is not None:
        path.append(key[0])
        key = came[key]
    return tuple(reversed(path))


def _is_straight(tree: Tree) -> bool:
    """Tell whether a tree is one straight line, which nothing can better."""
    (x0, y0), (x1, y1) = tree.branches[0].path[0], tree.branches[0].path[-1]
    return len(tree.branches) == 1 and (x0 == x1 or y0 == y1) and tree.cost < CROSSING


def route(board: Field, spots: Mapping[str, Spot], nets: Sequence[Net]) -> dict[str, Tree]:
    """Return a tree for every net by its value; raises RoutingError where one finds no way."""
    router = Router(board, spots)
    trees: dict[str, Tree] = {}

    def span(net: Net) -> tuple[int, int]:
        s = spots[net.source]
        return net.rank, sum(abs(spots[k.spot].x - s.x) + abs(spots[k.spot].y - s.y) for k in net.sinks)

    ordered = sorted(nets, key=span)
    for net in ordered:
        trees[net.value] = router.lay(net)
        router.put(trees[net.value])
    for _ in range(PASSES):
        changed = False
        for net in ordered:
            old = trees[net.value]
            if _is_straight(old):
                continue
            router.take_up(old)
            new = router.lay(net, both_ways=True)
            if new.cost < old.cost - 1e-9:
                trees[net.value], changed = new, True
            router.put(trees[net.value])
        if not changed:
            break
    return trees
