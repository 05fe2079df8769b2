"""The whole catalogue, one question a test: shapes, counts, formulas, values, gradients, error bounds."""

import numpy as np
import pytest
from sympy import Lambda

import lstm_spec as ls
from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.compile import compile_program, run
from lstm_spec.compute.complex_step import complex_step
from lstm_spec.compute.forced import forced_bounds
from lstm_spec.compute.gradients import gradients
from lstm_spec.report.show import catalogue_lines, count_formula
from lstm_spec.spec.catalogue import CATALOGUE
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.functions import SLOTS
from lstm_spec.spec.notations import NOTATIONS
from lstm_spec.spec.operators import size
from lstm_spec.spec.recurrent import gru, mut, rnn, sru
from lstm_spec.spec.xlstm import slstm
from tests.exact import evaluate_exactly
from tests.tables import random_case, sizes_of

COUNTS = {
    "lstm": "4m(n+m+1)",
    "np": "4m(n+m+1)",
    "peephole": "m(4n+4m+7)",
    "lstm_1997": "3m(n+m+1)",
    "nig": "3m(n+m+1)",
    "nfg": "3m(n+m+1)",
    "nog": "3m(n+m+1)",
    "niaf": "4m(n+m+1)",
    "noaf": "4m(n+m+1)",
    "cifg": "3m(n+m+1)",
    "cifg_i": "3m(n+m+1)",
    "fgr": "m(4n+13m+4)",
    "lstmp": "m(4n+5q+4)",
    "lstmp_peephole": "m(4n+5q+7)",
    "layer_norm": "2m(2n+2m+7)",
    "layer_norm_gate": "4m(n+m+2)",
    "clipped": "m(4n+5q+4)",
    "zoneout": "4m(n+m+1)",
    "dropout": "4m(n+m+1)",
    "deep": "4(64n+129m+64)",
    "rnn": "m(n+m+1)",
    "gru": "3m(n+m+1)",
    "gru_reset_after": "3m(n+m+2)",
    "mgu": "2m(n+m+1)",
    "mut1": "m(4m+3)",
    "mut2": "m(5m+3)",
    "mut3": "3m(n+m+1)",
    "sru": "m(3m+4)",
    "minlstm": "3n·m",
    "slstm": "4m(n+m+1)",
}

OTHERS = {
    "slstm with exp": slstm(forget="exp"),
    "gru without biases": gru(biases=0),
    "gru reset after, without biases": gru(reset_after=True, biases=0),
    "gru reset after, one bias": gru(reset_after=True, biases=1),
    "gru with softsign": gru(activations={"h": "softplus"}),
    "rnn with relu": rnn(activation="relu"),
    "projected and coupled": lstm(projection=True, coupled="f=1-i", peepholes="io", biases=2),
    "projected zoneout": lstm(projection=True, zoneout={"h": 0.25}, clip={"c": 0.5, "p": 0.1}),
    "fixed with peepholes": lstm(fixed="i", peepholes="fo", concat="hx"),
    "all gates fixed": lstm(fixed="fio"),
    "two layers deep": lstm(deep={"f": (4, 2), "c": (5,)}, concat=None, peepholes="f"),
    "deep without biases": lstm(deep={"o": (3,)}, biases=0, activations={"deep": "relu"}),
    "joint norm, coupled": lstm(layer_norm="joint", coupled="i=1-f", peepholes="o"),
    "joint norm, no bias": lstm(layer_norm="joint", biases=0, fixed="o"),
    "norm by gate, clipped": lstm(layer_norm="gate", peepholes="fio", clip={"a": 0.7}),
    "norm by gate, projected": lstm(layer_norm="gate", projection=True, masks="x"),
    "full gate recurrence with peepholes": lstm(gate_recurrence=True, peepholes="fio", biases=2),
    "masked and zoned out": lstm(masks="h", zoneout={"c": 0.1, "h": 0.9}),
}

CELLS = {**{name: ls.cell(name) for name in ls.cells()}, **OTHERS}

every_cell = pytest.mark.parametrize("cell", [pytest.param(cell, id=name) for name, cell in CELLS.items()])
quick_seeds = pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.catalogue) for seed in range(1, 6))]
)


def case_with_cotangents(cell, *, seed, T=3, B=2, **sizes):
    params, x, states = random_case(cell, T=T, B=B, seed=seed, scale=0.7, **sizes)
    if cell.name == "slstm":
        # The normaliser is a sum of positive terms, and c/ν has a pole where it vanishes.
        states = (*states[:2], np.abs(states[2]) + 0.5, states[3])
    rng = np.random.default_rng([seed, 1])
    dstates = tuple(rng.standard_normal(s.shape) for s in states)
    return params, x, states, rng.standard_normal((T, *states[0].shape)), dstates


