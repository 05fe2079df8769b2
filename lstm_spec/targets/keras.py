"""Keras's recurrent layers on the backend in force, and whatever stands in for one behind the same interface."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from lstm_spec.spec.cells import lstm
from lstm_spec.spec.layers import layers
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.spec.recurrent import gru, rnn
from lstm_spec.targets import frameworks
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.example import example
from lstm_spec.targets.frameworks import Framework, Run
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.modules import failing_as, kind_of, kinds, required

_LAYOUTS: Mapping[str, str] = MappingProxyType({"LSTM": "keras", "GRU": "keras_gru", "SimpleRNN": "keras_rnn"})
_MERGES: Mapping[str, Any] = MappingProxyType(
    {"concat": "concatenate", "sum": "sum", "mul": "multiply", "ave": "average"}
)
_FUNCTIONS: Mapping[str, str] = MappingProxyType({"linear": "identity", "exponential": "exp"})
"""Functions that go by other names here than in Keras."""

_BOTH = "Bidirectional"
_GATED = ("LSTM", "LSTMCell", "GRU", "GRUCell")

_BACKENDS = ("torch", "jax", "tensorflow", "numpy")
_LISTED = "torch, jax, tensorflow or numpy"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer of Keras by its name and the arguments of its constructor, as Keras has them.

    kind: "LSTM", "GRU" or "SimpleRNN"; one of their cells, "LSTMCell", …, stepped over a sequence; or "Bidirectional",
    around the layer that ``layer`` names. lengths: whether rows end at lengths of their own, which a mask says; past
    them y repeats its last output, or is zero with ``zero_output_for_mask`` and in both directions.
    """

    kind: str
    layer: str = kinds("LSTM", _BOTH)
    merge_mode: str = kinds("concat", _BOTH)
    activation: str = "tanh"
    recurrent_activation: str = kinds("sigmoid", *_GATED, _BOTH)
    use_bias: bool = True
    reset_after: bool = kinds(True, "GRU", "GRUCell", _BOTH)
    go_backwards: bool = kinds(False, *_LAYOUTS, _BOTH)
    unroll: bool = kinds(False, *_LAYOUTS, _BOTH)
    zero_output_for_mask: bool = kinds(False, *_LAYOUTS, _BOTH)
    implementation: int = kinds(2, *_GATED, _BOTH)
    use_cudnn: bool | str = kinds("auto", "LSTM", "GRU", _BOTH)
    lengths: bool = kinds(False, *_LAYOUTS, _BOTH)

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a layer, or of what makes one; by default that of Keras's own.

        made: a layer, or a class or function called as ``keras.layers.LSTM`` is. Raises TargetError without Keras or
        its backend, and for what is no such layer.
        """
        keras = required("keras", "Keras", "keras", otherwise=f"; KERAS_BACKEND says on what it runs: {_LISTED}")
        framework = _framework(keras)
        if isinstance(made, keras.layers.Layer):
            return self._said_by(made, name)._target(keras, framework, lambda m, dtype: made, name, _sizes(made, name))
        make = getattr(keras.layers, self.kind) if made is None else made
        return self._target(keras, framework, lambda m, dtype: self._made(keras, make, m, dtype), name, {})

    @property
    def cell(self) -> Program:
        """The cell that it computes."""
        gate, squash = (_FUNCTIONS.get(f, f) for f in (self.recurrent_activation, self.activation))
        biases: Literal[0, 1] = 1 if self.use_bias else 0
        if self._inner == "LSTM":
            return lstm(activations={**dict.fromkeys("fio", gate), **dict.fromkeys("ch", squash)}, biases=biases)
        if self._inner == "GRU":
            own = {"u": gate, "r": gate, "h": squash}
            return gru(reset_after=self.reset_after, activations=own, biases=None if biases else 0)
        return rnn(activation=squash, biases=biases)

    @property
    def spec(self) -> Program | Network:
        """The cell, or the network of it where it does not run forward."""
        if self.kind == _BOTH:
            return layers(self.cell, bidirectional=True, merge=_MERGES[self.merge_mode])
        return layers(self.cell, direction="go_backwards") if self.go_backwards else self.cell

    @property
    def layout(self) -> Layout:
        """How it holds its parameters, states and sequence."""
        found = find_layout(_LAYOUTS[self._inner])
        if self._inner == "GRU" and not self.reset_after:
            found = replace(found, biases=1)
        return replace(found, axes="BTI DBI") if self.kind == _BOTH else found

    @property
    def _inner(self) -> str:
        return self.layer if self.kind == _BOTH else self.kind.removesuffix("Cell")

    def _made(self, keras: Any, make: Any, m: int, dtype: str) -> Any:
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        ours = {key: given.pop(key) for key in ("kind", "layer", "lengths", "merge_mode") if key in given}
        if self.kind.endswith("Cell"):
            return make(m, dtype=dtype, **given)
        given = {"return_sequences": True, "return_state": True, "dtype": dtype, **given}
        if self.kind != _BOTH:
            return make(m, **given)
        merge = {key: ours[key] for key in ("merge_mode",) if key in ours}
        return make(getattr(keras.layers, self.layer)(m, **given), dtype=dtype, **merge)

    def _target(self, keras: Any, framework: Framework, build: Any, name: str, about: Mapping[str, Any]) -> Target:
        both, stepped = self.kind == _BOTH, self.kind.endswith("Cell")

        def built(n: int, m: int, dtype: str) -> Any:
            layer = build(m, dtype)
            if not isinstance(layer, keras.layers.Layer):
                raise TargetError(f"{name} makes {kind_of(layer)}; expected a keras.layers.Layer")
            if not layer.built:
                layer.build((None, n) if stepped else (None, None, n))
            return layer

        def make(n: int, m: int, dtype: str) -> Run:
            layer = built(n, m, dtype)
            return _stepped(keras, layer) if stepped else _sequence(keras, layer, both)

        # Around a layer that has masks, Keras sets zero_output_for_mask by itself.
        past_length = "zero" if self.zero_output_for_mask or both else "repeat"
        target = framework.target(
            name,
            make,
            spec=self.spec,
            layout=self.layout,
            past_length=past_length if self.lengths and not stepped else None,
            **{"dtypes": ("float64", "float32"), **about},
            versions={"keras": f"{keras.__version__}, backend {keras.backend.backend()}", **framework.versions},
        )
        params, (x, h0, *_) = example(target)
        with failing_as(f"{name} cannot be made as keras.layers.{self.kind} is: "), framework.around():
            own = _parameters(built(x.shape[-1], h0.shape[-1], target.dtypes[0]), both)
        if own.keys() != params.keys():
            raise TargetError(
                f"{name} has the weights {', '.join(own)}; keras.layers.{self.kind} has {', '.join(params)}"
            )
        return target

    def _said_by(self, made: Any, name: str) -> "Layer":
        """Return the layer with what an instance says of itself in its configuration."""
        said = made.get_config()
        taken = [f.name for f in fields(self) if f.name not in ("kind", "layer", "lengths")]
        if not (said.get("return_sequences", True) and said.get("return_state", True)):
            raise TargetError(
                f"{name} does not return all of y and the states: give it return_sequences=True and return_state=True"
            )
        return replace(self, **{key: said[key] for key in taken if key in said})


def _parameters(layer: Any, both: bool) -> dict[str, tuple[int, ...]]:
    """Return the weights of a layer by the layout's names, in its own order, with their shapes."""
    parts = {"l0.": layer.forward_layer, "l0r.": layer.backward_layer} if both else {"": layer}
    return {key + v.name: tuple(v.shape) for key, part in parts.items() for v in part.trainable_variables}


