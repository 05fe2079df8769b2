"""The compiled Program against explicit elements, dtypes, and the tails of σ."""

import warnings

import numpy as np
import pytest
import sympy
from sympy.matrices.expressions.matexpr import MatrixElement

from lstm_spec.compute.compile import compile_program, run
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.operators import apply
from lstm_spec.write.source import SourceError, source
from tests.tables import OPTIONS, cube, random_case


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_one_step_equals_the_equations_written_out_element_by_element(options):
    cell = lstm(**options)
    params, x, states = random_case(cell, n=2, m=3, T=1, B=1, seed=3)
    got = compile_program(cell)(params, x[0], *states)
    sizes = dict(zip(cell.sizes, (2, 3), strict=True))
    values = {name: a.reshape(-1, 1) if a.ndim == 1 else a for name, a in params.items()}
    given = [s.name for s in cell.leaves if s not in cell.parameters]
    values |= {name: a.T for name, a in zip(given, (x[0], *states), strict=True)}
    for equation in cell:
        explicit = equation.expression.subs(sizes).as_explicit()
        entries = {e: values[e.parent.name][int(e.i), int(e.j)] for e in explicit.atoms(MatrixElement)}
        numbers = explicit.xreplace(entries).applyfunc(lambda v: v.doit().evalf(25))
        values[equation.name] = np.array(numbers.tolist(), dtype=float)
    for name, value in zip(cell.outputs, got, strict=True):
        np.testing.assert_allclose(value.T, values[name], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", "complex128"])
def test_the_dtype_of_the_arguments_is_kept(dtype):
    for options in OPTIONS:
        cell = lstm(**options)
        params, x, states = random_case(cell, n=2, m=3, T=2, B=2, seed=1)
        cast = {name: a.astype(dtype) for name, a in params.items()}
        outputs = run(cell, cast, x.astype(dtype), *(s.astype(dtype) for s in states))
        assert {str(o.dtype) for o in outputs} == {str(np.dtype(dtype))}, options


def test_sigma_neither_overflows_nor_loses_its_left_tail():
    cell = lstm(concat=None, biases=0)
    one, zero = np.ones((1, 1)), np.zeros((1, 1))
    params = {name: one if name.startswith("W") else zero for name in cell.dimensions(n=1, m=1)}
    sigma = compile_program(cell, ("f",))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for a in (-1000.0, -700.0, -40.0, -1.0, 0.0, 3.0, 1000.0):
            got = sigma(params, np.array([[a]]), zero, zero)[0, 0]
            assert got == pytest.approx(float(1 / (1 + sympy.exp(-sympy.Float(a, 30)))), rel=1e-15, abs=5e-324)


def test_leading_rows_are_independent():
    cell = lstm(peepholes="fio")
    params, x, states = random_case(cell, n=4, m=3, T=3, B=5, seed=2)
    whole = run(cell, params, x, *states)
    for row in range(5):
        alone = run(cell, params, x[:, [row]], *(s[[row]] for s in states))
        np.testing.assert_allclose(alone[0], whole[0][:, [row]], rtol=1e-13)


def test_the_source_is_stable_and_runs_alone():
    text = source(lstm())
    assert text == source(lstm())
    namespace = {}
    exec(text, namespace)
    params, x, states = random_case(lstm(), n=2, m=3, T=1, B=2, seed=0)
    for got, wanted in zip(
        namespace["step"](params, x[0], *states), compile_program(lstm())(params, x[0], *states), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)


def test_an_expression_without_a_form_is_refused():
    cell = lstm()
    strange = cell.with_equation("f", apply(cube, cell.symbols["a_f"]))
    with pytest.raises(SourceError, match=r"the function cube has no form in numpy source, in f = cube\(a_f\)"):
        source(strange)
