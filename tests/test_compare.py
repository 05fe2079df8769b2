"""What counts as a deviation."""

import numpy as np
import pytest

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.rounding import Bounded
from lstm_spec.verify.compare import compare


@pytest.mark.parametrize("got", [np.nan, np.inf, 1e300, 0.0])
@pytest.mark.parametrize("expected", [np.nan, 1.0])
def test_nothing_fails_where_no_bound_holds(got, expected):
    allowed = {"y": Bounded(np.full((1, 1, 1), expected), np.full((1, 1, 1), np.inf))}
    comparison = compare({"y": np.full((1, 1, 1), got)}, allowed, accuracy("float64"))
    assert comparison.agrees
    assert not comparison.conclusive


@pytest.mark.parametrize("got", [np.nan, np.inf, 1.1])
def test_a_number_beyond_its_bound_fails(got):
    allowed = {"y": Bounded(np.ones((1, 1, 1)), np.full((1, 1, 1), 1e-3))}
    assert not compare({"y": np.full((1, 1, 1), got)}, allowed, accuracy("float64")).agrees
