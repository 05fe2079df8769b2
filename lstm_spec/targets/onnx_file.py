"""The recurrent nodes of somebody's ONNX model, each as a target with the model's own weights."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from lstm_spec.spec.onnx import KINDS, Operator, readings
from lstm_spec.spec.options import OptionError
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.held import held
from lstm_spec.targets.modules import required
from lstm_spec.targets.onnx import Array, inputs, operator_target
from lstm_spec.targets.onnx_model import shapes, single_node
from lstm_spec.targets.onnx_runtimes import RUNTIMES, Run, Runtime, runtime
from lstm_spec.targets.onnx_tensors import TensorError, Tensors, read_model
from lstm_spec.targets.origin import NodeAt, Origin

_WEIGHTS = ("W", "R", "B", "P")


@dataclass(frozen=True)
class Saved:
    """A recurrent node as it is saved: name and kind, its operator and weights, or why they cannot be read."""

    name: str
    kind: str
    operator: Operator = field(default_factory=Operator)
    weights: Mapping[str, Array] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Node:
    """A recurrent node of a model: its name and kind, and it as a target, or why it cannot be one."""

    name: str
    kind: str
    target: Target | None = None
    reason: str = ""


def saved_nodes(path: str | Path) -> tuple[Saved, ...]:
    """Return the recurrent nodes of a model, in order, those of inner graphs after what is around them.

    Raises TargetError in one sentence for a file that is no model or has no such node, and without ONNX.
    """
    required("onnx", "ONNX", "onnx")
    place = Path(path)
    model = read_model(place)
    graphs = _graphs(model.graph, Tensors(place.parent, {}))
    every = [(node, tensors) for graph, tensors in graphs for node in graph.node if _is_recurrent(node)]
    if not every:
        raise TargetError(f"{path} has no node {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    names = [node.name or f"{node.op_type} {k}" for k, (node, _) in enumerate(every)]
    return tuple(_saved(name, node, tensors) for name, (node, tensors) in zip(names, every, strict=True))


def nodes(path: str | Path, which: str | Runtime, *, chosen: Mapping[str, str] | None = None) -> tuple[Node, ...]:
    """Return the recurrent nodes of a model as targets.

    path: of the model; which: the runtime that runs them, each in a model of its own with all of its outputs, and with
    both initial states where it has one; chosen: readings that are not the default. Raises TargetError as
    ``saved_nodes`` does, OptionError for a reading that there is not.
    """
    found = runtime(which) if isinstance(which, str) else which
    readings(chosen)
    every = tuple(_node(saved, found, chosen) for saved in saved_nodes(path))
    names = [name for name, known in RUNTIMES.items() if known is found]
    if not names:
        return every
    return tuple(_placed(node, str(path), NodeAt(k, names[0], chosen or {})) for k, node in enumerate(every))


def _placed(node: Node, path: str, place: NodeAt) -> Node:
    origin = Origin(path, "node", node=place)
    return node if node.target is None else replace(node, target=replace(node.target, origin=origin))


def _is_recurrent(node: Any) -> bool:
    return node.op_type in KINDS and node.domain in ("", "ai.onnx")


def _graphs(graph: Any, around: Tensors) -> Iterator[tuple[Any, Tensors]]:
    """Yield a graph and those in attributes of its nodes, each with the constants that it sees."""
    known = dict(around.known) | {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            name = node.output[0]
            known |= {name: a.t for a in node.attribute if a.name == "value"}  # noqa: B035
        if node.op_type == "Identity" and node.output and node.input and node.input[0] in known:
            known[node.output[0]] = known[node.input[0]]
    seen = replace(around, known=known)
    yield graph, seen
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner, seen)


def _node(saved: Saved, which: Runtime, chosen: Mapping[str, str] | None) -> Node:
    about = (saved.name, saved.kind)
    if saved.reason:
        return Node(*about, reason=saved.reason)
    dtype = str(saved.weights["W"].dtype)
    if dtype not in which.dtypes:
        said = f"its weights are {dtype}; {which.name} has the operator in {' and '.join(which.dtypes)}"
        return Node(*about, reason=said)
    try:
        target = operator_target(which, saved.operator, chosen=chosen, name=saved.name)
        return Node(*about, target=with_weights(target, which, saved.operator, saved.weights))
    except OptionError as error:
        return Node(*about, reason=str(error))


def _saved(name: str, node: Any, tensors: Tensors) -> Saved:
    try:
        operator = operator_of(node)
        return Saved(name, node.op_type, operator, _weights(operator, node, tensors))
    except (OptionError, TensorError) as error:
        return Saved(name, node.op_type, reason=str(error))


def _weights(operator: Operator, node: Any, tensors: Tensors) -> dict[str, Array]:
    sources = dict(zip(_every_input(operator), node.input, strict=False))
    for role in _WEIGHTS:
        if sources.get(role) and sources[role] not in tensors.known:
            raise TensorError(f"{role} is computed in the model or given to it, and is no initialiser")
    for role in ("X", "W", "R"):
        if not sources.get(role):
            raise TensorError(f"the node has no input {role}")
    n, m = _sizes(tensors, sources)
    of: Any = shapes(operator, n, m)
    weights = {role: tensors.array(sources[role], of[role]) for role in _WEIGHTS if sources.get(role)}
    if len({a.dtype for a in weights.values()}) > 1:
        raise TensorError("its weights are of several types")
    return weights


def _every_input(operator: Operator) -> tuple[str, ...]:
    """Return the names of all inputs that a node may have, in order."""
    states = ("initial_h", "initial_c") if operator.kind == "LSTM" else ("initial_h",)
    return ("X", "W", "R", "B", "sequence_lens", *states, *(("P",) if operator.kind == "LSTM" else ()))


def _sizes(tensors: Tensors, sources: Mapping[str, str]) -> tuple[int, int]:
    """Return n and m as the matrices claim them."""
    W, R = (tensors.dims(sources[role]) for role in ("W", "R"))
    if len(W) != 3 or len(R) != 3 or min(*W, *R) < 1:
        raise TensorError(f"W and R have the shapes {W} and {R}; expected three positive numbers each")
    return W[2], R[2]


def with_weights(target: Target, which: Runtime, operator: Operator, weights: Mapping[str, Array]) -> Target:
    """Return the target of an operator with weights that are in the model, as initialisers."""
    n, m = weights["W"].shape[2], weights["R"].shape[2]
    dtype = str(weights["W"].dtype)

    @lru_cache(maxsize=1)
    def session() -> Run:
        return which.session(single_node(operator, n, m, dtype, weights))

    def forward(params: Mapping[str, Array], x: Array, *states: Array, lengths: Array | None = None) -> Any:
        given = inputs(operator, weights, x, states, lengths)
        return tuple(session()({name: array for name, array in given.items() if name not in weights}))

    spec: Any = target.spec
    own = held(target.layout, spec).unpack(weights, {"n": n, "m": m})
    return replace(target, forward=forward, weights=own, dtypes=(dtype,))


def operator_of(node: Any) -> Operator:
    """Return the operator that a node is, with its attributes; raises OptionError for one that there is not."""
    from onnx import helper

    given = {a.name: a for a in node.attribute}
    known: dict[str, Any] = {}
    for name, read in _KINDS.items():
        if name in given:
            try:
                known[name] = read(helper.get_attribute_value(given[name]))
            except (TypeError, ValueError, AttributeError):
                raise OptionError(f"the attribute {name} is not of the type that it has") from None
    operator = Operator(kind=node.op_type, hidden_size="hidden_size" in given, **known)
    present = {name for name, source in zip(_every_input(operator), node.input, strict=False) if source}
    states = {f"initial_{name}" for name in operator.states}
    optional = {"B", "sequence_lens", "P"} & present
    return replace(operator, inputs=frozenset(optional | (states if states & present else set())))


def _names(value: Any) -> tuple[str, ...]:
    return tuple(v.decode(errors="replace") for v in value)


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "activations": _names,
    "activation_alpha": tuple,
    "activation_beta": tuple,
    "clip": float,
    "direction": lambda value: value.decode(errors="replace"),
    "input_forget": int,
    "layout": int,
    "linear_before_reset": int,
}
"""The attributes that say what is computed, each with how its value is read."""
