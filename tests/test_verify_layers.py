"""Verifying networks: correct ones in any form are VERIFIED, planted faults of time, depth and direction are found."""

from dataclasses import replace

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.forced import backward_bounds, forced_bounds
from lstm_spec.compute.runner import runner
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.layers import layers
from lstm_spec.spec.network import Network
from lstm_spec.targets.claims import claimed
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.held import Held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import layout
from lstm_spec.targets.python import target_of
from lstm_spec.verify import prepare, simplify
from lstm_spec.verify.cases import seeded_case, with_lengths
from lstm_spec.verify.fit import UsageError
from lstm_spec.verify.regimes import REGIMES
from lstm_spec.verify.subject import Subject
from tests.faulty_layers import FAULTS, stack
from tests.networks import NETWORKS, arguments
from tests.networks import with_lengths as having_lengths

ASKED = ("signature", "step", "sequence", "lengths")


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch):
    """Ask little: whether a fault is found here does not hang on the number of cases."""
    quick = replace(prepare.PROFILES["quick"], small=16, seeded=8, sizes=(1, 2, 3, 5))
    monkeypatch.setattr(prepare, "PROFILES", {"quick": quick})
    monkeypatch.setattr(simplify, "MOST_CALLS", 60)


def report_of(fault, *, checks=ASKED):
    """Verify a stack with a fault against the network that it claims to be."""
    residual, square = fault == "residual forgotten", fault == "layer 1 reads x"
    bidirectional = not (residual or square)
    # Only where x is as wide as the output of a layer can the next one read it.
    network = layers(
        count=2, bidirectional=bidirectional, residual=residual, n="m" if square else None, past_length="zero"
    )
    forward = stack(layers=2, bidirectional=bidirectional, residual=residual, fault=fault)
    target = Target(name=fault or "correct", forward=forward, spec=network)
    return ls.verify(target, profile="quick", checks=checks)


def test_a_stack_in_plain_loops_is_verified():
    report = report_of(None, checks=None)
    assert report.verdict == "verified"
    assert {c.id for c in report.checks} >= {"lengths", "carry", "batch"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault):
    report = report_of(fault)
    assert report.verdict == "discrepancy"
    failed = next(c for c in report.checks if c.status == "discrepancy")
    expected = {
        "lengths ignored": "lengths",
        "padding not zero": "lengths",
        "reverse starts at the padding": "lengths",
        "reverse not flipped": "sequence",
        "reverse state at the wrong end": "sequence",
    }
    assert failed.id == expected.get(fault, "step")


def test_a_runner_is_a_target_with_gradients():
    network = layers("gru", count=2, bidirectional=True, past_length="freeze")
    checks = ("lengths", "gradient_signature", "gradient_step", "gradient_lengths")
    assert ls.verify(runner(network), profile="quick", checks=checks).verdict == "verified"


def test_gradients_of_padding_are_found():
    network = layers(count=2, past_length="zero")
    inner = runner(network)

    class Leaking:
        spec = network
        forward = staticmethod(inner.forward)

        @staticmethod
        def backward(params, x, *rest, lengths=None):
            dparams, dx, *initial = inner.backward(params, x, *rest, lengths=lengths)
            if lengths is not None:
                dx = np.where(np.arange(len(x))[:, None, None] < np.asarray(lengths)[:, None], dx, 1e-3)
            return dparams, dx, *initial

    report = ls.verify(Leaking(), profile="quick", checks=("gradient_signature", "gradient_step", "gradient_lengths"))
    assert [c.status for c in report.checks] == ["verified", "verified", "discrepancy"]
    assert report.checks[-1].finding.deviation.output == "dx"


KINDS = [key for key in NETWORKS if key != "mixed"]
PADDED = [(key, "zero") for key in ("two layers", "projected, bidirectional", "average", "go_backwards")]
PADDED += [(key, past) for key in ("reverse", "last") for past in ("repeat", "freeze", "any")]


