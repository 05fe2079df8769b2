"""The backward pass against papers, the complex step, autograd, and itself."""

import itertools

import mpmath
import numpy as np
import pytest
from sympy import Function, MatAdd, Symbol, expand
from sympy import tanh as sympy_tanh

from lstm_spec import DimensionError, Program, backward, bptt, compile_program, forward_mode, jacobian, lstm
from lstm_spec.calculus.adjoint import arrivals
from lstm_spec.calculus.collapse import normal
from lstm_spec.calculus.scalars import COLUMN, ROW, Inlined, given, written
from lstm_spec.calculus.witness import TrueDerivative, evaluate, random_point
from lstm_spec.spec.equation import Equation, ProgramError
from lstm_spec.spec.operators import (
    Elementwise,
    add,
    apply,
    eye,
    hadamard,
    matmul,
    matrix,
    one_minus,
    ones,
    row_scaled,
    size,
    vector,
)
from tests.gradients import complex_step_gradient, derived_gradient, random_cotangents
from tests.programs import PROGRAMS
from tests.tables import OPTIONS, random_case

ANALYTIC = [options for options in OPTIONS if not options.get("activations")]
KINKED = [options for options in OPTIONS if options.get("activations")]


def commuting(e):
    """Write a column as a scalar expression, so that elementwise products and sums compare in any order."""
    kind = type(e).__name__
    if kind == "MatAdd":
        return sum(commuting(a) for a in e.args)
    if kind == "HadamardProduct":
        return np.prod([commuting(a) for a in e.args])
    if kind == "OneMatrix":
        return 1
    if kind == "MatMul" and not getattr(e.args[0], "is_Matrix", False):
        (rest,) = e.args[1:]
        return e.args[0] * commuting(rest)
    if isinstance(e, Elementwise):
        return e.function(*(commuting(a) for a in e.arguments))
    return Symbol(str(e))


def test_the_peephole_lstm_gives_the_formulas_of_greff_et_al():
    n, m = size("n"), size("m")
    names = ("dh", "dy", "c", "c_prev", "h_prev", "c_tilde", "f", "i", "o", "dc", "p_f", "p_i", "p_o")
    v = {name: vector(name, m) for name in names}
    d = {g: vector(f"da_{g}", m) for g in "fico"}
    after = {g: vector(f"da_{g}_next", m) for g in "fico"}
    W, R = ({g: matrix(f"{k}_{g}", m, w) for g in "fico"} for k, w in (("W", n), ("R", m)))
    dc_next, f_next, tanh_c, x = vector("dc_next", m), vector("f_next", m), apply("tanh", v["c"]), vector("x", n)

    def slope(y):
        return hadamard(y, one_minus(y))

    def from_tanh(y):
        return one_minus(hadamard(y, y))

    expected = {
        "dh": add(v["dy"], *(matmul(R[g].T, after[g]) for g in "fico")),
        "da_o": hadamard(v["dh"], tanh_c, slope(v["o"])),
        "dc": add(
            hadamard(v["dh"], v["o"], from_tanh(tanh_c)),
            hadamard(v["p_o"], d["o"]),
            hadamard(v["p_i"], after["i"]),
            hadamard(v["p_f"], after["f"]),
            hadamard(dc_next, f_next),
        ),
        "da_f": hadamard(v["dc"], v["c_prev"], slope(v["f"])),
        "da_i": hadamard(v["dc"], v["c_tilde"], slope(v["i"])),
        "da_c": hadamard(v["dc"], v["i"], from_tanh(v["c_tilde"])),
        "dx": add(*(matmul(W[g].T, d[g]) for g in "fico")),
        **{f"dW_{g}": matmul(d[g], x.T) for g in "fico"},
        **{f"dR_{g}": matmul(d[g], v["h_prev"].T) for g in "fico"},
        **{f"db_{g}": d[g] for g in "fico"},
        "dp_f": hadamard(v["c_prev"], d["f"]),
        "dp_i": hadamard(v["c_prev"], d["i"]),
        "dp_o": hadamard(v["c"], d["o"]),
    }
    through_time = bptt(lstm(peepholes="fio", concat=None))
    inlined = {symbol: through_time.recurrence[symbol.name].expression for symbol in (vector("do", m), vector("df", m))}
    inlined |= {
        symbol: through_time.recurrence[symbol.name].expression for symbol in (vector("di", m), vector("dc_tilde", m))
    }
    derived = {e.name: e.expression.xreplace(inlined) for e in through_time.recurrence.derived}
    assert set(expected) | {"do", "df", "di", "dc_tilde"} == set(derived)
    for name, formula in expected.items():
        assert expand(commuting(derived[name]) - commuting(formula)) == 0, name
    ends = {e.name: e.expression for e in through_time.first}
    assert ends["dh_0"] == add(*(matmul(R[g].T, d[g]) for g in "fico"))
    dc_0 = add(hadamard(v["dc"], v["f"]), hadamard(v["p_i"], d["i"]), hadamard(v["p_f"], d["f"]))
    assert expand(commuting(ends["dc_0"]) - commuting(dc_0)) == 0
    wrong = add(hadamard(v["dc"], v["f"]), hadamard(v["p_i"], d["f"]), hadamard(v["p_f"], d["i"]))
    assert expand(commuting(ends["dc_0"]) - commuting(wrong)) != 0


