import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import LAYOUTS, layout, load
from lstm_spec.targets.packing import LayoutError

WITH_PEEPHOLES = {"canonical", "onnx", "onednn"}
WITH_PROJECTION = {"canonical", "pytorch", "onednn"}
OF_THE_LSTM = [name for name, known in LAYOUTS.items() if set(known.gates) in (set(), set("fico"))]
TORCH_LAYER = replace(LAYOUTS["pytorch"], axes="TBI DBI")
AXES = ["TBI", "BTI", "TI", "I", "BI", "TIB", "TDBI", "BDTI", "TBI DBI", "BTI BI"]


def table(gates="fico", *, concat="xh", biases=1, peepholes="", projection=False, n=2, m=3, q=2):
    """The dimension table of a cell, as the specification defines it."""
    k = q if projection else m
    kernels = {f"W_{g}": (m, n + k if concat else n) for g in gates}
    recurrent = {} if concat else {f"R_{g}": (m, k) for g in gates}
    vectors = [*(["b"] if biases else []), *(["bR"] if biases == 2 else [])]
    return {
        **kernels,
        **recurrent,
        **{f"{b}_{g}": (m,) for b in vectors for g in gates},
        **{f"p_{g}": (m,) for g in peepholes},
        **({"W_p": (q, m)} if projection else {}),
    }


