"""Forward and backward of a target, from one function of its framework and the framework's own gradients."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Pull = Callable[[tuple[Any, ...]], tuple[Any, ...]]
"""Takes the cotangents of y and of the final states, returns dparams, dx and the gradients of the initial states."""


@dataclass(frozen=True)
class Passes:
    """The passes of a target, with the form that the contract wants.

    run: called with (params, x, *states, lengths), returns (y, *states). record: called with the same, returns the same
    as it comes when gradients are recorded, and what pulls cotangents back; None where the framework has no gradients.
    states: how many initial states are given, by default as many as there are cotangents of final ones.
    """

    run: Callable[..., tuple[Any, ...]]
    record: Callable[..., tuple[tuple[Any, ...], Pull]] | None = None
    states: int | None = None

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
            count = (len(rest) - 1) // 2 if self.states is None else self.states
            _, pull = record(params, x, *rest[:count], lengths)
            return pull(rest[count:])

        return backward
