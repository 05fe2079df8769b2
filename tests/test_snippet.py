"""The Python of a report, pasted into a fresh interpreter: it fails on the fault, and passes once that is mended."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.targets.contract import forward_arguments
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.places import Place, gradient_place, output_place
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.literals import Literals
from lstm_spec.verify.snippet import FROM_REPORT, NO_NAME
from tests import faulty

ROOT = Path(__file__).parent.parent

FUNCTION = """
import numpy as np
from tests.faulty import correct

kept = {}

def forward(params, x, h0, c0):
    y, h, c = correct(params, x, h0, c0)
    return y, h, c
"""
GRADIENTS = """
from lstm_spec.compute import layer

class Mine:
    def forward(self, params, x, h0, c0):
        return layer.forward(params, x, h0, c0)

    def backward(self, params, x, h0, c0, dy, dh, dc):
        dparams, dx, dh0, dc0 = layer.backward(params, x, h0, c0, dy, dh, dc)
        return dparams, dx, dh0, dc0
"""
PACKED = """
import torch

class Mine:
    layout, arrays = "pytorch", "torch"

    def forward(self, params, x, h, c):
        (W, R, b, bR), steps = params.values(), []
        for x_t in x:
            i, f, g, o = (x_t @ W.T + b + h @ R.T + bR).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            steps.append(h)
        y = torch.stack(steps)
        return y, h, c

    def backward(self, params, x, h0, c0, *cotangents):
        given = [a.clone().requires_grad_() for a in (*params.values(), x, h0, c0)]
        outputs = self.forward(dict(zip(params, given)), *given[-3:])
        *dparams, dx, dh0, dc0 = torch.autograd.grad(outputs, given, cotangents)
        dparams = dict(zip(params, dparams))
        return dparams, dx, dh0, dc0

mine = Mine()
"""
TURNED = """
from tests.faulty import correct

class Mine:
    layout = "mine.toml"

    def forward(self, params, x, c0, h0):
        own = {}
        for k, gate in enumerate("oifc"):
            own[f"W_{gate}"] = params["kernel"].T.reshape(4, -1, params["kernel"].shape[0])[k]
            own[f"b_{gate}"] = params["bias"].reshape(4, -1)[k]
        y, h, c = correct(own, x.swapaxes(0, 1).copy(), h0, c0)
        return y.swapaxes(0, 1), c, h
"""
TURNED_LAYOUT = """
gates = "oifc"
kernels = "joint"
transposed = true
states = "ch"
axes = "BTI"
names = {W = "kernel", b = "bias"}
"""
LENGTHS = """
import numpy as np
from lstm_spec.targets.contract import forward_arguments
from lstm_spec.targets.layout import Layout
import lstm_spec as ls

run = ls.runner(__import__("dataclasses").replace(ls.layers(ls.cell("lstm")), past_length="zero"))

class Mine:
    past_length = "zero"

    def forward(self, params, x, h0, c0, lengths=None):
        y, h, c = run.forward(params, x, h0, c0, lengths=lengths)
        return y, h, c