@pytest.mark.parametrize("options", ANALYTIC, ids=str)
def test_gradients_of_a_sequence_equal_the_complex_step(options):
    cell = lstm(**options)
    params, x, states = random_case(cell, n=2, m=2, T=3, B=2, seed=1)
    dy, dstates = random_cotangents(np.empty((3, 2, 2)), states, seed=2)
    expected = complex_step_gradient(cell, params, x, states, dy, dstates)
    found = derived_gradient(cell, params, x, states, dy, dstates)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    "cell", [*(lstm(**options) for options in KINKED[::3]), *(make() for make in PROGRAMS)], ids=str
)
def test_every_adjoint_of_one_step_equals_central_differences_in_forty_digits(cell):
    back, sizes = backward(cell), {s.name: 2 + k for k, s in enumerate(cell.sizes)}
    point = random_point(back, sizes, 3)
    values = evaluate(back, point, sizes)
    for name, symbol in cell.symbols.items():
        if f"d{name}" in back.symbols:
            truth = TrueDerivative(cell, arrivals(cell), symbol.name, point, sizes).entries()
            assert np.abs(values[f"d{name}"] - truth).max() < 1e-15, name


def test_central_differences_see_a_wrong_formula():
    cell, sizes = lstm(), {"n": 2, "m": 3}
    back = backward(cell).with_equation("dc_prev", backward(cell)["do"].expression)
    point = random_point(back, sizes, 3)
    truth = TrueDerivative(cell, arrivals(cell), "c_prev", point, sizes).entries()
    assert np.abs(evaluate(back, point, sizes)["dc_prev"] - truth).max() > 1e-3


@pytest.mark.parametrize("options", [{}, {"peepholes": "fio"}, {"coupled": "f=1-i"}, KINKED[0]], ids=str)
def test_gradients_equal_those_of_autograd(options):
    torch = pytest.importorskip("torch")
    cell = lstm(**{**options, "activations": {}})
    params, x, states = random_case(cell, n=3, m=4, T=5, B=2, seed=4)
    dy, dstates = random_cotangents(np.empty((5, 2, 4)), states, seed=5)
    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in {**params, "x": x}.items()}
    h, c = initial = [torch.tensor(s, requires_grad=True) for s in states]
    total = 0.0
    for t in range(5):
        z = torch.cat([leaves["x"][t], h], dim=-1)

        def a(g, z=z, c=c):
            peephole = leaves[f"p_{g}"] * c if f"p_{g}" in leaves else 0
            return z @ leaves[f"W_{g}"].T + leaves[f"b_{g}"] + peephole

        i = torch.sigmoid(a("i"))
        f = torch.sigmoid(a("f")) if "W_f" in leaves else 1 - i
        c = f * c + i * torch.tanh(a("c"))
        h = torch.sigmoid(a("o", c=c)) * torch.tanh(c)
        total = total + (h * torch.tensor(dy[t])).sum()
    (total + (h * torch.tensor(dstates[0])).sum() + (c * torch.tensor(dstates[1])).sum()).backward()
    found = derived_gradient(cell, params, x, states, dy, dstates)
    expected = {**{k: v.grad for k, v in leaves.items()}, "h0": initial[0].grad, "c0": initial[1].grad}
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient.numpy(), rtol=1e-10, atol=1e-12, err_msg=name)


