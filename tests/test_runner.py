"""What networks compute: against the Program of all their steps, by laws, and against the complex step."""

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute.engine import fast_layer, trace
from lstm_spec.compute.runner import runner
from lstm_spec.spec.layers import layers
from tests.networks import (
    NETWORKS,
    arguments,
    cotangents,
    flat,
    mixed,
    unrolled_backward,
    unrolled_forward,
    with_lengths,
)
from tests.tables import OPTIONS

LENGTHS = np.array([4, 1, 2])


def close(got, expected, **tolerance):
    np.testing.assert_allclose(got, expected, **{"rtol": 1e-11, "atol": 1e-12, **tolerance})


def check_against_unrolled(network, run, *, T, B, lengths=None):
    args = arguments(network, T=T, B=B)
    options = {} if lengths is None else {"lengths": lengths}
    y, *final = run.forward(*args[:2], *args[2], **options)
    expected_y, expected = unrolled_forward(network, *args[:2], *args[2], **options)
    close(y, expected_y)
    for got, want in zip(flat(network, final), expected, strict=True):
        close(got, want)
    out = cotangents(network, (y, *final))
    dparams, dx, *initial = run.backward(*args[:2], *args[2], *out, **options)
    expected, expected_dx, expected_initial = unrolled_backward(network, *args[:2], *args[2], *out, **options)
    assert dparams.keys() == args[0].keys()
    for name, d in dparams.items():
        close(d, expected[name], err_msg=name)
    close(dx, expected_dx)
    for got, want in zip(flat(network, initial), expected_initial, strict=True):
        close(got, want)


@pytest.mark.parametrize("key", NETWORKS)
def test_a_network_is_the_program_of_all_its_steps(key):
    for T in (1, 3):
        check_against_unrolled(NETWORKS[key], runner(NETWORKS[key]), T=T, B=2)


@pytest.mark.parametrize("past_length", ["zero", "repeat", "freeze", "any"])
@pytest.mark.parametrize("key", ["one layer", "reverse", "go_backwards", "average", "last", "mixed"])
def test_lengths_are_the_program_of_all_steps(key, past_length):
    network = with_lengths(NETWORKS[key], past_length)
    check_against_unrolled(network, runner(network), T=4, B=3, lengths=LENGTHS)


class Spoilt:
    """A runner with one thing changed in what it returns."""

    def __init__(self, network, change):
        self.inner, self.change = runner(network), change

    def forward(self, *args, **options):
        return self.change(self.inner.forward(*args, **options))

    def backward(self, *args, **options):
        return self.inner.backward(*args, **options)


@pytest.mark.parametrize(
    "change",
    [
        lambda out: (out[0][..., ::-1], *out[1:]),
        lambda out: (out[0], out[1][[1, 0, 2, 3]], out[2]),
        lambda out: (out[0][::-1], *out[1:]),
    ],
)
def test_the_comparison_sees_what_is_in_another_place(change):
    network = layers("lstm", count=2, bidirectional=True)
    with pytest.raises(AssertionError):
        check_against_unrolled(network, Spoilt(network, change), T=3, B=2)


@pytest.mark.parametrize("key", NETWORKS)
def test_gradients_are_the_complex_step(key):
    network = NETWORKS[key]
    params, x, states = arguments(network, T=3, B=2)
    run = runner(network)
    out = cotangents(network, run.forward(params, x, *states))
    dparams, dx, *initial = run.backward(params, x, *states, *out)
    rng = np.random.default_rng(5)
    step = 1e-30j
    at = flat(network, states)
    ways = [rng.standard_normal(s.shape) for s in at]
    dp = {name: rng.standard_normal(p.shape) for name, p in params.items()}
    way_x = rng.standard_normal(x.shape)
    moved = [s + step * w for s, w in zip(at, ways, strict=True)]
    y, *final = run.forward(
        {name: p + step * dp[name] for name, p in params.items()}, x + step * way_x, *run.stacked(moved)
    )
    loss = (out[0] * y).sum() + sum(
        (d * f).sum() for d, f in zip(flat(network, out[1:]), flat(network, final), strict=True)
    )
    expected = loss.imag / 1e-30
    got = (
        sum((dparams[name] * w).sum() for name, w in dp.items())
        + (dx * way_x).sum()
        + sum((d * w).sum() for d, w in zip(flat(network, initial), ways, strict=True))
    )
    close(got, expected)


