"""A network or a cell as a pair of pure functions, forward and backward, in the form that every target has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.compute.network import plain, run_network
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program, evaluate_shape

Array = NDArray[Any]


@dataclass(frozen=True)
class Runner:
    """A network with numbers; it holds no weights and no buffers.

    spec: the network. States are passed and returned by kind, (h, c): each (L·D, B, m) over layers and directions,
    layer before direction, or (B, m) where there is one layer in one direction. Where layers differ in size, a kind is
    a sequence of arrays (B, m). A sequence is carried on by passing the states that were returned.
    """

    spec: Network

    def forward(
        self, params: Mapping[str, Array], x: Array, *states: Any, lengths: Array | None = None
    ) -> tuple[Any, ...]:
        """Run the network over x (T, B, n); returns (y, *states).

        params: by the names of ``spec.dimensions``; states: the initial ones, none where they are learned or zero;
        lengths: (B,), the steps of every row, where the network has ``past_length``. y is (T, B, size), or (B, size)
        where only the last output is wanted. Raises DimensionError for names or shapes that do not fit.
        """
        run = run_network(self.spec, *self._arguments(params, x, states, lengths), plain(keep=False))
        return (run.y, *self.stacked(run.states))

    def backward(
        self, params: Mapping[str, Array], x: Array, *states: Any, lengths: Array | None = None
    ) -> tuple[Any, ...]:
        """Take cotangents back; returns (dparams, dx, *dstates0), the latter none where states are not given.

        states: the initial states as for ``forward``, then dy and the cotangents of the final states.
        """
        kinds = len(self.spec.stacks)
        given = kinds if self.spec.initial == "given" else 0
        if len(states) != given + 1 + kinds:
            raise DimensionError(
                f"backward of {self.spec.name} takes {given} initial states, dy and {kinds} cotangents of final states,"
                f" got {len(states)} arrays"
            )
        dy, *dstates = states[given:]
        run = run_network(self.spec, *self._arguments(params, x, states[:given], lengths), plain(keep=True))
        assert run.pull is not None
        wanted = tuple(s.shape for s in run.states)
        back = run.pull(
            _shaped("dy", dy, run.y.shape),
            *(_shaped(f"d{n}", d, s) for n, d, s in zip(self.spec.states, self._flat(dstates), wanted, strict=True)),
        )
        learned = zip(self.spec.learned, back.states, strict=False)
        dparams = {**back.params, **{p.name: d.sum(axis=0) for p, d in learned}}
        return (dparams, back.x, *(self.stacked(back.states) if given else ()))

    def stacked(self, flat: Iterable[Array]) -> tuple[Any, ...]:
        """Return states given pass by pass as they are passed and returned: by kind."""
        by_name = dict(zip(self.spec.states, flat, strict=True))
        kinds = [[by_name[name] for name in names] for names in self.spec.stacks.values()]
        return tuple(kind[0] if self.spec.plain else _stack(kind) for kind in kinds)

    def _flat(self, kinds: Iterable[Any]) -> tuple[Array, ...]:
        """Return states by kind pass by pass, as the network lists them."""
        by_name: dict[str, Array] = {}
        for (kind, names), arrays in zip(self.spec.stacks.items(), kinds, strict=True):
            held = [arrays] if self.spec.plain else list(arrays)
            if len(held) != len(names):
                raise DimensionError(
                    f"{kind} of {self.spec.name} has {len(names)} parts ({', '.join(names)}), got {len(held)}"
                )
            by_name |= zip(names, held, strict=True)
        return tuple(by_name[name] for name in self.spec.states)

    def _arguments(
        self, params: Mapping[str, Array], x: Array, states: tuple[Any, ...], lengths: Any
    ) -> tuple[Mapping[str, Array], Array, tuple[Array, ...], Array | None]:
        network, x = self.spec, np.asarray(x)
        if x.ndim != 3:
            raise DimensionError(f"x must have the shape (T, B, n), got {x.shape}")
        given = len(network.stacks) if network.initial == "given" else 0
        if len(states) != given:
            what = ", ".join(network.stacks) if given else network.initial
            raise DimensionError(f"{network.name} takes {given} initial states ({what}), got {len(states)}")
        values = network.check_sizes(self._sizes(params, x))
        shapes = [(x.shape[1], evaluate_shape(before.shape, values)[0]) for before, _ in network.recurrence]
        held = {name: np.asarray(params[name]) for name in params}
        return held, x, self._initial(held, states, shapes, x.dtype), self._lengths(lengths, x)

    def _initial(
        self, params: Mapping[str, Array], states: tuple[Any, ...], shapes: list[tuple[int, int]], dtype: Any
    ) -> tuple[Array, ...]:
        """Return the initial states pass by pass: as given, learned, or zero."""
        network = self.spec
        if network.initial == "zero":
            return tuple(np.zeros(shape, dtype) for shape in shapes)
        if network.initial == "learned":
            rows = (params[p.name] for p in network.learned)
            return tuple(np.tile(row, (B, 1)) for row, (B, _) in zip(rows, shapes, strict=True))
        flat = self._flat(states)
        return tuple(_shaped(f"{n}0", s, shape) for n, s, shape in zip(network.states, flat, shapes, strict=True))

    def _sizes(self, params: Mapping[str, Array], x: Array) -> dict[str, int]:
        """Read the sizes off the arrays, and refuse parameters that contradict them."""
        network = self.spec
        wanted = {p.name: p.shape for p in network.parameters}
        if params.keys() != wanted.keys():
            wrong = ", ".join(sorted(params.keys() ^ wanted.keys()))
            raise DimensionError(f"params must have the names of {network.name}; they differ in {wrong}")
        sizes = {network.n.name: x.shape[-1]} if network.n.is_Symbol else {}
        for name, shape in wanted.items():
            for side, actual in zip(shape, np.shape(params[name]), strict=False):
                if side.is_Symbol:
                    sizes.setdefault(side.name, actual)
        shapes = network.dimensions(**sizes)
        for name, shape in shapes.items():
            _shaped(name, params[name], shape)
        n = evaluate_shape(network.inputs[0].shape, network.check_sizes(sizes))[0]
        _shaped("x", x, (*x.shape[:2], n))
        return sizes

    def _lengths(self, lengths: Any, x: Array) -> Array | None:
        if lengths is None:
            return None
        T, B, _ = x.shape
        if self.spec.past_length is None:
            raise DimensionError(f'{self.spec.name} has no lengths; make it with past_length, such as "zero"')
        found = _shaped("lengths", lengths, (B,))
        if found.dtype.kind not in "iu" or (B and not (found.min() >= 0 and found.max() <= T)):
            raise DimensionError(f"lengths are whole numbers from 0 to T={T}, got {found.tolist()}")
        return found


def runner(spec: Network | Program) -> Runner:
    """Return what runs a network, or a cell, over sequences, forward and backward.

    >>> from lstm_spec.spec.layers import layers
    >>> network = layers("gru", count=2, bidirectional=True)
    >>> params = {name: np.ones(shape) for name, shape in network.dimensions(n=3, m=2).items()}
    >>> y, h = runner(network).forward(params, np.ones((5, 1, 3)), np.zeros((4, 1, 2)))
    >>> y.shape, h.shape
    ((5, 1, 4), (4, 1, 2))
    """
    return Runner(network_of(spec, "runner"))


def _shaped(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    array = np.asarray(value)
    if array.shape != tuple(shape):
        raise DimensionError(f"{name} must have the shape {tuple(shape)}, got {array.shape}")
    return array


def _stack(arrays: list[Array]) -> Any:
    return np.stack(arrays) if len({a.shape for a in arrays}) == 1 else tuple(arrays)
