"""A hypothesis: what an implementation may do in place of the specification, as something that can be run.

It is a set of equations with mistakes in them, and whatever is done around them to the arguments and the results. Two
hypotheses make a third one, in which both are true, unless they rewrite the same equation. The same hypotheses are
planted to test the checks, and matched against a target to say what is wrong with it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any, Protocol

from sympy import MatrixSymbol, Number

from lstm_spec.calculus.adjoint import backward
from lstm_spec.compute.answers import canonical
from lstm_spec.compute.compile import Array
from lstm_spec.compute.gradients import Read
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.equation import ProgramError
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.program import Program
from lstm_spec.verify.mutants import Mutant, backward_mutants, mutants

Forward = Callable[..., tuple[Array, ...]]
"""forward(params, x, *states) -> (y, *states)"""

Backward = Callable[..., tuple[Any, ...]]
"""backward(params, x, *states, dy, *dstates) -> (dparams, dx, *dstates0)"""

Rewritten = tuple[tuple[str, Any], ...]
"""Equations by name with the right side that they have in place of the specification's."""


class Candidate(Protocol):
    """What observations are held against: a hypothesis about one cell, or about a network of them."""

    @property
    def id(self) -> str:
        """Its stable name."""

    @property
    def kind(self) -> str:
        """What sort of mistake it is."""

    @property
    def sentence(self) -> str:
        """The diagnosis, if it is true."""

    @property
    def forward(self) -> Forward:
        """The forward pass as the hypothesis has it."""

    @property
    def backward(self) -> Backward:
        """The backward pass as the hypothesis has it."""

    @property
    def at_fault(self) -> tuple[str, ...]:
        """The names of the equations that it rewrites."""

    @property
    def right(self) -> "Candidate":
        """The hypothesis that nothing is wrong."""

    def joined(self, other: Any) -> "Candidate | None":
        """Return the hypothesis that both are true, or None where they contradict each other."""


@dataclass(frozen=True)
class Wrap:
    """What is done around a forward pass, around a backward pass, or both."""

    forward: Callable[[Forward], Forward] | None = None
    backward: Callable[[Backward], Backward] | None = None


@dataclass(frozen=True)
class Hypothesis:
    """What an implementation may do in place of the specification.

    id: its stable name; kind: what sort of mistake; sentence: the diagnosis, if it is true; cell: the specification;
    equations, formulas: the equations of the cell, and of its backward pass, that are wrong; constants: scalars with
    another value than the specification's; wraps: what is done around them, the innermost first; window: of truncated
    backpropagation; reads: what the formulas read besides.
    """

    id: str
    kind: str
    sentence: str
    cell: Program
    equations: Rewritten = ()
    formulas: Rewritten = ()
    constants: tuple[tuple[str, float], ...] = ()
    wraps: tuple[Wrap, ...] = ()
    window: int | None = None
    reads: tuple[Read, ...] = ()

    @property
    def right(self) -> "Hypothesis":
        """The hypothesis that nothing is wrong."""
        return Hypothesis("spec", "spec", "it is right", self.cell)

    @property
    def at_fault(self) -> tuple[str, ...]:
        """The names of the equations that it rewrites."""
        return tuple(name for name, _ in (*self.equations, *self.formulas))

    @property
    def in_gradients_only(self) -> bool:
        """Whether the forward pass is that of the specification."""
        return not (self.equations or self.constants) and all(wrap.forward is None for wrap in self.wraps)

    @cached_property
    def program(self) -> Program:
        """The cell with its mistakes."""
        return reduce(lambda p, e: p.with_equation(*e), self.equations, self._with_constants)

    @property
    def _with_constants(self) -> Program:
        if not self.constants:
            return self.cell
        values = dict(self.constants)
        own = tuple((symbol, Number(values.get(symbol.name, value))) for symbol, value in self.cell.constants)
        return replace(self.cell, constants=own)

    @cached_property
    def backward_program(self) -> Program:
        """The backward pass with its mistakes: that of the cell as it is computed."""
        right = backward(self.program)
        given = replace(right, inputs=(*right.inputs, *(read.symbol for read in self.reads)))
        return reduce(lambda p, e: p.with_equation(*e), self.formulas, given)

    @property
    def forward(self) -> Forward:
        """The forward pass as the hypothesis has it."""
        inner, _ = canonical(self.program)
        return reduce(lambda f, wrap: wrap.forward(f) if wrap.forward else f, self.wraps, inner)

    @property
    def backward(self) -> Backward:
        """The backward pass as the hypothesis has it."""
        _, inner = canonical(self.program, formulas=self.backward_program, window=self.window, reads=self.reads)
        return reduce(lambda b, wrap: wrap.backward(b) if wrap.backward else b, self.wraps, inner)

    def joined(self, other: "Hypothesis") -> "Hypothesis | None":
        """Return the hypothesis that both are true, or None where they rewrite the same equation."""
        own, others = ({n for n, _ in (*h.equations, *h.formulas, *h.constants)} for h in (self, other))
        seen = {read.symbol for read in self.reads} & {read.symbol for read in other.reads}
        if own & others or seen or (self.window and other.window):
            return None
        pair = replace(
            self,
            id=f"{self.id}+{other.id}",
            kind="pair",
            sentence=f"{self.sentence}; and {other.sentence}",
            equations=self.equations + other.equations,
            formulas=self.formulas + other.formulas,
            constants=self.constants + other.constants,
            wraps=self.wraps + other.wraps,
            window=self.window or other.window,
            reads=self.reads + other.reads,
        )
        return pair if not (self.equations and other.equations) or pair.is_cell else None

    @property
    def is_cell(self) -> bool:
        """Whether its equations can be computed: two rewrites may make a circle."""
        try:
            return bool(self.program.definitions)
        except (ProgramError, DimensionError):
            return False


