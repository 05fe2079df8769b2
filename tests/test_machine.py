"""The state machine passes what is right, and fails what is right in every single call from a fresh start."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

import lstm_spec as ls
from lstm_spec.verify.asking import PROFILES, Asking
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.fit import subject_of
from tests import faulty

STEADY = settings(max_examples=40, stateful_step_count=8, deadline=None, derandomize=True, database=None)


def run(target, **options):
    run_state_machine_as_test(ls.strategies.machine(target, **options), settings=STEADY)


@pytest.mark.parametrize(
    ("target", "options"), [("numpy", {}), ("spec", {"spec": "gru"}), ("numpy", {"dtype": "float32"})]
)
def test_what_is_right_passes(target, options):
    run(target, **options)


class Session:
    """What goes on from the states of its last call wherever it is given any, as long as rows and units fit."""

    def __init__(self):
        self.kept = None

    def forward(self, params, x, h0, c0):
        if self.kept is not None and self.kept[0].shape == h0.shape and h0.any():
            h0, c0 = self.kept
        y, h, c = faulty.correct(params, x, h0, c0)
        self.kept = h, c
        return y, h, c


class Counting:
    """What resets its memory on every third call."""

    def __init__(self):
        self.calls = 0

    def forward(self, params, x, h0, c0):
        self.calls += 1
        return faulty.correct(params, x, h0, 0 * c0 if self.calls % 3 == 0 else c0)


class OneRow:
    """What computes single rows wrongly."""

    def forward(self, params, x, h0, c0):
        y, h, c = faulty.correct(params, x, h0, c0)
        return (y + 1, h, c) if x.shape[1] == 1 else (y, h, c)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (Session, "expected"),
        (Counting, "expected"),
        (OneRow, "expected"),
        (faulty.initial_state_ignored, "expected"),
        (lambda *given: None, "forward returned None"),
    ],
)
def test_what_depends_on_the_calls_before_fails(target, sentence):
    with pytest.raises(AssertionError, match=sentence):
        run(target)


def test_the_deep_profile_follows_what_comes_near_to_the_allowed_error(monkeypatch):
    import hypothesis

    seen = []
    monkeypatch.setattr(hypothesis, "target", lambda ratio, label: seen.append(ratio))
    check = next(check for check in CHECKS if check.id == "step")
    for name, wanted in (("quick", False), ("deep", True)):
        seen.clear()
        profile = PROFILES["quick"]
        asking = Asking(subject_of(faulty.correct, None, None), PROFILES[name], ("float64",), 0, (check,))
        asking.profile = type(profile)(name, 10, 5, profile.sizes, profile.steps, PROFILES[name].aimed)
        assert asking.result_of(check).status == "verified"
        assert bool(seen) is wanted
