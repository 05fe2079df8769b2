"""What the hand-written layer computes: against loops, differences and PyTorch; and the checks where they must fail."""

import itertools

import numpy as np
import pytest

from lstm_spec.compute import layer as vanilla
from lstm_spec.compute.layer import numpy_layer
from tests.layer_checks import (
    CELLS,
    DEFAULTS,
    LAYOUTS,
    SCALAR,
    SHUFFLED,
    SIZES,
    arrays,
    check_apart,
    check_backward,
    check_forward,
    check_untouched,
    cotangents,
    flat,
)


@pytest.mark.parametrize(("peepholes", "coupled"), CELLS)
def test_forward_is_the_loops(peepholes, coupled):
    for (concat, biases), sizes in itertools.product(LAYOUTS, SIZES):
        options = {"peepholes": peepholes, "coupled": coupled, "concat": concat, "biases": biases}
        check_forward(numpy_layer(**options).forward, options, sizes)


@pytest.mark.parametrize(("peepholes", "coupled"), CELLS)
def test_backward_is_the_differences(peepholes, coupled):
    for concat, biases in [("xh", 1), ("hx", 2), (None, 0)]:
        options = {"peepholes": peepholes, "coupled": coupled, "concat": concat, "biases": biases}
        check_backward(numpy_layer(**options), options, (3, 2, 2, 3))


@pytest.mark.parametrize(("peepholes", "coupled"), [("", None), ("fio", None), ("o", "f=1-i")])
def test_projection_is_the_loops_and_the_differences(peepholes, coupled):
    for concat, biases in LAYOUTS[::2]:
        options = {"peepholes": peepholes, "coupled": coupled, "concat": concat, "biases": biases, "projection": True}
        for sizes in SIZES:
            check_forward(numpy_layer(**options).forward, options, sizes)
        check_backward(numpy_layer(**options), options, (3, 2, 2, 3))


@pytest.mark.parametrize("sizes", SIZES)
def test_backward_at_other_sizes(sizes):
    check_backward(vanilla, {}, sizes)


@pytest.mark.parametrize("key", DEFAULTS)
@pytest.mark.parametrize("name", SCALAR)
def test_every_activation_at_every_place(key, name):
    for peepholes in ("", "fio"):
        options = {"peepholes": peepholes, "activations": {key: name}}
        check_forward(numpy_layer(**options).forward, options, (4, 2, 3, 5))
        check_backward(numpy_layer(**options), options, (2, 2, 2, 3))


@pytest.mark.parametrize(("peepholes", "coupled"), CELLS)
def test_activations_with_every_cell(peepholes, coupled):
    activations = {key: name for key, name in SHUFFLED.items() if not coupled or key != coupled[0]}
    options = {"peepholes": peepholes, "coupled": coupled, "activations": activations}
    check_forward(numpy_layer(**options).forward, options, (4, 2, 3, 5))
    check_backward(numpy_layer(**options), options, (2, 2, 2, 3))


@pytest.mark.parametrize("only", ["dy", "dh", "dc"])
def test_each_cotangent_alone(only):
    check_backward(numpy_layer(peepholes="fio"), {"peepholes": "fio"}, (3, 2, 2, 3), only=(only,))


