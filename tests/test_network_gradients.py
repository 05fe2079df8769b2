"""What is wrong with the backward pass of a network is named."""

import numpy as np
import pytest

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.runner import runner
from lstm_spec.spec.layers import layers
from lstm_spec.targets.contract import Target
from lstm_spec.verify.cases import seeded_case, with_lengths
from lstm_spec.verify.diagnose import Matcher, Observation, distance, hypotheses, run_hypothesis
from lstm_spec.verify.explain import explain
from lstm_spec.verify.network_gradient_faults import network_gradient_faults
from lstm_spec.verify.search import Finding
from lstm_spec.verify.subject import Subject

BOTH = layers(count=2, bidirectional=True)


def question(network, *, lengths=False):
    sizes = {s.name: {"n": 2, "m": 3}[s.name] for s in network.sizes}
    case = seeded_case(network, "float64", sizes=sizes, T=4, B=3, regime="weights x3", seed=8, gradients=True)
    return with_lengths(case, network, np.array([4, 2, 3])) if lengths else case


def by_hand(change):
    """Return a target whose gradients are right but for what is done to (dparams, dx, dh0, dc0)."""
    own = runner(BOTH)
    return Target(name="by hand", spec=BOTH, forward=own.forward, backward=lambda *given: change(*own.backward(*given)))


def told(target):
    subject, case = Subject(target, BOTH), question(BOTH)
    outputs = subject.call_differentiated(case)
    comparison = subject.compare_gradients(case, outputs, subject.call_backward(case)[0], accuracy("float64"))
    assert not comparison.agrees
    return explain(subject, Finding("it fails", case, comparison.worst))[0].sentence


def of_layer_zero(dp, dx, dh, dc):
    return {k: 0 * d if k.startswith("l0") else d for k, d in dp.items()}, dx, dh, dc


def directions_exchanged(dp, dx, dh, dc):
    other = {k: k.replace("r.", ".") if "r." in k else k.replace(".", "r.") for k in dp}
    return {k: dp[other[k]] for k in dp}, dx, dh, dc


def states_by_direction(dp, dx, dh, dc):
    return dp, dx, dh[[0, 2, 1, 3]], dc[[0, 2, 1, 3]]


def clipped(dp, dx, dh, dc):
    return {k: np.clip(d, -0.4, 0.4) for k, d in dp.items()}, dx, dh, dc


NAMED = {
    directions_exchanged: "the gradients of the weights of the two directions are returned in each other's place",
    of_layer_zero: "the gradients of the weights of layer 0 are zero",
    states_by_direction: "the gradients of the initial states go direction before layer",
    clipped: "the gradients of the parameters are clipped to ±0.4",
}


@pytest.mark.parametrize(
    "change", [pytest.param(c, marks=[pytest.mark.catalogue] if k else []) for k, c in enumerate(NAMED)]
)
def test_gradients_of_a_stack_by_hand_are_named(change):
    assert told(by_hand(change)).startswith(NAMED[change])


FAULTS = network_gradient_faults(BOTH)


def alternately(h, c):
    return [a for pair in zip(h, c, strict=True) for a in pair]


@pytest.mark.parametrize(
    "fault", [pytest.param(f, id=f.id, marks=[pytest.mark.catalogue] if k % 6 else []) for k, f in enumerate(FAULTS)]
)
def test_a_planted_fault_of_the_way_back_is_told_from_the_others(fault):
    def backward(params, x, h0, c0, dy, dh, dc):
        dparams, dx, *initial = fault.backward(params, x, *alternately(h0, c0), dy, *alternately(dh, dc))
        return dparams, dx, np.stack(initial[::2]), np.stack(initial[1::2])

    subject = Subject(Target(name=fault.id, spec=BOTH, forward=runner(BOTH).forward, backward=backward), BOTH)
    observation = Observation(question(BOTH), dict(subject.call_backward(question(BOTH))[0].values))
    (found,) = Matcher([observation], accuracy("float64")).singles(FAULTS)
    assert found.sentence == fault.sentence


@pytest.mark.parametrize(
    "network",
    [BOTH, layers(count=2, bidirectional=True, past_length="zero"), layers(count=3), layers(count=2, initial="zero")],
    ids=lambda network: network.name,
)
def test_every_fault_of_the_way_back_gives_other_gradients(network):
    case = question(network, lengths=network.past_length is not None)
    known = hypotheses(network, gradients=True)
    assert len({h.id for h in known}) == len(known)
    right = run_hypothesis(known[0].right, case)
    own = network_gradient_faults(network)
    assert [h.id for h in own if distance(run_hypothesis(h, case), right) < 1e-9] == []


@pytest.mark.parametrize("lengths", [False, True])
def test_the_right_hypothesis_is_the_runner(lengths):
    network = layers(count=2, bidirectional=True, past_length="repeat")
    case = question(network, lengths=lengths)
    right = hypotheses(network, gradients=True)[0].right
    found = run_hypothesis(right, case)
    dy, *dstates = case.cotangents
    stacked = [np.stack(a[k::2]) for a in (case.states, dstates) for k in range(2)]
    given = (*stacked[:2], dy, *stacked[2:])
    dparams, dx, dh, _ = runner(network).backward(case.params, case.x, *given, lengths=case.lengths)
    np.testing.assert_array_equal(found["x"], dx)
    np.testing.assert_array_equal(found["l1r.h0"], dh[3])
    np.testing.assert_array_equal(found["l0r.W_c"], dparams["l0r.W_c"])
