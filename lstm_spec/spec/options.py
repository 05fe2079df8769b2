"""The options of the LSTM cell, and which of them go together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from types import MappingProxyType
from typing import Any, Literal

from lstm_spec.spec.elementwise import elementwise

GATES = ("f", "i", "c", "o")
"""The letters of the gates as parameters carry them: W_c and b_c belong to the candidate c̃."""

DEFAULTS = MappingProxyType({"f": "sigmoid", "i": "sigmoid", "c": "tanh", "o": "sigmoid", "h": "tanh", "deep": "tanh"})
"""The activations by gate letter, of the output ("h"), and between the layers of a deep gate."""

_COUPLINGS: Mapping[str | None, tuple[str | None, str | None]] = MappingProxyType(
    {None: (None, None), "f=1-i": ("f", "i"), "i=1-f": ("i", "f")}
)


class OptionError(ValueError):
    """An option of a cell that does not exist or does not go with another one."""


@dataclass(frozen=True, kw_only=True)
class LstmOptions:
    """The options of ``lstm``, checked; their meaning is told there. Raises OptionError."""

    peepholes: str = ""
    coupled: Literal["f=1-i", "i=1-f"] | None = None
    fixed: str = ""
    gate_recurrence: bool = False
    projection: bool = False
    layer_norm: Literal["joint", "gate"] | None = None
    activations: Mapping[str, Any] = field(default_factory=dict)
    clip: Mapping[str, float] = field(default_factory=dict)
    deep: Mapping[str, Any] = field(default_factory=dict)
    zoneout: Mapping[str, float] = field(default_factory=dict)
    masks: str = ""
    biases: Literal[0, 1, 2] = 1
    concat: Literal["xh", "hx"] | None = "xh"
    eps: float = 1e-5

    def __post_init__(self) -> None:
        one_of("coupled", self.coupled, tuple(_COUPLINGS))
        one_of("layer_norm", self.layer_norm, (None, "joint", "gate"))
        one_of("gate_recurrence", self.gate_recurrence, (False, True))
        one_of("projection", self.projection, (False, True))
        one_of("biases", self.biases, (0, 1, 2))
        one_of("concat", self.concat, ("xh", "hx", None))
        _letters("peepholes", self.peepholes, "fio", "gates")
        _letters("fixed", self.fixed, "fio", "gates")
        _letters("masks", self.masks, "xh", "what is masked")
        _keys("activations", self.activations, tuple(DEFAULTS))
        _keys("clip", self.clip, ("a", "h", "c", "p"))
        _keys("deep", self.deep, GATES)
        _keys("zoneout", self.zoneout, ("c", "h"))
        self._check_values()
        self._check_pairs()

    def _check_values(self) -> None:
        for key, function in self.activations.items():
            try:
                elementwise(function)
            except ValueError as error:
                raise OptionError(f"activations[{key!r}]: {error}") from None
        for what, limit in self.clip.items():
            positive(f"clip[{what!r}]", limit)
        for what, share in self.zoneout.items():
            if not _is_number(share) or not 0 <= share <= 1:
                raise OptionError(f"zoneout[{what!r}] is a share between 0 and 1, got {share!r}")
        for gate, widths in self.deep.items():
            # A matrix with a single column is a vector among arrays, so that a layer of one unit has no form there.
            if not isinstance(widths, tuple | list) or not all(isinstance(w, int) and w > 1 for w in widths):
                raise OptionError(f"deep[{gate!r}] is a tuple of widths from 2 on, such as (64,), got {widths!r}")
        if not _is_number(self.eps) or not self.eps >= 0:
            raise OptionError(f"eps is a number that is not negative, got {self.eps!r}")

    def _check_pairs(self) -> None:
        why = dict.fromkeys(self.fixed, f"fixed={self.fixed!r} makes it 1")
        if self.dependent is not None:
            if self.dependent in self.fixed or self.free in tuple(self.fixed):
                raise OptionError(f"fixed={self.fixed!r} and coupled={self.coupled!r} both say what a gate is")
            why[self.dependent] = f"coupled={self.coupled!r} computes it"
        for gate, reason in why.items():
            for option, chosen in (("peepholes", self.peepholes), ("deep", self.deep)):
                if gate in chosen:
                    what = "a peephole" if option == "peepholes" else "a network"
                    raise OptionError(f"{option}={chosen!r} gives {gate} {what}, but {reason}")
        if why and self.gate_recurrence:
            raise OptionError("gate_recurrence needs all three gates, each with parameters of its own")
        if "p" in self.clip and not self.projection:
            raise OptionError('clip["p"] limits the projection, so it needs projection=True')
        if self.concat == "hx" and not self.separate_by_choice:
            raise OptionError("layer_norm and gate_recurrence hold W and R apart, so there is no order in z to choose")
        if self.layer_norm and self.biases == 2:
            raise OptionError(f"layer_norm={self.layer_norm!r} has its bias after the normalisation: biases is 0 or 1")
        if self.layer_norm and (self.deep or self.gate_recurrence):
            raise OptionError(f"layer_norm={self.layer_norm!r} normalises one affine map of x and h' per gate, no more")

    @property
    def separate_by_choice(self) -> bool:
        """Whether W and R are apart only where concat says so."""
        return self.layer_norm is None and not self.gate_recurrence

    @property
    def order(self) -> str | None:
        """The order in z, None where W and R are apart."""
        return self.concat if self.separate_by_choice else None

    @property
    def dependent(self) -> str | None:
        """The coupled gate that is computed from the other one."""
        return _COUPLINGS[self.coupled][0]

    @property
    def free(self) -> str | None:
        """The coupled gate that the other one is computed from."""
        return _COUPLINGS[self.coupled][1]

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates with parameters, in order."""
        return tuple(g for g in GATES if g != self.dependent and g not in self.fixed)

    def squash(self, key: str) -> Any:
        """Return the activation of a gate, of the output, or between layers."""
        return self.activations.get(key, DEFAULTS[key])


def one_of(option: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise OptionError unless the value is one of the choices."""
    if value not in choices:
        raise OptionError(f"{option} is one of {', '.join(map(repr, choices))}, got {value!r}")


def positive(option: str, limit: Any) -> None:
    """Raise OptionError unless the value is a positive number."""
    if not _is_number(limit) or not limit > 0:
        raise OptionError(f"{option} is a positive limit, got {limit!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _letters(option: str, chosen: str, known: str, what: str) -> None:
    if not isinstance(chosen, str) or set(chosen) - set(known) or len(set(chosen)) != len(chosen):
        raise OptionError(f'{option} names {what} out of "{known}", each once, got {chosen!r}')


def _keys(option: str, chosen: Any, known: tuple[str, ...]) -> None:
    if not isinstance(chosen, Mapping):
        raise OptionError(f"{option} is a dict with keys out of {', '.join(known)}, got {chosen!r}")
    for key in chosen:
        if key not in known:
            raise OptionError(f"{option} has the keys {', '.join(known)}, got {key!r}")
