"""ONNX reference evaluator (onnx 1.23.2), LSTM(activations=[Sigmoid,Relu,Tanh,Sigmoid,Tanh,Relu], direction=bidirectional):

step: y at step 0, row 0, unit 1: expected 0.25, got 0.231058598, error 0.019, allowed 5.8e-07 (float32).
Probably: activations are ignored: sigmoid and tanh stand in their places.
"""

import base64

import numpy as np
from onnx.reference import ReferenceEvaluator

# One node, made with onnx.helper; its weights are inputs.
MODEL = base64.b64decode(
    "CAo6sAMKpgEKAVgKAVcKAVIKAUIKAAoJaW5pdGlhbF9oCglpbml0aWFsX2MSAVkSA1lfaBIDWV9jIgRMU1RNKjoKC2FjdGl2YXRpb25zSgdTaW"
    "dtb2lkSgRSZWx1SgRUYW5oSgdTaWdtb2lkSgRUYW5oSgRSZWx1oAEIKh0KCWRpcmVjdGlvbiINYmlkaXJlY3Rpb25hbKABAyoSCgtoaWRkZW5f"
    "c2l6ZRgBoAECEghvbmVfbm9kZVoZCgFYEhQKEggBEg4KAxIBVAoDEgFCCgIIAVoXCgFXEhIKEAgBEgwKAggCCgIIBAoCCAFaFwoBUhISChAIAR"
    "IMCgIIAgoCCAQKAggBWhMKAUISDgoMCAESCAoCCAIKAggIWiAKCWluaXRpYWxfaBITChEIARINCgIIAgoDEgFCCgIIAVogCglpbml0aWFsX2MS"
    "EwoRCAESDQoCCAIKAxIBQgoCCAFiHQoBWRIYChYIARISCgMSAVQKAggCCgMSAUIKAggBYhoKA1lfaBITChEIARINCgIIAgoDEgFCCgIIAWIaCg"
    "NZX2MSEwoRCAESDQoCCAIKAxIBQgoCCAFCBAoAEBY="
)
inputs = {
    "X": np.zeros((1, 1, 1), dtype=np.float32),
    "W": np.zeros((2, 4, 1), dtype=np.float32),
    "R": np.zeros((2, 4, 1), dtype=np.float32),
    "B": np.zeros((2, 8), dtype=np.float32),
    "initial_h": np.zeros((2, 1, 1), dtype=np.float32),
    "initial_c": np.array([[[0.0]], [[1.0]]], dtype=np.float32),
}
outputs = ReferenceEvaluator(MODEL).run(None, inputs)
Y, Y_h, Y_c = outputs
got, expected, allowed = float(Y[0, 1, 0, 0]), 0.25, 5.811456606780498e-07
print(f"Y[0, 1, 0, 0] is {got}; the text of the operator gives {expected}, give or take {allowed:.1g}")
assert abs(got - expected) <= allowed