"""

FAULTS = {
    "value": (FUNCTION, "forward", "return y, h, c", "return y, h, c * 1.001", "step"),
    "shape": (FUNCTION, "forward", "return y, h, c", "return y[-1], h, c", "signature"),
    "number of values": (FUNCTION, "forward", "return y, h, c", "return y, (h, c)", "signature"),
    "format": (FUNCTION, "forward", "return y, h, c", "return y.astype('float32'), h, c", "signature"),
    "exception": (FUNCTION, "forward", "return y, h, c", "raise IndexError('out')", "signature"),
    "argument": (FUNCTION, "forward", "return y, h, c", "x *= 2; return y, h, c", "inputs"),
    "dict": (FUNCTION, "forward", "return y, h, c", "params.clear(); return y, h, c", "inputs"),
    "through time": (FUNCTION, "forward", "return y, h, c", "y[1:] *= 1.5; return y, h, c", "sequence"),
    "rows": (FUNCTION, "forward", "return y, h, c", "y[:, 1:] *= (y.shape[1] == 2) + 1; return y, h, c", "step"),
    "kept buffer": (
        FUNCTION,
        "forward",
        "return y, h, c",
        "b = kept.setdefault(y.shape, y); b[...] = y; return b, h, c",
        "repeat",
    ),
    "gradient": (GRADIENTS, "Mine", "return dparams, dx, dh0, dc0", "return dparams, dx, dc0, dc0", "gradient_step"),
    "gradient of a bias": (
        GRADIENTS,
        "Mine",
        "return dparams, dx, dh0, dc0",
        "dparams['b_o'] *= 2; return dparams, dx, dh0, dc0",
        "gradient_step",
    ),
    "gradients' names": (
        GRADIENTS,
        "Mine",
        "return dparams, dx, dh0, dc0",
        "del dparams['b_o']; return dparams, dx, dh0, dc0",
        "gradient_signature",
    ),
    "gradients' argument": (
        GRADIENTS,
        "Mine",
        "return dparams, dx, dh0, dc0",
        "dy += 1; return dparams, dx, dh0, dc0",
        "gradient_signature",
    ),
    "packed torch": (PACKED, "mine", "return y, h, c", "return y * 1.01, h, c", "step"),
    "packed torch gradient": (
        PACKED,
        "mine",
        "return dparams, dx, dh0, dc0",
        "return {k: v * 1.01 for k, v in dparams.items()}, dx, dh0, dc0",
        "gradient_step",
    ),
    "batch first, states turned": (
        TURNED,
        "Mine",
        "return y.swapaxes(0, 1), c, h",
        "return y.swapaxes(0, 1), h, c",
        "step",
    ),
    "lengths": (LENGTHS, "Mine", "return y, h, c", "y[1:] += lengths is not None; return y, h, c", "lengths"),
}


def pasted(snippet, folder):
    return subprocess.run(
        [sys.executable, "-"], input=snippet, text=True, capture_output=True, cwd=folder, env=environment(), check=False
    )


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("name", FAULTS)
def test_it_fails_on_the_fault_and_passes_on_the_right_one(name, tmp_path, monkeypatch):
    right, attribute, old, new, check = FAULTS[name]
    if "torch" in name:
        pytest.importorskip("torch")
    assert old in right
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(TURNED_LAYOUT)
    (tmp_path / "mine.py").write_text(right.replace(old, new))
    report = ls.verify(f"mine.py:{attribute}", profile="quick", diagnose=False, checks=[check])
    failed = pasted(report.failing.snippet, tmp_path)
    assert failed.returncode == 1
    assert ("IndexError" if name == "exception" else "AssertionError") in failed.stderr
    (tmp_path / "mine.py").write_text(right)
    mended = pasted(report.failing.snippet, tmp_path)
    assert (mended.returncode, mended.stderr) == (0, "")


def test_a_case_of_many_numbers_is_made_again_from_the_report():
    def forward(params, x, h0, c0):
        y, h, c = faulty.correct(params, x, h0, c0)
        return (y + 1e-3, h, c) if h0.shape[-1] >= 9 else (y, h, c)

    assert ls.verify(forward, profile="quick", diagnose=False).failing.snippet == FROM_REPORT.format(target="")


LARGE = """
from tests.faulty import correct

def forward(params, x, h0, c0):
    y, h, c = correct(params, x, h0, c0)
    return (y + 1e-3, h, c) if h0.shape[-1] >= 9 else (y, h, c)
