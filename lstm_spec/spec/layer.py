"""One layer: a cell run in one direction or both, and what becomes of its outputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from sympy import MatrixExpr, Rational

from lstm_spec.spec.operators import add, concat, hadamard, scale
from lstm_spec.spec.options import OptionError, one_of
from lstm_spec.spec.program import Program, cell_of

MERGES: Mapping[str, Callable[[Any, Any], MatrixExpr]] = MappingProxyType(
    {
        "concatenate": concat,
        "sum": add,
        "multiply": hadamard,
        "average": lambda first, second: scale(Rational(1, 2), add(first, second)),
    }
)
"""What becomes of the outputs of both directions at a step, by name."""

DIRECTIONS = ("forward", "reverse", "go_backwards", "both")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a network.

    cell: what runs. sizes: what the cell's own sizes are here, such as {"m": 64}; m and q stay symbols where nothing is
    said. direction: "forward"; "reverse" from the last step to the first, the output of step t still at step t;
    "go_backwards", the same with the output in the order in which it is computed; "both". merge: what becomes of both
    directions: "concatenate", "sum", "multiply" or "average". residual: whether the layer's input is added to its
    output. reverse_sizes, reverse_cell: those of the reverse direction where they differ.
    """

    cell: Program
    sizes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    direction: Literal["forward", "reverse", "go_backwards", "both"] = "forward"
    merge: Literal["concatenate", "sum", "multiply", "average"] = "concatenate"
    residual: bool = False
    reverse_sizes: Mapping[str, Any] | None = field(default=None, hash=False)
    reverse_cell: Program | None = None

    def __post_init__(self) -> None:
        one_of("direction", self.direction, DIRECTIONS)
        one_of("merge", self.merge, tuple(MERGES))
        one_of("residual", self.residual, (False, True))
        self._check_both()
        for option, given in (("sizes", self.sizes), ("reverse_sizes", self.reverse_sizes or {})):
            if not isinstance(given, Mapping):
                raise OptionError(f'{option} of a layer are by name, such as {{"m": 64}}, got {given!r}')
        for cell in self.cells:
            if len(cell_of(cell, "a layer").inputs) != 1:
                raise OptionError(f"a layer reads one sequence, but {cell.name} has {len(cell.inputs)} inputs")
            if cell.states != self.cell.states:
                held = f"{', '.join(self.cell.states)} and {', '.join(cell.states)}"
                raise OptionError(f"both directions of a layer have the same states, got {held}")

    def _check_both(self) -> None:
        """Refuse what only a layer in both directions has, which would do nothing here."""
        merge = None if self.merge == "concatenate" else repr(self.merge)
        cell = None if self.reverse_cell is None else "a cell"
        own = {"merge": merge, "reverse_cell": cell, "reverse_sizes": self.reverse_sizes}
        for option, given in own.items():
            if self.direction != "both" and given is not None:
                raise OptionError(
                    f'{option} is of two directions, so it needs direction="both"; '
                    f"got {option}={given} and direction={self.direction!r}"
                )

    @property
    def cells(self) -> tuple[Program, ...]:
        """The cell of every direction, that of the forward direction first."""
        if self.direction != "both":
            return (self.cell,)
        return self.cell, self.cell if self.reverse_cell is None else self.reverse_cell

    def output(self, parts: Sequence[Any], x: Any) -> MatrixExpr:
        """Return what the layer gives at a step, from what its directions give there and the layer's input."""
        merged = parts[0] if len(parts) == 1 else MERGES[self.merge](*parts)
        return add(merged, x) if self.residual else merged
