"""The small mistakes that one can make in writing one equation down, each as the equation rewritten.

A rewrite keeps the shape of every part that it touches, since what does not fit never gets as far as a verdict. The
same rewrites serve forward and backward equations, mutants and the hypotheses of a diagnosis.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from sympy import BlockMatrix, HadamardProduct, MatAdd, MatMul, MatrixSymbol, Number, Transpose
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.spec.equation import Equation
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notation import symbol_text, text
from lstm_spec.spec.operators import (
    Elementwise,
    add,
    concat,
    hadamard,
    matmul,
    one_minus,
    parts_of,
    rows,
    scale,
    transpose,
)
from lstm_spec.spec.program import Program
from lstm_spec.verify.function_rewrites import FUNCTION_KINDS
from lstm_spec.verify.places import Rewrite, inner_parts, places, same_shape, with_others, written


def rewrites(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """Yield every mistake of the table in an equation of a Program, each expression once.

    >>> from lstm_spec.spec.cells import lstm
    >>> cell = lstm()
    >>> found = [r.sentence for r in rewrites(cell["h"], cell)]
    >>> "h uses c' where the spec has c, in h = o∘tanh(c)" in found
    True
    """
    seen = {equation.expression}
    for make in _KINDS:
        for rewrite in make(equation, program):
            if rewrite.expression not in seen and same_shape(rewrite.expression, equation.expression):
                seen.add(rewrite.expression)
                yield rewrite


def _exchanged(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """One value for another of its shape and role: W_i for W_f, c' for c, i for f, δa_i for δa_f."""
    known = _known_before(equation, program)
    for part, put in places(equation.expression):
        if isinstance(part, MatrixSymbol):
            for other in known:
                if other != part and same_shape(other, part) and _alike(part, other, program):
                    what = f"uses {symbol_text(other.name)} where the spec has {symbol_text(part.name)}"
                    yield Rewrite("exchange", f"{written(equation)} {what}, in {equation}", put(other))


