"""Places for labels: each along its own wire where it touches no box, no wire and no other label."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product

from lstm_spec.draw.scene import Joint, Label, Node, Panel, Point, Wire
from lstm_spec.draw.text import Text, width

SIZE, FURTHER, FURTHEST = 9.0, 5.0, 12.0
"""Font size in points; how much further from its wire a label stands that finds no room right beside it, or nearly."""

LEADING = 1.25
"""Distance between the lines of a label relative to their size."""

Wording = tuple[Text, ...]
"""What a label says, line by line."""

CLEAR = 12.0
"""How much longer than a label the way is that has room for it, in points, with a tip at its end."""

_SHARES = (0.5, 0.35, 0.65, 0.22, 0.78, 0.1, 0.9, 0.42, 0.58, 0.28, 0.72, 0.16, 0.84)


@dataclass(frozen=True)
class Lack:
    """A label that found no room: its value, and by how many points the picture is too narrow at which abscissa."""

    value: str
    x: float
    points: float


@dataclass(frozen=True)
class Rect:
    """A rectangle in points, by its lower left and upper right corner."""

    left: float
    low: float
    right: float
    high: float

    def grown(self, by: float) -> "Rect":
        """Return the rectangle with a margin on every side."""
        return Rect(self.left - by, self.low - by, self.right + by, self.high + by)

    def touches(self, other: "Rect") -> bool:
        """Tell whether two rectangles have an area in common."""
        return self.left < other.right and other.left < self.right and self.low < other.high and other.low < self.high


def around(center: Point, width: float, height: float) -> Rect:
    """Return the rectangle around a centre."""
    return Rect(center[0] - width / 2, center[1] - height / 2, center[0] + width / 2, center[1] + height / 2)


def box(label: Label) -> Rect:
    """Return the rectangle of a label's text."""
    return around(label.center, label.width, label.height)


def segments(wires: Iterable[Wire]) -> list[tuple[Point, Point]]:
    """Return the straight parts of wires."""
    return [(a, b) for wire in wires for a, b in zip(wire.points, wire.points[1:], strict=False) if a != b]


def strip(a: Point, b: Point) -> Rect:
    """Return a straight part as a thin rectangle."""
    return Rect(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])).grown(1.5)


def edges(panel: Panel) -> list[Rect]:
    """Return the four sides of a panel as thin rectangles."""
    (x0, y0), (x1, y1) = panel.low, panel.high
    corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    return [strip(a, b) for a, b in zip(corners, (*corners[1:], corners[0]), strict=True)]


def tip(wire: Wire) -> Rect:
    """Return the room that the tip of an arrow takes."""
    (x0, y0), (x, y) = wire.points[-2:]
    if y0 == y:
        return strip((x, y), (x + (8 if x0 > x else -8), y)).grown(1.5)
    return strip((x, y), (x, y + (8 if y0 > y else -8))).grown(1.5)


def place_labels(
    texts: Sequence[tuple[str, Sequence[Wording]]],
    wires: Sequence[Wire],
    joints: Sequence[Joint],
    nodes: Sequence[Node],
    panels: Sequence[Panel],
    fixed: Sequence[Rect] = (),
) -> tuple[list[Label], list[Lack]]:
    """Return the labels, one a line, for every (value, wordings) along its wires, and those that found no room.

    The first wording that fits is taken; values with the fewest free places choose first.
    """
    obstacles = [strip(a, b) for a, b in segments(wires)]
    for wire in wires:
        obstacles.extend(around(hop, 10, 10) for hop in wire.hops)
        if wire.arrow:
            obstacles.append(tip(wire))
    obstacles += [around(joint.at, 7, 7) for joint in joints]
    obstacles += [around(n.center, n.width, n.height).grown(1) for n in nodes]
    obstacles += [side for panel in panels for side in edges(panel)]
    obstacles += fixed
    own = {value: [wire for wire in wires if wire.value == value] for value, _ in texts}

    def free(value: str, wording: Wording, away: Sequence[float]) -> Iterator[tuple[Wording, Rect]]:
        places = _candidates(wording, own[value], away)
        return ((wording, room) for room in places if not any(room.touches(o) for o in obstacles))

    near = {value: [list(free(value, said, (0.0, FURTHER))) for said in wordings] for value, wordings in texts}
    wordings_of = dict(texts)
    placed: dict[str, tuple[Wording, Rect]] = {}
    for value in sorted(near, key=lambda v: [len(some) for some in near[v]]):
        far = (place for said in wordings_of[value] for place in free(value, said, (FURTHEST,)))
        candidates = chain(*near[value], far)
        others = [room for _, room in placed.values()]
        fitting = ((c, r) for c, r in candidates if not any(r.grown(1.5).touches(other) for other in others))
        chosen = next(fitting, None)
        if chosen is not None:
            placed[value] = chosen
    missing = [(value, min(wordings, key=_width)) for value, wordings in texts if value not in placed]
    boxes = [*(around(n.center, n.width, n.height) for n in nodes), *(strip(a, b) for a, b in segments(wires))]
    labels = [label for value, place in placed.items() for label in _lines(value, *place)]
    return labels, [_lack(value, said, own[value], boxes) for value, said in missing]


def _width(wording: Wording) -> float:
    return max(width(line, SIZE) for line in wording)


def _lines(value: str, wording: Wording, room: Rect) -> Iterator[Label]:
    """Yield the lines of a label from the top."""
    top, x = room.high - Label(value, (), (0, 0), SIZE).height / 2, (room.left + room.right) / 2
    for number, line in enumerate(wording):
        yield Label(value, line, (x, top - number * LEADING * SIZE), SIZE)


def _lack(value: str, wording: Wording, wires: Sequence[Wire], boxes: Sequence[Rect]) -> Lack:
    """Return what a label lacks on the longest straight part of its own wires, or right of it."""
    (x, y), (end, high) = max(segments(wires), key=lambda s: abs(s[0][0] - s[1][0]) + abs(s[0][1] - s[1][1]))
    wanted, middle = _width(wording) + CLEAR, (y + high) / 2
    if y == high:
        return Lack(value, (x + end) / 2, wanted - abs(end - x))
    level = [b.left for b in boxes if b.left > x and b.low < middle + SIZE and middle - SIZE < b.high]
    return Lack(value, x, wanted - min((left - x for left in level), default=wanted))


def _candidates(wording: Wording, wires: Sequence[Wire], away: Sequence[float]) -> Iterator[Rect]:
    """Return places for a label, the best first: near the source, above or to the right, in the middle.

    away: how much further from the wire than right beside it.
    """
    ranked: list[tuple[float, Rect]] = []
    wide = _width(wording)
    high = Label("", (), (0, 0), SIZE).height + (len(wording) - 1) * LEADING * SIZE
    for number, (a, b) in enumerate(segments(wires)):
        length = abs(a[0] - b[0]) + abs(a[1] - b[1])
        flat = a[1] == b[1]
        reach = wide if flat else high
        for position, share in enumerate(_SHARES):
            x, y = a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
            for side, further in product((1, -1), away):
                off = side * ((high / 2 + 1.6 + further) if flat else (wide / 2 + 4 + further))
                center = (x, y + off) if flat else (x + off, y)
                penalty = number + 0.6 * position + (0.8 if side < 0 else 0) + (6 if reach > length else 0) + further
                ranked.append((penalty, around(center, wide, high)))
    return (rect for _, rect in sorted(ranked, key=lambda r: r[0]))
