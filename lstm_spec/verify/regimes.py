"""The kinds of numbers that seeded cases are made of, from plain to nasty, each with what it is there to show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lstm_spec.verify.cases import Shapes

Array = NDArray[Any]
Generator = Callable[[np.random.Generator, "Shapes"], Array]


@dataclass(frozen=True)
class Regime:
    """A kind of numbers: how they are drawn for the shapes of a case, in order, and why there are such cases."""

    numbers: Generator
    reason: str


def _usual(rng: np.random.Generator, shapes: "Shapes", scale: float = 1.0) -> Array:
    """Weights of the usual initialisation, uniform up to 1/√m, times ``scale``; x and states standard normal."""
    parts = [_weights(rng, shape, scale) for shape in shapes.params.values()]
    parts += [rng.standard_normal(shape).ravel() for shape in (shapes.x, *shapes.states, *shapes.cotangents)]
    return np.concatenate(parts)


def _weights(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    return (scale / np.sqrt(shape[0])) * rng.uniform(-1, 1, prod(shape))


def _scaled(scale: float) -> Generator:
    return lambda rng, shapes: _usual(rng, shapes, scale)


def _saturating(rng: np.random.Generator, shapes: "Shapes") -> Array:
    return _usual(rng, shapes) * np.where(rng.random(shapes.count) < 0.3, 30.0, 1.0)


def _wide(rng: np.random.Generator, shapes: "Shapes") -> Array:
    return _usual(rng, shapes) * 10.0 ** rng.uniform(-6, 3, shapes.count)


def _extreme(rng: np.random.Generator, shapes: "Shapes") -> Array:
    return _usual(rng, shapes) * np.where(rng.random(shapes.count) < 0.2, 1e4, 1.0)


def _remembering(rng: np.random.Generator, shapes: "Shapes") -> Array:
    """Small weights, a large memory: the forget gate keeps what a clip or a reset would lose.

    The memory is every state after the first; with a single state, that one.
    """
    count = [prod(s) for s in shapes.states]
    after = sum(prod(s) for s in shapes.cotangents)
    numbers = _usual(rng, shapes, 0.3)
    end = len(numbers) - after
    numbers[end - sum(count[1:] or count) : end] *= 80.0
    biases = 0
    for name, shape in shapes.params.items():
        length = prod(shape)
        if name.endswith("b_f"):
            numbers[biases : biases + length] = rng.uniform(4, 8, length)
        biases += length
    return numbers


def _probing(rng: np.random.Generator, shapes: "Shapes") -> Array:
    """All weights zero but a few: pre-activations isolated, and swept from −100 to 100 through the biases."""
    numbers = _usual(rng, shapes)
    at = 0
    for shape in shapes.params.values():
        length = prod(shape)
        part = numbers[at : at + length]
        if len(shape) == 2:
            part *= rng.random(length) < 1.0 / shape[1]
        else:
            part[:] = rng.choice([-100, -20, -8, -2, 0, 2, 8, 20, 100], length) + rng.standard_normal(length)
        at += length
    return numbers


def _zeros(rng: np.random.Generator, shapes: "Shapes") -> Array:
    """Every other array is zero, or nearly every one."""
    share = rng.choice([0.5, 0.9])
    return _usual(rng, shapes) * np.concatenate([np.full(prod(shape), rng.random() > share) for shape in shapes.all])


def _one_hot(rng: np.random.Generator, shapes: "Shapes") -> Array:
    """Every row of x and of the first state has a single 1, or none; the other states are standard normal."""
    parts = [_weights(rng, shape, 3.0) for shape in shapes.params.values()]
    parts += [_single_ones(rng, shape) for shape in (shapes.x, *shapes.states[:1])]
    parts += [rng.standard_normal(prod(shape)) for shape in (*shapes.states[1:], *shapes.cotangents)]
    return np.concatenate(parts)


def _single_ones(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    rows = rng.integers(-1, shape[-1], shape[:-1])
    return (rows[..., None] == np.arange(shape[-1])).astype(np.float64).ravel()


def _subnormal(rng: np.random.Generator, shapes: "Shapes") -> Array:
    """Some numbers are below the smallest normal one of float16, of float32 and bfloat16, or of float64."""
    return _usual(rng, shapes) * rng.choice([1.0, 1e-6, 1e-39, 1e-309], shapes.count)


REGIMES: Mapping[str, Regime] = MappingProxyType(
    {
        "usual": Regime(_usual, "weights as a layer is initialised with: what everybody computes"),
        "weights x3": Regime(_scaled(3.0), "gates that differ, so that one taken for another shows"),
        "weights x6": Regime(_scaled(6.0), "a recurrence that forgets nothing and amplifies what is off"),
        "weights x1e-3": Regime(_scaled(1e-3), "functions in their linear part: a factor or a slope that is off"),
        "zeros": Regime(_zeros, "arrays that are zero: what is added or divided by although nothing is there"),
        "one-hot": Regime(_one_hot, "a single input at a time: every weight is seen by itself"),
        "saturating": Regime(_saturating, "functions at their ends: a clip, a piecewise σ, a lost tail"),
        "wide range": Regime(_wide, "numbers from 1e-6 to 1e3 beside each other: a sum that loses the small ones"),
        "remembering": Regime(_remembering, "a large memory that is kept: a clip, a reset, a decay"),
        "probing": Regime(_probing, "pre-activations alone, from -100 to 100: each function over its range"),
        "subnormal": Regime(_subnormal, "numbers below the smallest normal one: a division by what was flushed"),
        "extreme": Regime(_extreme, "values of 1e4: an exponential that overflows"),
    }
)
"""How the numbers of seeded cases are made, by name, and why."""
