"""Every elementwise function: its derivative, its definition, its NumPy form, and its error rule, by what they mean."""

import numpy as np
import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st
from sympy import Float, Lambda, Rational, Symbol

from lstm_spec.compute.accuracy import AccuracyError, accuracy
from lstm_spec.compute.compile import compile_program
from lstm_spec.compute.curves import CURVES
from lstm_spec.compute.recipe import Environment, evaluate, recipe
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.elementwise import ACTIVATIONS, elementwise
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.functions import (
    SLOTS,
    Defined,
    clip,
    elu,
    hard_sigmoid,
    leaky_relu,
    magnitude,
    step,
    thresholded_relu,
)
from lstm_spec.spec.functions import maximum as larger
from lstm_spec.spec.functions import minimum as smaller
from lstm_spec.spec.functions import quotient as ratio
from lstm_spec.spec.operators import apply, vector
from lstm_spec.spec.program import Program
from tests.tables import cube

s, t = SLOTS
CLIP = Lambda((s,), clip(s, Rational(-3, 2), 2))
STEEP = {
    "elu with α = 3": Lambda((s,), elu(s, 3)),
    "leaky_relu with α = 2": Lambda((s,), leaky_relu(s, 2)),
    "leaky_relu with α = −1/2": Lambda((s,), leaky_relu(s, Rational(-1, 2))),
    "thresholded_relu at −1/2": Lambda((s,), thresholded_relu(s, Rational(-1, 2))),
}
ASKEW = Lambda((s,), hard_sigmoid(s, Rational(1, 3), Rational(1, 5)))
ONE = {
    **ACTIVATIONS,
    "magnitude": elementwise(magnitude),
    "step": elementwise(step),
    "clip": CLIP,
    "askew": ASKEW,
    **{f.__name__: elementwise(f) for f in (sympy.sin, sympy.cos, sympy.atan, sympy.erf)},
    **STEEP,
}
"""Every function of one argument by name, some with constants."""

KINKS = {
    "relu": (0,),
    "leaky_relu": (0,),
    "thresholded_relu": (1,),
    "magnitude": (0,),
    "step": (0,),
    "softsign": (0,),
    "hard_sigmoid": (-3, 3),
    "hard_sigmoid_onnx": (Rational(-5, 2), Rational(5, 2)),
    "clip": (Rational(-3, 2), 2),
    "askew": (Rational(-3, 5), Rational(12, 5)),
}
POSITIVE = ("log",)


def exact(name, at):
    """Return a function at a number by its definition, in so many digits that 1 + exp(−700) is not 1."""
    return ONE[name](Rational(at)).doit().evalf(400)


def points(name):
    """Rational numbers from almost nothing to far out in the tails, both signs, none at a kink."""
    magnitudes = [Rational(1, 10**6), Rational(1, 7), Rational(2, 3), Rational(9, 5), Rational(31, 10), 11, 45, 700]
    signed = [p for m in magnitudes for p in (m, -m)]
    return [p for p in signed if (p > 0 or name not in POSITIVE) and p not in KINKS.get(name, ())]


@pytest.mark.parametrize("name", ONE)
def test_the_derivative_is_that_of_the_function(name):
    derivative = Lambda((s,), ONE[name].expr.diff(s))
    step_size = Rational(1, 10**25)
    for at in points(name):
        difference = ONE[name](at + step_size).doit() - ONE[name](at - step_size).doit()
        numeric = (difference / (2 * step_size)).evalf(80)
        stated = derivative(at).doit().evalf(80)
        assert abs(numeric - stated) < 1e-20 * (1 + abs(stated)), at


@pytest.mark.parametrize("argument", [1, 2])
@pytest.mark.parametrize("function", [ratio, larger, smaller])
def test_the_derivatives_of_a_function_of_two_arguments(function, argument):
    derivative = Lambda((s, t), function(s, t).diff(SLOTS[argument - 1]))
    step_size = Rational(1, 10**25)
    for at in ((Rational(1, 3), 2), (5, Rational(-7, 4)), (-6, Rational(1, 9)), (-2, -3)):
        moved = [(*at[: argument - 1], at[argument - 1] + e, *at[argument:]) for e in (step_size, -step_size)]
        numeric = ((function(*moved[0]).doit() - function(*moved[1]).doit()) / (2 * step_size)).evalf(80)
        assert abs(numeric - derivative(*at).doit().evalf(80)) < 1e-18, at


AT_THE_KINK = (
    (ONE["relu"], 0, 0),
    (ONE["magnitude"], 0, -1),
    (ONE["hard_sigmoid"], 3, Rational(1, 6)),
    (ONE["hard_sigmoid"], -3, 0),
    (CLIP, 2, 1),
    (CLIP, Rational(-3, 2), 0),
)


@pytest.mark.parametrize(("function", "at", "slope"), AT_THE_KINK, ids=str)
def test_the_derivative_at_a_kink_is_one_of_the_two(function, at, slope):
    assert Lambda((s,), function.expr.diff(s))(at).doit() == slope


