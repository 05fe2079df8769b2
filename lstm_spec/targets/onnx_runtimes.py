"""What runs an ONNX model: ONNX Runtime, OpenVINO, and the reference evaluator of ONNX itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.modules import required

Array = NDArray[Any]
Run = Callable[[Mapping[str, Array]], list[Array]]
"""Inputs by name → outputs in order."""


@dataclass(frozen=True)
class Runtime:
    """Something that runs models.

    name: how it is called; package: what has to be installed; dtypes: the formats in which it has the recurrent
    operators; session: from the bytes of a model to a function that runs it, raising whatever the runtime raises;
    sizes: those to ask for, where every new one has to be compiled for long.
    """

    name: str
    package: str
    dtypes: tuple[str, ...]
    session: Callable[[bytes], Run]
    sizes: tuple[Mapping[str, int], ...] | None = None

    @property
    def versions(self) -> dict[str, str]:
        """Return the version of the package; raises TargetError where it is not installed."""
        version = required(self.package, self.name, "onnx").__version__
        return {self.package: str(version).partition("-")[0]}


def _onnxruntime(model: bytes) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # What it has to say is in the exceptions; small models gain nothing from more threads.
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda feeds: list(session.run(None, dict(feeds)))


def _reference(model: bytes) -> Run:
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(model)
    return lambda feeds: list(evaluator.run(None, dict(feeds)))


def _openvino(model: bytes) -> Run:
    try:
        return _compiled(model)
    except RuntimeError as error:
        # What is wrong stands below the places in its sources.
        lines = (line for line in str(error).splitlines() if line and not line.startswith("Exception from "))
        raise RuntimeError(" ".join(lines)) from error


def _compiled(model: bytes) -> Run:
    core = _core()
    # Without the hint some processors compute in bfloat16.
    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1", "NUM_STREAMS": "1"}
    compiled = core.compile_model(core.read_model(model), "CPU", exact)
    # An input that no operator reads is gone from the compiled model.
    known = [port.any_name for port in compiled.inputs]

    def run(feeds: Mapping[str, Array]) -> list[Array]:
        found = compiled({name: feeds[name] for name in known})
        # What it returns is memory that its next run writes to.
        return [np.array(found[port]) for port in compiled.outputs]

    return run


@lru_cache(maxsize=1)
def _core() -> Any:
    import openvino

    return openvino.Core()


_PAIRS = ((1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (4, 4), (5, 7), (8, 9), (9, 8), (16, 17), (33, 31), (70, 64))
_SIZES = tuple(MappingProxyType({"n": n, "m": m}) for n, m in _PAIRS)

RUNTIMES: Mapping[str, Runtime] = MappingProxyType(
    {
        "onnxruntime": Runtime("ONNX Runtime", "onnxruntime", ("float32",), _onnxruntime),
        "reference": Runtime("the reference evaluator of ONNX", "onnx", ("float64", "float32"), _reference),
        "openvino": Runtime("OpenVINO", "openvino", ("float32",), _openvino, _SIZES),
    }
)
"""The runtimes by name."""


def runtime(name: str) -> Runtime:
    """Return a runtime by name; raises TargetError for a name that there is not."""
    if name not in RUNTIMES:
        raise TargetError(f'there is no runtime "{name}"; there is {", ".join(RUNTIMES)}')
    return RUNTIMES[name]
