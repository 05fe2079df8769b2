"""The recurrent operators of ONNX, LSTM, GRU and RNN, each attribute an option of a cell or of a network.

Where the operator's text leaves open what is meant, the choice is a *reading* with a name. The default is the literal
reading of the text, or where there is none the one that known runtimes share.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from struct import pack, unpack
from types import MappingProxyType
from typing import Any, Literal

from sympy import Float, Lambda, tanh

from lstm_spec.spec.cells import lstm
from lstm_spec.spec.elementwise import elementwise
from lstm_spec.spec.functions import (
    SLOTS,
    elu,
    hard_sigmoid,
    leaky_relu,
    thresholded_relu,
)
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.network import Network
from lstm_spec.spec.options import OptionError, one_of, positive
from lstm_spec.spec.program import Program
from lstm_spec.spec.recurrent import gru, rnn

KINDS = ("LSTM", "GRU", "RNN")
DIRECTIONS: Mapping[str, Literal["forward", "reverse", "both"]] = MappingProxyType(
    {"forward": "forward", "reverse": "reverse", "bidirectional": "both"}
)
"""What the attribute direction says, with what a layer of a network calls it."""

OF_LAYERS: Mapping[str, Literal["forward", "reverse", "bidirectional"]] = MappingProxyType(
    {"forward": "forward", "reverse": "reverse", "both": "bidirectional"}
)
"""The inverse of ``DIRECTIONS``."""

_s = SLOTS[0]


@dataclass(frozen=True)
class Activation:
    """A function of the operator's list: how it is made of alpha and beta, and their defaults where it takes them."""

    make: Callable[[Any, Any], Any]
    alpha: float | None = None
    beta: float | None = None


ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "Relu": Activation(lambda alpha, beta: "relu"),
        "Tanh": Activation(lambda alpha, beta: "tanh"),
        "Sigmoid": Activation(lambda alpha, beta: "sigmoid"),
        "Affine": Activation(lambda alpha, beta: alpha * _s + beta, 1.0, 0.0),
        "LeakyRelu": Activation(lambda alpha, beta: leaky_relu(_s, alpha), 0.01),
        "ThresholdedRelu": Activation(lambda alpha, beta: thresholded_relu(_s, alpha), 1.0),
        "ScaledTanh": Activation(lambda alpha, beta: alpha * tanh(beta * _s), 1.0, 1.0),
        "HardSigmoid": Activation(lambda alpha, beta: hard_sigmoid(_s, alpha, beta), 0.2, 0.5),
        "Elu": Activation(lambda alpha, beta: elu(_s, alpha), 1.0),
        "Softsign": Activation(lambda alpha, beta: "softsign"),
        "Softplus": Activation(lambda alpha, beta: "softplus"),
    }
)
"""The operator's activations by name; the letter case of a name does not count."""

_DEFAULTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
)


@dataclass(frozen=True)
class Reading:
    """What the operator's text leaves open: the question, and the answers by name, the default first."""

    question: str
    answers: Mapping[str, str]

    @property
    def default(self) -> str:
        """The name of the default answer."""
        return next(iter(self.answers))


READINGS: Mapping[str, Reading] = MappingProxyType(
    {
        "clip": Reading(
            "what clip limits, which is applied to “the input of activations”",
            {
                "activations": "the input of every activation, that of h's own activation (the cell state) too",
                "gates": "the pre-activations of the gates alone",
                "state": "the pre-activations of the gates, and the cell state before it is kept",
            },
        ),
        "coupling": Reading(
            "which gate input_forget computes from the other one",
            {"f=1-i": "the forget gate, as with ONNX Runtime", "i=1-f": "the input gate, as with TensorFlow Lite"},
        ),
        "constants": Reading(
            "to which activations the values of activation_alpha and activation_beta belong",
            {
                "consumed": "one value after the other to those activations that take one",
                "positional": "the value at an activation's own place, those that take none skipped",
            },
        ),
        "past_length": Reading(
            "what Y holds past the end of a row, of which the text says nothing",
            {
                "any": "anything",
                "zero": "zero",
                "repeat": "the last output of the row",
                "freeze": "the state that is held",
            },
        ),
    }
)
"""The choices that the operator's text leaves, each with its default first."""


