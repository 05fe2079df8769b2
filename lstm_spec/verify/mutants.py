"""Mutants: Programs with one equation wrong, made from the Program that they are mutants of.

They test the tester (a suite that lets one live is blind to that mistake) and they are the first hypotheses of a
diagnosis. Those that compute the same as the original are no mistakes; they are told apart with a proof.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sympy import Symbol, expand

from lstm_spec.calculus.adjoint import backward
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.elements import element
from lstm_spec.spec.equation import ProgramError, names_in
from lstm_spec.spec.program import Program
from lstm_spec.verify.rewrites import rewrites


@dataclass(frozen=True)
class Mutant:
    """A Program with one equation rewritten.

    id: its stable name, the equation and what was done; kind: what sort of mistake; equation: the name of the equation;
    sentence: what is wrong; program: the whole Program, a cell or a backward pass, with the mistake in it.
    """

    id: str
    kind: str
    equation: str
    sentence: str
    program: Program

    @property
    def is_backward(self) -> bool:
        """Whether it is a backward pass that is wrong, the cell being right."""
        return self.program.derivation == "backward"


_ENTRY = (Symbol("row", integer=True, nonnegative=True), Symbol("column", integer=True, nonnegative=True))


@lru_cache(maxsize=64)
def mutants(program: Program) -> tuple[Mutant, ...]:
    """Return the mutants of a cell, or of a backward pass, whose equations of the cell stay right.

    >>> from lstm_spec.spec.cells import lstm
    >>> found = mutants(lstm())
    >>> next(m for m in found if m.equation == "h").sentence
    "h uses h' where the spec has o, in h = o∘tanh(c)"
    """
    return tuple(_mutants(program))


def _mutants(program: Program) -> Iterator[Mutant]:
    for equation in program.derived:
        count: dict[str, int] = {}
        for rewrite in rewrites(equation, program):
            if not names_in(rewrite.expression):
                # What is left of a variance when its only term goes is a number, and no vector any more.
                continue
            try:
                wrong = program.with_equation(equation.name, rewrite.expression)
            except (DimensionError, ProgramError):
                continue
            if equivalent(rewrite.expression, equation.expression):
                continue
            number = count[rewrite.kind] = count.get(rewrite.kind, 0) + 1
            name = f"{equation.name}.{rewrite.kind}{number}"
            yield Mutant(name, rewrite.kind, equation.name, rewrite.sentence, wrong)


def equivalent(first: Any, second: Any) -> bool:
    """Tell whether two expressions are equal entry by entry, as algebra sees it at once: i∘c̃ and c̃∘i are.

    >>> from lstm_spec.spec.operators import hadamard, size, vector
    >>> a, b = vector("a", size("m")), vector("b", size("m"))
    >>> equivalent(hadamard(a, b), hadamard(b, a)), equivalent(hadamard(a, b), hadamard(a, a))
    (True, False)
    """
    entries = [element(e, *_ENTRY) for e in (first, second)]
    return bool(entries[0] == entries[1] or expand(entries[0] - entries[1]) == 0)


def backward_mutants(cell: Program) -> tuple[Mutant, ...]:
    """Return the mutants of the backward pass of a cell."""
    return mutants(backward(cell))
