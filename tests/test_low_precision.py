"""The 16-bit formats: whose arrays hold bfloat16, that what is right in them is verified, and what is not is seen."""

import sys

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute.accuracy import AccuracyError
from lstm_spec.compute.formats import dtype_of, widened
from lstm_spec.targets.arrays import from_numpy, is_array, to_numpy
from lstm_spec.verify.selftest import kill, planted
from tests import faulty

HALVES = ("bfloat16", "float16")


@pytest.fixture
def bfloat16():
    pytest.importorskip("ml_dtypes")
    return dtype_of("bfloat16")


@pytest.mark.parametrize("kind", ["numpy", "torch", "jax"])
def test_bfloat16_goes_to_every_library_and_comes_back_bit_for_bit(bfloat16, kind):
    pytest.importorskip(kind)
    given = np.array([[1.0, -0.0, 3.14159], [np.inf, 1e-40, -3e38]], bfloat16)
    theirs = from_numpy(given, kind)
    assert is_array(theirs, kind)
    assert str(theirs.dtype).endswith("bfloat16")
    assert to_numpy(theirs, kind).dtype == bfloat16
    assert to_numpy(theirs, kind).tobytes() == given.tobytes()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ["numpy", "spec", "torch", "torch-cell"])
def test_the_built_in_targets_are_verified_in_16_bits(bfloat16, name, dtype):
    pytest.importorskip("torch")
    checks = ["signature", "step", "sequence", "inputs", "gradient_signature", "gradient_step", "poison"]
    report = ls.verify(name, profile="quick", dtypes=[dtype], checks=checks)
    assert report.verdict == "verified", str(report)
    assert sum(check.inconclusive for check in report.checks) <= 0.02 * report.cases


@pytest.mark.parametrize("fault", [faulty.gates_permuted, faulty.no_output_tanh, faulty.rows_mixed])
def test_a_wrong_function_is_seen_in_bfloat16(bfloat16, fault):
    report = ls.verify(widened(fault), profile="quick", dtypes=["bfloat16"])
    assert report.verdict == "discrepancy"
    assert report.finding.case.dtype == bfloat16
    assert report.finding.deviation is not None


def test_a_target_of_numpy_that_answers_in_float32_is_told_so(bfloat16):
    """NumPy's product of two arrays in bfloat16 is float32."""
    message = ls.verify(faulty.correct, profile="quick", dtypes=["bfloat16"]).finding.message
    assert message.startswith("y is float32; expected bfloat16, the dtype of the arguments")


def test_a_target_of_jax_takes_its_own_bfloat16(bfloat16):
    jax = pytest.importorskip("jax")
    weights = {name: np.full(shape, 0.25) for name, shape in ls.lstm().dimensions(n=2, m=3).items()}

    def step(params, x, h0, c0):
        z = jax.numpy.concatenate([x[0], h0], axis=-1)
        f, i, o = (jax.nn.sigmoid(z @ params[f"W_{g}"].T + params[f"b_{g}"]) for g in "fio")
        c = f * c0 + i * jax.numpy.tanh(z @ params["W_c"].T + params["b_c"])
        h = o * jax.numpy.tanh(c)
        return h[None], h, c

    said = {"arrays": "jax", "dtypes": ("bfloat16",), "weights": weights, "forward": staticmethod(jax.jit(step))}
    report = ls.verify(type("Layer", (), said), profile="quick", checks=["step"])
    assert report.verdict == "verified", str(report)


@pytest.mark.parametrize("dtype", HALVES)
def test_planted_faults_are_found_for_what_they_are(bfloat16, dtype):
    faults = [f for f in planted(ls.lstm(), dtype) if f.kind in ("states", "time")][::6]
    found = {fault.id: kill(fault, profile="quick", dtype=dtype).check for fault in faults}
    assert found
    assert "signature" not in found.values(), "a wrong type gives nothing away"
    assert set(found.values()) & {"step", "sequence"}


def test_what_is_no_loss_of_precision_in_a_format_is_not_planted_in_it():
    kinds = {dtype: {f.id for f in planted(ls.lstm(), dtype) if f.kind == "precision"} for dtype in HALVES}
    assert kinds == {"bfloat16": set(), "float16": set()}


def test_without_ml_dtypes_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    sentence = r"bfloat16 is no format of NumPy's own; install ml_dtypes with: pip install 'lstm_spec\[bfloat16\]'"
    for ask in (
        lambda: ls.verify("numpy", dtypes=["bfloat16"]),
        lambda: ls.strategies.cases("lstm", dtype="bfloat16"),
    ):
        with pytest.raises(AccuracyError, match=sentence):
            ask()