@pytest.mark.parametrize(("key", "past_length"), [*((key, None) for key in KINDS), *PADDED])
def test_float32_runs_are_within_their_bounds_and_most_bounds_say_something(key, past_length):
    network = having_lengths(NETWORKS[key], past_length)
    ran, contract = runner(network), accuracy("float32")
    told = 0
    for seed, regime in enumerate(REGIMES):
        sizes = {s.name: 3 + k for k, s in enumerate(network.sizes)}
        case = seeded_case(network, "float32", sizes=sizes, T=4, B=3, regime=regime, seed=seed, gradients=True)
        options = {}
        if past_length is not None:
            case = with_lengths(case, network, np.array([4, 1, 3]))
            options = {"lengths": case.lengths}
        states = ran.stacked(case.states)
        y, *final = ran.forward(case.params, case.x, *states, **options)
        allowed = forced_bounds(network, case.params, case.x, case.states, y, contract, case.lengths)
        got = {"y": y, **dict(zip(network.states, ran._flat(final), strict=True))}
        dy, *dstates = case.cotangents
        back = ran.backward(case.params, case.x, *states, dy, *ran.stacked(dstates), **options)
        given = (case.params, case.x, case.states, y, dy, tuple(dstates))
        expected = backward_bounds(network, *given, contract, case.lengths)
        initial = {f"{n}0": d for n, d in zip(network.states, ran._flat(back[2:]), strict=True)}
        for name, value in {**got, **{f"d{n}": d for n, d in (back[0] | {"x": back[1]} | initial).items()}}.items():
            bound = allowed[name] if name in got else expected[name[1:]]
            with np.errstate(all="ignore"):
                assert not (np.abs(value - bound.value) > bound.errors).any(), (name, regime)
            told += np.median(bound.errors) < 1e-3
    assert told > 0.6 * len(REGIMES) * (len(got) + len(expected))


def test_values_of_the_bounds_are_those_of_the_network():
    for key, network in NETWORKS.items():
        params, x, states = arguments(network, T=3, B=2)
        ran = runner(network)
        y, *final = ran.forward(params, x, *states)
        flat = ran._flat(states)
        allowed = forced_bounds(network, params, x, flat, y, accuracy("float64"))
        np.testing.assert_allclose(allowed["y"].value, y, rtol=1e-12, atol=1e-14, err_msg=key)
        for name, value in zip(network.states, ran._flat(final), strict=True):
            np.testing.assert_allclose(allowed[name].value, value, rtol=1e-12, atol=1e-14, err_msg=key)


def test_a_target_says_that_it_is_a_network():
    class Stack:
        layers = 2
        bidirectional = True
        past_length = "zero"
        forward = staticmethod(stack(layers=2, bidirectional=True))

    network = claimed(target_of(Stack()))
    assert network == layers(count=2, bidirectional=True, past_length="zero")
    assert claimed(target_of(Stack()), "gru").name == "2-layer bidirectional gru"
    assert ls.verify(Stack(), profile="quick", checks=("signature", "lengths")).verdict == "verified"


def test_a_single_layer_with_lengths_keeps_the_names_of_its_cell():
    def forward(params, x, h0, c0, *, lengths=None):
        inner = stack(layers=1, bidirectional=False)
        y, h, c = inner({f"l0.{name}": p for name, p in params.items()}, x, h0[None], c0[None], lengths=lengths)
        return y, h[0], c[0]

    target = Target(name="plain", forward=forward, past_length="zero")
    assert ls.verify(target, profile="quick", checks=ASKED, require=["lengths"]).verdict == "verified"


def test_lengths_may_be_required():
    report = ls.verify("numpy", profile="quick", checks=("signature",), require=["lengths"])
    assert report.verdict == "discrepancy"
    assert report.checks[-1].message == "the target takes no lengths, but lengths are required"
    with pytest.raises(UsageError, match='no capability "length"; did you mean lengths'):
        ls.verify("numpy", profile="quick", require=["length"])


