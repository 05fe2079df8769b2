"""OpenVINO's operator LSTMSequence, built through its opset and compiled for the CPU."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_spec.targets.contract import Target
from lstm_spec.targets.frameworks import Framework, Run
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.modules import required


def sequence() -> Target:
    """Return the operator in one direction; raises TargetError without OpenVINO."""
    openvino = required("openvino", "OpenVINO", "openvino")
    ops = required("openvino.opset13", "OpenVINO", "openvino")
    # By itself it computes in a narrower format where the processor has one.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}

    def make(n: int, m: int, dtype: str) -> Run:
        inputs = [ops.parameter([-1, -1, n], np.float32), *(ops.parameter([-1, 1, m], np.float32) for _ in "hc")]
        ends = ops.parameter([-1], np.int32)
        shapes = ([1, 4 * m, n], [1, 4 * m, m], [1, 4 * m])
        kernels = [ops.parameter(shape, np.float32) for shape in shapes]
        node = ops.lstm_sequence(*inputs, ends, *kernels, m, "forward")
        compiled = openvino.compile_model(openvino.Model(node.outputs(), [*inputs, ends, *kernels]), "CPU", exact)

        def run(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
            *states, lengths = rest
            ends = np.full(len(x), x.shape[1], np.int32) if lengths is None else lengths.astype(np.int32)
            found = compiled([x, *states, ends, *params.values()])
            return tuple(found[k] for k in range(3))

        return run

    framework = Framework(versions={"openvino": openvino.__version__}, take=np.asarray, give=np.array)
    return framework.target("openvino", make, layout=find_layout("openvino"), dtypes=("float32",), past_length="zero")
