"""The exact values of a cell: its equations in ball arithmetic, precise enough for every ball to be tiny.

A ball is a number with a radius, and the true value certainly lies in it. The float64 reference itself is tested
against this; a verdict does not need it. It takes python-flint: ``pip install 'lstm_spec[test]'``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.calculus.adjoint import adjoint_symbol, backward
from lstm_spec.compute.compile import Array, Params
from lstm_spec.compute.recipe import scalars_of
from lstm_spec.spec.equation import Equation, names_in
from lstm_spec.spec.notation import text
from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.program import Program

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
    return _precise(cell, radius, lambda: _run(cell, params, x, states, y))


def exact_gradients(
    cell: Program,
    params: Params,
    x: Array,
    states: tuple[Array, ...],
    dy: Array,
    dstates: tuple[Array, ...],
    *,
    y: Array | None = None,
    radius: float = 1e-30,
) -> dict[str, Balls]:
    """Return the gradients over a sequence in exact arithmetic, by name as ``gradients`` does.

    params, x, states, dy, dstates: as in ``gradients``; y, radius, and what is raised: as in ``exact``.

    >>> from lstm_spec.spec.cells import lstm
    >>> params = {name: np.ones(shape) for name, shape in lstm().dimensions(n=1, m=1).items()}
    >>> one = np.ones((1, 1))
    >>> found = exact_gradients(lstm(), params, np.ones((3, 1, 1)), (one, one), np.zeros((3, 1, 1)), (one, one))
    >>> found["W_f"].midpoint.round(4)
    array([[0.2618, 0.2461]])
    """
    names = [*(p.name for p in cell.parameters), "x", *(f"{name}0" for name in cell.states)]
    balls = _precise(cell, radius, lambda: _run_backward(cell, params, x, states, dy, dstates, y))
    return dict(zip(names, balls, strict=True))


def _precise(cell: Program, radius: float, compute: Callable[[], tuple[Balls, ...]]) -> tuple[Balls, ...]:
    """Return what is computed, in the first precision that makes every ball small enough."""
    from flint import ctx

    precision = 128
    while precision <= LARGEST_PRECISION:
        with ctx.workprec(precision):
            results = compute()
        if all(np.all(balls.radius <= radius) for balls in results):
            return results
        precision *= 2
    raise ArithmeticError(f"{LARGEST_PRECISION} bits do not bring {cell.name} within {radius:g} of its exact values")


def _run(cell: Program, params: Params, x: Array, states: tuple[Array, ...], y: Array | None) -> tuple[Balls, ...]:
    steps = _steps(cell, params, x, states, y)
    sequence = [known[cell.states[0]].T for known in steps]
    return (Balls(np.stack(sequence)), *(Balls(steps[-1][name].T) for name in cell.states))


def _steps(
    cell: Program, params: Params, x: Array, states: tuple[Array, ...], y: Array | None
) -> list[dict[str, Array]]:
    """Return every value of every step."""
    given = [cell.inputs[0].name, *(before.name for before, _ in cell.recurrence)]
    known: dict[Any, Any] = {name: _exactly(p.reshape(len(p), -1)) for name, p in params.items()}
    previous = {before.name: s for (before, _), s in zip(cell.recurrence, states, strict=True)}
    scalars = scalars_of(cell, {**params, **previous, cell.inputs[0].name: x})
    known |= {symbol: _exactly(np.asarray(value)).item() for symbol, value in scalars.items()}
    # One column for every row of the batch, as the equations have it.
    current = [_exactly(s.T) for s in states]
    steps = []
    for t, x_t in enumerate(x):
        if y is not None and t > 0:
            current[0] = _exactly(y[t - 1].T)
        step = {**known, **dict(zip(given, (_exactly(x_t.T), *current), strict=True))}
        _compute(cell.definitions, cell, step)
        current = [step[name] for name in cell.states]
        steps.append(step)
    return steps


def _run_backward(
    cell: Program,
    params: Params,
    x: Array,
    states: tuple[Array, ...],
    dy: Array,
    dstates: tuple[Array, ...],
    y: Array | None,
) -> tuple[Balls, ...]:
    program = backward(cell)
    arriving = [_exactly(d.T) for d in dstates]
    total: dict[str, Any] = {p.name: 0 for p in cell.parameters}
    dx = []
    for known, dy_t in zip(reversed(_steps(cell, params, x, states, y)), reversed(dy), strict=True):
        known |= {"dy": _exactly(dy_t.T)}
        known |= zip((before.name for before, _ in program.carried), arriving, strict=True)
        _compute(program.derived, program, known)
        arriving = [known[leaving.name] for _, leaving in program.carried]
        dx.append(known[adjoint_symbol(cell, cell.inputs[0]).name].T)
        for p in cell.parameters:
            total[p.name] = total[p.name] + known[adjoint_symbol(cell, p).name]
    parameters = (Balls(total[name].reshape(params[name].shape)) for name in total)
    return (*parameters, Balls(np.stack(dx[::-1])), *(Balls(state.T) for state in arriving))


def _compute(definitions: Iterable[Equation], program: Program, known: dict[str, Array]) -> None:
    """Add the values of equations to those that are known; a shared column is summed over the rows of the batch."""
    for d in definitions:
        value = _evaluate(d.expression, known)
        summed = d.shared and d.expression.shape[1] == 1 and names_in(d.expression) - program.shared
        known[d.name] = value.sum(axis=1, keepdims=True) if summed else value


def _evaluate(e: Any, known: Mapping[Any, Any]) -> Array:
    """Return the value of an expression with one column for every row of the batch, or one if it is shared."""

    def of(part: Any) -> Any:
        return _evaluate(part, known) if getattr(part, "is_Matrix", False) else _scalar(part, known)

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
        constants = {s: known[s] for s in body.free_symbols.difference(slots)}

        def entry(*at: Any) -> Any:
            return _scalar(body, {**constants, **dict(zip(slots, at, strict=True))})

        return np.frompyfunc(entry, len(slots), 1)(*(of(a) for a in e.arguments))
    if isinstance(e, sp.Transpose):
        # Of a per-row vector it stands in u vᵀ only, where the product sums over the rows of the batch.
        return of(e.arg).T
    if isinstance(e, MatrixSlice):
        start, stop = (_whole(side, known) for side in e.rowslice[:2])
        return of(e.parent)[start:stop]
    if isinstance(e, _CONSTANT):
        return _exactly(np.full([_whole(side, known) for side in e.shape], isinstance(e, sp.OneMatrix)))
    if isinstance(e, sp.BlockMatrix):
        return np.concatenate([of(part) for part in parts_of(e)])
    raise ValueError(f"{text(e)} ({type(e).__name__}) has no rule in ball arithmetic")


_CONSTANT = (sp.OneMatrix, sp.ZeroMatrix)


def _whole(side: Any, known: Mapping[Any, Any]) -> int:
    return int(float(_scalar(side, known).mid()))


def _scalar(e: Any, slots: Mapping[Any, Any]) -> Any:
    """Compute a scalar expression of numbers and of the functions that SymPy has."""
    from flint import arb, fmpq

    if e in slots:
        return slots[e]
    if e.is_Rational:
        return arb(fmpq(int(e.p), int(e.q)))
    if e in _NAMED:
        return _NAMED[e](arb)
    if e.func not in _FUNCTIONS:
        raise ValueError(f"{e} ({e.func.__name__}) has no rule in ball arithmetic")
    return _FUNCTIONS[e.func](*(_scalar(a, slots) for a in e.args))


_NAMED: Mapping[Any, Callable[[Any], Any]] = MappingProxyType(
    {sp.pi: lambda arb: arb.pi(), sp.E: lambda arb: arb(1).exp()}
)


def _unit_step(a: Any, at_zero: Any) -> Any:
    from flint import arb

    return arb(1) if a > 0 else arb(0) if a < 0 else at_zero if a == 0 else arb(0.5, 0.5)


_FUNCTIONS: Mapping[Any, Callable[..., Any]] = MappingProxyType(
    {
        sp.Add: lambda *terms: reduce(add, terms),
        sp.Mul: lambda *factors: reduce(mul, factors),
        sp.Pow: lambda base, exponent: base**exponent,
        sp.Max: lambda *values: reduce(lambda a, b: a.max(b), values),
        sp.Min: lambda *values: reduce(lambda a, b: a.min(b), values),
        sp.Abs: abs,
        sp.exp: lambda a: a.exp(),
        sp.sin: lambda a: a.sin(),
        sp.cos: lambda a: a.cos(),
        sp.atan: lambda a: a.atan(),
        sp.erf: lambda a: a.erf(),
        sp.tanh: lambda a: a.tanh(),
        sp.log: lambda a: a.log(),
        sp.Heaviside: _unit_step,
    }
)
