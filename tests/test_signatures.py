"""Steps and sequences as courses have them are verified by their signature; what is usually wrong in them is found."""

import inspect
import re
import sys
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.compute import layer
from lstm_spec.compute.network import plain, run_network
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


def rows_sequence_forward(x, h0, Wx, Wh, b):
    h, c = h0, np.zeros_like(h0)
    hidden, caches = [], []
    for t in range(x.shape[1]):
        h, c, cache = rows_forward(x[:, t], h, c, Wx, Wh, b)
        hidden.append(h)
        caches.append(cache)
    return np.stack(hidden, axis=1), caches


def rows_sequence_backward(dh, caches):
    carried = np.zeros_like(dh[:, 0])
    dc = np.zeros_like(carried)
    dx, total = [], [0, 0, 0]
    for t in reversed(range(dh.shape[1])):
        dx_t, carried, dc, *own = rows_backward(dh[:, t] + carried, dc, caches[t])
        dx.insert(0, dx_t)
        total = [a + b for a, b in zip(total, own, strict=True)]
    return np.stack(dx, axis=1), carried, *total


def columns_sequence_forward(x, a0, parameters):
    _, B, T = x.shape
    a, c = np.zeros((len(a0), B, T)), np.zeros((len(a0), B, T))
    y = np.zeros((len(parameters["Wy"]), B, T))
    a_next, c_next, caches = a0, np.zeros_like(a0), []
    for t in range(T):
        a_next, c_next, y[:, :, t], cache = columns_forward(x[:, :, t], a_next, c_next, parameters)
        a[:, :, t], c[:, :, t] = a_next, c_next
        caches.append(cache)
    return a, y, c, (caches, x)


def columns_sequence_backward(da, caches):
    caches, x = caches
    found = {"dx": np.zeros_like(x)}
    da_prev, dc_prev = np.zeros_like(da[:, :, 0]), np.zeros_like(da[:, :, 0])
    for t in reversed(range(da.shape[2])):
        own = columns_backward(da[:, :, t] + da_prev, dc_prev, caches[t])
        found["dx"][:, :, t] = own.pop("dxt")
        da_prev, dc_prev = own.pop("da_prev"), own.pop("dc_prev")
        found |= {key: found.get(key, 0) + d for key, d in own.items()}
    return found | {"da0": da_prev}


def verify(function, signature, checks=CHECKS, **options):
    return ls.verify(
        function, **{"like": signature, "profile": "quick", "diagnose": False, "checks": checks, **options}
    )


RIGHT = {
    "numpy-rows": rows_forward,
    "numpy-columns": columns_forward,
    "numpy-rows-sequence": rows_sequence_forward,
    "numpy-columns-sequence": columns_sequence_forward,
}


@pytest.mark.parametrize("signature", RIGHT)
def test_what_is_right_is_verified_forward_and_backward(signature):
    report = verify(RIGHT[signature], signature)
    assert report.verdict == "verified", str(report)
    assert {"gradient_step", "gradient_sequence"} <= {c.id for c in report.checks}


UNCLAIMED = {
    "numpy-rows": {},
    "numpy-columns": {},
    "numpy-rows-sequence": {
        "states": "the target is given no initial c",
        "final_states": "the target returns no final states",
        "cotangents": "backward takes no cotangent of the final states",
    },
    "numpy-columns-sequence": {
        "states": "the target is given no initial c",
        "cotangents": "backward takes no cotangent of the final states",
    },
}


@pytest.mark.parametrize("signature", RIGHT)
def test_what_a_function_does_not_take_or_return_is_not_claimed_and_said(signature):
    report = verify(RIGHT[signature], signature, checks=("signature",))
    assert {c.id: c.message for c in report.checks if c.status == "not_claimed"} == UNCLAIMED[signature]


def planted(right, *changes):
    """Return a function with a mistake in it or in the backward pass beside it, made by changes of their source."""
    source = "".join(map(inspect.getsource, (right, getattr(sys.modules[__name__], f"{right.__name__[:-7]}backward"))))
    for before, after in changes:
        assert source.count(before) == 1, before
        source = source.replace(before, after)
    module = ModuleType("planted")
    exec(source, vars(sys.modules[__name__]) | {"__name__": "planted"}, vars(module))
    # The module's own functions are found in it, those around them here.
    sys.modules["planted"] = module
    return getattr(module, right.__name__)


