"""Generated NumPy, PyTorch and JAX source: it runs, and the three agree to rounding."""

import numpy as np
import pytest
from sympy import Lambda, Rational, Symbol, exp, sqrt, tanh

import lstm_spec as ls
from lstm_spec.spec.functions import quotient, sigmoid
from lstm_spec.spec.operators import apply
from lstm_spec.write.dialects import DIALECTS
from tests.tables import OPTIONS, random_case
from tests.written import CELLS, PROGRAMS


def arrays(program, seed=5):
    """Return random arguments for the step of any Program: params, then per-row values."""
    rng = np.random.default_rng(seed)
    sizes = {s: 2 + k for k, s in enumerate(program.sizes)}
    shape = {s.name: tuple(int(side.subs(sizes)) for side in s.shape) for s in program.leaves}
    params = {
        p.name: rng.standard_normal(shape[p.name] if shape[p.name][1] > 1 else shape[p.name][:1])
        for p in program.parameters
    }
    given = [rng.standard_normal((3, shape[s.name][0])) for s in program.leaves if s not in program.parameters]
    return params, given


def step_of(program, format):
    namespace = {}
    exec(ls.write(program, format=format), namespace)
    return namespace["step"]


def run_source(program, format, convert):
    params, given = arrays(program)
    results = step_of(program, format)({k: convert(v) for k, v in params.items()}, *map(convert, given))
    return [np.asarray(r) for r in (results if isinstance(results, tuple) else (results,))]


def agree(program, format, convert):
    names = zip(
        program.outputs, run_source(program, "numpy", np.asarray), run_source(program, format, convert), strict=True
    )
    for name, expected, got in names:
        assert got.dtype == expected.dtype == np.float64, name
        np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_pytorch_source_agrees_with_numpy(options):
    torch = pytest.importorskip("torch")
    for program in (ls.lstm(**options), ls.backward(ls.lstm(**options))):
        agree(program, "torch", torch.from_numpy)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_jax_source_agrees_with_numpy(options):
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        for program in (ls.lstm(**options), ls.backward(ls.lstm(**options))):
            agree(program, "jax", jax.numpy.asarray)


@pytest.mark.parametrize("name", sorted(ls.cells()))
def test_pytorch_source_of_the_catalogue_agrees_with_numpy(name):
    torch = pytest.importorskip("torch")
    agree(ls.cell(name), "torch", torch.from_numpy)
    agree(ls.backward(ls.cell(name)), "torch", torch.from_numpy)


@pytest.mark.catalogue
@pytest.mark.parametrize("name", sorted(ls.cells()))
def test_jax_source_of_the_catalogue_agrees_with_numpy(name):
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        agree(ls.cell(name), "jax", jax.numpy.asarray)
        agree(ls.backward(ls.cell(name)), "jax", jax.numpy.asarray)


def test_the_agreement_of_sources_notices_one_wrong_sign():
    torch = pytest.importorskip("torch")
    cell = CELLS["vanilla"]
    with pytest.raises(AssertionError):
        agree(cell, "torch", lambda a: torch.from_numpy(-a))


def test_pytorch_differentiates_its_source_to_the_written_adjoints():
    torch = pytest.importorskip("torch")
    cell = CELLS["peephole"]
    back = PROGRAMS["peephole backward"]
    params, given = arrays(back)
    params = {name: torch.from_numpy(a).requires_grad_() for name, a in params.items()}
    named = dict(
        zip([s.name for s in back.leaves if s not in back.parameters], map(torch.from_numpy, given), strict=True)
    )
    rows = [named[s.name].requires_grad_() for s in cell.leaves if s not in cell.parameters]
    h, c = step_of(cell, "torch")(params, *rows)
    total = ((named["dy"] + named["dh_next"]) * h + named["dc_next"] * c).sum()
    derived = dict(zip(back.outputs, step_of(back, "torch")(params, *named.values()), strict=True))
    leaves = {**params, **dict(zip(["x", "h_prev", "c_prev"], rows, strict=True))}
    for (name, _), gradient in zip(leaves.items(), torch.autograd.grad(total, list(leaves.values())), strict=True):
        np.testing.assert_allclose(derived[f"d{name}"].detach(), gradient, rtol=1e-12, atol=1e-13, err_msg=name)


S = Symbol("s", real=True)


@pytest.mark.parametrize("format", ["numpy", "torch", "jax"])
@pytest.mark.parametrize(
    "function",
    [
        sigmoid(2 * S),
        2 * sigmoid(S) - 1,
        -(S**2) / 3,
        1 / sqrt(S**2 + Rational(1, 10)),
        tanh(S) / (1 + exp(-S)),
        1 - S * (S - 0.5),
        quotient(1 - S, sqrt(S**2 + 1)),
    ],
    ids=str,
)
def test_a_function_of_ones_own_computes_what_it_says(format, function):
    library = {"numpy": "numpy", "torch": "torch", "jax": "jax"}[format]
    module = pytest.importorskip(library)
    cell = CELLS["vanilla"].with_equation("f", apply(Lambda((S,), function), CELLS["vanilla"].symbols["a_f"]))
    params, given = arrays(cell)
    convert = {"numpy": np.asarray, "torch": getattr(module, "from_numpy", None), "jax": np.asarray}[format]
    namespace = {}
    exec(ls.write(cell, format=format, only=["a_f", "f"]), namespace)
    a, f = namespace["step"]({k: convert(v) for k, v in params.items()}, *map(convert, given))
    exact = [float(function.subs(S, value).evalf(20)) for value in np.ravel(np.asarray(a))]
    tolerance = 1e-13 if np.asarray(f).dtype == np.float64 else 1e-5
    np.testing.assert_allclose(np.ravel(np.asarray(f)), exact, rtol=tolerance, atol=tolerance)
    assert step_of(ls.backward(cell), format) is not None


def test_source_returns_what_is_asked_for():
    assert ls.write(CELLS["vanilla"], format="numpy", only=["f"]).rstrip().endswith("return f")


def test_the_functions_of_every_library_are_the_same():
    assert {tuple(sorted(d.functions)) for d in DIALECTS.values()} == {tuple(sorted(DIALECTS["numpy"].functions))}


def test_random_cases_fit_the_written_step():
    params, x, states = random_case(CELLS["vanilla"], n=2, m=3, T=1, B=2, seed=0)
    h, c = step_of(CELLS["vanilla"], "numpy")(params, x[0], *states)
    assert h.shape == c.shape == (2, 3)