def test_the_counts_are_those_of_the_literature():
    assert {name: count_formula(ls.cell(name)) for name in ls.cells()} == COUNTS


def test_the_counts_in_numbers():
    n, m, q = 32, 70, 20
    vanilla = 4 * m * (n + m + 1)
    expected = {
        "lstm": 28_840,
        "peephole": vanilla + 3 * m,
        "cifg": 3 * m * (n + m + 1),
        "lstmp": 4 * m * (n + q + 1) + q * m,
        "gru": 3 * m * (n + m + 1),
        "gru_reset_after": 3 * m * (n + m + 1) + 3 * m,
        "fgr": vanilla + 9 * m * m,
        "layer_norm_gate": vanilla + 4 * m,
        "layer_norm": vanilla + 8 * m + 2 * m,
    }
    for name, count in expected.items():
        cell = ls.cell(name)
        assert cell.parameter_count(**sizes_of(cell, n=n, m=m, q=q)) == count, name
    assert lstm(biases=2).parameter_count(n=n, m=m) == 4 * m * (n + m + 2)


def test_the_list_has_a_line_for_every_cell():
    lines = catalogue_lines()
    assert len(lines) == len(CATALOGUE) + 1
    assert all(entry.source for entry in CATALOGUE.values())


@every_cell
def test_shapes(cell):
    sizes = sizes_of(cell, n=5, m=4, q=3)
    shapes = cell.dimensions(**sizes)
    given = {s.name: (7, cell.check_sizes(sizes).get(s.shape[0])) for s in cell.inputs}
    assert ls.infer_dimensions(cell, {**shapes, **given}) == sizes
    assert cell.constraints
    params, x, states = random_case(cell, T=2, B=3, seed=0, **sizes)
    y, *final = run(cell, params, x, *states)
    assert [s.shape for s in final] == [s.shape for s in states]
    assert y.shape == (2, *states[0].shape)
    assert all(state.dtype == np.float64 for state in (y, *final))


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:divide")
@every_cell
def test_every_size_may_be_one(cell):
    sizes = dict.fromkeys(sizes_of(cell), 1)
    params, x, states = random_case(cell, T=2, B=3, seed=0, **sizes)
    assert {name: p.ndim for name, p in params.items()} == {
        p.name: 1 if p.shape[1] == 1 else 2 for p in cell.parameters
    }
    y = run(cell, params, x, *states)[0]
    assert y.shape == (2, 3, 1)
    assert forced_bounds(cell, params, x, states, y, accuracy("float64")).keys() == {"y", *cell.states}


@every_cell
def test_it_is_written_in_every_format_and_notation(cell):
    back = ls.backward(cell)
    for program in (cell, back):
        for form in ("text", "latex", "markdown", "mathml", "numpy", "torch", "jax"):
            assert ls.write(program, format=form).strip(), form
        for notation in NOTATIONS:
            assert ls.write(program, format="text", notation=notation).count("\n") == len(program.derived)
        assert ls.write(program, format="text", level="unit").strip()
    view = ls.unit_view(cell)
    assert set(view.reads) <= {s.name for s in cell.leaves}
    leaves = {before.name for before, _ in cell.recurrence} | {"x"}
    assert leaves - set(view.reads) <= {"h_prev"}
    assert all("_prev" not in str(d.symbol) or d.name.startswith("d") for d in back)


@every_cell
@quick_seeds
def test_the_compiled_step_agrees_with_sixty_digits(cell, seed):
    sizes = sizes_of(cell)
    params, x, states, *_ = case_with_cotangents(cell, seed=seed, T=1, B=1)
    previous = [before.name for before, _ in cell.recurrence]
    arrays = {**params, "x": x[0, 0], **{name: s[0] for name, s in zip(previous, states, strict=True)}}
    exact = evaluate_exactly(cell, sizes, arrays)
    names = tuple(d.name for d in cell)
    computed = compile_program(cell, names)(params, x[0], *states)
    for name, got in zip(names, computed if len(names) > 1 else (computed,), strict=True):
        wanted = np.array([[float(v) for v in row] for row in exact[name]])
        np.testing.assert_allclose(np.asarray(got).reshape(wanted.shape), wanted, rtol=1e-11, atol=1e-13, err_msg=name)