"""


def test_it_is_made_again_from_the_file_that_the_report_was_written_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(LARGE)
    words = ["verify", "mine.py:forward", "--profile", "quick", "--json", "my own.json"]
    shown = CliRunner().invoke(main, words).stdout
    assert 'ls.replay("my own.json")' in shown
    assert "what --json 'my own.json' writes" in shown
    stored = json.loads((tmp_path / "my own.json").read_text(encoding="utf-8"))
    assert 'ls.replay("my own.json")' in stored["counterexample"]["snippet"]
    failed = pasted(stored["counterexample"]["snippet"], tmp_path)
    assert failed.returncode == 1
    assert "AssertionError" in failed.stderr


def test_an_object_without_a_name_is_left_to_the_reader():
    report = ls.verify(lambda *given: None, profile="quick")
    assert NO_NAME in report.failing.snippet
    assert "None" in report.to_dict()["counterexample"]["message"]
    assert report.to_dict()["counterexample"]["snippet"] == report.failing.snippet
    assert report.to_dict()["counterexample"]["check"] == "signature"


def test_a_function_given_as_an_object_is_imported():
    report = ls.verify(faulty.sigmoid_candidate, profile="quick")
    assert "from tests.faulty import sigmoid_candidate as target" in report.failing.snippet
    assert pasted(report.failing.snippet, ROOT).returncode == 1


@pytest.mark.parametrize(
    ("array", "kind", "text"),
    [
        (np.array([0.1], "float32"), "numpy", "np.array([0.1], dtype=np.float32)"),
        (np.array([-0.0]), "numpy", "np.array([-0.0])"),
        (np.array([np.nan, np.inf]), "numpy", 'np.array([float("nan"), float("inf")])'),
        (np.array([[1.5]]), "torch", "torch.tensor([[1.5]], dtype=torch.float64)"),
        (np.array([[1.5]], "float16"), "jax", "jnp.array([[1.5]], dtype=jnp.float16)"),
        (np.array([2, 1]), "numpy", "np.array([2, 1])"),
        (np.array([2, 1]), "torch", "torch.tensor([2, 1], dtype=torch.int64)"),
    ],
    ids=str,
)
def test_arrays_are_written_to_the_last_bit(array, kind, text):
    literals = Literals(kind)
    assert literals.array(array) == text
    if kind == "numpy":
        again = eval(text, {"np": np})
        assert (again.tobytes(), again.dtype) == (array.tobytes(), array.dtype)


def test_a_number_is_found_where_the_layout_has_it():
    cell = ls.lstm()
    case = seeded_case(cell, "float64", sizes={"n": 2, "m": 3}, T=4, B=2, regime="usual", seed=0)
    turned = Layout(
        states="ch", axes="BTI", gates="oifc", kernels="joint", transposed=True, names={"W": "kernel", "b": "b"}
    )
    target = ls.Target(name="turned", forward=faulty.correct, layout=turned)
    assert output_place(target, cell, case.x, case.states, "y", (3, 1, 2)) == Place("y", (1, 3, 2))
    assert output_place(target, cell, case.x, case.states, "c", (1, 2)) == Place("c", (1, 2))
    given = forward_arguments(target, cell, case.params, case.x, case.states, None)
    # i comes after o; the kernel holds inputs by gates.
    assert gradient_place(target, cell, case.params, given, "W_i", (2, 4)) == Place("dkernel", (4, 3 + 2))
    assert gradient_place(target, cell, case.params, given, "x", (3, 1, 0)) == Place("dx", (1, 3, 0))


def test_rows_beyond_a_block_are_asked_and_shown(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from lstm_spec.targets.python import load\n\nright = load('numpy').forward\n\n\n"
        "def forward(params, x, h0, c0):\n    y, h, c = right(params, x, h0, c0)\n    y = y.copy()\n"
        "    y[:, 31:] = 0\n    return y, h, c\n"
    )
    report = ls.verify(
        f"{tmp_path / 'mine.py'}:forward", profile="quick", checks=["signature", "step", "sequence", "batch"]
    )
    assert [c.id for c in report.checks if c.status == "discrepancy"] == ["batch"]
    assert "with the rows of the batch over and over, 40 in all, y at step 0, row 31" in report.finding.message
    assert "AssertionError" in pasted(report.failing.snippet, tmp_path).stderr
