"""A Program: named equations in single-assignment form over matrix expressions.

Cells, their backward passes, mutants and the hypotheses of a diagnosis are all Programs, so everything that reads
equations (shapes, formulas, pictures, NumPy, error bounds) is written once. A Program describes one row of a batch and
one step in time. Every value is either *per row* or *shared* (a parameter, or the adjoint of one): an equation marked
``shared`` whose expression is per row is summed over rows and steps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from reprlib import repr as shortened
from typing import Any

from sympy import Eq, Expr, MatrixExpr, MatrixSymbol, Number, Symbol, sympify

from lstm_spec.spec.dimensions import Shape, Side, check_equation, walk
from lstm_spec.spec.notation import SIZES, shape_text, symbol_text, text
from lstm_spec.spec.operators import size
from lstm_spec.spec.ties import Tie


class ProgramError(ValueError):
    """Equations that do not make a Program; the message names the equation and what is wrong with it."""


@dataclass(frozen=True)
class Equation:
    """One named value and the expression that defines it.

    symbol: the name, with its shape; expression: over names defined before it; shared: whether the value belongs to the
    whole batch and sequence, so that a per-row expression is summed over rows and steps.
    """

    symbol: MatrixSymbol
    expression: MatrixExpr
    shared: bool = False

    @property
    def name(self) -> str:
        """The name it defines."""
        return self.symbol.name

    @property
    def uses(self) -> frozenset[str]:
        """The names its expression reads."""
        return names_in(self.expression)

    @property
    def eq(self) -> Eq:
        """The equation as SymPy's ``Eq``, unevaluated."""
        return Eq(self.symbol, self.expression, evaluate=False)

    def __str__(self) -> str:
        return f"{text(self.symbol)} = {text(self.expression)}"


@lru_cache(maxsize=8192)
def matrices_in(expression: Any) -> frozenset[MatrixSymbol]:
    """Return the matrices that an expression reads."""
    return frozenset(expression.atoms(MatrixSymbol))


@lru_cache(maxsize=8192)
def names_in(expression: Any) -> frozenset[str]:
    """Return the names of the matrices that an expression reads."""
    return frozenset(s.name for s in matrices_in(expression))


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
        _check_names(self)
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


def sizes_in(shapes: Iterable[Shape]) -> tuple[Symbol, ...]:
    """Return the symbols of the sizes in shapes: n, m, q, then others by name."""
    found = {s for shape in shapes for side in shape for s in sympify(side).free_symbols}
    order = {name: position for position, name in enumerate(SIZES)}
    return tuple(sorted(found, key=lambda s: (order.get(s.name, len(order)), s.name)))


def checked_sizes(
    owner: str, known: Iterable[Symbol], sizes: Mapping[str, Any], ties: Iterable[Tie] = ()
) -> dict[Symbol, int]:
    """Return sizes by symbol; raises ProgramError for one that the owner has not, or that is no positive integer.

    ties: the sizes of the owner that are another one; raises DimensionError where both are given and differ.
    """
    by_name = {s.name: s for s in known}
    tied = {t.size.name: t for t in ties if t.other in by_name.values()}
    for name, value in sizes.items():
        if name not in by_name and name not in tied:
            raise ProgramError(f"{owner} has no size {name}; its sizes are {', '.join(by_name)}")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ProgramError(f"size {name} must be a positive integer, got {value!r}")
    found: dict[Symbol, int] = {}
    for name, value in sizes.items():
        if name in tied:
            tied[name].check(owner, value, sizes.get(tied[name].other.name, value))
        found[tied[name].other if name in tied else by_name[name]] = value
    return found


def total_entries(shapes: Iterable[Shape], values: Mapping[Symbol, int]) -> Any:
    """Return how many numbers arrays of these shapes hold, symbolic where a size has no value."""
    total = sum((rows * columns for rows, columns in shapes), start=Number(0)).subs(values)
    return int(total) if total.is_number else total.factor()


