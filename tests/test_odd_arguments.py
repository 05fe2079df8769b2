"""What is given in place of a cell, a layer, a name or a parameter is refused in a sentence that says what to give."""

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.spec.operators import add, apply, matmul, matrix, size, vector
from lstm_spec.spec.program import constant

n, m = size("n"), size("m")
x, h_prev, h, a = vector("x", n), vector("h_prev", m), vector("h", m), vector("a", m)
NETWORK = ls.layers("rnn", count=2)


def own(weight="W", bias="b", value="a", **options):
    pre = vector(value, m)
    equations = [(pre, add(matmul(matrix(weight, m, n), x), h_prev, vector(bias, m))), (h, apply("tanh", pre))]
    return ls.define_cell("own", **{"inputs": x, "states": [(h_prev, h)], "equations": equations, **options})


NAMES = {
    "W f": "own: a value is named by letters, digits and _, a letter first, no keyword of Python; got 'W f'",
    "W-1": "got 'W-1'",
    "1W": "got '1W'",
    "": "got ''",
    "_W": "got '_W'",
    "lambda": "no keyword of Python; got 'lambda'",
    "import": "no keyword of Python; got 'import'",
    "n": "own: n is the name of a size, and cannot be that of a value too",
    "m": "own: m is the name of a size",
    "np": "own: np has a meaning in the source of a step; take another name",
    "params": "own: params has a meaning in the source of a step",
    "sigmoid": "own: sigmoid has a meaning in the source of a step",
}


@pytest.mark.parametrize("place", ["weight", "bias", "value"])
@pytest.mark.parametrize("name", NAMES)
def test_names_that_source_cannot_have(name, place):
    with pytest.raises(ls.ProgramError) as caught:
        own(**{place: name})
    assert NAMES[name] in str(caught.value)


@pytest.mark.parametrize("name", ["W_forget", "q", "bR_2", "alpha", "Wf1", "d", "k"])
def test_other_names_run_and_are_written(name):
    cell = own(weight=name)
    params = {p: np.ones(shape) for p, shape in cell.dimensions(n=2, m=3).items()}
    y, _ = ls.runner(cell).forward(params, np.ones((4, 1, 2)), np.zeros((1, 3)))
    assert y.shape == (4, 1, 3)
    compile(ls.write(ls.backward(cell), format="numpy"), "own", "exec")


def test_a_constant_has_such_a_name_too():
    with pytest.raises(ls.ProgramError, match="own: np has a meaning"):
        own(constants=[constant("np", 2)])


PARTS = (
    ({"states": [h]}, "own: a state is a pair of vectors, before and after, such as (h_prev, h), got h"),
    ({"states": (h_prev, h)}, "own: a state is a pair of vectors, before and after, such as (h_prev, h), got h_prev"),
    ({"states": None}, "own: states are a list such as [(h_prev, h)], got None"),
    ({"states": [(h_prev, 3)]}, "own: a state is a pair of vectors"),
    ({"equations": [(h, 3)]}, "own: the right side of h is an expression of vectors and matrices, got 3"),
    ({"equations": None}, "own: equations are a list such as [(h, expression)], got None"),
    ({"inputs": None}, "own: inputs are a vector such as vector('x', n), or several, got None"),
    ({"inputs": "x"}, "own: inputs are a vector such as vector('x', n), or several, got 'x'"),
    ({"inputs": [3]}, "own: inputs are a vector such as vector('x', n), or several, got [3]"),
)


@pytest.mark.parametrize(
    ("options", "sentence"), PARTS, ids=lambda value: "given" if isinstance(value, dict) else value[:30]
)
def test_parts_of_a_cell_that_are_none(options, sentence):
    with pytest.raises(ls.ProgramError) as caught:
        own(**options)
    assert str(caught.value).startswith(sentence)


