"""A network written out: T steps of every layer in single assignment, or its recurrence for any T as text."""

from collections.abc import Iterator, Mapping
from typing import Any

from sympy import MatrixExpr, MatrixSymbol, Symbol

from lstm_spec.spec.equation import Equation, ProgramError
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.lengths import ALIVE, held
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.notation import text
from lstm_spec.spec.operators import hadamard, matmul, ones, vector
from lstm_spec.spec.passes import Pass
from lstm_spec.spec.program import Program


def unroll(spec: Network | Program, T: int) -> Program:
    """Return T steps of a network, or of a cell, as one Program with shared parameters.

    Inputs are x_1 … x_T, and k_1 … k_T where rows have lengths (1 while a row lasts); outputs y_1 … y_T, or y of the
    last step, and the final states. A value of step t is named with it, l0.f_3. The initial states are l0.h_0 of a
    forward and l0r.h_{T+1} of a reverse direction, always given: a learned one is the same row for the whole batch.
    Raises ProgramError unless T is a positive number of steps.

    >>> from lstm_spec.spec.recurrent import rnn
    >>> print(*unroll(rnn(), 2), sep="; ")
    a_{h,1} = W_h x_1 + R_h h_0 + b_h; h_1 = tanh(a_{h,1}); a_{h,2} = W_h x_2 + R_h h_1 + b_h; h_2 = tanh(a_{h,2});
    y_1 = h_1; y_2 = h_2
    """
    if isinstance(T, bool) or not isinstance(T, int) or T < 1:
        raise ProgramError(f"T is a positive number of steps, got {T!r}")
    return _Unrolled(network_of(spec, "unroll"), T).program()


class _Unrolled:
    """The equations of a network over T steps, in the order in which they can be computed."""

    def __init__(self, network: Network, T: int) -> None:
        self.network, self.T = network, T
        self.steps = range(1, T + 1)
        self.lengths = network.past_length is not None
        self.states: list[tuple[MatrixSymbol, MatrixSymbol]] = []
        self.constants: dict[Symbol, Any] = {}
        self.definitions: list[Equation] = []

    def program(self) -> Program:
        network = self.network
        below: Mapping[int, MatrixSymbol] = {t: network.input_of(0, f"_{t}") for t in self.steps}
        inputs = [*below.values(), *(vector(f"{ALIVE}_{t}", 1) for t in self.steps if self.lengths)]
        for index, (layer, passes) in enumerate(zip(network.layers, network.passes, strict=True)):
            returned = [self.run(run, below) for run in passes]
            if index < len(network.layers) - 1:
                names = {t: network.input_of(index + 1, f"_{t}") for t in self.steps}
                below = self.outputs(layer, returned, below, names)
        if network.outputs == "last":
            last = [returned[k][1 if run.reverse else self.T] for k, run in enumerate(network.passes[-1])]
            outputs: Mapping[int, MatrixSymbol] = {0: network.output}
            self.definitions.append(Equation(network.output, layer.output(last, None)))
        else:
            outputs = {t: vector(f"y_{t}", network.widths[-1]) for t in self.steps}
            self.last_layer(layer, returned, below, outputs)
        return Program(
            name=f"{network.name}, {self.T} step{'s' * (self.T > 1)}",
            inputs=tuple(inputs),
            recurrence=tuple(self.states),
            parameters=tuple(run.symbol(p) for run in network.every_pass for p in run.cell.parameters),
            definitions=tuple(self.definitions),
            outputs=(*(y.name for y in outputs.values()), *(after.name for _, after in self.states)),
            constants=tuple(self.constants.items()),
            fixed=frozenset(run.key + name for run in network.every_pass for name in run.cell.fixed),
            ties=network.passes[0][0].ties,
        )

    def run(self, run: Pass, below: Mapping[int, MatrixSymbol]) -> dict[int, MatrixSymbol]:
        """Add the steps of one direction of a layer; returns its output by step."""
        cell = held(run.cell) if self.lengths else run.cell
        order, start = (self.steps[::-1], self.T + 1) if run.reverse else (self.steps, 0)
        fixed = self.fixed(run, cell)
        before = {b: run.symbol(after, f"_{start}") for b, after in cell.recurrence}
        initial = dict(before)
        for t in order:
            here = {d.symbol: run.symbol(d.symbol, f"_{t}") for d in cell if d.name not in cell.shared}
            read = dict(zip(cell.inputs, (below[t], vector(f"{ALIVE}_{t}", 1)), strict=False))
            names = {**fixed, **before, **here, **read}
            for d in cell:
                if d.name not in cell.shared or t == order[0]:
                    self.definitions.append(Equation(names[d.symbol], d.expression.xreplace(names), d.shared))
            before = {b: names[after] for b, after in cell.recurrence}
        self.states += [(initial[b], before[b]) for b, _ in cell.recurrence]
        returned = cell.recurrence[0][1]
        return {t: run.symbol(returned, f"_{t}") for t in self.steps}

    def fixed(self, run: Pass, cell: Program) -> dict[Any, Any]:
        """Return what is the same at every step by the cell's symbols: sizes, constants, parameters."""
        constants = {s: Symbol(f"{s.name}_{run.key[:-1]}", real=True) if run.key else s for s, _ in cell.constants}
        self.constants |= {constants[s]: value for s, value in cell.constants}
        shared = [*cell.parameters, *(d.symbol for d in cell if d.name in cell.shared)]
        return {**run.sizes, **constants, **{s: run.symbol(s) for s in shared}}

    def outputs(
        self,
        layer: Layer,
        returned: list[dict[int, Any]],
        below: Mapping[int, MatrixSymbol],
        names: Mapping[int, MatrixSymbol],
    ) -> Mapping[int, MatrixSymbol]:
        """Add what a layer gives at every step, under these names."""
        for t, name in names.items():
            # In processing order, the first step's output is that of the last one.
            at = self.T + 1 - t if layer.direction == "go_backwards" else t
            self.definitions.append(Equation(name, layer.output([own[at] for own in returned], below[t])))
        return names

    def alive(self, t: int, width: Any) -> MatrixExpr:
        """Return k of a step for every unit."""
        return matmul(ones(width), vector(f"{ALIVE}_{t}", 1))

    def last_layer(
        self,
        layer: Layer,
        returned: list[dict[int, MatrixSymbol]],
        below: Mapping[int, MatrixSymbol],
        names: Mapping[int, MatrixSymbol],
    ) -> None:
        """Add y, which past a row's length is what the network says."""
        past, width = self.network.past_length, self.network.widths[-1]
        if past == "repeat":
            returned = [
                {t: hadamard(self.alive(t, run.width), h) for t, h in own.items()} if run.reverse else own
                for run, own in zip(self.network.passes[-1], returned, strict=True)
            ]
        first = len(self.definitions)
        self.outputs(layer, returned, below, names)
        if past == "zero":
            for k, (t, d) in enumerate(zip(names, self.definitions[first:], strict=True), start=first):
                # In processing order the steps past the end are those that the input has first.
                at = self.T + 1 - t if layer.direction == "go_backwards" else t
                self.definitions[k] = Equation(d.symbol, hadamard(self.alive(at, width), d.expression))