def test_a_function_of_two_equal_arguments_gives_its_derivative_to_the_second():
    assert larger(s, t).diff(s).subs({s: 1, t: 1}).doit() == 0
    assert larger(s, t).diff(t).subs({s: 1, t: 1}).doit() == 1


@pytest.mark.parametrize("name", [n for n in ONE if isinstance(ONE[n].expr, Defined)])
def test_a_function_stays_as_written_until_it_is_asked(name):
    application = ONE[name](Rational(1, 3))
    assert isinstance(application, Defined)
    assert application.doit() == application.definition(*application.args)
    assert abs(application.evalf(30) - application.doit().evalf(30)) < 1e-29
    assert application.is_extended_real
    assert not application.rewrite(sympy.exp).has(Defined)


def test_a_derivative_in_the_functions_own_output():
    sigma = ACTIVATIONS["sigmoid"].expr
    assert sigma.diff(s) == sigma * (1 - sigma)
    assert ratio(s, t).diff(t) == -ratio(s, t) / t
    with pytest.raises(sympy.core.function.ArgumentIndexError):
        ratio(s, t).fdiff(3)


def bounded(function, centre, width, contract):
    """Return what the error rule gives for one argument with an error."""
    known = Environment({"x": Bounded(np.array([[centre]]), np.array([[width]]))})
    with np.errstate(all="ignore"):
        evaluate(recipe(program_of(function).definitions, frozenset()), known, contract)
    return known.values["y"]


def program_of(function, arguments=1):
    """Return a Program whose only equation applies a function."""
    given_values = tuple(vector(name, 1) for name in ("x", "w")[:arguments])
    y = vector("y", 1)
    return Program("one", given_values, (), (), (Equation(y, apply(function, *given_values)),), ("y",))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ONE)
def test_the_numpy_form_agrees_with_the_definition_into_the_tails(name):
    compute = compile_program(program_of(ONE[name]))
    for at in points(name):
        number = float(at)
        wanted = exact(name, number)
        got = compute({}, np.array([[number]]))[0, 0]
        error = abs(Float(float(got), 400) - wanted)
        assert error <= 4e-16 * max(abs(wanted), 1e-300) + (2e-16 if "sigmoid_" in name or name == "askew" else 0), at


@pytest.mark.parametrize(("function", "compute"), [(ratio, np.divide), (larger, np.maximum), (smaller, np.minimum)])
def test_the_numpy_form_of_a_function_of_two_arguments(function, compute):
    first, second = np.array([[3.0], [-2.0]]), np.array([[7.0], [-5.0]])
    got = compile_program(program_of(function, 2))({}, first, second)
    np.testing.assert_array_equal(got, compute(first, second))


def test_an_activation_is_a_name_a_function_or_a_lambda():
    assert elementwise("tanh") == elementwise(sympy.tanh) == ACTIVATIONS["tanh"]
    own = Lambda((s,), s**3)
    assert elementwise(own) == own
    with pytest.raises(ValueError, match='there is no activation "swish"; the ones by name are sigmoid, tanh,'):
        elementwise("swish")
    with pytest.raises(ValueError, match="an activation is a name, a SymPy Function or a Lambda, got 3"):
        elementwise(3)


# The error rules.

# The laws below hold on the whole line; the logarithm has a half-line, what jumps no slope there.
CURVED = {
    name: function
    for name, function in ONE.items()
    if function.expr.func.__name__ in CURVES.keys() - {"log", "step", "thresholded_relu"}
}
NAMES = st.sampled_from(sorted(CURVED))
numbers = st.floats(-60, 60) | st.floats(-3.5, 3.5) | st.sampled_from([-3.0, 0.0, 2.0, 3.0, -1.5, 2.5, -0.6, 2.4])
widths = st.floats(0, 4) | st.floats(0, 1e-3)


def curve_of(name):
    application = CURVED[name].expr
    return CURVES[application.func.__name__](*(float(a) for a in application.args[1:]))


def float_function(name):
    """Return f as a NumPy function, from its definition."""
    compute = compile_program(program_of(CURVED[name]))
    return lambda at: compute({}, np.asarray(at, float).reshape(-1, 1))[:, 0]


@given(NAMES, numbers, widths)
def test_the_slope_of_a_curve_is_at_least_that_of_the_function_all_over_an_interval(name, centre, width):
    curve = curve_of(name)
    nearest = np.clip(curve.steepest, centre - width, centre + width)
    largest = curve.slope(np.asarray(nearest))
    derivative = Lambda((s,), CURVED[name].expr.diff(s))
    for at in np.linspace(centre - width, centre + width, 9):
        assert abs(float(derivative(Float(at, 60)).doit())) <= largest * (1 + 1e-12) + 1e-300, at


