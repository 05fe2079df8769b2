"""Which equations a picture draws within one box: a gate with its pre-activation, a normalization with its means."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sympy import BlockMatrix, HadamardProduct, MatAdd, MatMul, MatrixSymbol
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.spec.equation import names_in
from lstm_spec.spec.operators import Elementwise, hadamard, matmul, parts_of
from lstm_spec.spec.program import Program

SCALAR = (1, 1)


@dataclass(frozen=True)
class Contracted:
    """An equation with those drawn within it.

    absorbs: its pre-activation, already written into the expression; statistics: means and variances by name, which
    nothing else reads, and what is made of them.
    """

    name: str
    expression: Any
    absorbs: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()


def equations(program: Program) -> list[Contracted]:
    """Return the equations of per-row values, those that only one box reads within it."""
    shared = parameters_of(program)
    expressions = {d.name: d.expression for d in program if d.name not in shared}
    uses = Counter(s.name for e in expressions.values() for s in occurrences(e))
    homes = _homes(program, expressions, shared)
    absorbed: dict[str, tuple[str, ...]] = {}
    for name, e in list(expressions.items()):
        argument = e.arguments[0] if isinstance(e, Elementwise) and len(e.arguments) == 1 else None
        if not isinstance(argument, MatrixSymbol) or argument.name not in expressions:
            continue
        single = uses[argument.name] == 1 and argument.name not in leaving(program)
        if single and is_learned(expressions[argument.name], shared):
            expressions[name] = Elementwise(e.function, expressions.pop(argument.name))
            absorbed[name] = (argument.name,)
    found = []
    for name, e in expressions.items():
        if name not in homes:
            inside = {name, *absorbed.get(name, ())}
            statistics = tuple(s for s in expressions if homes.get(s) in inside)
            found.append(Contracted(name, e, absorbed.get(name, ()), statistics))
    return found


def _homes(program: Program, expressions: dict[str, Any], shared: frozenset[str]) -> dict[str, str]:
    """Return for each statistic the equation that alone reads it, directly or through other statistics.

    A statistic has one entry per row, or is made of one that has, and nothing in it is learned.
    """
    readers: dict[str, list[str]] = {}
    for name, e in expressions.items():
        for symbol in occurrences(e):
            readers.setdefault(symbol.name, []).append(name)
    candidates: set[str] = set()
    for name, e in expressions.items():
        of_scalars = program.symbols[name].shape == SCALAR or any(s.name in candidates for s in occurrences(e))
        if of_scalars and not is_learned(e, shared) and name not in leaving(program):
            candidates.add(name)
    homes: dict[str, str] = {}
    for name in reversed(expressions):
        reached = {homes.get(reader, reader) for reader in readers.get(name, ())}
        if name in candidates and len(reached) == 1:
            homes[name] = reached.pop()
    return homes


def leaving(program: Program) -> frozenset[str]:
    """Return the values that leave a step: outputs and next states."""
    return frozenset({*program.outputs, *program.states})


def parameters_of(program: Program) -> frozenset[str]:
    """Return the parameters and what is made of them; a constant gate such as f = 1 is drawn as a value."""
    return program.shared - {d.name for d in program if not d.uses}


def occurrences(e: Any) -> list[MatrixSymbol]:
    """Return the matrices that an expression reads, once per reading."""
    if isinstance(e, MatrixSymbol):
        return [e]
    if isinstance(e, MatrixSlice):
        return occurrences(e.parent)
    if isinstance(e, BlockMatrix):
        return [s for part in parts_of(e) for s in occurrences(part)]
    inner = e.arguments if isinstance(e, Elementwise) else e.args
    return [s for a in inner if getattr(a, "is_Matrix", False) for s in occurrences(a)]


def is_learned(e: Any, shared: frozenset[str]) -> bool:
    """Tell whether an expression is a sum with at least one term that applies a parameter, or a stack of such sums."""
    if isinstance(e, BlockMatrix):
        return all(is_learned(part, shared) for part in parts_of(e))
    return any(applied(t, shared) is not None for t in terms(e))


def terms(e: Any) -> tuple[Any, ...]:
    """Return the terms of a sum, or of the sums that are stacked."""
    if isinstance(e, BlockMatrix):
        return tuple(t for part in parts_of(e) for t in terms(part))
    return e.args if isinstance(e, MatAdd) else (e,)


def applied(term: Any, shared: frozenset[str]) -> tuple[Any, Any] | None:
    """Return (parameter expression, what it is applied to or None) of a learned term, None for any other term."""
    names = names_in(term)
    if names and names <= shared:
        return term, None
    if isinstance(term, MatMul):
        *factors, last = term.args
        learned = [f for f in factors if getattr(f, "is_Matrix", False)]
        if learned and all(names_in(f) <= shared for f in learned) and any(names_in(f) for f in learned):
            return (matmul(*factors) if len(factors) > 1 else factors[0]), last
    if isinstance(term, HadamardProduct):
        own = [f for f in term.args if names_in(f) and names_in(f) <= shared]
        rest = [f for f in term.args if not (names_in(f) and names_in(f) <= shared)]
        if own and rest:
            return hadamard(*own), hadamard(*rest)
    return None
