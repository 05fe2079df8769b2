"""Who takes part: the layers in NumPy by name, and those of the frameworks."""

from collections.abc import Callable
from typing import Any

import numpy as np
from case import Array, Case, NotRunError, Runs, installed
from in_numpy import (
    course_style,
    numpy_ml,
    ours,
    ours_clipped,
    ours_without_workspace,
    per_gate,
    products,
    products_and_functions,
)


def pytorch(case: Case) -> Runs:
    torch = installed("torch")
    torch.set_num_threads(1)
    W, R, b = case.stacked("ifco")
    module = torch.nn.LSTM(case.n, case.m, dtype=getattr(torch, np.dtype(case.dtype).name))
    with torch.no_grad():
        for name, value in (("weight_ih", W), ("weight_hh", R), ("bias_ih", b), ("bias_hh", 0 * b)):
            getattr(module, f"{name}_l0").copy_(torch.from_numpy(value))
    x, h0, c0 = (torch.from_numpy(v.copy()).requires_grad_() for v in (case.x, case.h0[None], case.c0[None]))
    cotangents = [torch.from_numpy(v.copy()) for v in (case.dy, case.dh[None], case.dc[None])]
    leaves = [x, h0, c0, *module.parameters()]

    def forward() -> Array:
        with torch.inference_mode():
            return module(x, (h0, c0))[0].numpy()

    def both() -> tuple[Array, Array]:
        y, (h, c) = module(x, (h0, c0))
        grads = torch.autograd.grad((y, h, c), leaves, cotangents)
        return y.detach().numpy(), grads[0].numpy()

    return Runs(forward, both)


def jax_scan(case: Case) -> Runs:
    jax = installed("jax")
    jax.config.update("jax_enable_x64", True)
    sigmoid, tanh = jax.nn.sigmoid, jax.numpy.tanh

    def layer(W: Any, R: Any, b: Any, x: Any, h0: Any, c0: Any) -> Any:
        def step(state: Any, projected: Any) -> Any:
            h, c = state
            f, i, o, c_tilde = jax.numpy.split(projected + h @ R.T, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * tanh(c_tilde)
            h = sigmoid(o) * tanh(c)
            return (h, c), h

        (h, c), y = jax.lax.scan(step, (h0, c0), x @ W.T + b)
        return y, h, c

    def pair(args: Any, cotangents: Any) -> Any:
        outputs, pullback = jax.vjp(layer, *args)
        return outputs[0], pullback(cotangents)

    args = [jax.numpy.asarray(v) for v in (*case.stacked("fioc"), case.x, case.h0, case.c0)]
    cotangents = tuple(jax.numpy.asarray(v) for v in (case.dy, case.dh, case.dc))
    forward, both = jax.jit(layer), jax.jit(pair)

    def run_both() -> tuple[Any, Any]:
        y, grads = jax.block_until_ready(both(args, cotangents))
        return y, grads[3]

    return Runs(lambda: jax.block_until_ready(forward(*args))[0], run_both)


def onnx_runtime(case: Case) -> Runs:
    runtime = installed("onnxruntime")
    if case.dtype is not np.float32:
        raise NotRunError("its LSTM kernel is float32 only")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = runtime.InferenceSession(_onnx_model(case), options, providers=["CPUExecutionProvider"])
    feed = {"X": case.x}
    return Runs(lambda: session.run(None, feed)[0][:, 0])


def onnx_reference(case: Case) -> Runs:
    installed("onnx")
    from onnx.reference import ReferenceEvaluator

    evaluator, feed = ReferenceEvaluator(_onnx_model(case)), {"X": case.x}
    return Runs(lambda: evaluator.run(None, feed)[0][:, 0])


def _onnx_model(case: Case) -> bytes:
    onnx = installed("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    W, R, b = case.stacked("iofc")
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(case.dtype))
    weights = {"W": W[None], "R": R[None], "B": np.concatenate([b, 0 * b])[None]}
    graph = helper.make_graph(
        [helper.make_node("LSTM", list("XWRB"), ["Y"], hidden_size=case.m)],
        "lstm",
        [helper.make_tensor_value_info("X", kind, case.x.shape)],
        [helper.make_tensor_value_info("Y", kind, (case.T, 1, case.B, case.m))],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return model.SerializeToString()


PEERS: dict[str, Callable[[Case], Runs]] = {
    "GEMM": products,
    "GEMM, exp, tanh": products_and_functions,
    "lstm_spec": ours,
    "lstm_spec, clipped": ours_clipped,
    "lstm_spec, plain functions": ours_without_workspace,
    "PyTorch": pytorch,
    "JAX": jax_scan,
    "ONNX Runtime": onnx_runtime,
    "per-gate NumPy": per_gate,
    "CS231n style": course_style,
    "numpy-ml": numpy_ml,
    "ONNX reference": onnx_reference,
}