def arguments_of(program, rng, B=2, n=2, m=3):
    """Return random (params, per-row values) for a compiled Program, by name."""
    sizes = dict(zip(program.sizes, (n, m), strict=True))
    shapes = {s.name: [int(side.subs(sizes)) for side in s.shape] for s in program.leaves}
    shared = [p.name for p in program.parameters]
    params = {k: rng.standard_normal(shapes[k] if shapes[k][1] > 1 else shapes[k][:1]) for k in shared}
    return params, {k: rng.standard_normal((B, shape[0])) for k, shape in shapes.items() if k not in shared}


def call(program, params, rows, names=None):
    names = tuple(names or program.outputs)
    inputs = [rows[s.name] for s in program.leaves if s not in program.parameters]
    values = compile_program(program, names)(params, *inputs)
    return dict(zip(names, values if len(names) > 1 else (values,), strict=True))


@pytest.mark.parametrize("options", [{}, {"peepholes": "fio"}, {"coupled": "i=1-f", "concat": None}], ids=str)
def test_forward_mode_and_backward_are_transposes(options):
    cell = lstm(**options)
    rng = np.random.default_rng(6)
    back, forward = backward(cell), forward_mode(cell)
    params, rows = arguments_of(forward, rng)
    tangents = call(forward, params, rows)
    u = {
        "dy": rng.standard_normal((2, 3)),
        "dh_next": rng.standard_normal((2, 3)),
        "dc_next": rng.standard_normal((2, 3)),
    }
    adjoints = call(back, params, {**rows, **u})
    left = ((u["dy"] + u["dh_next"]) * tangents["h_dot"]).sum() + (u["dc_next"] * tangents["c_dot"]).sum()
    direction = {**params, **rows}
    dotted = {
        s.name: s.name.replace("_prev", "") + "_dot" + ("_prev" if "_prev" in s.name else "") for s in cell.leaves
    }
    right = sum((adjoints[f"d{name}"] * direction[dot]).sum() for name, dot in dotted.items())
    assert left == pytest.approx(right, rel=1e-12)
    assert left != pytest.approx(1.001 * right, rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"peepholes": "fio"}, {"coupled": "f=1-i", "concat": None}], ids=str)
def test_the_backward_of_the_backward_is_a_hessian_vector_product(options):
    cell = lstm(**options)
    back = backward(cell)
    second = backward(back)
    rng = np.random.default_rng(7)
    params, rows = arguments_of(second, rng)
    for name in ("d2h_next", "d2c_next"):
        rows[name] = np.zeros_like(rows[name])  # the loss of the second pass sees gradients only
    found = call(second, params, rows)
    weights = {**params, **rows}

    def product(moved):
        values = call(back, {**params, **moved}, {**rows, **moved})
        return sum((values[name] * weights[f"d2{name}"]).sum() for name in back.outputs)

    for symbol in back.leaves:
        name = symbol.name
        base = {**params, **rows}[name]
        direction = rng.standard_normal(base.shape)
        ends = [product({name: base + sign * 1e-6 * direction}) for sign in (1, -1)]
        slope = (ends[0] - ends[1]) / 2e-6
        assert (found[f"d2{name}"] * direction).sum() == pytest.approx(slope, rel=1e-6, abs=1e-7), name


def test_forward_over_backward_gives_the_same_hessian_vector_product():
    cell = lstm(peepholes="fio")
    back = backward(cell)
    rng = np.random.default_rng(8)
    mixed = forward_mode(back)
    params, rows = arguments_of(mixed, rng)
    for name in ("dy_dot", "dh_dot_next", "dc_dot_next"):
        rows[name] = np.zeros_like(rows[name])
    tangents = call(mixed, params, rows)
    inputs = {"x": "x_dot", "h_prev": "h_dot_prev", "c_prev": "c_dot_prev"}
    v = {f"d2d{name}": rows[dot] for name, dot in inputs.items()}
    v |= {f"d2d{p.name}": params[f"{p.name}_dot"] for p in cell.parameters}
    zero = {"d2h_next": np.zeros((2, 3)), "d2c_next": np.zeros((2, 3))}
    second = call(backward(back), {**params, **v}, {**rows, **v, **zero})
    for name in ("x", "h_prev", "c_prev", *(p.name for p in cell.parameters)):
        dot = f"d{name.replace('_prev', '')}_dot" + ("_prev" if "_prev" in name else "")
        np.testing.assert_allclose(second[f"d2{name}"], tangents[dot], rtol=1e-10, atol=1e-12, err_msg=name)


