"""Cases that cannot tell, asked in blunter forms: what is left of them, that they can tell, and that it is enough."""

from functools import partial

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.formats import widened
from lstm_spec.compute.rounding import Bounded, Term, affine
from lstm_spec.targets.python import target_of
from lstm_spec.targets.reference import compiled_spec
from lstm_spec.verify.blunt import FEW_STEPS, blunter
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.checks import CHECKS, examine
from lstm_spec.verify.exposed import still_shown
from lstm_spec.verify.regimes import REGIMES
from lstm_spec.verify.subject import Subject
from tests.faulty import plain
from tests.tables import sizes_of

GRADIENTS = next(check for check in CHECKS if check.id == "gradient_sequence")
COARSE = ("float16", "bfloat16")


def case_of(cell, dtype, *, regime="weights x3", T=9, B=4, seed=3):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    return seeded_case(cell, dtype, sizes=sizes_of(cell), T=T, B=B, regime=regime, seed=seed, gradients=True)


def outcomes(subject, case):
    """Yield what comes of a case and of its blunter forms, in order."""
    contract = accuracy(str(case.dtype))
    for asked in (case, *blunter(subject.cell, case)):
        yield examine(GRADIENTS, subject, asked, contract)


@pytest.mark.parametrize("dtype", COARSE)
@pytest.mark.parametrize("name", ["lstm", "gru", "peephole", "lstmp"])
def test_some_form_of_every_regime_can_tell(name, dtype):
    cell = ls.cell(name)
    subject = Subject(compiled_spec(), cell)
    for regime in REGIMES:
        told = [outcome.conclusive for outcome in outcomes(subject, case_of(cell, dtype, regime=regime))]
        assert any(told), regime


@pytest.mark.parametrize("name", ["lstm", "gru", "lstmp", "sru"])
def test_every_form_has_less_in_it_and_shows_what_it_showed(name):
    cell = ls.cell(name)
    before = case_of(cell, "float16")
    for form in blunter(cell, before):
        assert form.dtype == before.dtype
        assert (form.T, form.B) <= (before.T, before.B)
        assert all(np.abs(a).max() <= np.abs(b).max() for a, b in zip(form.states, before.states, strict=True))
        assert still_shown(cell, form) == form.exposed
        before = form
    assert (before.T, before.B) == (1, 1)


def test_a_sequence_is_kept_until_nothing_else_helps():
    steps = [form.T for form in blunter(ls.lstm(), case_of(ls.lstm(), "float16", T=50), least_steps=2)]
    assert steps == sorted(steps, reverse=True)
    assert steps.count(FEW_STEPS) >= 4
    assert steps[-1] == 2


def test_fixed_parameters_stay():
    case = case_of(ls.lstm(), "float16")
    for form in blunter(ls.lstm(), case, fixed=True):
        assert all(np.array_equal(form.params[name], p) for name, p in case.params.items())


def test_a_fault_that_a_case_cannot_tell_shows_in_a_blunter_form():
    """Of a large memory bfloat16 keeps so few digits that h may be that of the step before, for all a case can tell."""

    sequence = next(check for check in CHECKS if check.id == "sequence")
    case = case_of(ls.lstm(), "bfloat16", regime="remembering", T=20)
    subject = Subject(target_of(widened(partial(plain, late_c=True))), ls.lstm())
    found = [examine(sequence, subject, form, accuracy("bfloat16")) for form in (case, *blunter(ls.lstm(), case))]
    assert not found[0].conclusive
    assert found[0].finding is None
    assert any(outcome.finding for outcome in found)


@pytest.mark.parametrize(("rows", "matrix"), [(2.0**-15, 1.0), (1.0, 2.0**-15)])
def test_subnormal_inputs_may_be_read_as_zero(rows, matrix):
    """float16 has nothing normal below 2⁻¹⁴: a sum may lose every term with such a factor, and no other."""
    contract = accuracy("float16")
    ones = np.ones((1, 256))
    lost = affine([Term(Bounded(rows * ones), Bounded(matrix * ones.T))], [], contract)
    assert lost.errors[0, 0] >= 256 * 2.0**-15
    kept = affine([Term(Bounded(ones), Bounded(ones.T))], [], contract)
    assert kept.errors[0, 0] <= (contract.partials * contract.unit + 256 * contract.accumulation) * 256 * 1.01
