"""The passes of a layer: its cell run over the sequence in one direction, with the sizes it has there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from sympy import Expr, MatrixSymbol, Symbol, sympify

from lstm_spec.spec.dimensions import Shape
from lstm_spec.spec.equation import ProgramError
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.notation import size_text
from lstm_spec.spec.operators import size
from lstm_spec.spec.options import OptionError
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import array_shape, evaluate_shape
from lstm_spec.spec.ties import Tie


@dataclass(frozen=True)
class Pass:
    """One cell run over the sequence in one direction.

    key: what its parameters and states have before their names, such as "l1r."; sizes: the cell's own sizes in those of
    the network; reverse: whether it starts at the last step.
    """

    key: str
    cell: Program
    sizes: Mapping[Symbol, Expr] = field(hash=False)
    reverse: bool = False

    @property
    def states(self) -> tuple[str, ...]:
        """The names of its states in the network."""
        return tuple(self.key + name for name in self.cell.states)

    @property
    def width(self) -> Expr:
        """The size of what it returns at every step."""
        return self.shape(self.cell.recurrence[0][1])[0]

    def shape(self, symbol: MatrixSymbol) -> Shape:
        """Return the shape of a value of the cell, in sizes of the network."""
        rows, columns = (sympify(side).xreplace(self.sizes) for side in symbol.shape)
        return rows, columns

    def symbol(self, symbol: MatrixSymbol, mark: str = "") -> MatrixSymbol:
        """Return a value of the cell as the network names it, with a mark such as "_3" for the step."""
        return MatrixSymbol(f"{self.key}{symbol.name}{mark}", *self.shape(symbol))

    @property
    def ties(self) -> tuple[Tie, ...]:
        """The ties of its cell to a size that is still a symbol of the cell's own."""
        return tuple(tie for tie in self.cell.tied if tie.other not in self.sizes)

    def check_ties(self, width: Expr) -> None:
        """Raise DimensionError where the cell needs its input, of this width, to be as wide as something else."""
        entry = self.cell.inputs[0]
        for tie in self.cell.tied:
            if entry.name in {s.name for s in tie.untied}:
                where = f" in {self.key[:-1]}" if self.key else ""
                tie.check(f"{self.cell.name}{where}", width, self.shape(entry)[0])

    def own(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Return, of values by the network's names, the parameters of this pass by the cell's names."""
        return {p.name: arrays[self.key + p.name] for p in self.cell.parameters}

    def dimensions(self, values: Mapping[Symbol, int]) -> dict[str, tuple[Any, ...]]:
        """Return the shapes of its parameters by the network's names."""
        return {name: evaluate_shape(shape, values)[:axes] for name, (shape, axes) in self._parameters.items()}

    def own_sizes(self, values: Mapping[Symbol, int]) -> dict[str, int]:
        """Return the sizes of the cell by their names."""
        sides = evaluate_shape(tuple(self.sizes.get(s, s) for s in self.cell.sizes), values)
        return {s.name: int(side) for s, side in zip(self.cell.sizes, sides, strict=True)}

    @cached_property
    def _parameters(self) -> dict[str, tuple[Shape, int]]:
        """The symbolic shapes of its parameters, and how many axes their arrays have."""
        return {self.key + p.name: (self.shape(p), len(array_shape(p.shape))) for p in self.cell.parameters}


def directions(layer: Layer, width: Expr, key: str) -> tuple[Pass, ...]:
    """Return the passes of a layer over an input of this width, the forward one first; key: such as "l1"."""
    forward = layer.sizes
    backward = layer.sizes if layer.reverse_sizes is None else layer.reverse_sizes
    dot = "." if key else ""
    if layer.direction != "both":
        return (_pass(layer.cell, forward, width, key + dot, layer.direction != "forward"),)
    first, second = layer.cells
    return (
        _pass(first, forward, width, f"{key}{dot}", False),
        _pass(second, backward, width, f"{key}r{dot}", True),
    )


def _pass(cell: Program, given: Mapping[str, Any], width: Expr, key: str, reverse: bool) -> Pass:
    own = {s.name: s for s in cell.sizes}
    for name in given:
        if name not in own:
            raise ProgramError(f"{cell.name} has no size {name}; its sizes are {', '.join(own)}")
    sizes = {own[name]: size_of(value) for name, value in given.items()}
    entry = cell.inputs[0].shape[0]
    held = {s for before, _ in cell.recurrence for s in before.shape[0].free_symbols}
    # A cell such as SRU reads a vector of the size of its state; then only the state's size can give.
    if entry.is_Symbol and entry not in held and sizes.setdefault(entry, width) != width:
        raise OptionError(
            f"{entry} of a layer is the size of what is below it, {size_text(width)}; got sizes with {entry}="
            f"{size_text(sizes[entry])}: leave it out, or give n= to the network"
        )
    return Pass(key, cell, MappingProxyType(sizes), reverse)


def width_of(layer: Layer, passes: Sequence[Pass]) -> Expr:
    """Return the size of what a layer gives at a step."""
    widths = [run.width for run in passes]
    return sum(widths[1:], start=widths[0]) if layer.merge == "concatenate" else widths[0]


def size_of(given: Any) -> Expr:
    """Return a size from a number, a name or a symbol; raises ProgramError."""
    if isinstance(given, str) and given.isidentifier():
        return size(given)
    if isinstance(given, Expr) or (isinstance(given, int) and not isinstance(given, bool) and given > 0):
        return sympify(given)
    raise ProgramError(f"a size is a positive integer or a name such as m0, got {given!r}")
