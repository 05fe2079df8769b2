"""The recurrent operators of ONNX in a runtime, as targets: a runtime, and the attributes of the operator."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_spec.spec.network import network_of
from lstm_spec.spec.onnx import Operator, readings
from lstm_spec.spec.options import OptionError
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.modules import kinds, required
from lstm_spec.targets.onnx_model import input_names, single_node
from lstm_spec.targets.onnx_runtimes import Run, Runtime, runtime
from lstm_spec.targets.onnx_stack import stacked

Array = NDArray[Any]


@dataclass(frozen=True)
class Node:
    """A node of its own in a runtime, as ``onnx.LSTM(runtime="openvino", clip=3.0)`` names it.

    kind: LSTM, GRU or RNN. runtime: which one runs it. readings: those that are not the default. layers: how many such
    nodes there are on top of each other. The others are attributes, and the optional inputs, as ``Operator`` has them.
    Raises OptionError.
    """

    kind: Literal["LSTM", "GRU", "RNN"]
    runtime: str = "onnxruntime"
    activations: tuple[str, ...] | None = None
    activation_alpha: tuple[float, ...] | None = None
    activation_beta: tuple[float, ...] | None = None
    clip: float | None = None
    direction: Literal["forward", "reverse", "bidirectional"] = "forward"
    hidden_size: bool = True
    input_forget: int = kinds(0, "LSTM")
    layout: int = 0
    linear_before_reset: int = kinds(0, "GRU")
    inputs: tuple[str, ...] = ("B", "initial_h", "initial_c")
    readings: Mapping[str, str] = field(default_factory=dict)
    layers: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.layers, bool) or not isinstance(self.layers, int) or self.layers < 1:
            raise OptionError(f"layers is a positive number, got {self.layers!r}")
        if self.layers > 1 and (self.layout or "sequence_lens" in self.inputs):
            raise OptionError("several layers are made with layout=0 and without sequence_lens")

    @property
    def operator(self) -> Operator:
        """The operator with its attributes."""
        given = {f.name: getattr(self, f.name) for f in fields(Operator)}
        return Operator(**{**given, "inputs": frozenset(self.inputs)})

    def target(self, made: Any, name: str) -> Target:
        """Return it as a target; raises TargetError for something that is to stand in its place."""
        if made is not None:
            raise TargetError(f"{name} cannot be like onnx.{self.kind}, which a runtime runs by itself")
        return operator_target(self.runtime, self.operator, chosen=self.readings, name=name, layers=self.layers)


def operator_target(
    which: str | Runtime,
    operator: Operator | None = None,
    *,
    chosen: Mapping[str, str] | None = None,
    name: str | None = None,
    layers: int = 1,
) -> Target:
    """Return an operator in a runtime as a target, its parameters being inputs of the model.

    which: the name of a runtime, or one; operator: by default LSTM without further attributes; chosen: readings that
    are not the default; name: what the target is called; layers: how many nodes there are on top of each other. Raises
    TargetError where the runtime is not installed.
    """
    found = runtime(which) if isinstance(which, str) else which
    required("onnx", "ONNX", "onnx")
    own = Operator() if operator is None else operator

    @lru_cache(maxsize=64)
    def session(n: int, m: int, dtype: str) -> Run:
        return found.session(single_node(own, n, m, dtype))

    def forward(
        params: Mapping[str, Array], x: Array, *states: Array, lengths: Array | None = None
    ) -> tuple[Array, ...]:
        run = session(x.shape[-1], params["R"].shape[-1], str(x.dtype))
        return tuple(run(inputs(own, params, x, states, lengths)))

    @lru_cache(maxsize=64)
    def whole(n: int, m: int, dtype: str) -> Run:
        sizes = [(n, m), *[(len(own.keys) * m, m)] * (layers - 1)]
        return found.session(stacked([own] * layers, sizes, dtype))

    def through_layers(params: Mapping[str, Array], x: Array, *states: Array) -> tuple[Array, ...]:
        m = params["l0.R"].shape[-1]
        given = {f"initial_{name}": state for name, state in zip(own.states, states, strict=False)}
        y, *final = whole(x.shape[-1], m, str(x.dtype))({"X": x, **params, **given})
        # Both directions are beside each other there, and on an axis of their own in what one node gives.
        return np.swapaxes(y.reshape(*y.shape[:2], -1, m), 1, 2), *final

    spec = own.spec(chosen)
    if layers > 1:
        single = network_of(spec)
        spec = replace(single, name=f"{layers} layers of {single.name}", layers=single.layers * layers)
    answers = readings(chosen)
    return Target(
        name=name or f"{found.package} {own}",
        forward=forward if layers == 1 else through_layers,
        spec=spec,
        layout=layout_of(own, answers["coupling"]),
        dtypes=found.dtypes,
        past_length=answers["past_length"] if "sequence_lens" in own.inputs else None,
        sizes=found.sizes,
        versions=found.versions,
    )


def inputs(
    operator: Operator, params: Mapping[str, Array], x: Array, states: tuple[Array, ...], lengths: Array | None
) -> dict[str, Array]:
    """Return what a node is given, by the names of its inputs.

    states: as many as the node takes; lengths: (B,); where the node takes them and there are none, all rows last to
    the end.
    """
    T, B = (x.shape[1], x.shape[0]) if operator.layout else x.shape[:2]
    ends = np.full(B, T) if lengths is None else lengths
    given = {"X": x, **params, "sequence_lens": ends.astype(np.int32)}
    given |= {f"initial_{name}": state for name, state in zip(operator.states, states, strict=False)}
    return {name: given[name] for name in input_names(operator) if name}


def layout_of(operator: Operator, coupling: str) -> Layout:
    """Return how a node holds what it is given; coupling: the reading of ``input_forget``."""
    base = find_layout({"LSTM": "onnx", "GRU": "onnx_gru", "RNN": "onnx_rnn"}[operator.kind])
    return replace(
        base,
        axes="BTDI BDI" if operator.layout else base.axes,
        unused=coupling[0] if operator.input_forget else "",
    )
