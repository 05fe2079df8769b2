"""Right-angled wires: each value is a tree of cheapest paths on the lattice, improved by taking up and laying again.

A path may cross another net straight on, and pays for it; it may not run along one, bend on one or touch a box.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush

from lstm_spec.draw.lattice import DIRECTIONS, Branch, Field, Net, Port, Sink, Spot, Tree
from lstm_spec.draw.tolls import BEND, CROSSING, EVERY, FORBIDDEN, HEADING, Tolls, forks, mark

JOINT = 2
"""What is paid, in lattice steps, for a fork."""

PASSES, RESTARTS = 3, 3
"""How often all nets are improved; how often one that found no way is laid before all others."""

BITS, MASK = 32, (1 << 32) - 1
"""A place in the queue is one number: what a way costs at least, what it has cost (the dearest first), its age."""


def _bends(heading: int, east: int, north: int) -> int:
    """Return how often one has to bend at least. east, north: the sign of the way still to go."""
    x, y = DIRECTIONS[heading]
    return 2 if x * east + y * north < 0 else int(x * north + y * east != 0)


LEAST = tuple(tuple(BEND * _bends(k, e, n) for e in (-1, 0, 1) for n in (-1, 0, 1)) for k in EVERY)
"""The least that bends will cost, by heading and by the signs of the way to go."""


class RoutingError(ValueError):
    """A wire that finds no way; the placing needs more room."""


@dataclass(frozen=True)
class Goal:
    """Where a path may end: the price of each last state, and by column and row how far it is at least.

    far: the steps to go; sign: the part of the index into LEAST.
    """

    states: Mapping[int, int]
    far_x: Sequence[int]
    far_y: Sequence[int]
    sign_x: Sequence[int]
    sign_y: Sequence[int]


@dataclass(frozen=True)
class Router:
    """Lays trees on a board with tolls."""

    tolls: Tolls

    def lay(self, net: Net, *, both_ways: bool = False, below: int = FORBIDDEN) -> Tree | None:
        """Return the cheapest tree found for a net, the nearest sink first; None where there is none.

        both_ways: try the furthest sink first as well; below: what it has to cost less than.
        """
        spots = self.tolls.spots
        source = spots[net.source]
        near_first = sorted(net.sinks, key=lambda s: abs(spots[s.spot].x - source.x) + abs(spots[s.spot].y - source.y))
        orders = [near_first, near_first[::-1]] if both_ways and len(near_first) > 1 else [near_first]
        found: Tree | None = None
        for order in orders:
            found = self._grow(net, order, self.cost(found) if found else below) or found
        return found

    def cost(self, tree: Tree) -> int:
        """Return what a tree costs now, beside the nets that run at present."""
        return tree.length + CROSSING * self.tolls.crossings(tree)

    def _grow(self, net: Net, sinks: Sequence[Sink], below: int) -> Tree | None:
        own: dict[int, int] = {}
        branches, total = [], 0
        for sink in sinks:
            found = self._search(net, own, sink, below - total)
            if found is None:
                return None
            path, cost = found
            total += cost
            mark(own, path, self.tolls.offsets)
            branches.append(Branch(sink, tuple(map(self.tolls.vertex, path))))
        tree = Tree(net, tuple(branches), total)
        return replace(tree, length=total - CROSSING * self.tolls.crossings(tree))

    def _search(self, net: Net, own: Mapping[int, int], sink: Sink, below: int) -> tuple[list[int], int] | None:
        """Find the cheapest path from the tree so far to a sink, best first by what it costs at least."""
        goal = self._goal(sink, own)
        if goal is None:
            return None
        runs = self.tolls.runs if self.tolls.strict else {}
        ends, far_x, far_y, sign_x, sign_y = goal.states, goal.far_x, goal.far_y, goal.sign_x, goal.sign_y
        wide, onward, turning = self.tolls.wide, self.tolls.onward, self.tolls.turning
        price = self._prices(own, ends)
        best, cheapest = [below] * len(price), [FORBIDDEN] * (len(price) // 4)
        came: dict[int, int] = {}
        heap: list[int] = []
        queued: list[int] = []
        for state, cost in self._starts(net, own):
            y, x = divmod(state >> 2, wide)
            best[state], came[state] = cost, -1
            least = cost + far_x[x] + far_y[y] + LEAST[state & 3][sign_x[x] + sign_y[y]]
            heappush(heap, (((least << BITS) - cost) << BITS) + len(queued))
            queued.append(state)
        while heap:
            key = heappop(heap)
            state = queued[key & MASK]
            cost = -(key >> BITS) & MASK
            if cost > best[state]:
                continue
            start = came[state] < 0
            if state in ends and not start:
                return _walk(came, state), cost
            v = state >> 2
            for k, step, bend in onward[state & 3] if start or v in runs else turning[state & 3]:
                w = v + step
                entered = 4 * w + k
                reached = cost + price[entered] + bend
                # One who came to w another way and turns there may be cheaper, wherever this one goes.
                if reached >= best[entered] or reached > cheapest[w] + BEND:
                    continue
                y, x = divmod(w, wide)
                least = reached + far_x[x] + far_y[y] + LEAST[k][sign_x[x] + sign_y[y]]
                if least >= below or (start and w in runs and entered not in ends):
                    continue
                if reached < cheapest[w]:
                    cheapest[w] = reached
                best[entered], came[entered] = reached, state
                heappush(heap, (((least << BITS) - reached) << BITS) + len(queued))
                queued.append(entered)
        return None

    def _prices(self, own: Mapping[int, int], ends: Mapping[int, int]) -> list[int]:
        """Return the prices for a path that may not come back to its tree, and may enter where it ends."""
        price = self.tolls.price.copy()
        for v in own:
            price[4 * v : 4 * v + 4] = [FORBIDDEN] * 4
        for state, cost in ends.items():
            price[state] = 1 + cost
        return price

    def _goal(self, sink: Sink, own: Mapping[int, int]) -> Goal | None:
        """Return where a path to a sink may end, None where every way in is taken."""
        t = self.tolls
        states: dict[int, int] = {}
        for port in (sink.port,) if sink.port else t.spots[sink.spot].entries(sink.first):
            if ((v := t.number(port.at)) not in t.runs and v not in own) or not t.strict:
                states.setdefault(self._state(port), port.cost)
        if not states:
            return None
        places = [divmod(state >> 2, t.wide) for state in states]
        (low, high), (left, right) = ((min(of), max(of)) for of in zip(*places, strict=True))
        return Goal(
            states,
            [max(left - x, 0, x - right) for x in range(t.wide)],
            [max(low - y, 0, y - high) for y in range(t.tall)],
            [3 * ((x < left) - (x > right) + 1) for x in range(t.wide)],
            [(y < low) - (y > high) + 1 for y in range(t.tall)],
        )

    def _state(self, port: Port) -> int:
        return 4 * self.tolls.number(port.at) + HEADING[port.heading]

    def _starts(self, net: Net, own: Mapping[int, int]) -> Iterator[tuple[int, int]]:
        t = self.tolls
        if not own:
            for port in (net.port,) if net.port else t.spots[net.source].exits():
                if t.number(port.at) not in t.runs or not t.strict:
                    yield self._state(port), port.cost
        for v, used in own.items():
            free = v not in t.runs and not self._crowded(v, used, own)
            if v not in t.blocked and (free or not t.strict):
                yield from ((4 * v + k, JOINT) for k in EVERY if not used >> k & 1)

    def _crowded(self, v: int, used: int, own: Mapping[int, int]) -> bool:
        """Tell whether a fork has a crossing or another fork of the tree right beside it, which leaves it no room."""
        beside = [v + self.tolls.offsets[k] for k in EVERY if used >> k & 1]
        return any(w in self.tolls.runs or forks(own.get(w, 0)) for w in beside)


def _walk(came: Mapping[int, int], state: int) -> list[int]:
    """Return the vertices on the way to a state."""
    path = []
    while state >= 0:
        path.append(state >> 2)
        state = came[state]
    return path[::-1]


def route(board: Field, spots: Mapping[str, Spot], nets: Sequence[Net], *, strict: bool = True) -> dict[str, Tree]:
    """Return a tree for every net by its value; raises RoutingError where one finds no way.

    strict: as for Tolls.
    """

    def urgency(net: Net) -> tuple[bool, int, int]:
        """What goes straight up or down to one sink is first: it has no other way as short, and little room."""
        s, ends = spots[net.source], [spots[sink.spot] for sink in net.sinks]
        straight = len(ends) == 1 and ends[0].x == s.x
        return not straight, net.rank, sum(abs(end.x - s.x) + abs(end.y - s.y) for end in ends)

    ordered = sorted(nets, key=urgency)
    for _ in range(RESTARTS):
        tolls = Tolls(board, spots, strict)
        trees, stuck = _lay_all(Router(tolls), ordered)
        if stuck is None:
            _improve(Router(tolls), ordered, trees)
            return trees
        ordered = [stuck, *(net for net in ordered if net is not stuck)]
    raise RoutingError(f"no way for {ordered[0].value}")


def _lay_all(router: Router, ordered: Sequence[Net]) -> tuple[dict[str, Tree], Net | None]:
    """Lay the nets one after the other; return their trees, and the one that found no way."""
    trees: dict[str, Tree] = {}
    for net in ordered:
        tree = router.lay(net)
        if tree is None:
            return trees, net
        trees[net.value] = tree
        router.tolls.put(tree)
    return trees, None


def _improve(router: Router, ordered: Sequence[Net], trees: dict[str, Tree]) -> None:
    """Take up each net and lay it anew where that is cheaper, until none has changed since it was its turn."""
    unchanged = 0
    for net in PASSES * tuple(ordered):
        old = trees[net.value]
        router.tolls.take_up(old)
        new = router.lay(net, both_ways=True, below=router.cost(old))
        router.tolls.put(new or old)
        trees[net.value] = new or old
        unchanged = 0 if new else unchanged + 1
        if unchanged == len(ordered):
            break
