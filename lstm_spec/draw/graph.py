"""The graph that a Program draws as: operations and the values between them, without places.

Each value has the id of the operation that makes it: an equation's name, or that name with a number for a part of its
expression that has no name. What a picture shows as text (parameters, and in a backward pass the forward values) is
not a value here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from lstm_spec.draw.scene import Kind
from lstm_spec.draw.text import Text

OpKind = Literal["layer", "neuron", "product", "sum", "function", "concat", "split", "constant"]
POINTWISE = frozenset({"product", "sum", "function"})


@dataclass(frozen=True)
class Op:
    """One operation: its role, glyph, rows of parameters, and the values it reads in order.

    equation: the equation it is a part of; absorbs: equations drawn within it, such as a_f within the layer f; mixes:
    the positions of the operands that a matrix mixes, so that every unit sees all their entries; statistics: means and
    variances computed within; parameters: the names of what a layer has learned.
    """

    id: str
    equation: str
    kind: OpKind
    glyph: Text
    operands: tuple[str, ...]
    shape: tuple[Any, Any]
    rows: tuple[Text, ...] = ()
    absorbs: tuple[str, ...] = ()
    mixes: tuple[int, ...] = ()
    statistics: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    @property
    def equations(self) -> tuple[str, ...]:
        """The names of all equations drawn within it, its own last."""
        return (*self.statistics, *self.absorbs, self.equation)

    @property
    def look(self) -> Kind:
        """The role that it is drawn as."""
        return "vector" if self.kind == "layer" and not self.parameters else self.kind

    @property
    def named(self) -> bool:
        """Whether its value has a name of its own."""
        return self.id == self.equation


@dataclass(frozen=True)
class Graph:
    """Operations in an order in which they can be computed, with what enters and what leaves.

    inputs: values from outside; states: pairs (previous, next); outputs: values handed on; shapes and factors by value
    (a factor is what a wire multiplies by on its way); flat: whether all layers stand side by side.
    """

    ops: tuple[Op, ...]
    inputs: tuple[str, ...]
    states: tuple[tuple[str, str], ...]
    outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[Any, Any]]
    flat: bool = False

    @cached_property
    def by_id(self) -> Mapping[str, Op]:
        """The operations by id."""
        return {op.id: op for op in self.ops}

    @cached_property
    def uses(self) -> Mapping[str, tuple[Op, ...]]:
        """The operations that read a value, once per reading."""
        found: dict[str, list[Op]] = {}
        for op in self.ops:
            for operand in op.operands:
                found.setdefault(operand, []).append(op)
        return {value: tuple(ops) for value, ops in found.items()}

    @cached_property
    def computed_in(self) -> Mapping[str, str]:
        """The equation whose expression an equation really computes: a_f for f where f is drawn around it."""
        return {op.equation: op.absorbs[0] for op in self.ops if op.absorbs}

    def inner(self, op: Op) -> str:
        """Return the equation whose expression an operation is a part of, a_f rather than f."""
        return self.computed_in.get(op.equation, op.equation)

    @cached_property
    def leaving(self) -> frozenset[str]:
        """The values that leave: outputs and next states."""
        return frozenset({*self.outputs, *(after for _, after in self.states)})

    def is_used(self, value: str) -> bool:
        """Tell whether a value is read or leaves; an SRU, say, has a previous h that nobody looks at."""
        return value in self.uses or value in self.leaving

    @cached_property
    def seen_whole(self) -> frozenset[str]:
        """The values of which every unit sees all entries: what a matrix mixes, and what that is made of."""
        found: set[str] = set()
        for op in reversed(self.ops):
            found |= {op.operands[k] for k in op.mixes}
            found |= set(op.operands) if op.id in found else set()
        return frozenset(found)

    def mixed(self, op: Op) -> list[str]:
        """Return the vectors that a layer mixes, a concatenation by its parts."""
        found: list[str] = []
        for k in op.mixes:
            operand = self.by_id.get(op.operands[k])
            found += operand.operands if operand and operand.kind == "concat" else (op.operands[k],)
        return found

    def readers(self, value: str) -> tuple[Op, ...]:
        """Return the operations that read a value."""
        return self.uses.get(value, ())

    @cached_property
    def early(self) -> frozenset[str]:
        """The layers before the gates: several layers or a concatenation read them, or such a layer does."""
        found: set[str] = set()
        for op in () if self.flat else reversed(self.ops):
            readers = self.readers(op.id)
            ahead = all(r.kind == "concat" or r.id in found for r in readers)
            shared = len(readers) > 1 and all(r.kind == "layer" for r in readers)
            if op.kind == "layer" and readers and op.id not in self.leaving and (ahead or shared):
                found.add(op.id)
        for op in self.ops:
            made = [self.by_id[value] for value in op.operands if value in self.by_id]
            found -= set() if all(o.kind == "concat" or o.id in found for o in made) else {op.id}
        return frozenset(found)

    @cached_property
    def rails(self) -> tuple[tuple[str, ...], ...]:
        """The paths of pointwise operations from a state to the same state one step on, the longest first.

        Each is the ids of its operations; a plain RNN has none, since its state passes through a learned layer.
        """
        found = sorted((self._rail(*pair) for pair in self.states), key=lambda path: -len(path))
        taken: set[str] = set()
        rails = []
        for path in found:
            if path and not taken & set(path):
                taken |= set(path)
                rails.append(path)
        return tuple(rails)

    def _rail(self, before: str, after: str) -> tuple[str, ...]:
        best: dict[str, tuple[str, ...]] = {before: ()}
        for op in self.ops:
            ways = [best[o] for o in op.operands if o in best]
            if op.kind in POINTWISE and ways:
                best[op.id] = (*max(ways, key=len), op.id)
        return best.get(after, ())

    def rail_start(self, rail: tuple[str, ...]) -> str:
        """Return the state that a rail begins with."""
        return next(before for before, after in self.states if after == rail[-1])
