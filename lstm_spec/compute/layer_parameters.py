"""The parameters of a layer: names, shapes, and their packing into the one matrix of the products."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_spec.compute.layer_activations import ACTIVATIONS, Activation

Array = npt.NDArray[Any]

# Rows of the packed matrix. o leads because its adjoint comes from δh, those of the others from δc; o, i and f
# are neighbours so that one call serves their common activation, and c̃ is last so that c can stand behind it:
# one call then serves i∘c̃ and f∘c'.
GATES = ("o", "i", "f", "c")
COUPLED_GATE = {None: None, "f=1-i": "f", "i=1-f": "i"}
DEFAULT_ACTIVATIONS = {"f": "sigmoid", "i": "sigmoid", "c": "tanh", "o": "sigmoid", "h": "tanh"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which LSTM: the options of `lstm_spec.compute.layer.numpy_layer`, checked.

    Raises
    ------
    ValueError
        for a value that is not in the table of its option.
    """

    peepholes: str = ""
    coupled: str | None = None
    concat: str | None = "xh"
    biases: int = 1
    projection: bool = False
    activations: Mapping[str, str] = field(default_factory=dict)
    clip: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        coupled_gate = _one_of("coupled", self.coupled, COUPLED_GATE)
        _one_of("concat", self.concat, dict.fromkeys(("xh", "hx", None)))
        _one_of("biases", self.biases, dict.fromkeys((0, 1, 2)))
        if not set(self.peepholes) <= set("fio") or len(set(self.peepholes)) < len(self.peepholes):
            raise ValueError(f"peepholes must name each of the gates f, i, o at most once, got {self.peepholes!r}")
        if coupled_gate and coupled_gate in self.peepholes:
            raise ValueError(f"peepholes must leave out {coupled_gate!r}, which coupled={self.coupled!r} computes")
        for key, name in self.activations.items():
            _one_of("a key of activations", key, DEFAULT_ACTIVATIONS)
            _one_of(f"activations[{key!r}]", name, ACTIVATIONS)
        if coupled_gate and coupled_gate in self.activations:
            raise ValueError(f"activations must leave out {coupled_gate!r}, which coupled={self.coupled!r} computes")
        self._check_limits()

    def _check_limits(self) -> None:
        for what, limit in self.clip.items():
            _one_of("a key of clip", what, dict.fromkeys("acp"))
            if not limit > 0:
                raise ValueError(f"clip[{what!r}] must be a positive limit, got {limit!r}")
        if "p" in self.clip and not self.projection:
            raise ValueError('clip must leave out "p", the projection, where projection is False')

    @cached_property
    def gates(self) -> tuple[str, ...]:
        """The gates that have weights, in packed order."""
        return tuple(gate for gate in GATES if gate != COUPLED_GATE[self.coupled])

    def activation(self, key: str) -> Activation:
        """The activation of a gate, or of the output squash under the key "h"."""
        return ACTIVATIONS[self.activations.get(key, DEFAULT_ACTIVATIONS[key])]

    @property
    def divisible(self) -> bool:
        """Whether every gate, and not the candidate, has its inverse for less than its value."""
        return self.coupled is None and all((self.activation(g).divisor is None) == (g == "c") for g in GATES)

    def shapes(self, n: int, m: int, q: int | None = None) -> dict[str, tuple[int, ...]]:
        """The parameters by name, with their shapes, for input size n, hidden size m and size q of h, by default m."""
        q = m if q is None else q
        shapes: dict[str, tuple[int, ...]] = {"W": (m, n), "R": (m, q)} if self.concat is None else {"W": (m, n + q)}
        shapes |= dict.fromkeys(("b", "bR")[: self.biases], (m,))
        gates = [gate for gate in "fico" if gate in self.gates]
        named = {f"{prefix}_{gate}": shape for prefix, shape in shapes.items() for gate in gates}
        named |= {f"p_{gate}": (m,) for gate in "fio" if gate in self.peepholes}
        return named | {"W_p": (q, m)} if self.projection else named

    def runs(self, gates: Iterable[str]) -> Iterator[tuple[Activation, slice]]:
        """Neighbouring rows of the gates with the same activation, so that one call serves them all."""
        rows = [(self.gates.index(gate), self.activation(gate)) for gate in gates]
        for activation, group in groupby(rows, key=lambda pair: pair[1]):
            members = [row for row, _ in group]
            yield activation, slice(members[0], members[-1] + 1)


class Packing:
    """Where each parameter stands in the one matrix sign·[W_x, W_h, b] of shape (g·m, n+q+1), g gates with weights.

    W_x and W_h stand in the order of the concatenation, the bias is the last column.
    """

    def __init__(self, options: Options, n: int, m: int, q: int) -> None:
        self.shape = len(options.gates) * m, n + q + 1
        self.h, self.x = (slice(0, q), slice(q, n + q)) if options.concat == "hx" else (slice(n, n + q), slice(0, n))
        self._kernels = {"W": self.x, "R": self.h} if options.concat is None else {"W": slice(0, n + q)}
        self._biases = ("b", "bR")[: options.biases]
        self._gates = {gate: slice(row * m, (row + 1) * m) for row, gate in enumerate(options.gates)}
        runs = options.runs(options.gates)
        self._negated = [slice(r.start * m, r.stop * m) for activation, r in runs if activation.sign < 0]

    def pack(self, params: Mapping[str, Array], out: Array) -> None:
        """Write the parameters into out."""
        for kernel, columns in self._kernels.items():
            np.concatenate([params[f"{kernel}_{gate}"] for gate in self._gates], out=out[:, columns])
        biases = [np.concatenate([params[f"{bias}_{gate}"] for gate in self._gates]) for bias in self._biases]
        out[:, -1] = sum(biases)
        self._negate(out)

    def unpack(self, packed: Array) -> dict[str, Array]:
        """The adjoints of the parameters in new arrays, from the adjoint of what `pack` writes, which is changed."""
        self._negate(packed)
        columns = self._kernels | dict.fromkeys(self._biases, -1)
        order = [gate for gate in "fico" if gate in self._gates]
        return {f"{k}_{gate}": packed[self._gates[gate], c].copy() for k, c in columns.items() for gate in order}

    def _negate(self, packed: Array) -> None:
        for rows in self._negated:
            np.negative(packed[rows], packed[rows])


def _one_of(what: str, value: Any, table: Mapping[Any, Any]) -> Any:
    if value not in table:
        raise ValueError(f"{what} must be one of {', '.join(map(repr, table))}, got {value!r}")
    return table[value]