def test_chunks_of_the_backward_pass_join(monkeypatch):
    options = {"peepholes": "fio"}
    args, out = arrays(options, (7, 2, 3, 4)), cotangents((7, 2, 3, 4))
    whole = flat(numpy_layer(**options).backward(*args, *out))
    monkeypatch.setattr("lstm_spec.compute.layer_backward.CHUNK", 3 * 2 * 4)
    for got, expected in zip(flat(numpy_layer(**options).backward(*args, *out)), whole, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_second_biases_have_the_gradient_of_the_first():
    dparams, *_ = numpy_layer(biases=2).backward(*arrays({"biases": 2}, (3, 2, 2, 3)), *cotangents((3, 2, 2, 3)))
    for gate in "fico":
        np.testing.assert_array_equal(dparams[f"b_{gate}"], dparams[f"bR_{gate}"])


@pytest.mark.parametrize("sizes", [(0, 2, 3, 4), (3, 0, 3, 4)])
def test_no_steps_or_no_rows(sizes):
    args, out = arrays({}, sizes), cotangents(sizes)
    y, h, c = vanilla.forward(*args)
    assert y.shape == (*sizes[:2], 4)
    np.testing.assert_array_equal((h, c), args[2:])
    dparams, dx, dh0, dc0 = vanilla.backward(*args, *out)
    assert dx.shape == sizes[:3]
    assert not any(v.any() for v in dparams.values())
    np.testing.assert_array_equal((dh0, dc0), out[1:])


@pytest.mark.parametrize("sizes", [(1, 3, 4, 5), (9, 3, 4, 4), (12, 2, 3, 70)])
def test_pytorch_agrees(sizes):
    torch = pytest.importorskip("torch")
    n, m = sizes[2:]
    options = {"concat": None, "biases": 2}
    params, x, h0, c0 = arrays(options, sizes)
    params = {name: value / np.sqrt(m) for name, value in params.items()}
    dy, dh, dc = cotangents(sizes)
    module = torch.nn.LSTM(n, m, dtype=torch.float64)
    packed = {"weight_ih_l0": "W", "weight_hh_l0": "R", "bias_ih_l0": "b", "bias_hh_l0": "bR"}
    with torch.no_grad():
        for theirs, ours in packed.items():
            getattr(module, theirs).copy_(torch.tensor(np.concatenate([params[f"{ours}_{g}"] for g in "ifco"])))
    leaves = [torch.tensor(v).requires_grad_() for v in (x, h0[None], c0[None])]
    y, (h, c) = module(leaves[0], tuple(leaves[1:]))
    grads = torch.autograd.grad(
        (y, h, c), [*leaves, *module.parameters()], [torch.tensor(v) for v in (dy, dh[None], dc[None])]
    )
    got = numpy_layer(**options).forward(params, x, h0, c0)
    for ours, theirs in zip(got, (y, h[0], c[0]), strict=True):
        np.testing.assert_allclose(ours, theirs.detach(), rtol=1e-11, atol=1e-13)
    dparams, dx, dh0, dc0 = numpy_layer(**options).backward(params, x, h0, c0, dy, dh, dc)
    expected = dict(zip(["x", "h0", "c0", *(name for name, _ in module.named_parameters())], grads, strict=True))
    for ours, theirs in ((dx, expected["x"]), (dh0, expected["h0"][0]), (dc0, expected["c0"][0])):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    for theirs, ours in packed.items():
        stacked = np.concatenate([dparams[f"{ours}_{g}"] for g in "ifco"])
        np.testing.assert_allclose(stacked, expected[theirs], rtol=1e-10, atol=1e-12)


def test_check_forward_sees_gates_exchanged():
    def exchanged(params, *rest):
        return vanilla.forward(params | {"W_f": params["W_i"], "W_i": params["W_f"]}, *rest)

    with pytest.raises(AssertionError):
        check_forward(exchanged, {}, (2, 1, 2, 2))


@pytest.mark.parametrize("spoilt", range(4))
def test_check_backward_sees_one_wrong_element(spoilt):
    class Wrong:
        def backward(self, *args):
            results = vanilla.backward(*args)
            (results[0]["b_o"] if spoilt == 0 else results[spoilt]).flat[0] += 1e-8
            return results

    with pytest.raises(AssertionError):
        check_backward(Wrong(), {}, (2, 1, 2, 2))


def test_check_untouched_sees_a_write():
    v = np.zeros(3)
    with pytest.raises(AssertionError):
        check_untouched(lambda: v.fill(1), [v])


def test_check_apart_sees_a_view():
    v, w = np.zeros(3), np.zeros(3)
    with pytest.raises(AssertionError):
        check_apart([v[1:]], [v])
    with pytest.raises(AssertionError):
        check_apart([w, w[:2]], [v])
