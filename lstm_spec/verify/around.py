"""Decorators around a forward pass, of which the faults of implementations are made.

A forward pass is ``forward(params, x, *states) -> (y, *states)``, of any cell; each decorator says what happens to its
arguments, to its results, or within every step.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.spec.program import Program
from lstm_spec.verify.hypotheses import Forward, Hypothesis, Wrap

Params = Mapping[str, Array]
Named = Iterator[tuple[str, str, Callable[[Forward], Forward]]]


def on_arguments(change: Callable[..., tuple[Any, ...]]) -> Callable[[Forward], Forward]:
    """Make a decorator from what happens to (params, x, *states)."""
    return lambda forward: lambda *given: forward(*change(*given))


def on_results(change: Callable[..., tuple[Any, ...]]) -> Callable[[Forward], Forward]:
    """Make a decorator from what happens to (y, *states)."""
    return lambda forward: lambda *given: change(*forward(*given))


def stepped(advance: Callable[[Forward, Params, Array, tuple[Array, ...], tuple[Array, ...], int], Any]) -> Any:
    """Make a decorator from what one step does with x_t, the states before it, and the initial states."""

    def decorator(forward: Forward) -> Forward:
        def stepped(params: Params, x: Array, *initial: Array) -> tuple[Array, ...]:
            states, y = initial, []
            for t in range(len(x)):
                _, *after = advance(forward, params, x[t : t + 1], states, initial, t)
                states = tuple(after)
                y.append(states[0])
            return np.stack(y), *states

        return stepped

    return decorator


def with_state(states: tuple[Array, ...], k: int, value: Array) -> tuple[Array, ...]:
    """Return states with another one in place of that at position k."""
    return (*states[:k], value, *states[k + 1 :])


def around(kind: str, cell: Program, named: Named) -> tuple[Hypothesis, ...]:
    """Return faults of a kind, each a name, a sentence and a decorator, as hypotheses about a cell."""
    return tuple(Hypothesis(name, kind, sentence, cell, wraps=(Wrap(forward=wrap),)) for name, sentence, wrap in named)
