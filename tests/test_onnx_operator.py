"""The recurrent operators of ONNX as specifications, against the operators by hand."""

from dataclasses import replace

import numpy as np
import pytest

from lstm_spec.compute.network import plain, run_network
from lstm_spec.spec.network import network_of
from lstm_spec.spec.onnx import ACTIVATIONS, INPUTS, READINGS, Operator, readings
from lstm_spec.spec.options import OptionError
from lstm_spec.targets.held import Held
from lstm_spec.targets.onnx import inputs, layout_of
from tests.onnx_in_numpy import run

KINDS = {"LSTM": 3, "GRU": 2, "RNN": 1}
ALL = frozenset(INPUTS)


def answers(operator, *, seed=0, chosen=None, sizes=(3, 2), T=4, B=3):
    """Return what the specification gives, and the operator by hand, in the operator's own layout."""
    rng = np.random.default_rng(seed)
    n, m = sizes
    spec = operator.spec(chosen)
    network = network_of(spec)
    held = Held(layout_of(operator, readings(chosen)["coupling"]), spec)
    params = {name: rng.normal(size=shape) for name, shape in spec.dimensions(n=n, m=m).items()}
    x = rng.normal(size=(T, B, n))
    states = tuple(rng.normal(size=(B, m)) * operator.is_given_states for _ in spec.states)
    lengths = rng.integers(1, T + 1, B) if "sequence_lens" in operator.inputs else None
    feeds = inputs(operator, held.pack(params), held.layout.to_x(x), held.to_states(states), lengths)
    own = replace(network, past_length="zero") if lengths is not None else network
    traced = run_network(own, params, x, states, lengths, plain(keep=False))
    return [held.to_y(traced.y), *held.to_states(traced.states)], run(operator.kind, operator.attributes(), feeds)


def agree(operator, **options):
    got, wanted = answers(operator, **options)
    return all(
        np.allclose(a, b, rtol=1e-10, atol=1e-12) and a.shape == b.shape for a, b in zip(got, wanted, strict=True)
    )


def drawn(seed):
    """Return an operator with attributes and inputs by chance."""
    rng = np.random.default_rng(seed)
    kind = str(rng.choice(list(KINDS)))
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    count = KINDS[kind] * (1 + (direction == "bidirectional"))
    names = tuple(map(str, rng.choice(list(ACTIVATIONS), count)))
    known = [name for name in ("B", "sequence_lens", "P") if kind == "LSTM" or name != "P"]
    states = ("initial_h", "initial_c")[: 1 + (kind == "LSTM")] if rng.random() < 0.6 else ()
    return Operator(
        kind=kind,
        direction=direction,
        activations=names if rng.random() < 0.7 else None,
        activation_alpha=tuple(map(float, rng.uniform(0.1, 1.5, count))) if rng.random() < 0.5 else None,
        activation_beta=tuple(map(float, rng.uniform(0.1, 1.5, count))) if rng.random() < 0.5 else None,
        clip=float(rng.uniform(0.2, 2)) if rng.random() < 0.5 else None,
        input_forget=int(kind == "LSTM" and rng.random() < 0.5),
        layout=int(rng.random() < 0.5),
        linear_before_reset=int(kind == "GRU" and rng.random() < 0.5),
        inputs=frozenset((*states, *(name for name in known if rng.random() < 0.6))),
    )


@pytest.mark.parametrize("seed", range(60))
def test_the_specification_computes_what_the_text_says(seed):
    assert agree(drawn(seed), seed=seed)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("place", range(3))
def test_every_activation_in_every_place(name, place):
    names = ["Sigmoid", "Tanh", "Tanh"]
    names[place] = name
    assert agree(Operator(activations=tuple(names), activation_alpha=(0.7,), activation_beta=(0.4,)))


WITHOUT = {
    "clip": {"clip": 0.3},
    "input_forget": {"input_forget": 1},
    "activations": {"activations": ("HardSigmoid", "Elu", "Relu")},
    "direction": {"direction": "reverse"},
    "P": {"inputs": ALL},
    "sequence_lens": {"inputs": ALL},
    "initial_h": {"inputs": ALL},
}


