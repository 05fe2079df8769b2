"""Write models as PyTorch and Keras export them: ``python tests/models/export.py torch`` or ``keras``.

Keras exports its layers as recurrent operators from TensorFlow alone, with tf2onnx; from PyTorch it writes every step
of a sequence out. What is beside this file came from PyTorch 2.13 (onnxscript 0.7) and Keras 3.15 (TensorFlow 2.21,
tf2onnx 1.17).
"""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def without_places(path):
    """Leave out where the exporter found what it wrote: places on the machine that it ran on."""
    import onnx

    model = onnx.load(path)
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    onnx.save(model, path)


def export_torch():
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(5, 4, num_layers=2, bidirectional=True)
            self.between = torch.nn.Linear(8, 3)
            self.gru = torch.nn.GRU(3, 2, batch_first=True)

        def forward(self, x):
            return self.gru(self.between(self.lstm(x)[0]).transpose(0, 1))[0]

    torch.manual_seed(0)
    model, x = Model().eval(), torch.randn(7, 2, 5)
    axes = {"x": {0: "T", 1: "B"}}
    torch.onnx.export(model, (x,), FOLDER / "torch_script.onnx", dynamo=False, input_names=["x"], dynamic_axes=axes)
    torch.onnx.export(model, (x,), FOLDER / "torch_dynamo.onnx", dynamo=True, external_data=False)
    without_places(FOLDER / "torch_dynamo.onnx")


def export_keras():
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    layers = keras.layers
    recurrent = [layers.LSTM(4, return_sequences=True), layers.Bidirectional(layers.LSTM(2))]
    model = keras.Sequential([layers.Input((None, 5)), *recurrent, layers.Dense(2)])
    model(np.zeros((2, 6, 5), "float32"))
    model.export(str(FOLDER / "keras.onnx"), format="onnx", verbose=False)


if __name__ == "__main__":
    {"torch": export_torch, "keras": export_keras}[sys.argv[1]]()
