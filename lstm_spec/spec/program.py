"""A Program: named equations in single-assignment form over matrix expressions.

Cells, their backward passes, mutants and the hypotheses of a diagnosis are all Programs, so everything that reads
equations (shapes, formulas, pictures, NumPy, error bounds) is written once. A Program describes one row of a batch and
one step in time. Every value is either *per row* or *shared* (a parameter, or the adjoint of one): an equation marked
``shared`` whose expression is per row is summed over rows and steps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from reprlib import repr as shortened
from typing import Any

from sympy import Eq, Expr, MatrixExpr, MatrixSymbol, Number, Symbol

from lstm_spec.spec.defined import check_names
from lstm_spec.spec.dimensions import Side, check_equation, walk
from lstm_spec.spec.equation import Equation, ProgramError
from lstm_spec.spec.notation import shape_text, symbol_text
from lstm_spec.spec.operators import size
from lstm_spec.spec.sizes import array_shape, checked_sizes, evaluate_shape, sizes_in, total_entries
from lstm_spec.spec.ties import Tie


@dataclass(frozen=True)
class Program:
    """An ordered list of equations with its inputs, states, parameters and outputs; checked when it is made.

    inputs: per-row values that come from outside, such as x. recurrence: pairs (previous, next) of a state, such as
    (h_prev, h); the first one is what a layer returns at every step. parameters: shared values. definitions: the
    equations, in an order in which they can be computed. outputs: the names that are returned. constants: scalars with
    their values (an eps, a clip limit); they have no adjoint. fixed: the names of parameters that are set and never
    learned, such as masks, which do not count as parameters. origin: the Program that this one was derived from and
    whose equations and recurrence it begins with; derivation: how, such as "backward". ties: the sizes that are another
    one in all equations, such as n = m.

    Raises ProgramError for an undefined name, a name defined twice, a cycle; DimensionError for shapes that do not fit.
    """

    name: str
    inputs: tuple[MatrixSymbol, ...]
    recurrence: tuple[tuple[MatrixSymbol, MatrixSymbol], ...]
    parameters: tuple[MatrixSymbol, ...]
    definitions: tuple[Equation, ...]
    outputs: tuple[str, ...]
    constants: tuple[tuple[Symbol, Number], ...] = ()
    source: str = ""
    fixed: frozenset[str] = frozenset()
    origin: "Program | None" = None
    derivation: str = ""
    ties: tuple[Tie, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ProgramError(f"the name of a cell is text that is not empty, got {shortened(self.name)}")
        check_names(self)
        for definition in self.definitions:
            check_equation(definition.symbol, definition.expression)
        for before, after in self.recurrence:
            check_equation(before, after)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Every cache asks for it, and it goes through all equations.
        return hash(tuple(getattr(self, f.name) for f in fields(self)))

    def __getstate__(self) -> dict[str, Any]:
        # The hashes of names are not those of another process.
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def equations(self) -> tuple[Eq, ...]:
        """The equations as SymPy ``Eq``, in order."""
        return tuple(d.eq for d in self.definitions)

    @property
    def derived(self) -> tuple[Equation, ...]:
        """The equations that it adds to those of its origin, such as the adjoints; all of them without an origin."""
        return self.definitions[len(self.origin.definitions) if self.origin else 0 :]

    @property
    def carried(self) -> tuple[tuple[MatrixSymbol, MatrixSymbol], ...]:
        """The recurrence that it adds to that of its origin; in a backward pass it runs against time."""
        return self.recurrence[len(self.origin.recurrence) if self.origin else 0 :]

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states, first the one that a layer returns at every step."""
        return tuple(after.name for _, after in self.recurrence)

    @property
    def output(self) -> MatrixSymbol:
        """What a layer returns at every step: the first state."""
        return self.recurrence[0][1]

    @property
    def leaves(self) -> tuple[MatrixSymbol, ...]:
        """Everything that is given and not computed: inputs, previous states, parameters."""
        return (*self.inputs, *(before for before, _ in self.recurrence), *self.parameters)

    @property
    def counted(self) -> tuple[MatrixSymbol, ...]:
        """The parameters that are learned: all but the fixed ones."""
        return tuple(p for p in self.parameters if p.name not in self.fixed)

    @cached_property
    def symbols(self) -> Mapping[str, MatrixSymbol]:
        """Every named value by its name: what is given first, then what is computed."""
        return {s.name: s for s in (*self.leaves, *(d.symbol for d in self.definitions))}

    @cached_property
    def sizes(self) -> tuple[Symbol, ...]:
        """The symbols of the sizes that shapes are made of: n, m, q, then others by name."""
        return sizes_in(symbol.shape for symbol in self.symbols.values())

    @property
    def tied(self) -> tuple[Tie, ...]:
        """The sizes that are another one, here or in its origin."""
        return self.ties or (self.origin.tied if self.origin else ())

    @cached_property
    def shared(self) -> frozenset[str]:
        """The names of the values that belong to the whole batch: parameters and what is computed from them alone."""
        names = {p.name for p in self.parameters}
        # An adjoint that vanishes reads nothing, and belongs to a row as its value does.
        derived = {d.name for d in self.derived} if self.origin else set()
        for definition in self.definitions:
            alone = not definition.uses and definition.name in derived
            if definition.shared or (definition.uses <= names and not alone):
                names.add(definition.name)
        return frozenset(names)

    @cached_property
    def constraints(self) -> tuple[Eq, ...]:
        """The dimension constraints as SymPy ``Eq`` between the sizes ``rows_W_f``, ``cols_W_f`` of every named value.

        Inputs and states fix the sizes; each operator adds what it requires, so solving the constraints gives the shape
        of every parameter.
        """
        shapes = {name: (size(f"rows_{name}"), size(f"cols_{name}")) for name in self.symbols}
        found: list[Eq] = []

        def collect(first: Side, second: Side) -> None:
            if first.size != second.size:
                found.append(Eq(first.size, second.size, evaluate=False))

        for symbol in self.leaves:
            if symbol not in self.parameters:
                own = shapes[symbol.name]
                found.extend(Eq(own[axis], symbol.shape[axis], evaluate=False) for axis in (0, 1))
        for d in self.definitions:
            own, value = shapes[d.name], walk(d.expression, shapes, collect)
            for axis in (0, 1):
                collect(Side(d.symbol, own, axis), Side(d.expression, value, axis))
        for before, after in self.recurrence:
            for axis in (0, 1):
                collect(Side(before, shapes[before.name], axis), Side(after, shapes[after.name], axis))
        return tuple(dict.fromkeys(found))

    def __getitem__(self, name: str) -> Equation:
        """Return the equation that defines ``name``; raises KeyError with the names there are."""
        for definition in self.definitions:
            if definition.name == name:
                return definition
        known = ", ".join(d.name for d in self.definitions)
        raise KeyError(f"{self.name} defines no {name}; it defines {known}")

    def __iter__(self) -> Iterator[Equation]:
        return iter(self.definitions)

    def dimensions(self, **sizes: int) -> dict[str, tuple[Any, ...]]:
        """Return the shape of every parameter, as an array has it: vectors have one axis.

        sizes: n=, m=, …; a size that is not given stays symbolic. Raises ProgramError for a size that is no positive
        integer or that the Program does not have, DimensionError for one that is tied to another and differs.

        >>> from lstm_spec.spec.cells import lstm
        >>> lstm().dimensions(n=32, m=70)["W_f"], lstm().dimensions(n=32, m=70)["b_f"]
        ((70, 102), (70,))
        """
        values = self.check_sizes(sizes)
        # A vector is one by its symbolic shape: W_f (m, n) stays a matrix where n is 1.
        return {p.name: evaluate_shape(p.shape, values)[: len(array_shape(p.shape))] for p in self.parameters}

    def parameter_count(self, **sizes: int) -> Any:
        """Return the number of learned parameters, symbolic where a size is not given.

        >>> from lstm_spec.spec.cells import lstm
        >>> lstm().parameter_count(n=32, m=70)
        28840
        """
        values = self.check_sizes(sizes)
        return total_entries((p.shape for p in self.counted), values)

    def check_sizes(self, sizes: Mapping[str, Any]) -> dict[Symbol, int]:
        """Return the sizes by symbol; raises ProgramError for one that is unknown or no positive integer.

        A size that is tied to another may be given for it, or beside it; raises DimensionError where they differ.
        """
        return checked_sizes(self.name, self.sizes, sizes, self.tied)

    def with_equation(self, name: str, expression: MatrixExpr) -> "Program":
        """Return the Program with one equation rewritten, as mutants and hypotheses are made.

        It comes later where it reads what was defined after it.
        """
        changed = replace(self[name], expression=expression)
        return replace(self, definitions=_in_order([changed if d.name == name else d for d in self.definitions]))


