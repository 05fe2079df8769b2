"""Runs as people save and ask about them: weights of one kind, an output of another, and what lies between them.

Every situation is a function of a generator of random numbers that returns the arrays of a recorded run, as
``diagnose`` takes them. What computes them is PyTorch, Keras or ONNX Runtime where the mistake is one in their use,
and else twenty lines of NumPy that share no code with the package.
"""

from functools import partial

import numpy as np

F, I, C, O = range(4)  # noqa: E741


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def hard(slope):
    return lambda a: np.clip(slope * a + 0.5, 0, 1)


def by_hand(W, R, b, x, h=None, c=None, *, order="ifco", gate=sigmoid, squash=np.tanh, add=0.0, peep=None, cifg=False):
    """Run packed weights (4m, n), (4m, m), (4m) over x (T, B, n); returns y, h, c."""
    m = R.shape[1]
    h = np.zeros((x.shape[1], m)) if h is None else h
    c = np.zeros((x.shape[1], m)) if c is None else c
    peep = peep or {"i": 0, "f": 0, "o": 0}
    y = []
    for x_t in x:
        a = dict(zip(order, np.split(x_t @ W.T + h @ R.T + b, 4, axis=1), strict=True))
        i, f = gate(a["i"] + peep["i"] * c), gate(a["f"] + add + peep["f"] * c)
        c = (1 - i if cifg else f) * c + i * squash(a["c"])
        h = gate(a["o"] + peep["o"] * c) * squash(c)
        y.append(h)
    return np.stack(y), h, c


def numbers(rng, *shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def torch_weights(rng, n=3, m=4, **options):
    """A state_dict of nn.LSTM with weights large enough to matter."""
    suffix = "_l0"
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    shapes = ((4 * m, n), (4 * m, m), (4 * m,), (4 * m,))
    return {name + suffix: numbers(rng, *shape, scale=0.6) for name, shape in zip(names, shapes, strict=True)}


def keras_weights(rng, n=3, m=4):
    shapes = {"kernel": (n, 4 * m), "recurrent_kernel": (m, 4 * m), "bias": (4 * m,)}
    return {name: numbers(rng, *shape, scale=0.6) for name, shape in shapes.items()}


def onnx_weights(rng, n=3, m=4, peepholes=False):
    shapes = {"W": (1, 4 * m, n), "R": (1, 4 * m, m), "B": (1, 8 * m)} | ({"P": (1, 3 * m)} if peepholes else {})
    return {name: numbers(rng, *shape, scale=0.6) for name, shape in shapes.items()}


def module(weights, x, h=None, c=None, **options):
    """Run torch.nn.LSTM with a state_dict."""
    import torch

    n = weights["weight_ih_l0"].shape[1]
    m = weights["weight_hh_l0"].shape[1]
    network = torch.nn.LSTM(n, m, **options)
    network.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(w)) for name, w in weights.items()})
    states = None if h is None else (torch.from_numpy(h)[None], torch.from_numpy(c)[None])
    with torch.no_grad():
        y, (h, c) = network(torch.from_numpy(x), states)
    return y.numpy(), h.numpy(), c.numpy()


def layer(weights, x, **options):
    """Run keras.layers.LSTM."""
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    m = weights["recurrent_kernel"].shape[0]
    lstm = keras.layers.LSTM(m, return_sequences=True, **options)
    lstm.build(x.shape)
    lstm.set_weights(list(weights.values()))
    return np.asarray(keras.ops.convert_to_numpy(lstm(x)))


def operator(weights, x, **attributes):
    """Run the operator LSTM in ONNX Runtime."""
    import onnxruntime
    from onnx import TensorProto, helper

    names = ["X", "W", "R", "B", *(["", "", "", "P"] if "P" in weights else [])]
    m = weights["R"].shape[2]
    node = helper.make_node("LSTM", names, ["Y", "Y_h", "Y_c"], hidden_size=m, **attributes)
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list(a.shape)) for name, a in {"X": x, **weights}.items()
    ]
    wanted = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("Y", "Y_h", "Y_c")]
    graph = helper.make_graph([node], "lstm", given, wanted)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    y, h, c = session.run(None, {"X": x, **weights})
    return y, h, c


def packed(weights):
    """W, R, b of a state_dict, biases added."""
    W, R, b, bR = weights.values()
    return W, R, b + bR


def permuted(weights, order):
    """Weights with blocks of gates in another order."""
    return {name: w.reshape(4, -1, *w.shape[1:])[list(order)].reshape(w.shape) for name, w in weights.items()}


