"""The unit view: scalar equations that say the same as the matrices, and what a unit reads."""

import numpy as np
import pytest
from sympy import Eq, Integer, Symbol
from sympy.matrices.expressions.matexpr import MatrixElement

from lstm_spec.compute.compile import compile_program
from lstm_spec.spec.catalogue import cell as catalogue_cell
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.elements import UNIT, element, unit_view
from lstm_spec.spec.operators import (
    add,
    concat,
    eye,
    hadamard,
    matmul,
    matrix,
    ones,
    rows,
    scale,
    size,
    transpose,
    vector,
    zeros,
)
from tests.tables import OPTIONS, plain_rnn, random_case

n, m = size("n"), size("m")
SIZES = {"n": 2, "m": 3}


def numbers_of(expression, values, sizes):
    """Evaluate a scalar expression: sizes and sums written out, entries taken from arrays of columns."""
    explicit = expression.subs(sizes).doit()
    return float(
        explicit.xreplace({e: values[e.parent.name][int(e.i), int(e.j)] for e in explicit.atoms(MatrixElement)})
    )


CELLS = {str(options): lstm(**options) for options in OPTIONS} | {
    "rnn": plain_rnn(),
    "diagonal": plain_rnn(diagonal=True),
}


@pytest.mark.parametrize("key", CELLS)
def test_the_equations_of_all_units_together_are_one_step_of_the_cell(key):
    cell = CELLS[key]
    params, x, states = random_case(cell, **SIZES, T=1, B=1, seed=5)
    values = {name: a.reshape(len(a), -1) for name, a in params.items()}
    given = [s.name for s in cell.leaves if s not in cell.parameters]
    values |= {name: a.T for name, a in zip(given, (x[0], *states), strict=True)}
    sizes = {s: SIZES[s.name] for s in cell.sizes}
    for equation in unit_view(cell).equations:
        units = [numbers_of(equation.rhs.subs(UNIT, k), values, sizes) for k in range(SIZES["m"])]
        values[equation.lhs.parent.name] = np.array(units).reshape(-1, 1)
    step = compile_program(cell, cell.states)(params, x[0], *states)
    for name, got in zip(cell.states, step if isinstance(step, tuple) else (step,), strict=True):
        np.testing.assert_allclose(values[name], got.T, rtol=1e-13)


READS = (
    (lstm(), {"x": "all", "h_prev": "all", "c_prev": "own"}),
    (lstm(peepholes="fio"), {"x": "all", "h_prev": "all", "c_prev": "own"}),
    (lstm(concat=None, biases=0), {"x": "all", "h_prev": "all", "c_prev": "own"}),
    (catalogue_cell("cifg"), {"x": "all", "h_prev": "all", "c_prev": "own"}),
    (plain_rnn(), {"x": "all", "h_prev": "all"}),
    (plain_rnn(diagonal=True), {"x": "all", "h_prev": "own"}),
)


@pytest.mark.parametrize(("cell", "reads"), READS, ids=lambda value: getattr(value, "name", ""))
def test_what_one_unit_reads(cell, reads):
    assert unit_view(cell).reads == reads


@pytest.mark.parametrize(("cell", "reads"), READS, ids=lambda value: getattr(value, "name", ""))
def test_what_one_unit_reads_is_what_changes_it(cell, reads):
    """Nothing else: change one entry of a state or input and see which units notice."""
    params, x, states = random_case(cell, n=3, m=3, T=1, B=1, seed=7)
    step = compile_program(cell, cell.states)
    given = dict(zip(reads, (x[0], *states), strict=True))
    before = np.stack(np.atleast_2d(step(params, *given.values())))
    for name, how in reads.items():
        seen = set()
        for entry in range(3):
            moved = given[name].copy()
            moved[0, entry] += 0.5
            after = np.stack(np.atleast_2d(step(params, *{**given, name: moved}.values())))
            changed = np.nonzero((after != before).reshape(-1, 3).any(axis=0))[0]
            seen |= {(entry, int(unit)) for unit in changed}
        others = {(entry, unit) for entry, unit in seen if entry != unit}
        assert bool(others) == (how == "all"), f"{name} is said to be read {how}"


def test_the_sums_run_over_inputs_and_units_apart():
    a_f = unit_view(lstm()).equations[0]
    assert isinstance(a_f, Eq)
    assert str(a_f.rhs) == (
        "b_f[k, 0] + Sum(W_f[k, j]*x[j, 0], (j, 0, n - 1)) + Sum(W_f[k, j + n]*h_prev[j, 0], (j, 0, m - 1))"
    )
    assert "z" not in {e.lhs.parent.name for e in unit_view(lstm()).equations}


x, h, z = vector("x", n), vector("h", m), vector("z", n + m)
W, V = matrix("W", m, n + m), matrix("V", n, m)
EXPRESSIONS = {
    "a product of three": (matmul(V, W, z), lambda v: v["V"] @ v["W"] @ v["z"]),
    "a scaled product": (scale(-2, matmul(W, z)), lambda v: -2 * v["W"] @ v["z"]),
    "a product with a transpose": (matmul(transpose(W), h), lambda v: v["W"].T @ v["h"]),
    "an outer product": (matmul(h, transpose(z)), lambda v: v["h"] @ v["z"].T),
    "an inner product repeated": (
        matmul(ones(m), matmul(transpose(h), h)),
        lambda v: np.ones((3, 1)) * (v["h"].T @ v["h"]),
    ),
    "a slice": (rows(z, n, n + m), lambda v: v["z"][2:]),
    "a slice of a concatenation": (
        rows(concat(x, h), 1, n + 1),
        lambda v: np.concatenate([v["x"], v["h"]])[1:3],
    ),
    "a concatenation": (concat(h, x, h), lambda v: np.concatenate([v["h"], v["x"], v["h"]])),
    "constants": (add(matmul(eye(m), h), hadamard(ones(m), h), zeros(m)), lambda v: 2 * v["h"]),
}


@pytest.mark.parametrize("what", EXPRESSIONS)
def test_an_entry_is_that_of_the_whole_expression(what):
    expression, compute = EXPRESSIONS[what]
    sizes = {n: 2, m: 3}
    rng = np.random.default_rng(1)
    shapes = {s.name: tuple(int(side.subs(sizes)) for side in s.shape) for s in (x, h, z, W, V)}
    values = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    whole = compute(values)
    for i, j in np.ndindex(whole.shape):
        got = numbers_of(element(expression, Integer(i), Integer(j)), values, sizes)
        assert got == pytest.approx(whole[i, j], rel=1e-14)


def test_sums_deeper_than_their_index_symbols_are_refused():
    chain = matmul(*[transpose(W), W] * 4, z)
    with pytest.raises(ValueError, match="sums nest deeper than there are index symbols; pass more as bound="):
        element(chain, UNIT)
    assert element(chain, UNIT, bound=tuple(Symbol(f"j_{k}", integer=True) for k in range(8)))


def test_an_operator_without_a_rule_is_refused():
    from sympy import Inverse

    with pytest.raises(ValueError, match=r"M\*\*\(-1\) \(Inverse\) has no rule for its elements"):
        element(Inverse(matrix("M", m, m)), UNIT)
