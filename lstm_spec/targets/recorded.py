"""Forward and backward of a target, from one function of its framework and the framework's own gradients."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

Pull = Callable[[tuple[Any, ...]], tuple[Any, ...]]
"""Takes the cotangents of y and of the final states, returns dparams, dx and the gradients of the initial states."""


@dataclass(frozen=True)
class Passes:
    """The passes of a target, with the form that the contract wants.

    run: called with (params, x, *states, lengths), returns (y, *states). record: called with the same, returns the same
    as it comes when gradients are recorded, and what pulls cotangents back; None where the framework has no gradients.
    """

    run: Callable[..., tuple[Any, ...]]
    record: Callable[..., tuple[tuple[Any, ...], Pull]] | None = None

    def forward(self, params: Mapping[str, Any], x: Any, *states: Any, lengths: Any = None) -> tuple[Any, ...]:
        """Run forward, nothing recorded."""
        return self.run(params, x, *states, lengths)

    @property
    def differentiated(self) -> Callable[..., Any] | None:
        """The forward pass as backward runs it."""
        record = self.record
        if record is None:
            return None

        def differentiated(params: Mapping[str, Any], x: Any, *states: Any, lengths: Any = None) -> tuple[Any, ...]:
            return record(params, x, *states, lengths)[0]

        return differentiated

    @property
    def backward(self) -> Callable[..., Any] | None:
        """The backward pass."""
        record = self.record
        if record is None:
            return None

        def backward(params: Mapping[str, Any], x: Any, *rest: Any, lengths: Any = None) -> tuple[Any, ...]:
            count = (len(rest) - 1) // 2
            _, pull = record(params, x, *rest[:count], lengths)
            return pull(rest[count:])

        return backward


@dataclass(frozen=True)
class Framework:
    """A framework that computes with functions of arrays: how it takes NumPy's arrays, gives them and differentiates.

    vjp: called with a function of arrays that returns a tuple of arrays, and with these arguments; returns that tuple
    and what takes its cotangents to the gradients of the arguments, as ``jax.vjp`` does; None without gradients.
    around: a context in which all of it runs.
    """

    take: Callable[[Any], Any]
    give: Callable[[Any], Any] = np.asarray
    vjp: Callable[..., tuple[tuple[Any, ...], Pull]] | None = None
    around: Callable[[], AbstractContextManager[Any]] = nullcontext

    def passes(self, run: Callable[..., tuple[Any, ...]]) -> Passes:
        """Return the passes, in NumPy's arrays, of a function (params, x, *states, lengths) in the framework's."""

        def forward(params: Mapping[str, Any], *given: Any) -> tuple[Any, ...]:
            with self.around():
                *arrays, lengths = map(self._taken, given)
                return self._given(run({k: self.take(p) for k, p in params.items()}, *arrays, lengths))

        def record(params: Mapping[str, Any], *given: Any) -> tuple[tuple[Any, ...], Pull]:
            *arrays, lengths = given
            names = tuple(params)

            def function(*flat: Any) -> tuple[Any, ...]:
                return tuple(run(dict(zip(names, flat, strict=False)), *flat[len(names) :], ends))

            def pull(cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
                with self.around():
                    found = self._given(pulled(tuple(map(self.take, cotangents))))
                return (dict(zip(names, found, strict=False)), *found[len(names) :])

            with self.around():
                ends = self._taken(lengths)
                outputs, pulled = self.vjp(function, *map(self.take, (*params.values(), *arrays)))  # type: ignore[misc]
                return self._given(outputs), pull

        return Passes(forward, None if self.vjp is None else record)

    def _taken(self, array: Any) -> Any:
        return None if array is None else self.take(array)

    def _given(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(map(self.give, arrays))
