"""How plain the numbers of a case are, and making them plainer: nothing, one, or a number of fewer digits."""

from collections.abc import Callable
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from lstm_spec.verify.cases import Array, Case

MOST_DIGITS = 4
"""From how many digits on a number is as good as any other."""

COUNTED = 200
"""Of how many numbers that are not zero the digits are counted; a case of more is not read by anybody."""


def simplicity(case: Case) -> tuple[float, ...]:
    """Return a key by which the simplest of several cases is the smallest.

    It is steps, rows, features and units, then how many numbers are not zero, how many digits these have, how far they
    are from 1, and how many are negative.
    """
    numbers = case.numbers
    there = numbers[numbers != 0][:COUNTED]
    with np.errstate(all="ignore"):
        far = float(np.abs(np.log2(np.abs(there.astype(np.float64)))).sum())
    sizes = sum(case.x.shape) + sum(s.shape[-1] for s in case.states)
    return sizes, float(np.count_nonzero(numbers)), sum(map(digits, there)), far, float(np.signbit(numbers).sum())


def digits(number: Any) -> int:
    """Return how many digits tell a number of its format from its neighbours, 4 for all that are more than 3.

    >>> [digits(number) for number in np.float32([0, 1, 0.1, 0.25, 1e4, 1 / 3])]
    [0, 1, 1, 2, 1, 4]
    """
    if number == 0:
        return 0
    return next((count for count in range(1, MOST_DIGITS) if _rounded(number, count) == number), MOST_DIGITS)


def _rounded(number: Any, count: int) -> Any:
    """Return the number of the same format next to one of so many digits."""
    return number.dtype.type(float(f"{float(number):.{count - 1}e}"))


def _nearer_to_one(number: Any) -> float:
    """Return a power of ten half as far from 1, of the same sign."""
    if number == 0:
        return float(number)
    return float(np.copysign(10.0 ** int(np.log10(abs(float(number))) / 2), float(number)))


MOST_WAYS = 150
"""Of how many ways to place a few ones every one is tried."""

FEW_NUMBERS = 3
"""More numbers than these are made fewer at the price of their size."""

LARGE = 100.0
"""From what size on a number is not made larger."""

FORMS: tuple[Callable[[Any], float], ...] = (
    lambda number: 0.0,
    lambda number: 1.0,
    _nearer_to_one,
    lambda number: _rounded(number, 1),
    lambda number: _rounded(number, 2),
    lambda number: _rounded(number, 3),
)
"""What a number is replaced by in turn, where the case then still fails."""


def with_plainer_numbers(case: Case, fails: Callable[[Case], bool], *, first: int = 0) -> Case:
    """Return a failing case with the plainest numbers with which it fails.

    fails: whether another one does, and is simpler; first: the array from which on numbers may change.
    """
    for form in FORMS:
        begin = sum(a.size for a in case.arrays[:first])
        numbers = case.numbers[begin:]
        case = _wherever(case, form, begin + np.flatnonzero((numbers != 0) | np.signbit(numbers)), fails)
    return case


def with_fewer_numbers(case: Case, fails: Callable[[Case], bool], *, first: int = 0) -> Case:
    """Return a failing case of a few ones and nothing else, with fewer numbers than it has; itself if there is none.

    What leaves out one number after the other may end where each of three is needed, though two others would do. fails,
    first: as for ``with_plainer_numbers``.
    """
    begin = sum(a.size for a in case.arrays[:first])
    places = range(begin, case.numbers.size)
    for count in range(np.count_nonzero(case.numbers[begin:])):
        if comb(len(places), count) > MOST_WAYS:
            break
        for ones in combinations(places, count):
            numbers = case.numbers
            numbers[begin:] = 0
            numbers[list(ones)] = 1
            less = case.with_numbers(numbers)
            if fails(less):
                return less
    return case


def with_larger_numbers(case: Case, fails: Callable[[Case], bool], *, first: int = 0) -> Case:
    """Return a failing case with fewer numbers, each time one less and the others ten times as large.

    A limit that only a sum of many terms goes beyond needs no more than two that are large. fails, first: as for
    ``with_plainer_numbers``.
    """
    begin = sum(a.size for a in case.arrays[:first])
    places = begin + np.flatnonzero(case.numbers[begin:])
    for place in places if len(places) > FEW_NUMBERS else ():
        numbers = case.numbers
        numbers[begin:] = np.where(np.abs(numbers[begin:]) < LARGE, 10 * numbers[begin:], numbers[begin:])
        numbers[place] = 0
        less = case.with_numbers(numbers)
        if fails(less):
            case = less
    return case


def _wherever(case: Case, form: Callable[[Any], float], places: Array, fails: Callable[[Case], bool]) -> Case:
    """Give the numbers at some places a form: all at once or, where it then does not fail, half of them by half."""
    numbers = case.numbers
    with np.errstate(over="ignore"):
        plain = np.array([form(number) for number in numbers[places]], numbers.dtype)
    # Rounding may leave the range of a format.
    other = np.isfinite(plain) & ((plain != numbers[places]) | (np.signbit(plain) != np.signbit(numbers[places])))
    places = places[other]
    if not len(places):
        return case
    numbers[places] = plain[other]
    less = case.with_numbers(numbers)
    if fails(less):
        return less
    for half in np.array_split(places, 2) if len(places) > 1 else ():
        case = _wherever(case, form, half, fails)
    return case
