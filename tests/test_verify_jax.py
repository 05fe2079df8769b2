"""Targets that take and return JAX's arrays, of which those in float64 have to be asked for."""

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.targets.contract import TargetError
from tests.faulty import correct


@pytest.fixture
def jax():
    return pytest.importorskip("jax")


def layer(jax, *dtypes):
    """The equations as a scan."""

    def forward(params, x, h0, c0):
        def step(state, x_t):
            h, c = state
            z = jax.numpy.concatenate([x_t, h], axis=-1)
            f, i, o = (jax.nn.sigmoid(z @ params[f"W_{g}"].T + params[f"b_{g}"]) for g in "fio")
            c = f * c + i * jax.numpy.tanh(z @ params["W_c"].T + params["b_c"])
            h = o * jax.numpy.tanh(c)
            return (h, c), h

        (h, c), y = jax.lax.scan(step, (h0, c0), x)
        return y, h, c

    # Fixed sizes, since every shape is compiled anew.
    weights = {name: np.full(shape, 0.25) for name, shape in ls.lstm().dimensions(n=2, m=3).items()}
    said = {"arrays": "jax", "dtypes": dtypes, "weights": weights, "forward": staticmethod(jax.jit(forward))}
    return type("Layer", (), said)


def test_its_arrays_are_taken_and_read(jax):
    report = ls.verify(layer(jax, "float32"), profile="quick", checks=["signature", "step"])
    assert report.verdict == "verified", str(report)


def test_float64_without_its_switch_is_one_sentence(jax):
    if jax.config.jax_enable_x64:
        pytest.skip("somebody has switched it on")
    with pytest.raises(TargetError, match="JAX computes in float32 until it is told otherwise; call jax"):
        ls.verify(layer(jax, "float64"), profile="quick")


def test_an_array_of_numpy_is_no_array_of_jax(jax):
    made = layer(jax, "float32")
    made.forward = staticmethod(lambda *arguments: correct(*jax.device_get(arguments)))
    message = ls.verify(made, profile="quick").finding.message
    assert "is ndarray of shape" in message
    assert "expected a jax.Array of float32" in message