def readings(chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the answer to every question, by default the first one; raises OptionError for one that there is not.

    >>> readings({"clip": "gates"})["clip"], readings()["clip"]
    ('gates', 'activations')
    """
    found = {name: reading.default for name, reading in READINGS.items()}
    for name, answer in (chosen or {}).items():
        one_of("a reading", name, tuple(READINGS))
        one_of(f"the reading {name}", answer, tuple(READINGS[name].answers))
        found[name] = answer
    return found


INPUTS = ("B", "sequence_lens", "initial_h", "initial_c", "P")
"""The inputs that a node may leave out, in their order after X, W and R."""


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One of the operators with its attributes, under their own names, and the optional inputs that it is given.

    inputs: out of B, sequence_lens, initial_h, initial_c, P. Raises OptionError for what the operator does not have.

    >>> print(Operator(clip=3.0, direction="reverse"))
    LSTM(clip=3.0, direction=reverse)
    >>> print(Operator(clip=3.0).cells()[0]["h"])
    h = o∘tanh(clip(c, −limit_h, limit_h))
    """

    kind: Literal["LSTM", "GRU", "RNN"] = "LSTM"
    activations: tuple[str, ...] | None = None
    activation_alpha: tuple[float, ...] | None = None
    activation_beta: tuple[float, ...] | None = None
    clip: float | None = None
    direction: Literal["forward", "reverse", "bidirectional"] = "forward"
    hidden_size: bool = True
    input_forget: int = 0
    layout: int = 0
    linear_before_reset: int = 0
    inputs: frozenset[str] = frozenset(("B", "initial_h", "initial_c"))

    def __post_init__(self) -> None:
        one_of("kind", self.kind, KINDS)
        one_of("direction", self.direction, tuple(DIRECTIONS))
        for name, only in (("input_forget", "LSTM"), ("linear_before_reset", "GRU")):
            one_of(name, getattr(self, name), (0, 1))
            if getattr(self, name) and self.kind != only:
                raise OptionError(f"{name} is an attribute of {only}, not of {self.kind}")
        one_of("layout", self.layout, (0, 1))
        if self.clip is not None:
            positive("clip", self.clip)
        for name in self.inputs:
            one_of("an input", name, INPUTS)
        if len({f"initial_{name}" in self.inputs for name in self.states}) > 1:
            raise OptionError("initial_h and initial_c are given together or not at all")
        self._check_activations()

    def _check_activations(self) -> None:
        if self.activations is None:
            return
        wanted = len(_DEFAULTS[self.kind]) * len(self.keys)
        if len(self.activations) != wanted:
            raise OptionError(f"activations has {wanted} names for {self}, got {len(self.activations)}")
        for name in self.activations:
            if name.capitalize() not in _BY_NAME:
                raise OptionError(f"activations: there is no {name}; there is {', '.join(ACTIVATIONS)}")

    @property
    def keys(self) -> tuple[str, ...]:
        """The directions, by the keys of the network's passes."""
        return ("", "r") if self.direction == "bidirectional" else ("",)

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states: h, and c of an LSTM."""
        return ("h", "c") if self.kind == "LSTM" else ("h",)

    @property
    def is_given_states(self) -> bool:
        """Whether a node is given initial states; without them they are zero."""
        return "initial_h" in self.inputs

    def attributes(self) -> dict[str, Any]:
        """Return the attributes that are not as they are by default, under their own names."""
        plain = Operator(kind=self.kind)
        named = ("activations", "activation_alpha", "activation_beta", "clip", "direction", "input_forget")
        every = {name: getattr(self, name) for name in (*named, "layout", "linear_before_reset")}
        return {name: value for name, value in every.items() if value != getattr(plain, name)}

    def __str__(self) -> str:
        words = [f"{name}={_shown(value)}" for name, value in self.attributes().items()]
        words += [name for name in ("sequence_lens", "P") if name in self.inputs]
        return f"{self.kind}({', '.join(words)})" if words else self.kind

    def spec(self, chosen: Mapping[str, str] | None = None) -> Program | Network:
        """Return what the operator computes, a cell where that is all: one direction forwards, rows of one length.

        chosen: readings that are not the default. Raises OptionError.
        """
        answers = readings(chosen)
        first, *others = self.cells(answers)
        if self.direction == "forward" and "sequence_lens" not in self.inputs and self.is_given_states:
            return first
        direction = DIRECTIONS[self.direction]
        return Network(
            name=f"ONNX {self}",
            layers=(Layer(cell=first, direction=direction, reverse_cell=others[0] if others else None),),
            past_length=answers["past_length"] if "sequence_lens" in self.inputs else None,  # type: ignore[arg-type]
            initial="given" if self.is_given_states else "zero",
        )

    def cells(self, answers: Mapping[str, str] | None = None) -> tuple[Program, ...]:
        """Return the cell of every direction."""
        chosen = readings(answers)
        return tuple(self._cell(squash, chosen) for squash in self._squashes(chosen["constants"]))

    def _cell(self, squash: tuple[Any, ...], answers: Mapping[str, str]) -> Program:
        biases: Literal[0, 2] = 2 if "B" in self.inputs else 0
        limit = None if self.clip is None else single(self.clip)
        if self.kind == "RNN":
            return rnn(activation=squash[0], biases=biases, clip=limit, name=f"ONNX {self}")
        if self.kind == "GRU":
            named = dict(zip("urh", (squash[0], squash[0], squash[1]), strict=True))
            reset = bool(self.linear_before_reset)
            return gru(reset_after=reset, biases=biases, activations=named, clip=limit, name=f"ONNX {self}")
        coupled: Any = answers["coupling"] if self.input_forget else None
        gates = [gate for gate in "fio" if coupled is None or gate != coupled[0]]
        clipped = {"activations": "ah", "gates": "a", "state": "ac"}[answers["clip"]]
        return lstm(
            activations=dict(zip("fioch", (squash[0],) * 3 + squash[1:], strict=True)),
            clip={} if limit is None else dict.fromkeys(clipped, limit),
            coupled=coupled,
            peepholes="".join(gates) if "P" in self.inputs else "",
            biases=biases,
            concat=None,
            name=f"ONNX {self}",
        )

    def _squashes(self, constants: str) -> Iterator[tuple[Any, ...]]:
        """Yield the activations of every direction."""
        names = self.activations or _DEFAULTS[self.kind] * len(self.keys)
        functions = [_BY_NAME[name.capitalize()] for name in names]
        alphas = _values(self.activation_alpha, [f.alpha for f in functions], constants)
        betas = _values(self.activation_beta, [f.beta for f in functions], constants)
        every = [_function(*given) for given in zip(functions, alphas, betas, strict=True)]
        count = len(every) // len(self.keys)
        for k in range(len(self.keys)):
            yield tuple(every[k * count : (k + 1) * count])

    def without(self, name: str) -> "Operator":
        """Return the operator without an attribute, which is then as it is by default, or without an input.

        Without an initial state it has none.
        """
        if name in INPUTS:
            gone = {"initial_h", "initial_c"} if name.startswith("initial") else {name}
            return replace(self, inputs=self.inputs - gone)
        return replace(self, **{name: getattr(Operator(kind=self.kind), name)})


_BY_NAME = MappingProxyType({name.capitalize(): function for name, function in ACTIVATIONS.items()})


def _values(given: tuple[float, ...] | None, defaults: list[float | None], constants: str) -> list[Any]:
    """Return alpha or beta of every activation: as given, or by default where nothing is left to take."""
    left = list(given or ())
    found: list[Any] = []
    for default in defaults:
        if default is None:
            if constants == "positional" and left:
                left.pop(0)
            found.append(None)
        else:
            found.append(left.pop(0) if left else default)
    return found


def _function(activation: Activation, alpha: float | None, beta: float | None) -> Lambda:
    numbers = (None if value is None else Float(single(value)) for value in (alpha, beta))
    made = activation.make(*numbers)
    return elementwise(made if isinstance(made, str) else Lambda((_s,), made))


def single(value: float) -> float:
    """Return a number as an attribute holds it, in single precision.

    >>> single(0.1)
    0.10000000149011612
    """
    return float(unpack("<f", pack("<f", value))[0])


def _shown(value: Any) -> str:
    return "[" + ",".join(map(str, value)) + "]" if isinstance(value, tuple) else str(value)
