"""Steps as courses have them are verified by their signature, and what is usually wrong in them is found."""

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.like import like

pytestmark = pytest.mark.usefixtures("few_cases")

CHECKS = ("signature", "step", "sequence", "gradient_step", "gradient_sequence")


def sigmoid(a):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-a))


def rows_forward(x, prev_h, prev_c, Wx, Wh, b):
    i, f, o, g = np.split(x @ Wx + prev_h @ Wh + b, 4, axis=1)
    i, f, o, g = sigmoid(i), sigmoid(f), sigmoid(o), np.tanh(g)
    c = f * prev_c + i * g
    return o * np.tanh(c), c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, np.tanh(c))


def rows_backward(dh, dc, cache):
    x, prev_h, prev_c, Wx, Wh, i, f, o, g, squashed = cache
    dc = dc + dh * o * (1 - squashed**2)
    da = np.concatenate(
        [dc * g * i * (1 - i), dc * prev_c * f * (1 - f), dh * squashed * o * (1 - o), dc * i * (1 - g**2)], axis=1
    )
    return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, prev_h.T @ da, da.sum(axis=0)


def columns_forward(xt, a_prev, c_prev, parameters):
    z = np.concatenate([a_prev, xt])
    gate = {key: parameters[f"W{key}"] @ z + parameters[f"b{key}"] for key in "fico"}
    gate = {key: np.tanh(a) if key == "c" else sigmoid(a) for key, a in gate.items()}
    c = gate["f"] * c_prev + gate["i"] * gate["c"]
    a = gate["o"] * np.tanh(c)
    return a, c, parameters["Wy"] @ a + parameters["by"], (c, z, c_prev, gate, parameters)


def columns_backward(da_next, dc_next, cache):
    c, z, c_prev, gate, parameters = cache
    dc = dc_next + da_next * gate["o"] * (1 - np.tanh(c) ** 2)
    into = {"f": dc * c_prev, "i": dc * gate["c"], "c": dc * gate["i"], "o": da_next * np.tanh(c)}
    slope = {key: 1 - g**2 if key == "c" else g * (1 - g) for key, g in gate.items()}
    da = {key: into[key] * slope[key] for key in into}
    dz = sum(parameters[f"W{key}"].T @ d for key, d in da.items())
    m = len(c)
    found = {"dxt": dz[m:], "da_prev": dz[:m], "dc_prev": dc * gate["f"]}
    found |= {f"dW{key}": d @ z.T for key, d in da.items()}
    return found | {f"db{key}": d.sum(axis=1, keepdims=True) for key, d in da.items()}


def verify(function, signature, checks=CHECKS):
    return ls.verify(function, like=signature, profile="quick", diagnose=False, checks=checks)


@pytest.mark.parametrize(("function", "signature"), [(rows_forward, "numpy-rows"), (columns_forward, "numpy-columns")])
def test_a_step_is_verified_forward_and_backward(function, signature):
    report = verify(function, signature)
    assert report.verdict == "verified", str(report)
    assert {"gradient_step", "gradient_sequence"} <= {c.id for c in report.checks}


def swapped_forward(x, prev_h, prev_c, Wx, Wh, b):
    m = prev_h.shape[1]
    order = np.r_[0:m, m : 2 * m, 3 * m : 4 * m, 2 * m : 3 * m]
    return rows_forward(x, prev_h, prev_c, Wx[:, order], Wh[:, order], b[order])


def halved_forward(*arguments):
    return rows_forward(*arguments)


def halved_backward(dh, dc, cache):
    # The gradient through c is forgotten.
    return rows_backward(dh, 0 * dc, cache)


def lone(*arguments):
    return rows_forward(*arguments)


def test_gates_in_another_order_are_found():
    report = verify(swapped_forward, "numpy-rows")
    assert {c.id: c.status for c in report.checks}["step"] == "discrepancy"


def test_a_gradient_that_is_forgotten_is_found():
    report = verify(halved_forward, "numpy-rows")
    assert {c.id: c.status for c in report.checks}["gradient_step"] == "discrepancy"


def test_without_a_backward_function_beside_it_gradients_are_not_claimed():
    report = verify(lone, "numpy-rows", checks=("signature", "step"))
    assert {c.id: c.status for c in report.checks}["gradients"] == "not_claimed"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (None, "numpy-rows needs a function of this form, as in file.py:lstm_step_forward"),
        (3, "numpy-rows takes a function, got an int, as in file.py:lstm_step_forward"),
    ],
)
def test_what_is_no_function_is_one_sentence(function, message):
    with pytest.raises(TargetError, match=f"^{message}$"):
        like("numpy-rows", function)


def test_the_command_finds_both_functions_in_a_file(tmp_path, monkeypatch):
    import inspect

    source = "import numpy as np\n\n\n" + "\n\n".join(map(inspect.getsource, (sigmoid, rows_forward, rows_backward)))
    (tmp_path / "layers.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    command = ["verify", "layers.py:rows_forward", "--like", "numpy-rows", "--profile", "quick"]
    result = CliRunner().invoke(main, [*command, "--checks", ",".join(CHECKS)])
    assert result.exit_code == 0, result.output
    assert "VERIFIED  layers.py:rows_forward computes lstm: forward and gradients in float64" in result.stdout
