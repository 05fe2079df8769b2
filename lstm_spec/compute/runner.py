"""A network or a cell as a pair of pure functions, forward and backward, in the form that every target has."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.compute.initial import sizes_in
from lstm_spec.compute.network import plain, run_network
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

Array = NDArray[Any]


@dataclass(frozen=True)
class Runner:
    """A network with numbers; it holds no weights and no buffers.

    spec: the network. States are passed and returned as ``spec.stacks`` has them, (h, c): each (L·D, B, m) over layers
    and directions, layer before direction. Each is (B, m) where there is one layer in one direction, and where layers
    differ in size, which pass every state by itself: (l0.h, l0.c, l1.h, …).
    """

    spec: Network

    def forward(
        self, params: Mapping[str, Array], x: Array, *states: Any, lengths: Array | None = None
    ) -> tuple[Any, ...]:
        """Run the network over x (T, B, n); returns (y, *states).

        params: by the names of ``spec.dimensions``; states: the initial ones, none where they are learned or zero;
        lengths: (B,), the steps of every row in whole numbers, where the network has ``past_length``. y is
        (T, B, size), or (B, size) where only the last output is wanted. Raises DimensionError for names or shapes that
        do not fit.
        """
        run = run_network(self.spec, *self._arguments(params, x, states, lengths), plain(keep=False))
        return (run.y, *self.stacked(run.states))

    def backward(
        self, params: Mapping[str, Array], x: Array, *states: Any, lengths: Array | None = None
    ) -> tuple[Any, ...]:
        """Take cotangents back; returns (dparams, dx, *dstates0), the latter none where states are not given.

        states: the initial states as for ``forward``, then dy and the cotangents of the final states; lengths: as for
        ``forward``. dx is 0 past a row's length, and nothing of dy there reaches it but what y repeats or holds.
        """
        final = len(self.spec.stacks)
        given = final if self.spec.initial == "given" else 0
        if len(states) != given + 1 + final:
            raise DimensionError(
                f"backward of {self.spec.name} takes {given} initial states, dy and {final} cotangents of final states,"
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
        return (back.params, back.x, *(self.stacked(back.states) if given else ()))

    def carried(self, params: Mapping[str, Array], pieces: Iterable[Array], *states: Any) -> Iterator[tuple[Any, ...]]:
        """Run the network over a sequence piece by piece, as a stateful layer does; yields (y, *states) of every piece.

        params, states: as for ``forward``; pieces: each (T, B, n), with the same rows. Every piece after the first one
        begins with the states that the one before returned. Of a network that runs forwards the outputs are those of
        the whole sequence; one in reverse has seen of it only the pieces so far.
        """
        given = Runner(replace(self.spec, initial="given"))
        own = {p.name for p in self.spec.learned}
        run, held = self, params
        for x in pieces:
            y, *final = run.forward(held, x, *states)
            yield (y, *final)
            run, held, states = given, {k: p for k, p in params.items() if k not in own}, tuple(final)

    def stacked(self, flat: Iterable[Array]) -> tuple[Any, ...]:
        """Return states given pass by pass as they are passed and returned."""
        by_name = dict(zip(self.spec.states, flat, strict=True))
        return tuple(
            by_name[array] if array in by_name else np.stack([by_name[name] for name in names])
            for array, names in self.spec.stacks.items()
        )

    def _flat(self, arrays: Iterable[Array]) -> tuple[Array, ...]:
        """Return states as they are passed and returned pass by pass, as the network lists them."""
        by_name: dict[str, Array] = {}
        for (array, names), given in zip(self.spec.stacks.items(), arrays, strict=True):
            held = [given] if array in self.spec.states else list(given)
            if len(held) != len(names):
                raise DimensionError(
                    f"{array} of {self.spec.name} has {len(names)} parts ({', '.join(names)}), got {len(held)}"
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
        shapes = {after.name: (x.shape[1], evaluate_shape(after.shape, values)[0]) for _, after in network.recurrence}
        held = {name: np.asarray(params[name]) for name in params}
        flat = zip(network.states, self._flat(states), strict=True) if given else ()
        initial = tuple(_shaped(f"{name}0", state, shapes[name]) for name, state in flat)
        return held, x, initial, self._lengths(lengths, x)

    def _sizes(self, params: Mapping[str, Array], x: Array) -> dict[str, int]:
        """Read the sizes off the arrays, and refuse parameters that contradict them."""
        network = self.spec
        wanted = {p.name for p in network.parameters}
        if not isinstance(params, Mapping):
            raise DimensionError(
                f"params are arrays by name, such as {{'{min(wanted)}': …}}, got {type(params).__name__}"
            )
        if params.keys() != wanted:
            wrong = ", ".join(sorted(params.keys() ^ wanted))
            raise DimensionError(f"params must have the names of {network.name}; they differ in {wrong}")
        entry = {network.n.name: x.shape[-1]} if network.n.is_Symbol else {}
        own = sizes_in(network, params)
        self._check_width(params, own, x)
        sizes = own | entry
        for name, shape in network.dimensions(**sizes).items():
            _shaped(name, params[name], shape)
        n = evaluate_shape(network.inputs[0].shape, network.check_sizes(sizes))[0]
        _shaped("x", x, (*x.shape[:2], n))
        return sizes

    def _check_width(self, params: Mapping[str, Array], own: Mapping[str, int], x: Array) -> None:
        """Blame x, and no parameter, where the parameters agree with each other on another size of x."""
        n = self.spec.n
        if not n.is_Symbol:
            return
        told = {**self._width(params, own), **own}
        if told.get(n.name, x.shape[-1]) == x.shape[-1]:
            return
        shapes = self.spec.dimensions(**told)
        if all(np.shape(params[name]) == tuple(shape) for name, shape in shapes.items()):
            raise DimensionError(
                f"x has {x.shape[-1]} entries at a step, but the parameters are for {n}={told[n.name]}"
            )

    def _width(self, params: Mapping[str, Array], own: Mapping[str, int]) -> dict[str, int]:
        """Return the size of x where a parameter tells it by a side such as n+m."""
        n, known = self.spec.n, self.spec.check_sizes(own)
        for p in self.spec.parameters:
            for side, actual in zip(p.shape, np.shape(params[p.name]), strict=False):
                rest = (side - n).subs(known)
                if side.has(n) and rest.is_number and actual > rest:
                    return {n.name: int(actual - rest)}
        return {}

    def _lengths(self, lengths: Any, x: Array) -> Array | None:
        if lengths is None:
            return None
        T, B, _ = x.shape
        if self.spec.past_length is None:
            raise DimensionError(f'{self.spec.name} has no lengths; make it with past_length, such as "zero"')
        found = _shaped("lengths", lengths, (B,))
        if np.iscomplexobj(x):
            raise DimensionError("rows with lengths are real numbers, got a complex x: give rows of one length")
        if found.dtype.kind == "f" and (found == np.floor(found)).all():
            found = found.astype(np.int64)
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