def gate_order(rng):
    """PyTorch's weights put into an ONNX graph as they are."""
    w, x = torch_weights(rng), numbers(rng, 5, 2, 3)
    got = operator(
        {
            "W": w["weight_ih_l0"][None],
            "R": w["weight_hh_l0"][None],
            "B": np.concatenate([w["bias_ih_l0"], w["bias_hh_l0"]])[None],
        },
        x,
    )
    return {"weights": w, "x": x, "got": got[0]}


def tensorflow_order(rng):
    """Weights packed i, c, f, o, as old TensorFlow has them, read as i, f, c, o."""
    w, x = torch_weights(rng), numbers(rng, 5, 2, 3)
    y, h, _ = module(permuted(w, (0, 2, 1, 3)), x)
    return {"weights": w, "x": x, "got": y, "got_h": h}


def hard_sigmoid_keras3(rng):
    w, x = keras_weights(rng), numbers(rng, 2, 5, 3)
    return {"weights": w, "x": x, "got": layer(w, x, recurrent_activation="hard_sigmoid")}


def hard_sigmoid_keras2(rng):
    w, x = keras_weights(rng), numbers(rng, 2, 5, 3)
    y, _, _ = by_hand(w["kernel"].T, w["recurrent_kernel"].T, w["bias"], x.swapaxes(0, 1), gate=hard(0.2))
    return {"weights": w, "x": x, "got": y.swapaxes(0, 1).astype(np.float32)}


def relu(rng):
    w, x = keras_weights(rng), numbers(rng, 2, 5, 3)
    return {"weights": w, "x": x, "got": layer(w, x, activation="relu")}


def activations_exchanged(rng):
    w, x = keras_weights(rng), numbers(rng, 2, 5, 3)
    return {"weights": w, "x": x, "got": layer(w, x, activation="sigmoid", recurrent_activation="tanh")}


def reshaped_kernels(rng):
    """Keras' kernels reshaped into PyTorch's where they have to be transposed."""
    w, x = keras_weights(rng), numbers(rng, 2, 5, 3)
    turned = {
        "weight_ih_l0": w["kernel"].reshape(16, 3),
        "weight_hh_l0": w["recurrent_kernel"].reshape(16, 4),
        "bias_ih_l0": w["bias"],
        "bias_hh_l0": 0 * w["bias"],
    }
    return {"weights": w, "x": x, "got": module(turned, x, batch_first=True)[0]}


def transposed_square(rng):
    """Every recurrent kernel is square, and nobody sees that it has been transposed."""
    w, x = torch_weights(rng), numbers(rng, 5, 2, 3)
    R = np.concatenate([block.T for block in np.split(w["weight_hh_l0"], 4)])
    return {"weights": w, "x": x, "got": module({**w, "weight_hh_l0": R}, x)[0]}


def second_bias_ignored(rng):
    w, x = torch_weights(rng), numbers(rng, 5, 2, 3)
    y, _, _ = by_hand(w["weight_ih_l0"], w["weight_hh_l0"], w["bias_ih_l0"], x)
    return {"weights": w, "x": x, "got": y.astype(np.float32)}


def first_bias_twice(rng):
    w, x = torch_weights(rng), numbers(rng, 5, 2, 3)
    return {"weights": w, "x": x, "got": module({**w, "bias_hh_l0": w["bias_ih_l0"]}, x)[0]}


def forget_offset_added(rng):
    """The 1 that initialises a forget bias is added again when the cell runs."""
    w, x = keras_weights(rng), numbers(rng, 2, 5, 3)
    y, _, _ = by_hand(w["kernel"].T, w["recurrent_kernel"].T, w["bias"], x.swapaxes(0, 1), add=1.0)
    return {"weights": w, "x": x, "got": y.swapaxes(0, 1).astype(np.float32)}


def forget_offset_missing(rng):
    """Haiku adds 1 to the forget gate; what its weights were copied to does not."""
    n, m = 3, 4
    w = {"lstm/linear/w": numbers(rng, n + m, 4 * m, scale=0.6), "lstm/linear/b": numbers(rng, 4 * m)}
    x = numbers(rng, 5, 2, n)
    W, b = w["lstm/linear/w"].T, w["lstm/linear/b"]
    y, _, _ = by_hand(W[:, :n], W[:, n:], b, x, order="icfo")
    return {"weights": w, "x": x, "got": y.astype(np.float32)}


def time_and_batch(rng):
    """Sequences as Keras has them, rows first, given to a layer that takes time first."""
    w, x = keras_weights(rng), numbers(rng, 2, 5, 3)
    y, _, _ = by_hand(w["kernel"].T, w["recurrent_kernel"].T, w["bias"], x)
    return {"weights": w, "x": x, "got": y.astype(np.float32)}


def padding_not_masked(rng):
    w, x = torch_weights(rng), numbers(rng, 6, 3, 3)
    y, h, c = module(w, x)
    return {"weights": w, "x": x, "got": y, "got_h": h, "got_c": c, "lengths": np.array([6, 3, 4])}