def test_a_hessian_vector_product_is_right_through_time():
    """Four sweeps: states forward, adjoints backward, their adjoints forward, and those of the states backward."""
    cell = lstm(peepholes="fio")
    back, T = backward(cell), 3
    second = backward(back)
    params, x, states = random_case(cell, n=2, m=3, T=T, B=2, seed=9)
    dy, dstates = random_cotangents(np.empty((T, 2, 3)), states, seed=10)
    rng = np.random.default_rng(11)
    v = {name: rng.standard_normal(a.shape) for name, a in params.items()}

    def projected(moved):
        g = derived_gradient(cell, moved, x, states, dy, dstates)
        return sum((g[name] * v[name]).sum() for name in v)

    before, arriving = [states], [dstates]
    for x_t in x:
        before.append(compile_program(cell, cell.states)(params, x_t, *before[-1]))
    for t in reversed(range(T)):
        rows = dict(
            zip(
                (s.name for s in back.leaves if s not in back.parameters),
                (x[t], dy[t], *before[t], *arriving[0]),
                strict=True,
            )
        )
        arriving.insert(0, tuple(call(back, params, rows)[name] for name in ("dh_prev", "dc_prev")))

    zero = np.zeros((2, 3))
    weights = {**params, **{f"d2d{name}": a for name, a in v.items()}}
    tangent, tangents = {"d2dh_prev": zero, "d2dc_prev": zero}, []
    given = [
        {
            "x": x[t],
            "dy": dy[t],
            "h_prev": before[t][0],
            "c_prev": before[t][1],
            "d2dx": np.zeros((2, 2)),
            "dh_next": arriving[t + 1][0],
            "dc_next": arriving[t + 1][1],
        }
        for t in range(T)
    ]
    for t in range(T):
        tangents.append(tangent)
        found = call(second, weights, {**given[t], **tangent, "d2h_next": zero, "d2c_next": zero})
        tangent = {"d2dh_prev": found["d2dh_next"], "d2dc_prev": found["d2dc_next"]}
    later, total = {"d2h_next": zero, "d2c_next": zero}, dict.fromkeys(params, 0.0)
    for t in reversed(range(T)):
        found = call(second, weights, {**given[t], **tangents[t], **later})
        later = {"d2h_next": found["d2h_prev"], "d2c_next": found["d2c_prev"]}
        total = {name: total[name] + found[f"d2{name}"] for name in total}
    for name in params:
        direction = rng.standard_normal(params[name].shape)
        ends = [projected({**params, name: params[name] + s * 1e-6 * direction}) for s in (1, -1)]
        assert (total[name] * direction).sum() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-7), name


def test_jacobian_blocks_have_the_closed_form_and_the_determinant_identity():
    cell, sizes = lstm(peepholes="fio", concat=None), {"n": 2, "m": 3}
    program = jacobian(cell)
    values = evaluate(program, random_point(program, sizes, 12), sizes)
    v = {name: array.astype(float) for name, array in values.items()}
    J = np.block([[v["J_h_h_prev"], v["J_h_c_prev"]], [v["J_c_h_prev"], v["J_c_c_prev"]]])
    point = random_point(cell, sizes, 12)
    with mpmath.workdps(40):
        for k, name in enumerate(("h_prev", "c_prev")):
            for unit in range(3):
                ends = []
                for sign in (1, -1):
                    moved = {**point, name: point[name].copy()}
                    moved[name][unit, 0] += sign * mpmath.mpf(10) ** -12
                    found = evaluate(cell, moved, sizes)
                    ends.append(np.concatenate([found["h"], found["c"]])[:, 0])
                slope = (ends[0] - ends[1]) * mpmath.mpf(10) ** 12 / 2
                np.testing.assert_allclose(J[:, 3 * k + unit], slope.astype(float), rtol=1e-12)
    f, i, o, c, g, c_prev = (v[name][:, 0] for name in ("f", "i", "o", "c", "c_tilde", "c_prev"))
    p_f, p_i = v["p_f"][:, 0], v["p_i"][:, 0]
    Dc = f + c_prev * f * (1 - f) * p_f + g * i * (1 - i) * p_i
    determinant = np.prod(Dc) * np.prod(np.tanh(c) * o * (1 - o)) * np.linalg.det(v["R_o"])
    assert np.linalg.det(J) == pytest.approx(determinant, rel=1e-10)