def of_mutant(mutant: Mutant, cell: Program) -> Hypothesis:
    """Return a mutant of a cell, or of its backward pass, as a hypothesis."""
    wrong = ((mutant.equation, mutant.program[mutant.equation].expression),)
    if mutant.is_backward:
        return Hypothesis(mutant.id, mutant.kind, mutant.sentence, cell, formulas=wrong)
    return Hypothesis(mutant.id, mutant.kind, mutant.sentence, cell, equations=wrong)


def equation_hypotheses(cell: Program, *, gradients: bool = False) -> tuple[Hypothesis, ...]:
    """Return the mutants of a cell as hypotheses, or with ``gradients`` those of its backward pass."""
    found = backward_mutants(cell) if gradients else mutants(cell)
    return (*alike(cell, found), *(of_mutant(m, cell) for m in found))


def alike(cell: Program, found: Iterable[Mutant]) -> tuple[Hypothesis, ...]:
    """Return the hypotheses that one mistake was made in the equations of several gates.

    >>> from lstm_spec.spec.cells import lstm
    >>> alike(lstm(), backward_mutants(lstm()))[0].sentence
    'δa_o uses δy where the spec has δo, in δa_o = δo∘o∘(1 − o); and so for f and i'
    """
    groups: dict[Any, list[Mutant]] = {}
    for mutant in found:
        gate = parse_name(mutant.equation).subscript
        if gate:
            groups.setdefault((mutant.kind, *_gateless(mutant, gate)), []).append(mutant)
    return tuple(_together(group, cell) for group in groups.values() if len(group) > 1)


def _gateless(mutant: Mutant, gate: str) -> tuple[str, Any]:
    """Return a wrong equation with the gate taken out of its symbols, which makes those of several gates one."""
    equation = mutant.program[mutant.equation]
    names = {s: _without_gate(s.name, gate) for s in equation.expression.atoms(MatrixSymbol)}
    renamed = equation.expression.xreplace({s: MatrixSymbol(name, *s.shape) for s, name in names.items()})
    return _without_gate(equation.name, gate), renamed


def _without_gate(name: str, gate: str) -> str:
    parts = parse_name(name)
    adjoint = "d" * parts.adjoint
    if parts.subscript == gate:
        return f"{adjoint}{parts.base}_gate"
    return f"{adjoint}gate" if parts.base == gate and parts.time == 0 else name


def _together(group: list[Mutant], cell: Program) -> Hypothesis:
    first, *others = group
    gates = [parse_name(m.equation).subscript for m in others]
    hypothesis = of_mutant(first, cell)
    for mutant in others:
        hypothesis = hypothesis.joined(of_mutant(mutant, cell)) or hypothesis
    sentence = f"{first.sentence}; and so for {listed(_letter(cell, g) for g in gates)}"
    return replace(hypothesis, id=f"{first.id}-alike", kind=first.kind, sentence=sentence)


def _letter(cell: Program, gate: str) -> str:
    return f"{gate}_tilde" if f"{gate}_tilde" in cell.symbols else gate


def listed(names: Iterable[str]) -> str:
    """Return symbols as a list in words.

    >>> listed(["f", "i", "c_tilde"])
    'f, i and c̃'
    """
    *others, last = map(symbol_text, names)
    return f"{', '.join(others)} and {last}" if others else last
