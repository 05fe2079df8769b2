"""A network as the views over time show it: one cell, in how many layers, with which sizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lstm_spec.spec.network import Network
from lstm_spec.spec.notation import size_text
from lstm_spec.spec.program import Program

VIEW_OF = {"forward": ("unrolled", "stacked"), "both": ("bidirectional",)}
"""The views that show layers in a direction: of one layer, and of several where there is a view of them."""


class StackError(ValueError):
    """A network that no view shows; the message says which ones are."""


@dataclass(frozen=True)
class Stack:
    """Layers that are alike: the cell, how many there are, the sizes that they fix, and the view that shows them."""

    cell: Program
    layers: int
    sizes: Mapping[str, int]
    view: str


def stack_of(network: Network) -> Stack:
    """Return a network as the views over time show it; raises StackError for one whose layers are not alike."""
    first, *others = network.layers
    plain = not first.residual and network.outputs == "all" and first.merge == "concatenate"
    views = VIEW_OF.get(first.direction, ())
    alike = plain and all(_key(layer) == _key(first) for layer in others) and len(set(first.cells)) == 1
    if not alike or first.reverse_sizes not in (None, first.sizes) or (len(network.layers) > 1 and len(views) < 2):
        raise StackError(
            f"{network.name} cannot be drawn: the views show one cell, in layers of one size that run forwards or in "
            "one layer of both directions concatenated, at every step; draw its cells one by one"
        )
    sizes = {"n": network.n, **first.sizes}
    numbers = {name: int(size) for name, size in sizes.items() if str(size).isdigit()}
    return Stack(first.cell, len(network.layers), numbers, views[len(network.layers) > 1])


def _key(layer: Any) -> tuple[Any, ...]:
    return layer.cell, dict(layer.sizes), layer.direction, layer.merge, layer.residual


def check_view(network: Network, stack: Stack, view: str) -> None:
    """Raise StackError for a view that would show something else than this network."""
    over_time = {name for names in VIEW_OF.values() for name in names}
    is_cell = stack.view == "unrolled" and view not in over_time
    if view != stack.view and not is_cell:
        widths = " → ".join(size_text(width) for width in network.widths)
        raise StackError(f'{network.name} ({widths}) is shown by the view "{stack.view}", not by "{view}"')
