"""Keras's layers are verified on the backend in force, and what they do otherwise than they say is found."""

import importlib.util
import os
import subprocess
import sys

import pytest

import lstm_spec as ls
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.like import like
from tests.one_case import released

BACKEND = "torch"
CHECKS = ("signature", "step", "sequence", "lengths", "gradient_step", "gradient_sequence", "gradient_lengths")

pytestmark = pytest.mark.usefixtures("few_cases")


@pytest.fixture(scope="module")
def keras():
    """Keras on PyTorch, where nobody has asked for another backend."""
    pytest.importorskip("torch")
    if importlib.util.find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    os.environ.setdefault("KERAS_BACKEND", BACKEND)
    import keras

    if keras.backend.backend() != BACKEND:
        pytest.skip(f"somebody has asked for Keras on {keras.backend.backend()}")
    return keras


def verify(target, **options):
    return ls.verify(
        target, **{"profile": "quick", "diagnose": False, "dtypes": ["float32"], "checks": CHECKS, **options}
    )


OPTIONS = (
    "LSTM(lengths=True, zero_output_for_mask=True)",
    "LSTM(unroll=True, implementation=1, use_bias=False)",
    "LSTM(go_backwards=True, lengths=True)",
    "LSTM(activation='relu', recurrent_activation='hard_sigmoid')",
    "Bidirectional(layer='GRU', merge_mode='sum')",
    "GRU(reset_after=False)",
    "GRUCell",
    "SimpleRNN(lengths=True)",
)


@pytest.mark.parametrize("name", ["keras", "keras-cell", "keras-bidirectional", "keras-gru"])
def test_its_layers_are_verified(keras, name):
    report = verify(name)
    assert report.verdict == "verified", str(report)
    assert report.versions["keras"] == f"{keras.__version__}, backend torch"


@pytest.mark.parametrize("original", OPTIONS)
def test_its_options_are_those_of_the_catalogue(keras, original):
    report = verify(like(f"keras.layers.{original}"))
    assert report.verdict == "verified", str(report)


def test_a_float64_layer_with_a_mask_computes_in_float32(keras):
    released("keras", "3.15.1")
    # keras.ops.matmul of two float64 tensors is float32, which a layer casts to float64 at its end.
    report = verify("keras", dtypes=["float64"])
    assert {c.id: c.status for c in report.checks}["lengths"] == "discrepancy"


def test_a_layer_unrolled_backwards_with_a_mask_raises(keras):
    released("keras", "3.15.1")
    report = verify(like("keras.layers.LSTM(unroll=True, go_backwards=True, lengths=True)"))
    assert "'tuple' object has no attribute 'shape'" in report.finding.message


def test_what_stands_in_for_a_layer_is_verified(keras):
    class Mine(keras.layers.LSTM):
        pass

    assert verify(Mine, like="keras.layers.LSTM(lengths=True)").verdict == "verified"


def test_an_instance_says_its_sizes_and_options(keras):
    layer = keras.layers.LSTM(4, return_sequences=True, return_state=True, go_backwards=True)
    with pytest.raises(TargetError, match="mine does not say its sizes; build it first, or give its class"):
        like("keras.layers.LSTM", layer, name="mine")
    layer.build((None, None, 3))
    target = like("keras.layers.LSTM", layer)
    assert (target.sizes, target.dtypes) == (({"n": 3, "m": 4},), ("float32",))
    assert verify(target).verdict == "verified"


def test_a_layer_that_does_something_else_is_found(keras):
    class Mine(keras.layers.LSTM):
        def call(self, sequences, **others):
            return super().call(keras.ops.flip(sequences, axis=1), **others)

    report = verify(Mine, like="keras.layers.LSTM", checks=("signature", "step", "sequence"))
    assert {c.id: c.status for c in report.checks}["sequence"] == "discrepancy"


def test_a_layer_that_returns_only_y_is_one_sentence(keras):
    layer = keras.layers.LSTM(4)
    layer.build((None, None, 3))
    with pytest.raises(TargetError, match="does not return all of y and the states: give it return_sequences=True"):
        like("keras.layers.LSTM", layer)


def test_what_is_no_such_layer_is_one_sentence(keras):
    with pytest.raises(TargetError, match=r"made as keras.layers.LSTM is: TargetError: mine makes an int; expected"):
        like("keras.layers.LSTM", lambda m, **options: 3, name="mine")
    with pytest.raises(TargetError, match=r"mine has the weights kernel, bias; keras.layers.LSTM has kernel, recurr"):
        like("keras.layers.LSTM", lambda m, **options: keras.layers.Dense(m), name="mine")


@pytest.mark.parametrize("backend", ["jax", "numpy"])
def test_every_backend_is_verified(keras, backend):
    pytest.importorskip(backend)
    code = "import lstm_spec as ls; print(ls.verify('keras', profile='quick', checks=['signature']).verdict)"
    environment = {**os.environ, "KERAS_BACKEND": backend}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.stdout == "verified\n", run.stderr


def test_a_backend_that_is_not_known_is_one_sentence(keras, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    with pytest.raises(
        TargetError, match=r"^Keras runs on openvino, which is not known here; set KERAS_BACKEND to one"
    ):
        like("keras.layers.LSTM")


def test_a_backend_that_is_not_there_is_one_sentence():
    code = "import lstm_spec as ls; ls.verify('keras')"
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("tensorflow") is not None:
        pytest.skip("needs Keras, and no TensorFlow")
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    said = run.stderr.splitlines()[-1]
    assert "Keras needs tensorflow; install it with: pip install tensorflow" in said
    assert said.endswith("; KERAS_BACKEND says on what it runs: torch, jax, tensorflow or numpy")
