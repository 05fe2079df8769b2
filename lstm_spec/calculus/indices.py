"""Indices with their ranges: which inequalities between them hold for all sizes.

An index runs over 0 … size−1. Everything here is linear arithmetic in indices and sizes that answers yes, no, or None
where it depends.
"""

from collections.abc import Mapping
from math import lcm
from typing import Any

from sympy import Dummy, Expr, Ge, Gt, Integer, Le, Lt, Or, Piecewise, Symbol, ordered

Ranges = Mapping[Symbol, Any]
"""The size of every index."""


def never_negative(e: Any, ranges: Ranges) -> bool:
    """Tell whether an expression that is linear in the indices is ≥ 0 for all of their values and all sizes ≥ 1."""
    lowest = e.expand()
    for index, length in ranges.items():
        slope = lowest.coeff(index)
        if slope != 0:
            lowest = (lowest - slope * index + (slope * (length - 1) if slope.is_negative else 0)).expand()
    beyond = {size: 1 + Dummy(nonnegative=True) for size in lowest.free_symbols}
    return all(not term.could_extract_minus_sign() for term in lowest.xreplace(beyond).expand().as_ordered_terms())


def never_equal(first: Any, second: Any, ranges: Ranges) -> bool:
    """Tell whether two indices differ for all of their values."""
    gap = (first - second).expand()
    if gap.xreplace(dict.fromkeys(ranges, Integer(0))) == 0:
        return False
    return never_negative(second - first - 1, ranges) or never_negative(first - second - 1, ranges)


def excess(condition: Any) -> Any:
    """Return the integer e for which an inequality between indices says e < 0; None for what is no inequality."""
    if not isinstance(condition, Lt | Gt | Le | Ge):
        return None
    gap = (condition.gts - condition.lts).expand()
    # SymPy divides inequalities by common factors, m + p < 2 m becomes m/2 + p/2 < m.
    whole = (gap * lcm(*(int(c.q) for c in gap.as_coefficients_dict().values()))).expand()
    return -whole if isinstance(condition, Lt | Gt) else -whole - 1


def decide(condition: Any, ranges: Ranges) -> bool | None:
    """Tell whether an inequality holds for all values of its indices, for none, or None where it depends."""
    if condition in (True, False):
        return bool(condition)
    if isinstance(condition, Or):
        # SymPy joins neighbouring cases of one value.
        parts = [decide(part, ranges) for part in condition.args]
        return True if True in parts else None if None in parts else False
    e = excess(condition)
    if e is None:
        return None
    return True if never_negative(-e - 1, ranges) else False if never_negative(e, ranges) else None


def selected(e: Piecewise, ranges: Ranges) -> Expr | None:
    """Return the branch of a case distinction that applies, or None where it depends."""
    for value, condition in e.args:
        holds = decide(condition, ranges)
        if holds is None:
            return None
        if holds:
            return value
    return Integer(0)


def threshold(e: Piecewise, index: Symbol, ranges: Ranges) -> Any:
    """Return s where a case distinction asks first, and undecided, whether index < s; else None."""
    parts = (part for _, condition in e.args for part in ordered(Or.make_args(condition)))
    for part in parts:
        if decide(part, ranges) is None:
            e = excess(part)
            return (index - e).expand() if e is not None and e.coeff(index) == 1 else None
    return None
