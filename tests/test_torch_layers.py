"""PyTorch's modules as targets: verified in random combinations, and faults planted in them are found."""

from dataclasses import replace

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute.accuracy import accuracy
from lstm_spec.targets.claims import claimed
from lstm_spec.targets.like import like
from lstm_spec.verify.cases import seeded_case, with_lengths
from lstm_spec.verify.subject import Subject

pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("few_cases")

KINDS = ("LSTM", "LSTMP", "GRU", "RNN", "RNN relu")
OPTIONS = {"LSTMP": {"proj_size": True}, "RNN relu": {"nonlinearity": "relu"}}


def module(kind, **options):
    """One of PyTorch's modules, with arguments of its constructor."""
    given = ", ".join(f"{key}={value!r}" for key, value in {**OPTIONS.get(kind, {}), **options}.items())
    return like(f"torch.nn.{'LSTM' if kind == 'LSTMP' else kind.split()[0]}({given})")


@pytest.mark.parametrize("kind", KINDS)
def test_random_combinations_are_verified(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    conclusive = 0
    for _ in range(12):
        layers, *flags = (int(rng.integers(1, 4)), *(bool(rng.integers(2)) for _ in range(3)))
        bidirectional, batch_first, lengths = flags
        target = module(kind, num_layers=layers, bidirectional=bidirectional, batch_first=batch_first, lengths=lengths)
        network, T = claimed(target), int(rng.integers(1, 7))
        sizes = {s.name: int(rng.integers(2, 8)) for s in network.sizes} | ({"q": 1} if kind == "LSTMP" else {})
        dtype = str(rng.choice(target.dtypes))
        case = seeded_case(network, dtype, sizes=sizes, T=T, B=3, regime="usual", seed=T, gradients=True)
        if lengths:
            case = with_lengths(case, network, np.array([int(rng.integers(1, T + 1)), T, 1]))
        subject, contract = Subject(target, network), accuracy(dtype)
        outputs, _ = subject.call(case)
        gradients, _ = subject.call_backward(case)
        for comparison in (
            subject.compare(case, outputs, contract),
            subject.compare_gradients(case, outputs, gradients, contract),
        ):
            assert comparison.agrees, (target, comparison.worst)
            conclusive += comparison.conclusive
    assert conclusive >= 20


@pytest.mark.parametrize("name", ["torch-gru", "torch-rnn", "torch-stack"])
def test_the_built_in_targets_are_verified(name):
    report = ls.verify(name, profile="quick", checks=("signature", "step", "carry", "lengths", "gradient_step"))
    assert report.verdict == "verified"


FAULTS = {
    "time turned": (lambda y, states: (y.flip(0), states), "sequence"),
    "halves swapped": (lambda y, states: (y.roll(y.shape[-1] // 2, -1), states), "step"),
    "states by direction": (lambda y, states: (y, tuple(s[[0, 2, 1, 3]] for s in states)), "step"),
    "state of another layer": (lambda y, states: (y, tuple(s.flip(0) for s in states)), "step"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_stands_in_another_place_is_found(fault):
    change, check = FAULTS[fault]
    right = module("LSTM", num_layers=2, bidirectional=True)

    def forward(params, x, *states):
        y, *final = right.forward(params, x, *states)
        y, final = change(y, tuple(final))
        return (y, *final)

    report = ls.verify(
        replace(right, forward=forward, backward=None), profile="quick", checks=("signature", "step", "sequence")
    )
    assert next(c.id for c in report.checks if c.status == "discrepancy") == check


def test_lengths_that_are_not_used_are_found():
    right = module("GRU", bidirectional=True, lengths=True)

    def forward(params, x, *states, lengths=None):
        return right.forward(params, x, *states)

    report = ls.verify(
        replace(right, forward=forward, backward=None), profile="quick", checks=("signature", "sequence", "lengths")
    )
    assert [c.status for c in report.checks][:3] == ["verified", "verified", "discrepancy"]


def test_an_update_gate_the_other_way_round_is_found():
    right = module("GRU", num_layers=2)
    wrong = replace(right, layout=replace(right.layout, gates="urh"), backward=None)
    assert ls.verify(wrong, profile="quick", checks=("signature", "step")).verdict == "discrepancy"
