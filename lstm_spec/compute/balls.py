"""The exact values of a cell: its equations in ball arithmetic, precise enough for every ball to be tiny.

A ball is a number with a radius, and the true value certainly lies in it. The float64 reference itself is tested
against this; a verdict does not need it. It takes python-flint: ``pip install 'lstm_spec[test]'``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from lstm_spec.compute.compile import Array, Params
from lstm_spec.spec.notation import text
from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.program import Program, names_in

LARGEST_PRECISION = 1 << 16
"""Bits beyond which a radius that is still too large stays so, as on a jump."""


@dataclass(frozen=True)
class Balls:
    """An array of balls, each a python-flint ``arb``."""

    entries: Array

    @property
    def midpoint(self) -> NDArray[np.float64]:
        """The midpoints, rounded to float64."""
        return self._each(lambda ball: float(ball.mid()))

    @property
    def radius(self) -> NDArray[np.float64]:
        """The radii, rounded upward."""
        return self._each(lambda ball: _upward(ball.rad()))

    def distance(self, numbers: Array) -> NDArray[np.float64]:
        """Return how far numbers are from the true values at most; infinite for what is no finite number."""
        apart = self.entries - _exactly(np.where(np.isfinite(numbers), numbers, 0))
        return np.where(np.isfinite(numbers), Balls(apart)._each(_upward), np.inf)

    def _each(self, read: Callable[[Any], float]) -> NDArray[np.float64]:
        return np.vectorize(read, otypes=[np.float64])(self.entries)


def _upward(ball: Any) -> float:
    return float(np.nextafter(float(ball.abs_upper()), np.inf))


def _exactly(array: Array) -> Array:
    from flint import arb

    return np.vectorize(lambda number: arb(float(number)), otypes=[object])(array)


def exact(
    cell: Program, params: Params, x: Array, *states: Array, y: Array | None = None, radius: float = 1e-30
) -> tuple[Balls, ...]:
    """Return what a cell gives over a sequence in exact arithmetic, as ``run`` does: (y, *states).

    params, x, states: as in ``run``, every number taken as it is. y: (T, B, m), the first state of every step as
    somebody returned it; the next step then starts from that. radius: precision is raised until no ball is larger.
    Raises ValueError for an operator without a rule, ArithmeticError where no precision gives such balls.

    >>> from lstm_spec.spec.cells import lstm
    >>> params = {name: np.ones(shape) for name, shape in lstm().dimensions(n=1, m=1).items()}
    >>> y, h, c = exact(lstm(), params, np.ones((3, 1, 1)), np.zeros((1, 1)), np.zeros((1, 1)))
    >>> h.midpoint.round(4), bool(h.radius.max() < 1e-30)
    (array([[0.9353]]), True)
    """
    from flint import ctx

    precision = 128
    while precision <= LARGEST_PRECISION:
        with ctx.workprec(precision):
            results = _run(cell, params, x, states, y)
        if all(np.all(balls.radius <= radius) for balls in results):
            return results
        precision *= 2
    raise ArithmeticError(f"{LARGEST_PRECISION} bits do not bring {cell.name} within {radius:g} of its exact values")


def _run(cell: Program, params: Params, x: Array, states: tuple[Array, ...], y: Array | None) -> tuple[Balls, ...]:
    given = [cell.inputs[0].name, *(before.name for before, _ in cell.recurrence)]
    known = {name: _exactly(p.reshape(len(p), -1)) for name, p in params.items()}
    # One column for every row of the batch, as the equations have it.
    current = [_exactly(s.T) for s in states]
    sequence = []
    for t, x_t in enumerate(x):
        if y is not None and t > 0:
            current[0] = _exactly(y[t - 1].T)
        known |= zip(given, (_exactly(x_t.T), *current), strict=True)
        for definition in cell:
            known[definition.name] = _evaluate(definition.expression, cell, known)
        current = [known[name] for name in cell.states]
        sequence.append(current[0].T)
    return (Balls(np.stack(sequence)), *(Balls(state.T) for state in current))


def _evaluate(e: Any, cell: Program, known: Params) -> Array:
    """Return the value of an expression with one column for every row of the batch, or one if it is shared."""

    def of(part: Any) -> Any:
        return _evaluate(part, cell, known) if getattr(part, "is_Matrix", False) else _scalar(part, {})

    if isinstance(e, sp.MatrixSymbol):
        return known[e.name]
    if isinstance(e, sp.MatAdd | sp.HadamardProduct):
        # A column of ones is as good as a one, since the sum or product has another term that gives it its size.
        parts: list[Any] = [int(isinstance(a, sp.OneMatrix)) if isinstance(a, _CONSTANT) else of(a) for a in e.args]
        return reduce(add if isinstance(e, sp.MatAdd) else mul, parts)
    if isinstance(e, sp.MatMul):
        return reduce(lambda a, b: a @ b if np.ndim(a) and np.ndim(b) else a * b, [of(a) for a in e.args])
    if isinstance(e, Elementwise):
        body, slots = e.function.expr.doit(), e.function.variables
        compute = np.frompyfunc(lambda *at: _scalar(body, dict(zip(slots, at, strict=True))), len(slots), 1)
        return compute(*(of(a) for a in e.arguments))
    if isinstance(e, sp.Transpose) and names_in(e) <= cell.shared:
        return of(e.arg).T
    if isinstance(e, sp.BlockMatrix):
        return np.concatenate([of(part) for part in parts_of(e)])
    raise ValueError(f"{text(e)} ({type(e).__name__}) has no rule in ball arithmetic")


_CONSTANT = (sp.OneMatrix, sp.ZeroMatrix)


def _scalar(e: Any, slots: Mapping[Any, Any]) -> Any:
    """Compute a scalar expression of numbers and of the functions that SymPy has."""
    from flint import arb, fmpq

    if e in slots:
        return slots[e]
    if e.is_Rational:
        return arb(fmpq(int(e.p), int(e.q)))
    if e.func not in _FUNCTIONS:
        raise ValueError(f"{e} ({e.func.__name__}) has no rule in ball arithmetic")
    return _FUNCTIONS[e.func](*(_scalar(a, slots) for a in e.args))


_FUNCTIONS: Mapping[Any, Callable[..., Any]] = MappingProxyType(
    {
        sp.Add: lambda *terms: reduce(add, terms),
        sp.Mul: lambda *factors: reduce(mul, factors),
        sp.Pow: lambda base, exponent: base**exponent,
        sp.Max: lambda *values: reduce(lambda a, b: a.max(b), values),
        sp.Min: lambda *values: reduce(lambda a, b: a.min(b), values),
        sp.Abs: abs,
        sp.exp: lambda a: a.exp(),
        sp.tanh: lambda a: a.tanh(),
        sp.log: lambda a: a.log(),
    }
)
