"""Networks: cells run over a sequence in one direction or both, layer upon layer.

A network is data. What it computes is written out by ``unroll``, what it does with numbers is in ``compute``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from reprlib import repr as shortened
from types import MappingProxyType
from typing import Any, Literal

from sympy import Expr, MatrixExpr, MatrixSymbol, Rational, Symbol, sympify

from lstm_spec.spec.dimensions import Shape, check_equation
from lstm_spec.spec.notation import size_text
from lstm_spec.spec.operators import add, concat, hadamard, scale, size, vector
from lstm_spec.spec.options import OptionError, one_of
from lstm_spec.spec.program import (
    Program,
    ProgramError,
    array_shape,
    cell_of,
    checked_sizes,
    evaluate_shape,
    sizes_in,
    total_entries,
)
from lstm_spec.spec.ties import Tie

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
PAST_LENGTH = (None, "zero", "repeat", "freeze", "any")


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


@dataclass(frozen=True, kw_only=True)
class Network:
    """Layers on top of each other; a single cell is the network of one layer.

    name: what it is called. layers: from the input upwards. n: the size of x. outputs: "all" for y at every step, or
    "last" for the top layer's final h alone, of both directions each at its own end. past_length: None where all rows
    have T steps; else what y holds past a row's length: "zero"; "repeat", the last output, which a reverse direction
    does not have yet, so zero there; "freeze", the state that is held; "any". States are always those at the row's own
    length. initial: whether initial states are "given", "learned" (a parameter l0.h0 of one row for all) or "zero".

    Parameters and states are named l0.W_f, l0r.W_f (reverse), l1.h; with one layer in one direction as the cell's.

    Raises DimensionError for sizes that do not fit, OptionError for values that do not exist or do not go together.
    """

    name: str
    layers: tuple[Layer, ...]
    n: Any = field(default_factory=lambda: size("n"))
    outputs: Literal["all", "last"] = "all"
    past_length: Literal["zero", "repeat", "freeze", "any"] | None = None
    initial: Literal["given", "learned", "zero"] = "given"

    def __post_init__(self) -> None:
        one_of("outputs", self.outputs, ("all", "last"))
        one_of("past_length", self.past_length, PAST_LENGTH)
        one_of("initial", self.initial, ("given", "learned", "zero"))
        if not isinstance(self.name, str) or not self.name:
            raise OptionError(f"the name of a network is text that is not empty, got {self.name!r}")
        if isinstance(self.layers, Layer | Program | str) or not isinstance(self.layers, Iterable):
            example = "(ls.Layer(cell=ls.lstm()),)"
            raise OptionError(f"layers of {self.name} are a tuple such as {example}, got {_said(self.layers)}")
        object.__setattr__(self, "layers", tuple(self.layers))
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise OptionError(f"a layer of {self.name} is an ls.Layer(cell=…), got {_said(layer)}")
        if not self.layers:
            raise OptionError(f"{self.name} needs at least one layer")
        if self.outputs == "last" and self.layers[-1].residual:
            raise OptionError(
                'outputs="last" takes final states, to which no input is added: leave out residual on top'
            )
        if self.past_length is not None and any(layer.direction == "go_backwards" for layer in self.layers[:-1]):
            raise OptionError(
                "below another layer, going backwards puts what is past a length first: use reverse there"
            )
        object.__setattr__(self, "n", sympify(self.n))
        self._check()

    def _check(self) -> None:
        for index, (layer, passes) in enumerate(zip(self.layers, self.passes, strict=True)):
            x = self.input_of(index)
            for run in passes:
                run.check_ties(self.widths[index])
                check_equation(run.symbol(run.cell.inputs[0]), x)
            # Sizes go beside the symbols: SymPy itself refuses a sum of 5 and 4 rows, in words of its own.
            parts = [run.symbol(run.cell.recurrence[0][1]) for run in passes]
            y = vector(f"l{index}.y", self.widths[index + 1])
            alike = {s.name: vector(s.name, size("rows")) for s in (*parts, x)}
            expression = layer.output([alike[s.name] for s in parts], alike[x.name])
            check_equation(y, expression, {s.name: s.shape for s in (*parts, x)})

    @cached_property
    def passes(self) -> tuple[tuple[Pass, ...], ...]:
        """The passes of every layer, the forward direction first."""
        plain = len(self.layers) == 1 and self.layers[0].direction != "both"
        found: list[tuple[Pass, ...]] = []
        width = self.n
        for index, layer in enumerate(self.layers):
            own = _directions(layer, width, "" if plain else f"l{index}")
            found.append(own)
            width = _width(layer, own)
        return tuple(found)

    @property
    def every_pass(self) -> tuple[Pass, ...]:
        """All passes, layer before direction."""
        return tuple(run for passes in self.passes for run in passes)

    @property
    def plain(self) -> bool:
        """Whether it is one layer in one direction, whose names and states are those of the cell."""
        return len(self.every_pass) == 1

    @property
    def exposed(self) -> bool:
        """Whether y shows all that the passes return at every step, so that no error has to be carried over steps."""
        top = self.layers[-1]
        kept = top.direction != "both" or top.merge == "concatenate"
        return len(self.layers) == 1 and kept and not top.residual and self.outputs == "all"

    @property
    def free_padding(self) -> bool:
        """Whether y has steps past a row's length, which may hold anything."""
        return self.past_length == "any" and self.outputs == "all"

    @cached_property
    def widths(self) -> tuple[Expr, ...]:
        """The size of x, and of what every layer gives."""
        return (self.n, *(_width(layer, own) for layer, own in zip(self.layers, self.passes, strict=True)))

    def input_of(self, layer: int, mark: str = "") -> MatrixSymbol:
        """Return what a layer reads: x, or the output of the layer below."""
        return vector(f"x{mark}" if layer == 0 else f"l{layer - 1}.y{mark}", self.widths[layer])

    @property
    def inputs(self) -> tuple[MatrixSymbol, ...]:
        """x."""
        return (self.input_of(0),)

    @property
    def output(self) -> MatrixSymbol:
        """y at one step."""
        return vector("y", self.widths[-1])

    @cached_property
    def recurrence(self) -> tuple[tuple[MatrixSymbol, MatrixSymbol], ...]:
        """Pairs (previous, next) of every state of every pass."""
        return tuple((run.symbol(b), run.symbol(a)) for run in self.every_pass for b, a in run.cell.recurrence)

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states, pass by pass."""
        return tuple(after.name for _, after in self.recurrence)

    @cached_property
    def stacks(self) -> Mapping[str, tuple[str, ...]]:
        """The arrays in which states are passed and returned, by name, with the states that each one holds.

        They are what the cells call them, h (l0.h, l0r.h, l1.h, …); where layers differ in size, every state by itself.
        """
        shapes = {after.name: after.shape for _, after in self.recurrence}
        kinds = dict.fromkeys(name for run in self.every_pass for name in run.cell.states)
        found = {k: tuple(run.key + k for run in self.every_pass if k in run.cell.states) for k in kinds}
        even = all(len({shapes[name] for name in names}) == 1 for names in found.values())
        return found if even else {name: (name,) for name in self.states}

    @cached_property
    def learned(self) -> tuple[MatrixSymbol, ...]:
        """The parameters that are initial states, in the order of the states."""
        pairs = self.recurrence if self.initial == "learned" else ()
        return tuple(MatrixSymbol(f"{after.name}0", *after.shape) for _, after in pairs)

    @cached_property
    def parameters(self) -> tuple[MatrixSymbol, ...]:
        """The parameters, pass by pass, then learned initial states."""
        return (*(run.symbol(p) for run in self.every_pass for p in run.cell.parameters), *self.learned)

    @cached_property
    def sizes(self) -> tuple[Symbol, ...]:
        """The symbols of the sizes: n, m, q, then others by name."""
        pairs = (s for pair in self.recurrence for s in pair)
        return sizes_in(s.shape for s in (*self.inputs, *pairs, *self.parameters))

    def check_sizes(self, sizes: Mapping[str, Any]) -> dict[Symbol, int]:
        """Return the sizes by symbol; raises ProgramError for one that is unknown or no positive integer."""
        return checked_sizes(self.name, self.sizes, sizes, self.passes[0][0].ties)

    def dimensions(self, **sizes: int) -> dict[str, tuple[Any, ...]]:
        """Return the shape of every parameter, as an array has it; what is not given stays symbolic.

        >>> from lstm_spec.spec.layers import layers
        >>> shapes = layers(bidirectional=True).dimensions(n=32, m=70)
        >>> shapes["l0.W_f"], shapes["l0r.b_o"]
        ((70, 102), (70,))
        """
        values = self.check_sizes(sizes)
        found = {name: shape for run in self.every_pass for name, shape in run.dimensions(values).items()}
        return found | {p.name: evaluate_shape(p.shape, values)[:1] for p in self.learned}

    def parameter_count(self, **sizes: int) -> Any:
        """Return the number of learned parameters, symbolic where a size is not given.

        >>> from lstm_spec.spec.layers import layers
        >>> layers(bidirectional=True).parameter_count(n=32, m=70)
        57680
        """
        counted = [run.shape(p) for run in self.every_pass for p in run.cell.counted]
        return total_entries([*counted, *(p.shape for p in self.learned)], self.check_sizes(sizes))


def _said(value: Any) -> str:
    """Return what somebody gave in place of layers, in a few words."""
    return f"the cell {value.name}" if isinstance(value, Program) else shortened(value)


def network_of(spec: Program | Network, who: str = "a network") -> Network:
    """Return a network as it is, a cell as the network of one layer; raises ProgramError, with who wanted it."""
    return spec if isinstance(spec, Network) else _of_cell(cell_of(spec, who))


@lru_cache(maxsize=256)
def _of_cell(cell: Program) -> Network:
    return Network(name=cell.name, layers=(Layer(cell=cell),), n=cell.inputs[0].shape[0])


def _directions(layer: Layer, width: Expr, key: str) -> tuple[Pass, ...]:
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


def _width(layer: Layer, passes: Sequence[Pass]) -> Expr:
    widths = [run.width for run in passes]
    return sum(widths[1:], start=widths[0]) if layer.merge == "concatenate" else widths[0]


def size_of(given: Any) -> Expr:
    """Return a size from a number, a name or a symbol; raises ProgramError."""
    if isinstance(given, str) and given.isidentifier():
        return size(given)
    if isinstance(given, Expr) or (isinstance(given, int) and not isinstance(given, bool) and given > 0):
        return sympify(given)
    raise ProgramError(f"a size is a positive integer or a name such as m0, got {given!r}")
