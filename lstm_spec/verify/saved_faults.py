"""The faults of what a backward pass has saved: values of another step than its own, or none for the initial states."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from sympy import BlockMatrix, HadamardProduct, MatrixSymbol

from lstm_spec.calculus.adjoint import backward
from lstm_spec.compute.compile import Array
from lstm_spec.compute.gradients import Read
from lstm_spec.spec.equation import Equation, names_in
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.operators import concat, hadamard, parts_of
from lstm_spec.spec.program import Program
from lstm_spec.verify.hypotheses import Hypothesis, Rewritten
from lstm_spec.verify.places import with_others

Steps = Sequence[Array]
Pick = Callable[[Steps, int], Array]

NEIGHBOURS: Mapping[str, tuple[str, str, Pick]] = MappingProxyType(
    {
        "after-zero": (
            "_next",
            "of the step after, zero after the last",
            lambda v, t: v[t + 1] if t + 1 < len(v) else 0 * v[t],
        ),
        "after-own": (
            "_next",
            "of the step after, its own at the last step",
            lambda v, t: v[min(t + 1, len(v) - 1)],
        ),
        "before-zero": (
            "_before",
            "of the step before, zero before the first",
            lambda v, t: v[t - 1] if t else 0 * v[t],
        ),
        "before-own": ("_before", "of the step before, its own at the first step", lambda v, t: v[max(t - 1, 0)]),
        "before-last": ("_before", "of the step before, at the first step that of the last", lambda v, t: v[t - 1]),
    }
)
"""Which step's value may be read in place of a step's own: the end of a name for it, in words, and how it is picked."""


def saved_faults(cell: Program) -> tuple[Hypothesis, ...]:
    """Return what a backward pass may do with the values of the forward pass that it has saved.

    >>> from lstm_spec.spec.cells import lstm
    >>> [h.sentence for h in saved_faults(lstm())][:2]
    ['the backward pass takes the initial h for zero', 'the backward pass takes the initial c for zero']
    """
    return (*_initial(cell), *_carried(cell), *_summed(cell))


def _initial(cell: Program) -> Iterator[Hypothesis]:
    alone = [h for k in range(len(cell.states)) if (h := _taken_for_zero(cell, k)) is not None]
    yield from alone
    if len(alone) > 1:
        whole = alone[0]
        for other in alone[1:]:
            formulas = _merged(cell, (*whole.reads, *other.reads))
            whole = Hypothesis(
                "initial-states-unsaved",
                "saved",
                "the backward pass takes the initial states for zero",
                cell,
                formulas=formulas,
                reads=(*whole.reads, *other.reads),
            )
        yield whole


def _taken_for_zero(cell: Program, k: int) -> Hypothesis | None:
    before, after = cell.recurrence[k]
    seen = MatrixSymbol(f"{after.name}_saved", *before.shape)
    reads = (Read(seen, before.name, lambda v, t: v[t] if t else 0 * v[t]),)
    formulas = _merged(cell, reads)
    sentence = f"the backward pass takes the initial {after.name} for zero"
    name = f"initial-{after.name}-unsaved"
    return Hypothesis(name, "saved", sentence, cell, formulas=formulas, reads=reads) if formulas else None


def _merged(cell: Program, reads: Sequence[Read]) -> Rewritten:
    """Return the equations of the backward pass in which some values are read as something else."""
    program = backward(cell)
    others: dict[Any, Any] = {cell.symbols[read.value]: read.symbol for read in reads}
    for definition in cell:
        if isinstance(definition.expression, BlockMatrix) and others.keys() & {*parts_of(definition.expression)}:
            others[definition.symbol] = concat(*(others.get(p, p) for p in parts_of(definition.expression)))
    found = ((d, with_others(d.expression, others)) for d in program.derived)
    return tuple((d.name, wrong) for d, wrong in found if wrong != d.expression)


def _carried(cell: Program) -> Iterator[Hypothesis]:
    """What a state's adjoint is multiplied by on its way to the step before."""
    program, values = backward(cell), {d.name: d.symbol for d in cell}
    leaving = {prior.name: arriving for arriving, prior in program.carried}
    for equation in (d for d in program.derived if d.name in leaving):
        for name in sorted(names_in(equation.expression) & values.keys()):
            for kind, (_, where, _pick) in NEIGHBOURS.items():
                yield _neighbour(cell, (equation,), name, kind, f"{where}, in {equation}")
            if equation.expression in (hadamard(a, values[name]) for a in _adjoints(equation)):
                yield from _on_arrival(cell, equation, values[name], leaving[equation.name])


def _adjoints(equation: Equation) -> Iterator[Any]:
    if isinstance(equation.expression, HadamardProduct):
        yield equation.expression.args[0]


def _neighbour(cell: Program, equations: Sequence[Equation], name: str, kind: str, what: str) -> Hypothesis:
    value, (end, _, pick) = cell.symbols[name], NEIGHBOURS[kind]
    read = Read(MatrixSymbol(f"{name}{end}", *value.shape), name, pick)
    formulas = tuple((e.name, with_others(e.expression, {value: read.symbol})) for e in equations)
    sentence = f"{symbol_text(name)} is that {what}"
    return Hypothesis(f"{equations[0].name}.{name}-{kind}", "saved", sentence, cell, formulas=formulas, reads=(read,))


def _on_arrival(cell: Program, equation: Equation, value: Any, arriving: Any) -> Iterator[Hypothesis]:
    """The factor of the step that an adjoint arrives at, in place of that which it leaves."""
    program = backward(cell)
    (left,) = _adjoints(equation)
    readers = [d for d in program.derived if arriving in d.expression.atoms(MatrixSymbol)]
    late = tuple((d.name, with_others(d.expression, {arriving: hadamard(arriving, value)})) for d in readers)
    text = symbol_text(value.name)
    what = (
        f"{symbol_text(arriving.name)} is multiplied by {text} of the step that it arrives at, not of the one it leaves"
    )
    name = f"{equation.name}.{value.name}-on-arrival"
    yield Hypothesis(name, "saved", what, cell, formulas=(*late, (equation.name, left)))
    first = Read(
        MatrixSymbol(f"{value.name}_first", *value.shape), value.name, lambda v, t: np.ones_like(v[t]) if t else v[t]
    )
    counted = (equation.name, with_others(equation.expression, {value: first.symbol}))
    sentence = f"{what}; at the first step by both"
    yield Hypothesis(f"{name}-first", "saved", sentence, cell, formulas=(*late, counted), reads=(first,))


def _summed(cell: Program) -> Iterator[Hypothesis]:
    """What the adjoints of products are multiplied by in the gradients of parameters."""
    program = backward(cell)
    joined = [d.name for d in cell if isinstance(d.expression, BlockMatrix)]
    for name in joined:
        readers = [d for d in program.derived if d.shared and name in names_in(d.expression)]
        readers = [d for d in readers if parse_name(d.name).adjoint]
        for kind, (_, where, _pick) in NEIGHBOURS.items() if readers else ():
            listed = f"{where}, in the gradients of the parameters"
            yield _neighbour(cell, readers, name, kind, listed)
