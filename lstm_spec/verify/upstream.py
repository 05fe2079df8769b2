"""A discrepancy as a script that needs the library at fault and NumPy, ready for a report to the people who make it."""

import base64
import textwrap
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from lstm_spec.targets.built_in import BUILT_IN
from lstm_spec.targets.contract import forward_arguments
from lstm_spec.targets.like import LIKE, interface
from lstm_spec.targets.onnx import Node, inputs
from lstm_spec.targets.onnx_model import single_node
from lstm_spec.targets.places import output_place, output_shapes
from lstm_spec.targets.python import load
from lstm_spec.verify.conformance import Cell
from lstm_spec.verify.fit import subject_of
from lstm_spec.verify.literals import Literals
from lstm_spec.verify.search import Finding
from lstm_spec.verify.verdict import DISCREPANCY

_RUN: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "onnxruntime": (
            "import onnxruntime",
            "session = onnxruntime.InferenceSession(MODEL)\noutputs = session.run(None, inputs)",
        ),
        "reference": (
            "from onnx.reference import ReferenceEvaluator",
            "outputs = ReferenceEvaluator(MODEL).run(None, inputs)",
        ),
        "openvino": (
            "import openvino",
            "core = openvino.Core()\n"
            'model = core.compile_model(core.read_model(MODEL), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})\n'
            "# An input that nothing reads is gone from the compiled model.\n"
            "known = [port.any_name for port in model.inputs]\n"
            "found = model({name: inputs[name] for name in known})\n"
            "outputs = [found[port] for port in model.outputs]",
        ),
    }
)
"""What each runtime is imported as, and how it runs the model MODEL."""


def script_of(cell: Cell) -> str | None:
    """Return a script that shows a discrepancy; None where there is none to show.

    Of a node in a runtime it holds the model, so that it needs nothing else but NumPy. Of any other target it is the
    snippet of the report.
    """
    if cell.status != DISCREPANCY or cell.report is None or cell.report.finding is None:
        return None
    known = BUILT_IN.get(cell.target, cell.target)
    node = interface(known) if known.partition("(")[0] in LIKE else None
    if not isinstance(node, Node):
        failing = cell.report.failing
        return failing.snippet if failing is not None else None
    return "\n".join(_script(cell, node, cell.report.finding)) + "\n"


def _script(cell: Cell, node: Node, finding: Finding) -> Iterator[str]:
    case, operator = finding.case, node.operator
    target = load(cell.target)
    subject = subject_of(target, None, None)
    given = forward_arguments(target, subject.cell, case.params, case.x, case.states, case.lengths)
    x, *states = (array for _, array in given.rest)
    feeds = inputs(operator, given.params, x, tuple(states), case.lengths)
    model = single_node(operator, case.x.shape[-1], given.params["R"].shape[-1], str(case.dtype))
    package, run = _RUN[node.runtime]
    versions = ", ".join(f"{p} {v}" for p, v in cell.versions.items())
    literals = Literals("numpy")
    yield f'"""{cell.row} ({versions}), {operator}:'
    yield ""
    yield from textwrap.wrap(f"{cell.message}.", 116)
    if cell.diagnosis:
        yield from textwrap.wrap(f"Probably: {cell.diagnosis}.", 116)
    yield '"""'
    yield ""
    yield from ("import base64", "", "import numpy as np")
    yield from (package, "", "# One node, made with onnx.helper; its weights are inputs.", "MODEL = base64.b64decode(")
    yield from (f'    "{line}"' for line in textwrap.wrap(base64.b64encode(model).decode(), 110))
    yield ")"
    yield "inputs = {"
    yield from (f'    "{name}": {literals.array(np.asarray(array))},' for name, array in feeds.items())
    yield "}"
    yield run
    outputs = ["Y", *(f"Y_{state}" for state in operator.states)]
    yield f"{', '.join(outputs)} = outputs"
    deviation = finding.deviation
    if deviation is None:
        shapes = list(output_shapes(target, subject.cell, case.x, case.states).values())
        yield f"for name, output, shape in zip({outputs}, outputs, {shapes}, strict=True):"
        yield '    print(f"{name} has the shape {tuple(output.shape)}; expected {shape}")'
        yield "    assert tuple(output.shape) == shape"
        return
    index = tuple(deviation.position.values())
    place = output_place(target, subject.cell, case.x, case.states, deviation.output, index)
    result = "Y" if place.result == "y" else f"Y_{place.result}"
    where = f"{result}[{', '.join(map(str, place.index))}]"
    yield f"got, expected, allowed = float({where}), {deviation.expected!r}, {deviation.allowed!r}"
    yield f'print(f"{where} is {{got}}; the text of the operator gives {{expected}}, give or take {{allowed:.1g}}")'
    yield "assert abs(got - expected) <= allowed"
