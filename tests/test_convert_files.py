"""Weights in files of every format, what is refused of them in one sentence, and the command that converts them."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.compute.network import plain, run_network
from lstm_spec.spec.network import network_of
from lstm_spec.spec.onnx import Operator
from lstm_spec.targets.array_files import FORMATS, read_arrays, write_arrays
from lstm_spec.targets.convert import convert
from lstm_spec.targets.layouts import LAYOUTS
from lstm_spec.targets.originals import usual_cell
from lstm_spec.verify import conversion
from tests.onnx_models import model
from tests.test_convert import REFUSALS, equal, saved, stack

os.environ.setdefault("KERAS_BACKEND", "torch")
LSTM = usual_cell("lstm", 2)
PACKAGES = {".npz": "numpy", ".safetensors": "safetensors", ".pt": "torch", ".pth": "torch"}
PACKAGES |= {".h5": "h5py", ".keras": "keras"}
WHOLE = {"one layer": LSTM, "a stack": stack(count=2, bidirectional=True)}


def command(*words):
    """Return the exit status, what is printed, and what is said beside it."""
    result = CliRunner().invoke(main, ["convert", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("ending", PACKAGES)
def test_every_format_of_files_makes_the_round_trip(ending, whole, tmp_path):
    pytest.importorskip(PACKAGES[ending])
    library = "keras" if ending in (".h5", ".keras") else "pytorch"
    arrays = saved(LAYOUTS["pytorch"], whole)
    gone = ls.convert(arrays, source="torch", target=library)
    ls.save_weights(tmp_path / f"weights{ending}", gone)
    back = ls.convert(tmp_path / f"weights{ending}", source=library, target=library)
    assert equal(back.arrays, gone.arrays)
    assert all(a.flags.owndata or a.base is not None for a in back.arrays.values())


def test_every_ending_is_tried():
    assert set(PACKAGES) == set(FORMATS)


@pytest.mark.parametrize("library", ["mlx", "flax", "haiku", "numpy_columns"])
def test_names_of_any_library_go_into_a_file(library, tmp_path):
    pytest.importorskip("safetensors")
    arrays = saved(LAYOUTS[library], usual_cell("lstm", 1))
    for ending in (".npz", ".safetensors"):
        write_arrays(tmp_path / f"w{ending}", arrays)
        assert equal(read_arrays(tmp_path / f"w{ending}"), arrays)


@pytest.mark.parametrize("kind", ["lstm", "peephole", "gru", "gru_reset_after", "rnn"])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_model_of_onnx_makes_the_round_trip(kind, direction, tmp_path):
    pytest.importorskip("onnxruntime")
    name = {"lstm": "onnx", "peephole": "onnx", "rnn": "onnx_rnn"}.get(kind, "onnx_gru")
    cell = usual_cell(kind, 2)
    spec = cell if direction == "forward" else ls.layers(cell, bidirectional=True)
    found = convert(saved(LAYOUTS[name], spec), source=name, target="onnx", spec=spec)
    ls.save_weights(tmp_path / "one.onnx", found)
    again = ls.convert(tmp_path / "one.onnx", target="onnx")
    assert equal(again.arrays, found.arrays)
    checked = conversion.agreement(again)
    assert (checked.status, bool(checked.target.library)) == ("verified", True)


LAYERS = {
    "two layers in both directions": {"num_layers": 2, "bidirectional": True},
    "three layers": {"num_layers": 3},
    "two layers without biases": {"num_layers": 2, "bias": False},
}


@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_layers_go_into_a_model_of_onnx_that_gives_the_same(kind, options, tmp_path):
    torch, onnxruntime = pytest.importorskip("torch"), pytest.importorskip("onnxruntime")
    theirs = getattr(torch.nn, kind)(3, 4, **options)
    found = ls.convert(theirs.state_dict(), source="torch", target="onnx")
    ls.save_weights(tmp_path / "layers.onnx", found)
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype("float32")
    session = onnxruntime.InferenceSession(tmp_path / "layers.onnx", providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["Y", "Y_h", "Y_c"][: 3 if kind == "LSTM" else 2]
    got = session.run(None, {"X": x})
    y, final = theirs(torch.from_numpy(x))
    for ours, expected in zip(got, (y, *(final if kind == "LSTM" else (final,))), strict=True):
        np.testing.assert_allclose(ours, expected.detach().numpy(), atol=1e-6)
    checked = conversion.agreement(found)
    assert checked.status == "verified"
    assert checked.target.library.startswith(f"onnx.{kind}(layers={options['num_layers']}")
    nodes = [ls.convert(tmp_path / "layers.onnx", target="onnx", prefix=f"l{k}") for k in range(options["num_layers"])]
    own = {f"l{k}.{name}": a for k, node in enumerate(nodes) for name, a in node.source.arrays.items()}
    assert equal({name: own[name] for name in found.arrays}, found.arrays)


def test_layers_of_several_sizes_go_into_a_model_of_onnx(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network = ls.layers(usual_cell("lstm", 1), hidden=["m0", "m1"], bidirectional=True)
    arrays = saved(LAYOUTS["canonical"], network, m0=4, m1=5)
    found = convert(arrays, source="canonical", target="onnx", spec=network)
    ls.save_weights(tmp_path / "layers.onnx", found)
    session = onnxruntime.InferenceSession(tmp_path / "layers.onnx", providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(size=(3, 2, 3)).astype("float32")
    y, *final = session.run(None, {"X": x})
    trace = run_network(replace(network, initial="zero"), arrays, x, (), None, plain(keep=False))
    np.testing.assert_allclose(y, trace.y, atol=1e-6)
    assert [output.name for output in session.get_outputs()] == ["Y", "l0.Y_h", "l1.Y_h", "l0.Y_c", "l1.Y_c"]
    h, c = trace.states[::2], trace.states[1::2]
    for ours, expected in zip(final, (h[:2], h[2:], c[:2], c[2:]), strict=True):
        np.testing.assert_allclose(ours, np.stack(expected), atol=1e-6)
    assert conversion.agreement(found).status == "verified"


def test_layers_that_do_more_than_feed_each_other_are_refused(tmp_path):
    network = ls.layers(usual_cell("lstm", 1), bidirectional=True, merge="sum")
    arrays = saved(LAYOUTS["canonical"], network)
    found = convert(arrays, source="canonical", target="onnx", spec=network)
    with pytest.raises(ls.FileError, match="holds layers that feed each other, with nothing added, merged or turned;"):
        ls.save_weights(tmp_path / "merged.onnx", found)


MODELS = {
    "LSTM": ("lstm", {}, "float32"),
    "GRU": ("gru_reset_after", {}, "float32"),
    "SimpleRNN": ("rnn", {}, "float16"),
    "two layers in both directions": ("lstm", {"count": 2, "bidirectional": True}, "float64"),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_keras_is_loaded_by_keras_and_gives_the_same(name, tmp_path):
    keras = pytest.importorskip("keras")
    cell, options, dtype = MODELS[name]
    layout = {"gru_reset_after": "keras_gru", "rnn": "keras_rnn"}.get(cell, "keras")
    count = 2 if cell == "gru_reset_after" else 1
    whole = stack(cell, count, **options) if options else usual_cell(cell, count)
    found = convert(saved(LAYOUTS[layout], whole, dtype=dtype), source=layout, target="keras")
    ls.save_weights(tmp_path / "whole.keras", found)
    back = ls.convert(tmp_path / "whole.keras", source="keras", target="keras")
    assert equal(back.arrays, found.arrays)
    loaded = keras.models.load_model(tmp_path / "whole.keras")
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(dtype)
    got = keras.ops.convert_to_numpy(loaded(x))
    params = {key: p.astype("float64") for key, p in found.source.params.items()}
    network = replace(network_of(found.source.spec), initial="zero")
    expected = run_network(network, params, x.astype("float64").swapaxes(0, 1), (), None, plain(keep=False)).y
    np.testing.assert_allclose(got, expected.swapaxes(0, 1), atol=1e-2 if dtype == "float16" else 1e-6)


def test_what_a_backend_of_keras_does_not_keep_is_refused(tmp_path, monkeypatch):
    keras = pytest.importorskip("keras")
    found = ls.convert(saved(LAYOUTS["keras"], usual_cell("lstm", 1)), source="keras", target="keras")
    usual = keras.layers.LSTM.get_weights
    monkeypatch.setattr(keras.layers.LSTM, "get_weights", lambda self: [w + np.float32(1e-3) for w in usual(self)])
    with pytest.raises(ls.FileError, match=r"w.keras: Keras on torch does not keep float32; set KERAS_BACKEND to ano"):
        ls.save_weights(tmp_path / "w.keras", found)
    assert not (tmp_path / "w.keras").exists()


def test_the_files_are_those_that_the_libraries_read(tmp_path):
    keras, torch = pytest.importorskip("keras"), pytest.importorskip("torch")
    theirs = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    torch.save(theirs.state_dict(), tmp_path / "a.pt")
    ls.save_weights(tmp_path / "b.weights.h5", ls.convert(tmp_path / "a.pt", source="torch", target="keras"))
    layers = [keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True)) for _ in range(2)]
    made = keras.Sequential([keras.Input((None, 3)), *layers])
    made.load_weights(tmp_path / "b.weights.h5")
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype("float32")
    expected = theirs(torch.from_numpy(x))[0].detach().numpy()
    got = keras.ops.convert_to_numpy(made(x.transpose(1, 0, 2)))
    np.testing.assert_allclose(got.transpose(1, 0, 2), expected, atol=1e-6)
    made.save(tmp_path / "c.keras")
    back = ls.convert(tmp_path / "c.keras", source="keras", target="torch")
    theirs.load_state_dict({name: torch.from_numpy(a.copy()) for name, a in back.arrays.items()})
    np.testing.assert_allclose(theirs(torch.from_numpy(x))[0].detach().numpy(), expected, atol=1e-6)


def test_a_layer_is_chosen_among_others_of_a_model(tmp_path):
    keras = pytest.importorskip("keras")
    sequence = [keras.layers.LSTM(4, return_sequences=True), keras.layers.Dense(2), keras.layers.GRU(3)]
    keras.Sequential([keras.Input((None, 3)), *sequence]).save_weights(tmp_path / "m.weights.h5")
    found = ls.convert(tmp_path / "m.weights.h5", source="keras", target="torch", prefix="layers/gru")
    assert {name: a.shape for name, a in found.arrays.items()}["weight_ih_l0"] == (9, 2)
    assert found.notes[0].startswith("not of these weights, and left out: layers/dense")
    status, _, said = command(tmp_path / "m.weights.h5", "--to", "torch")
    assert status == 2
    assert "there are several: before the names stands 'layers/gru/' or 'layers/lstm/'; name the prefix" in said


def test_names_inside_a_checkpoint_are_found(tmp_path):
    torch = pytest.importorskip("torch")
    own = {f"encoder.lstm.{name}": t for name, t in torch.nn.LSTM(3, 4).state_dict().items()}
    torch.save({"epoch": 3, "model": {**own, "fc.weight": torch.ones(2)}, "optimizer": {"lr": 0.1}}, tmp_path / "c.pt")
    found = ls.convert(tmp_path / "c.pt", target="mlx")
    assert found.source.prefix == "model.encoder.lstm."
    assert found.notes[0] == "not of these weights, and left out: model.fc.weight"
    named = ls.convert(tmp_path / "c.pt", target="mlx", prefix="model.encoder.lstm", target_prefix="rnn.")
    assert set(named.arrays) == {"rnn.Wx", "rnn.Wh", "rnn.bias"}


def test_one_bias_becomes_two_and_two_become_one():
    keras = saved(LAYOUTS["keras"], usual_cell("lstm", 1))
    two = ls.convert(keras, source="keras", target="torch")
    assert not two.arrays["bias_hh_l0"].any()
    np.testing.assert_array_equal(two.arrays["bias_ih_l0"], keras["bias"])
    torch = saved(LAYOUTS["pytorch"], LSTM)
    one = ls.convert(torch, source="torch", target="keras")
    np.testing.assert_array_equal(one.arrays["bias"], torch["bias_ih_l0"] + torch["bias_hh_l0"])
    assert one.notes == ("the two biases of every gate were added, which cannot be undone",)
    none = {name: a for name, a in torch.items() if "bias" not in name}
    assert not ls.convert(none, source="torch", target="keras").arrays["bias"].any()


def test_what_a_library_adds_by_itself_is_taken_from_the_bias():
    keras = saved(LAYOUTS["keras"], usual_cell("lstm", 1), grid=True)
    haiku = ls.convert(keras, source="keras", target="haiku")
    m = 4
    np.testing.assert_array_equal(haiku.arrays["lstm/linear/b"][2 * m : 3 * m], keras["bias"][m : 2 * m] - 1)
    assert haiku.notes == ("haiku adds 1 to the forget gate by itself, so 1 was subtracted from its bias",)
    back = ls.convert(haiku.arrays, source="haiku", target="keras")
    assert equal(back.arrays, keras)
    assert back.notes == ("haiku adds 1 to the forget gate by itself, so 1 was added to its bias",)


def torch_arrays(name="lstm", **changed):
    layout = {"gru_reset_after": "pytorch_gru", "rnn": "pytorch_rnn"}.get(name, "pytorch")
    arrays = saved(LAYOUTS[layout], usual_cell(name, 2))
    return {key: a for key, a in {**arrays, **changed}.items() if a is not None}


PEEPHOLE, CIFG, GRU = usual_cell("peephole", 1), ls.cell("cifg"), ls.cell("gru")
CANONICAL = LAYOUTS["canonical"]
ONE = dict.fromkeys(["source"], "torch")
REFUSED = {
    "peepholes": (
        saved(CANONICAL, PEEPHOLE),
        {"target": "keras"},
        "keras holds the weights of lstm, which has no place for the p_f, p_i, p_o of peephole",
    ),
    "projection": (
        torch_arrays("lstmp"),
        {"target": "keras", **ONE},
        "keras holds the weights of lstm, which has no place for the W_p of lstmp",
    ),
    "coupled gates": (
        saved(CANONICAL, CIFG),
        {"target": "torch", "spec": CIFG},
        "pytorch holds the weights of lstm, and cifg has no R_f, W_f for it",
    ),
    "another GRU": (
        saved(CANONICAL, GRU),
        {"target": "torch", "spec": GRU},
        "pytorch_gru computes gru_reset_after with a_h = W_h x + b_h + r∘(R_h h' + bR_h), where gru has a_h =",
    ),
    "another kind": (
        torch_arrays("gru_reset_after"),
        {"target": "mlx", **ONE},
        "mlx holds the weights of lstm, and these are those of gru_reset_after",
    ),
    "no bias": (
        torch_arrays(),
        {"target": ls.Layout(gates="ifco", kernels="separate", biases=0), **ONE},
        "there is no place for a bias, and b_f is not 0",
    ),
    "missing": (
        torch_arrays(weight_hh_l0=None),
        {"target": "keras", **ONE},
        "weight_hh_l0 is missing",
    ),
    "beside": (
        torch_arrays(weight_l0=np.ones(2, "float32")),
        {"target": "keras", **ONE},
        "has the arrays weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0; weight_l0 is beside them and is none of",
    ),
    "shape": (
        torch_arrays(bias_ih_l0=np.ones(15, "float32")),
        {"target": "keras", **ONE},
        "bias_ih_l0 has the shape (15,); expected (16,), since the others have n=3, m=4 (lstm in the layout pytorch)",
    ),
    "no shapes": (
        torch_arrays(weight_ih_l0=np.ones((7, 3)), bias_ih_l0=np.ones(9)),
        {"target": "keras", **ONE},
        "no sizes of lstm in the layout pytorch fit weight_ih_l0 7×3, weight_hh_l0 16×4, bias_ih_l0 9, bias_hh_l0 16",
    ),
    "names": (
        {"a": np.ones((3, 4))},
        {"target": "keras", "source": "mlx"},
        "the arrays (a 3×4) have no names of mlx",
    ),
    "n": (torch_arrays(), {"target": "keras", "sizes": {"n": 5}}, "n was said to be 5, but the arrays have n=3, m=4"),
    "integers": (
        torch_arrays(bias_hh_l0=np.ones(16, "int8")),
        {"target": "keras", **ONE},
        "bias_hh_l0 holds int8; expected floating-point numbers",
    ),
    "not a number": (
        torch_arrays(bias_hh_l0=np.full(16, np.nan)),
        {"target": "keras", **ONE},
        "bias_hh_l0 holds NaN or infinity",
    ),
    "a GRU of two readings": (
        saved(LAYOUTS["onnx_gru"], usual_cell("gru", 2)),
        {"target": "torch", "source": "onnx"},
        "may be those of gru in the layout onnx_gru or of gru_reset_after in the layout onnx_gru; name the layout or",
    ),
    "two layouts": (
        {"W": np.eye(16, 3)[None], "R": np.eye(16, 4)[None]},
        {"target": "torch"},
        "may be those of lstm in the layout onnx or of lstm in the layout openvino; name the layout or the spec",
    ),
    "an unknown library": (torch_arrays(), {"target": "kreas"}, 'unknown layout "kreas": did you mean keras?'),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_represented_is_refused_in_one_sentence(name):
    arrays, asked, message = REFUSED[name]
    with pytest.raises(REFUSALS) as refused:
        ls.convert(arrays, **asked)
    said = str(refused.value)
    assert message in said, said
    assert "\n" not in said


def test_an_activation_that_a_library_has_not_is_refused(tmp_path):
    pytest.importorskip("onnx")
    path = tmp_path / "hard.onnx"
    path.write_bytes(model(Operator(activations=("HardSigmoid", "Tanh", "Tanh"))).SerializeToString())
    status, _, said = command(path, "--to", "torch")
    assert status == 2
    assert "pytorch computes lstm with f = σ(a_f), where ONNX LSTM(" in said
    clipped = model(Operator(clip=1.0)).SerializeToString()
    path.write_bytes(clipped)
    assert "pytorch computes lstm with" in command(path, "--to", "torch")[2]


PLACES = {
    "w.txt": "w.txt has no ending that tells what it is",
    "w.keras": "w.keras is a file of Keras, which has no place for weight_ih_l0",
    "w.h5": "w.h5 is a file of Keras, which has no place for weight_ih_l0",
    "w.onnx": "w.onnx is a model of ONNX; convert to onnx",
    "none/w.npz": "there is no folder none",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_cannot_hold_the_weights_is_refused(place, tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", **torch_arrays())
    status, _, said = command("a.npz", "--to", "torch", "--no-check", "-o", place)
    assert (status, PLACES[place] in said) == (2, True), said
    assert said.count("\n") == 1


def test_a_model_of_several_nodes_is_asked_for_one(tmp_path):
    pytest.importorskip("onnx")
    whole = model(Operator())
    whole.graph.node[0].name = "first"
    whole.graph.node.append(whole.graph.node[0])
    whole.graph.node[1].name = "second"
    (tmp_path / "two.onnx").write_bytes(whole.SerializeToString())
    status, _, said = command(tmp_path / "two.onnx", "--to", "torch", "--no-check")
    assert status == 2
    assert "two.onnx has the recurrent nodes first, second; name one of them by the prefix" in said
    assert command(tmp_path / "two.onnx", "--to", "torch", "--no-check", "--prefix", "second")[0] == 0
    status, _, said = command(tmp_path / "two.onnx", "--from", "torch", "--to", "torch")
    assert "two.onnx is a model, whose nodes say what they are" in said


NODES = {"keras.onnx": "LSTM__69", "torch_dynamo.onnx": "node_gru__1", "torch_script.onnx": "/lstm/LSTM_1"}


@pytest.mark.parametrize("name", NODES)
def test_a_node_of_a_real_model_is_converted(name):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("torch")
    found = ls.convert(Path(__file__).parent / "models" / name, target="torch", prefix=NODES[name])
    checked = conversion.agreement(found)
    assert (checked.status, bool(checked.source.library), bool(checked.target.library)) == ("verified", True, True)


def test_the_command_says_what_it_does_and_proves_it(tmp_path):
    pytest.importorskip("torch")
    np.savez(tmp_path / "a.npz", **torch_arrays())
    status, out, _ = command(tmp_path / "a.npz", "--from", "torch", "--to", "canonical", "-o", tmp_path / "b.npz")
    assert status == 0
    assert "VERIFIED  both compute lstm with these weights; their outputs differ by" in out
    assert "canonical: the equations in NumPy, since this layout is the specification's own: error/allowed" in out
    assert set(read_arrays(tmp_path / "b.npz")) >= {"W_f", "bR_o"}
    status, out, _ = command(tmp_path / "a.npz", "--to", "mlx", "--no-check", "-m", "4", "--json", "-")
    told = json.loads(out)
    assert (told["check"], told["sizes"], told["target"]["arrays"]["Wx"]) == (None, {"n": 3, "m": 4}, [16, 3])


MISSING = {".safetensors": ("safetensors", "safetensors"), ".pt": ("torch", "torch"), ".h5": ("h5py", "keras")}


@pytest.mark.parametrize("ending", MISSING)
def test_a_package_that_is_missing_is_named_with_its_extra(ending, tmp_path, monkeypatch):
    package, extra = MISSING[ending]
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / f"w{ending}").write_bytes(b"anything")
    status, _, said = command(tmp_path / f"w{ending}", "--to", "keras")
    assert status == 2
    assert f"w{ending} needs " in said
    assert f"install it with: pip install 'lstm_spec[{extra}]'" in said


def test_dictionaries_of_dictionaries_are_taken_as_they_are():
    jax, nn = pytest.importorskip("jax"), pytest.importorskip("flax.linen")
    cell = nn.RNN(nn.LSTMCell(4))
    variables = cell.init(jax.random.key(0), np.ones((2, 5, 3), "float32"))
    found = ls.convert(variables, source="flax", target="torch")
    assert found.source.prefix == "params/cell/"
    recurrent = variables["params"]["cell"]["hi"]["kernel"]
    np.testing.assert_array_equal(found.arrays["weight_hh_l0"][:4], recurrent.T)
    haiku = ls.convert({"lstm/linear": {"w": np.eye(7, 16), "b": np.ones(16)}}, source="haiku", target="mlx")
    assert haiku.arrays["Wx"].shape == (16, 3)


def test_a_state_dict_as_it_is_can_be_converted():
    torch = pytest.importorskip("torch")
    layer = torch.nn.LSTM(3, 4)
    found = ls.convert(layer.state_dict(), source="torch", target="keras")
    np.testing.assert_array_equal(found.arrays["kernel"], layer.weight_ih_l0.detach().numpy().T)
    mixed = {**layer.state_dict(), "name": np.array(["x"]), "step.count": np.array(3)}
    assert ls.convert(mixed, source="torch", target="keras").arrays["bias"].shape == (16,)


def test_where_the_sides_disagree_nothing_is_written(tmp_path, monkeypatch):
    pytest.importorskip("keras")
    wrong = {**LAYOUTS, "keras": replace(LAYOUTS["keras"], gates="ifoc")}
    monkeypatch.setattr("lstm_spec.targets.layouts.LAYOUTS", wrong)
    np.savez(tmp_path / "a.npz", **torch_arrays())
    status, out, _ = command(tmp_path / "a.npz", "--from", "torch", "--to", "keras", "-o", tmp_path / "b.npz")
    assert status == 1
    assert "DISCREPANCY  the two sides do not compute the same" in out
    assert not (tmp_path / "b.npz").exists()


@pytest.mark.parametrize(
    ("target", "place", "sentence"),
    [
        ("mlx", "big.keras", "big.keras is a file of Keras, which has no place for l0."),
        ("mlx", "big.h5", "big.h5 is a file of Keras, which has no place for l0."),
        ("keras", "big.onnx", "big.onnx is a model of ONNX; convert to onnx, or give the file another ending"),
        ("keras", "big.txt", "big.txt has no ending that tells what it is; expected .npz, "),
    ],
)
def test_what_the_ending_has_no_place_for_is_refused_before_anything_is_run(
    target, place, sentence, tmp_path, monkeypatch
):
    def run(*args, **options):
        raise AssertionError("nothing is run")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(conversion, "agreement", run)
    np.savez("two.npz", **saved(LAYOUTS["pytorch"], stack(count=2)))
    status, printed, said = command("two.npz", "--from", "torch", "--to", target, "-o", place)
    assert (status, printed) == (2, "")
    assert said.startswith(f"lstm-spec: {sentence}")
    assert said.count("\n") == 1
    assert not (tmp_path / place).exists()


def test_a_file_is_not_written_over_by_its_own_conversion(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(
        path,
        weight_ih_l0=np.zeros((8, 1)),
        weight_hh_l0=np.zeros((8, 2)),
        bias_ih_l0=np.zeros(8),
        bias_hh_l0=np.zeros(8),
    )
    before = path.read_bytes()
    result = CliRunner().invoke(main, ["convert", str(path), "--to", "keras", "--no-check", "-o", str(path)])
    assert (result.exit_code, path.read_bytes()) == (2, before)
    assert "is the file that is read; write to another" in result.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "the arrays (fc.weight 2×3, fc.bias 2) have no names of a known layout"),
        (("--prefix", "nope"), 'no array has a name that begins with "nope"; there is fc.weight 2×3, fc.bias 2'),
    ],
)
def test_a_file_without_an_lstm_is_said_to_have_none(options, sentence, tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, **{"fc.weight": np.zeros((2, 3)), "fc.bias": np.zeros(2)})
    result = CliRunner().invoke(main, ["convert", str(path), "--to", "onnx", "--no-check", *options])
    assert result.exit_code == 2
    assert sentence in " ".join(result.stderr.split())
