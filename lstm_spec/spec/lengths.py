"""Rows of unequal length: a cell that keeps its states once a row has ended."""

from functools import lru_cache

from sympy import MatrixSymbol

from lstm_spec.spec.equation import Equation, ProgramError
from lstm_spec.spec.operators import add, hadamard, matmul, one_minus, ones, vector
from lstm_spec.spec.program import Program

ALIVE = "k"
"""The input that is 1 while a row lasts and 0 past its end."""


@lru_cache(maxsize=64)
def held(cell: Program) -> Program:
    """Return the cell with one more input k per row: where k is 0, every state stays what it was.

    k is 1 while a row lasts, so a padded batch and its rows run alone give the same. Since it is a cell like any other,
    its backward pass says that nothing past a row's length reaches a gradient.

    >>> from lstm_spec.spec.recurrent import rnn
    >>> print(*held(rnn()), sep="; ")
    a_h = W_h x + R_h h' + b_h; h_step = tanh(a_h); h = (𝟏 k)∘h_step + (1 − 𝟏 k)∘h'
    """
    if ALIVE in cell.symbols:
        raise ProgramError(f"{cell.name} already has a value named {ALIVE}, which lengths need")
    alive = vector(ALIVE, 1)
    states = {after: MatrixSymbol(f"{after.name}_step", *after.shape) for _, after in cell.recurrence}
    computed = [
        Equation(states.get(d.symbol, d.symbol), d.expression.xreplace(states), d.shared) for d in cell.definitions
    ]
    kept = []
    for before, after in cell.recurrence:
        here = matmul(ones(after.shape[0]), alive)
        kept.append(Equation(after, add(hadamard(here, states[after]), hadamard(one_minus(here), before))))
    return Program(
        name=f"{cell.name} with lengths",
        inputs=(*cell.inputs, alive),
        recurrence=cell.recurrence,
        parameters=cell.parameters,
        definitions=(*computed, *kept),
        outputs=cell.outputs,
        constants=cell.constants,
        source=cell.source,
        fixed=cell.fixed,
        ties=cell.ties,
    )
