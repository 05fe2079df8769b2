"""Files to start from: what is written runs, fails where the LSTM is wrong, and passes once it is right."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main

ROOT = Path(__file__).parent.parent
CHECKS = ["--profile", "quick", "--checks", "signature,step,gradient_step", "--dtype"]

FUNCTION = "from tests.faulty import correct as mine, sigmoid_candidate as wrong\n"
MODULE = """
import torch


class Mine(torch.nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.cell = torch.nn.LSTMCell(n, m)

    def forward(self, x, states):
        (h,), (c,) = states
        steps = []
        for x_t in x:
            h, c = self.cell(x_t, (h, c))
            steps.append(h)
        return torch.stack(steps), (h[None], c[None])
"""
LAYER = """
import numpy as np
from tests.faulty import correct


class Mine:
    def __init__(self, units, return_sequences=False, return_state=False):
        self.units = units

    def build(self, shape):
        self.n = shape[-1]

    def set_weights(self, weights):
        kernel, recurrent, bias = (np.split(w, 4, axis=-1) for w in weights)
        joint = [np.concatenate([W, R]).T for W, R in zip(kernel, recurrent)]
        self.params = {f"W_{g}": W for g, W in zip("ifco", joint)} | {f"b_{g}": b for g, b in zip("ifco", bias)}

    def __call__(self, x, initial_state):
        y, h, c = correct(self.params, x.swapaxes(0, 1), *initial_state)
        return y.swapaxes(0, 1), h, c
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words):
    return CliRunner().invoke(main, list(words))


def test_a_stranger_goes_from_nothing_to_a_failing_and_then_a_passing_check(folder):
    result = run("init")
    assert result.exit_code == 0
    page = (ROOT / "docs" / "how-to" / "in-pytest.md").read_text(encoding="utf-8")
    assert result.stdout == re.search(r"```text\n(.*?)```", page, flags=re.S)[1]
    words = ["verify", "lstm_adapter.py:forward", *CHECKS, "float64"]
    assert run(*words).exit_code == 1
    adapter = (folder / "lstm_adapter.py").read_text()
    (folder / "lstm_adapter.py").write_text(
        adapter.replace("    return y, h0, c0\n", "    return correct(params, x, h0, c0)\n").replace(
            "import numpy as np\n", "import numpy as np\nfrom tests.faulty import correct\n"
        )
    )
    assert run(*words).exit_code == 0
    done = pytest_run(folder, "test_lstm.py::test_lstm[step]")
    assert "1 passed" in done.stdout, done.stdout


def pytest_run(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "lstm_spec.verify.plugin", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("text", "name", "attribute", "dtype"),
    [
        (FUNCTION, "mine", "forward", "float64"),
        (LAYER, "Mine", "Adapter", "float32"),
        (MODULE, "Mine", "Adapter", "float64"),
    ],
    ids=["function", "layer", "module"],
)
def test_what_is_written_for_an_lstm_verifies_it(folder, text, name, attribute, dtype):
    if text is MODULE:
        pytest.importorskip("torch")
    (folder / "mine.py").write_text(text)
    result = run("init", f"mine.py:{name}")
    assert result.exit_code == 0, result.output
    assert "lstm-spec verify lstm_adapter.py:" + attribute in result.stdout
    assert f'@ls.parametrize("lstm_adapter.py:{attribute}", profile="quick")' in (folder / "test_lstm.py").read_text()
    sys.modules.pop("mine", None)
    verified = run("verify", f"lstm_adapter.py:{attribute}", *CHECKS, dtype)
    sys.modules.pop("mine", None)
    assert verified.exit_code == 0, verified.output


HEADED = MODULE.replace("        self.cell =", "        self.head = torch.nn.Linear(m, 7)\n        self.cell =")


def test_a_module_that_holds_more_gets_names_paired_by_shape_and_likeness(folder):
    pytest.importorskip("torch")
    (folder / "mine.py").write_text(HEADED)
    run("init", "mine.py:Mine")
    sys.modules.pop("mine", None)
    assert '    "weight_hh_l0": "cell.weight_hh",\n' in (folder / "lstm_adapter.py").read_text()
    assert run("verify", "lstm_adapter.py:Adapter", *CHECKS, "float64").exit_code == 0
    sys.modules.pop("mine", None)