def _caller(keras: Any, layer: Any, both: bool) -> Callable[..., Any]:
    """Return a layer as a function of its weights."""
    own = _parameters(layer, both)
    fixed = [v.value for v in layer.non_trainable_variables]

    def call(params: Mapping[str, Any], x: Any, **others: Any) -> Any:
        # A bias of two rows is one vector in a layout.
        weights = [keras.ops.reshape(params[key], shape) for key, shape in own.items()]
        return layer.stateless_call(weights, fixed, x, **others)[0]

    return call


def _stepped(keras: Any, cell: Any) -> Run:
    call = _caller(keras, cell, False)

    def run(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
        *states, _ = rest
        outputs = []
        for t in range(x.shape[1]):
            y, states = call(params, x[:, t], states=list(states))
            outputs.append(y)
        return (keras.ops.stack(outputs, axis=1), *states)

    return run


def _sequence(keras: Any, layer: Any, both: bool) -> Run:
    call = _caller(keras, layer, both)

    def run(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
        *states, lengths = rest
        given = [state[k] for k in range(2) for state in states] if both else states
        mask = None
        if lengths is not None:
            # TensorFlow compares integers of the same size only.
            mask = keras.ops.arange(x.shape[1], dtype=keras.backend.standardize_dtype(lengths.dtype)) < lengths[:, None]
        y, *final = call(params, x, initial_state=given, mask=mask)
        if both:
            final = [keras.ops.stack(pair) for pair in zip(final[: len(states)], final[len(states) :], strict=True)]
        return (y, *final)

    return run


def _sizes(made: Any, name: str) -> dict[str, Any]:
    """Return what an instance says of its sizes and its format."""
    if not made.built or not hasattr(made, "units"):
        raise TargetError(f"{name} does not say its sizes; build it first, or give its class")
    sizes = {"n": made.trainable_variables[0].shape[0], "m": made.units}
    return {"sizes": (sizes,), "possible": lambda asked: asked == sizes, "dtypes": (made.compute_dtype,)}


def _framework(keras: Any) -> Framework:
    """Return the backend in force."""
    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise TargetError(f"Keras runs on {backend}, which is not known here; set KERAS_BACKEND to one of {_LISTED}")
    framework: Framework = getattr(frameworks, backend)()
    return framework
