"""Small plots as inline SVG, coloured by the style sheet of the page: lines, a map of errors, counts, a bar."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lstm_spec.report.markup import Markup, tag
from lstm_spec.verify.evidence import Evidence
from lstm_spec.verify.search import RATIOS

WIDE, HIGH = 440.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 10.0, 12.0, 36.0
_STEPS = (0.1, 1.0, 10.0, 1000.0)
"""Up to what error over allowed error a square of the map has which shade; of more it has the last."""

MOST_ACROSS, MOST_DOWN = 60, 40
_LARGEST = 26.0
_DECADES = (-3.0, 3.0)

Array = NDArray[np.float64]
Scale = Callable[[float], float]


def path(points: Iterable[tuple[float, float]]) -> str:
    """Return a line through points as SVG writes it, broken where one of them is no number."""
    words, fresh = [], True
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y)):
            fresh = True
            continue
        words.append(f"{'M' if fresh else 'L'}{_short(x)} {_short(y)}")
        fresh = False
    return "".join(words)


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Return round numbers between two, both included where they are round.

    >>> ticks(0.0, 1.0)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 2.5, 5, 10) if k * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, math.floor(high / step + 1e-9) + 1)]


def lines(seen: Evidence) -> Markup:
    """Return what was expected and what came through the deviation: by step, or else by unit or column."""
    order = [*(k for k, name in enumerate(seen.axes) if name == "step"), *reversed(range(seen.got.ndim))]
    axis = next((k for k in order if seen.got.shape[k] > 1), seen.got.ndim - 1)
    along = tuple(slice(None) if k == axis else at for k, at in enumerate(seen.at))
    got, expected = seen.got[along], seen.expected[along]
    held = ", ".join(f"{name} {at}" for k, (name, at) in enumerate(zip(seen.axes, seen.at, strict=True)) if k != axis)
    said = f"{seen.output}{f' at {held}' if held else ''} by {seen.axes[axis]}: expected and got"
    low, high = _range(np.concatenate([got, expected]))
    x = _scale(0, max(len(got) - 1, 1), _LEFT + 12, WIDE - _RIGHT - 12)
    y = _scale(low, high, HIGH - _BOTTOM, _TOP)
    where = x(0.5) if len(got) == 1 else x(seen.at[axis])

    def places(values: Array) -> list[tuple[float, float]]:
        return [(x(0.5) if len(got) == 1 else x(k), y(v)) for k, v in enumerate(values)]

    marks, joined = len(got) <= 40, seen.axes[axis] == "step" or len(got) > 40
    return _figure(
        said,
        *(_rule(y(v), _number(v)) for v in ticks(low, high)),
        tag("line", class_="at", x1=_short(where), x2=_short(where), y1=_TOP, y2=HIGH - _BOTTOM),
        *(_below(place, str(k)) for k, place in _whole(len(got), x)),
        _below((_LEFT + WIDE - _RIGHT) / 2, seen.axes[axis], 30),
        tag("path", class_="expected", d=path(places(expected))) if joined else "",
        *(_disc(*p) for p in (places(expected) if marks else []) if math.isfinite(p[1])),
        tag("path", class_="got", d=path(places(got))) if joined else "",
        *(_cross(*p) for p in (places(got) if marks else []) if math.isfinite(p[1])),
    )


def errors(seen: Evidence) -> Markup:
    """Return error over allowed error as squares, of the row of the batch that the deviation is in."""
    ratios, (down, across) = _plane(seen)
    (tall, long), squares = ratios.shape, _blocks(ratios)
    rows, columns = squares.shape
    wide = min(_LARGEST, (WIDE - _LEFT - _RIGHT) / columns)
    high = min(_LARGEST, (HIGH - _TOP - _BOTTOM) / rows)
    x, y = _scale(0, 1, _LEFT, _LEFT + wide), _scale(0, 1, _TOP, _TOP + high)
    bottom = y(rows)
    shades = np.searchsorted(_STEPS, squares)
    drawn = []
    for shade in range(len(_STEPS) + 1):
        places = np.argwhere(shades == shade)
        boxes = (
            f"M{_short(x(c))} {_short(y(r))}H{_short(x(c + 1))}V{_short(y(r + 1))}H{_short(x(c))}Z" for r, c in places
        )
        drawn.append(tag("path", class_=f"shade{shade}", d="".join(boxes)) if len(places) else "")
    most = f"; {_number(float(ratios.max()))} at most"
    return _figure(
        f"Error over allowed error of {seen.output} by {across} and {down}{most}",
        *drawn,
        _below(x(0.5) if long > 1 else x(0), "0", bottom=bottom),
        _below(x(columns - 0.5), str(long - 1), bottom=bottom) if long > 1 else "",
        _below(max(x(columns / 2), _LEFT + 20), across, 30, bottom=bottom),
        tag("text", "0", x=_LEFT - 8, y=_TOP + 11, text_anchor="end"),
        tag("text", str(tall - 1), x=_LEFT - 8, y=_short(bottom - 2), text_anchor="end") if tall > 1 else "",
        tag("text", down, x=_LEFT - 22, y=_short((_TOP + bottom) / 2 + 4), text_anchor="end"),
        high=bottom + _BOTTOM,
    )


def shades() -> list[tuple[str, str]]:
    """Return the classes of the shades of the map of errors, each with what it means."""
    edges = [f"{edge:g}" for edge in _STEPS]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [(f"shade{k}", text) for k, text in enumerate((f"up to {edges[0]}", *between, f"above {edges[-1]}"))]


def counts(spread: Sequence[int]) -> Markup:
    """Return how many cases came how near to what is allowed, as bars."""
    most = max(spread)
    x = _scale(0, len(spread), _LEFT, WIDE - _RIGHT)
    y = _scale(0, most, HIGH - _BOTTOM, _TOP + 14)
    limit = x(RATIOS.index(1.0) + 1)
    bars = [
        tag(
            "rect",
            tag("title", f"{count:,} cases {_between(k)}"),
            class_="beyond" if k > RATIOS.index(1.0) else "within",
            x=_short(x(k) + 1),
            width=_short(x(1) - x(0) - 2),
            y=_short(y(count)),
            height=_short(max(y(0) - y(count), 1.5)),
        )
        for k, count in enumerate(spread)
        if count
    ]
    labels = [_below(x(k + 1), f"{RATIOS[k]:g}") for k in range(0, len(RATIOS), 2)]
    said = "; ".join(f"{count:,} {_between(k)}" for k, count in enumerate(spread) if count)
    return _figure(
        f"Cases by their largest error over allowed error: {said}",
        *(_rule(y(v), f"{v:,.0f}") for v in ticks(0, most) if v == int(v)),
        *bars,
        tag("line", class_="limit", x1=_short(limit), x2=_short(limit), y1=_TOP, y2=HIGH - _BOTTOM),
        tag("text", "allowed", x=_short(limit - 6), y=_TOP + 8, text_anchor="end"),
        *labels,
        _below((_LEFT + WIDE - _RIGHT) / 2, "error over allowed error", 30),
    )


def bar(ratio: float) -> Markup:
    """Return one error over allowed error as a bar of decades from 0.001 to 1000, with a mark at 1."""
    low, high = _DECADES
    place = min(max(math.log10(ratio), low), high) if ratio > 0 else low
    share = 60 * (place - low) / (high - low)
    drawn = tag("rect", class_="beyond" if ratio > 1 else "within", width=_short(max(share, 1)), height=8, y=1)
    mark = tag("line", class_="limit", x1=30, x2=30, y1=0, y2=10)
    return tag("svg", drawn, mark, class_="bar", viewBox="0 0 60 10", aria_hidden="true")


def _between(k: int) -> str:
    if k == len(RATIOS):
        return f"above {RATIOS[-1]:g}"
    return f"up to {RATIOS[k]:g}" if k == 0 else f"from {RATIOS[k - 1]:g} to {RATIOS[k]:g}"


def _plane(seen: Evidence) -> tuple[Array, tuple[str, str]]:
    """Return the ratios of the deviation's row as units by steps or columns, and the names of both axes."""
    ratios, axes = seen.ratios, seen.axes
    if ratios.ndim == 3:
        return ratios[:, seen.at[1]].T, (axes[2], axes[0])
    if ratios.ndim == 2 and axes[0] == "row":
        return ratios[seen.at[0]][:, None], (axes[1], "final state")
    return (ratios, (axes[0], axes[1])) if ratios.ndim == 2 else (ratios[:, None], (axes[-1], ""))


