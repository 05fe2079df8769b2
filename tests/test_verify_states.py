"""Verifying networks whose layers differ in size, or that begin where they like: correct ones, and faults in them."""

from dataclasses import replace

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute.runner import runner
from lstm_spec.spec.layers import layers
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.held import Held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import layout
from lstm_spec.targets.packing import LayoutError
from lstm_spec.verify import prepare
from tests.networks import arguments
from tests.test_verify_layers import ASKED

UNEVEN = layers(hidden=("m", "k"), past_length="zero")
BOTH = layers("gru", hidden=(3, "m"), bidirectional=True)
ZERO = layers(count=2, initial="zero")
LEARNED = layers("gru", count=2, bidirectional=True, initial="learned")
NETWORKS = [UNEVEN, BOTH, ZERO, LEARNED, layers("lstmp", hidden=("m", "k"), initial="zero")]
PYTORCH = replace(layout("pytorch"), axes="TBI DBI")
GRADIENTS = ("gradient_signature", "gradient_step", "gradient_sequence")


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch):
    quick = replace(prepare.PROFILES["quick"], small=8, seeded=4, sizes=(1, 2, 3))
    monkeypatch.setattr(prepare, "PROFILES", {"quick": quick})


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: f"{n.name}, {n.initial}")
def test_the_compiled_network_is_verified(network):
    report = ls.verify("spec", spec=network, profile="quick", dtypes=["float32"])
    assert report.verdict == "verified"
    asked = {c.id: c.status for c in report.checks}
    assert ("carry" in asked) == (network.initial == "given") == ("states" not in asked)
    assert asked["gradient_sequence"] == "verified"


def test_states_are_passed_by_the_names_of_the_network():
    assert tuple(UNEVEN.stacks) == UNEVEN.states == ("l0.h", "l0.c", "l1.h", "l1.c")
    # Two numbers that happen to be equal are not two sizes.
    assert tuple(layers(hidden=(3, 3)).stacks) == ("h", "c")
    assert Held(Layout(states="ch"), UNEVEN).states == ("l0.c", "l0.h", "l1.c", "l1.h")
    flat = arguments(UNEVEN, T=1, B=2)[2]
    for axes, shapes in (("TBI", [(2, 4), (2, 3)]), ("TBI DBI", [(1, 2, 4), (1, 2, 3)])):
        held = Held(Layout(axes=axes), UNEVEN)
        assert [s.shape for s in held.to_states(flat)[::2]] == shapes
        for got, want in zip(held.from_states(held.to_states(flat)), flat, strict=True):
            np.testing.assert_array_equal(got, want)
    with pytest.raises(LayoutError, match="has the states h, but the cell has h, c"):
        Held(Layout(states="h"), UNEVEN).to_states(flat)


def forward_with(change, network):
    """Return forward as it should be but for its arguments, or with y, h, c, … changed."""
    return lambda *args, **lengths: change(runner(network).forward, *args, **lengths)


FORWARD_FAULTS = {
    "layer 1 begins at 0": (UNEVEN, lambda f, p, x, h, c, k, d, **o: f(p, x, h, c, 0 * k, 0 * d, **o), "step"),
    "h and c exchanged": (UNEVEN, lambda f, p, x, h, c, k, d, **o: f(p, x, c, h, k, d, **o), "step"),
    "h of layer 0 is that of the last row": (
        UNEVEN,
        lambda f, *a, **o: (lambda y, h, *s: (y, h[[-1] * len(h)], *s))(*f(*a, **o)),
        "step",
    ),
    "states by kind": (
        UNEVEN,
        lambda f, *a, **o: (lambda y, h, c, k, d: (y, h, k, c, d))(*f(*a, **o)),
        "signature",
    ),
    "begins at 1": (
        ZERO,
        lambda f, p, x: runner(layers(count=2)).forward(p, x, *np.ones((2, 2, x.shape[1], len(p["l0.b_f"])))),
        "step",
    ),
    "the learned row is left out": (LEARNED, lambda f, p, x: f({**p, "l1r.h0": 0 * p["l1r.h0"]}, x), "step"),
    "learned rows of other layers": (
        LEARNED,
        lambda f, p, x: f({**p, "l0.h0": p["l0r.h0"], "l0r.h0": p["l0.h0"]}, x),
        "step",
    ),
}


@pytest.mark.parametrize("name", FORWARD_FAULTS)
def test_a_planted_fault_is_found(name):
    network, change, check = FORWARD_FAULTS[name]
    target = Target(name=name, forward=forward_with(change, network), spec=network)
    report = ls.verify(target, profile="quick", first_finding=True, checks=ASKED)
    assert report.verdict == "discrepancy"
    assert next(c.id for c in report.checks if c.status == "discrepancy") == check


BACKWARD_FAULTS = {
    "of one row alone": lambda dparams, dx: ({**dparams, "l0.h0": dparams["l0.h0"] / dx.shape[1]}, dx),
    "not learned": lambda dparams, dx: ({**dparams, "l1.h0": 0 * dparams["l1.h0"]}, dx),
}


@pytest.mark.parametrize("name", BACKWARD_FAULTS)
def test_a_wrong_gradient_of_a_learned_state_is_found(name):
    inner, change = runner(LEARNED), BACKWARD_FAULTS[name]
    target = Target(
        name=name, forward=inner.forward, backward=lambda *args: change(*inner.backward(*args)), spec=LEARNED
    )
    report = ls.verify(target, profile="quick", first_finding=True, checks=("signature", *GRADIENTS))
    assert report.verdict == "discrepancy"
    assert report.finding.deviation.output == ("dl0.h0" if "row" in name else "dl1.h0")


