"""Models as PyTorch and Keras export them, verified node by node in two runtimes with the weights of the file."""

from dataclasses import replace
from pathlib import Path

import pytest

from lstm_spec.verify import prepare
from lstm_spec.verify.models import verify_model

pytest.importorskip("onnx")

MODELS = Path(__file__).parent / "models"
NODES = {
    "torch_script.onnx": ["LSTM(direction=bidirectional)"] * 2 + ["GRU(linear_before_reset=1)"],
    "torch_dynamo.onnx": ["LSTM(direction=bidirectional)"] * 2 + ["GRU(linear_before_reset=1)"],
    "keras.onnx": [
        "LSTM(activations=[Sigmoid,Tanh,Tanh])",
        "LSTM(activations=[Sigmoid,Tanh,Tanh,Sigmoid,Tanh,Tanh], direction=bidirectional)",
    ],
}


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", NODES)
def test_every_recurrent_node_is_verified(name, runtime, monkeypatch):
    pytest.importorskip(runtime)
    monkeypatch.setattr(prepare, "PROFILES", {"quick": replace(prepare.PROFILES["quick"], small=8, seeded=4)})
    report = verify_model(MODELS / name, runtime=runtime, profile="quick", checks=("signature", "step", "sequence"))
    assert [found.report.spec for found in report.found] == [f"ONNX {spec}" for spec in NODES[name]]
    assert report.verdict == "verified", report
