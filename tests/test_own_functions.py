"""Functions that people write for a cell of their own: what works does everywhere, and the rest is refused at once."""

import numpy as np
import pytest
import sympy
from click.testing import CliRunner
from sympy import (
    Abs,
    Function,
    Heaviside,
    Integer,
    Lambda,
    Max,
    Min,
    Piecewise,
    Rational,
    atan,
    cosh,
    erf,
    exp,
    floor,
    gamma,
    log,
    nan,
    oo,
    pi,
    sign,
    sin,
    sinh,
    sqrt,
    symbols,
    tan,
    tanh,
)

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.compute.complex_step import complex_step
from lstm_spec.compute.gradients import gradients
from lstm_spec.spec.elementwise import FunctionError, elementwise
from lstm_spec.spec.functions import sigmoid
from lstm_spec.spec.operators import add, apply, matmul, matrix, scale, size, vector
from lstm_spec.spec.program import constant
from tests.tables import random_case

n, m = size("n"), size("m")
x, h_prev, h, a = vector("x", n), vector("h_prev", m), vector("h", m), vector("a", m)
W, R, b = matrix("W", m, n), matrix("R", m, m), vector("b", m)
s, t, k = symbols("s t k")

GELU = Lambda(s, s * (1 + erf(s / sqrt(2))) / 2)
FUNCTIONS = {
    "gelu": (GELU, "h = (1/2) a∘(erf((1/2) √(2) a) + 1)"),
    "gelu by tanh": (Lambda(s, s * (1 + tanh(sqrt(2 / pi) * (s + 0.044715 * s**3))) / 2), "0.044715 a³"),
    "silu": (Lambda(s, s * sigmoid(s)), "h = a∘σ(a)"),
    "silu by exp": (Lambda(s, s / (1 + exp(-s))), "h = a/(1 + exp(−a))"),
    "mish": (Lambda(s, s * tanh(log(1 + exp(s)))), "h = a∘tanh(log(exp(a) + 1))"),
    "sin": (sin, "h = sin(a)"),
    "tan": (Lambda(s, tan(s / 10)), "h = sin((1/10) a)/cos((1/10) a)"),
    "atan": (atan, "h = atan(a)"),
    "sinh": (Lambda(s, sinh(s / 4)), "exp((1/4) a)"),
    "cosh": (Lambda(s, cosh(s / 4)), "exp((1/4) a)"),
    "abs": (Lambda(s, Abs(s)), "h = |a|"),
    "relu": (Lambda(s, Max(0, s)), "h = max(a, 0)"),
    "leaky": (Lambda(s, Max(s, 0.1 * s)), "h = max((1/10) a, a)"),
    "clipped": (Lambda(s, Max(-1, Min(1, s))), "h = max(min(a, 1), −1)"),
    "elu": (Lambda(s, Max(s, 0) + exp(Min(s, 0)) - 1), "h = exp(min(a, 0)) + max(a, 0) − 1"),
    "sign": (Lambda(s, sign(s)), "h = −step(−a) + step(a)"),
    "gated by its sign": (Lambda(s, s * Heaviside(s)), "step(a)"),
    "a tenth": (Lambda(s, 0.1 * s), "h = (1/10) a"),
    "root": (Lambda(s, s / sqrt(1 + s**2)), "h = a/√(a² + 1)"),
}