def test_a_gradient_of_a_size_of_another_layer_is_found():
    inner = runner(UNEVEN)

    def backward(*args, **lengths):
        dparams, dx, dh, *others = inner.backward(*args, **lengths)
        return dparams, dx, np.tanh(dh), *others

    target = Target(name="squashed", forward=inner.forward, backward=backward, spec=UNEVEN)
    report = ls.verify(target, profile="quick", first_finding=True, checks=("signature", *GRADIENTS))
    assert report.finding.deviation.output == "dl0.h0"


def test_a_wrong_number_of_states_is_said_by_their_names():
    def stacked(params, x, *states):
        y, *final = runner(UNEVEN).forward(params, x, *states)
        return y, tuple(final[::2]), tuple(final[1::2])

    report = ls.verify(
        Target(name="stacked", forward=stacked, spec=UNEVEN), profile="quick", first_finding=True, checks=("signature",)
    )
    assert report.checks[0].message == ("forward returned 3 values; expected 5: (y, l0.h, l0.c, l1.h, l1.c) (float64)")


def test_states_may_be_required():
    report = ls.verify(
        "spec", spec=ZERO, profile="quick", first_finding=True, checks=("signature",), require=["states"]
    )
    assert report.verdict == "discrepancy"
    assert "given no initial states, but states are required" in report.checks[-1].message


def test_a_report_of_a_network_without_given_states_has_none():
    target = Target(name="wrong", forward=lambda p, x: runner(ZERO).forward(p, 2 * x), spec=ZERO)
    report = ls.verify(target, profile="quick", first_finding=True, checks=("signature", "step"))
    assert report.to_dict()["counterexample"]["states"] == {}


def test_learned_rows_of_another_size_are_refused():
    params = arguments(LEARNED, T=1, B=1)[0]
    spoilt = params | {"l1.h0": np.zeros(3)}
    with pytest.raises(TargetError, match=r"weights: l1\.h0 has the shape \(3,\); expected \(4,\), that of its state"):
        ls.verify(Target(name="fixed", forward=runner(LEARNED).forward, spec=LEARNED, weights=spoilt))


def torch_stack(fault=None):
    """Return two nn.LSTM in sequence, the second one of another size, as a target with gradients."""
    torch = pytest.importorskip("torch")

    def modules(params, x, h0, k0):
        pair = [
            torch.nn.LSTM(n, m, dtype=x.dtype) for n, m in ((x.shape[-1], h0.shape[-1]), (h0.shape[-1], k0.shape[-1]))
        ]
        with torch.no_grad():
            for layer, made in enumerate(pair):
                for name, own in made.named_parameters():
                    own.copy_(params[name.replace("_l0", f"_l{layer}")])
        return pair

    def run_pair(pair, x, h0, c0, k0, d0):
        below, (h, c) = pair[0](x, (h0, c0))
        y, (k, d) = pair[1](below, (k0, d0) if fault != "state of layer 1 forgotten" else None)
        return y, h, c, k, d

    class Pair:
        spec = layers(hidden=("m", "k"))
        layout = PYTORCH
        arrays = "torch"
        dtypes = ("float64", "float32")

        @staticmethod
        def forward(params, x, *states):
            with torch.no_grad():
                return run_pair(modules(params, x, *states[::2]), x, *states)

        @staticmethod
        def backward(params, x, *rest):
            states, cotangents = rest[:4], rest[4:]
            pair = modules(params, x, *states[::2])
            given = [value.clone().requires_grad_() for value in (x, *states)]
            own = {n.replace("_l0", f"_l{k}"): p for k, made in enumerate(pair) for n, p in made.named_parameters()}
            found = torch.autograd.grad(run_pair(pair, *given), [*own.values(), *given], cotangents)
            return dict(zip(own, found[: len(own)], strict=True)), *found[len(own) :]

    return Pair()


def test_two_layers_of_pytorch_of_different_sizes_are_verified():
    checks = ("signature", "sequence", "carry", "gradient_signature", "gradient_sequence")
    assert ls.verify(torch_stack(), profile="quick", checks=checks).verdict == "verified"


def test_a_fault_in_them_is_found():
    report = ls.verify(torch_stack("state of layer 1 forgotten"), profile="quick", first_finding=True, checks=ASKED[:3])
    assert report.verdict == "discrepancy"


WRONG = """
import lstm_spec as ls

class Wrong:
    spec = ls.layers({options})

    def forward(self, params, x, *states):
        y, *final = ls.runner(self.spec).forward(params, x, *states)
        return y, *final[:-1], 1.01 * final[-1]
"""


@pytest.mark.parametrize("options", ['hidden=("m", "k")', 'initial="zero"', '"gru", initial="learned"'])
def test_a_finding_can_be_run_again(tmp_path, monkeypatch, options):
    (tmp_path / "wrong.py").write_text(WRONG.format(options=options), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    report = ls.verify("wrong.py:Wrong", profile="quick", checks=("signature", "step"))
    with pytest.raises(AssertionError, match=r"\w+\[.*\] is .*, expected"):
        exec(report.failing.snippet, {})