@given(NAMES, numbers, widths, st.floats(-1, 1), st.sampled_from(["float64", "float32", "float16"]))
def test_an_argument_within_its_error_gives_a_value_within_its_error(name, centre, width, share, dtype):
    """What the rule is for: no admissible argument leads out of the bound, even with a function without error."""
    y = bounded(CURVED[name], centre, width, accuracy(dtype))
    there = centre + share * width
    assume(abs(there - centre) <= width)
    moved = float_function(name)([there])[0]
    assert abs(moved - y.value[0, 0]) <= y.errors[0, 0]


@given(NAMES, numbers, st.floats(0, 60))
def test_the_width_of_a_curve_is_that_of_its_range(name, first, distance):
    low, high = float_function(name)([first, first + distance])
    assert abs(high - low) <= curve_of(name).width


@pytest.mark.parametrize("name", [n for n in CURVED if np.isfinite(curve_of(n).width) and n not in ("sin", "cos")])
def test_the_width_of_a_curve_is_reached(name):
    low, high = float_function(name)([-1e30, 1e30])
    assert abs(high - low) == pytest.approx(curve_of(name).width)


@given(NAMES, numbers, numbers)
def test_a_curve_is_steepest_where_it_says_and_falls_away_from_there(name, first, second):
    curve = curve_of(name)
    peak = curve.steepest
    near, far = sorted((first, second), key=lambda a: abs(a - peak) if np.isfinite(peak) else -np.sign(peak) * a)
    assume((near - curve.steepest) * (far - curve.steepest) >= 0)
    assert curve.slope(np.asarray(near)) >= curve.slope(np.asarray(far)) * (1 - 1e-12)


@given(NAMES, numbers)
def test_the_value_of_a_curve_is_that_of_the_function(name, at):
    got, wanted = curve_of(name).value(np.asarray(at)), float_function(name)([at])[0]
    assert abs(got - wanted) <= 4e-16 * max(abs(wanted), 1)


def test_the_rule_for_even_slopes_would_be_wrong_for_an_exponential():
    """|f'| at the nearest point to 0 is too small for exp: 3 ± 0.1 moves it by 2.11, not by 1.82."""
    error = bounded("exp", 3.0, 0.1, accuracy("float64")).errors[0, 0]
    assert error >= np.exp(3.1) - np.exp(3.0) > 2.11 > 0.1 * np.exp(2.9)


@given(st.floats(1e-3, 60), st.floats(0, 1), st.floats(-1, 1))
def test_the_logarithm_keeps_within_its_error_on_its_half_line(centre, share, place):
    width = share * centre
    y = bounded("log", centre, width, accuracy("float32"))
    there = centre + place * width
    assume(there > 0)
    assert not abs(np.log(there) - y.value[0, 0]) > y.errors[0, 0]


@pytest.mark.parametrize(
    ("at", "error", "expected"), [(1.0, 0.5, 0.0), (-1.0, 0.5, 0.0), (0.3, 0.5, 1.0), (0.0, 1e-9, 1.0)]
)
def test_a_step_may_be_anything_from_0_to_1_near_its_jump(at, error, expected):
    assert bounded(elementwise(step), at, error, accuracy("float64")).errors[0, 0] == expected


@pytest.mark.parametrize(("at", "error", "expected"), [(2.0, 0.5, 0.5), (-1.0, 0.5, 0.0), (0.9, 0.5, np.inf)])
def test_nothing_is_said_of_a_value_near_its_jump(at, error, expected):
    assert bounded(ONE["thresholded_relu"], at, error, accuracy("float64")).errors[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_absolute_error_grows_with_the_numbers_that_the_value_is_the_difference_of(dtype):
    """α(exp(x) − 1) as it is usually computed has the rounding of α exp(x) and of α."""
    at = np.linspace(-2, -1e-4, 400).astype(dtype)
    steep = Lambda((s,), elu(s, 1000))
    usual = (np.asarray(1000, dtype) * np.exp(at)) - np.asarray(1000, dtype)
    bounds = [bounded(steep, float(a), 0.0, accuracy(dtype)) for a in at]
    assert all(abs(got - b.value[0, 0]) <= b.errors[0, 0] for got, b in zip(usual, bounds, strict=True))


def test_a_function_without_an_error_rule_is_refused():
    with pytest.raises(AccuracyError, match="the function cube has no rule for its rounding error, in "):
        recipe(program_of(cube).definitions, frozenset())


def test_a_function_that_the_contract_does_not_name_is_refused():
    from dataclasses import replace

    silent = replace(accuracy("float64"), functions={})
    with pytest.raises(
        AccuracyError, match="the accuracy contract for float64 says nothing of tanh; add it to functions"
    ):
        bounded("tanh", 0.0, 0.0, silent)


def test_every_curve_has_an_accuracy():
    assert set(CURVES) <= set(accuracy("float32").functions)


def test_symbols_of_a_lambda_do_not_leak():
    a = Symbol("a", real=True)
    assert apply(Lambda((a,), a**2), vector("x", 2)).free_symbols == vector("x", 2).free_symbols
