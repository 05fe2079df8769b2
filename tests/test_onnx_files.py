"""Somebody's models: their recurrent nodes are found and verified; what is spoilt is refused in one sentence."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

from lstm_spec.cli import main
from lstm_spec.spec.onnx import Operator
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.onnx_file import nodes
from lstm_spec.verify import prepare, simplify
from lstm_spec.verify.replay import ReplayError, replay
from lstm_spec.verify.run import verify
from tests.onnx_models import EVERY, model, spoilt, weights
from tests.pages import check_page
from tests.pages import text as text_of
from tests.test_onnx_targets import by_hand
from tests.test_snippet import pasted

onnx = pytest.importorskip("onnx")


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch):
    few = replace(prepare.PROFILES["quick"], small=6, seeded=4, sizes=(2, 3, 5))
    monkeypatch.setattr(prepare, "PROFILES", {"quick": few})
    monkeypatch.setattr(simplify, "MOST_CALLS", 20)


def saved(path, changed):
    path.write_bytes(changed if isinstance(changed, bytes) else changed.SerializeToString())
    return path


def verified(path, *options):
    """Return the exit status and the report of the command."""
    result = CliRunner().invoke(main, ["verify", str(path), "--profile", "quick", "--json", "-", *options])
    return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr


OPERATORS = (
    EVERY,
    Operator(direction="reverse", inputs=frozenset({"B"})),
    Operator(kind="GRU", direction="bidirectional", linear_before_reset=1),
    Operator(kind="RNN", activations=("Relu",), clip=2.0),
    Operator(inputs=frozenset()),
)


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
def test_a_node_is_found_with_its_attributes_and_weights(tmp_path, operator):
    path = saved(tmp_path / "one.onnx", model(operator))
    (node,) = nodes(path, by_hand())
    assert node.reason == ""
    assert str(operator) in (node.target.spec.name or "")
    report = verify(node.target, profile="quick", checks=("signature", "step", "lengths"), diagnose=False)
    assert report.verdict == "verified", report


def test_the_command_verifies_node_by_node(tmp_path):
    pytest.importorskip("onnxruntime")
    whole = model(Operator())
    whole.graph.node[0].name = "first"
    whole.graph.node.append(whole.graph.node[0])
    whole.graph.node[1].name = "second"
    whole.graph.node[1].output[:] = ["Z", "Z_h", "Z_c"]
    whole.graph.node[1].input[1] = "computed"
    path = saved(tmp_path / "two.onnx", whole)
    status, report = verified(path, "--checks", "signature,step")
    assert (status, report["verdict"]) == (3, "inconclusive")
    assert [(n["name"], n["verdict"]) for n in report["nodes"]] == [("first", "verified"), ("second", "not_testable")]
    assert report["nodes"][1]["message"] == "W is computed in the model or given to it, and is no initialiser"
    del whole.graph.node[1]
    status, report = verified(saved(path, whole), "--checks", "signature,step", "--runtime", "reference")
    assert (status, report["verdict"], report["runtime"]) == (0, "verified", "reference")


def test_the_command_takes_for_a_model_what_it_takes_for_others(tmp_path):
    """Every form of the report, a process of its own, and declared deviations, one of which is stale."""
    pytest.importorskip("onnxruntime")
    whole = model(Operator())
    whole.graph.node.append(whole.graph.node[0])
    whole.graph.node[1].input[1] = "computed"
    path = saved(tmp_path / "two.onnx", whole)
    (tmp_path / "known.toml").write_text('[[deviation]]\ncheck = "step"\nreason = "it was so"\n')
    files = {form: tmp_path / f"report.{form}" for form in ("junit", "html")}
    options = [word for form, file in files.items() for word in (f"--{form}", str(file))]
    options += ["--isolate", "--checks", "signature,step", "--max-seconds", "1000"]
    status, report = verified(path, *options)
    assert (status, report["nodes"][0]["verdict"], report["nodes"][0]["given"]["isolate"]) == (3, "verified", True)
    suites = ElementTree.parse(files["junit"]).findall("testsuite")
    assert [suite.get("name") for suite in suites] == [f"{path}, node LSTM 0 against ONNX LSTM", f"{path}, node LSTM 1"]
    assert suites[1].find("testcase/skipped").get("message").startswith("not testable: W is computed in the model")
    assert ElementTree.parse(files["junit"]).getroot().get("skipped") == "2"
    said = text_of(check_page(files["html"].read_text(encoding="utf-8")))
    assert "two.onnx in onnxruntime: inconclusive" in said
    assert "Node LSTM 1: not testableLSTM: W is computed in the model" in said
    known = ["--known-deviations", str(tmp_path / "known.toml"), "--strict", "--checks", "step"]
    status, report = verified(path, *known)
    assert (status, report["nodes"][0]["verdict"]) == (1, "discrepancy")


def test_the_weights_that_run_are_those_of_the_file(tmp_path):
    path = saved(tmp_path / "one.onnx", model(EVERY, seed=1))
    (node,) = nodes(path, by_hand())
    (other,) = nodes(saved(tmp_path / "other.onnx", model(EVERY, seed=2)), by_hand())
    mixed = replace(node.target, forward=other.target.forward)
    checks = ("signature", "step")
    assert verify(mixed, profile="quick", checks=checks, diagnose=False).verdict == "discrepancy"


def test_a_node_within_a_branch_is_found_with_the_weights_around_it(tmp_path):
    inner = model(Operator())
    branch = onnx.helper.make_graph([inner.graph.node[0]], "branch", [], list(inner.graph.output))
    choice = onnx.helper.make_node("If", ["known"], ["Y", "Y_h", "Y_c"], then_branch=branch, else_branch=branch)
    graph = onnx.helper.make_graph([choice], "outer", [], [], list(inner.graph.initializer))
    found = nodes(saved(tmp_path / "if.onnx", onnx.helper.make_model(graph)), by_hand())
    assert [n.reason for n in found] == ["", ""]


@pytest.mark.parametrize("way", ["constants", "lists", "external"])
def test_weights_are_read_wherever_they_are(tmp_path, way):
    whole, values = model(Operator()), weights(Operator())
    del whole.graph.initializer[:]
    for name, array in values.items():
        tensor = onnx.numpy_helper.from_array(array, name)
        if way == "constants":
            whole.graph.node.insert(0, onnx.helper.make_node("Constant", [], [name], value=tensor))
            continue
        if way == "lists":
            tensor = onnx.helper.make_tensor(name, onnx.TensorProto.FLOAT, array.shape, array.ravel().tolist())
        else:
            onnx.external_data_helper.set_external_data(tensor, f"{name}.bin")
            (tmp_path / f"{name}.bin").write_bytes(array.tobytes())
            tensor.ClearField("raw_data")
        whole.graph.initializer.append(tensor)
    (node,) = nodes(saved(tmp_path / "one.onnx", whole), by_hand())
    assert node.reason == ""
    m = values["R"].shape[2]
    np.testing.assert_array_equal(node.target.weights["W_o"], values["W"][0, m : 2 * m])


def no_file(path, whole):
    return path.with_name("none.onnx")


def sparse(path, whole):
    with path.open("wb") as file:
        file.truncate(10 * 2**30)
    return path


def text(path, whole):
    return saved(path, b"an ONNX model")


def empty(path, whole):
    return saved(path, b"")


def truncated(path, whole):
    return saved(path, whole.SerializeToString()[:-30])


REFUSED = {
    no_file: "there is no file",
    sparse: "has 10,737,418,240 bytes; a model has at most 2,147,483,648",
    text: "is no ONNX model, or it is cut short",
    empty: "has no node LSTM, GRU or RNN",
    truncated: "is no ONNX model, or it is cut short",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda f: f.__name__)
def test_a_file_that_is_no_model_is_refused_in_one_sentence(tmp_path, make):
    status, said = verified(make(tmp_path / "one.onnx", model()))
    assert status == 2
    assert REFUSED[make] in said
    assert said.count("\n") == 1


def tensor(whole, name="W"):
    return next(t for t in whole.graph.initializer if t.name == name)


def external(whole, **said):
    onnx.external_data_helper.set_external_data(tensor(whole), "W.bin")
    tensor(whole).ClearField("raw_data")
    del tensor(whole).external_data[:]
    for key, value in said.items():
        tensor(whole).external_data.add(key=key, value=value)


def attribute(whole, name, **value):
    whole.graph.node[0].attribute.append(onnx.AttributeProto(name=name, **value))


INTS = onnx.AttributeProto.INTS
NOT_TESTABLE = {
    "claims 10 GB": (
        lambda w: tensor(w).dims.__setitem__(slice(None), [2, 2**20, 1280]),
        "W has the shape (2, 1048576, 1280); expected (2, 8, 1280)",
    ),
    "data cut": (lambda w: setattr(tensor(w), "raw_data", b"1234"), "W holds 4 bytes; its shape takes 192"),
    "integers": (lambda w: setattr(tensor(w), "data_type", 7), "W holds INT64; expected FLOAT, DOUBLE, FLOAT16"),
    "no such type": (lambda w: setattr(tensor(w), "data_type", 99), "W holds 99; expected"),
    "NaN": (lambda w: setattr(tensor(w), "raw_data", b"\xff" * 192), "W holds NaN or infinity"),
    "too few axes": (lambda w: tensor(w).dims.pop(), "W and R have the shapes (2, 8) and (2, 8, 2); expected three"),
    "negative": (lambda w: tensor(w).dims.__setitem__(0, -2), "expected three positive numbers each"),
    "outside": (lambda w: external(w, location="../../etc/passwd"), "outside the folder of the model"),
    "absolute": (lambda w: external(w, location="/etc/passwd"), "W is in /etc/passwd, outside the folder"),
    "nowhere": (lambda w: external(w), "W is in no file, outside the folder of the model"),
    "not there": (lambda w: external(w, location="W.bin"), "W is in W.bin, which is not there"),
    "beyond": (lambda w: external(w, location="one.onnx", offset="99999"), "W ends beyond one.onnx, which has"),
    "before": (lambda w: external(w, location="one.onnx", offset="-5"), "W ends beyond one.onnx"),
    "no offset": (lambda w: external(w, location="one.onnx", offset="x"), "W has no number as its offset or length"),
    "more": (lambda w: external(w, location="one.onnx", length=str(10 * 2**30)), "takes 10,737,418,240 bytes of"),
    "clip of 0": (lambda w: attribute(w, "clip", f=0.0, type=1), "clip is a positive limit, got 0.0"),
    "clip a list": (lambda w: attribute(w, "clip", ints=[1], type=INTS), "clip is not of the type that it has"),
    "no type": (lambda w: attribute(w, "layout", i=1), "the attribute layout is not of the type that it has"),
    "activation": (lambda w: attribute(w, "activations", strings=[b"\xff"] * 6, type=8), "activations: there is no"),
    "no R": (lambda w: w.graph.node[0].input.__setitem__(2, ""), "the node has no input R"),
    "no inputs": (lambda w: w.graph.node[0].ClearField("input"), "the node has no input X"),
}


@pytest.mark.parametrize("name", NOT_TESTABLE)
def test_a_node_that_cannot_be_checked_says_why(tmp_path, name):
    change, message = NOT_TESTABLE[name]
    whole = model()
    change(whole)
    (node,) = nodes(saved(tmp_path / "one.onnx", whole), by_hand())
    assert node.target is None
    assert message in node.reason
    assert "\n" not in node.reason


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(192))
    (tmp_path / "model" / "W.bin").symlink_to(tmp_path / "secret.bin")
    whole = model()
    external(whole, location="W.bin")
    (node,) = nodes(saved(tmp_path / "model" / "one.onnx", whole), by_hand())
    assert "outside the folder" in node.reason


def read(path):
    """Return the nodes of a model, and what is said of it or of one of them."""
    try:
        found = nodes(path, by_hand())
    except TargetError as error:
        return (), str(error)
    return found, "".join(node.reason for node in found)


def test_models_spoilt_by_chance_never_end_in_a_traceback(tmp_path):
    """The corpus that ``python -m tests.onnx_models`` writes: each is a model, or one sentence says that it is none."""
    rng, good = np.random.default_rng(0), model().SerializeToString()
    refused = 0
    for _ in range(300):
        path = saved(tmp_path / "one.onnx", spoilt(good, rng))
        found, said = read(path)
        assert "\n" not in said
        assert all((node.target is None) == bool(node.reason) for node in found)
        refused += bool(said)
    assert refused > 100


def test_double_precision_is_for_a_runtime_that_has_it(tmp_path):
    pytest.importorskip("onnxruntime")
    whole = model(Operator())
    for name, array in weights(Operator()).items():
        tensor(whole, name).CopyFrom(onnx.numpy_helper.from_array(array.astype("f8"), name))
    path = saved(tmp_path / "one.onnx", whole)
    (node,) = nodes(path, "onnxruntime")
    assert node.reason == "its weights are float64; ONNX Runtime has the operator in float32"
    assert nodes(path, "reference")[0].target.dtypes == ("float64",)


USAGE = [
    (("--spec", "gru"), "whose nodes say what they are: leave --spec out"),
    (("--reading", "clip"), "it is name=answer, with commas between several"),
    (("--reading", "clip=h"), "the reading clip is one of 'activations', 'gates', 'state', got 'h'"),
    (("--runtime", "tensorrt"), 'there is no runtime "tensorrt"'),
]


@pytest.mark.parametrize(("options", "message"), USAGE)
def test_options_that_do_not_fit_a_model(tmp_path, options, message):
    status, said = verified(saved(tmp_path / "one.onnx", model(Operator())), *options)
    assert status == 2
    assert message in said


def test_a_runtime_is_for_a_model():
    status, said = verified("numpy", "--runtime", "openvino")
    assert status == 2
    assert "--runtime and --reading are for a model, a file that ends in .onnx" in said


def test_the_clip_of_onnx_runtime_is_a_deviation_that_is_known(tmp_path):
    pytest.importorskip("onnxruntime")
    path = saved(tmp_path / "one.onnx", model(Operator(clip=0.3)))
    status, report = verified(path)
    assert (status, report["verdict"]) == (1, "discrepancy")
    said = [d["sentence"] for d in report["nodes"][0]["diagnosis"]]
    assert said[0] == "clip is ignored in part: what the activation of h reads is not clipped"
    status, report = verified(path, "--known-deviations", "onnxruntime")
    assert (status, report["verdict"]) == (0, "verified"), report
    statuses = {c["id"]: c["status"] for c in report["nodes"][0]["checks"]}
    assert statuses["step"] == "known_deviation"
    assert verified(path, "--reading", "clip=gates")[0] == 0


@pytest.fixture
def clipped(tmp_path, monkeypatch):
    """The report about a model whose second node has a clip that the reference evaluator does not heed."""
    monkeypatch.chdir(tmp_path)
    both = model(Operator(inputs=frozenset({"B"})))
    both.graph.node.append(model(Operator(inputs=frozenset({"B"}), clip=0.5)).graph.node[0])
    path = saved(tmp_path / "two.onnx", both)
    status, report = verified(path.name, "--runtime", "reference", "--checks", "signature,step")
    assert status == 1
    assert [node["verdict"] for node in report["nodes"]] == ["verified", "discrepancy"]
    return report


def test_what_is_shown_of_a_node_finds_it_in_the_model(clipped, tmp_path):
    shown = clipped["nodes"][1]["counterexample"]["snippet"]
    assert 'target = nodes("two.onnx", "reference")[1].target' in shown
    assert "AssertionError" in pasted(shown, tmp_path).stderr


def test_a_report_about_a_model_is_replayed_at_its_first_failing_node(clipped, tmp_path):
    again = replay(clipped)
    assert (again.reproduced, again.target) == (True, clipped["nodes"][1]["name"])
    (tmp_path / "two.onnx").write_bytes(model(Operator(inputs=frozenset({"B"}))).SerializeToString())
    with pytest.raises(ReplayError, match=r"is about node 1 of two\.onnx, which has 1 recurrent node$"):
        replay(clipped)
    clipped["nodes"][1]["given"]["node"] = {"number": "first"}
    with pytest.raises(ReplayError, match="given is not how verify names a target"):
        replay(clipped)
