"""Networks of equal cells: the short way to make them."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from lstm_spec.spec.catalogue import cell as catalogue_cell
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.network import Network
from lstm_spec.spec.options import OptionError, one_of
from lstm_spec.spec.passes import size_of
from lstm_spec.spec.program import Program, cell_of


def layers(
    cell: Program | str = "lstm",
    *,
    count: int | None = None,
    hidden: Any = None,
    bidirectional: bool = False,
    merge: Literal["concatenate", "sum", "multiply", "average"] = "concatenate",
    direction: Literal["forward", "reverse", "go_backwards"] = "forward",
    residual: bool = False,
    n: Any = None,
    outputs: Literal["all", "last"] = "all",
    past_length: Literal["zero", "repeat", "freeze", "any"] | None = None,
    initial: Literal["given", "learned", "zero"] = "given",
    name: str | None = None,
) -> Network:
    """Return a network of equal cells: layers on top of each other, in one direction or both.

    cell: a cell or its name. count: how many layers. hidden: the hidden size of every layer from the input upwards,
    numbers or names such as ("m0", "m1"); a single one, or the symbol m, holds for all. bidirectional: whether every
    layer runs in both directions, and merge what becomes of their outputs. residual: whether every layer but the first
    adds its input to its output; with a single layer that one does. n: the size of x, by default that of the cell.
    direction, outputs, past_length, initial: as ``Layer`` and ``Network`` have them; layers that differ in more than
    their size are put into a ``Network`` directly.

    Raises OptionError for values that do not go together, DimensionError for sizes that do not fit.

    >>> network = layers(count=2, bidirectional=True)
    >>> network.widths, network.states[:3]
    ((n, 2*m, 2*m), ('l0.h', 'l0.c', 'l0r.h'))
    """
    program = catalogue_cell(cell) if isinstance(cell, str) else cell
    program = cell_of(program, "layers")
    if not bidirectional and merge != "concatenate":
        raise OptionError(f"merge={merge!r} says what becomes of two directions, so it needs bidirectional=True")
    if bidirectional and direction != "forward":
        raise OptionError(f"a bidirectional layer has both directions, got direction={direction!r} as well")
    one_of("bidirectional", bidirectional, (False, True))
    one_of("residual", residual, (False, True))
    sizes = _hidden(hidden, count)
    stack = tuple(
        Layer(
            cell=program,
            sizes={} if m is None else {"m": m},
            direction="both" if bidirectional else direction,
            merge=merge,
            residual=residual and (index > 0 or len(sizes) == 1),
        )
        for index, m in enumerate(sizes)
    )
    own = program.inputs[0].shape[0] if n is None else size_of(n)
    return Network(
        name=_called(program, len(sizes), bidirectional) if name is None else name,
        layers=stack,
        n=own,
        outputs=outputs,
        past_length=past_length,
        initial=initial,
    )


def _called(cell: Program, count: int, bidirectional: bool) -> str:
    parts = [f"{count}-layer" if count > 1 else "", "bidirectional" if bidirectional else "", cell.name]
    return " ".join(filter(None, parts))


def _hidden(hidden: Any, count: int | None) -> list[Any]:
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise OptionError(f"count is a positive number of layers, got {count!r}")
    if isinstance(hidden, Mapping):
        raise OptionError(f"hidden is a size, or one for every layer such as (70, 40), got {hidden!r}")
    if isinstance(hidden, Iterable) and not isinstance(hidden, str):
        sizes = list(hidden)
        if not sizes or count not in (None, len(sizes)):
            raise OptionError(f"hidden has {len(sizes)} sizes for {count or 'no'} layers: give one for each")
        return sizes
    return [hidden] * (count or 1)