LSTM = ls.Layer(cell=ls.lstm())
REFUSED = (
    (lambda: ls.cell(3), "a cell of the catalogue is asked for by its name, such as ls.cell('lstm'), got 3"),
    (lambda: ls.cell("LSTM"), 'there is no cell "LSTM"; did you mean lstm?'),
    (lambda: ls.cell("GRU"), "did you mean gru?"),
    (
        lambda: ls.dimension_table(NETWORK),
        "dimension_table takes a Program such as ls.cell('lstm') returns, got a network",
    ),
    (lambda: ls.infer_dimensions(NETWORK, {}), "got a network, 2-layer rnn: take a cell of it"),
    (lambda: ls.infer_dimensions(ls.lstm(), [3]), "shapes are given by name, such as {'W_f': (70, 102)}, got [3]"),
    (lambda: ls.Network(name="x", layers=(ls.lstm(),)), "a layer of x is an ls.Layer(cell=…), got the cell lstm"),
    (lambda: ls.Network(name="x", layers=LSTM), "layers of x are a tuple such as (ls.Layer(cell=ls.lstm()),), got"),
    (lambda: ls.Network(name="x", layers=3), "layers of x are a tuple such as"),
    (lambda: ls.Layer(cell=ls.lstm(), sizes="m"), "sizes of a layer are by name, such as {\"m\": 64}, got 'm'"),
    (
        lambda: ls.Layer(cell=ls.lstm(), merge="sum"),
        'merge is of two directions, so it needs direction="both"; got mer',
    ),
    (lambda: ls.Layer(cell=ls.lstm(), reverse_cell=ls.lstm()), "reverse_cell is of two directions"),
    (lambda: ls.Layer(cell=ls.lstm(), reverse_sizes={"m": 3}), "reverse_sizes is of two directions"),
    (lambda: ls.Layer(cell=ls.lstm(), residual="yes"), "residual is one of False, True, got 'yes'"),
    (lambda: ls.layers(count=2, residual="yes"), "residual is one of False, True, got 'yes'"),
    (lambda: ls.layers(bidirectional="yes"), "bidirectional is one of False, True, got 'yes'"),
    (lambda: ls.layers(hidden={"m": 3}), "hidden is a size, or one for every layer such as (70, 40), got {'m': 3}"),
    (
        lambda: ls.Network(name="x", layers=(ls.Layer(cell=ls.lstm(), sizes={"n": 8}),)),
        "n of a layer is the size of what is below it, n; got sizes with n=8: leave it out, or give n= to the network",
    ),
)


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=lambda value: "asked" if callable(value) else value[:40])
def test_networks_and_layers_that_are_none(make, sentence):
    with pytest.raises((ls.OptionError, ls.ProgramError, ls.DimensionError)) as caught:
        make()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_may_be_a_list():
    network = ls.Network(name="x", layers=[LSTM, LSTM])
    assert network.layers == (LSTM, LSTM)
    assert hash(network) == hash(ls.Network(name="x", layers=(LSTM, LSTM)))


def test_a_cell_is_a_network_of_one_layer():
    assert [row.name for row in ls.summary(ls.lstm(), n=32, m=70)] == ["x", "l0", "y"]


@pytest.mark.parametrize("params", [[np.zeros((3, 5))], None, "W"])
def test_parameters_without_names(params):
    with pytest.raises(ls.DimensionError, match=r"^params are arrays by name, such as \{'R_h': …\}, got "):
        ls.runner(ls.cell("rnn")).forward(params, np.zeros((1, 1, 2)), np.zeros((1, 3)))