def numbers(shapes, seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def integers(shapes, seed):
    """Even numbers, so that every operation of a layout on them is exact, halving included."""
    rng = np.random.default_rng(seed)
    return {name: 2.0 * rng.integers(-9, 10, size=shape) for name, shape in shapes.items()}


def equal(left, right):
    """Bit by bit, so that −0.0 is not 0.0."""
    same = [left[k].tobytes() == right[k].tobytes() and left[k].dtype == right[k].dtype for k in left.keys() & right]
    return left.keys() == right.keys() and all(same)


def dot(left, right):
    return sum(float(np.vdot(left[name], right[name])) for name in left)


@st.composite
def cells(draw, **fixed):
    options = {
        "gates": draw(st.sampled_from(["fico", "fco", "ico", "urh"])),
        "concat": draw(st.sampled_from(["xh", "hx", None])),
        "biases": draw(st.sampled_from([0, 1, 2])),
        "projection": draw(st.booleans()),
        **{size: draw(st.integers(1, 3)) for size in "nmq"},
        **fixed,
    }
    options.setdefault("peepholes", draw(st.sampled_from(["", "".join(g for g in options["gates"] if g in "fio")])))
    return table(**options), options


@st.composite
def layouts_for(draw, options):
    """Any layout that can hold the cell, a small step away from each known one or far from all."""

    def order(letters):
        return draw(st.sampled_from(["", "".join(draw(st.permutations(letters)))]))

    gates, peepholes = order(options["gates"]), order(options["peepholes"])
    biases = [None, 2, "concatenated"] if options["biases"] else [None, 0, 1, 2, "concatenated"]
    offsets = [0.0, 1.0, -0.5] if options["biases"] and "f" in options["gates"] else [0.0]
    template = "{gate}" if not gates else "all"
    names = {
        "W": f"kernel/{template}",
        "R": f"recurrent/{template}",
        "b": f"bias/{template}",
        "bR": f"recurrent bias/{template}",
        "p": "peephole" if peepholes else "peephole {gate}",
        "W_p": "projection",
        "c": "g",
    }
    return Layout(
        gates=gates,
        kernels=draw(st.sampled_from([None, "joint", "separate"])),
        concat=draw(st.sampled_from([None, "xh", "hx"])),
        transposed=draw(st.booleans()),
        biases=draw(st.sampled_from(biases + [1] * (options["biases"] == 1))),
        forget_offset=draw(st.sampled_from(offsets)),
        peepholes=peepholes,
        states=draw(st.sampled_from([None, "hc", "ch"])),
        axes=draw(st.sampled_from(AXES)),
        names=draw(st.sampled_from([{}, names])),
    )


@st.composite
def pairs(draw):
    """A cell and a layout that holds it: a known one or a random one."""
    name = draw(st.sampled_from([*OF_THE_LSTM, "random"]))
    if name == "random":
        shapes, options = draw(cells())
        return shapes, options, draw(layouts_for(options))
    if name == "canonical":
        return *draw(cells()), LAYOUTS[name]
    fixed = {"gates": "fico", "biases": 1 if name == "haiku" else draw(st.sampled_from([0, 1]))}
    fixed |= {} if name in WITH_PEEPHOLES else {"peepholes": ""}
    fixed |= {} if name in WITH_PROJECTION else {"projection": False}
    return *draw(cells(**fixed)), LAYOUTS[name]


seeds = st.integers(0, 2**32 - 1)


@given(pairs(), seeds, st.sampled_from([np.float16, np.float32, np.float64]))
def test_unpack_is_the_inverse_of_pack(pair, seed, dtype):
    shapes, options, third = pair
    params = numbers(shapes, seed, dtype)
    before = copy.deepcopy(params)
    packed = third.pack(params, concat=options["concat"])
    unpacked = third.unpack(packed, shapes, concat=options["concat"])
    assert equal(params, before)
    assert {name: array.shape for name, array in packed.items()} == third.shapes(shapes, concat=options["concat"])
    assert all(array.dtype == dtype and array.flags.c_contiguous for array in packed.values())
    assert not any(np.shares_memory(a, b) for a in packed.values() for b in [*params.values(), *unpacked.values()])
    if third.forget_offset:
        rounding = np.finfo(dtype).eps * (abs(params["b_f"]) + abs(third.forget_offset))
        assert (abs(unpacked.pop("b_f") - params.pop("b_f")) <= rounding).all()
    assert equal(unpacked, params)


@given(pairs(), seeds)
def test_pack_is_the_inverse_of_unpack_when_the_biases_are_as_many(pair, seed):
    shapes, options, third = pair
    if (third.biases in (2, "concatenated") and options["biases"] == 1) or third.forget_offset:
        return
    packed = numbers(third.shapes(shapes, concat=options["concat"]), seed)
    again = third.pack(third.unpack(packed, shapes, concat=options["concat"]), concat=options["concat"])
    assert equal(again, packed)


@given(pairs(), seeds)
def test_unpacked_gradients_are_the_transpose_of_packing(pair, seed):
    shapes, options, third = pair
    concat = options["concat"]
    params, step = integers(shapes, seed), integers(shapes, seed + 1)
    gradients = integers(third.shapes(shapes, concat=concat), seed + 2)
    stepped = {name: params[name] + step[name] for name in params}
    packed, moved = third.pack(params, concat=concat), third.pack(stepped, concat=concat)
    change = {name: moved[name] - packed[name] for name in packed}
    assert dot(third.unpack_gradients(gradients, shapes, concat=concat), step) == dot(gradients, change)


@given(pairs(), seeds)
def test_packed_gradients_are_the_transpose_of_unpacking(pair, seed):
    shapes, options, third = pair
    concat = options["concat"]
    held = third.shapes(shapes, concat=concat)
    arrays, step, gradients = integers(held, seed), integers(held, seed + 1), integers(shapes, seed + 2)
    stepped = {name: arrays[name] + step[name] for name in arrays}
    unpacked, moved = (third.unpack(a, shapes, concat=concat) for a in (arrays, stepped))
    change = {name: moved[name] - unpacked[name] for name in unpacked}
    assert dot(third.pack_gradients(gradients, concat=concat), step) == dot(gradients, change)


@given(pairs(), seeds)
def test_gradients_make_the_round_trip(pair, seed):
    shapes, options, third = pair
    gradients = numbers(shapes, seed)
    packed = third.pack_gradients(gradients, concat=options["concat"])
    assert equal(third.unpack_gradients(packed, shapes, concat=options["concat"]), gradients)


@given(st.sampled_from(AXES), st.sampled_from([None, "hc", "ch"]), st.integers(1, 3), st.integers(1, 3))
def test_sequence_and_states_make_the_round_trip(axes, states, T, B):
    third = Layout(axes=axes, states=states)
    T, B = (T if "T" in axes else 1), (B if "B" in axes else 1)
    x = np.arange(T * B * 2.0).reshape(T, B, 2)
    h, c = np.arange(2 * B * 3.0).reshape(2, B, 3)
    assert (third.from_x(third.to_x(x)) == x).all()
    assert (third.from_y(third.to_y(x)) == x).all()
    assert third.to_x(x).ndim == len(axes.split()[0].replace("D", ""))
    assert third.to_y(x).ndim == len(axes.split()[0])
    back = third.from_states(*third.to_states(h, c))
    assert (back[0] == h).all()
    assert (back[1] == c).all()
    assert third.to_states(h, c)[0 if states != "ch" else 1].sum() == h.sum()


def test_an_axis_stands_where_the_letters_say():
    x = np.zeros((4, 2, 3))
    h = np.zeros((2, 3))
    assert LAYOUTS["onnx"].to_x(x).shape == (4, 2, 3)
    assert LAYOUTS["onnx"].to_y(x).shape == (4, 1, 2, 3)
    assert LAYOUTS["onnx"].to_states(h, h)[0].shape == (1, 2, 3)
    assert LAYOUTS["openvino"].to_y(x).shape == (2, 1, 4, 3)
    assert LAYOUTS["openvino"].to_states(h, h)[0].shape == (2, 1, 3)
    assert LAYOUTS["pytorch"].to_y(x).shape == (4, 2, 3)
    assert LAYOUTS["pytorch"].to_states(h, h)[0].shape == (2, 3)
    assert TORCH_LAYER.to_states(h, h)[0].shape == (1, 2, 3)
    assert LAYOUTS["keras"].to_x(x).shape == (2, 4, 3)
    assert LAYOUTS["flax"].to_states(h, h + 1)[0].all()
    assert LAYOUTS["keras"].to_states(h, h + 1)[1].all()
    assert not np.shares_memory(LAYOUTS["haiku"].to_x(x), x)


def test_a_cell_may_have_other_states():
    (h,) = Layout(axes="BI").to_states(np.zeros((2, 3)), order="h")
    assert h.shape == (2, 3)


# By hand, since the laws above hold for a wrong layout as well.


def test_rows_and_columns_lie_where_the_layout_says():
    params = {"W_f": [[1.0, 2.0]], "W_i": [[3.0, 4.0]], "W_c": [[5.0, 6.0]], "W_o": [[7.0, 8.0]]}
    params |= {"b_f": [1.0], "b_i": [2.0], "b_c": [3.0], "b_o": [4.0]}
    params = {name: np.array(value) for name, value in params.items()}
    torch = LAYOUTS["pytorch"].pack(params)
    assert torch["weight_ih_l0"].tolist() == [[3], [1], [5], [7]]
    assert torch["weight_hh_l0"].tolist() == [[4], [2], [6], [8]]
    assert torch["bias_ih_l0"].tolist() == [2, 1, 3, 4]
    assert torch["bias_hh_l0"].tolist() == [0, 0, 0, 0]
    assert LAYOUTS["onnx"].pack(params)["B"].tolist() == [[2, 4, 1, 3, 0, 0, 0, 0]]
    haiku = LAYOUTS["haiku"].pack(params)
    assert haiku["lstm/linear/w"].tolist() == [[3, 5, 1, 7], [4, 6, 2, 8]]
    assert haiku["lstm/linear/b"].tolist() == [2, 3, 0, 4]
    assert LAYOUTS["flax"].pack(params)["ig/kernel"].tolist() == [[5]]
    two = {"bR_f": 2 * params["b_f"], "b_f": params["b_f"]}
    assert Layout(biases="concatenated").pack(two)["b_f"].tolist() == [1, 2]
    hx = Layout(concat="hx").pack(params)
    assert hx["W_f"].tolist() == [[2, 1]]
    assert Layout(biases="concatenated").pack({"b_f": np.array([1.0, 2.0])})["b_f"].tolist() == [1, 0, 0, 2]


@pytest.mark.parametrize(
    ("name", "bias", "order"),
    [
        ("pytorch", "bias_ih_l0", "ifco"),
        ("keras", "bias", "ifco"),
        ("flax_optimized", "dense_h/bias", "ifco"),
        ("equinox", "bias", "ifco"),
        ("haiku", "lstm/linear/b", "icfo"),
        ("onnx", "B", "iofciofc"),
        ("openvino", "B", "fico"),
        ("mlx", "bias", "ifco"),
        ("tinygrad", "bias_ih", "ifco"),
        ("paddle", "bias_ih_l0", "ifco"),
        ("onednn", "bias", "ifco"),
    ],
)
def test_gates_are_packed_in_the_order_found_by_running_each(name, bias, order):
    third = LAYOUTS[name]
    number = {"f": 16.0, "i": 32.0, "c": 64.0, "o": 128.0}
    packed = third.pack({**numbers(table(m=1), 0), **{f"b_{gate}": [b] for gate, b in number.items()}})[bias]
    offset = {"f": third.forget_offset}
    first = packed.ravel()[: len(number)] if third.biases == "concatenated" else packed.ravel()
    expected = [number[gate] - offset.get(gate, 0) for gate in order[: len(number)]]
    assert first.tolist() == ([0.0] * 4 if bias.startswith("bias_hh") else expected)


def test_biases_of_the_third_party_are_added_and_their_gradients_taken_by_turns():
    shapes = {"b_f": (2,)}
    third = Layout(biases=2)
    assert third.unpack({"b_f": [1.0, 1.0], "bR_f": [2.0, 3.0]}, shapes)["b_f"].tolist() == [3, 4]
    assert third.unpack_gradients({"b_f": [1.0, 2.0], "bR_f": [3.0, 4.0]}, shapes)["b_f"].tolist() == [1, 4]
    assert third.pack_gradients({"b_f": [1.0, 2.0]})["bR_f"].tolist() == [1, 2]


def test_one_bias_array_taken_twice_is_noticed():
    """Two halves of each bias would hide it."""
    packed = Layout(biases=2).pack({"b_f": np.array([1.0, 2.0])})
    assert (packed["b_f"] + packed["b_f"]).tolist() != [1, 2]
    assert (packed["bR_f"] + packed["bR_f"]).tolist() != [1, 2]


def test_one_parameter_can_have_a_name_of_its_own():
    nnx = replace(LAYOUTS["flax"], names={**LAYOUTS["flax"].names, "W_f": "if_/kernel"})
    names = nnx.shapes(table())
    assert "if_/kernel" in names
    assert "if/kernel" not in names


def test_the_canonical_layout_leaves_any_cell_as_it_is():
    params = numbers({"W_f": (2, 1), "b_f": (2,), "gain_f": (2,), "scale": (), "W_p": (1, 2)}, 0)
    assert equal(LAYOUTS["canonical"].pack(params, concat=None), params)


def test_negative_zero_and_integers_are_kept():
    packed = LAYOUTS["pytorch"].pack({**numbers(table(), 0), "b_f": np.array([-0.0, 0.0, 1.0])})
    assert np.signbit(LAYOUTS["pytorch"].unpack(packed, table())["b_f"]).tolist() == [True, False, False]
    biases = {f"b_{gate}": np.array([1]) for gate in "fico"}
    assert LAYOUTS["pytorch"].pack(biases)["bias_ih_l0"].tolist() == [1.0] * 4


# Against an LSTM written down here, and against PyTorch.


def lstm(params, x, h, c):
    def gate(g, v):
        return v @ params[f"W_{g}"].T + params[f"b_{g}"]

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    ys = []
    for x_t in x:
        z = np.concatenate([x_t, h], axis=1)
        f, i, o = (sigmoid(gate(g, z)) for g in "fio")
        c = f * c + i * np.tanh(gate("c", z))
        h = o * np.tanh(c)
        if "W_p" in params:
            h = h @ params["W_p"].T
        ys.append(h)
    return np.stack(ys), h, c


def case(projection=False, T=3, B=2, n=2, m=3, q=2):
    shapes = table(projection=projection, n=n, m=m, q=q)
    sequence = {"x": (T, B, n), "h0": (B, q if projection else m), "c0": (B, m)}
    return numbers(shapes, 1), numbers(sequence, 2)


def run_torch(third, packed, x, h0, c0, projection=False):
    torch = pytest.importorskip("torch")
    module = torch.nn.LSTM(2, 3, proj_size=2 * projection, dtype=torch.float64)
    module.load_state_dict({name: torch.tensor(array) for name, array in packed.items()})
    states = tuple(map(torch.tensor, third.to_states(h0, c0)))
    y, states = module(torch.tensor(third.to_x(x)), states)
    return module, y, states


def outputs(third, y, states):
    return (third.from_y(y.detach()), *third.from_states(*(state.detach() for state in states)))


@pytest.mark.parametrize("projection", [False, True])
def test_the_pytorch_layout_fits_pytorch(projection):
    third = TORCH_LAYER
    params, sequence = case(projection)
    _, y, states = run_torch(third, third.pack(params), **sequence, projection=projection)
    expected = lstm(params, sequence["x"], sequence["h0"], sequence["c0"])
    for want, got in zip(expected, outputs(third, y, states), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("wrong", [{"gates": "fico"}, {"gates": "ifoc"}, {"states": "ch"}])
def test_a_wrong_layout_is_noticed(wrong):
    third = replace(TORCH_LAYER, **wrong)
    params, sequence = case()
    _, y, states = run_torch(third, third.pack(params), **sequence)
    expected = lstm(params, sequence["x"], sequence["h0"], sequence["c0"])
    assert max(abs(a - b).max() for a, b in zip(expected, outputs(third, y, states), strict=True)) > 1e-2


def test_gradients_arrive_from_autograd():
    torch = pytest.importorskip("torch")
    third = TORCH_LAYER
    params, sequence = case(projection=True)
    module, y, (h, c) = run_torch(third, third.pack(params), **sequence, projection=True)
    weights = numbers({"y": tuple(y.shape), "h": (2, 2), "c": (2, 3)}, 3)
    dh, dc = third.to_states(weights["h"], weights["c"])
    (y * torch.tensor(third.to_y(weights["y"]))).sum().backward(retain_graph=True)
    ((h * torch.tensor(dh)).sum() + (c * torch.tensor(dc)).sum()).backward()
    packed = {name: parameter.grad.numpy() for name, parameter in module.named_parameters()}
    gradients = third.unpack_gradients(packed, params)

    def loss(step, direction):
        moved = {name: params[name] + step * direction[name] for name in params}
        got = lstm(moved, sequence["x"], sequence["h0"], sequence["c0"])
        return sum(np.vdot(weights[name], value) for name, value in zip("yhc", got, strict=True))

    for name in params:
        direction = {k: v if k == name else 0 * v for k, v in numbers(table(projection=True), 4).items()}
        slope = (loss(1e-5, direction) - loss(-1e-5, direction)) / 2e-5
        np.testing.assert_allclose(dot(gradients, direction), slope, rtol=1e-7, atol=1e-9)


# Layouts as files.


@given(cells().flatmap(lambda drawn: layouts_for(drawn[1])), st.sampled_from([1.0, -0.1, 1e-300]))
def test_a_layout_survives_its_file(tmp_path_factory, third, offset):
    path = tmp_path_factory.mktemp("layout") / "third.toml"
    third = replace(third, forget_offset=offset, names={**third.names, "b_f": 'ü "quoted" \\ {gate}'})
    path.write_text(third.to_toml(), encoding="utf-8")
    assert layout(path) == layout(str(path)) == third
    assert load(path).name == str(path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_known_layout_survives_its_file_and_is_a_value(name, tmp_path):
    third = LAYOUTS[name]
    (tmp_path / "third.toml").write_text(third.to_toml(), encoding="utf-8")
    assert load(tmp_path / "third.toml") == third == layout(name) == layout(third)
    assert copy.deepcopy(third) == pickle.loads(pickle.dumps(third)) == third
    assert hash(third) == hash(copy.copy(third))
    with pytest.raises(TypeError):
        third.names["W"] = "other"


def test_the_canonical_layout_is_the_empty_file():
    assert LAYOUTS["canonical"] == Layout()
    assert Layout().to_toml() == ""


def test_the_known_layouts_cannot_be_changed():
    with pytest.raises(TypeError):
        LAYOUTS["mine"] = Layout()


# What a layout cannot be or hold is refused in one sentence.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gates": "iffo"}, 'gates: expected each gate\'s letter once, such as "ifco", got "iffo"'),
        ({"gates": 4}, 'gates: expected each gate\'s letter once, such as "ifco", got 4'),
        ({"peepholes": "IOF"}, 'peepholes: expected each gate\'s letter once, such as "ifco", got "IOF"'),
        ({"kernels": "both"}, 'kernels: expected "joint" or "separate", got "both"'),
        ({"concat": "hh"}, 'concat: expected "xh" or "hx", got "hh"'),
        ({"biases": True}, 'biases: expected 0 or 1 or 2 or "concatenated", got true'),
        ({"biases": 1.0}, 'biases: expected 0 or 1 or 2 or "concatenated", got 1.0'),
        ({"biases": [1]}, 'biases: expected 0 or 1 or 2 or "concatenated", got [1]'),
        ({"transposed": 1}, "transposed: expected true or false, got 1"),
        ({"forget_offset": "1"}, 'forget_offset: expected a finite number, got "1"'),
        ({"forget_offset": float("inf")}, "forget_offset: expected a finite number, got inf"),
        ({"states": ""}, 'states: expected each state\'s letter once, such as "hc", got ""'),
        ({"states": "hh"}, 'states: expected each state\'s letter once, such as "hc", got "hh"'),
        ({"axes": "TB"}, 'axes: expected letters of T, B, D, I once, such as "TBI" or "TBI DBI", got "TB"'),
        ({"axes": "TTI"}, 'axes: expected letters of T, B, D, I once, such as "TBI" or "TBI DBI", got "TTI"'),
        ({"axes": 3}, 'axes: expected letters of T, B, D, I once, such as "TBI" or "TBI DBI", got 3'),
        ({"names": "W"}, 'names: expected a table of names, got "W"'),
        ({"names": {"W": 1}}, "names.W: expected a printable name, got 1"),
        ({"names": {"W": ""}}, 'names.W: expected a printable name, got ""'),
        ({"names": {"W": "kernel"}}, 'names.W: expected {gate} in it, one array per gate, got "kernel"'),
        (
            {"names": {"weight": "w"}},
            "names: expected W, R, b, bR, p, a parameter such as W_p or a gate's letter, got weight",
        ),
    ],
)
def test_an_impossible_layout_is_refused(values, message):
    with pytest.raises(LayoutError) as error:
        Layout(**values)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('gates = "iffo"', 'gates: expected each gate\'s letter once, such as "ifco", got "iffo"'),
        (
            'gate = "ifco"',
            "gate: did you mean gates? expected one of gates, unused, kernels, concat, transposed, biases,"
            " forget_offset, peepholes, states, axes, reverse, names, got gate = 'ifco'",
        ),
        (
            'name = "mine"',
            "name: did you mean names? expected one of gates, unused, kernels, concat, transposed, biases,"
            " forget_offset, peepholes, states, axes, reverse, names, got name = 'mine'",
        ),
        ("transposed = 0", "transposed: expected true or false, got 0"),
        ("gates = ", "is not TOML: Invalid value (at end of document)"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LayoutError) as error:
        layout(path)
    assert str(error.value) == f"{path}: {message}"


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(LayoutError, match=r"none\.toml: cannot be read: No such file or directory$"):
        layout(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'gates = "\xe9"')
    with pytest.raises(LayoutError, match=r"latin\.toml: is not TOML: .*utf-8"):
        layout(tmp_path / "latin.toml")


def test_names_of_layers_and_directions_are_filled_in():
    torch = LAYOUTS["pytorch"]
    assert torch.at(1, True).names["W_p"] == "weight_hr_l1_reverse"
    assert torch.at(0, False).names["W"] == "weight_ih_l0"
    assert torch.by_layer
    assert not LAYOUTS["keras"].by_layer
    with pytest.raises(LayoutError, match="reverse: expected a text, got true"):
        replace(torch, reverse=True)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(LayoutError) as error:
        layout("pytroch")
    assert str(error.value) == (
        'unknown layout "pytroch": did you mean pytorch? expected one of canonical, pytorch, pytorch_gru,'
        " pytorch_rnn, keras, keras_gru, keras_rnn, flax, flax_optimized, equinox, haiku, onnx, onnx_gru, onnx_rnn,"
        " openvino, mlx, tinygrad, paddle, numpy_rows, numpy_columns, onednn, pytorch_cell, pytorch_gru_cell,"
        " pytorch_rnn_cell, or the path of a .toml file"
    )
    with pytest.raises(LayoutError, match=r'^unknown layout "zzz": expected one of canonical, '):
        layout("zzz")


@pytest.mark.parametrize(
    ("third", "options", "message"),
    [
        (
            LAYOUTS["keras"],
            {"peepholes": "fio"},
            "the layout keras has no place for the peepholes p_f, p_i, p_o: choose a cell without, or add p"
            " to its [names]",
        ),
        (
            LAYOUTS["keras"],
            {"projection": True},
            "the layout keras has no place for the parameter W_p: choose a cell without, or add W_p to its [names]",
        ),
        (
            LAYOUTS["keras"],
            {"biases": 2},
            "the layout keras holds 1 of the cell's 2 biases per gate: choose a cell with biases=1",
        ),
        (
            Layout(biases=0),
            {},
            "the layout given holds 0 of the cell's 1 biases per gate: choose a cell with biases=0",
        ),
        (
            LAYOUTS["pytorch"],
            {"gates": "fco"},
            'the layout pytorch packs the gates "ifco", but the cell has kernels for "fco" (c is the'
            " candidate): use a layout that packs exactly these",
        ),
        (
            Layout(peepholes="iof"),
            {"peepholes": "fo"},
            'the layout given packs the gates "iof", but the cell has peepholes for "fo" (c is the'
            " candidate): use a layout that packs exactly these",
        ),
        (
            LAYOUTS["haiku"],
            {"biases": 0},
            "the layout haiku adds 1.0 to the forget gate, which only a bias b_f can take back: choose a cell"
            " that has one",
        ),
        (
            Layout(gates="fico", names={"W": "w", "b": "w"}),
            {},
            'the layout given gives two arrays the name "w": make its [names] distinct',
        ),
    ],
)
def test_a_cell_that_does_not_fit_is_refused(third, options, message):
    with pytest.raises(LayoutError) as error:
        third.pack(numbers(table(**options), 0))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("third", "shapes", "message"),
    [
        (
            Layout(kernels="separate"),
            {"W_f": (3, 2)},
            "the layout given splits W_f (3, 2), which is narrower than the 3 recurrent columns: pass"
            " concat=None for a cell with separate kernels",
        ),
        (
            Layout(kernels="joint"),
            {"W_f": (3, 2), "W_i": (3, 2), "R_f": (3, 3)},
            "the layout given joins input and recurrent kernels, but not every gate of the cell has both: use"
            " a layout with separate kernels",
        ),
        (
            Layout(gates="fi"),
            {"W_f": (3, 5), "W_i": (3, 4)},
            "the layout given packs W_f, W_i in one array, but their widths differ: use a layout with one"
            " array per gate",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(third, shapes, message):
    with pytest.raises(LayoutError) as error:
        third.shapes(shapes)
    assert str(error.value) == message


def test_packed_arrays_that_do_not_fit_are_refused():
    third, shapes = LAYOUTS["keras"], table()
    packed = third.pack(numbers(shapes, 0))
    bias = packed.pop("bias")
    expects = "the layout keras expects the arrays kernel, recurrent_kernel, bias, but"
    with pytest.raises(LayoutError, match=rf"^{expects} bias is missing$"):
        third.unpack(packed, shapes)
    with pytest.raises(LayoutError, match=rf"^{expects} got gain as well$"):
        third.unpack({**packed, "bias": bias, "gain": bias}, shapes)
    with pytest.raises(LayoutError, match=r"^the layout keras expects kernel of shape \(2, 12\) for this cell, got"):
        third.unpack({**packed, "bias": bias, "kernel": packed["kernel"].T}, shapes)


def test_equal_layouts_of_different_names_are_called_by_their_own():
    mine = replace(LAYOUTS["keras"], name="mine")
    assert mine == LAYOUTS["keras"]
    for third in (mine, LAYOUTS["keras"]):
        with pytest.raises(LayoutError, match=rf"^the layout {third.name} expects"):
            third.unpack({}, table())


def test_sequences_and_states_that_do_not_fit_are_refused():
    x, h, keras = np.zeros((1, 2, 3)), np.zeros((2, 3)), LAYOUTS["keras"]
    with pytest.raises(LayoutError, match=r"^the layout equinox has no axis B, but got 2 along it: pass one at"):
        LAYOUTS["equinox"].to_x(x)
    with pytest.raises(LayoutError, match=r"^the layout keras expected an array with the axes TBI, got the shape"):
        keras.to_x(h)
    with pytest.raises(LayoutError, match=r"^the layout keras has the states h, c, but the cell has h: use a"):
        keras.to_states(h, order="h")
    with pytest.raises(LayoutError, match=r"^expected the 2 states h, c, got 1$"):
        keras.from_states(h)
