"""The recurrent operators of ONNX in runtimes, as targets; what a runtime does wrong is planted in one made by hand."""

import re
from dataclasses import replace

import pytest

import lstm_spec as ls
from lstm_spec.spec.onnx import INPUTS, Operator
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.like import like
from lstm_spec.targets.onnx import operator_target
from lstm_spec.targets.onnx_runtimes import RUNTIMES, Runtime
from lstm_spec.verify import prepare, simplify
from tests import onnx_in_numpy

onnx = pytest.importorskip("onnx")

EVERY = frozenset(INPUTS)
QUICK = ("signature", "step", "sequence", "lengths")


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch):
    monkeypatch.setattr(
        prepare, "PROFILES", {"quick": replace(prepare.PROFILES["quick"], small=10, seeded=6, sizes=(2, 3, 5))}
    )
    monkeypatch.setattr(simplify, "MOST_CALLS", 40)


def by_hand(change=lambda attributes, feeds: (attributes, feeds)):
    """Return a runtime that computes the operator's text in NumPy, with something done to what it reads."""

    def session(model):
        graph = onnx.load_from_string(model).graph
        (node,), known = graph.node, {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        attributes |= {"activations": [a.decode() for a in attributes.get("activations", ())]}
        attributes |= {"direction": attributes.get("direction", b"forward").decode()}
        return lambda feeds: onnx_in_numpy.run(node.op_type, *change(attributes, {**known, **feeds}))

    return Runtime("the operator by hand", "onnx", ("float64", "float32"), session)


def quick(target, **options):
    return ls.verify(
        target, **{"profile": "quick", "checks": QUICK, "first_finding": True, "diagnose": False, **options}
    )


OPERATORS = (
    Operator(),
    Operator(direction="reverse", inputs=EVERY),
    Operator(direction="bidirectional", layout=1, inputs=EVERY, activations=("Elu", "Affine", "Softsign") * 2),
    Operator(clip=0.5, input_forget=1),
    Operator(inputs=frozenset()),
    Operator(kind="GRU", direction="bidirectional", clip=1.0),
    Operator(kind="GRU", linear_before_reset=1, inputs=frozenset({"sequence_lens"})),
    Operator(kind="RNN", layout=1, activations=("LeakyRelu",)),
)


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
def test_the_operator_by_hand_is_verified(operator):
    report = quick(operator_target(by_hand(), operator))
    assert report.verdict == "verified", report


FAULTS = {
    "clip": (Operator(clip=0.5), lambda a, f: (a | {"clip": None}, f)),
    "input_forget": (Operator(input_forget=1), lambda a, f: (a | {"input_forget": 0}, f)),
    "activations": (Operator(activations=("Elu", "Relu", "Tanh")), lambda a, f: (a | {"activations": None}, f)),
    "alpha": (
        Operator(activations=("Elu",) * 3, activation_alpha=(2.0,)),
        lambda a, f: (a | {"activation_alpha": ()}, f),
    ),
    "direction": (Operator(direction="reverse"), lambda a, f: (a | {"direction": "forward"}, f)),
    "sequence_lens": (Operator(inputs=EVERY), lambda a, f: (a, {k: v for k, v in f.items() if k != "sequence_lens"})),
    "P": (Operator(inputs=EVERY), lambda a, f: (a, {k: v for k, v in f.items() if k != "P"})),
    "linear_before_reset": (
        Operator(kind="GRU", linear_before_reset=1),
        lambda a, f: (a | {"linear_before_reset": 0}, f),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_attribute_or_an_input_that_is_not_read_is_found(fault):
    operator, change = FAULTS[fault]
    assert quick(operator_target(by_hand(change), operator)).verdict == "discrepancy"


def test_weights_of_directions_in_each_others_place_are_found():
    def turned(attributes, feeds):
        return attributes, {**feeds, "W": feeds["W"][::-1]}

    assert quick(operator_target(by_hand(turned), Operator(direction="bidirectional"))).verdict == "discrepancy"


@pytest.mark.parametrize("name", ["onnxruntime", "onnx-reference", "onnx-openvino"])
def test_the_operator_as_it_is_by_default_is_verified(name):
    pytest.importorskip({"onnxruntime": "onnxruntime", "onnx-openvino": "openvino"}.get(name, "onnx"))
    report = quick(name, checks=("signature", "step", "carry"))
    assert report.verdict == "verified"
    assert report.versions[{"onnxruntime": "onnxruntime", "onnx-openvino": "openvino"}.get(name, "onnx")]


def test_nothing_is_asked_of_states_that_are_not_given():
    report = ls.verify(operator_target(by_hand(), Operator(inputs=frozenset("B"))), profile="quick")
    assert report.verdict == "verified"
    assert {c.id: c.status for c in report.checks}["states"] == "not_claimed"
    assert "carry" not in {c.id for c in report.checks}
    missing = ls.verify(operator_target(by_hand(), Operator(inputs=frozenset())), profile="quick", require=("states",))
    assert missing.verdict == "discrepancy"


def test_the_other_reading_is_verified_where_the_literal_one_is_not():
    pytest.importorskip("onnxruntime")
    literal = quick(operator_target("onnxruntime", Operator(clip=0.5)))
    assert literal.verdict == "discrepancy"
    assert quick(operator_target("onnxruntime", Operator(clip=0.5), chosen={"clip": "gates"})).verdict == "verified"


def test_a_runtime_that_there_is_not_is_refused():
    with pytest.raises(TargetError, match='there is no runtime "tensorrt"; there is onnxruntime, reference, openvino'):
        operator_target("tensorrt")


def test_a_package_that_is_not_installed_is_named_with_its_remedy():
    missing = replace(RUNTIMES["onnxruntime"], package="onnxruntime_of_tomorrow")
    with pytest.raises(TargetError, match=r"needs ONNX Runtime; install it with: pip install 'lstm_spec\[onnx\]'"):
        operator_target(missing)


@pytest.mark.parametrize(
    "which", ["onnxruntime", *(pytest.param(w, marks=pytest.mark.catalogue) for w in ("reference", "openvino"))]
)
def test_layers_on_top_of_each_other_are_verified_as_a_whole(which):
    pytest.importorskip({"reference": "onnx"}.get(which, which))
    target = like(f"onnx.LSTM(layers=2, direction='bidirectional', runtime='{which}')")
    report = ls.verify(target, profile="quick", diagnose=False, checks=("signature", "step", "sequence", "carry"))
    assert report.verdict == "verified", str(report)
    assert report.spec == "2 layers of ONNX LSTM(direction=bidirectional)"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("layers=0", "onnx.LSTM(layers=0): layers is a positive number, got 0"),
        ("layers=2, layout=1", "several layers are made with layout=0 and without sequence_lens"),
        ("layers=2, inputs=('sequence_lens',)", "several layers are made with layout=0 and without sequence_lens"),
    ],
)
def test_layers_that_cannot_be_made_are_one_sentence(given, message):
    with pytest.raises(TargetError, match=re.escape(message)):
        like(f"onnx.LSTM({given})")
