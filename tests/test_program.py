"""A Program is checked when it is made; what it says of its sizes; terms stay as they were written."""

import numpy as np
import pytest
from sympy import solve

from lstm_spec.compute.compile import compile_program
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.equation import Equation, ProgramError
from lstm_spec.spec.operators import (
    add,
    apply,
    concat,
    hadamard,
    matmul,
    matrix,
    ones,
    size,
    subtract,
    transpose,
    vector,
)
from lstm_spec.spec.program import Program, check_cell
from tests.tables import OPTIONS, plain_rnn

n, m = size("n"), size("m")
x, h_prev, h, a, z = vector("x", n), vector("h_prev", m), vector("h", m), vector("a", m), vector("z", n + m)
W = matrix("W", m, n + m)
Z, A, H = (z, concat(x, h_prev)), (a, matmul(W, z)), (h, apply("tanh", a))


def toy(*definitions, **changes):
    """Return a plain RNN with some parts changed."""
    parts = {
        "name": "toy",
        "inputs": (x,),
        "recurrence": ((h_prev, h),),
        "parameters": (W,),
        "definitions": tuple(Equation(*d) for d in definitions or (Z, A, H)),
        "outputs": ("h",),
    }
    return Program(**{**parts, **changes})


c_prev, c = vector("c_prev", m), vector("c", m)
FAULTS = {
    "an undefined name": (lambda: toy(Z, H), "a is used in h = tanh(a) but is neither given nor defined"),
    "a name defined twice": (lambda: toy(Z, A, H, A), "a is defined although it is already defined"),
    "an input defined": (lambda: toy(Z, A, H, (x, x)), "x is defined although it is already given"),
    "an input given twice": (lambda: toy(inputs=(x, x)), "x is given although it is already given"),
    "a state that is a parameter": (lambda: toy(parameters=(W, h_prev)), "h' is given although it is already given"),
    "used before defined": (
        lambda: toy(A, Z, H),
        "z is used in a = W z before it is defined; put z = [x; h'] first",
    ),
    "a circle": (lambda: toy((a, apply("tanh", h)), H), "the equations go in a circle: a → h → a"),
    "a longer circle": (
        lambda: toy((z, concat(x, h)), A, H),
        "the equations go in a circle: z → h → a → z",
    ),
    "itself": (lambda: toy((h, apply("tanh", h))), "the equations go in a circle: h → h"),
    "two shapes of one name": (
        lambda: toy(Z, A, (h, apply("tanh", vector("a", n)))),
        "a has two shapes, n in h = tanh(a) and m elsewhere",
    ),
    "two shapes of a state": (
        lambda: toy(recurrence=((vector("h_prev", n), h),)),
        "h' has two shapes, m in z = [x; h'] and n elsewhere",
    ),
    "two shapes of the next state": (
        lambda: toy(Z, A, H, recurrence=((vector("g_prev", n), vector("h", n)),), inputs=(x, h_prev)),
        "h has two shapes, n in the recurrence and m elsewhere",
    ),
    "a missing output": (lambda: toy(outputs=("h", "y")), "output y is defined by no equation"),
    "a missing state": (
        lambda: toy(recurrence=((h_prev, h), (c_prev, c))),
        "output c is defined by no equation",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_program_that_is_none_is_refused_in_one_sentence(fault):
    make, message = FAULTS[fault]
    with pytest.raises(ProgramError) as error:
        make()
    assert str(error.value) == f"toy: {message}"


def test_the_toy_of_these_tests_is_right_as_it_stands():
    assert check_cell(toy()).states == ("h",)


def test_the_recurrence_must_keep_its_shape():
    g = vector("g", m)
    with pytest.raises(DimensionError, match="h' has n rows but h has m rows, which holds only if n = m"):
        toy((h, apply("tanh", g)), inputs=(x, g), recurrence=((vector("h_prev", n), h),))


def test_shapes_that_do_not_fit_are_refused_when_the_program_is_made():
    with pytest.raises(DimensionError, match=r"h has m rows but tanh\(z\) has n\+m rows, .*, in h = tanh\(z\)"):
        toy(Z, A, (h, apply("tanh", z)))


def test_a_cell_uses_every_parameter_and_has_a_state():
    with pytest.raises(ProgramError, match=r"toy: parameter W \(m×\(n\+m\)\) is used by no equation"):
        check_cell(toy((h, apply("tanh", h_prev))))
    with pytest.raises(ProgramError, match=r"toy: a cell needs at least one state, a pair such as \(h_prev, h\)"):
        check_cell(toy(recurrence=(), inputs=(x, h_prev)))


def test_a_mutant_may_leave_a_parameter_unused():
    cell = lstm()
    symbols = cell.symbols
    mutant = cell.with_equation("a_f", matmul(symbols["W_f"], symbols["z"]))
    assert mutant.dimensions(n=2, m=3) == cell.dimensions(n=2, m=3)
    assert str(mutant["a_f"]) == "a_f = W_f z"
    assert str(cell["a_f"]) == "a_f = W_f z + b_f", "the cell itself is unchanged"
    with pytest.raises(ProgramError, match="parameter b_f"):
        check_cell(mutant)


def test_a_mutant_is_checked_like_any_program():
    cell = lstm()
    with pytest.raises(ProgramError, match="the equations go in a circle: f → c → f"):
        cell.with_equation("f", apply("sigmoid", cell.symbols["c"]))
    with pytest.raises(DimensionError, match="f has m rows but σ"):
        cell.with_equation("f", apply("sigmoid", cell.symbols["z"]))
    with pytest.raises(KeyError, match="lstm defines no g; it defines z, a_f, f,"):
        cell.with_equation("g", cell.symbols["z"])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_constraints_alone_give_the_shape_of_every_parameter(options):
    cell = lstm(**options)
    (solution,) = solve(
        [e.lhs - e.rhs for e in cell.constraints],
        [size(f"{side}_{name}") for name in cell.symbols for side in ("rows", "cols")],
        dict=True,
    )
    for name, symbol in cell.symbols.items():
        assert (solution[size(f"rows_{name}")] - symbol.shape[0]).expand() == 0
        assert (solution[size(f"cols_{name}")] - symbol.shape[1]).expand() == 0


def test_the_constraints_are_stated_where_the_equations_make_them():
    listed = {str(e) for e in lstm().constraints}
    assert {"Eq(rows_x, n)", "Eq(rows_h_prev, m)", "Eq(rows_z, rows_h_prev + rows_x)", "Eq(cols_W_f, rows_z)"} <= listed


def test_dimensions_are_symbolic_where_a_size_is_not_given():
    assert lstm().dimensions()["W_f"] == (m, n + m)
    assert lstm().dimensions(n=32)["W_f"] == (m, m + 32)
    assert lstm().dimensions(m=70)["b_f"] == (70,)
    assert plain_rnn().dimensions(n=32, m=70) == {"W": (70, 102), "b": (70,)}


COUNTS = (
    ({}, 28_840, 4 * m * (n + m + 1)),
    ({"biases": 2}, 29_120, 4 * m * (n + m + 2)),
    ({"biases": 0}, 28_560, 4 * m * (n + m)),
    ({"peepholes": "fio"}, 29_050, 4 * m * (n + m + 1) + 3 * m),
    ({"coupled": "f=1-i"}, 21_630, 3 * m * (n + m + 1)),
    ({"concat": None}, 28_840, 4 * m * (n + m + 1)),
)


@pytest.mark.parametrize(("options", "number", "formula"), COUNTS, ids=str)
def test_parameters_are_counted_in_numbers_and_in_symbols(options, number, formula):
    cell = lstm(**options)
    assert cell.parameter_count(n=32, m=70) == number
    assert isinstance(cell.parameter_count(n=32, m=70), int)
    assert (cell.parameter_count() - formula).expand() == 0
    assert cell.parameter_count(n=32).free_symbols == {m}
    shapes = cell.dimensions(n=32, m=70).values()
    assert sum(int(np.prod(shape)) for shape in shapes) == number


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "3", None])
def test_a_size_is_a_positive_integer(value):
    with pytest.raises(ProgramError, match="size n must be a positive integer, got"):
        lstm().dimensions(n=value)


