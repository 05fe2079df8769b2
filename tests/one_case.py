"""One question to a target, forward and backward, for those of which every shape is dear."""

from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.targets.claims import claimed
from lstm_spec.verify.cases import seeded_case, with_lengths
from lstm_spec.verify.checks import Subject


def comparisons(target, dtype="float64", *, sizes=None, lengths=None, gradients=True):
    """Return what comes of holding a target against its specification in a case of T=3 and B=2."""
    cell = claimed(target)
    case = seeded_case(cell, dtype, sizes=sizes or {"n": 2, "m": 3}, T=3, B=2, regime="usual", seed=7, gradients=True)
    if lengths is not None:
        case = with_lengths(case, cell, np.array(lengths))
    subject, contract = Subject(target, cell), accuracy(dtype)
    outputs, _ = subject.call(case)
    found = [subject.compare(case, outputs, contract)]
    if gradients:
        ran, (given, _) = subject.call_differentiated(case), subject.call_backward(case)
        found.append(subject.compare_gradients(case, ran, given, contract))
    # What is past a length may be anything, and has no bound.
    assert lengths is not None or all(comparison.conclusive for comparison in found)
    return found


def agrees(target, dtype="float64", **options):
    """Tell whether a target computes what it claims in that case."""
    return all(comparison.agrees for comparison in comparisons(target, dtype, **options))


def released(package, wanted):
    """Skip a test about what one release of a package does where there is another one, or none."""
    try:
        found = version(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    if found != wanted:
        pytest.skip(f"this is about {package} {wanted}, here is {found}")
