"""Hypothesis strategies, and a state machine, for people's own property tests."""

from typing import Any

from hypothesis import strategies as st

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.formats import dtype_of
from lstm_spec.spec.catalogue import cell as catalogue_cell
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import seeded_cases, small_cases
from lstm_spec.verify.machine import machine

__all__ = ["cases", "machine"]

_SIZES = (1, 2, 3, 5, 8, 13)
_STEPS = (1, 2, 3, 8)


def cases(cell: Program | str = "lstm", *, dtype: str = "float64", seeded: bool = True) -> st.SearchStrategy[Any]:
    """Return a strategy of cases of a cell: ``case.params``, ``case.x`` (T, B, n), ``case.states`` each (B, m).

    cell: a Program, or the name of one; dtype: the format of every number; seeded: whether cases with full-significand
    numbers from a seeded generator are drawn beside small ones that shrink to short decimals. Raises AccuracyError for
    a format without a contract, and for bfloat16 without ml_dtypes.

    >>> from hypothesis import given, settings
    >>> from lstm_spec.compute.layer import forward
    >>> @settings(max_examples=20, deadline=None, database=None)
    ... @given(cases("lstm"))
    ... def test_the_hidden_state_is_below_one(case):
    ...     assert abs(forward(case.params, case.x, *case.states)[0]).max() <= 1
    >>> test_the_hidden_state_is_below_one()
    """
    accuracy(dtype)
    dtype_of(dtype)
    program = catalogue_cell(cell) if isinstance(cell, str) else cell
    small = small_cases(program, dtype)
    return small | seeded_cases(program, dtype, sizes=_SIZES, steps=_STEPS) if seeded else small