def own(function, **options):
    equations = [(a, add(matmul(W, x), matmul(R, h_prev), b)), (h, apply(function, a))]
    return ls.define_cell("own", inputs=x, states=[(h_prev, h)], equations=equations, **options)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_reads_as_it_was_meant_and_its_gradients_are_proved(name):
    function, wanted = FUNCTIONS[name]
    cell = own(function)
    assert wanted in str(cell["h"])
    assert {proof.status for proof in ls.prove(cell)} == {"proved"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_its_numbers_are_those_of_the_formula(name):
    function, _ = FUNCTIONS[name]
    read = elementwise(function)
    given = function if isinstance(function, Lambda) else Lambda(s, function(s))
    for at in (Rational(-17, 10), Rational(3, 7), Rational(9, 4)):
        assert abs(read(at).doit().evalf(40) - given(at).evalf(40)) < 1e-14
    cell = own(function)
    params, x_, states = random_case(cell, T=3, B=2, seed=0)
    a_ = x_[0] @ params["W"].T + states[0] @ params["R"].T + params["b"]
    wanted = [[float(given(sympy.Float(v, 40))) for v in row] for row in a_]
    np.testing.assert_allclose(ls.run(cell, params, x_, *states)[0][0], wanted, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_its_gradients_are_those_of_the_complex_step(name):
    cell = own(FUNCTIONS[name][0])
    rng = np.random.default_rng(0)
    case = (*random_case(cell, T=3, B=2, seed=0), rng.standard_normal((3, 2, 3)), (rng.standard_normal((2, 3)),))
    got, wanted = gradients(cell, *case), complex_step(cell, *case)
    for key, value in wanted.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_its_error_in_float32_is_within_the_bound_and_the_bound_is_small(name):
    cell = own(FUNCTIONS[name][0])
    params, x_, states = random_case(cell, T=3, B=2, seed=0)
    params, x_ = {name: p.astype("f4") for name, p in params.items()}, x_.astype("f4")
    states = tuple(state.astype("f4") for state in states)
    y = ls.run(cell, params, x_, *states)[0]
    assert y.dtype == np.float32
    bound = ls.error_bound(cell, params, x_, *states, y=y, dtype="float32")["y"]
    assert np.all(np.abs(y - bound.value) <= bound.error)
    assert np.median(bound.error) < 1e-5


@pytest.mark.parametrize("form", ["latex", "markdown", "mathml", "numpy", "torch", "jax"])
def test_it_is_written_in_every_form(form):
    for function, _ in FUNCTIONS.values():
        assert ls.write(own(function), format=form)


def test_gelu_is_verified():
    report = ls.verify(ls.runner(own(GELU)), profile="quick", checks=("signature", "step", "gradient_step"))
    assert report.verdict == "verified"


REFUSED = (
    (Lambda((s, t), s + t), "s + t is a function of 2 arguments (s and t), but is applied to 1"),
    (Lambda(s, s * nan), "nan is no number that a function can be made of"),
    (Lambda(s, s + oo), "oo is no number that a function can be made of"),
    (Lambda(s, sympy.I * s), "I is no number that a function can be made of"),
    (Function("foo"), "foo is a name without a definition"),
    (Lambda(s, s > 0), "s > 0 is a condition and no number"),
    (Lambda(s, Integer(0)), "0 does not read its argument s: it is a constant and no function"),
    (Lambda(s, floor(s)), "floor in floor(s) has no rules here; a function is made of numbers, sums, products,"),
    (Lambda(s, Piecewise((s, s > 0), (0, True))), "Piecewise in Piecewise((s, s > 0), (0, True)) has no rules here"),
    (gamma, "gamma in gamma(s) has no rules here"),
    (Lambda(s, 2**s), "2**s is no whole or half power; exp(s*log(2)) says the same where it is one"),
    (Lambda(s, s ** Rational(1, 3)), "s**(1/3) is no whole or half power"),
    (Lambda(t, sympy.Symbol("s", real=True) * t), "the constant s in s*t has the name of an argument: rename it"),
    (sympy.Integer, "Integer cannot be applied to 1 argument alone"),
    ("gelu", 'there is no activation "gelu"; the ones by name are sigmoid, tanh,'),
)


@pytest.mark.parametrize(("function", "sentence"), REFUSED, ids=lambda value: str(value)[:30])
def test_what_is_no_function_is_refused_where_it_is_applied(function, sentence):
    with pytest.raises(FunctionError) as caught:
        own(function)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_a_scalar_without_a_value_is_refused():
    with pytest.raises(ls.ProgramError, match=r"^own: k in h = k∘a has no value: put constant\('k', …\) into c"):
        own(Lambda(s, k * s))
    with pytest.raises(ls.ProgramError, match="write the symbol that it returns"):
        own(Lambda(s, k * s), constants=[constant("k", 0.5)])
    with pytest.raises(ls.ProgramError, match="own: k in h = k a has no value"):
        ls.define_cell(
            "own",
            inputs=x,
            states=[(h_prev, h)],
            equations=[(a, add(matmul(W, x), matmul(R, h_prev), b)), (h, scale(k, a))],
        )
    named, value = constant("k", 0.5)
    assert str(own(Lambda(s, named * s), constants=[(named, value)])["h"]) == "h = k∘a"


def test_a_file_with_such_a_cell_ends_in_a_sentence_and_not_in_a_discrepancy(tmp_path, monkeypatch):
    lines = (
        "from sympy import *",
        "import lstm_spec as ls",
        "from lstm_spec.spec.operators import *",
        's, k = symbols("s k")',
        'x, h_prev, h = vector("x", size("n")), vector("h_prev", size("m")), vector("h", size("m"))',
        'a = add(matmul(matrix("W", size("m"), size("n")), x), h_prev)',
        'cell = ls.define_cell("c", inputs=x, states=[(h_prev, h)], equations=[(h, apply(Lambda(s, k * s), a))])',
    )
    (tmp_path / "mine.py").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for arguments in (["show", "mine.py:cell"], ["verify", "numpy", "--spec", "mine.py:cell"]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert "k in h = k∘(W x + h') has no value" in result.stderr
