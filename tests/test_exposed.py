"""Cases that show adjoints: the forward pass does not see it, dx shows what it should, and bounds stay small."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.calculus.adjoint import backward
from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.compile import compile_program, run
from lstm_spec.compute.forced import backward_bounds
from lstm_spec.compute.gradients import gradients
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.recurrent import gru
from lstm_spec.targets.contract import Target
from lstm_spec.targets.python import load
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.checks import CHECKS, examine
from lstm_spec.verify.exposed import expose, kernels, still_shown
from lstm_spec.verify.subject import Subject
from tests.faulty import plain
from tests.faulty_gradients import FAULTS, bptt, target
from tests.tables import sizes_of

CELLS = {
    "lstm": lstm(),
    "hx": lstm(concat="hx", peepholes="fio"),
    "separate": lstm(concat=None, biases=2),
    "cifg": lstm(coupled="i=1-f"),
    "projection": lstm(projection=True),
    "gru": gru(),
    "minlstm": ls.cell("minlstm"),
}
SEQUENCE = next(check for check in CHECKS if check.id == "gradient_sequence")


def pair(cell, *, T=4, B=2, dtype="float64", regime="usual", seed=7, **sizes):
    """Return a case as it is, and with its adjoints shown."""
    own = sizes_of(cell, **sizes)
    case = seeded_case(cell, dtype, sizes=own, T=T, B=B, regime=regime, seed=seed, gradients=True)
    return case, expose(cell, case, own)


def gradients_of(cell, case):
    dy, *dstates = case.cotangents
    return gradients(cell, case.params, case.x, case.states, dy, tuple(dstates))


@pytest.mark.parametrize("key", CELLS)
def test_the_forward_pass_and_the_other_gradients_stay(key):
    cell = CELLS[key]
    case, shown = pair(cell)
    for before, after in zip(
        run(cell, case.params, case.x, *case.states), run(cell, shown.params, shown.x, *shown.states), strict=True
    ):
        np.testing.assert_allclose(after, before, rtol=1e-13, atol=1e-15)
    own, wider = gradients_of(cell, case), gradients_of(cell, shown)
    np.testing.assert_allclose(wider["x"][..., : case.x.shape[-1]], own["x"], rtol=1e-12, atol=1e-14)
    for name in (*(f"{state}0" for state in cell.states), *(p.name for p in cell.parameters if len(p.shape) == 1)):
        np.testing.assert_allclose(wider[name], own[name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("key", CELLS)
def test_dx_shows_the_adjoints_of_the_last_step(key):
    cell = CELLS[key]
    _, shown = pair(cell, T=1)
    assert list(shown.exposed) == list(dict.fromkeys(kernel.adjoint for kernel in kernels(cell)))
    back = backward(cell)
    dy, *dstates = shown.cotangents
    step = compile_program(back, ("dx", *shown.exposed))
    dx, *adjoints = step(shown.params, shown.x[0], dy[0], *shown.states, *dstates)
    for adjoint, features in zip(adjoints, shown.exposed.values(), strict=True):
        np.testing.assert_array_equal(dx[..., features], adjoint)


@pytest.mark.parametrize("cell", [ls.cell("sru"), ls.cell("mut2")], ids=lambda cell: cell.name)
def test_a_cell_to_which_no_features_can_be_added_shows_nothing(cell):
    case, same = pair(cell)
    assert same is case or (same.exposed == {} and same.x.shape == case.x.shape)


def test_long_sequences_are_conclusive_only_where_adjoints_are_shown():
    case, shown = pair(lstm(), T=100, n=16, m=16, regime="weights x3", dtype="float32")
    for asked, conclusive in ((case, False), (shown, True)):
        outcome = examine(SEQUENCE, Subject(load("numpy"), lstm()), asked, accuracy("float32"))
        assert outcome.finding is None
        assert outcome.conclusive == conclusive


@pytest.mark.parametrize("name", FAULTS)
def test_every_mistake_is_seen_in_a_long_case_that_shows_adjoints(name):
    _, shown = pair(lstm(), T=20, n=3, m=5)
    assert examine(SEQUENCE, Subject(target("right", bptt), lstm()), shown, accuracy("float64")).finding is None
    assert examine(SEQUENCE, Subject(target(name, FAULTS[name]), lstm()), shown, accuracy("float64")).finding


def test_adjoints_that_are_shown_but_not_used_are_found():
    """The reference believes what dx shows, and so what parameters get has to follow from it."""

    def backward(*arguments):
        dparams, *others = bptt(*arguments)
        return ({**dparams, "W_f": dparams["W_f"] * (1 + 1e-12)}, *others)

    _, shown = pair(lstm(), T=20, n=3, m=5)
    subject = Subject(Target(name="t", forward=plain, backward=backward), lstm())
    finding = examine(SEQUENCE, subject, shown, accuracy("float64")).finding
    assert finding.deviation.output == "dW_f"
    assert list(finding.deviation.position) == ["unit", "column"]


@pytest.mark.parametrize(("units", "found"), [(0, False), (1, False), (-1, False), (1000, True)])
def test_what_is_shown_may_be_rounded_otherwise_than_what_is_used(units, found):
    """A fused kernel may compute δa once for dx and once more, rounded otherwise, for the rest."""
    for T in (1, 20):
        _, shown = pair(lstm(), T=T, B=1, n=3, m=3, dtype="float32")
        otherwise = partial(bptt, shown=1 + units * 2.0**-23)
        finding = examine(SEQUENCE, Subject(target("t", otherwise), lstm()), shown, accuracy("float32")).finding
        assert (finding is not None) == found


@pytest.mark.parametrize("name", ["W_f", "W_o", "x"])
def test_a_case_that_was_changed_shows_what_it_still_can(name):
    """Making a case smaller may zero or round its arrays; right gradients stay right, and wrong ones wrong."""
    _, shown = pair(lstm(), T=5, n=3, m=4)
    zeroed = {**shown.params, **({name: 0 * shown.params[name]} if name != "x" else {})}
    changed = replace(shown, params=zeroed, x=shown.x + (name == "x"))
    assert still_shown(lstm(), shown) == shown.exposed
    lost = {"W_f": {"da_f"}, "W_o": {"da_o"}, "x": set()}[name]
    assert set(still_shown(lstm(), changed)) == set(shown.exposed) - lost
    for way, found in ((bptt, False), (FAULTS["c_t in place of c_{t-1}"], True)):
        finding = examine(SEQUENCE, Subject(target("t", way), lstm()), changed, accuracy("float64")).finding
        assert (finding is not None) == found


def test_the_third_opinion_speaks_of_shown_adjoints_too():
    _, shown = pair(lstm(), T=1, n=3, m=5)
    wrong = target("t", FAULTS["c_t in place of c_{t-1}"])
    finding = examine(SEQUENCE, Subject(wrong, lstm()), shown, accuracy("float64")).finding
    assert finding.deviation.output in shown.exposed
    assert finding.message.endswith("agrees with the specification")


def test_what_overflows_hides_the_others_and_nothing_else():
    _, shown = pair(lstm(), T=3, n=2, m=3, dtype="float32")
    dy, *dstates = shown.cotangents
    y = run(lstm(), shown.params, shown.x, *shown.states)[0]
    dx = gradients_of(lstm(), shown)["x"].astype(np.float64)
    dx[1, 0, shown.exposed["da_i"].start + 2] = np.inf
    adjoints = {name: Bounded(dx[..., part]) for name, part in shown.exposed.items()}
    allowed = backward_bounds(
        lstm(), shown.params, shown.x, shown.states, y, dy, tuple(dstates), accuracy("float32"), shown=adjoints
    )
    lost = {name: ~np.isfinite(allowed[name].errors).all(axis=-1) for name in adjoints}
    for name in adjoints:
        # Nothing is known of what arrives at the step before.
        assert lost[name].tolist() == [[True, False], [False, False], [False, False]]
