"""ONNX reference evaluator (onnx 1.23.2), GRU(sequence_lens):

lengths: h at row 1, unit 0: expected 0.5, got 0.25, error 0.25, allowed 8.9e-08 (float32).
Probably: the lengths are ignored: every row runs to the last step.
"""

import base64

import numpy as np
from onnx.reference import ReferenceEvaluator

# One node, made with onnx.helper; its weights are inputs.
MODEL = base64.b64decode(
    "CAo6sAIKRwoBWAoBVwoBUgoBQgoNc2VxdWVuY2VfbGVucwoJaW5pdGlhbF9oEgFZEgNZX2giA0dSVSoSCgtoaWRkZW5fc2l6ZRgBoAECEghvbm"
    "Vfbm9kZVoZCgFYEhQKEggBEg4KAxIBVAoDEgFCCgIIAVoXCgFXEhIKEAgBEgwKAggBCgIIAwoCCAFaFwoBUhISChAIARIMCgIIAQoCCAMKAggB"
    "WhMKAUISDgoMCAESCAoCCAEKAggGWhwKDXNlcXVlbmNlX2xlbnMSCwoJCAYSBQoDEgFCWiAKCWluaXRpYWxfaBITChEIARINCgIIAQoDEgFCCg"
    "IIAWIdCgFZEhgKFggBEhIKAxIBVAoCCAEKAxIBQgoCCAFiGgoDWV9oEhMKEQgBEg0KAggBCgMSAUIKAggBQgQKABAW"
)
inputs = {
    "X": np.zeros((2, 2, 1), dtype=np.float32),
    "W": np.zeros((1, 3, 1), dtype=np.float32),
    "R": np.zeros((1, 3, 1), dtype=np.float32),
    "B": np.zeros((1, 6), dtype=np.float32),
    "sequence_lens": np.array([2, 1], dtype=np.int32),
    "initial_h": np.array([[[0.0], [1.0]]], dtype=np.float32),
}
outputs = ReferenceEvaluator(MODEL).run(None, inputs)
Y, Y_h = outputs
got, expected, allowed = float(Y_h[0, 1, 0]), 0.5, 8.94069673297007e-08
print(f"Y_h[0, 1, 0] is {got}; the text of the operator gives {expected}, give or take {allowed:.1g}")
assert abs(got - expected) <= allowed
