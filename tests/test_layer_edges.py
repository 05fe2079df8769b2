"""The layer at the edges of its formats, and in its manners towards its caller."""

import warnings

import mpmath
import numpy as np
import pytest

from lstm_spec.compute import layer as vanilla
from lstm_spec.compute.layer import numpy_layer
from lstm_spec.compute.layer_activations import ACTIVATIONS
from lstm_spec.compute.layer_forward import run
from tests.layer_checks import CELLS, SHUFFLED, arrays, check_apart, check_untouched, cotangents, flat

FORMATS = [np.float16, np.float32, np.float64, np.longdouble]


def sigmoid(z):
    out = -z
    run(ACTIVATIONS["sigmoid"].value(out, out, np.ones((), z.dtype)))
    return out


def worst_relative_error(f, z):
    """In units of the format's last place; z stays where σ is a normal number."""
    with mpmath.workdps(40):
        exact = [1 / (1 + mpmath.exp(-mpmath.mpf(str(v)))) for v in z]
        worst = max(abs(mpmath.mpf(str(got)) / e - 1) for got, e in zip(f(z), exact, strict=True))
    return float(worst) / float(np.finfo(z.dtype).eps)


@pytest.mark.parametrize(("dtype", "reach"), [(np.float32, 87), (np.float64, 708), (np.longdouble, 11000)])
def test_sigma_is_accurate_in_both_tails(dtype, reach):
    z = np.concatenate([np.linspace(-reach, reach, 301), np.linspace(-3, 3, 301)]).astype(dtype)
    z = np.round(z * 64) / 64
    assert worst_relative_error(sigmoid, z) < 3


def test_the_tanh_form_of_sigma_would_be_seen():
    assert worst_relative_error(lambda z: np.tanh(z / 2) / 2 + 0.5, np.array([-40.0])) > 1e10


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("value", [1000, -1000])
def test_saturation_is_exact_and_silent(dtype, value):
    params, x, h0, c0 = arrays({}, (3, 2, 2, 3), dtype=dtype)
    value *= 20 if dtype is np.longdouble else 1  # σ(-1000) is a normal number there
    params = {name: np.full_like(v, value if name[0] == "b" else 0) for name, v in params.items()}
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error")
        y, _, c = vanilla.forward(params, x, h0, c0)
        grads = flat(vanilla.backward(params, x, h0, c0, *cotangents((3, 2, 2, 3), dtype=dtype)))
    np.testing.assert_array_equal(c, c0 + dtype(1) + dtype(1) + dtype(1) if value > 0 else np.zeros_like(c0))
    np.testing.assert_array_equal(y[-1], np.tanh(c))
    assert all(np.isfinite(g).all() for g in grads)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1000.0, -1000.0])
