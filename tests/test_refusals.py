"""What is no cell, no name and no value of an option is refused in one sentence that says what to give."""

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main

TAKE_A_CELL = {
    "backward": ls.backward,
    "forward_mode": ls.forward_mode,
    "jacobian": ls.jacobian,
    "bptt": ls.bptt,
    "prove": ls.prove,
    "write": ls.write,
    "unit_view": ls.unit_view,
    "unroll": lambda cell: ls.unroll(cell, 2),
    "recurrence": ls.recurrence,
    "runner": ls.runner,
    "a layer": lambda cell: ls.Layer(cell=cell),
}


@pytest.mark.parametrize("wrong", ["lstm", 3, None, ["lstm"], {}])
@pytest.mark.parametrize("who", TAKE_A_CELL)
def test_what_is_no_cell_is_refused_by_name(who, wrong):
    with pytest.raises(ls.ProgramError) as caught:
        TAKE_A_CELL[who](wrong)
    assert str(caught.value) == f"{who} takes a Program such as ls.cell('lstm') returns, got {wrong!r}"


def test_a_large_thing_in_place_of_a_cell_is_not_shown_whole():
    with pytest.raises(ls.ProgramError) as caught:
        ls.backward(list(range(1000)))
    assert len(str(caught.value)) < 120


def test_a_text_is_one_name():
    cell = ls.lstm()
    assert [p.name for p in ls.prove(cell, only="db_f")] == ["db_f"]
    assert ls.jacobian(cell, of="c", wrt="c_prev") == ls.jacobian(cell, of=["c"], wrt=["c_prev"])
    assert ls.write(ls.bptt(cell), only="db_f") == ls.write(ls.bptt(cell), only=["db_f"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"clip": {"c": "x"}}, "clip['c'] is a positive limit, got 'x'"),
        ({"zoneout": {"c": "x"}}, "zoneout['c'] is a share between 0 and 1, got 'x'"),
        ({"eps": "x"}, "eps is a number that is not negative, got 'x'"),
        ({"activations": {"f": "swishh"}}, "activations['f']: there is no activation \"swishh\""),
        ({"activations": {"f": 3}}, "activations['f']: an activation is a name"),
        ({"projection": 3}, "projection is one of False, True, got 3"),
        ({"gate_recurrence": "yes"}, "gate_recurrence is one of False, True, got 'yes'"),
    ],
)
def test_values_of_options_that_are_none(options, sentence):
    with pytest.raises(ls.OptionError) as caught:
        ls.lstm(**options)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("name", [3, "", None])
def test_a_cell_has_a_name_in_words(name):
    with pytest.raises(ls.ProgramError, match="the name of a cell is text that is not empty, got"):
        ls.lstm(name=name)


def test_options_of_layers_that_would_do_nothing():
    with pytest.raises(ls.OptionError, match="merge='sum' says what becomes of two directions, so it needs bidirec"):
        ls.layers(merge="sum")
    for name in (3, ""):
        with pytest.raises(ls.OptionError, match="the name of a network is text that is not empty"):
            ls.layers(name=name)
    with pytest.raises(ls.ProgramError, match="layers takes a Program"):
        ls.layers(3)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (70, r"the shape of W_f is a tuple such as \(70, 102\), got 70"),
        ("70", r"the shape of W_f is a tuple such as \(70, 102\), got '70'"),
        (np.zeros((70, 102)), r"sizes are read off shapes, got W_f itself: give its \.shape$"),
    ],
)
def test_what_is_no_shape(shape, sentence):
    with pytest.raises(ls.DimensionError, match=sentence):
        ls.infer_dimensions(ls.lstm(), {"W_f": shape})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["prove", "lstm", "--only", ""], "it names nothing: give names with commas between them"),
        (["derive", "lstm", "--wrt", ","], "it names nothing: give names with commas between them"),
        (["show", "leaky.py"], "leaky.py is a file: name the cell in it too, as leaky.py:NAME"),
    ],
)
def test_commands_that_name_nothing(arguments, sentence):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stdout == ""


def test_proving_no_formula_is_refused():
    with pytest.raises(ls.ProgramError, match="only names no formula of lstm backward; it has "):
        ls.prove(ls.lstm(), only=[])


def test_a_count_says_of_which_cell_it_is():
    statements = {p.name: p.statement for p in ls.theorems() if p.name.startswith("parameters of")}
    assert statements["parameters of lstm"] == "the number of parameters of the LSTM is 4m(n+m+1)"
    assert "the LSTM with f = 1 − i is 3m(n+m+1)" in statements["parameters of cifg"]
    assert len(set(statements.values())) == 4
