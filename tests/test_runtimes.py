"""MLX, tinygrad, OpenVINO and PaddlePaddle are verified, and what their present releases do otherwise is found."""

import os
import subprocess
import sys

import pytest

import lstm_spec as ls
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.like import like
from lstm_spec.targets.python import load
from tests.one_case import agrees, comparisons, released


def test_mlx_is_verified():
    pytest.importorskip("mlx.core")
    assert agrees(load("mlx"), "float32")


def test_the_exponential_of_mlx_in_float64_has_the_accuracy_of_float32():
    released("mlx", "0.32.4")
    target = load("mlx")
    if "float64" not in target.dtypes:
        pytest.skip("float64 is for the CPU")
    assert not agrees(target)


def test_a_layer_in_place_of_that_of_mlx_is_verified_or_found():
    nn = pytest.importorskip("mlx.nn")

    class Late(nn.LSTM):
        def __call__(self, x, hidden=None, cell=None):
            y, c = super().__call__(x, hidden, cell)
            return y, c[:, ::-1]

    assert agrees(like("mlx.nn.LSTM", type("Same", (nn.LSTM,), {})), "float32")
    assert not agrees(like("mlx.nn.LSTM", Late), "float32")


@pytest.mark.parametrize("lengths", [None, [3, 2]])
def test_openvino_is_verified(lengths):
    pytest.importorskip("openvino")
    assert agrees(load("openvino"), "float32", lengths=lengths, gradients=False)


def test_openvino_has_no_gradients(few_cases):
    pytest.importorskip("openvino")
    report = ls.verify("openvino", profile="quick", checks=["signature"])
    assert {c.id: c.status for c in report.checks} == {"signature": "verified", "gradients": "not_claimed"}


def test_tinygrad_is_verified():
    pytest.importorskip("tinygrad")
    assert run_with({"DEV": "PYTHON"}, "print(agrees(load('tinygrad'), 'float32'))") == "True\n"


def test_tinygrad_without_a_device_says_what_to_do(monkeypatch):
    tinygrad = pytest.importorskip("tinygrad")

    def refuse(*arguments):
        raise RuntimeError("no usable devices")

    monkeypatch.setattr(tinygrad, "Tensor", refuse)
    with pytest.raises(TargetError, match=r"^tinygrad cannot compute here: RuntimeError: no usable devices.*; DEV"):
        load("tinygrad")


def run_with(environment, code):
    code = f"from lstm_spec.targets.python import load; from tests.one_case import agrees; {code}"
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("lengths", [None, [3, 2]])
def test_paddle_is_verified(lengths):
    pytest.importorskip("paddle")
    assert agrees(load("paddle"), lengths=lengths)


def test_paddle_loses_gradients_of_the_reverse_direction_with_lengths():
    released("paddlepaddle", "3.3.1")
    target = like("paddle.nn.LSTM(direction='bidirect', lengths=True)")
    assert agrees(target, lengths=[3, 3])
    forward, gradients = comparisons(target, lengths=[3, 2])
    assert forward.agrees
    assert gradients.worst.output.startswith("dl0r.")
    assert not gradients.agrees
