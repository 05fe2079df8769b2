"""The small mistakes that one can make in writing one equation down, each as the equation rewritten.

A rewrite keeps the shape of every part that it touches, since what does not fit never gets as far as a verdict. The
same rewrites serve forward and backward equations, mutants and the hypotheses of a diagnosis.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sympy import BlockMatrix, HadamardProduct, Lambda, MatAdd, MatMul, MatrixSymbol, Number, Transpose
from sympy.matrices.expressions.matexpr import MatrixExpr
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.spec.dimensions import same
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.functions import SLOTS, clip
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notation import symbol_text, text
from lstm_spec.spec.operators import (
    Elementwise,
    add,
    apply,
    concat,
    hadamard,
    matmul,
    ones,
    parts_of,
    rows,
    scale,
    transpose,
)
from lstm_spec.spec.program import Program

MISTAKEN_FOR = {
    "sigmoid": ("tanh", "hard_sigmoid", "hard_sigmoid_onnx", "softsign"),
    "tanh": ("sigmoid", "softsign", "relu"),
    "relu": ("tanh", "softplus"),
    "exp": ("sigmoid", "softplus"),
}
"""By activation, those that take its place in code that is wrong; that it is left out is another mistake."""

CLIP_LIMITS = (1, 3, 5, 10, 20, 30, 50)
SATURATED = {"sigmoid": 37, "tanh": 19}
"""By activation, beyond what argument it is where it stays to the last digit, so that clipping it changes nothing."""


@dataclass(frozen=True)
class Rewrite:
    """One mistake in one equation.

    kind: what sort of mistake; sentence: what is wrong, ready to be read; expression: the right side with the mistake.
    """

    kind: str
    sentence: str
    expression: Any


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


def same_shape(first: Any, second: Any) -> bool:
    """Tell whether two expressions have one shape for all sizes."""
    return all(same(a, b) for a, b in zip(first.shape, second.shape, strict=True))


Put = Callable[[Any], Any]


def places(e: Any) -> Iterator[tuple[Any, Put]]:
    """Yield every part of an expression with the function that puts something else in its place."""
    yield e, lambda new: new
    parts = _parts(e)
    for k, part in enumerate(parts):
        for inner, put in places(part):
            yield inner, _within(e, parts, k, put)


def _within(e: Any, parts: list[Any], k: int, put: Put) -> Put:
    return lambda new: _rebuilt(e, [*parts[:k], put(new), *parts[k + 1 :]])


def _parts(e: Any) -> list[Any]:
    if isinstance(e, MatrixSymbol):
        return []
    if isinstance(e, BlockMatrix):
        return parts_of(e)
    if isinstance(e, Elementwise):
        return list(e.arguments)
    if isinstance(e, MatrixSlice):
        return [e.parent]
    return [a for a in e.args if isinstance(a, MatrixExpr)]


def _rebuilt(e: Any, parts: list[Any]) -> Any:
    if isinstance(e, BlockMatrix):
        return concat(*parts)
    if isinstance(e, Elementwise):
        return Elementwise(e.function, *parts)
    if isinstance(e, MatrixSlice):
        start, stop, _ = e.rowslice
        return rows(parts[0], start, stop)
    if isinstance(e, Transpose):
        return transpose(parts[0])
    scalars = [a for a in e.args if not isinstance(a, MatrixExpr)]
    return e.func(*scalars, *parts, evaluate=False)


def _exchanged(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """One value for another of its shape and role: W_i for W_f, c' for c, i for f, δa_i for δa_f."""
    known = _known_before(equation, program)
    for part, put in places(equation.expression):
        if isinstance(part, MatrixSymbol):
            for other in known:
                if other != part and same_shape(other, part) and _alike(part, other, program):
                    what = f"uses {symbol_text(other.name)} where the spec has {symbol_text(part.name)}"
                    yield Rewrite("exchange", f"{_name(equation)} {what}, in {equation}", put(other))


