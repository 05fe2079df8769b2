"""One cell over a sequence with error bounds, forward and back: the runs that a network with bounds is composed of."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from sympy import MatrixSymbol

from lstm_spec.calculus.adjoint import adjoint_symbol, backward
from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.engine import Pull, Trace
from lstm_spec.compute.lengths import alive
from lstm_spec.compute.network import Arithmetic
from lstm_spec.compute.recipe import Environment, scalars_of
from lstm_spec.compute.rounding import Array, Bounded, plain_sum, scaled, times
from lstm_spec.compute.stages import Stages, by_step, run_stages, split
from lstm_spec.spec.lengths import ALIVE, held
from lstm_spec.spec.program import Program


def bounded(contract: Accuracy, shown: Mapping[str, Bounded] = MappingProxyType({})) -> Arithmetic:
    """Return the arithmetic of values with the bounds of their errors.

    shown: for a single cell, adjoints (T, B, m) of computed values by name, as an implementation itself used them.
    """

    def run(
        cell: Program, params: Mapping[str, Any], x: Any, states: tuple[Any, ...], lengths: Any, returned: Any
    ) -> Trace:
        return bounded_trace(cell, params, x, states, lengths, returned, contract, shown)

    return Arithmetic(
        run=run,
        each=_each,
        add=lambda a, b: plain_sum([a, b], contract),
        multiply=lambda a, b: times(a, b, contract),
        halve=lambda a: scaled(0.5, a, contract),
        # One long sum has twice the roundings, and every one of them may be as large as in the sum of both.
        join=lambda a, b: plain_sum([Bounded(v.value, 2 * v.errors) for v in (a, b)], contract),
        total=lambda a: plain_sum([Bounded(v, e) for v, e in zip(a.value, a.errors, strict=True)], contract),
    )


def _each(change: Callable[..., Array], *values: Bounded) -> Bounded:
    error = None if all(v.error is None for v in values) else change(*(v.errors for v in values))
    return Bounded(change(*(v.value for v in values)), error)


@lru_cache(maxsize=256)
def forward_stages(cell: Program, *, forced: bool = True) -> Stages:
    """Split the equations of a cell for a recurrence whose first state is given at every step, or for a free one.

    >>> from lstm_spec.spec.cells import lstm
    >>> stages = forward_stages(lstm())
    >>> [name for name, _ in stages.through], [name for name, _ in stages.after]
    (['c'], ['h'])
    """
    carried = [(before.name, after.name) for before, after in cell.recurrence[forced:]]
    return split(cell.definitions, carried, cell.shared)


@lru_cache(maxsize=256)
def backward_stages(cell: Program, shown: frozenset[str] = frozenset()) -> Stages:
    """Split the adjoints of a cell for a recurrence that runs against time.

    Those that are shown are given, and what the equations say of them goes by another name.
    """
    program = backward(cell)
    carried = [(arriving.name, leaving.name) for arriving, leaving in program.carried]
    equations = [replace(d, symbol=_own(d.symbol)) if d.name in shown else d for d in program.derived]
    return split(equations, carried, program.shared)


def _own(symbol: MatrixSymbol) -> MatrixSymbol:
    return MatrixSymbol(f"{symbol.name}_own", *symbol.shape)


def bounded_trace(
    cell: Program,
    params: Mapping[str, Bounded],
    x: Bounded,
    states: tuple[Bounded, ...],
    lengths: Array | None,
    returned: Array | None,
    contract: Accuracy,
    shown: Mapping[str, Bounded] = MappingProxyType({}),
) -> Trace:
    """Run a cell over x (T, B, n) from initial states (B, m), with bounds.

    lengths: (B,) where rows have them; past one, y and the states stay what they are. returned: the first state of
    every step as somebody returned it, from which the next step then starts; without it every error is carried on.
    shown: adjoints as somebody used them, from which the others then follow.
    """
    T, B, _ = x.value.shape
    values: dict[str, Bounded] = dict(params)
    if lengths is not None:
        cell, lasting = held(cell), alive(lengths, T)
        # What stands past an end is nobody's business, not even if it is NaN.
        x = _each(lambda a: np.where(lasting, a, 0), x)
        values[ALIVE] = _rows(Bounded(lasting.astype(np.float64)))
        if returned is not None:
            returned = returned[np.minimum(np.arange(T)[:, None], np.maximum(lengths - 1, 0)), np.arange(B)]
    before = {b.name: s.value for (b, _), s in zip(cell.recurrence, states, strict=True)}
    arrays = {**{name: p.value for name, p in params.items()}, **before, cell.inputs[0].name: x.value}
    known = Environment(values, scalars_of(cell, arrays))
    known.values[cell.inputs[0].name] = _rows(x)
    if returned is not None:
        shifted = _each(
            lambda h0, h: np.concatenate([h0[None], h[:-1]]), states[0], Bounded(np.asarray(returned, float))
        )
        known.values[cell.recurrence[0][0].name] = _rows(shifted)
    forced = returned is not None
    run_stages(forward_stages(cell, forced=forced), known, states[forced:], (T, B), contract)
    every = [by_step(known.values[name], T, B) for name in cell.states]

    def pull(dy: Bounded, *dstates: Bounded) -> Pull:
        adjoints = Environment({**known.values, "dy": _rows(dy)}, known.scalars)
        adjoints.values.update({name: _seen(_rows(a), contract) for name, a in shown.items()})
        stages = backward_stages(cell, frozenset(shown))
        initial = run_stages(stages, adjoints, dstates, (T, B), contract, reverse=True)
        found = {p.name: adjoints.values[adjoint_symbol(cell, p).name] for p in cell.parameters}
        dx = by_step(adjoints.values[adjoint_symbol(cell, cell.inputs[0]).name], T, B)
        own = {name: by_step(adjoints.values[f"{name}_own"], T, B) for name in shown}
        return Pull(found, dx, initial, _all_or_none(own))

    return Trace(every[0], tuple(Bounded(e.value[-1], e.errors[-1]) for e in every), pull)


def _all_or_none(shown: Mapping[str, Bounded]) -> dict[str, Bounded]:
    """Give up on all that a row shows at a step where one of it may overflow: 0·∞ would hide the others."""
    if not shown:
        return {}
    finite = np.logical_and.reduce([np.isfinite(b.errors).all(axis=-1, keepdims=True) for b in shown.values()])
    return {name: Bounded(b.value, np.where(finite, b.errors, np.inf)) for name, b in shown.items()}


def _seen(given: Bounded, contract: Accuracy) -> Bounded:
    """Return rows as a product of an implementation showed them: rounded before, flushed, or unknown if no numbers."""
    finite = np.isfinite(given.value)
    value = np.where(finite, given.value, 0)
    doubt = given.errors + contract.tiny + 2 * contract.products * np.abs(value)
    return Bounded(value, np.where(finite, doubt, np.inf))


def _rows(b: Bounded) -> Bounded:
    """Return a sequence (T, B, size) as rows (T·B, size)."""
    return _each(lambda a: a.reshape(-1, a.shape[-1]), b)