STEPPED = """
import torch


class Mine(torch.nn.Module):
    def __init__(self, hidden_size, input_size):
        super().__init__()
        self.x2 = torch.nn.ModuleDict({g: torch.nn.Linear(input_size, hidden_size) for g in "fcoi"})
        self.h2 = torch.nn.ModuleDict({g: torch.nn.Linear(hidden_size, hidden_size, bias=False) for g in "fcoi"})

    def forward(self, x, state):
        h, c = state
        a = {g: self.x2[g](x) + self.h2[g](h) for g in "fcoi"}
        c = a["f"].sigmoid() * c + a["i"].sigmoid() * a["c"].tanh()
        return a["o"].sigmoid() * c.tanh(), c
"""
BATCH_FIRST = """
import torch


class Mine(torch.nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.Wx = torch.nn.Parameter(torch.randn(n, 4 * m))
        self.Wh = torch.nn.Parameter(torch.randn(m, 4 * m))
        self.b = torch.nn.Parameter(torch.zeros(4 * m))

    def forward(self, x, h0, c0):
        (h,), (c,), steps = h0, c0, []
        for x_t in x.unbind(1):
            i, f, o, g = (x_t @ self.Wx + h @ self.Wh + self.b).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            steps.append(h)
        return torch.stack(steps, 1), (h[None], c[None])
"""
FOUND = {
    "a cell with a layer for each gate": (STEPPED, '"W": "x2.{gate}.weight"', "h, c = module(x_t, (h, c))"),
    "rows first, transposed and packed": (BATCH_FIRST, 'gates="ifoc"', "module(x.swapaxes(0, 1), h0[None], c0[None])"),
    "a cell of its own, unrolled": (MODULE, '"R": "cell.weight_hh"', "y, (h, c) = module(x, (h0[None], c0[None]))"),
}


@pytest.mark.parametrize("name", FOUND)
def test_how_a_module_is_called_and_holds_its_parameters_is_found_out(folder, name):
    pytest.importorskip("torch")
    text, held, call = FOUND[name]
    (folder / "mine.py").write_text(text)
    result = run("init", "mine.py:Mine")
    sys.modules.pop("mine", None)
    adapter = (folder / "lstm_adapter.py").read_text()
    assert held in adapter
    assert call in adapter
    assert "see how it is made and called\n" in result.stdout
    verified = run("verify", "lstm_adapter.py:Adapter", *CHECKS, "float64")
    sys.modules.pop("mine", None)
    assert verified.exit_code == 0, verified.output


def test_of_a_module_that_is_wrong_the_order_of_the_gates_is_a_guess(folder):
    pytest.importorskip("torch")
    (folder / "mine.py").write_text(BATCH_FIRST.replace("c0, []", "0 * c0, []"))
    result = run("init", "mine.py:Mine")
    sys.modules.pop("mine", None)
    assert "in which order its gates are" in result.stdout
    assert "# A guess: with no order of the gates does it compute an LSTM." in (folder / "lstm_adapter.py").read_text()
    verified = run("verify", "lstm_adapter.py:Adapter", *CHECKS, "float64")
    sys.modules.pop("mine", None)
    assert verified.exit_code == 1


