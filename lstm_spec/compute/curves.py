"""The elementwise functions of one number, as far as their rounding error needs them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A function of one number, as far as its error needs it.

    value; slope: |f'|; steepest: where |f'| is largest, and away from which it falls on both sides, so that the largest
    slope over an interval is the one at its point nearest to ``steepest``; width: the length of the range; scale: the
    size of the numbers that the value is the difference of, to which its absolute error is relative.
    """

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    steepest: float
    width: float = np.inf
    scale: float = 1.0


def _logistic(a: Array) -> Array:
    right = a >= 0
    e = np.exp(np.where(right, -a, a))
    return np.where(right, 1, e) / (1 + e)


def _logistic_slope(a: Array) -> Array:
    e = np.exp(-np.abs(a))
    return e / (1 + e) ** 2


def _erf(a: Array) -> Array:
    return np.vectorize(math.erf, otypes=[np.float64])(a)


def _flat(a: Array) -> Array:
    return np.ones_like(a)


def _hard_sigmoid(alpha: float, beta: float) -> Curve:
    # The slope counts at the kinks themselves too: an interval that touches one may rise with it.
    return Curve(
        value=lambda a: np.clip(alpha * a + beta, 0, 1),
        slope=lambda a: np.where((alpha * a + beta >= 0) & (alpha * a + beta <= 1), abs(alpha), 0.0),
        steepest=(0.5 - beta) / alpha,
        width=1.0,
        scale=max(1.0, abs(beta)),
    )


def _leaky_relu(alpha: float) -> Curve:
    return Curve(
        value=lambda a: np.where(a >= 0, a, alpha * a),
        slope=lambda a: np.where(a == 0, max(1.0, abs(alpha)), np.where(a > 0, 1.0, abs(alpha))),
        steepest=np.inf if abs(alpha) <= 1 else -np.inf,
    )


def _thresholded_relu(alpha: float) -> Curve:
    # Near the jump the value may be either, and no slope says how far that is.
    return Curve(
        value=lambda a: np.where(a >= alpha, a, 0.0),
        slope=lambda a: np.where(a == alpha, np.inf, np.where(a > alpha, 1.0, 0.0)),
        steepest=alpha,
    )


def _elu(alpha: float) -> Curve:
    return Curve(
        value=lambda a: np.where(a >= 0, a, alpha * np.expm1(np.minimum(a, 0))),
        slope=lambda a: np.maximum(np.where(a >= 0, 1.0, 0.0), np.where(a <= 0, abs(alpha) * np.exp(a), 0.0)),
        steepest=np.inf if abs(alpha) <= 1 else 0.0,
        scale=max(1.0, abs(alpha)),
    )


CURVES: Mapping[str, Callable[..., Curve]] = MappingProxyType(
    {
        "sigmoid": lambda: Curve(_logistic, _logistic_slope, 0.0, 1.0),
        "tanh": lambda: Curve(np.tanh, lambda a: 4 * _logistic_slope(2 * a), 0.0, 2.0),
        "softplus": lambda: Curve(lambda a: np.logaddexp(0, a), _logistic, np.inf),
        "softsign": lambda: Curve(lambda a: a / (1 + np.abs(a)), lambda a: (1 + np.abs(a)) ** -2, 0.0, 2.0),
        "exp": lambda: Curve(np.exp, np.exp, np.inf),
        "log": lambda: Curve(np.log, lambda a: 1 / np.abs(a), 0.0),
        # The slopes of these rise and fall again and again; 1 is above them all.
        "sin": lambda: Curve(np.sin, _flat, 0.0, 2.0),
        "cos": lambda: Curve(np.cos, _flat, 0.0, 2.0),
        "atan": lambda: Curve(np.arctan, lambda a: 1 / (1 + a * a), 0.0, np.pi),
        "erf": lambda: Curve(_erf, lambda a: 2 / np.sqrt(np.pi) * np.exp(-a * a), 0.0, 2.0),
        "sqrt": lambda: Curve(np.sqrt, lambda a: 0.5 / np.sqrt(a), 0.0),
        "relu": lambda: Curve(lambda a: np.maximum(a, 0), lambda a: np.where(a >= 0, 1.0, 0.0), np.inf),
        "leaky_relu": _leaky_relu,
        "thresholded_relu": _thresholded_relu,
        "elu": _elu,
        # At a kink any slope between the two one-sided ones is right, so near it the step may be anything from 0 to 1.
        "step": lambda: Curve(lambda a: np.where(a > 0, 1.0, 0.0), lambda a: np.where(a == 0, np.inf, 0.0), 0.0, 1.0),
        "identity": lambda: Curve(lambda a: a, _flat, 0.0),
        "magnitude": lambda: Curve(np.abs, _flat, 0.0),
        "hard_sigmoid": _hard_sigmoid,
        "clip": lambda low, high: Curve(
            lambda a: np.clip(a, low, high),
            lambda a: np.where((a >= low) & (a <= high), 1.0, 0.0),
            (low + high) / 2,
            high - low,
        ),
    }
)
"""The functions that have an error rule, by name; the constants of a function are the arguments of its entry."""