def test_a_size_that_does_not_exist_is_refused():
    with pytest.raises(ProgramError, match="lstm has no size k; its sizes are n, m"):
        lstm().parameter_count(k=3)


def test_terms_stay_as_they_are_written():
    assert str(Equation(h, add(a, a))) == "h = a + a"
    assert add(a, a).args == (a, a)
    cell = lstm()
    kept, new = cell["c"].expression.args
    assert kept.args == (cell.symbols["f"], cell.symbols["c_prev"])
    assert new.args == (cell.symbols["i"], cell.symbols["c_tilde"])
    assert str(Equation(h, subtract(h_prev, h_prev))) == "h = h' − h'"
    assert cell["h"].eq.lhs == cell.symbols["h"]


def test_equations_are_programs_in_the_order_in_which_they_are_computed():
    for options in OPTIONS:
        cell = lstm(**options)
        known = {s.name for s in cell.leaves}
        for equation in cell:
            assert equation.uses <= known
            known.add(equation.name)


def test_what_belongs_to_the_whole_batch_is_known():
    p, masked = vector("p", m), vector("masked", m)
    cell = toy(
        Z,
        (masked, hadamard(p, p)),
        (a, add(matmul(W, z), masked)),
        H,
        parameters=(W, p),
    )
    assert cell.shared == {"W", "p", "masked"}


def test_a_shared_value_of_per_row_terms_is_summed_over_the_rows():
    db, dW = vector("db", m), matrix("dW", m, n + m)
    total = toy(Z, A, H, (db, a, True), (dW, matmul(a, transpose(z)), True), outputs=("h", "db", "dW"))
    assert {"db", "dW"} <= total.shared
    rng = np.random.default_rng(0)
    weight, rows, state = rng.standard_normal((3, 5)), rng.standard_normal((4, 2)), rng.standard_normal((4, 3))
    _, db_value, dW_value = compile_program(total)({"W": weight}, rows, state)
    each = [weight @ np.concatenate([x_row, h_row]) for x_row, h_row in zip(rows, state, strict=True)]
    np.testing.assert_allclose(db_value, sum(each))
    stacked = np.concatenate([rows, state], axis=-1)
    np.testing.assert_allclose(dW_value, sum(np.outer(a, z) for a, z in zip(each, stacked, strict=True)))


def test_a_shared_value_of_shared_terms_is_not_summed():
    p, twice = vector("p", m), vector("twice", m)
    total = toy(Z, A, H, (twice, add(p, p), True), parameters=(W, p), outputs=("twice",))
    given = {"W": np.zeros((3, 5)), "p": np.arange(3.0)}
    np.testing.assert_array_equal(compile_program(total)(given, np.ones((4, 2)), np.ones((4, 3))), 2 * np.arange(3.0))


def test_a_mean_is_a_product_with_ones():
    mean = toy(Z, A, (h, matmul(ones(m), matmul(ones(1, m), a))))
    step = compile_program(mean)
    got = step({"W": np.eye(2, 3)}, np.array([[1.0]]), np.array([[2.0, 3.0]]))
    np.testing.assert_array_equal(got, [[3.0, 3.0]])
