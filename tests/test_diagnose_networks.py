"""What is wrong between the layers, directions and lengths of a network is named."""

from dataclasses import replace

import numpy as np
import pytest

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.runner import runner
from lstm_spec.spec.layers import layers
from lstm_spec.targets.contract import Target
from lstm_spec.verify.cases import seeded_case, with_lengths
from lstm_spec.verify.diagnose import Matcher, Observation, distance, hypotheses, run_hypothesis
from lstm_spec.verify.explain import explain
from lstm_spec.verify.search import Finding
from lstm_spec.verify.subject import Subject
from tests.faulty_layers import stack

NAMED = {
    "reverse not flipped": "the reverse direction runs forward",
    "halves swapped": "y holds the reverse direction first",
    "layer 1 reads x": "every layer reads x, where the spec has the output of the layer below",
    "lengths ignored": "the lengths are ignored: every row runs to the last step",
    "reverse state at the wrong end": "the final h of a reverse direction is its output at the last step",
    "states by direction": "the states go direction before layer where they go layer before direction",
    "residual forgotten": "no layer adds its input to its output, as the spec does",
    "padding not zero": "y holds the final state of each direction past a row's length",
    "reverse starts at the padding": "the reverse direction begins at the last step, not at each row's own end",
}


def claimed(fault, *, past_length="zero"):
    residual, square = fault == "residual forgotten", fault == "layer 1 reads x"
    both = not (residual or square)
    network = layers(count=2, bidirectional=both, residual=residual, n="m" if square else None, past_length=past_length)
    return network, stack(layers=2, bidirectional=both, residual=residual, fault=fault)


def question(network, *, lengths, T=4, B=3):
    sizes = {s.name: {"n": 2, "m": 3}[s.name] for s in network.sizes}
    case = seeded_case(network, "float64", sizes=sizes, T=T, B=B, regime="weights x3", seed=0)
    return with_lengths(case, network, np.array([T, 2, 3])[:B]) if lengths else case


@pytest.mark.parametrize("fault", NAMED)
def test_a_fault_of_a_stack_is_named_first(fault):
    network, forward = claimed(fault)
    subject = Subject(Target(name=fault, forward=forward, spec=network), network)
    case = question(network, lengths=fault not in ("layer 1 reads x", "residual forgotten"))
    outputs, _ = subject.call(case)
    comparison = subject.compare(case, outputs, accuracy("float64"))
    assert not comparison.agrees
    found = explain(subject, Finding("it fails", case, comparison.worst))
    assert found[0].sentence.startswith(NAMED[fault])


def test_a_stack_that_is_right_has_no_explanation():
    network, forward = claimed(None)
    case = question(network, lengths=True)
    subject = Subject(Target(name="right", forward=forward, spec=network), network)
    outputs, _ = subject.call(case)
    matcher = Matcher([Observation(case, {"y": outputs.y, **outputs.states})], accuracy("float64"))
    assert matcher.singles(hypotheses(network)) == ()


@pytest.mark.parametrize("lengths", [False, True])
def test_hypotheses_of_networks_give_something_else_or_need_more(lengths):
    network = layers(count=2, bidirectional=True, past_length="zero")
    case = question(network, lengths=lengths)
    found = hypotheses(network)
    assert len({h.id for h in found}) == len(found)
    right = run_hypothesis(found[0].right, case)
    own = [h for h in found if h.kind in ("directions", "layers", "initial", "lengths", "padding")]
    same = {h.id for h in own if distance(run_hypothesis(h, case), right) == 0}
    # Weights of the lowest layer are of another size; without lengths those cannot be ignored.
    needing = {h.id for h in own if h.kind in ("lengths", "padding")} | {"reverse-from-last-step"}
    assert same <= (set() if lengths else needing) | {"layers-read-x"}


def test_the_right_hypothesis_is_the_runner():
    network = layers(count=2, bidirectional=True, past_length="repeat")
    case = question(network, lengths=True)
    given = run_hypothesis(hypotheses(network)[0].right, case)
    kinds = [np.stack(case.states[k::2]) for k in range(2)]
    y, h, _ = runner(network).forward(case.params, case.x, *kinds, lengths=case.lengths)
    np.testing.assert_array_equal(given["y"], y)
    np.testing.assert_array_equal(given["l1r.h"], h[3])


def test_two_faults_of_a_network_are_named_together():
    network, forward = claimed("halves swapped")
    wrong = {"f": "i", "i": "f", "c": "c", "o": "o"}

    def twice(params, x, *states, lengths=None):
        taken = {name: params[f"{name[:-1]}{wrong[name[-1]]}"] for name in params}
        return forward(taken, x, *states, lengths=lengths)

    case = question(replace(network), lengths=True)
    subject = Subject(Target(name="twice", forward=twice, spec=network), network)
    comparison = subject.compare(case, subject.call(case)[0], accuracy("float64"))
    (found,) = explain(subject, Finding("it fails", case, comparison.worst))
    assert "y holds the reverse direction first" in found.sentence
    assert "i, f, c̃, o" in found.sentence
