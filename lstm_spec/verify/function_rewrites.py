"""The mistakes that one can make with the functions of an equation: activations, clips, offsets, derivatives."""

from collections.abc import Iterator
from typing import Any

from sympy import HadamardProduct, Lambda, MatrixSymbol

from lstm_spec.spec.equation import Equation
from lstm_spec.spec.functions import SLOTS, clip
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notation import symbol_text, text
from lstm_spec.spec.operators import Elementwise, add, apply, hadamard, one_minus, ones, scale
from lstm_spec.spec.program import Program
from lstm_spec.verify.places import Rewrite, places, with_others, written

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
        yield Rewrite("clip", f"{written(equation)} is clipped to ±{limit}", wrong)


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
        yield Rewrite("offset", f"{what} {written(equation)}: {equation}", wrong)


def _again(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """An activation applied to what it has made already: σ(σ(a_f))."""
    if parse_name(equation.name).adjoint:
        return
    for part, put in places(equation.expression):
        if (name := activation_of(part)) in MISTAKEN_FOR:
            wrong = apply(name, part)
            yield Rewrite("again", f"{text(wrong)} stands where the spec has {text(part)}, in {equation}", put(wrong))


def _squashed(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """An activation around a state that has none: c = tanh(f∘c' + i∘c̃)."""
    if parse_name(equation.name).adjoint or equation.name not in program.states:
        return
    for name in ("tanh", "sigmoid"):
        wrong = apply(name, equation.expression)
        yield Rewrite("squash", f"{text(wrong)} stands for the whole right side of {equation}", wrong)


def _twice(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """The derivative of an activation taken at its output, as if that were its argument: σ(o)∘(1 − σ(o))."""
    activations = {d.symbol: name for d in program if (name := activation_of(d.expression)) is not None}
    if parse_name(equation.name).adjoint and parse_name(equation.name).base == "a":
        for symbol in sorted(equation.expression.atoms(MatrixSymbol) & activations.keys(), key=lambda s: s.name):
            again = apply(activations[symbol], symbol)
            sentence = f"{text(again)} stands wherever the spec has {symbol_text(symbol.name)}, in {equation}"
            yield Rewrite("twice", sentence, with_others(equation.expression, {symbol: again}))


def _slope(equation: Equation, program: Program) -> Iterator[Rewrite]:
    """The derivative of one activation taken for that of another, by its value: 1 − o∘o for o∘(1 − o), or in part."""
    if not parse_name(equation.name).adjoint or parse_name(equation.name).base != "a":
        return
    activations = {d.symbol for d in program if activation_of(d.expression) is not None}
    for gate in sorted(equation.expression.atoms(MatrixSymbol) & activations, key=lambda s: s.name):
        plain, squared = one_minus(gate), one_minus(hadamard(gate, gate))
        for part, put in places(equation.expression):
            wrongs = []
            if part == plain:
                wrongs = [squared]
            elif part == squared:
                wrongs = [hadamard(gate, plain)]
            elif isinstance(part, HadamardProduct) and {gate, plain} <= {*part.args}:
                wrongs = [hadamard(*(a for a in part.args if a not in (gate, plain)), squared)]
            for wrong in wrongs:
                sentence = f"{text(wrong)} stands where the spec has {text(part)}, in {equation}"
                yield Rewrite("slope", sentence, put(wrong))


FUNCTION_KINDS = (_replaced, _again, _squashed, _clipped, _shifted, _twice, _slope)
"""What makes the mistakes of functions, in the order in which they are tried."""