def test_a_stack_is_its_layers_one_after_the_other():
    network = layers("gru", count=2)
    params, x, (h0,) = arguments(network, T=4, B=2)
    one, below = layers("gru"), x
    for k in (0, 1):
        own = {name.removeprefix(f"l{k}."): p for name, p in params.items() if name.startswith(f"l{k}.")}
        below, h = runner(one).forward(own, below, h0[k])
        close(runner(network).forward(params, x, h0)[1][k], h, rtol=0, atol=0)
    close(runner(network).forward(params, x, h0)[0], below, rtol=0, atol=0)


def test_reverse_is_flip_forward_flip_and_both_are_the_halves():
    both = layers(bidirectional=True)
    params, x, (h0, c0) = arguments(both, T=5, B=2)
    y, h, _ = runner(both).forward(params, x, h0, c0)
    ahead, back = ({n.partition(".")[2]: p for n, p in params.items() if n.startswith(k)} for k in ("l0.", "l0r."))
    forward = runner(layers()).forward
    flipped = forward(back, x[::-1], h0[1], c0[1])
    plain = forward(ahead, x, h0[0], c0[0])
    close(y, np.concatenate([plain[0], flipped[0][::-1]], axis=-1), rtol=0, atol=0)
    close(h, np.stack([plain[1], flipped[1]]), rtol=0, atol=0)
    reverse = runner(layers(direction="reverse")).forward(back, x, h0[1], c0[1])
    close(reverse[0], flipped[0][::-1], rtol=0, atol=0)
    # Exchanging the directions and turning time around exchanges the halves.
    swapped = {f"l0.{n}": p for n, p in back.items()} | {f"l0r.{n}": p for n, p in ahead.items()}
    other = runner(both).forward(swapped, x[::-1], h0[::-1], c0[::-1])[0][::-1]
    close(other, np.concatenate([y[..., 4:], y[..., :4]], axis=-1), rtol=0, atol=0)


def test_a_sequence_may_be_cut_and_its_states_carried():
    network = layers("peephole", count=2)
    run = runner(network)
    params, x, states = arguments(network, T=7, B=2)
    whole = run.forward(params, x, *states)
    out = cotangents(network, whole)
    first, *between = run.forward(params, x[:3], *states)
    second, *final = run.forward(params, x[3:], *between)
    close(np.concatenate([first, second]), whole[0])
    for got, want in zip(final, whole[1:], strict=True):
        close(got, want)
    later = run.backward(params, x[3:], *between, out[0][3:], *out[1:])
    earlier = run.backward(params, x[:3], *states, out[0][:3], *later[2:])
    expected = run.backward(params, x, *states, *out)
    for name, d in expected[0].items():
        close(earlier[0][name] + later[0][name], d)
    close(np.concatenate([earlier[1], later[1]]), expected[1])


def test_causality_of_each_direction():
    for direction, seen, unseen in (("forward", slice(0, 3), slice(3, None)), ("reverse", slice(3, None), slice(0, 3))):
        network = layers(count=2, direction=direction)
        params, x, states = arguments(network, T=6, B=1)
        other = x.copy()
        other[unseen] += 1
        run = runner(network)
        close(run.forward(params, x, *states)[0][seen], run.forward(params, other, *states)[0][seen], rtol=0, atol=0)
        y, *final = run.forward(params, x, *states)
        dy = np.zeros_like(y)
        dy[seen] = 1
        assert not run.backward(params, x, *states, dy, *(0 * f for f in final))[1][unseen].any()


@pytest.mark.parametrize("past_length", ["zero", "repeat", "freeze"])
def test_padding_is_irrelevant_and_rows_are_their_own_sequences(past_length):
    network = with_lengths(mixed(), past_length)
    run, alone = runner(network), runner(mixed())
    params, x, states = arguments(network, T=4, B=3)
    y, *final = run.forward(params, x, *states, lengths=LENGTHS)
    noise = x.copy()
    for b, length in enumerate(LENGTHS):
        noise[length:, b] = np.nan
    if past_length == "zero":
        close(run.forward(params, noise, *states, lengths=LENGTHS)[0], y, rtol=0, atol=0)
    for b, length in enumerate(LENGTHS):
        y_row, *final_row = alone.forward(params, x[:length, b : b + 1], *(s[b : b + 1] for s in states))
        close(y[:length, b : b + 1], y_row)
        for got, want in zip(flat(network, final), flat(network, final_row), strict=True):
            close(got[b : b + 1], want)
        if past_length == "zero":
            assert not y[length:, b].any()