def test_jacobian_blocks_are_the_closed_forms_for_all_sizes():
    """[[E K + G, E Dc], [K, Dc]]; J_h_c_prev is E ∂c/∂c', so the block ∂c/∂c' is written out in it."""
    program = jacobian(lstm(peepholes="fio", concat=None))
    m = program.symbols["h"].shape[0]
    f, i, o, c, g, c_prev, p_f, p_i, p_o = (
        program.symbols[name] for name in ("f", "i", "o", "c", "c_tilde", "c_prev", "p_f", "p_i", "p_o")
    )
    R = {gate: program.symbols[f"R_{gate}"] for gate in "fico"}
    of_f, of_i, of_o = hadamard(f, one_minus(f)), hadamard(i, one_minus(i)), hadamard(o, one_minus(o))
    squashed = apply("tanh", c)
    K = add(
        row_scaled(hadamard(c_prev, of_f), R["f"]),
        row_scaled(hadamard(g, of_i), R["i"]),
        row_scaled(hadamard(i, one_minus(hadamard(g, g))), R["c"]),
    )
    diagonal = add(f, hadamard(c_prev, of_f, p_f), hadamard(g, of_i, p_i))
    E = add(hadamard(o, one_minus(hadamard(squashed, squashed))), hadamard(squashed, of_o, p_o))
    G = row_scaled(hadamard(squashed, of_o), R["o"])
    blocks = Inlined(program.derived, given)
    ranges = {ROW: m, COLUMN: m}
    expected = {
        "J_c_h_prev": K,
        "J_c_c_prev": row_scaled(diagonal, eye(m)),
        "J_h_h_prev": add(row_scaled(E, K), G),
        "J_h_c_prev": row_scaled(hadamard(E, diagonal), eye(m)),
    }
    for name, block in expected.items():
        assert normal(blocks.template(name) - written(block, given), ranges) == 0, name
        assert normal(blocks.template(name) - written(add(block, G), given), ranges) != 0, name


def test_the_constant_error_carousel_can_be_read_off():
    assert str(jacobian(lstm(), of=["c"], wrt=["c_prev"])["J_c_c_prev"]).endswith("= diag(f)")
    with pytest.raises(ProgramError, match="no computed value k"):
        jacobian(lstm(), of=["k"])


def test_what_no_value_depends_on_has_a_zero_adjoint_and_constants_have_none():
    m = size("m")
    x, h, h_prev, b, f = vector("x", m), vector("h", m), vector("h_prev", m), vector("b", m), vector("f", m)
    definitions = (Equation(f, ones(m)), Equation(h, hadamard(f, h_prev)))
    back = backward(Program("inert", (x,), ((h_prev, h),), (b,), definitions, ("h",)))
    assert [str(d) for d in back.derived] == ["δh = δy + δh⁺", "δx = 0", "δh' = δh∘f", "δb = 0"]


def test_an_unknown_operator_and_a_function_without_derivative_are_named():
    class odd(Function):  # noqa: N801
        nargs = 1

    h, h_prev = vector("h", size("m")), vector("h_prev", size("m"))
    plain = Program("odd", (), ((h_prev, h),), (), (Equation(h, apply(odd, h_prev)),), ("h",))
    with pytest.raises(ValueError, match="no derivative"):
        backward(plain)


def test_a_transposed_formula_does_not_fit():
    back = backward(lstm())
    with pytest.raises(DimensionError):
        back.with_equation("dW_f", matmul(back["dW_f"].expression.args[1].T, back["da_f"].symbol.T))


def test_derivation_is_the_same_every_time():
    first, again = ([str(d) for d in backward(lstm(peepholes="fio"))] for _ in range(2))
    assert first == again
    assert all(not isinstance(d.expression, MatAdd) or len(d.expression.args) > 1 for d in backward(lstm()))
    assert len(list(itertools.chain(backward(lstm()).derived))) == 22
    assert sympy_tanh in {e.function.expr.func for d in backward(lstm()) for e in d.expression.atoms(Elementwise)}
