"""Proofs that the formulas of a backward pass are the derivatives of the definition, for all sizes.

A formula, written out at entry [p, q], is compared with the chain rule over the equations, in which SymPy
differentiates each definition at index level: scalars with indices and explicit sums, where no rule for a matrix
operator takes part. The sizes stay symbols. What arrives from outside the step is arbitrary, so by induction over the
steps, last to first, a formula that holds for one step holds through time; sums over rows and steps are those of the
loss.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain

from sympy import Lambda, MatrixSymbol

from lstm_spec.calculus.adjoint import adjoint_symbol, arrivals, backward
from lstm_spec.calculus.chain import Chain
from lstm_spec.calculus.identities import slope_proofs
from lstm_spec.calculus.sequence import sequence_proof
from lstm_spec.calculus.statement import Proof, Status
from lstm_spec.calculus.witness import (
    Point,
    TrueDerivative,
    Witness,
    as_lists,
    evaluate,
    exact_constants,
    random_point,
)
from lstm_spec.spec.equation import Equation, ProgramError
from lstm_spec.spec.notation import symbol_text, text
from lstm_spec.spec.operators import Elementwise
from lstm_spec.spec.program import Program, cell_of, names_of

_SEED = 20250


def proofs(
    cell: Program, *, formulas: Program | None = None, only: str | Collection[str] | None = None
) -> Iterator[Proof]:
    """Yield the proofs of a cell one by one as they are found: stop when you like and keep what is known.

    See ``prove`` for the arguments.
    """
    cell = cell_of(cell, "prove")
    back = backward(cell) if formulas is None else cell_of(formulas, "prove")
    if only is not None:
        wanted = names_of(only)
        _check_names(back, wanted)
        yield from step_proofs(cell, back, wanted)
        return
    found = []
    for proof in chain(slope_proofs(_functions(cell)), step_proofs(cell, back)):
        found.append(proof)
        yield proof
    yield _through_time(cell, found)
    yield sequence_proof(cell, back)


def _check_names(back: Program, only: Collection[str]) -> None:
    known = [d.name for d in back.derived]
    if not only:
        raise ProgramError(f"only names no formula of {back.name}; it has {', '.join(known)}")
    for name in only:
        if name not in known:
            raise ProgramError(f"{back.name} has no formula for {name}; it has {', '.join(known)}")


def number_of_proofs(cell: Program) -> int:
    """Return how many proofs ``prove`` will make, for a progress bar."""
    slopes = sum(len(function.variables) for function in _functions(cell))
    return slopes + len(_formulas(cell, backward(cell))) + 2


def _functions(cell: Program) -> list[Lambda]:
    """Return the elementwise functions of a cell, each once, with its constants put in."""
    constants = exact_constants(cell)
    return sorted({e.function.subs(constants) for d in cell for e in d.expression.atoms(Elementwise)}, key=str)


def _through_time(cell: Program, found: list[Proof]) -> Proof:
    """Return the induction over the steps, which stands on the proofs of one step."""
    pairs = [(a.symbol.name, a.before) for a in arrivals(cell) if a.before is not None]
    arriving = ", ".join(symbol_text(name) for name, _ in pairs)
    leaving = ", ".join(symbol_text(adjoint_symbol(cell, before).name) for _, before in pairs)
    statement = (
        f"the step formulas hold for every arriving {arriving}, and {leaving} is what arrives one step earlier, so by "
        "the chain rule, from the last step to the first, they give the derivatives of the loss of a sequence of any "
        "length, and their sums over the steps those of the parameters"
    )
    open_ones = [p.name for p in found if p.status != "proved"]
    refuted = [p for p in found if p.status == "refuted"]
    status: Status = "refuted" if refuted else "undecided" if open_ones else "proved"
    return Proof("through time", statement, status, refuted[0].witness if refuted else None)


def prove(
    cell: Program,
    *,
    formulas: Program | None = None,
    only: str | Collection[str] | None = None,
    progress: Callable[[Proof], None] | None = None,
) -> list[Proof]:
    """Prove the formulas of a cell's backward pass, for every parameter, input, state and value in between.

    Proved are, in this order: that the slope each elementwise function states is that of its definition; the formula of
    every adjoint, for one step and all sizes; the induction over the steps; and the comparison with whole
    sequences at fixed sizes, which share no rule with the formulas.

    formulas: a backward pass to examine instead of the derived one, such as a mutant of it; only: the names of the
    formulas to prove, such as "dW_f", and nothing else; progress: called with every proof as it is found.
    Raises ProgramError for a name that has no formula.

    >>> from lstm_spec.spec.cells import lstm
    >>> for proof in prove(lstm(), only=["da_o", "dW_f"]):
    ...     print(proof)
    proved: δa_o = δo∘o∘(1 − o) is ∂loss/∂a_o for every n, m
    proved: δW_f = Σ δa_f zᵀ is ∂loss/∂W_f for every n, m
    """
    found = []
    for proof in proofs(cell, formulas=formulas, only=only):
        found.append(proof)
        if progress is not None:
            progress(proof)
    return found


def step_proofs(cell: Program, back: Program, only: Collection[str] | None = None) -> Iterator[Proof]:
    """Yield the proof of every formula of one step, or of the named ones."""
    formulas = _formulas(cell, back)
    chain_rule = Chain(cell, back, {value.name: d for d, value in formulas})
    sizes = {s.name: 2 + k for k, s in enumerate(cell.sizes)}
    point = random_point(back, sizes, _SEED)
    values = evaluate(back, point, sizes)
    for d, value in formulas:
        if only is not None and d.name not in only:
            continue
        begun = time.perf_counter()
        witness = _witness(cell, value, d, point, values, sizes)
        status: Status = "refuted" if witness else "proved" if chain_rule.holds(value.name) else "undecided"
        yield Proof(d.name, _statement(cell, d, value), status, witness, time.perf_counter() - begun)


def _formulas(cell: Program, back: Program) -> list[tuple[Equation, MatrixSymbol]]:
    """Return the equations of a backward pass that define an adjoint, each with the value that it belongs to."""
    values = {adjoint_symbol(cell, v).name: v for v in cell.symbols.values()}
    return [(d, values[d.name]) for d in back.derived if d.name in values]


def _witness(
    cell: Program, value: MatrixSymbol, d: Equation, point: Point, values: Point, sizes: Mapping[str, int]
) -> Witness | None:
    found = TrueDerivative(cell, arrivals(cell), value.name, point, sizes).wrong_entry(values[d.name])
    if found is None:
        return None
    entry, truth = found
    return Witness(d.name, entry, float(values[d.name][entry]), float(truth), sizes, as_lists(point))


def _statement(cell: Program, d: Equation, value: MatrixSymbol) -> str:
    sizes = ", ".join(s.name for s in cell.sizes)
    total = f"{text(d.symbol)} = {'Σ ' if d.shared else ''}{text(d.expression)}"
    return f"{total} is ∂loss/∂{symbol_text(value.name)} for every {sizes}"