def test_a_target_in_a_folder_or_a_package_is_found(folder):
    (folder / "parts").mkdir()
    (folder / "parts" / "mine.py").write_text(FUNCTION)
    assert run("init", "parts/mine.py:wrong", "--folder", "parts").exit_code == 0
    assert run("verify", "parts/lstm_adapter.py:forward", *CHECKS, "float64").exit_code == 1
    assert run("init", "tests.faulty:correct").exit_code == 0
    assert "from tests.faulty import correct as target" in (folder / "lstm_adapter.py").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["mine.py"], "mine.py names no class or function; name it package.module:attribute or file.py:attribute"),
        (["mine.py:none"], "mine.py has no none"),
        (["mine.py:number"], "mine.py:number is int, neither a class nor a function"),
        (["--folder", "nowhere"], "cannot write into nowhere: No such file or directory"),
    ],
)
def test_a_mistake_is_one_sentence(folder, words, sentence):
    (folder / "mine.py").write_text(FUNCTION + "number = 3\n")
    result = run("init", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"lstm-spec: {sentence}\n"


def test_nothing_is_written_over(folder):
    (folder / "test_lstm.py").write_text("mine\n")
    result = run("init")
    assert result.exit_code == 2
    assert "test_lstm.py is there already and is not written over" in result.stderr
    assert not (folder / "lstm_adapter.py").exists()
    assert (folder / "test_lstm.py").read_text() == "mine\n"


CORRECT = "import numpy as np\nfrom tests.faulty import correct\n\n"
OF_WEIGHTS = """
def canonical(Wx, Wh, b):
    joint = [np.concatenate(pair).T for pair in zip(np.split(Wx, 4, -1), np.split(Wh, 4, -1))]
    return {f"W_{g}": W for g, W in zip(GATES, joint)} | {f"b_{g}": v for g, v in zip(GATES, np.split(b, 4))}
"""
IN_CONSTRUCTOR = """
class Mine:
    def __init__(self, Wx, Wh, b):
        self.params = canonical(Wx, Wh, b)

    def METHOD(self, x, h0, c0):
        return correct(self.params, x, h0, c0)
"""
WITH_BACKWARD = """
class Mine:
    def __init__(self, n, m):
        self.weights = {"b": np.zeros(4 * m), "Wh": np.zeros((m, 4 * m)), "Wx": np.zeros((n, 4 * m))}

    def run(self, inputs, h_prev=None, c_prev=None, verbose=False):
        self.seen = inputs
        return correct(canonical(**self.weights), inputs, h_prev, c_prev)

    def backward(self, dy, dh, dc):
        raise ArithmeticError(f"asked for gradients of {self.seen.shape} and {dy.shape}")
"""
RUNS = {
    **{
        f"constructor, {name}": IN_CONSTRUCTOR.replace("METHOD", name)
        for name in ("forward", "__call__", "call", "run")
    },
    "a function of weights": "def Mine(x, h0, c0, Wx, Wh, b):\n    return correct(canonical(Wx, Wh, b), x, h0, c0)\n",
    "an object with weights": WITH_BACKWARD + "\nMine = Mine(2, 3)\n",
    "a class with weights": WITH_BACKWARD,
}


def written_for(folder, text):
    from lstm_spec.targets.layouts import LAYOUTS

    gates = f"GATES = {''.join(LAYOUTS['numpy_rows'].gates)!r}\n"
    (folder / "mine.py").write_text(CORRECT + gates + OF_WEIGHTS + text)
    sys.modules.pop("mine", None)
    result = run("init", "mine.py:Mine")
    assert result.exit_code == 0, result.output
    sys.modules.pop("mine", None)
    adapter = (folder / "lstm_adapter.py").read_text()
    compile(adapter, "lstm_adapter.py", "exec")
    return adapter


def asked(checks):
    result = run("verify", "lstm_adapter.py:Adapter", "--profile", "quick", "--checks", checks)
    sys.modules.pop("mine", None)
    return result


@pytest.mark.parametrize("shape", RUNS)
def test_code_of_any_shape_that_is_known_by_its_names_is_called_rightly(folder, shape):
    adapter = written_for(folder, RUNS[shape])
    assert "fill_in(" not in adapter.partition("def fill_in")[0]
    result = asked("signature,step")
    assert result.exit_code == 0, adapter + result.output


def test_a_backward_pass_of_a_class_is_offered(folder):
    written_for(folder, WITH_BACKWARD)
    assert "asked for gradients of (" in asked("gradient_signature").output


def test_a_backward_pass_beside_a_function_is_offered(folder):
    beside = "\ndef Mine_backward(params, x, h0, c0, dy, dh, dc):\n    raise ArithmeticError('asked for gradients')\n"
    function = "def Mine(params, x, h0, c0):\n    return correct(params, x, h0, c0)\n"
    assert "def backward(self, params, x, h0, c0, dy, dh, dc):" in written_for(folder, function + beside)
    assert asked("signature,step").exit_code == 0
    assert "asked for gradients" in asked("gradient_signature").output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("class Mine:\n    def __init__(self, gain): ...\n    def run(self, x): ...\n", "fill in gain, which the con"),
        ("class Mine:\n    def run(self, x): ...\n", "fill in how your object gets the weights in params"),
        ("class Mine:\n    def __init__(self, Wx, Wh, b): ...\n", "fill in which method of own runs it"),
        ("def Mine(a, table): ...\n", "fill in a, which your function takes"),
    ],
)
def test_what_cannot_be_known_is_left_to_be_filled_in(folder, text, sentence):
    written_for(folder, text)
    result = asked("signature,step")
    assert result.exit_code in (1, 2)
    assert sentence in result.output
    assert "Traceback" not in result.output
