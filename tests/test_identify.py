"""Layouts that are hidden in a target are found again, and what is found is a layout under which it is verified."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.held import concat_of
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import LAYOUTS, layout
from lstm_spec.verify.identify import AMBIGUOUS, IDENTIFIED, UNKNOWN, identify

CELLS = {"pytorch_gru": ls.cell("gru_reset_after"), "pytorch_rnn": ls.cell("rnn")}
CELLS |= {"onnx_gru": ls.cell("gru_reset_after"), "onnx_rnn": ls.cell("rnn"), "onnx": ls.cell("peephole")}
CELLS |= {"keras_gru": ls.cell("gru_reset_after"), "keras_rnn": ls.cell("rnn")}
CELLS |= {"pytorch_gru_cell": ls.cell("gru_reset_after"), "pytorch_rnn_cell": ls.cell("rnn")}
CELLS |= {"onednn": ls.cell("lstmp_peephole")}


BRIEFLY = ["--profile", "quick", "--checks", "step,sequence"]


def hidden(own, cell):
    """A target that takes everything as a layout has it, and computes a cell."""

    def forward(params, x, *states):
        x, states = own.from_x(x), own.from_states(*states, order=cell.states)
        sizes = dict(zip(("n", "q" if "W_p" in cell.symbols else "m"), (x.shape[-1], states[0].shape[-1]), strict=True))
        sizes["m"] = states[-1].shape[-1]
        canonical = own.unpack(params, cell.dimensions(**sizes), concat=concat_of(cell))
        y, *final = ls.run(cell, canonical, x, *states)
        return own.to_y(y), *own.to_states(*final, order=cell.states)

    return forward


def shapes_of(own, cell, n=2, m=3, q=2):
    sizes = {s.name: {"n": n, "m": m, "q": q}[s.name] for s in cell.sizes}
    return own.shapes(cell.dimensions(**sizes), concat=concat_of(cell))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_known_layout_is_found_again(name):
    cell, own = CELLS.get(name, ls.lstm()), LAYOUTS[name].at(0, False)
    found = identify(Target(name, hidden(own, cell)), shapes=shapes_of(own, cell), spec=cell)
    assert found.status == IDENTIFIED, found
    sizes = {s.name: {"n": 2, "m": 3, "q": 2}[s.name] for s in cell.sizes}
    rng = np.random.default_rng(0)
    packed = {key: rng.standard_normal(shape) for key, shape in shapes_of(own, cell).items()}
    dimensions = cell.dimensions(**sizes)
    wanted = own.unpack(packed, dimensions, concat=concat_of(cell))
    got = found.layout.unpack(packed, dimensions, concat=concat_of(cell))
    for parameter, array in wanted.items():
        np.testing.assert_allclose(got[parameter], array, atol=1e-15)
    assert (found.layout.states or "hc"[: len(cell.states)]) == (own.states or "hc"[: len(cell.states)])
    x, y = np.zeros((1, 1, 2)), np.zeros((1, 1, 3))
    assert found.layout.to_x(x).shape == own.to_x(x).shape
    assert found.layout.to_y(y).shape == own.to_y(y).shape


ODD = {
    "packed, hx, states exchanged": Layout(
        gates="cofi", kernels="joint", concat="hx", transposed=True, biases=1, states="ch", names={"W": "w", "b": "v"}
    ),
    "one array per gate with words": Layout(
        kernels="joint",
        concat="hx",
        axes="BTI",
        names={"W": "{gate}.weight", "b": "{gate}.bias", "f": "forget", "i": "in", "c": "cell", "o": "out"},
    ),
    "offset, biases in one": Layout(
        gates="oicf", kernels="separate", biases="concatenated", forget_offset=1.0, names={"W": "a", "R": "r", "b": "b"}
    ),
    "an axis of directions in the states alone": Layout(
        gates="ifco", kernels="separate", transposed=True, axes="BTI DBI", names={"W": "a", "R": "r", "b": "b"}
    ),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize(("n", "m"), [(2, 3), (3, 3)])
def test_a_layout_that_nobody_has_is_found(name, n, m):
    own, cell = ODD[name], ls.lstm()
    found = identify(Target(name, hidden(own, cell)), shapes=shapes_of(own, cell, n, m))
    assert found.status == IDENTIFIED, found
    wanted = replace(own, states=own.states or "hc", biases=own.biases or 1)
    assert found.layout == wanted


def test_what_is_found_is_what_verify_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "import lstm_spec as ls\n"
        "from lstm_spec.targets.layout import Layout\n"
        "OWN = Layout(gates='ocif', kernels='joint', concat='hx', biases=1, states='ch', names={'W': 'w', 'b': 'v'})\n"
        "def forward(params, x, c0, h0):\n"
        "    own = OWN.unpack(params, ls.lstm().dimensions(n=x.shape[-1], m=h0.shape[-1]))\n"
        "    y, h, c = ls.run(ls.lstm(), own, x, h0, c0)\n"
        "    return y, c, h\n"
        "forward.shapes = {'w': (12, 5), 'v': (12,)}\n"
    )
    result = CliRunner().invoke(main, ["identify", "mine.py:forward", "-o", "mine.toml", "--json", "found.json"])
    assert result.exit_code == 0, result.output
    assert "those of lstm" in result.stderr
    assert json.loads((tmp_path / "found.json").read_text())["status"] == "identified"
    assert layout("mine.toml").gates == "ocif"
    verified = CliRunner().invoke(main, ["verify", "mine.py:forward", "--layout", "mine.toml", *BRIEFLY])
    assert verified.exit_code == 0, verified.output


def test_without_shapes_the_known_layouts_are_tried():
    own = LAYOUTS["keras"]
    found = identify(Target("mine", hidden(own, ls.lstm())))
    assert (found.status, found.layout) == (IDENTIFIED, own)
    strange = Layout(gates="ifco", kernels="separate", names={"W": "alpha", "R": "beta", "b": "gamma"})
    found = identify(Target("mine", hidden(strange, ls.lstm())))
    assert found.status == UNKNOWN
    assert "say in an attribute `shapes`" in found.notes[0]


def test_a_real_module_is_identified():
    torch = pytest.importorskip("torch")

    def forward(params, x, h0, c0):
        network = torch.nn.LSTM(x.shape[-1], h0.shape[-1], batch_first=True, dtype=x.dtype)
        with torch.no_grad():
            y, (h, c) = torch.func.functional_call(network, dict(params), (x, (h0, c0)))
        return y, h, c

    shapes = {"weight_ih_l0": (12, 2), "weight_hh_l0": (12, 3), "bias_ih_l0": (12,), "bias_hh_l0": (12,)}
    found = identify(Target("torch", forward, arrays="torch"), shapes=shapes)
    assert found.status == IDENTIFIED
    assert (found.layout.gates, found.layout.axes) == ("ifco", "BTI DBI")
    assert "which is which does not matter" in found.notes[0]
    assert (
        ls.verify(Target("torch", forward, arrays="torch", layout=found.layout), profile="quick").verdict == "verified"
    )


def test_what_cannot_be_told_apart_is_said():
    """Without states that differ from zero at the start nobody could tell, and a cell without b_f has no offset."""
    own = Layout(gates="ifco", kernels="separate", names={"W": "a", "R": "r", "b": "b"})
    right = hidden(own, ls.lstm())

    def symmetric(params, x, h0, c0):
        # The input and the output gate are made equal, so that their order does not show.
        blocks = {name: np.split(a, 4) for name, a in params.items()}
        same = {name: np.concatenate([b[0], b[1], b[2], b[0]]) for name, b in blocks.items()}
        return right(same, x, h0, c0)

    found = identify(Target("mine", symmetric), shapes=shapes_of(own, ls.lstm()))
    assert found.status == UNKNOWN

    def forgetful(params, x, h0, c0):
        y, h, c = right(params, x, h0 * 0, c0 * 0)
        return y, h, c

    assert identify(Target("mine", forgetful), shapes=shapes_of(own, ls.lstm())).status == UNKNOWN
    one = Layout(gates="h", kernels="separate", biases=2, names={"W": "a", "R": "r", "b": "b", "bR": "d"})
    rnn = ls.cell("rnn")
    assert identify(Target("mine", hidden(one, rnn)), shapes=shapes_of(one, rnn), spec="rnn").status == IDENTIFIED


def test_several_layouts_that_fit_are_all_named():
    """A cell whose kernels are 1×1 is the same transposed."""
    own = Layout(gates="", kernels="separate", names={"W": "w_{gate}", "R": "r_{gate}", "b": "b_{gate}"})
    found = identify(Target("mine", hidden(own, ls.lstm())), shapes=shapes_of(own, ls.lstm(), n=1, m=1))
    assert found.status == AMBIGUOUS
    assert any("transposed = true" in other for other in found.others)


def test_a_target_that_refuses_everything_is_refused():
    def forward(params, x, h0, c0):
        raise RuntimeError("no")

    with pytest.raises(TargetError, match="give the names and shapes that it takes"):
        identify(Target("mine", forward), shapes={"W": (12, 2), "R": (12, 3), "b": (12,)})
    with pytest.raises(TargetError, match="was given arrays of the shapes W \\(5, 7\\)"):
        identify(Target("mine", forward), shapes={"W": (5, 7)})


def test_shapes_that_are_none_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def forward(params, x, h0, c0):\n    pass\nforward.shapes = {'W': 12}\n")
    result = CliRunner().invoke(main, ["identify", "mine.py:forward"])
    assert result.exit_code == 2
    assert "forward.shapes['W'] must be a shape such as (16, 3), got 12" in result.stderr