def recurrence(spec: Network | Program) -> str:
    """Return what a network computes for any number of steps T, as text: a loop for every direction of every layer.

    >>> from lstm_spec.spec.layers import layers
    >>> print(recurrence(layers("rnn", bidirectional=True)))
    t = 1, …, T:
      a_h^l0 = W_h^l0 x + R_h^l0 h^{l0,′} + b_h^l0
      h^l0 = tanh(a_h^l0)
    t = T, …, 1, ' marks step t+1:
      a_h^l0r = W_h^l0r x + R_h^l0r h^{l0r,′} + b_h^l0r
      h^l0r = tanh(a_h^l0r)
    t = 1, …, T:
      y = [h^l0; h^l0r]
    """
    return "\n".join(_lines(network_of(spec, "recurrence")))


def _lines(network: Network) -> Iterator[str]:
    for index, (layer, passes) in enumerate(zip(network.layers, network.passes, strict=True)):
        x, top = network.input_of(index), index == len(network.layers) - 1
        for run in passes:
            yield "t = T, …, 1, ' marks step t+1:" if run.reverse else "t = 1, …, T:"
            cell = held(run.cell) if network.past_length else run.cell
            names = {s: run.symbol(s) for s in cell.symbols.values() if s.name != ALIVE}
            own = {**run.sizes, **names, run.cell.inputs[0]: x}
            yield from (f"  {text(own[d.symbol])} = {text(d.expression.xreplace(own))}" for d in cell)
        parts = [run.symbol(run.cell.recurrence[0][1]) for run in passes]
        y = network.output if top else network.input_of(index + 1)
        if top and network.outputs == "last":
            yield "at each direction's last step:"
        else:
            yield "the outputs in the order computed:" if layer.direction == "go_backwards" else "t = 1, …, T:"
        yield f"  {text(y)} = {text(layer.output(parts, x))}"
    if network.past_length:
        yield f"k is 1 while a row lasts and 0 past its length, where y is {_PAST[network.past_length]}"


_PAST = {
    "zero": "0",
    "repeat": "the last output, in reverse direction 0",
    "freeze": "the state that is held",
    "any": "anything",
}