WRONG = [
    ({"layers": 0}, "mine.layers is a positive number, got 0"),
    ({"past_length": "keep"}, "mine.past_length is one of zero, repeat, freeze, any, got 'keep'"),
    ({"layers": 2, "spec": layers()}, "claims a network as spec, and layers or bidirectional besides"),
]


@pytest.mark.parametrize(("claims", "sentence"), WRONG)
def test_claims_that_cannot_be_are_refused_in_one_sentence(claims, sentence):
    with pytest.raises(TargetError) as caught:
        ls.verify(Target(name="mine", forward=stack(layers=2, bidirectional=False), **claims))
    assert sentence in str(caught.value)


def test_names_and_states_in_the_layout_of_a_framework():
    network = layers("lstmp", count=2, bidirectional=True)
    params, _, states = arguments(network, T=1, B=3)
    held = Held(layout("pytorch"), network)
    packed = held.pack(params)
    assert list(packed)[:5] == [f"{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")]
    assert packed["weight_ih_l1_reverse"].shape == (16, 4)
    back = held.unpack_gradients({name: np.ones_like(a) for name, a in packed.items()}, params)
    assert {name: d.shape for name, d in back.items()} == {name: p.shape for name, p in params.items()}
    flat = runner(network)._flat(states)
    for got, want in zip(held.from_states(held.to_states(flat)), flat, strict=True):
        np.testing.assert_array_equal(got, want)
    assert [s.shape for s in held.to_states(flat)] == [(4, 3, 2), (4, 3, 4)]
    keras = Held(layout("keras"), layers(count=2)).pack(arguments(layers(count=2), T=1, B=1)[0])
    assert list(keras)[::3] == ["l0.kernel", "l1.kernel"]
    turned = Held(Layout(axes="BTI BDI"), network).to_states(flat)
    assert [s.shape for s in turned] == [(3, 4, 2), (3, 4, 4)]


def test_the_last_output_alone_is_verified():
    network = layers("rnn", bidirectional=True, outputs="last")
    assert ls.verify(runner(network), profile="quick", checks=("signature", "step", "sequence")).verdict == "verified"

    class AtTheEnd:
        spec = network

        @staticmethod
        def forward(params, x, h0):
            y, h = runner(layers("rnn", bidirectional=True)).forward(params, x, h0)
            return y[-1], h

    report = ls.verify(AtTheEnd(), profile="quick", checks=("signature", "step", "sequence"))
    assert [c.status for c in report.checks][:3] == ["verified", "verified", "discrepancy"]


def test_fixed_weights_fix_the_sizes_of_a_network():
    network = layers("rnn", count=2)
    params = arguments(network, T=1, B=1)[0]
    ran = runner(network)
    target = Target(name="fixed", forward=ran.forward, spec=network, weights=params)
    assert ls.verify(target, profile="quick", checks=("signature", "sequence")).verdict == "verified"
    spoilt = params | {"l1.W_h": params["l1.W_h"][:, :2]}
    with pytest.raises(TargetError, match=r"fixed\.weights: W_h\^l1 is 4×2"):
        ls.verify(Target(name="fixed", forward=ran.forward, spec=network, weights=spoilt))


def test_a_network_of_one_is_held_to_the_cells_own_bounds():
    cell = ls.cell("peephole")
    one = Network(name="peephole", layers=(Layer(cell=cell),))
    params, x, states = arguments(one, T=5, B=2)
    y = runner(one).forward(params, x, *states)[0]
    ours, theirs = (forced_bounds(spec, params, x, states, y, accuracy("float32")) for spec in (one, cell))
    for name, bound in ours.items():
        np.testing.assert_array_equal(bound.error, theirs[name].error)


def test_a_subject_asks_with_lengths():
    network = layers(past_length="zero")
    case = seeded_case(network, "float64", sizes={"n": 2, "m": 3}, T=3, B=2, regime="usual", seed=1)
    case = with_lengths(case, network, np.array([1, 3]))
    outputs, _ = Subject(target_of(runner(network)), network).call(case)
    assert not outputs.y[1:, 0].any()
