"""Networks: cells run over a sequence in one direction or both, layer upon layer.

A network is data. What it computes is written out by ``unroll``, what it does with numbers is in ``compute``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from reprlib import repr as shortened
from typing import Any, Literal

from sympy import Expr, MatrixSymbol, Symbol, sympify

from lstm_spec.spec.dimensions import check_equation
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.operators import size, vector
from lstm_spec.spec.options import OptionError, one_of
from lstm_spec.spec.passes import Pass, directions, width_of
from lstm_spec.spec.program import Program, cell_of
from lstm_spec.spec.sizes import checked_sizes, evaluate_shape, sizes_in, total_entries

PAST_LENGTH = (None, "zero", "repeat", "freeze", "any")


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
            own = directions(layer, width, "" if plain else f"l{index}")
            found.append(own)
            width = width_of(layer, own)
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
        return (self.n, *(width_of(layer, own) for layer, own in zip(self.layers, self.passes, strict=True)))

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