def test_what_stands_past_a_length():
    for direction in ("forward", "reverse"):
        params, x, (h0,) = arguments(layers("rnn"), T=4, B=3)
        y = {}
        for past in ("zero", "repeat", "freeze"):
            network = layers("rnn", direction=direction, past_length=past)
            y[past], h = runner(network).forward(params, x, h0, lengths=LENGTHS)
        last = y["zero"][LENGTHS - 1, range(3)]
        close(h, last if direction == "forward" else y["zero"][0])
        for b, length in enumerate(LENGTHS):
            assert (y["zero"][length:, b] == 0).all()
            assert (y["repeat"][length:, b] == (last[b] if direction == "forward" else 0)).all()
            assert (y["freeze"][length:, b] == (last[b] if direction == "forward" else h0[b])).all()


def test_a_row_of_length_0_keeps_its_states_and_gives_no_gradient():
    network = layers(count=2, past_length="zero")
    run = runner(network)
    params, x, states = arguments(network, T=3, B=2)
    y, h, c = run.forward(params, x, *states, lengths=np.array([0, 3]))
    close((h[:, 0], c[:, 0]), [s[:, 0] for s in states], rtol=0, atol=0)
    _, dx, dh0, _ = run.backward(params, x, *states, y, h, c, lengths=np.array([0, 3]))
    assert not dx[:, 0].any()
    close(dh0[:, 0], h[:, 0], rtol=0, atol=0)


def test_the_batch_is_rows_side_by_side():
    network = with_lengths(NETWORKS["projected, bidirectional"], "zero")
    run = runner(network)
    params, x, states = arguments(network, T=4, B=3)
    out = cotangents(network, run.forward(params, x, *states, lengths=LENGTHS))
    whole = run.backward(params, x, *states, *out, lengths=LENGTHS)
    order = [2, 0, 1]
    turned = run.backward(
        params, x[:, order], *(s[:, order] for s in states), *(d[:, order] for d in out), lengths=LENGTHS[order]
    )
    close(turned[1], whole[1][:, order])
    total = dict.fromkeys(params, 0)
    for b in range(3):
        rows = slice(b, b + 1)
        part = run.backward(
            params, x[:, rows], *(s[:, rows] for s in states), *(d[:, rows] for d in out), lengths=LENGTHS[rows]
        )
        total = {name: total[name] + d for name, d in part[0].items()}
    for name, d in whole[0].items():
        close(turned[0][name], d)
        close(total[name], d)


def test_learned_and_zero_initial_states():
    given = layers("gru", count=2, bidirectional=True)
    learned = layers("gru", count=2, bidirectional=True, initial="learned")
    zero = layers("gru", count=2, bidirectional=True, initial="zero")
    params, x, _ = arguments(learned, T=3, B=2)
    own = {name: p for name, p in params.items() if not name.endswith("h0")}
    h0 = np.stack([np.tile(params[f"{key}.h0"], (2, 1)) for key in ("l0", "l0r", "l1", "l1r")])
    y, h = runner(learned).forward(params, x)
    close(y, runner(given).forward(own, x, h0)[0], rtol=0, atol=0)
    close(runner(zero).forward(own, x)[0], runner(given).forward(own, x, 0 * h0)[0], rtol=0, atol=0)
    dparams, dx = runner(learned).backward(params, x, y, h)
    _, expected_dx, dh0 = runner(given).backward(own, x, h0, y, h)
    close(dx, expected_dx, rtol=0, atol=0)
    close([dparams[f"{key}.h0"] for key in ("l0", "l0r", "l1", "l1r")], dh0.sum(axis=1))
    assert dparams.keys() == params.keys()
    close(runner(zero).backward(own, x, y, h)[0]["l0.W_u"], runner(given).backward(own, x, 0 * h0, y, h)[0]["l0.W_u"])


@pytest.mark.parametrize("initial", ["given", "learned", "zero"])
def test_a_sequence_is_carried_on_from_piece_to_piece(initial):
    network = layers("peephole", hidden=(2, "m"), initial=initial)
    run = runner(network)
    params, x, states = arguments(network, T=7, B=2)
    given = states if initial == "given" else ()
    y, *final = run.forward(params, x, *given)
    pieces = list(run.carried(params, np.split(x, [1, 4, 4]), *given))
    close(np.concatenate([piece[0] for piece in pieces]), y)
    for got, want in zip(pieces[-1][1:], final, strict=True):
        close(got, want)
    assert not np.allclose(run.forward(params, x[4:], *given)[0], y[4:])


