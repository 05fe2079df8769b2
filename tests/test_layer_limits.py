"""Limits in the hand-written layer: against loops, differences and compiled steps, at the limits themselves too."""

import itertools

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute import engine
from lstm_spec.compute.layer import numpy_layer
from lstm_spec.compute.runner import runner
from lstm_spec.spec.layers import layers
from tests.layer_checks import CELLS, SIZES, arrays, check_backward, check_forward, flat
from tests.networks import arguments, cotangents

LIMITS = [{"a": 0.7}, {"c": 0.6}, {"a": 0.5, "c": 0.5}, {"a": 0.6, "c": 0.5, "p": 0.3}]
OTHERS = [{}, {"activations": {"c": "identity", "o": "hard_sigmoid", "h": "sigmoid"}}]
TABLE = [
    {"peepholes": peepholes, "coupled": coupled, "projection": projection, "clip": clip, **others}
    for (peepholes, coupled), projection, clip, others in itertools.product(CELLS, (False, True), LIMITS, OTHERS)
    if projection or "p" not in clip
]
LENGTHS = np.array([4, 1, 2])


@pytest.mark.parametrize("clip", LIMITS, ids=str)
def test_limits_are_the_loops_and_the_differences(clip):
    for peepholes, coupled in CELLS:
        options = {"peepholes": peepholes, "coupled": coupled, "projection": "p" in clip, "clip": clip}
        for sizes in SIZES:
            check_forward(numpy_layer(**options).forward, options, sizes)
        check_backward(numpy_layer(**options), options, (3, 2, 2, 3))


def steps_compiled(monkeypatch, call):
    """Return what a call gives where the engine has no layer by hand."""
    with monkeypatch.context() as patched:
        patched.setattr(engine, "fast_layer", lambda cell: None)
        return call()


def both_ways(monkeypatch, network, params, x, states, **options):
    """Return outputs and gradients, by the layer and by the compiled steps."""
    run = runner(network)

    def call():
        outputs = run.forward(params, x, *states, **options)
        dparams, *others = run.backward(params, x, *states, *cotangents(network, outputs), **options)
        return [*outputs, *dparams.values(), *others]

    return call(), steps_compiled(monkeypatch, call)


def check_equal(ones, others):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


WAYS = [("forward", None), ("forward", "zero"), ("reverse", "freeze")]


def check_the_layer_is_the_compiled_steps(monkeypatch, direction, past_length, rows):
    options = {} if past_length is None else {"lengths": LENGTHS}
    for row in rows:
        cell = ls.lstm(**row)
        layer = engine.fast_layer(cell)
        assert layer is not None, row
        assert layer.options.clip == row["clip"]
        network = layers(cell, direction=direction, past_length=past_length)
        check_equal(*both_ways(monkeypatch, network, *arguments(network, T=4, B=3), **options))


@pytest.mark.parametrize("way", WAYS)
def test_the_layer_is_the_compiled_steps(monkeypatch, way):
    check_the_layer_is_the_compiled_steps(monkeypatch, *way, TABLE[WAYS.index(way) :: 7])


@pytest.mark.catalogue
@pytest.mark.parametrize("way", WAYS)
def test_the_layer_is_the_compiled_steps_for_every_row(monkeypatch, way):
    check_the_layer_is_the_compiled_steps(monkeypatch, *way, TABLE)


def at_a_limit(what, sign):
    """Return a network and arguments with every limited number at ±1/2, and the gradient that passes the limit.

    Without weights f = i = o = 1/2 and c̃ = 0, so that c is half of c0, and with h = id the projection adds up c0 / 4.
    """
    network = layers(ls.lstm(projection=True, clip={what: 0.5}, activations={"h": "identity"}))
    params, x, (h0, c0) = arguments(network, T=1, B=2)
    zero = {name: 0 * p for name, p in params.items()}
    biases = {f"b_{gate}": np.full(4, sign * 0.5) for gate in "fico"}
    params, c0, shown = {
        "a": (zero | biases | {"W_p": params["W_p"]}, c0, "b_o"),
        "c": (zero | {"W_p": params["W_p"]}, np.full_like(c0, sign), "c0"),
        "p": (zero | {"W_p": np.ones((2, 4))}, np.full_like(c0, sign * 0.5), "W_p"),
    }[what]
    return network, (params, x, (h0, c0)), shown


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("what", ["a", "c", "p"])
def test_at_a_limit_the_derivative_is_that_of_the_specification(monkeypatch, what, sign):
    network, (params, x, states), shown = at_a_limit(what, sign)
    check_equal(*both_ways(monkeypatch, network, params, x, states))
    out = cotangents(network, runner(network).forward(params, x, *states))
    dparams, *_, dc0 = runner(network).backward(params, x, *states, *out)
    assert {**dparams, "c0": dc0}[shown].any() == (sign > 0)


def test_another_limit_would_be_seen(monkeypatch):
    ours, theirs = (layers(ls.lstm(clip={"c": limit})) for limit in (0.6, 0.61))
    args = arguments(ours, T=4, B=3)
    with pytest.raises(AssertionError):
        check_equal(both_ways(monkeypatch, ours, *args)[0], both_ways(monkeypatch, theirs, *args)[1])


@pytest.mark.parametrize("clip", [{}, {"a": 0.5, "c": 0.5}], ids=str)
def test_nan_reaches_only_its_row_and_later_steps(clip):
    params, x, h0, c0 = arrays({}, (5, 3, 2, 4))
    x[2, 1, 0] = np.nan
    y, *_ = numpy_layer(clip=clip).forward(params, x, h0, c0)
    assert np.isnan(y[2:, 1]).all()
    assert np.isfinite(y[:2]).all()
    assert np.isfinite(y[:, [0, 2]]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.longdouble])
def test_limits_keep_the_dtype_and_what_they_are_given(dtype):
    options = {"projection": True, "peepholes": "fio", "clip": {"a": 0.5, "c": 0.5, "p": 0.1}}
    args = arrays(options, (3, 2, 2, 4), dtype=dtype)
    before = [a.copy() for a in flat(args)]
    layer = numpy_layer(**options)
    outputs = layer.forward(*args)
    results = flat([*outputs, *layer.backward(*args, *(np.ones_like(o) for o in outputs))])
    assert {r.dtype for r in results} == {np.dtype(dtype)}
    for after, kept in zip(flat(args), before, strict=True):
        np.testing.assert_array_equal(after, kept)
    assert np.abs(outputs[0]).max() == dtype(0.1)