@every_cell
@quick_seeds
def test_the_backward_pass_agrees_with_the_complex_step(cell, seed):
    case = case_with_cotangents(cell, seed=seed)
    got, wanted = gradients(cell, *case), complex_step(cell, *case)
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:divide")
@every_cell
@quick_seeds
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_the_bound_contains_what_is_computed_in_the_format(cell, seed, dtype):
    for scale in (0.2, 1.0, 4.0):
        params, x, states = random_case(cell, T=6, B=3, n=5, m=4, q=3, seed=seed, scale=scale, dtype=dtype)
        y, *final = run(cell, params, x, *states)
        allowed = forced_bounds(cell, params, x, states, y, accuracy(dtype))
        for name, got in zip(("y", *cell.states), (y, *final), strict=True):
            bounded = np.isfinite(allowed[name].error)
            error = np.abs(got.astype(np.float64) - allowed[name].value)[bounded]
            assert np.all(error <= allowed[name].error[bounded]), (name, scale)


@pytest.mark.parametrize("name", ["layer_norm", "layer_norm_gate"])
def test_a_mean_is_not_lost_where_its_sum_leaves_the_format(name):
    """Deviations of 300 have squares of 90,000, more than float16 holds: nothing is promised, and nothing refused."""
    report = ls.verify("spec", spec=name, dtypes=["float16"], profile="quick", checks=["step"])
    assert report.verdict != "discrepancy"


@pytest.mark.catalogue
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("name", ls.cells())
def test_every_cell_conforms_to_itself(name, dtype):
    report = ls.verify("spec", spec=name, dtypes=[dtype], profile="quick")
    # eps is 0 in float16, or nearly, so that little bounds a quotient by what may be 0: such a run may say nothing.
    blunt = dtype == "float16" and name.startswith("layer_norm")
    assert report.verdict in ("verified", *(["inconclusive"] if blunt else [])), str(report)


def test_a_quotient_is_not_lost_where_it_leaves_the_format_on_its_way():
    """c/ν² of 400,000 times 0 is no number in float16: nothing is promised of it."""
    report = ls.verify("spec", spec="slstm", dtypes=["float16"], profile="quick", checks=["gradient_step"])
    assert report.verdict == "verified", str(report)


@every_cell
def test_the_bound_says_something(cell):
    params, x, states, *_ = case_with_cotangents(cell, seed=1, T=6, n=5, m=4, q=3)
    params, x = {name: p.astype("float32") for name, p in params.items()}, x.astype("float32")
    states = tuple(s.astype("float32") for s in states)
    y, *_ = run(cell, params, x, *states)
    allowed = forced_bounds(cell, params, x, states, y, accuracy("float32"))
    assert np.median(allowed["y"].error) < 1e-4


@every_cell
def test_the_bound_contains_the_exact_value(cell):
    sizes = sizes_of(cell)
    params, x, states, *_ = case_with_cotangents(cell, seed=3, T=1, B=1)
    previous = [before.name for before, _ in cell.recurrence]
    arrays = {**params, "x": x[0, 0], **{name: s[0] for name, s in zip(previous, states, strict=True)}}
    exact = evaluate_exactly(cell, sizes, arrays)
    y, *_ = run(cell, params, x, *states)
    allowed = forced_bounds(cell, params, x, states, y, accuracy("float64"))
    for name in cell.states:
        wanted = np.array([float(row[0]) for row in exact[name]])
        assert np.all(np.abs(wanted - allowed[name].value[0]) <= allowed[name].error[0]), name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mut(1), r"R_h \(r∘h'\) has m rows but tanh\(x\) has n rows, which holds only if n = m, in a_h = "),
        (lambda: mut(2), r"x has n rows but R_r h' has m rows, which holds only if n = m, in a_r = "),
        (sru, r"1 − r has m rows but x has n rows, which holds only if n = m, in h = "),
    ],
)
def test_what_needs_n_to_be_m_says_so(make, message):
    with pytest.raises(ls.DimensionError, match=message):
        make()


def test_the_square_cells_have_one_size():
    for name in ("mut1", "mut2", "sru"):
        assert ls.cell(name).sizes == (size("m"),)


def test_an_activation_that_is_left_out_is_not_written():
    assert str(ls.cell("noaf")["h"]) == "h = o∘c"
    assert str(ls.cell("niaf")["c_tilde"]) == "c̃ = a_c"
    assert str(ls.lstm(activations={"h": Lambda((SLOTS[0],), SLOTS[0])})["h"]) == "h = o∘c"
    assert str(ls.backward(ls.cell("noaf"))["dc"]) == "δc = δh∘o + δc⁺"


def test_the_output_of_zoneout_sees_the_memory_before_it_is_kept():
    """Krueger et al. 2017: h takes tanh of f∘c' + i∘c̃, not of the blend that the next step starts from."""
    assert str(ls.cell("zoneout")["h_new"]) == "h_new = o∘tanh(c_new)"
    assert str(lstm(zoneout={"c": 0.1}, clip={"c": 3.0})["h"]) == "h = o∘tanh(c_limited)"
    assert str(lstm(zoneout={"h": 0.1})["h_new"]) == "h_new = o∘tanh(c)"
