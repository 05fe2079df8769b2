"""Where a sequence begins: initial states that are given, the same learned row for all, or zero."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lstm_spec.spec.network import Network
from lstm_spec.spec.sizes import evaluate_shape


def initial_states(
    network: Network, params: Mapping[str, Any], x: Any, states: tuple[Any, ...], each: Callable[..., Any]
) -> tuple[Any, ...]:
    """Return the initial states of every pass, each (B, m).

    params, x: arrays, or values with bounds; states: those that are given, none where the network has its own; each:
    (change, value) → a value whose entries are moved or left out, as the arithmetic of the network has it.
    """
    if network.initial == "given":
        return states
    rows = np.shape(_values(x))[1]
    if network.initial == "learned":
        return tuple(each(lambda row: np.tile(row, (rows, 1)), params[p.name]) for p in network.learned)
    widths = state_widths(network, params).values()
    return tuple(each(lambda a, width=width: np.zeros((rows, width), a.dtype), x) for width in widths)


def initial_gradients(
    network: Network, cotangents: tuple[Any, ...], total: Callable[[Any], Any]
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """Return the gradients of learned initial states by name, and those of given ones.

    cotangents: of the initial states of every pass, each (B, m); total: over the rows.
    """
    learned = {p.name: total(d) for p, d in zip(network.learned, cotangents, strict=False)}
    return learned, cotangents if network.initial == "given" else ()


def state_widths(network: Network, params: Mapping[str, Any]) -> dict[str, int]:
    """Return the size of every state by name, as the parameters have it.

    >>> from lstm_spec.spec.layers import layers
    >>> stack = layers("rnn", hidden=(4, "m"))
    >>> state_widths(stack, {name: np.ones(shape) for name, shape in stack.dimensions(n=3, m=2).items()})
    {'l0.h': 4, 'l1.h': 2}
    """
    values = network.check_sizes(sizes_in(network, params))
    return {after.name: int(evaluate_shape(after.shape, values)[0]) for _, after in network.recurrence}


def sizes_in(network: Network, params: Mapping[str, Any]) -> dict[str, int]:
    """Return the sizes that parameters show by name: every side that is nothing but a size, the first one counts."""
    sizes: dict[str, int] = {}
    for p in network.parameters:
        for side, actual in zip(p.shape, np.shape(_values(params[p.name])), strict=False):
            if side.is_Symbol:
                sizes.setdefault(side.name, actual)
    return sizes


def _values(given: Any) -> Any:
    return getattr(given, "value", given)
