"""The how-to for a cell of one's own, run as it is printed; and what is said where such a cell is wrong."""

import re
from pathlib import Path

import numpy as np
import pytest
import sympy
from click.testing import CliRunner
from sympy import Lambda, Symbol

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.compute.complex_step import complex_step
from lstm_spec.compute.gradients import gradients
from lstm_spec.spec import functions, operators
from lstm_spec.spec.define import define_cell
from lstm_spec.spec.equation import ProgramError
from lstm_spec.spec.functions import SLOTS, sigmoid
from lstm_spec.spec.operators import add, apply, concat, hadamard, matmul, matrix, scale, size, vector
from lstm_spec.spec.program import constant
from tests.tables import cube, random_case

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "your-own-cell.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
DEFINITION, PRINTING, TARGET, GELU, MIXED = (body for kind, body in BLOCKS if kind == "python")
MISTAKE, BACKWARD = (body for kind, body in BLOCKS if kind == "text")
SHOW, VERIFY = (body.removeprefix("$ lstm-spec ").split() for kind, body in BLOCKS if kind == "console")

n, m = size("n"), size("m")
x, h_prev, h, a = vector("x", n), vector("h_prev", m), vector("h", m), vector("a", m)
W, R, b = matrix("W", m, n), matrix("R", m, m), vector("b", m)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "leaky.py").write_text(DEFINITION + "\n\n" + TARGET, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_backward_pass_is_the_one_printed(capsys):
    exec(DEFINITION + PRINTING, {})
    assert capsys.readouterr().out == BACKWARD


def test_its_mistake_is_the_one_printed():
    wrong = DEFINITION.replace('matrix("W", m, n)', 'matrix("W", n, n)')
    assert wrong != DEFINITION
    with pytest.raises(ls.DimensionError) as error:
        exec(wrong, {})
    assert str(error.value) == MISTAKE.strip()


def test_show_and_verify_take_it(folder):
    shown = CliRunner().invoke(main, SHOW)
    assert shown.exit_code == 0, shown.output
    assert "Parameters: m(n+m+1) = 7,210" in shown.output
    verified = CliRunner().invoke(main, VERIFY)
    assert verified.exit_code == 0, verified.output
    assert "VERIFIED" in verified.output


def test_verify_sees_a_fault_in_an_implementation_of_it(folder):
    (folder / "leaky.py").write_text((DEFINITION + TARGET).replace("0.75 * h", "0.7501 * h"), encoding="utf-8")
    assert CliRunner().invoke(main, VERIFY).exit_code == 1


def test_its_other_functions_and_constants_are_as_printed():
    namespace = {}
    exec(DEFINITION + GELU + MIXED, namespace)
    assert ls.write(namespace["mixed"], format="text").splitlines()[1] == "h = (1 − α) h' + α tanh(a)"
    gelu = own(namespace["gelu"])
    assert str(gelu["h"]) == "h = (1/2) a∘(erf((1/2) √(2) a) + 1)"
    assert {proof.status for proof in ls.prove(gelu)} == {"proved"}


def test_every_function_that_the_page_lists_is_taken():
    listed = re.findall(r"^- (.*?)(?=^- |^$)", PAGE, flags=re.DOTALL | re.MULTILINE)
    names = [name for item in listed for name in re.findall(r"`(\w+)`", item)]
    assert len(names) > 15
    for name in names:
        function = getattr(functions, name, None) or getattr(sympy, name)
        if name == "clip":
            function = Lambda(SLOTS[0], function(SLOTS[0], -1, 1))
        elif name == "pi":
            function = Lambda(SLOTS[0], sympy.pi * SLOTS[0])
        elif not isinstance(function, type):
            function = Lambda(SLOTS[0], function(SLOTS[0]))
        assert own(apply(function, a)).equations


def test_every_operator_that_the_page_lists_is_there():
    rows = re.findall(r"^\| (`.*?`) \|", PAGE, flags=re.MULTILINE)
    names = set(re.findall(r"`(\w+)\(", " ".join(rows)))
    offered = {
        name for name, value in vars(operators).items() if getattr(value, "__module__", "") == operators.__name__
    }
    assert offered - {"Elementwise", "affine", "parts_of", "row_scaled", "as_row_scaled"} == names


def test_prove_takes_it():
    namespace = {}
    exec(DEFINITION, namespace)
    assert {proof.status for proof in ls.prove(namespace["cell"])} == {"proved"}


def own(expression, **options):
    states = options.pop("states", [(h_prev, h)])
    equations = [(a, add(matmul(W, x), matmul(R, h_prev), b)), (h, expression)]
    return define_cell("own", inputs=x, states=states, equations=equations, **options)


def test_an_activation_may_be_a_formula():
    s = Symbol("s", real=True)
    cell = own(apply(Lambda((s,), s * sigmoid(s) - s**2 / 7), a))
    case = random_case(cell, T=3, B=2, seed=0)
    rng = np.random.default_rng(0)
    case = (*case, rng.standard_normal((3, 2, 3)), (rng.standard_normal((2, 3)),))
    got, wanted = gradients(cell, *case), complex_step(cell, *case)
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-12)


def test_a_constant_has_a_name_and_a_value():
    alpha, value = constant("alpha", 0.1)
    cell = own(add(scale(1 - alpha, h_prev), scale(alpha, apply("tanh", a))), constants=[(alpha, value)])
    assert str(cell["h"]) == "h = (1 − α) h' + α tanh(a)"
    assert "alpha = 0.1" in ls.write(cell, format="numpy")


def test_a_function_without_a_rule_is_refused_where_one_is_needed():
    cell = own(apply(cube, a))
    assert "cube" in str(cell["h"])
    params, x_, states = random_case(cell, T=1, B=1, seed=0)
    with pytest.raises(ValueError, match="the function cube has no rule for its rounding error"):
        ls.error_bound(cell, params, x_, *states, y=np.zeros((1, 1, 3)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: own(apply("tanh", a), states=[]), "own: a cell needs at least one state, a pair such as"),
        (lambda: own(apply("tanh", vector("a", n))), "a has two shapes, n in h = tanh\\(a\\) and m elsewhere"),
        (
            lambda: define_cell("own", inputs=x, states=[], equations=[a]),
            "an equation is a pair \\(symbol, expression\\)",
        ),
        (
            lambda: define_cell("own", inputs=x, states=[], equations=[("a", a)]),
            "the left side of an equation is a vector or a matrix, got 'a'",
        ),
        (lambda: own(concat(a, a)), "h has m rows but \\[a; a\\] has 2m rows, which no sizes satisfy"),
        (lambda: own(hadamard(a, x)), "a has m rows but x has n rows, which holds only if n = m, in h = a∘x"),
    ],
)
def test_what_makes_no_cell_is_refused_in_a_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_fixed_is_a_parameter_that_does_not_count():
    equations = [(a, add(matmul(W, x), matmul(R, h_prev), b)), (h, apply("tanh", a))]
    cell = define_cell("own", inputs=x, states=[(h_prev, h)], equations=equations, fixed=["b"])
    assert cell.parameter_count(n=2, m=3) == 3 * (2 + 3)
    assert cell.dimensions(n=2, m=3)["b"] == (3,)
    with pytest.raises(ProgramError, match="own: fixed names parameters of the cell, but c is none"):
        define_cell("own", inputs=x, states=[(h_prev, h)], equations=equations, fixed=["b", "c"])
