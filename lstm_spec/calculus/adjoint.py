"""Derivatives of a Program as Programs: the backward pass (adjoints) and the forward mode (tangents).

The adjoint of v, ∂loss/∂v, is named ``dv``. It is the sum of one contribution per use of v; an adjoint is written down
as soon as it is complete, operands from left to right, which gives the order in which textbooks print a backward pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sympy import MatrixSymbol, preorder_traversal

from lstm_spec.calculus.algebra import stacked
from lstm_spec.calculus.rules import Values, pull, push
from lstm_spec.spec.equation import Equation, names_in
from lstm_spec.spec.notation import parse_name
from lstm_spec.spec.operators import add, zeros
from lstm_spec.spec.program import Program, cell_of

Pair = tuple[MatrixSymbol, MatrixSymbol]


def backward(program: Program) -> Program:
    """Return the backward pass of one step: the equations of the Program, then the adjoint of every value.

    The loss reaches a step by two ways. ``dy`` is the external adjoint of what a layer returns at every step, the first
    state; ``dh_next`` is what arrives at the state h from the step after, and ``dh_prev`` is what leaves to the step
    before, so the recurrence of the backward pass is (dh_next, dh_prev), against time. At the last step, ``dh_next`` is
    the adjoint of the final state. An output that is no state brings its adjoint ``dv`` with it, or ``dv_next`` where
    the step itself uses the value too.

    Every input, previous state and parameter gets an adjoint, zero where nothing depends on it; of the computed values
    those get one that depend on a leaf and reach an output. Adjoints of parameters are shared: summed over rows and
    steps. Contributions come through states first, then in the order of the equations; what arrives comes last.
    The backward pass of a backward pass names its adjoints ``d2v`` (Hessian-vector products).

    Source: reverse accumulation (Speelpenning 1980); the LSTM's pass is that of Greff et al. 2017, appendix A.

    >>> from lstm_spec.spec.cells import lstm
    >>> for equation in backward(lstm(peepholes="fio")).derived[:9]:
    ...     print(equation)
    δh = δy + δh⁺
    δo = δh∘tanh(c)
    δa_o = δo∘o∘(1 − o)
    δc = δh∘o∘(1 − tanh(c)∘tanh(c)) + p_o∘δa_o + δc⁺
    δf = δc∘c'
    δa_f = δf∘f∘(1 − f)
    δi = δc∘c̃
    δa_i = δi∘i∘(1 − i)
    δc̃ = δc∘i
    """
    return _backward(cell_of(program, "backward"))


@lru_cache(maxsize=256)
def _backward(program: Program) -> Program:
    incoming = arrivals(program)
    sweep = _Sweep(program, incoming)
    leaves = [s for s in program.leaves if s not in program.parameters]
    equations = (*sweep.computed(), *(e for s in (*leaves, *program.parameters) for e in sweep.adjoint_of(s)))
    arriving = [a.symbol for a in incoming if a.before is None]
    shared = [a.symbol for a in incoming if a.before is None and a.value in program.shared]
    return Program(
        name=f"{program.name} backward",
        inputs=(*program.inputs, *(s for s in arriving if s not in shared)),
        recurrence=(
            *program.recurrence,
            *((a.symbol, adjoint_symbol(program, a.before)) for a in incoming if a.before is not None),
        ),
        parameters=(*program.parameters, *shared),
        definitions=(*program.definitions, *equations),
        outputs=tuple(adjoint_symbol(program, s).name for s in (*leaves, *program.parameters)),
        constants=program.constants,
        origin=program,
        derivation="backward",
    )


def adjoint_symbol(program: Program, value: MatrixSymbol) -> MatrixSymbol:
    """Return the symbol of ∂loss/∂value in the backward pass of a Program: dh, and d2h where dh exists already."""
    return MatrixSymbol(_prefix(program) + value.name, *value.shape)


def _prefix(program: Program) -> str:
    order = 1
    link: Program | None = program
    while link is not None:
        order += link.derivation == "backward"
        link = link.origin
    return "d" if order == 1 else f"d{order}"


@dataclass(frozen=True)
class Arrival:
    """An adjoint that comes from outside the step: of which value, under which name, for which previous state.

    before: None for an external adjoint; else the state whose adjoint leaves where this one arrived.
    """

    value: str
    symbol: MatrixSymbol
    before: MatrixSymbol | None = None


def arrivals(program: Program) -> list[Arrival]:
    """Return what arrives at one step from outside; the loss of the step is Σ <arriving adjoint, value>."""
    prefix = _prefix(program)
    symbols = program.symbols
    used = set().union(*(d.uses for d in program.definitions))
    states = program.states
    emitted = [name for name in program.outputs if name not in states]
    found = []
    if states and all(name in program.shared for name in emitted) and states[0] in program.outputs:
        external = f"{prefix}y" if "y" not in symbols else f"{prefix}y_out"
        found.append(Arrival(states[0], MatrixSymbol(external, *symbols[states[0]].shape)))
    for name in emitted:
        suffix = "_next" if name in used else ""
        found.append(Arrival(name, MatrixSymbol(f"{prefix}{name}{suffix}", *symbols[name].shape)))
    for before, after in program.recurrence:
        # The adjoint of dh_prev says its step already: what arrives there is d2dh_prev, and d2dh_next leaves.
        timed = parse_name(after.name).time != 0 and after.name not in used
        arriving = f"{prefix}{after.name}" if timed else f"{prefix}{after.name}_next"
        found.append(Arrival(after.name, MatrixSymbol(arriving, *after.shape), before))
    return found


class _Sweep:
    """The reverse sweep over the equations of a Program: contributions collected value by value."""

    def __init__(self, program: Program, incoming: list[Arrival]) -> None:
        self.program = program
        self.values = Values.of(program)
        self.shared = set(program.shared)
        self.moving = _moving(program)
        self.reached = ancestors(program, {a.value for a in incoming})
        self.position = {d.name: k for k, d in enumerate(program.definitions)}
        self.contributions: dict[str, list[tuple[tuple[int, int], Any]]] = {}
        for k, arrival in enumerate(incoming):
            rank = 0 if arrival.before is None and arrival.value in program.states else 3
            self.contributions.setdefault(arrival.value, []).append(((rank, k), arrival.symbol))
            if arrival.value in program.shared:
                self.shared.add(arrival.symbol.name)

    def computed(self) -> Iterator[Equation]:
        """Yield the adjoints of computed values, each as soon as it is complete."""
        wanted = [d for d in self.program.definitions if d.name in self.moving & self.reached]
        by_name = {d.name: d for d in wanted}
        pending = {d.name: sum(d.name in user.uses for user in wanted) for d in wanted}
        stack = [d for d in wanted if pending[d.name] == 0]
        while stack:
            d = stack.pop()
            yield from self.adjoint_of(d.symbol)
            self._distribute(d)
            complete = []
            for name in _operands(d.expression):
                if name in pending:
                    pending[name] -= 1
                    if pending[name] == 0:
                        complete.append(by_name[name])
            stack.extend(reversed(complete))

    def _distribute(self, d: Equation) -> None:
        adjoint = adjoint_symbol(self.program, d.symbol)
        rank = 1 if d.name in self.program.states else 2
        for value, term in pull(d.expression, adjoint, self.values):
            if value.name in self.moving:
                self.contributions.setdefault(value.name, []).append(((rank, self.position[d.name]), term))

    def adjoint_of(self, value: MatrixSymbol) -> Iterator[Equation]:
        """Yield the equation of one adjoint; none where what arrives is the adjoint itself."""
        symbol = adjoint_symbol(self.program, value)
        ordered = sorted(self.contributions.get(value.name, []), key=lambda entry: entry[0])
        terms = stacked([term for _, term in ordered])
        if terms == [symbol]:
            return
        shared = value.name in self.program.shared
        if shared:
            self.shared.add(symbol.name)
            per_row = [t for t in terms if not names_in(t) <= self.shared]
            if 0 < len(per_row) < len(terms):
                yield (rows := Equation(MatrixSymbol(f"{symbol.name}_rows", *symbol.shape), add(*per_row), shared=True))
                self.shared.add(rows.name)
                terms = [rows.symbol, *(t for t in terms if t not in per_row)]
        yield Equation(symbol, add(*terms) if terms else zeros(*symbol.shape), shared=shared)


def _operands(expression: Any) -> list[str]:
    """Return the names that an expression reads, in the order in which it is written."""
    return list(dict.fromkeys(s.name for s in preorder_traversal(expression) if isinstance(s, MatrixSymbol)))


def _moving(program: Program) -> set[str]:
    """Return the names of the values that depend on a leaf: all but those computed from constants."""
    names = {s.name for s in program.leaves}
    for d in program.definitions:
        if d.uses & names:
            names.add(d.name)
    return names


def dependents(program: Program, name: str) -> set[str]:
    """Return the names of the values that are computed from a value, directly or not."""
    names = {name}
    for d in program.definitions:
        if d.uses & names:
            names.add(d.name)
    return names - {name}


def ancestors(program: Program, outputs: set[str]) -> set[str]:
    """Return the names of the values that some output depends on, the outputs among them."""
    names = set(outputs)
    for d in reversed(program.definitions):
        if d.name in names:
            names |= d.uses
    return names


def forward_mode(program: Program) -> Program:
    """Return the tangents of one step: the equations of the Program, then the tangent of every value that moves.

    The tangent of v along a direction given by the tangents of inputs, previous states and parameters is ``v_dot``; the
    outputs are the tangents of the Program's outputs, a Jacobian-vector product. The forward mode of a backward pass is
    a Hessian-vector product, the same that backward over backward gives.

    >>> from lstm_spec.spec.cells import lstm
    >>> print(forward_mode(lstm())["f_dot"], forward_mode(lstm())["c_dot"], sep="; ")
    ḟ = f∘(1 − f)∘ȧ_f; ċ = ḟ∘c' + f∘ċ' + i̇∘c̃ + i∘c̃̇
    """
    values = Values.of(cell_of(program, "forward_mode"))
    tangents: dict[str, Any] = {s.name: tangent_symbol(s) for s in program.leaves}
    equations = []
    for d in program.definitions:
        moved = push(d.expression, tangents, values)
        if moved is not None:
            tangents[d.name] = tangent_symbol(d.symbol)
            equations.append(Equation(tangents[d.name], moved, shared=d.shared))
    for name in dict.fromkeys((*program.outputs, *program.states)):
        if name not in tangents:
            tangents[name] = tangent_symbol(program.symbols[name])
            equations.append(Equation(tangents[name], zeros(*tangents[name].shape)))
    return Program(
        name=f"{program.name} forward mode",
        inputs=(*program.inputs, *(tangents[s.name] for s in program.inputs)),
        recurrence=(
            *program.recurrence,
            *((tangents[before.name], tangents[after.name]) for before, after in program.recurrence),
        ),
        parameters=(*program.parameters, *(tangents[s.name] for s in program.parameters)),
        definitions=(*program.definitions, *equations),
        outputs=tuple(tangents[name].name for name in program.outputs),
        constants=program.constants,
        origin=program,
        derivation="forward_mode",
    )


def tangent_symbol(value: MatrixSymbol) -> MatrixSymbol:
    """Return the symbol of a value's tangent: x_dot, and h_dot_prev for h_prev, which keeps its step last."""
    name = value.name
    step = next((suffix for suffix in ("_prev", "_next") if name.endswith(suffix)), "")
    return MatrixSymbol(f"{name.removesuffix(step)}_dot{step}", *value.shape)
