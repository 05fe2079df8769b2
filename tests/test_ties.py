"""A cell whose equations force n = m says which equation does, wherever sizes are given."""

import numpy as np
import pytest
from click.testing import CliRunner
from sympy import Rational

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.spec.operators import add, apply, matmul, matrix, scale, size, vector

WHY = {
    "mut1": "since R_h (r∘h') has m rows but tanh(x) has n rows, in a_h = R_h (r∘h') + tanh(x) + b_h",
    "mut2": "since x has n rows but R_r h' has m rows, in a_r = x + R_r h' + b_r",
    "sru": "since 1 − r has m rows but x has n rows, in h = (1 − r)∘x + r∘c",
}
GIVEN = {
    "dimensions": lambda cell: cell.dimensions(n=3, m=4),
    "parameter_count": lambda cell: cell.parameter_count(n=3, m=4),
    "dimension_table": lambda cell: ls.dimension_table(cell, n=3, m=4),
    "draw": lambda cell: ls.draw("cell", cell, n=3, m=4),
    "layers": lambda cell: ls.layers(cell, n=3, hidden=4),
    "sizes of layers": lambda cell: ls.layers(cell, count=2).dimensions(n=3, m=4),
    "unroll": lambda cell: ls.unroll(cell, 2).parameter_count(n=3, m=4),
    "backward": lambda cell: ls.backward(cell).dimensions(n=3, m=4),
}


@pytest.mark.parametrize("way", GIVEN)
@pytest.mark.parametrize("name", WHY)
def test_unequal_sizes_are_refused_with_the_equation_that_needs_them_equal(name, way):
    with pytest.raises(ls.DimensionError) as caught:
        GIVEN[way](ls.cell(name))
    message = str(caught.value)
    assert f"works only with n = m, {WHY[name]}; got n=3, m=4" in message
    assert name in message.partition(" works")[0]


@pytest.mark.parametrize("name", WHY)
def test_equal_sizes_are_taken_by_either_name_or_both(name):
    cell = ls.cell(name)
    assert cell.dimensions(n=4, m=4) == cell.dimensions(n=4) == cell.dimensions(m=4)
    assert ls.layers(name, n=4, hidden=4).parameter_count() == cell.parameter_count(n=4, m=4)


@pytest.mark.parametrize("command", [["show"], ["draw", "cell"]])
def test_commands_say_it(command):
    refused = CliRunner().invoke(main, [*command, "mut1", "-n", "3", "-m", "4"])
    assert refused.exit_code == 2
    assert refused.stderr == f"lstm-spec: mut1 works only with n = m, {WHY['mut1']}; got n=3, m=4\n"
    assert CliRunner().invoke(main, [*command, "mut1", "-n", "4", "-m", "4"]).exit_code == 0


def test_show_says_why_without_being_asked():
    assert f"Sizes: mut1 works only with n = m, {WHY['mut1']}\n" in CliRunner().invoke(main, ["show", "mut1"]).stdout
    assert "works only" not in CliRunner().invoke(main, ["show", "mut3"]).stdout


@pytest.mark.parametrize(
    ("shapes", "got"),
    [
        ({"x": (5, 2, 3), "h0": (2, 4)}, "n=3 from x, m=4 from h0"),
        ({"W_u": (4, 3)}, "n=3 from W_u, m=4 from W_u"),
        ({"b_u": (4,), "x": (3,)}, "n=3 from x, m=4 from b_u"),
    ],
)
def test_arrays_that_agree_but_for_the_tie(shapes, got):
    with pytest.raises(ls.DimensionError) as caught:
        ls.infer_dimensions(ls.cell("mut1"), shapes)
    assert str(caught.value) == f"mut1 works only with n = m, {WHY['mut1']}; got {got}"


def test_an_array_that_is_wrong_beside_a_tie_is_still_the_one_that_is_named():
    shapes = {"x": (5, 2, 4), "h0": (2, 4), "W_r": (4, 3)}
    with pytest.raises(ls.DimensionError, match=r"^W_r is 4×3 but x has 4 rows"):
        ls.infer_dimensions(ls.cell("mut1"), shapes)


def test_a_layer_above_that_is_fed_too_much_says_why_too():
    with pytest.raises(ls.DimensionError, match=r"^sru in l1 works only with n = m, since .*; got n=2m, m=m$"):
        ls.layers("sru", count=2, bidirectional=True)


def test_a_cell_of_ones_own_finds_its_reason_by_itself():
    n, m = size("n"), size("m")
    x, h_prev, a, h = vector("x", n), vector("h_prev", m), vector("a", m), vector("h", m)
    R = matrix("R", m, m)
    equations = [(a, matmul(R, h_prev)), (h, add(scale(Rational(1, 2), x), apply("tanh", a)))]
    with pytest.raises(ls.DimensionError, match="which holds only if n = m"):
        ls.define_cell("own", inputs=x, states=[(h_prev, h)], equations=equations)
    own = ls.define_cell("own", inputs=x, states=[(h_prev, h)], equations=equations, same={"n": "m"})
    with pytest.raises(
        ls.DimensionError, match=r"^own works only with n = m, since \(1/2\) x has n rows but tanh\(a\)"
    ):
        own.dimensions(n=2, m=3)
    y, _ = ls.runner(own).forward({"R": np.eye(2)}, np.ones((1, 1, 2)), np.zeros((1, 2)))
    assert y.tolist() == [[[0.5, 0.5]]]