def _blocks(ratios: Array) -> Array:
    """Return the worst of every block, so that there are not too many."""
    for axis, most in ((0, MOST_DOWN), (1, MOST_ACROSS)):
        size = math.ceil(ratios.shape[axis] / most)
        ratios = np.maximum.reduceat(ratios, range(0, ratios.shape[axis], size), axis=axis)
    return ratios


def _figure(said: str, *children: str, high: float = HIGH) -> Markup:
    box = f"0 0 {WIDE:g} {_short(high)}"
    return tag("svg", *children, class_="chart", viewBox=box, role="img", aria_label=said)


def _scale(low: float, high: float, first: float, last: float) -> Scale:
    return lambda value: first + (value - low) / (high - low) * (last - first)


def _range(values: Array) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    margin = (high - low) * 0.08 or max(abs(high), 1.0) * 0.1
    return low - margin, high + margin


def _whole(count: int, x: Scale) -> list[tuple[int, float]]:
    if count == 1:
        return [(0, x(0.5))]
    return [(int(k), x(k)) for k in ticks(0, count - 1, 6) if k == int(k)]


def _rule(y: float, label: str) -> Markup:
    line = tag("line", class_="grid", x1=_LEFT, x2=WIDE - _RIGHT, y1=_short(y), y2=_short(y))
    return tag("g", line, tag("text", label, x=_LEFT - 8, y=_short(y + 4), text_anchor="end"))


def _below(x: float, label: str, drop: float = 16, *, bottom: float = HIGH - _BOTTOM) -> Markup:
    return tag("text", label, x=_short(x), y=_short(bottom + drop), text_anchor="middle")


def _disc(x: float, y: float) -> Markup:
    return tag("circle", class_="expected", cx=_short(x), cy=_short(y), r=4.5)


def _cross(x: float, y: float) -> Markup:
    a, b, c, d = (_short(v) for v in (x - 3.5, x + 3.5, y - 3.5, y + 3.5))
    return tag("path", class_="got", d=f"M{a} {c}L{b} {d}M{a} {d}L{b} {c}")


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _short(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
