"""What the curves of a target's activations are: a known formula, a table, straight lines, or the right one roughly."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache, partial
from itertools import pairwise, product
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array, compile_program
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.operators import apply, vector
from lstm_spec.spec.program import Program
from lstm_spec.verify.activation_curves import EXACT, Curve, with_functions
from lstm_spec.verify.hypotheses import Hypothesis, Wrap, listed
from lstm_spec.verify.substitutions import functions_for

INVERSE: dict[str, Callable[[Array], Array]] = {"sigmoid": lambda y: np.log(y / (1 - y)), "tanh": np.arctanh}
ENDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
LETTER = {"sigmoid": "σ", "tanh": "tanh"}

CLOSE = 1e-11
"""Up to which distance numbers are the same, where the format tells so much."""

STRAIGHT = 1e-12
"""Up to which second difference three points lie on one line."""

ROUGH = 0.05
"""Up to how far off a curve is still the right one, computed roughly."""


@dataclass(frozen=True)
class Reading:
    """What a curve was found to be: in words, and as a function."""

    words: str
    function: Callable[[Array], Array]


def wrong_curves(found: Sequence[Curve], unit: float) -> list[Curve]:
    """Return the curves that are not what they should be, to some hundred roundings."""
    return [c for c in found if np.isfinite(c.off).all() and c.off.max(initial=0) > 1e3 * unit]


def activation_hypothesis(cell: Program, wrong: Sequence[Curve]) -> Hypothesis | None:
    """Return the hypothesis that wrong curves are what they look like; None where one of them looks like nothing."""
    readings = [_reading(c) for c in wrong]
    if not wrong or not all(readings):
        return None
    known = [(c, r) for c, r in zip(wrong, readings, strict=True) if r is not None]
    by_words: dict[str, list[str]] = {}
    for curve, reading in known:
        by_words.setdefault(reading.words, []).append(curve.value)
    sentence = "; and ".join(f"{words}, in {listed(values)}" for words, values in by_words.items())
    forward = with_functions(cell, {c.number: r.function for c, r in known})
    wrap = Wrap(forward=lambda _: forward)
    return Hypothesis("activations-read", "activation", sentence, cell, wraps=(wrap,))


def roughly(wrong: Sequence[Curve]) -> str | None:
    """Say how rough wrong curves are; None where one is too far off to be the right function, or off by chance."""
    worst = [(float(c.off.max()), float(c.at[np.argmax(c.off)])) for c in wrong]
    if not wrong or max(off for off, _ in worst) > ROUGH or not all(map(_is_function, wrong)):
        return None
    said = []
    for name in dict.fromkeys(c.activation for c in wrong):
        own = [(*w, c.value) for w, c in zip(worst, wrong, strict=True) if c.activation == name]
        off, at, _ = max(own)
        where = listed(value for *_, value in own)
        said.append(
            f"{LETTER[name]} is computed roughly, off by up to {off:.2g}, most at {at:.3g}, in {where}".replace(
                "at -", "at −"
            )
        )
    return "; and ".join(said)


def _is_function(curve: Curve) -> bool:
    """Tell whether a curve is off as a function is, from point to point alike or in steps, and not as rounding is."""
    inner = np.abs(curve.at) < 4
    got, off = curve.got[inner], (curve.got - EXACT[curve.activation](curve.at))[inner]
    smooth = np.median(np.abs(np.diff(off))) < 0.1 * np.abs(off).max(initial=0)
    return bool(smooth or (np.diff(got) == 0).mean() > 0.5)


def _close(curve: Curve) -> float:
    """Return up to which distance a curve is one that is known."""
    return max(CLOSE, 1e3 * curve.unit)


def _reading(curve: Curve) -> Reading | None:
    makers = (_formula, _affine, _multiple, _steps, _lines)
    return next((reading for make in makers for reading in make(curve.even)), None)


def _formula(curve: Curve) -> Iterator[Reading]:
    """A function that is known to take its place."""
    for words, function in functions_for(curve.activation):
        numeric = _numeric(function)
        with np.errstate(all="ignore"):
            if np.abs(numeric(curve.at) - curve.got).max() < _close(curve):
                yield Reading(f"{words} stands where the spec has {curve.activation}", numeric)


@lru_cache(maxsize=256)
def _numeric(function: Any) -> Callable[[Array], Array]:
    a, y = vector("a", 1), vector("y", 1)
    program = Program("curve", (a,), (), (), (Equation(y, apply(function, a)),), ("y",))
    step = compile_program(program, ("y",))
    return lambda value: np.asarray(step({}, value))


def _affine(curve: Curve) -> Iterator[Reading]:
    """The right function of another argument, a multiple of it or a number added to it."""
    with np.errstate(all="ignore"):
        argument = INVERSE[curve.activation](curve.got)
    inner = np.isfinite(argument) & (np.abs(argument) < 2)
    if inner.sum() < 10:
        return
    slope, offset = np.polyfit(curve.at[inner], argument[inner], 1)
    slope, offset = round(float(slope), 12), round(float(offset), 12)
    moved = lambda a: EXACT[curve.activation](slope * a + offset)  # noqa: E731
    if np.abs(moved(curve.at) - curve.got).max() < _close(curve):
        factor = "a" if slope == 1 else f"{slope:.6g} a"
        added = f" {'+-'[offset < 0]} {abs(offset):.6g}" if offset else ""
        words = f"{LETTER[curve.activation]}({factor}{added})".replace("-", "−")
        yield Reading(f"{words} stands where the spec has {curve.activation}", moved)


def _multiple(curve: Curve) -> Iterator[Reading]:
    """The right function times a number."""
    right = EXACT[curve.activation](curve.at)
    factor = round(float(np.dot(curve.got, right) / np.dot(right, right)), 12)
    if np.abs(factor * right - curve.got).max() < _close(curve):
        words = f"{factor:.6g} {LETTER[curve.activation]}(a) stands where the spec has {curve.activation}"
        yield Reading(words.replace("-", "−"), lambda a: factor * EXACT[curve.activation](a))


@dataclass(frozen=True)
class _Table:
    """Entries of an activation so much apart, and what is given beyond them: the last one, or where it tends to."""

    activation: str
    first: float
    last: float
    apart: float
    held: bool

    @property
    def count(self) -> int:
        return round((self.last - self.first) / self.apart) + 1

    @property
    def entries(self) -> Array:
        return np.linspace(self.first, self.last, self.count)

    @property
    def words(self) -> str:
        step = Fraction(self.apart).limit_denominator(4096)
        exact = abs(float(step) - self.apart) < 1e-9 and step.numerator == 1
        apart = str(step) if exact else f"{self.apart:.4g}"
        ends = f"from {self.first:.6g} to {self.last:.6g}".replace("-", "−")
        return f"{LETTER[self.activation]} is read from a table of {self.count} entries {ends}, {apart} apart"

    @property
    def outside(self) -> str:
        low, high = ENDS[self.activation]
        return "" if self.held else f", and {low:g} or {high:g} beyond it".replace("-", "−")

    def stepped(self, a: Array, pick: Callable[[Array], Array]) -> Array:
        """Return one entry for every argument."""
        at = np.clip(pick((a - self.first) / self.apart), 0, self.count - 1)
        return self._beyond(a, EXACT[self.activation](self.entries)[at.astype(int)])

    def straight(self, a: Array) -> Array:
        """Return what lies on straight lines between the entries."""
        return self._beyond(a, np.interp(a, self.entries, EXACT[self.activation](self.entries)))

    def _beyond(self, a: Array, inside: Array) -> Array:
        low, high = ENDS[self.activation]
        return inside if self.held else np.where(a <= self.first, low, np.where(a >= self.last, high, inside))


def _tables(curve: Curve, entries: Array) -> Iterator[_Table]:
    """Yield tables with the entries that show, and up to two more at each end."""
    apart = float(np.median(np.diff(entries)))
    for below, above, held in product(range(3), range(3), (True, False)):
        ends = (entries.min() - below * apart, entries.max() + above * apart)
        first, last = (round(float(end), 9) for end in ends)
        count = round((last - first) / apart)
        yield _Table(curve.activation, first, last, (last - first) / count, held)


def _steps(curve: Curve) -> Iterator[Reading]:
    """A table of which the entry nearest to the argument is taken, or that below or above it."""
    jumps = np.flatnonzero(np.diff(curve.got))
    if len(jumps) < 8 or np.median(np.diff(jumps)) < 2:
        return
    levels = curve.got[jumps[:-1] + 1]
    with np.errstate(all="ignore"):
        entries = INVERSE[curve.activation](levels)
    inner = np.isfinite(entries)
    if inner.sum() < 8:
        return
    left = (curve.at[jumps[:-1]] + curve.at[jumps[:-1] + 1]) / 2
    apart = float(np.median(np.diff(entries[inner])))
    shift = float(np.median((entries - left)[inner])) / apart
    ways = {"the nearest entry": np.rint, "the entry below": np.floor, "the entry above": np.ceil}
    way = "the entry below" if shift < 0.25 else "the entry above" if shift > 0.75 else "the nearest entry"
    alike = [(_share(curve, table.stepped(curve.at, ways[way])), table) for table in _tables(curve, entries[inner])]
    share, table = max(alike, key=lambda one: one[0])
    if share > 0.98:
        looked = partial(table.stepped, pick=ways[way])
        yield Reading(f"{table.words}, of which {way} is taken{table.outside}", looked)


def _share(curve: Curve, other: Array) -> float:
    return float((np.abs(other - curve.got) < _close(curve)).mean())


def _lines(curve: Curve) -> Iterator[Reading]:
    """A table with straight lines between its entries, or a few lines of any kind."""
    pieces = _straight(curve)
    kinks = np.array([_meeting(curve, a, b) for a, b in pairwise(pieces)])
    if len(pieces) < 3 or not np.isfinite(kinks).all():
        return
    known = (
        (t for t in _tables(curve, kinks[1:-1]) if _share(curve, t.straight(curve.at)) == 1) if len(kinks) > 6 else ()
    )
    for table in known:
        yield Reading(f"{table.words}, with straight lines between them{table.outside}", table.straight)
        return
    if len(pieces) < 16:
        where = ", ".join(f"{k:.4g}" for k in kinks).replace("-", "−")
        words = f"{LETTER[curve.activation]} is put together of straight lines that meet at {where}"
        yield Reading(words, partial(_drawn, lines=[_line(curve, piece) for piece in pieces], kinks=kinks))


def _drawn(a: Array, lines: Sequence[tuple[float, float]], kinks: Array) -> Array:
    """Return what lies on lines, each a slope and a level; at a kink that of the piece farther from 0."""
    passed = [np.where(kink > 0, a >= kink, a > kink) for kink in kinks]
    slopes, levels = np.array(lines).T
    piece = np.sum(passed, axis=0)
    return np.asarray(slopes[piece] * a + levels[piece])


def _line(curve: Curve, piece: tuple[int, int]) -> tuple[float, float]:
    a, b = piece
    slope = (curve.got[b] - curve.got[a]) / (curve.at[b] - curve.at[a])
    return slope, curve.got[a] - slope * curve.at[a]


def _straight(curve: Curve) -> list[tuple[int, int]]:
    """Return the first and the last point of every straight piece of a curve, if most of it is straight."""
    bent = np.abs(np.diff(curve.got, 2)) > STRAIGHT
    if bent.mean() > 0.7:
        return []
    ends = np.flatnonzero(np.diff(np.concatenate([[1], bent, [1]])))
    return [(int(a), int(b) + 1) for a, b in zip(ends[::2], ends[1::2], strict=True) if b > a]


def _meeting(curve: Curve, first: tuple[int, int], second: tuple[int, int]) -> float:
    (slope, level), (other, up) = (_line(curve, piece) for piece in (first, second))
    between = curve.at[first[1]], curve.at[second[0]]
    with np.errstate(all="ignore"):
        kink = float((level - up) / (other - slope))
    # Lines that do not meet there leave a jump, and limits are mostly written as |a| ≥ 5.
    return kink if between[0] - CLOSE <= kink <= between[1] + CLOSE else float(max(between, key=abs))