def go_backwards(rng):
    """What goes backwards in Keras gives its output in the order in which it is computed."""
    w, x = keras_weights(rng), numbers(rng, 2, 5, 3)
    return {"weights": w, "x": x, "got": layer(w, x, go_backwards=True)}


def reverse_direction(rng):
    w, x = torch_weights(rng), numbers(rng, 5, 2, 3)
    y, h, _ = module(w, x[::-1].copy())
    return {"weights": w, "x": x, "got": y[::-1].copy(), "got_h": h}


def stale_state(rng):
    """A layer that goes on from the state of the batch before, of which nothing was saved."""
    w, x = torch_weights(rng), numbers(rng, 9, 2, 3)
    _, h, c = module(w, numbers(rng, 4, 2, 3))
    return {"weights": w, "x": x, "got": module(w, x, h[0], c[0])[0]}


def states_exchanged(rng):
    w, x, h, c = torch_weights(rng), numbers(rng, 5, 2, 3), numbers(rng, 2, 4), numbers(rng, 2, 4)
    return {"weights": w, "x": x, "h0": h, "c0": c, "got": module(w, x, c, h)[0]}


def states_ignored(rng):
    w, x, h, c = torch_weights(rng), numbers(rng, 5, 2, 3), numbers(rng, 2, 4), numbers(rng, 2, 4)
    return {"weights": w, "x": x, "h0": h, "c0": c, "got": module(w, x)[0]}


def concatenation_order(rng):
    """One matrix for each gate on [x; h], used on [h; x]."""
    n, m = 3, 4
    weights = {f"W_{g}": numbers(rng, m, n + m, scale=0.6) for g in "fico"}
    weights |= {f"b_{g}": numbers(rng, m, scale=0.6) for g in "fico"}
    x = numbers(rng, 5, 2, n)
    W = np.concatenate([weights[f"W_{g}"] for g in "ifco"])
    b = np.concatenate([weights[f"b_{g}"] for g in "ifco"])
    y, _, _ = by_hand(W[:, m:], W[:, :m], b, x)
    return {"weights": weights, "x": x, "got": y.astype(np.float32)}


def peepholes_ignored(rng):
    w, x = onnx_weights(rng, peepholes=True), numbers(rng, 5, 2, 3)
    without = {name: a for name, a in w.items() if name != "P"}
    return {"weights": w, "x": x, "got": operator(without, x)[0]}


def peephole_order(rng):
    """Peepholes saved as i, f, o, where the operator takes i, o, f."""
    w, x = onnx_weights(rng, peepholes=True), numbers(rng, 5, 2, 3)
    i, o, f = np.split(w["P"][0], 3)
    return {"weights": w, "x": x, "got": operator({**w, "P": np.concatenate([i, f, o])[None]}, x)[0]}


def coupled(rng):
    w, x = onnx_weights(rng), numbers(rng, 5, 2, 3)
    return {"weights": w, "x": x, "got": operator(w, x, input_forget=1)[0]}


def clipped(rng):
    w, x = onnx_weights(rng), numbers(rng, 5, 2, 3)
    return {"weights": w, "x": x, "got": operator(w, x, clip=1.0)[0]}


def half_weights(rng):
    w, x = torch_weights(rng), numbers(rng, 5, 2, 3)
    return {"weights": w, "x": x, "got": module({k: v.astype("float16").astype("float32") for k, v in w.items()}, x)[0]}


def cell_state_for_output(rng):
    """states[1] where states[0] was meant, of the last step."""
    w, x = torch_weights(rng), numbers(rng, 5, 2, 3)
    return {"weights": w, "x": x, "got": module(w, x)[2][0]}


def both_directions(rng, n=3, m=4):
    forth, back = torch_weights(rng, n, m), torch_weights(rng, n, m)
    return {**forth, **{f"{name}_reverse": w for name, w in back.items()}}


def directions_exchanged(rng):
    w, x = both_directions(rng), numbers(rng, 5, 2, 3)
    names = list(w)
    other = dict(zip(names, [w[n] for n in (*names[4:], *names[:4])], strict=True))
    return {"weights": w, "x": x, "got": module(other, x, bidirectional=True)[0]}


def reverse_not_turned_back(rng):
    w, x = both_directions(rng), numbers(rng, 5, 2, 3)
    y, _, _ = module(w, x, bidirectional=True)
    return {"weights": w, "x": x, "got": np.concatenate([y[..., :4], y[::-1, :, 4:]], axis=-1)}


