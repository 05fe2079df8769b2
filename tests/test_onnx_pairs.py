"""Every pair of option values of the operators, and every activation in every position, in every runtime.

A runtime computes a combination as the text says, raises, or computes something else, and then it is one of those that
it is known not to heed: what it heeds not is listed here, so that a release that begins to, or ceases to, is noticed.
"""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.spec.network import Network
from lstm_spec.spec.onnx import ACTIVATIONS, Operator
from lstm_spec.targets.calls import MisbehaviourError
from lstm_spec.targets.claims import claimed
from lstm_spec.targets.onnx import operator_target
from lstm_spec.verify.cases import seeded_case, with_lengths
from lstm_spec.verify.subject import Subject
from tests.pairwise import pairs_of, pairwise
from tests.test_onnx_targets import by_hand

pytest.importorskip("onnx")

OPTIONS = {
    "direction": ("forward", "reverse", "bidirectional"),
    "layout": (0, 1),
    "clip": (None, 0.4),
    "input_forget": (0, 1),
    "activations": (None, ("Sigmoid", "Tanh", "Tanh"), ("HardSigmoid", "Relu", "Softsign")),
    "B": (True, False),
    "P": (True, False),
    "states": (True, False),
    "sequence_lens": (True, False),
}
ROWS = pairwise(OPTIONS)


def operator_of(row):
    named = {name: row[name] for name in ("direction", "layout", "clip", "input_forget")}
    names = row["activations"]
    if names is not None and row["direction"] == "bidirectional":
        names = names * 2
    given = [name for name in ("B", "P", "sequence_lens") if row[name]]
    states = ["initial_h", "initial_c"] if row["states"] else []
    return Operator(**named, activations=names, inputs=frozenset((*given, *states)))


USUAL = ("Sigmoid", "Tanh", "Tanh")


def placed(name, place, count):
    """Return an LSTM with one activation in one position, whose alpha and beta are given where it takes them."""
    names = [*USUAL, *USUAL][:count]
    names[place] = name
    return Operator(
        direction="forward" if count == 3 else "bidirectional",
        activations=tuple(names),
        activation_alpha=None if ACTIVATIONS[name].alpha is None else (0.7,),
        activation_beta=None if ACTIVATIONS[name].beta is None else (0.4,),
    )


POSITIONS = [placed(name, place, count) for count in (3, 6) for name in ACTIVATIONS for place in range(count)]


def status(which, operator, chosen=None, seed=0):
    """Return "verified", "wrong" or "raises" for an operator in a runtime, by one case that can tell."""
    target = operator_target(which, operator, chosen=chosen)
    spec, dtype = claimed(target), target.dtypes[-1]
    sizes = {s.name: k for s, k in zip(spec.sizes, (2, 3), strict=True)}
    case = seeded_case(spec, dtype, sizes=sizes, T=4, B=3, regime="weights x3", seed=seed)
    if isinstance(spec, Network) and spec.past_length is not None:
        case = with_lengths(case, spec, np.array([2, 4, 3]))
    subject, contract = Subject(target, spec), accuracy(dtype)
    try:
        outputs, _ = subject.call(case)
    except MisbehaviourError as error:
        return "raises" if " raised " in str(error) else "wrong"
    return "verified" if subject.compare(case, outputs, contract).agrees else "wrong"


def unheeded_by_reference(row):
    usual = row["activations"] in (None, ("Sigmoid", "Tanh", "Tanh"))
    return row["clip"] is not None or row["input_forget"] or row["sequence_lens"] or not usual


def expected(which, row):
    """Return what a runtime does with a combination, as it is known to."""
    if which == "reference":
        return "wrong" if unheeded_by_reference(row) else "verified"
    if which == "onnxruntime":
        return "raises" if row["layout"] else "verified"
    other = row["activations"] == ("HardSigmoid", "Relu", "Softsign")
    if other:
        return "raises"
    return "wrong" if row["layout"] or row["P"] or row["input_forget"] else "verified"


SPARED = {"clip": "gates"}
"""The reading of clip that runtimes have; the literal one is a deviation of all of them."""


def test_every_pair_of_values_is_in_the_table():
    wanted = {
        frozenset(((a, x), (b, y)))
        for a, b in product(OPTIONS, OPTIONS)
        if a < b
        for x, y in product(OPTIONS[a], OPTIONS[b])
    }
    assert wanted == set().union(*map(pairs_of, ROWS))
    assert len(ROWS) < 30


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(operator_of(row)))
def test_the_operator_by_hand_has_every_pair_of_values(row):
    assert status(by_hand(), operator_of(row)) == "verified"


QUICK = 4
TABLE = [
    pytest.param(which, row, marks=() if k % QUICK == 0 else pytest.mark.catalogue)
    for which in ("onnxruntime", "reference", "openvino")
    for k, row in enumerate(ROWS)
    # Told to compute batch-first, OpenVINO 2026.4 reads beyond its input, and may end the process.
    if not (which == "openvino" and row["layout"])
]


@pytest.mark.parametrize(("which", "row"), TABLE, ids=str)
def test_every_pair_of_values_in_every_runtime(which, row):
    pytest.importorskip({"reference": "onnx"}.get(which, which))
    assert status(which, operator_of(row), SPARED) == expected(which, row)


IN_PLACE = [
    pytest.param(which, operator, marks=() if k % 25 == 0 else pytest.mark.catalogue)
    for which in ("onnxruntime", "reference", "openvino")
    for k, operator in enumerate(POSITIONS)
]


@pytest.mark.parametrize(("which", "operator"), IN_PLACE, ids=str)
def test_every_activation_in_every_position_in_every_runtime(which, operator):
    pytest.importorskip({"reference": "onnx"}.get(which, which))
    assert status(which, operator) == in_place(which, operator.activations[:3], operator.activations[3:] or None)


def in_place(which, first, second):
    """Return what a runtime does with the activations of its directions, as it is known to."""
    if which == "onnxruntime":
        return "verified"
    if which == "reference":
        return "verified" if first == USUAL and second in (None, USUAL) else "wrong"
    # It takes the activations of the forward direction for both.
    if not set(first) <= {"Sigmoid", "Tanh", "Relu"}:
        return "raises"
    return "verified" if second in (None, first) else "wrong"


def test_a_threshold_that_is_not_given_is_that_of_the_operator_of_its_name():
    pytest.importorskip("onnxruntime")
    operator = Operator(kind="RNN", activations=("ThresholdedRelu",))
    assert status(by_hand(), operator) == "verified"
    # It is 1 there; ONNX Runtime 1.31 takes 0.
    assert status("onnxruntime", operator) == "wrong"
    assert status("onnxruntime", replace(operator, activation_alpha=(1.0,))) == "verified"


def test_a_clip_that_spares_h_is_told_from_the_literal_one():
    pytest.importorskip("onnxruntime")
    assert status("onnxruntime", Operator(clip=0.4)) == "wrong"
    assert status("onnxruntime", Operator(clip=0.4), SPARED) == "verified"
    assert status(by_hand(), Operator(clip=0.4), SPARED) == "wrong"
