"""The one geometry of a wire that every output writes: cubic Bézier pieces with round corners and hop arcs."""

from dataclasses import dataclass
from math import hypot

from lstm_spec.draw.scene import Point, Wire

CORNER, HOP, TIP, GAP = 5.0, 4.2, 5.2, 1.0
"""Radius of corners and of hops; length of an arrow tip; how far outside the border it ends; all in points."""

_ROUND = 0.5523
"""The handle of a cubic piece that approximates a quarter of a circle, relative to the radius."""


@dataclass(frozen=True)
class Curve:
    """start: where it begins; pieces: (handle, handle, end) each; tip: the point of the arrow, None without one."""

    start: Point
    pieces: tuple[tuple[Point, Point, Point], ...]
    tip: Point | None

    @property
    def end(self) -> Point:
        """Where the line ends, which is the base of the arrow."""
        return self.pieces[-1][2]


def curve(wire: Wire) -> Curve:
    """Return the curve of a wire: right angles are rounded, crossings hop, the tip stops short of the node."""
    points = _without_repeats(wire.points)
    heading = _unit(points[-2], points[-1])
    tip = _along(points[-1], heading, -GAP) if wire.arrow else None
    last = _along(points[-1], heading, -GAP - TIP) if wire.arrow else points[-1]
    corners = [*points[:-1], last]
    pieces: list[tuple[Point, Point, Point]] = []
    here = points[0]
    for k in range(1, len(corners)):
        goal = corners[k]
        direction = _unit(corners[k - 1], points[k])
        turn = _unit(points[k], points[k + 1]) if k + 1 < len(corners) else None
        before = _along(goal, direction, -_radius(points, k, wire.sharp)) if turn else goal
        for hop in sorted((h for h in wire.hops if _on(here, before, h)), key=lambda h: _distance(here, h)):
            near = _along(hop, direction, -HOP)
            pieces += [_straight(here, near), *_arc(near, hop, direction)]
            here = _along(hop, direction, HOP)
        if _distance(here, before) > 1e-6:
            pieces.append(_straight(here, before))
        here = before
        if turn and goal not in wire.sharp:
            after = _along(goal, turn, _radius(points, k, wire.sharp))
            pieces.append((_toward(before, goal), _toward(after, goal), after))
            here = after
    return Curve(points[0], tuple(pieces), tip)


def _radius(points: tuple[Point, ...], k: int, sharp: tuple[Point, ...]) -> float:
    if points[k] in sharp:
        return 0
    return min(CORNER, _distance(points[k - 1], points[k]) / 2, _distance(points[k], points[k + 1]) / 2)


def _arc(start: Point, hop: Point, direction: Point) -> list[tuple[Point, Point, Point]]:
    """Return a half circle over a crossing, to the right of an upward wire."""
    side = (abs(direction[1]), abs(direction[0]))
    summit = _along(hop, side, HOP)
    end = _along(hop, direction, HOP)
    lift, pull = HOP * _ROUND, HOP * _ROUND
    return [
        (_along(start, side, lift), _along(summit, direction, -pull), summit),
        (_along(summit, direction, pull), _along(end, side, lift), end),
    ]


def _straight(a: Point, b: Point) -> tuple[Point, Point, Point]:
    return _mix(a, b, 1 / 3), _mix(a, b, 2 / 3), b


def _toward(point: Point, corner: Point) -> Point:
    return _mix(point, corner, _ROUND)


def _mix(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _along(p: Point, direction: Point, length: float) -> Point:
    return p[0] + direction[0] * length, p[1] + direction[1] * length


def _distance(a: Point, b: Point) -> float:
    return hypot(a[0] - b[0], a[1] - b[1])


def _unit(a: Point, b: Point) -> Point:
    length = _distance(a, b)
    return (b[0] - a[0]) / length, (b[1] - a[1]) / length


def _on(a: Point, b: Point, p: Point) -> bool:
    return abs(_distance(a, p) + _distance(p, b) - _distance(a, b)) < 1e-6


def _without_repeats(points: tuple[Point, ...]) -> tuple[Point, ...]:
    kept = [points[0]]
    for p in points[1:]:
        if _distance(kept[-1], p) > 1e-6:
            kept.append(p)
    return tuple(kept)