def test_a_reverse_direction_is_carried_too_but_has_not_seen_what_follows():
    network = layers("rnn", direction="reverse")
    params, x, states = arguments(network, T=4, B=2)
    first, second = runner(network).carried(params, np.split(x, 2), *states)
    close(second[0], runner(network).forward(params, x[2:], first[1])[0])
    assert not np.allclose(first[0], runner(network).forward(params, x, *states)[0][:2])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_hand_written_layer_is_found_for_what_it_covers(options):
    layer = fast_layer(ls.lstm(**options))
    assert layer is not None
    own = layer.options
    got = {"peepholes": own.peepholes, "coupled": own.coupled, "concat": own.concat, "biases": own.biases}
    assert got == {key: options[key] for key in got}
    assert {k: own.activations.get(k) for k in options.get("activations", {})} == options.get("activations", {})


OTHERS = ("nig", "nfg", "fgr", "layer_norm", "zoneout", "dropout", "deep", "gru", "rnn", "lstm_1997")


@pytest.mark.parametrize("name", OTHERS)
def test_other_cells_are_stepped(name):
    assert fast_layer(ls.cell(name)) is None


@pytest.mark.parametrize("name", ["lstm", "peephole", "cifg", "noaf", "lstmp", "lstmp_peephole"])
def test_the_layer_and_the_compiled_steps_agree(name):
    cell = ls.cell(name)
    params, x, states = arguments(layers(cell), T=6, B=3)
    assert fast_layer(cell) is not None
    fast = trace(cell, params, x, states, keep=True)
    # The layer has no complex numbers, so these take the other way.
    wide = {name: p.astype(complex) for name, p in params.items()}
    stepped = trace(cell, wide, x.astype(complex), tuple(s.astype(complex) for s in states), keep=True)
    close(fast.y, stepped.y.real)
    dy, dh, dc = cotangents(layers(cell), (fast.y, *fast.states))
    one, other = fast.pull(dy, dh, dc), stepped.pull(dy, dh, dc)
    close(one.x, other.x.real)
    for name, d in one.params.items():
        close(d, other.params[name].real)


def _args(**options):
    network = layers(count=2, **options)
    return runner(network), *arguments(network, T=3, B=2)


REFUSED = [
    (lambda r, p, x, s: r.forward(p, x[0], *s), "x must have the shape (T, B, n), got (2, 3)"),
    (lambda r, p, x, s: r.forward(p, x, s[0]), "takes 2 initial states (h, c), got 1"),
    (lambda r, p, x, s: r.forward(p, x, s[0][:1], s[1]), "h of 2-layer lstm has 2 parts (l0.h, l1.h), got 1"),
    (lambda r, p, x, s: r.forward(p, x, s[0][:, :1], s[1]), "l0.h0 must have the shape (2, 4), got (1, 4)"),
    (lambda r, p, x, s: r.forward(p | {"W": x}, x, *s), "must have the names of 2-layer lstm; they differ in W"),
    (lambda r, p, x, s: r.forward(p | {"l1.W_f": x[0]}, x, *s), "l1.W_f must have the shape (4, 8), got (2, 3)"),
    (lambda r, p, x, s: r.forward(p, x[..., :2], *s), "x has 2 entries at a step, but the parameters are for n=3"),
    (lambda r, p, x, s: r.forward(p, x, *s, lengths=[1, 2]), "has no lengths; make it with past_length"),
    (lambda r, p, x, s: r.backward(p, x, *s), "takes 2 initial states, dy and 2 cotangents of final states, got 2"),
    (lambda r, p, x, s: r.backward(p, x, *s, x, *s), "dy must have the shape (3, 2, 4), got (3, 2, 3)"),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED)
def test_arguments_that_do_not_fit_are_refused_in_one_sentence(call, sentence):
    with pytest.raises(ls.DimensionError) as caught:
        call(*_args())
    assert sentence in str(caught.value)


@pytest.mark.parametrize("lengths", [[0, 4], [-1, 2], [1.5, 2.0], [float("nan"), 1]])
def test_lengths_that_cannot_be_are_refused(lengths):
    run, params, x, states = _args(past_length="zero")
    with pytest.raises(ls.DimensionError, match="lengths are whole numbers from 0 to T=3"):
        run.forward(params, x, *states, lengths=lengths)


def test_arguments_are_not_changed_and_results_are_new():
    run, params, x, states = _args(past_length="zero")
    kept = [a.copy() for a in (*params.values(), x, *states)]
    out = run.forward(params, x, *states, lengths=np.array([3, 1]))
    run.backward(params, x, *states, *out, lengths=np.array([3, 1]))
    for a, before in zip((*params.values(), x, *states), kept, strict=True):
        np.testing.assert_array_equal(a, before)
