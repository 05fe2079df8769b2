"""The faults of a cell that take more than one equation: gates normalised together, a state kept too late."""

from collections.abc import Iterator, Sequence
from typing import Any

from sympy import BlockMatrix, Lambda, MatrixSymbol

from lstm_spec.spec.equation import Equation, names_in
from lstm_spec.spec.functions import SLOTS, clip
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notation import symbol_text, text
from lstm_spec.spec.operators import Elementwise, add, apply, concat, divide, matmul, ones, parts_of, subtract
from lstm_spec.spec.program import Program
from lstm_spec.verify.function_rewrites import activation_of
from lstm_spec.verify.hypotheses import Hypothesis, Rewritten, listed
from lstm_spec.verify.places import places, with_others

_s = SLOTS[0]
_REST = Lambda((_s,), 1 / (1 + _s))
_BOUNDED = Lambda((_s,), clip(_s, -700, 700))


def gate_faults(cell: Program) -> tuple[Hypothesis, ...]:
    """Return what may be wrong with several equations of a cell at once, as far as they still make a cell.

    >>> from lstm_spec.spec.cells import lstm
    >>> [h.sentence for h in gate_faults(lstm())][0]
    'f, i and o are a softmax over these gates, where the spec has σ of each'
    """
    made = (*_over_gates(cell), *_over_units(cell), *_kept_after(cell), *_new_state(cell))
    found = (Hypothesis(name, kind, sentence, cell, equations=wrong) for name, kind, sentence, wrong in made)
    return tuple(h for h in found if h.is_cell)


Made = Iterator[tuple[str, str, str, Rewritten]]


def _activated(cell: Program, *names: str) -> list[Equation]:
    """Return the equations that are one of some activations of another value."""
    found = (d for d in cell if activation_of(d.expression) in names)
    return [d for d in found if isinstance(d.expression.arguments[0], MatrixSymbol)]


def _over_gates(cell: Program) -> Made:
    """A softmax over gates; written with differences it overflows to the right value."""
    gates, every = _activated(cell, "sigmoid"), _activated(cell, "sigmoid", "tanh")
    groups = [gates, every, *([gates[:2]] if len(gates) > 2 else [])]
    for group in groups:
        before = [d.expression.arguments[0] for d in group]
        if len({a.shape for a in before}) == 1 and len(group) > 1:
            wrong = tuple((d.name, _share(own, before)) for d, own in zip(group, before, strict=True))
            names = [d.name for d in group]
            of_each = "σ of each" if group != every or every == gates else "an activation of each"
            sentence = f"{listed(names)} are a softmax over these gates, where the spec has {of_each}"
            yield f"softmax-{''.join(names)}", "activation", sentence, wrong


def _share(own: Any, every: Sequence[Any]) -> Any:
    return apply(_REST, add(*(apply("exp", subtract(a, own)) for a in every if a != own)))


def _over_units(cell: Program) -> Made:
    gates = _activated(cell, "sigmoid")
    for group in ([gates] if len(gates) > 1 else []) + [[d] for d in gates]:
        wrong = tuple((d.name, _softmax(d.expression.arguments[0])) for d in group)
        what = f"{listed(d.name for d in group)} {'are each' if len(group) > 1 else 'is'} a softmax over the units"
        name = f"softmax-of-units-{''.join(d.name for d in group)}"
        yield name, "activation", f"{what}, where the spec has σ of every unit", wrong


def _softmax(a: Any) -> Any:
    """Return it with the mean taken off, and within what an exponential can take."""
    m = a.shape[0]
    mean = matmul(ones(m), matmul(1 / m, ones(1, m), a))
    power = apply("exp", apply(_BOUNDED, subtract(a, mean)))
    return divide(power, matmul(ones(m), matmul(ones(1, m), power)))


def _kept_after(cell: Program) -> Made:
    """A state that is kept after the activation which only what reads it should apply."""
    for name in cell.states:
        own = cell[name]
        for reader in cell:
            for part, _ in places(reader.expression):
                function = activation_of(part)
                if function is not None and part.arguments == (own.symbol,):
                    kept = Elementwise(part.function, own.expression)
                    read = with_others(reader.expression, {part: own.symbol})
                    equations = f"{text(own.symbol)} = {text(kept)}, {text(reader.symbol)} = {text(read)}"
                    what = f"{symbol_text(name)} is kept after {function}: {equations}"
                    yield f"{name}-kept-after-{function}", "states", what, ((name, kept), (reader.name, read))


def _new_state(cell: Program) -> Made:
    """The last gate of a step reads the state after the step, as computed once before."""
    reading = [d for d in cell if parse_name(d.name).base == "a" and _reads_state(cell, d)]
    if not reading:
        return
    last, (before, after) = reading[-1], cell.recurrence[0]
    known = {s.name for s in cell.leaves} | {d.name for d in cell.definitions[: cell.definitions.index(last)]}
    new = cell[after.name].expression
    while later := {cell.symbols[name] for name in names_in(new) - known}:
        new = with_others(new, {s: cell[s.name].expression for s in later})
    others: dict[Any, Any] = {before: new}
    for definition in cell:
        if isinstance(definition.expression, BlockMatrix) and before in parts_of(definition.expression):
            others[definition.symbol] = concat(*(others.get(p, p) for p in parts_of(definition.expression)))
    name, state = symbol_text(last.name), symbol_text(after.name)
    sentence = f"{name} reads {state} of its own step, computed with the old {symbol_text(before.name)} first"
    yield f"{last.name}-reads-new", "later", sentence, ((last.name, with_others(last.expression, others)),)


def _reads_state(cell: Program, equation: Equation) -> bool:
    before = cell.recurrence[0][0]
    joined = {d.name for d in cell if isinstance(d.expression, BlockMatrix) and before in parts_of(d.expression)}
    return bool(equation.uses & {before.name, *joined})