def evaluate_shape(shape: Shape, values: Mapping[Symbol, int]) -> tuple[Any, Any]:
    """Return a shape with sizes put in, as Python integers where it is numeric."""
    rows, columns = (_evaluate_size(side, values) for side in shape)
    return rows, columns


def _evaluate_size(side: Any, values: Mapping[Symbol, int]) -> Any:
    number, terms = _linear(side)
    if all(symbol in values for symbol, _ in terms):
        return number + sum(coefficient * values[symbol] for symbol, coefficient in terms)
    return side.subs(values)


@lru_cache(maxsize=1024)
def _linear(side: Any) -> tuple[int, tuple[tuple[Symbol, int], ...]]:
    """Take a size such as n+4m+1 apart once: SymPy's substitution would cost more than a whole small case."""
    terms = [(t, c) for t, c in side.expand().as_coefficients_dict().items() if not t.is_number]
    return int(side.subs(dict.fromkeys(side.free_symbols, 0))), tuple((t, int(c)) for t, c in terms)


def array_shape(shape: tuple[Any, Any]) -> tuple[Any, ...]:
    """Return the shape that an array of parameters has: a column vector has one axis."""
    return shape[:1] if shape[1] == 1 else shape


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


def _check_names(program: Program) -> None:
    defined_later = {d.name: d for d in program.definitions}
    shapes = {s.name: s.shape for s in (*(d.symbol for d in program.definitions), *program.leaves)}
    seen: dict[str, str] = {}
    for symbol in program.leaves:
        _claim(seen, symbol.name, "given", program)
    for d in program.definitions:
        for name in sorted(d.uses - seen.keys()):
            raise ProgramError(f"{program.name}: {_missing(name, d, defined_later)}")
        _check_one_shape(program, shapes, d.expression, d)
        _claim(seen, d.name, "defined", program)
    for name in (*program.outputs, *program.states):
        if name not in seen:
            raise ProgramError(f"{program.name}: output {symbol_text(name)} is defined by no equation")
    for _, after in program.recurrence:
        _check_one_shape(program, shapes, after, "the recurrence")


def _claim(seen: dict[str, str], name: str, how: str, program: Program) -> None:
    if name in seen:
        raise ProgramError(f"{program.name}: {symbol_text(name)} is {how} although it is already {seen[name]}")
    seen[name] = how


def _missing(name: str, d: Equation, later: Mapping[str, Equation]) -> str:
    if name not in later:
        return f"{symbol_text(name)} is used in {d} but is neither given nor defined"
    cycle = _path(name, d.name, later)
    if cycle:
        return f"the equations go in a circle: {' → '.join(symbol_text(n) for n in (d.name, *cycle))}"
    return f"{symbol_text(name)} is used in {d} before it is defined; put {later[name]} first"


def _path(start: str, goal: str, later: Mapping[str, Equation]) -> tuple[str, ...]:
    """Return the names from ``start`` to ``goal`` along what each equation uses, or () if there is no such way."""
    ways: list[tuple[str, ...]] = [(start,)]
    visited = {start}
    while ways:
        way = ways.pop()
        if way[-1] == goal:
            return way
        following: Iterable[str] = later[way[-1]].uses if way[-1] in later else ()
        for name in sorted(set(following) - visited):
            visited.add(name)
            ways.append((*way, name))
    return ()


def _check_one_shape(program: Program, shapes: Mapping[str, Shape], expression: Any, where: object) -> None:
    """Refuse two symbols of one name with different shapes, which SymPy takes for two unrelated matrices."""
    for s in matrices_in(expression):
        if s.shape != shapes[s.name]:
            listed = f"{shape_text(s.shape)} in {where} and {shape_text(shapes[s.name])} elsewhere"
            raise ProgramError(f"{program.name}: {symbol_text(s.name)} has two shapes, {listed}")


def constant(name: str, value: float) -> tuple[Symbol, Expr]:
    """Return a named scalar with its value, for ``Program.constants``."""
    return Symbol(name, real=True), Number(value)
