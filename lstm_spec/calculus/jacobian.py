"""One-step Jacobians in closed matrix form, such as ∂c/∂c' = diag(f).

The tangent of a value is linear in the tangent of the previous state, so its Jacobian is a sum of terms diag(v) M. The
rules of the forward mode give the tangents; here the matrices are read off, and terms with the same M are collected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sympy import BlockMatrix, HadamardProduct, MatAdd, MatMul, MatrixSymbol, OneMatrix
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.calculus.adjoint import tangent_symbol
from lstm_spec.calculus.algebra import product, split, times, transposed
from lstm_spec.calculus.rules import Values, push
from lstm_spec.spec.equation import Equation, ProgramError, names_in
from lstm_spec.spec.functions import quotient
from lstm_spec.spec.notation import symbol_text, text
from lstm_spec.spec.operators import (
    Elementwise,
    add,
    concat,
    divide,
    eye,
    ones,
    parts_of,
    row_scaled,
    rows,
    scale,
    zeros,
)
from lstm_spec.spec.program import Program, cell_of, names_of


@dataclass(frozen=True)
class _Term:
    """diag(v) M, with v the elementwise product of the factors; no factors mean M itself."""

    factors: tuple[Any, ...]
    matrix: Any


Form = list[_Term]


def jacobian(
    program: Program, *, of: str | Sequence[str] | None = None, wrt: str | Sequence[str] | None = None
) -> Program:
    """Return the Jacobians of one step: the equations of the Program, then one equation for every block ∂v/∂w.

    of: names of computed column vectors, by default the states; wrt: names of given ones, by default the previous
    states. Inputs and previous states are independent of each other, so ∂c/∂c' is taken at fixed h': without peepholes
    it is diag(f), the constant error carousel (Hochreiter & Schmidhuber 1997). The block ∂v/∂w is named ``J_v_w``; a
    block that comes later may use an earlier one. Raises ProgramError for names that do not fit.

    >>> from lstm_spec.spec.cells import lstm
    >>> for equation in jacobian(lstm(concat=None), wrt=["c_prev"]).derived:
    ...     print(equation)
    ∂c/∂c' = diag(f)
    ∂h/∂c' = diag(o∘(1 − tanh(c)∘tanh(c))) ∂c/∂c'
    >>> print(jacobian(lstm(concat=None), of=["c"], wrt=["h_prev"])["J_c_h_prev"])
    ∂c/∂h' = diag(c'∘f∘(1 − f)) R_f + diag(c̃∘i∘(1 − i)) R_i + diag(i∘(1 − c̃∘c̃)) R_c
    """
    program = cell_of(program, "jacobian")
    of = list(program.states if of is None else names_of(of))
    wrt = [before.name for before, _ in program.recurrence] if wrt is None else list(names_of(wrt))
    _check(program, of, wrt)
    equations = [e for name in wrt for e in _blocks(program, of, program.symbols[name])]
    return Program(
        name=f"{program.name} Jacobian",
        inputs=program.inputs,
        recurrence=program.recurrence,
        parameters=program.parameters,
        definitions=(*program.definitions, *equations),
        outputs=tuple(_name(v, w) for v in of for w in wrt),
        constants=program.constants,
        origin=program,
        derivation="jacobian",
    )


def _name(value: str, leaf: str) -> str:
    return f"J_{value}_{leaf}"


def _check(program: Program, of: Sequence[str], wrt: Sequence[str]) -> None:
    computed = {d.name for d in program.definitions}
    given = {s.name for s in program.leaves}
    for name, known, kind in (*((v, computed, "computed") for v in of), *((w, given, "given") for w in wrt)):
        if name not in known:
            raise ProgramError(f"{program.name} has no {kind} value {name}; it has {', '.join(sorted(known))}")
        if program.symbols[name].shape[1] != 1:
            raise ProgramError(f"a Jacobian is between column vectors, {symbol_text(name)} is a matrix")


def _blocks(program: Program, of: Sequence[str], leaf: MatrixSymbol) -> list[Equation]:
    """Return ∂v/∂leaf for every v in ``of``, in the order of the equations."""
    values = Values.of(program)
    width = leaf.shape[0]
    tangents = {leaf.name: tangent_symbol(leaf)}
    forms: dict[str, Form] = {tangent_symbol(leaf).name: [_Term((), eye(width))]}
    equations = []
    for d in program.definitions:
        moved = push(d.expression, tangents, values)
        form = [] if moved is None else _form(moved, forms)
        if d.name in of:
            block = MatrixSymbol(_name(d.name, leaf.name), d.symbol.shape[0], width)
            equations.append(Equation(block, _dense(form) if form else zeros(*block.shape)))
            form = [_Term((), block)] if form else []
        if form:
            tangents[d.name] = tangent_symbol(d.symbol)
            forms[tangents[d.name].name] = form
    return equations


def _form(e: Any, forms: Mapping[str, Form]) -> Form:
    """Return a column that is linear in the tangents as Σ diag(v) M."""
    if isinstance(e, MatrixSymbol):
        return forms[e.name]
    if isinstance(e, MatAdd):
        return [term for a in e.args for term in _form(a, forms)]
    if isinstance(e, MatMul):
        return _form_of_product(e, forms)
    if isinstance(e, HadamardProduct):
        (moving,) = (a for a in e.args if _moves(a, forms))
        others = tuple(a for a in e.args if a is not moving)
        return [_Term((*others, *t.factors), t.matrix) for t in _form(moving, forms)]
    if isinstance(e, Elementwise) and e.function.expr.func is quotient:
        reciprocal = divide(ones(*e.shape), e.arguments[1])
        return [_Term((reciprocal, *t.factors), t.matrix) for t in _form(e.arguments[0], forms)]
    if isinstance(e, BlockMatrix):
        return [_Term((), concat(*(_dense_or_zero(part, forms) for part in parts_of(e))))]
    if isinstance(e, MatrixSlice):
        return [_Term((), rows(_dense(_form(e.parent, forms)), *e.rowslice[:2]))]
    raise ProgramError(f"{text(e)} has no Jacobian in closed form")


def _form_of_product(e: MatMul, forms: Mapping[str, Form]) -> Form:
    coefficient, factors = split(e)
    if not _moves(factors[-1], forms):
        if e.shape == (1, 1):
            return _form(transposed(e), forms)
        raise ProgramError(f"{text(e)} has no Jacobian in closed form")
    inner = _form(factors[-1], forms)
    if len(factors) > 1:
        apart = all(not t.factors for t in inner)
        matrices = [t.matrix for t in inner] if apart else [_dense(inner)]
        inner = [_Term((), product(*factors[:-1], matrix)) for matrix in matrices]
    if coefficient == 1:
        return inner
    return [_Term((scale(coefficient, ones(e.shape[0])), *t.factors), t.matrix) for t in inner]


def _moves(e: Any, forms: Mapping[str, Form]) -> bool:
    return bool(names_in(e) & forms.keys())


def _dense_or_zero(part: Any, forms: Mapping[str, Form]) -> Any:
    if _moves(part, forms):
        return _dense(_form(part, forms))
    (width,) = {t.matrix.shape[1] for form in forms.values() for t in form}
    return zeros(part.shape[0], width)


def _dense(form: Form) -> Any:
    """Return Σ diag(v) M as one matrix expression, with the v of equal M added up."""
    collected: dict[Any, list[tuple[Any, ...]]] = {}
    for term in form:
        collected.setdefault(term.matrix, []).append(term.factors)
    return add(*(_scaled(parts, matrix) for matrix, parts in collected.items()))


def _scaled(parts: list[tuple[Any, ...]], matrix: Any) -> Any:
    if parts == [()]:
        return matrix
    column = ones(matrix.shape[0])
    diagonal = add(*(times(*factors) if factors else column for factors in parts))
    return matrix if isinstance(diagonal, OneMatrix) else row_scaled(diagonal, matrix)
