"""A picture of how near calls come to what is allowed: by format, the share of the calls above every ratio."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 360, 70, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
LEAST, SMALLEST = -3.0, -5.0
"""Where the axes begin, as powers of ten: error over allowed error, and the share of the calls."""


def shares(ratios: Mapping[str, Sequence[float]]) -> str:
    """Return the picture as SVG, both axes logarithmic; ratios: by format those of all calls."""
    return "\n".join(_svg({name: np.sort(values) for name, values in ratios.items() if len(values)}))


def _x(power: float) -> float:
    return LEFT + (WIDTH - LEFT - 20) * (power - LEAST) / -LEAST


def _y(power: float) -> float:
    return 20 + (HEIGHT - BOTTOM - 20) * power / SMALLEST


def _svg(ratios: Mapping[str, np.ndarray]) -> Iterator[str]:
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    for power in range(int(LEAST), 1):
        yield _line(_x(power), _y(0), _x(power), _y(SMALLEST))
        yield _text(_x(power), _y(SMALLEST) + 18, f"{10.0**power:g}", "middle")
    for power in range(int(SMALLEST), 1):
        yield _line(_x(LEAST), _y(power), _x(0), _y(power))
        yield _text(LEFT - 8, _y(power) + 4, f"{10.0**power:g}", "end")
    yield _text((LEFT + WIDTH) / 2, HEIGHT - 10, "error over allowed error; above 1 is an alarm", "middle")
    yield _text(8, 14, "share of the calls above it", "start")
    for (name, values), colour, row in zip(ratios.items(), COLOURS, range(len(ratios)), strict=False):
        above = 1 - np.arange(len(values)) / len(values)
        # Ever fewer points where the share falls ever less on a logarithmic scale.
        kept = np.unique(np.searchsorted(-above, -np.geomspace(1, 1 / len(values), 300)).clip(max=len(values) - 1))
        points = " ".join(
            f"{_x(max(np.log10(max(values[k], 1e-300)), LEAST)):.1f},{_y(max(np.log10(above[k]), SMALLEST)):.1f}"
            for k in kept
        )
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield f'<rect x="{LEFT + 15}" y="{_y(-2.6) + 20 * row}" width="12" height="3" fill="{colour}"/>'
        yield _text(LEFT + 33, _y(-2.6) + 20 * row + 6, f"{name}, largest {values[-1]:.2f}", "start")
    yield "</svg>\n"


def _line(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="black">{words}</text>'