NETWORKS = """
import lstm_spec as ls
network = ls.layers("rnn", count=2)
twoway = ls.layers("rnn", hidden=3, bidirectional=True)
wide = ls.layers("rnn", hidden=(3, 4))
single = ls.layers("rnn")
run = ls.runner(network)
import numpy as nothing
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(NETWORKS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["show", "net.py:network", "-n", "2", "-m", "3"], "l1     rnn         (T, B, 3)     21"),
        (["show", "net.py:network", "--json", "-"], '"network": "2-layer rnn"'),
        (["draw", "stacked", "net.py:network"], "<title>2 RNN layers on top of each other</title>"),
        (
            ["draw", "bidirectional", "net.py:twoway", "-n", "2"],
            "<title>bidirectional RNN: 6 outputs at every step</title>",
        ),
        (["draw", "unrolled", "net.py:single"], "<title>RNN unrolled over time</title>"),
        (["draw", "cell", "net.py:single"], "<svg"),
        (["verify", "net.py:run", "--spec", "net.py:network", "--checks", "signature"], "computes 2-layer rnn"),
    ],
)
def test_commands_take_a_network(folder, arguments, shown):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.stderr
    assert shown in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "net.py:network", "--layers", "2"], "net.py:network is a network and has its layers"),
        (["show", "net.py:nothin"], "net.py has no nothin\n"),
        (["show", "net.py:netwrk"], "net.py has no netwrk; did you mean network?"),
        (
            ["derive", "net.py:network"],
            "net.py:network is a network, where one cell is asked for: give a cell of it (rnn)",
        ),
        (
            ["draw", "stacked", "net.py:wide"],
            "2-layer rnn cannot be drawn: the views show one cell, in layers of one size",
        ),
        (["draw", "cell", "net.py:network"], '2-layer rnn (n → m → m) is shown by the view "stacked", not by "cell"'),
        (["draw", "stacked", "net.py:network", "--layers", "3"], "2-layer rnn has 2 layers of its own, got layers=3"),
        (["show", "--list", "lstm", "-n", "3"], "--list shows the whole catalogue in symbols"),
        (["show", "-n", "3"], "sizes and layers are those of a CELL: name one, such as lstm"),
        (
            ["derive", "lstm", "--forward", "--wrt", "W_f"],
            "wrt chooses gradients of a backward pass, and the equations",
        ),
        (
            ["derive", "lstm", "--forward", "--jacobian", "c,c_prev"],
            "the equations of the cell itself and a Jacobian are",
        ),
        (["derive", "lstm", "--jacobian", "c,c_prev", "--wrt", "W_f"], "and a Jacobian names its own"),
    ],
)
def test_commands_refuse_what_contradicts_itself(folder, arguments, sentence):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stdout == ""


def run_with(name="lstm", width=5, lengths=None, kind=float, **wrong):
    network = ls.layers(name, past_length="zero")
    params = {key: np.ones(shape) for key, shape in network.dimensions(**{s.name: 5 for s in network.sizes}).items()}
    states = [np.zeros((2, 5)) for _ in network.states]
    return ls.runner(network).forward({**params, **wrong}, np.ones((4, 2, width), kind), *states, lengths=lengths)


@pytest.mark.parametrize("name", ["lstm", "gru", "peephole", "rnn"])
def test_an_x_that_contradicts_all_parameters_is_what_is_wrong(name):
    with pytest.raises(ls.DimensionError, match=r"^x has 3 entries at a step, but the parameters are for n=5$"):
        run_with(name, width=3)


@pytest.mark.parametrize("wrong", ["W_f", "W_i", "W_o"])
def test_a_parameter_that_contradicts_the_others_is_what_is_wrong(wrong):
    with pytest.raises(ls.DimensionError, match=rf"^{wrong} must have the shape \(5, 10\), got \(5, 9\)$"):
        run_with(**{wrong: np.ones((5, 9))})


def test_lengths_are_whole_numbers_of_any_type():
    wanted = run_with(lengths=[1, 3])
    for lengths in ([1.0, 3.0], np.array([1, 3], "uint8")):
        for got, expected in zip(run_with(lengths=lengths), wanted, strict=True):
            np.testing.assert_array_equal(got, expected)
    with pytest.raises(ls.DimensionError, match=r"lengths are whole numbers from 0 to T=4, got \[1\.5, 3\.0\]"):
        run_with(lengths=[1.5, 3.0])
    with pytest.raises(ls.DimensionError, match=r"rows with lengths are real numbers, got a complex x"):
        run_with(lengths=[1, 3], kind=complex)