def _swapped(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """Two values of one shape and role in each other's place: c = i∘c' + f∘c̃."""
    symbols = sorted(equation.expression.atoms(MatrixSymbol), key=lambda s: s.name)
    for a, b in combinations(symbols, 2):
        if same_shape(a, b) and _alike(a, b, program):
            sentence = f"{symbol_text(a.name)} and {symbol_text(b.name)} stand in each other's place in {equation}"
            yield Rewrite("swap", sentence, _with(equation.expression, {a: b, b: a}))


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


def _with(e: Any, others: Mapping[Any, Any]) -> Any:
    parts = _parts(e)
    return _rebuilt(e, [_with(part, others) for part in parts]) if parts else others.get(e, e)


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
    yield Rewrite("sign", f"{_name(equation)} has the wrong sign: {equation}", _negative(whole))


def _negative(term: Any) -> Any:
    if isinstance(term, MatMul) and isinstance(term.args[0], Number):
        factor, *others = term.args
        return scale(-factor, matmul(*others)) if factor != -1 or len(others) > 1 else others[0]
    return scale(-1, term)


def activation_of(part: Any) -> str | None:
    """Return the name of the activation that a part of an expression applies, None where it applies none."""
    if not isinstance(part, Elementwise) or part.application is None or len(part.arguments) != 1:
        return None
    return part.application[0]


def _replaced(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """Another activation."""
    for part, put in places(equation.expression):
        if (name := activation_of(part)) is not None:
            for other in MISTAKEN_FOR.get(name, ()):
                wrong = apply(other, *part.arguments)
                sentence = f"{text(wrong)} stands where the spec has {text(part)}, in {equation}"
                yield Rewrite("activation", sentence, put(wrong))


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


def _scaled(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """The whole, or one term of a sum, doubled or halved."""
    for factor, what in ((2, "doubled"), (Number(1) / 2, "halved")):
        yield Rewrite("scale", f"{_name(equation)} is {what}: {equation}", scale(factor, equation.expression))
        for part, put in places(equation.expression):
            for k, term in enumerate(part.args if isinstance(part, MatAdd) else ()):
                terms = (scale(factor, a) if j == k else a for j, a in enumerate(part.args))
                yield Rewrite("scale", f"{text(term)} is {what} in {equation}", put(add(*terms)))


def _clipped(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """A pre-activation or a state that is clipped although the spec says nothing of it."""
    name = parse_name(equation.name)
    # The first state is the output, which the gate and the squash already keep within limits of their own.
    if name.adjoint or not (name.base == "a" or equation.name in program.states[1:]):
        return
    read_by = {activation_of(part) for d in program for part, _ in places(d.expression) if _applied_to(part, equation)}
    most = min((SATURATED[str(a)] for a in read_by if a in SATURATED), default=max(CLIP_LIMITS))
    for limit in CLIP_LIMITS:
        if name.base == "a" and limit > most:
            return
        wrong = apply(Lambda(SLOTS[:1], clip(SLOTS[0], -limit, limit)), equation.expression)
        yield Rewrite("clip", f"{_name(equation)} is clipped to ±{limit}", wrong)


def _applied_to(part: Any, equation: Equation) -> bool:
    return activation_of(part) is not None and part.arguments == (equation.symbol,)


def _shifted(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """One added to a pre-activation or taken from it: an offset of a bias that is applied twice or not at all."""
    name = parse_name(equation.name)
    if name.adjoint or name.base != "a":
        return
    shape = equation.symbol.shape
    for number, what in ((1, "1 is added to"), (-1, "1 is subtracted from")):
        wrong = add(equation.expression, ones(*shape) if number == 1 else scale(-1, ones(*shape)))
        yield Rewrite("offset", f"{what} {_name(equation)}: {equation}", wrong)


def _name(equation: Equation) -> str:
    return symbol_text(equation.name)


def _twice(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """The derivative of an activation taken at its output, as if that were its argument: σ(o)∘(1 − σ(o))."""
    activations = {d.symbol: name for d in program if (name := activation_of(d.expression)) is not None}
    if parse_name(equation.name).adjoint and parse_name(equation.name).base == "a":
        for symbol in sorted(equation.expression.atoms(MatrixSymbol) & activations.keys(), key=lambda s: s.name):
            again = apply(activations[symbol], symbol)
            sentence = f"{text(again)} stands wherever the spec has {symbol_text(symbol.name)}, in {equation}"
            yield Rewrite("twice", sentence, _with(equation.expression, {symbol: again}))


_KINDS = (
    *(_exchanged, _swapped, _later, _omitted, _signed, _replaced),
    *(_transposed, _reordered, _scaled, _clipped, _shifted, _twice),
)