def layers_exchanged(rng):
    first, second = torch_weights(rng, 4, 4), torch_weights(rng, 4, 4)
    renamed = {name.replace("l0", "l1"): w for name, w in second.items()}
    x = numbers(rng, 5, 2, 4)
    other = {**second, **{name.replace("l0", "l1"): w for name, w in first.items()}}
    return {"weights": {**first, **renamed}, "x": x, "got": module(other, x, num_layers=2)[0]}


def rounded_on_paper(rng):
    """An output copied from a page, four digits behind the point, of a cell with gates in another order."""
    w, x = torch_weights(rng), numbers(rng, 5, 2, 3)
    y = module(permuted(w, (0, 1, 3, 2)), x)[0]
    return {"weights": w, "x": x, "got": np.round(y.astype(np.float64), 4)}


def two_at_once(rng):
    w, x = torch_weights(rng), numbers(rng, 5, 2, 3)
    wrong = permuted({**w, "bias_hh_l0": 0 * w["bias_hh_l0"]}, (1, 0, 2, 3))
    return {"weights": w, "x": x, "got": module(wrong, x)[0]}


def layer_norm_eps(rng):
    """A layer-normalised cell whose eps is that of another library."""
    from lstm_spec import lstm

    cell = lstm(layer_norm="gate", eps=1e-3)
    weights = {name: numbers(rng, *shape, scale=0.3) for name, shape in cell.dimensions(n=3, m=4).items()}
    x, h, c, y = numbers(rng, 5, 2, 3), np.zeros((2, 4)), np.zeros((2, 4)), []

    def gate(g, x_t, h, squash):
        u = x_t @ weights[f"W_{g}"].T + h @ weights[f"R_{g}"].T
        e = u - u.mean(1, keepdims=True)
        normal = e / np.sqrt((e**2).mean(1, keepdims=True) + 1e-3)
        return squash(weights[f"g_{g}"] * normal + weights[f"b_{g}"])

    for x_t in x:
        f, i, o = (gate(g, x_t, h, sigmoid) for g in "fio")
        c = f * c + i * gate("c", x_t, h, np.tanh)
        h = o * np.tanh(c)
        y.append(h)
    return {"weights": weights, "x": x, "got": np.stack(y).astype(np.float32), "spec": "layer_norm_gate"}


SITUATIONS = {
    gate_order: "the gates are packed i, o, f, c̃",
    tensorflow_order: "the gates are packed i, c̃, f, o",
    hard_sigmoid_keras3: "hard_sigmoid stands where the spec has sigmoid, in f, i and o",
    hard_sigmoid_keras2: "hard_sigmoid_onnx stands where the spec has sigmoid, in f, i and o",
    relu: "relu stands where the spec has tanh",
    activations_exchanged: "σ and tanh stand in each other's place",
    reshaped_kernels: "kernel and recurrent_kernel are reshaped to their other shapes where they have",
    transposed_square: "the recurrent columns of the kernels are transposed",
    second_bias_ignored: "bR_f, bR_i, bR_c and bR_o are ignored",
    first_bias_twice: "the first bias counts twice, the other one is ignored",
    forget_offset_added: "a forget offset of 1 is added that these weights do not ask for",
    forget_offset_missing: "the forget offset of 1 is not added",
    time_and_batch: "as the spec has it if x and the output are (T, B, features)",
    padding_not_masked: "the lengths are ignored",
    go_backwards: "time runs backwards",
    reverse_direction: "the sequence is run in the reverse direction",
    stale_state: "the run starts from other states than the initial ones",
    states_exchanged: "the initial h and c are taken for each other",
    states_ignored: "the initial states are ignored",
    concatenation_order: "the concatenation is [h'; x] where the spec has [x; h']",
    peepholes_ignored: "p_f, p_i and p_o are ignored",
    peephole_order: "p_f and p_o are taken for each other",
    coupled: "f is 1 − i: the forget gate is coupled to the input gate",
    clipped: "a_f is clipped to ±1; and so for i, c̃ and o",
    half_weights: "the parameters are rounded to float16",
    cell_state_for_output: "y holds c of every step where the spec has h",
    directions_exchanged: "the weights of the two directions are taken for each other",
    reverse_not_turned_back: "the reverse half of y is in the order in which it is computed",
    layers_exchanged: "the weights of layers 0 and 1 are taken for each other",
    rounded_on_paper: "the gates are packed i, f, o, c̃",
    two_at_once: "bR_f, bR_i, bR_c and bR_o are ignored",
    layer_norm_eps: "eps is 0.001 where the spec has 1e-08",
}
"""What was done, by what the first sentence has to say of it."""

NEEDS = {
    "keras": (hard_sigmoid_keras3, relu, activations_exchanged, go_backwards),
    "onnxruntime": (gate_order, peepholes_ignored, peephole_order, coupled, clipped),
}
"""The situations that need more than PyTorch."""

run_of = partial(np.random.default_rng)
