"""OpenVINO (openvino 2026.4.1), LSTM(layout=1):

signature: y has shape (0, 1, 1, 1); expected (2, 3, 1, 1), in the declared layout (float32).
"""

import base64

import numpy as np
import openvino

# One node, made with onnx.helper; its weights are inputs.
MODEL = base64.b64decode(
    "CAo64wIKWgoBWAoBVwoBUgoBQgoACglpbml0aWFsX2gKCWluaXRpYWxfYxIBWRIDWV9oEgNZX2MiBExTVE0qEgoLaGlkZGVuX3NpemUYAaABAi"
    "oNCgZsYXlvdXQYAaABAhIIb25lX25vZGVaGQoBWBIUChIIARIOCgMSAUIKAxIBVAoCCAFaFwoBVxISChAIARIMCgIIAQoCCAQKAggBWhcKAVIS"
    "EgoQCAESDAoCCAEKAggECgIIAVoTCgFCEg4KDAgBEggKAggBCgIICFogCglpbml0aWFsX2gSEwoRCAESDQoDEgFCCgIIAQoCCAFaIAoJaW5pdG"
    "lhbF9jEhMKEQgBEg0KAxIBQgoCCAEKAggBYh0KAVkSGAoWCAESEgoDEgFCCgMSAVQKAggBCgIIAWIaCgNZX2gSEwoRCAESDQoDEgFCCgIIAQoC"
    "CAFiGgoDWV9jEhMKEQgBEg0KAxIBQgoCCAEKAggBQgQKABAW"
)
inputs = {
    "X": np.zeros((2, 3, 1), dtype=np.float32),
    "W": np.zeros((1, 4, 1), dtype=np.float32),
    "R": np.zeros((1, 4, 1), dtype=np.float32),
    "B": np.zeros((1, 8), dtype=np.float32),
    "initial_h": np.zeros((2, 1, 1), dtype=np.float32),
    "initial_c": np.zeros((2, 1, 1), dtype=np.float32),
}
core = openvino.Core()
model = core.compile_model(core.read_model(MODEL), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
# An input that nothing reads is gone from the compiled model.
known = [port.any_name for port in model.inputs]
found = model({name: inputs[name] for name in known})
outputs = [found[port] for port in model.outputs]
Y, Y_h, Y_c = outputs
for name, output, shape in zip(['Y', 'Y_h', 'Y_c'], outputs, [(2, 3, 1, 1), (2, 1, 1), (2, 1, 1)], strict=True):
    print(f"{name} has the shape {tuple(output.shape)}; expected {shape}")
    assert tuple(output.shape) == shape