def test_activations_meet_the_extremes_silently(name, value):
    limits = {
        "sigmoid": (0, 1), "tanh": (-1, 1), "hard_sigmoid": (0, 1), "hard_sigmoid_onnx": (0, 1), "softsign": (-1, 1),
        "relu": (0, value), "identity": (value, value), "softplus": (0, value),
    }  # fmt: skip
    expected = np.nan if np.isnan(value) else limits[name][int(value > 0)]
    activation, one = ACTIVATIONS[name], np.ones(())
    y, slope = np.full(3, activation.sign * value), np.empty(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(activation.value(y, y, one))
        run(activation.slope(y, slope, one))
    np.testing.assert_allclose(y, np.full(3, expected), rtol=1.1e-3, atol=0)


def test_nan_reaches_only_its_row_and_later_steps():
    params, x, h0, c0 = arrays({}, (5, 3, 2, 4))
    clean, *_ = vanilla.forward(params, x, h0, c0)
    x[2, 1, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y, *_ = vanilla.forward(params, x, h0, c0)
    assert np.isnan(y[2:, 1]).all()
    np.testing.assert_array_equal(y[:2], clean[:2])
    np.testing.assert_array_equal(y[:, [0, 2]], clean[:, [0, 2]])


def test_zero_parameters_halve_c_bit_for_bit():
    params, x, h0, c0 = arrays({}, (4, 2, 3, 5))
    y, _, c = vanilla.forward({name: 0 * v for name, v in params.items()}, x, h0, c0)
    np.testing.assert_array_equal(c, c0 / 16)
    np.testing.assert_array_equal(y[-1], np.tanh(c) / 2)


@pytest.mark.parametrize("dtype", FORMATS)
def test_the_dtype_of_the_input_is_the_dtype_of_the_result(dtype):
    for activations in ({}, SHUFFLED, {"c": "relu", "h": "identity"}):
        options = {"peepholes": "fio", "activations": activations}
        args, out = arrays(options, (3, 2, 2, 3), dtype=dtype), cotangents((3, 2, 2, 3), dtype=dtype)
        results = flat([*numpy_layer(**options).forward(*args), *numpy_layer(**options).backward(*args, *out)])
        assert {v.dtype for v in results} == {np.dtype(dtype)}


@pytest.mark.parametrize(("peepholes", "coupled"), CELLS)
def test_inputs_stay_and_outputs_are_new(peepholes, coupled):
    options = {"peepholes": peepholes, "coupled": coupled, "concat": None, "biases": 2}
    layer, args, out = numpy_layer(**options), arrays(options, (3, 1, 4, 4)), cotangents((3, 1, 4, 4))
    inputs = flat([*args, *out])
    results = []
    check_untouched(lambda: results.extend(flat([*layer.forward(*args), *layer.backward(*args, *out)])), inputs)
    check_apart(results, inputs)


def test_any_memory_layout_gives_the_same():
    (params, x, h0, c0), (dy, dh, dc) = arrays({}, (4, 3, 2, 5)), cotangents((4, 3, 2, 5))
    strange = [np.repeat(np.asfortranarray(v), 2, axis=0)[::2] for v in (x, h0, c0, dy, dh, dc)]
    expected = flat(vanilla.backward(params, x, h0, c0, dy, dh, dc))
    got = flat(vanilla.backward({k: np.asfortranarray(v) for k, v in params.items()}, *strange))
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("options", [{}, {"peepholes": "fio"}, {"coupled": "f=1-i", "activations": {"o": "relu"}}])
def test_a_used_workspace_gives_what_a_fresh_one_gives(options):
    sizes = T, B, n, m = 5, 2, 3, 4
    layer = numpy_layer(**options)
    workspace = layer.workspace(T=T, B=B, n=n, m=m, dtype=np.float64)
    small = layer.workspace(T=T, B=B, n=n, m=m, dtype=np.float64, backward=False)
    kept = []
    for seed in (3, 4):
        args, out = arrays(options, sizes, seed=seed), cotangents(sizes, seed=seed + 10)
        results = flat([*workspace.forward(*args), *workspace.backward(*out)])
        again = flat([*small.forward(*args), *workspace.backward(*out)])
        fresh = flat([*layer.forward(*args), *layer.backward(*args, *out)])
        kept.append((results, [v.copy() for v in results]))
        for first, second, expected in zip(results, again, fresh, strict=True):
            np.testing.assert_array_equal(first, expected)
            np.testing.assert_array_equal(second, expected)
    for results, copies in kept:
        for result, copy in zip(results, copies, strict=True):
            np.testing.assert_array_equal(result, copy)


def test_backward_wants_its_forward_first():
    for keep in (True, False):
        workspace = numpy_layer().workspace(T=2, B=1, n=1, m=1, dtype=np.float64, backward=keep)
        with pytest.raises(RuntimeError, match="needs a forward pass"):
            workspace.backward(*cotangents((2, 1, 1, 1)))


WRONG = {
    "x": (lambda a: a | {"x": a["x"][0]}, r"x must have the shape \(T, B, n\), got \(2, 3\)"),
    "h0": (lambda a: a | {"h0": a["h0"][0]}, r"h0 must have the shape \(B, m\), got \(5,\)"),
    "batch": (lambda a: a | {"h0": a["h0"][:1]}, r"h0 must have the shape \(2, 5\), got \(1, 5\)"),
    "c0": (lambda a: a | {"c0": a["c0"].T}, r"c0 must have the shape \(2, 5\), got \(5, 2\)"),
    "W": (lambda a: a | {"W_o": a["W_o"].T}, r"W_o must have the shape \(5, 8\), got \(8, 5\)"),
    "b": (lambda a: a | {"b_i": a["b_i"][:, None]}, r"b_i must have the shape \(5,\), got \(5, 1\)"),
    "missing": (lambda a: {k: v for k, v in a.items() if k != "b_c"}, r"keys .* they differ in b_c$"),
    "unknown": (lambda a: a | {"p_f": a["b_f"]}, r"keys .* they differ in p_f$"),
    "dy": (lambda a: a | {"dy": a["dy"][:1]}, r"dy must have the shape \(3, 2, 5\), got \(1, 2, 5\)"),
    "dc": (lambda a: a | {"dc": a["dc"].astype("f")}, r"dc must have the dtype float64, got float32"),
    "dtype": (lambda a: a | {"W_f": a["W_f"].astype("f")}, r"W_f must have the dtype float64, got float32"),
    "integers": (lambda a: a | {"x": a["x"].astype(int)}, r"x must have a floating-point dtype, got int64"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_array_is_named(case):
    spoil, message = WRONG[case]
    names = ["x", "h0", "c0", "dy", "dh", "dc"]
    params, *rest = [*arrays({}, (3, 2, 3, 5)), *cotangents((3, 2, 3, 5))]
    spoilt = spoil({**params, **dict(zip(names, rest, strict=True))})
    rest = [spoilt.pop(name) for name in names]
    with pytest.raises(ValueError, match=message):
        vanilla.backward(spoilt, *rest)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"peepholes": "c"}, "peepholes must name each of the gates f, i, o at most once, got 'c'"),
        ({"peepholes": "ff"}, "at most once"),
        ({"coupled": "f=i"}, "coupled must be one of None, 'f=1-i', 'i=1-f', got 'f=i'"),
        ({"coupled": "f=1-i", "peepholes": "fo"}, "peepholes must leave out 'f'"),
        ({"coupled": "i=1-f", "activations": {"i": "relu"}}, "activations must leave out 'i'"),
        ({"concat": "x"}, "concat must be one of 'xh', 'hx', None, got 'x'"),
        ({"biases": 3}, "biases must be one of 0, 1, 2, got 3"),
        ({"activations": {"z": "relu"}}, "a key of activations must be one of"),
        ({"activations": {"c": "sin"}}, r"activations\['c'\] must be one of 'sigmoid', .* got 'sin'"),
        ({"clip": {"h": 1.0}}, "a key of clip must be one of 'a', 'c', 'p', got 'h'"),
        ({"clip": {"c": -1.0}}, r"clip\['c'\] must be a positive limit, got -1.0"),
        ({"clip": {"p": 1.0}}, 'clip must leave out "p", the projection, where projection is False'),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        numpy_layer(**options)
