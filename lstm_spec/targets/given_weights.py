"""The arrays of saved weights, as they are given or as a file has them, and what a file says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lstm_spec.spec.onnx import Operator, readings
from lstm_spec.targets.array_files import read_arrays
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.onnx import layout_of
from lstm_spec.targets.onnx_file import Saved, saved_nodes
from lstm_spec.targets.reading import FileError
from lstm_spec.targets.weights import Spec

MODEL = ".onnx"


@dataclass(frozen=True)
class Given:
    """Arrays by name, and how to read them: in which layout, as whose parameters, after what before their names."""

    arrays: Mapping[str, Any]
    source: str | Layout | None
    spec: Spec | None
    prefix: str | None


def given_weights(
    given: str | Path | Mapping[str, Any], *, source: str | Layout | None, spec: Spec | None, prefix: str | None
) -> Given:
    """Return arrays as they are, or those in a file; a model of ONNX says itself what its nodes hold.

    The arguments are those of ``convert``. Raises FileError for a file that cannot be read.
    """
    if isinstance(given, Mapping):
        return Given(given, source, spec, prefix)
    if Path(given).suffix != MODEL:
        return Given(read_arrays(given), source, spec, prefix)
    if (source is not None and not str(source).startswith("onnx")) or spec is not None:
        raise FileError(f"{given} is a model, whose nodes say what they are: leave out from what it is converted")
    node = _node(given, prefix)
    own = _operator(node.operator)
    return Given(node.weights, layout_of(own, readings()["coupling"]), own.spec(), "")


def _node(path: str | Path, name: str | None) -> Saved:
    """Return the recurrent node of a model that has a name, or its only one."""
    every = saved_nodes(path)
    found = [node for node in every if name is None or node.name == name]
    if len(found) != 1:
        known = ", ".join(node.name for node in every)
        raise FileError(f"{path} has the recurrent nodes {known}; name one of them by the prefix")
    if found[0].reason:
        raise FileError(f"{path}, {found[0].name}: {found[0].reason}")
    return found[0]


def _operator(operator: Operator) -> Operator:
    """Return an operator as what has weights: given initial states, and without lengths and axes of its own."""
    states = {f"initial_{name}" for name in operator.states}
    return replace(operator, inputs=frozenset(({"B", "P"} & operator.inputs) | states), layout=0)