@pytest.mark.parametrize("name", WITHOUT)
def test_an_attribute_that_is_left_out_is_noticed(name):
    """The comparison above sees every attribute: what the text says of one is not what it says without."""
    operator = Operator(**WITHOUT[name])
    spec, _ = answers(operator)
    less = operator.without(name)
    n, m = 3, 2
    if name in ("clip", "activations", "direction"):
        other, _ = answers(less)
        assert not all(np.allclose(a, b) for a, b in zip(spec, other, strict=True))
    else:
        shapes = [o.spec().dimensions(n=n, m=m).keys() for o in (operator, less)]
        assert shapes[0] != shapes[1] or name in ("sequence_lens", "initial_h")


@pytest.mark.parametrize("answer", [a for a in READINGS["clip"].answers if a != "activations"])
def test_another_reading_of_clip_is_another_specification(answer):
    assert agree(Operator(clip=0.3))
    assert not agree(Operator(clip=0.3), chosen={"clip": answer})


def test_the_other_reading_of_the_coupling():
    cell = Operator(input_forget=1).spec({"coupling": "i=1-f"})
    assert str(cell["i"]) == "i = 1 − f"
    assert "W_i" not in cell.dimensions(n=2, m=3)
    assert not agree(Operator(input_forget=1), chosen={"coupling": "i=1-f"})


def test_constants_by_place_or_one_after_the_other():
    operator = Operator(activations=("Sigmoid", "Elu", "LeakyRelu"), activation_alpha=(0.5, 0.25, 0.125))
    consumed, positional = (operator.spec({"constants": c}) for c in READINGS["constants"].answers)
    assert [str(c["c_tilde"]) for c in (consumed, positional)] == ["c̃ = elu(a_c, 1/2)", "c̃ = elu(a_c, 1/4)"]
    assert [str(c["h"]) for c in (consumed, positional)] == [
        "h = o∘leaky_relu(c, 1/4)",
        "h = o∘leaky_relu(c, 1/8)",
    ]


def test_constants_are_those_of_single_precision():
    assert "0.30000001192092" in str(Operator(activations=("HardSigmoid",) * 3, activation_alpha=(0.3,)).spec()["f"])


def test_past_the_end_of_a_row_the_text_says_nothing():
    given = Operator(inputs=ALL)
    assert [given.spec(r).past_length for r in (None, {"past_length": "zero"})] == ["any", "zero"]


REFUSED = [
    ({"kind": "lstm"}, "kind is one of 'LSTM', 'GRU', 'RNN', got 'lstm'"),
    ({"direction": "both"}, "direction is one of 'forward', 'reverse', 'bidirectional', got 'both'"),
    ({"kind": "GRU", "input_forget": 1}, "input_forget is an attribute of LSTM, not of GRU"),
    ({"linear_before_reset": 1}, "linear_before_reset is an attribute of GRU, not of LSTM"),
    ({"layout": 2}, "layout is one of 0, 1, got 2"),
    ({"clip": 0.0}, "clip is a positive limit, got 0.0"),
    ({"inputs": frozenset({"Q"})}, "an input is one of"),
    ({"inputs": frozenset({"initial_c"})}, "initial_h and initial_c are given together or not at all"),
    ({"activations": ("Tanh",)}, r"activations has 3 names for LSTM\(activations=\[Tanh\]\), got 1"),
    ({"activations": ("Tanh", "Tanh", "Swish")}, "activations: there is no Swish; there is Relu, Tanh, "),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_what_the_operator_has_not_is_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Operator(**options)


def test_a_reading_that_there_is_not_is_refused():
    with pytest.raises(OptionError, match="a reading is one of 'clip', 'coupling', 'constants', 'past_length', got"):
        readings({"layout": "0"})
    with pytest.raises(OptionError, match="the reading clip is one of 'activations', 'gates', 'state', got 'h'"):
        readings({"clip": "h"})