def _throughout(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """One value for another wherever it stands: i∘(1 − i) for f∘(1 − f), 1 − c∘c for 1 − tanh(c)∘tanh(c).

    A gate and its complement, 1 − i, do the same there.
    """
    if not parse_name(equation.name).adjoint:
        return
    parts = [part for part, _ in places(equation.expression) if isinstance(part, MatrixSymbol | Elementwise)]
    states = [s for pair in program.recurrence for s in pair if not parse_name(s.name).adjoint]
    made_of = {d.symbol: inner_parts(d.expression) for d in program}
    repeated = dict.fromkeys(p for p in parts if parts.count(p) > 1)
    whole = {inner for part in repeated if isinstance(part, Elementwise) for inner in part.arguments}
    values = [s for s in _known_before(equation, program) if s not in program.parameters and not _is_adjoint(s)]
    for part in (p for p in repeated if p not in (*whole, *program.parameters) and not _is_adjoint(p)):
        coupled = {d.symbol for d in program if d.expression == one_minus(part)}
        others = [s for s in values if s != part and s not in coupled and same_shape(s, part)]
        if isinstance(part, MatrixSymbol):
            others = [s for s in others if _alike(part, s, program) or s in made_of.get(part, [])]
        else:
            own = [s for s in others if s in (*states, *part.arguments)]
            applied = [Elementwise(part.function, s) for s in own if len(part.arguments) == 1]
            others = [*own, *(a for a in applied if a != part)]
        for other in others:
            sentence = f"{text(other)} stands wherever the spec has {text(part)}, in {equation}"
            yield Rewrite("throughout", sentence, with_others(equation.expression, {part: other}))


def _is_adjoint(part: Any) -> bool:
    return isinstance(part, MatrixSymbol) and bool(parse_name(part.name).adjoint)


def _swapped(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """Two values of one shape and role in each other's place: c = i∘c' + f∘c̃."""
    symbols = sorted(equation.expression.atoms(MatrixSymbol), key=lambda s: s.name)
    for a, b in combinations(symbols, 2):
        if same_shape(a, b) and _alike(a, b, program):
            sentence = f"{symbol_text(a.name)} and {symbol_text(b.name)} stand in each other's place in {equation}"
            yield Rewrite("swap", sentence, with_others(equation.expression, {a: b, b: a}))


def _later(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """A concatenation with the state after the step where it has the one before it: h_t for h_{t-1} in δa zᵀ."""
    known = {s.name for s in _known_before(equation, program)}
    after = {a: b for a, b in program.recurrence if b.name in known}
    joined = {d.symbol: d.expression for d in program if isinstance(d.expression, BlockMatrix)}
    for part, put in places(equation.expression):
        parts = parts_of(joined[part]) if part in joined else []
        if set(parts) & set(after):
            wrong = concat(*(after.get(p, p) for p in parts))
            yield Rewrite("later", f"{text(wrong)} stands where the spec has {text(part)}, in {equation}", put(wrong))


def _known_before(equation: Equation, program: Program) -> list[MatrixSymbol]:
    before = program.definitions[: program.definitions.index(equation)]
    return [*program.leaves, *(d.symbol for d in before)]


def _alike(first: MatrixSymbol, second: MatrixSymbol, program: Program) -> bool:
    """Tell whether two values are of one role: parameters of one kind, adjoints, pre-activations, or other values."""
    return _role(first, program) == _role(second, program)


def _role(symbol: MatrixSymbol, program: Program) -> tuple[str, ...]:
    name = parse_name(symbol.name)
    if symbol in program.parameters:
        return "parameter", name.base
    adjoint = "adjoint" if name.adjoint else "value"
    return (adjoint, "pre-activation") if name.base == "a" else (adjoint,)


def _omitted(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """A term, a factor, a function, a transposition or a complement left out."""
    for part, put in places(equation.expression):
        if isinstance(part, MatAdd):
            for k, term in enumerate(part.args):
                rest = add(*(a for j, a in enumerate(part.args) if j != k))
                yield Rewrite("term", f"the term {text(term)} is missing in {equation}", put(rest))
        if isinstance(part, HadamardProduct):
            for k, factor in enumerate(part.args):
                rest = hadamard(*(a for j, a in enumerate(part.args) if j != k))
                yield Rewrite("factor", f"the factor {text(factor)} is missing in {equation}", put(rest))
        if isinstance(part, Elementwise) and len(part.arguments) == 1:
            inner = part.arguments[0]
            sentence = f"{text(inner)} stands where the spec has {text(part)}, in {equation}"
            yield Rewrite("function", sentence, put(inner))


def _signed(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """A term with the other sign."""
    for part, put in places(equation.expression):
        if isinstance(part, MatAdd):
            for k, term in enumerate(part.args):
                turned = add(*(_negative(a) if j == k else a for j, a in enumerate(part.args)))
                yield Rewrite("sign", f"{text(term)} has the wrong sign in {equation}", put(turned))
    whole = equation.expression
    yield Rewrite("sign", f"{written(equation)} has the wrong sign: {equation}", _negative(whole))


def _negative(term: Any) -> Any:
    if isinstance(term, MatMul) and isinstance(term.args[0], Number):
        factor, *others = term.args
        return scale(-factor, matmul(*others)) if factor != -1 or len(others) > 1 else others[0]
    return scale(-1, term)


def _transposed(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """A square matrix transposed, or not transposed where it should be."""
    for part, put in places(equation.expression):
        # Where the sides are numbers, SymPy refuses by itself what does not fit.
        if not getattr(part, "is_Matrix", False) or part.shape[0] != part.shape[1] or part.shape == (1, 1):
            continue
        if isinstance(part, Transpose):
            yield Rewrite("transpose", f"{text(part.arg)} is not transposed in {equation}", put(part.arg))
        if isinstance(part, MatrixSymbol):
            yield Rewrite("transpose", f"{text(part)} is transposed in {equation}", put(transpose(part)))


def _reordered(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """The parts of a concatenation in another order; the wrong rows of a slice."""
    for part, put in places(equation.expression):
        if isinstance(part, BlockMatrix):
            turned = concat(*reversed(parts_of(part)))
            yield Rewrite("order", f"the concatenation is {text(turned)} where the spec has {text(part)}", put(turned))
        if isinstance(part, MatrixSlice):
            start, stop, _ = part.rowslice
            size = part.parent.shape[0]
            for wrong in (rows(part.parent, 0, stop - start), rows(part.parent, size - (stop - start), size)):
                sentence = f"{text(wrong)} stands where the spec has {text(part)}, in {equation}"
                yield Rewrite("slice", sentence, put(wrong))


def _misread(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """The adjoint of a concatenation of two parts divided as if they stood in the other order: δx and δh' exchanged."""
    name = parse_name(equation.name)
    joined = {d.name: parts_of(d.expression) for d in program if isinstance(d.expression, BlockMatrix)}
    parts = joined.get(equation.name.removeprefix("d"), []) if name.adjoint else []
    if len(parts) != 2:
        return
    whole = equation.expression.shape[0]
    for first, last in (parts, reversed(parts)):
        # Where the last are cut off as if they were the first, the first come after them.
        size = last.shape[0]
        turned = concat(rows(equation.expression, size, whole), rows(equation.expression, 0, size))
        stacked, divided = (f"({text(a)}, {text(b)})" for a, b in ((first, last), (last, first)))
        what = f"{written(equation)} is stacked as {stacked} and divided as {divided}"
        yield Rewrite("misread", f"{what}, in {equation}", turned)


def _scaled(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """The whole, or one term of a sum, doubled or halved."""
    for factor, what in ((2, "doubled"), (Number(1) / 2, "halved")):
        yield Rewrite("scale", f"{written(equation)} is {what}: {equation}", scale(factor, equation.expression))
        for part, put in places(equation.expression):
            for k, term in enumerate(part.args if isinstance(part, MatAdd) else ()):
                terms = (scale(factor, a) if j == k else a for j, a in enumerate(part.args))
                yield Rewrite("scale", f"{text(term)} is {what} in {equation}", put(add(*terms)))


_KINDS = (
    *(_exchanged, _throughout, _swapped, _later, _omitted, _signed),
    *(_transposed, _reordered, _misread, _scaled),
    *FUNCTION_KINDS,
)