def _in_order(definitions: Sequence[Equation]) -> tuple[Equation, ...]:
    """Return equations each after those that it reads, else in their order; in a circle they stay as they are."""
    left = {d.name for d in definitions}
    found: list[Equation] = []
    while len(found) < len(definitions):
        ready = next((d for d in definitions if d.name in left and not d.uses & left), None)
        if ready is None:
            return tuple(definitions)
        found.append(ready)
        left.discard(ready.name)
    return tuple(found)


def cell_of(value: Any, who: str) -> Program:
    """Return a Program as it is; raises ProgramError, with who wanted it, for anything else, such as a cell's name."""
    if isinstance(value, Program):
        return value
    got = f"a network, {value.name}: take a cell of it" if hasattr(value, "every_pass") else shortened(value)
    raise ProgramError(f"{who} takes a Program such as ls.cell('lstm') returns, got {got}")


def names_of(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return names as they are given, or the one name that a text is."""
    return (names,) if isinstance(names, str) else tuple(names)


def check_cell(program: Program) -> Program:
    """Return the Program if it is a cell: every parameter used, every state computed.

    A mutant or a hypothesis may leave a parameter unused; a cell that does has a fault. Raises ProgramError.
    """
    used = set().union(*(d.uses for d in program.definitions))
    for p in program.parameters:
        if p.name not in used:
            raise ProgramError(
                f"{program.name}: parameter {symbol_text(p.name)} ({shape_text(p.shape)}) is used by no equation"
            )
    if not program.recurrence:
        raise ProgramError(f"{program.name}: a cell needs at least one state, a pair such as (h_prev, h)")
    return program


def constant(name: str, value: float) -> tuple[Symbol, Expr]:
    """Return a named scalar with its value, for ``Program.constants``."""
    return Symbol(name, real=True), Number(value)
