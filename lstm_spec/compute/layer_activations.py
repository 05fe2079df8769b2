"""Activations as array calls on fixed buffers, each with its slope written in its own value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# What a call works on: one array for every step, or a list with an array a step.
Operand = Array | list[Array] | float | None
Call = tuple[Callable[..., object], tuple[Operand, ...]]


@dataclass(frozen=True)
class Activation:
    """An elementwise function y = f(a), evaluated from s = sign·a.

    ``value(s, out, one)`` and ``slope(y, out, one)`` return the calls that write y, and ∂y/∂s, into ``out``;
    ``s`` and ``out`` may be the same. ``one`` is a 0-d array: as an operand it costs half of what a number does.
    ``divisor`` returns those that write 1/y, where that is less work: x∘y is then x divided by it.
    """

    value: Callable[[Operand, Operand, Array], list[Call]]
    slope: Callable[[Array, Array, Array], list[Call]]
    sign: int = 1
    divisor: Callable[[Operand, Operand, Array], list[Call]] | None = None


# σ is 1/(1 + exp(-a)) and nothing else: ½tanh(a/2)+½ has no correct digit left at a = -40. Weights packed with
# sign -1 make the product deliver -a, so that the negation costs nothing. exp may overflow to inf, which is the
# right limit: y = 0 where the exact value is below the smallest normal number.
def _sigmoid(s: Operand, out: Operand, one: Array) -> list[Call]:
    return [*_sigmoid_divisor(s, out, one), (np.reciprocal, (out, out))]


def _sigmoid_divisor(s: Operand, out: Operand, one: Array) -> list[Call]:
    return [(np.exp, (s, out)), (np.add, (out, one, out))]


def _sigmoid_slope(y: Array, out: Array, one: Array) -> list[Call]:
    return [(np.subtract, (y, one, out)), (np.multiply, (out, y, out))]


def _tanh(s: Operand, out: Operand, one: Array) -> list[Call]:
    return [(np.tanh, (s, out))]


def _tanh_slope(y: Array, out: Array, one: Array) -> list[Call]:
    return [(np.multiply, (y, y, out)), (np.subtract, (one, out, out))]


def _ramp(scale: float) -> Activation:
    def value(s: Operand, out: Operand, one: Array) -> list[Call]:
        return [(np.multiply, (s, scale, out)), (np.add, (out, 0.5, out)), (np.clip, (out, 0, 1, out))]

    def slope(y: Array, out: Array, one: Array) -> list[Call]:
        return [(_inside, (y, out)), (np.multiply, (out, scale, out))]

    return Activation(value, slope)


def _inside(y: Array, out: Array) -> None:
    np.copyto(out, (y > 0) & (y < 1))


def _relu(s: Operand, out: Operand, one: Array) -> list[Call]:
    return [(np.clip, (s, 0, None, out))]


def _relu_slope(y: Array, out: Array, one: Array) -> list[Call]:
    return [(np.sign, (y, out))]


def _identity(s: Operand, out: Operand, one: Array) -> list[Call]:
    return [(np.copyto, (out, s))]


def _identity_slope(y: Array, out: Array, one: Array) -> list[Call]:
    return [(np.copyto, (out, one))]


def _softsign_into(s: Array, out: Array) -> None:
    largest = np.finfo(s.dtype).max  # ±inf is ±1, not inf/inf
    bounded = np.clip(s, -largest, largest)
    np.divide(bounded, 1 + np.abs(bounded), out)


def _softsign(s: Operand, out: Operand, one: Array) -> list[Call]:
    return [(_softsign_into, (s, out))]


def _softsign_slope(y: Array, out: Array, one: Array) -> list[Call]:
    return [(np.abs, (y, out)), (np.subtract, (one, out, out)), (np.multiply, (out, out, out))]


def _softplus_into(s: Array, out: Array) -> None:
    tail = np.log1p(np.exp(-np.abs(s)))  # np.logaddexp warns of a NaN
    np.clip(s, 0, None, out)
    np.add(out, tail, out)


def _softplus(s: Operand, out: Operand, one: Array) -> list[Call]:
    return [(_softplus_into, (s, out))]


def _softplus_slope(y: Array, out: Array, one: Array) -> list[Call]:
    return [(np.negative, (y, out)), (np.expm1, (out, out)), (np.negative, (out, out))]


ACTIVATIONS = {
    "sigmoid": Activation(_sigmoid, _sigmoid_slope, sign=-1, divisor=_sigmoid_divisor),
    "tanh": Activation(_tanh, _tanh_slope),
    "hard_sigmoid": _ramp(1 / 6),
    "hard_sigmoid_onnx": _ramp(0.2),
    "relu": Activation(_relu, _relu_slope),
    "identity": Activation(_identity, _identity_slope),
    "softsign": Activation(_softsign, _softsign_slope),
    "softplus": Activation(_softplus, _softplus_slope),
}
