"""The arguments of a call, as a target with a layout takes them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from lstm_spec.targets.held import Held

Array = NDArray[Any]


@dataclass(frozen=True)
class Arguments:
    """Parameters by the target's names, then the rest in order, with names: x, initial states, cotangents.

    lengths: passed as a keyword, where there are any.
    """

    params: Mapping[str, Array]
    rest: tuple[tuple[str, Array], ...]
    lengths: Array | None = None


def arguments(
    held: Held, params: Mapping[str, Array], x: Array, states: tuple[Array, ...], lengths: Array | None
) -> Arguments:
    """Return the arguments of a forward pass, from values in the specification's terms.

    params: by the specification's names; x: (T, B, n); states: each (B, m); lengths: (B,) or None.
    """
    initial = zip(held.states, held.to_states(states), strict=True)
    rest = (("x", held.layout.to_x(x)), *((f"{name}0", s) for name, s in initial))
    return Arguments(held.pack(params), rest, lengths)


def with_cotangents(held: Held, forward: Arguments, dy: Array, dstates: tuple[Array, ...]) -> Arguments:
    """Return the arguments of a backward pass: those of its forward pass, dy (T, B, m), and one for every state."""
    final = zip(held.states, held.to_states(dstates), strict=True)
    return replace(forward, rest=(*forward.rest, ("dy", held.to_y(dy)), *((f"d{name}", d) for name, d in final)))