ROWS, COLUMNS = "numpy-rows-sequence", "numpy-columns-sequence"
PLANTED = {
    "rows, packed in another order, and h0 is not read": (
        ROWS,
        [
            ("c, Wx, Wh, b)", "c, *(np.roll(a, h0.shape[1], axis=-1) for a in (Wx, Wh, b)))"),
            ("= h0, np", "= 0 * h0, np"),
        ],
        "step",
        "it matches the spec if the gates are packed f, o, c̃, i; and the initial h is ignored",
    ),
    "rows, dc is not carried": (
        ROWS,
        [("carried, dc, *own", "carried, _, *own")],
        "gradient_sequence",
        "no gradient passes from step to step through c",
    ),
    "rows, dh is not carried": (
        ROWS,
        [("dh[:, t] + carried", "dh[:, t]")],
        "gradient_sequence",
        "no gradient passes between steps through h, but to the initial h",
    ),
    "rows, the last gradient of parameters stands for all": (
        ROWS,
        [("total = [a + b for a, b in zip(total, own, strict=True)]", "total = own")],
        "gradient_sequence",
        "the gradients of the parameters hold the first step only",
    ),
    "rows, packed in another order": (
        ROWS,
        [("c, Wx, Wh, b)", "c, *(np.roll(a, h0.shape[1], axis=-1) for a in (Wx, Wh, b)))")],
        "step",
        "it matches the spec if the gates are packed f, o, c̃, i",
    ),
    "rows, c begins as h0": (ROWS, [("h0, np.zeros_like(h0)", "h0, h0")], "step", "c begins as the initial h"),
    "columns, da is not added": (
        COLUMNS,
        [("da[:, :, t] + da_prev", "da_prev + 0 * da[:, :, t]")],
        "gradient_step",
        "the cotangent of y is ignored",
    ),
    "columns, db is a mean": (
        COLUMNS,
        [("found.get(key, 0) + d ", 'found.get(key, 0) + (d / da.shape[1] if key[1] == "b" else d) ')],
        "gradient_step",
        "the gradients of b_f, b_i, b_c and b_o are means over the rows, not sums",
    ),
    "columns, the final c is not stored": (
        COLUMNS,
        [("a[:, :, t], c[:, :, t] = a_next, c_next", "a[:, :, t] = a_next")],
        "step",
        "the final c is zero",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_usually_wrong_in_a_sequence_is_found_and_named(name):
    signature, changes, check, sentence = PLANTED[name]
    report = verify(planted(RIGHT[signature], *changes), signature, diagnose=True)
    assert next(c.id for c in report.checks if c.status == "discrepancy") == check
    assert sentence in [d.sentence for d in report.diagnosis]


def test_what_is_not_taken_is_zero_in_every_case_and_given_to_nobody():
    seen = []

    class Partial:
        initial, final, cotangents = ("c",), ("h",), ()

        def forward(self, params, x, c0):
            return layer.forward(params, x, 0 * c0, c0)[:2]

        def backward(self, params, x, c0, dy):
            seen.append(c0.any())
            dparams, dx, _, dc0 = layer.backward(params, x, 0 * c0, c0, dy, 0 * c0, 0 * c0)
            return dparams, dx, dc0

    report = ls.verify(Partial(), profile="quick", diagnose=False, checks=(*CHECKS, "carry", "weights", "poison"))
    assert report.verdict == "verified", str(report)
    unclaimed = {c.id: c.message for c in report.checks if c.status == "not_claimed"}
    assert unclaimed == {
        "states": "the target is given no initial h",
        "final_states": "the target returns no final c",
        "cotangents": "backward takes no cotangent of the final states",
    }
    assert "carry" not in {c.id for c in report.checks}
    assert any(seen)
    required = ls.verify(Partial(), profile="quick", diagnose=False, checks=("signature",), require=("final_states",))
    assert required.verdict == "discrepancy"


def test_in_a_network_too_a_state_may_begin_at_zero():
    network = ls.layers(count=2, bidirectional=True)

    class Partial:
        initial, cotangents, spec = ("h",), ("h",), network

        def forward(self, params, x, h0):
            return run_plainly(network, params, x, h0)[0]

        def backward(self, params, x, h0, dy, dh):
            dparams, dx, dstates = run_plainly(network, params, x, h0)[1](dy, dh)
            return dparams, dx, dstates

    report = ls.verify(Partial(), profile="quick", diagnose=False, checks=CHECKS)
    assert report.verdict == "verified", str(report)


def run_plainly(network, params, x, h0):
    """Run a network from h0 (L·D, B, m) and zero; returns the outputs, and what pulls cotangents of y and h back."""
    states = [row for k in range(len(h0)) for row in (h0[k], np.zeros_like(h0[k]))]
    trace = run_network(network, params, x, tuple(states), None, plain(keep=True))

    def pull(dy, dh):
        found = trace.pull(dy, *(row for k in range(len(dh)) for row in (dh[k], np.zeros_like(dh[k]))))
        return found.params, found.x, np.stack(found.states[::2])

    return (trace.y, np.stack(trace.states[::2]), np.stack(trace.states[1::2])), pull


def test_states_that_there_are_not_are_one_sentence():
    class Odd:
        initial = ("a",)

        def forward(self, params, x):
            return x, x, x

    with pytest.raises(TargetError, match=r"^Odd.initial is a tuple of some of the states h, c, got \('a',\)$"):
        ls.verify(Odd())


def test_in_a_process_of_its_own_it_says_the_same():
    report = verify(rows_sequence_forward, ROWS, checks=("signature", "step", "gradient_step"), isolate=True)
    assert report.verdict == "verified", str(report)
    assert {c.id: c.message for c in report.checks if c.status == "not_claimed"} == UNCLAIMED[ROWS]


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
        (
            columns_forward,
            "mine takes (xt, a_prev, c_prev, parameters); numpy-rows is forward(x, prev_h, prev_c, Wx, Wh, b) ->"
            " (next_h, next_c, cache); it may be numpy-columns",
        ),
        (
            lambda x: x,
            "mine takes (x); numpy-rows is forward(x, prev_h, prev_c, Wx, Wh, b) -> (next_h, next_c, cache)",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(function, message):
    with pytest.raises(TargetError, match=f"^{re.escape(message)}$"):
        like("numpy-rows", function, name="mine")


def few_forward(x, h0, Wx, Wh, b):
    return rows_sequence_forward(x, h0, Wx, Wh, b)[0]


def flat_forward(*given):
    return rows_sequence_forward(*given)


def flat_backward(dh, caches):
    return rows_sequence_backward(dh, caches)[:4]


def bare_forward(x, a0, parameters):
    return columns_sequence_forward(x, a0, parameters)


def bare_backward(da, caches):
    found = columns_sequence_backward(da, caches)
    return {key: d for key, d in found.items() if key != "dbo"}


def thin_forward(x, a0, parameters):
    return columns_sequence_forward(x, a0, parameters)


def thin_backward(da, caches):
    found = columns_sequence_backward(da, caches)
    return {key: d[:, 0] if key[:2] == "db" else d for key, d in found.items()}


def short_forward(x, a0, parameters):
    a, y, c, caches = columns_sequence_forward(x, a0, parameters)
    return a[:, :, -1], y, c, caches


@pytest.mark.parametrize(
    ("function", "signature", "message"),
    [
        (few_forward, ROWS, "forward returned a ndarray; expected 2: (h, cache) (float64)"),
        (flat_forward, ROWS, "backward returned 4 values; expected 5: (dx, dh0, dWx, dWh, db) (float64)"),
        (
            bare_forward,
            COLUMNS,
            "the gradients lack dbo; expected dx, da0, dWf, dWi, dWc, dWo, dbf, dbi, dbc, dbo (float64)",
        ),
        (thin_forward, COLUMNS, "dbf has shape (1,); expected a column (m, 1) (float64)"),
        (
            short_forward,
            COLUMNS,
            "a has shape (1, 2); expected an array of 3 axes, rows of the batch the second one (float64)",
        ),
    ],
)
def test_what_returns_something_else_is_told_so(function, signature, message):
    report = verify(function, signature, checks=("signature", "gradient_signature"))
    assert [c.message for c in report.checks if c.status == "discrepancy"][:1] == [message]


def test_the_command_finds_both_functions_in_a_file(tmp_path, monkeypatch):
    source = "import numpy as np\n\n\n" + "\n\n".join(map(inspect.getsource, (sigmoid, rows_forward, rows_backward)))
    (tmp_path / "layers.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    command = ["verify", "layers.py:rows_forward", "--like", "numpy-rows", "--profile", "quick"]
    result = CliRunner().invoke(main, [*command, "--checks", ",".join(CHECKS)])
    assert result.exit_code == 0, result.output
    assert "VERIFIED  layers.py:rows_forward computes lstm: forward and gradients in float64" in result.stdout
