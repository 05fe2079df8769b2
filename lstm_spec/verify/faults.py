"""The faults of implementations that are no wrong equation: of states, and of what is kept from call to call.

Each is a decorator around a correct forward pass, ``forward(params, x, *states) -> (y, *states)``, for any cell.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sympy import BlockMatrix, MatMul

from lstm_spec.compute.compile import Array
from lstm_spec.spec.operators import parts_of
from lstm_spec.spec.program import Program
from lstm_spec.verify.around import Named, Params, around, on_arguments, on_results, stepped, with_state
from lstm_spec.verify.hypotheses import Forward, Hypothesis
from lstm_spec.verify.precision_faults import precision_faults
from lstm_spec.verify.sequence_faults import sequence_faults

PERIODS = (2, 4, 8, 16, 64)
"""After how many steps a state may be reset."""

LIMITS = (1, 3, 5, 10, 20, 50)
"""To what a returned state may be clipped."""


def faults(cell: Program) -> tuple[Hypothesis, ...]:
    """Return the faults of implementations that the states of a cell leave room for.

    >>> from lstm_spec.spec.cells import lstm
    >>> [f.sentence for f in faults(lstm())][:2]
    ['the initial h is ignored', 'the initial c is ignored']
    """
    states, calls = around("states", cell, _of_states(cell)), around("calls", cell, _of_calls(cell))
    return (*states, *sequence_faults(cell), *precision_faults(cell), *calls)


def _of_states(cell: Program) -> Named:
    names = cell.states
    for k, name in enumerate(names):
        zeroed = lambda p, x, *s, k=k: (p, x, *with_state(s, k, np.zeros_like(s[k])))  # noqa: E731
        yield f"initial-{name}-ignored", f"the initial {name} is ignored", on_arguments(zeroed)
    if len(names) > 1:
        no_states = lambda p, x, *s: (p, x, *map(np.zeros_like, s))  # noqa: E731
        yield "initial-states-ignored", "the initial states are ignored", on_arguments(no_states)
        swapped = lambda p, x, h, c, *s: (p, x, c, h, *s)  # noqa: E731
        first, second = names[:2]
        if _like(cell, 0, 1):
            what = f"the initial {first} and {second} are taken for each other"
            yield "initial-states-swapped", what, on_arguments(swapped)
            doubled = lambda p, x, h, c, *s: (p, x, h, h, *s)  # noqa: E731
            yield f"initial-{second}-is-{first}", f"{second} begins as the initial {first}", on_arguments(doubled)
            what = f"the final {first} and {second} are returned in each other's place"
            yield "final-states-swapped", what, on_results(lambda y, h, c, *s: (y, c, h, *s))
            yield "y-is-second-state", f"y holds {second} of every step where the spec has {first}", _all_second
            yield "y-holds-second-state", f"y ends with {second} where the spec has {first}", on_results(_second_in_y)
    if all(after.shape == cell.recurrence[0][1].shape for _, after in cell.recurrence) and _read_across(cell):
        what = f"{names[0]} is written unit by unit, and the units that follow read it as it is after the step"
        yield f"{names[0]}-in-place", what, stepped(_unit_by_unit)
    for k, name in enumerate(names):
        untouched = lambda f, k=k: lambda p, x, *s: (lambda y, *a: (y, *with_state(tuple(a), k, s[k])))(*f(p, x, *s))  # noqa: E731
        yield f"final-{name}-is-initial", f"the final {name} is the initial one", untouched
        lost = lambda y, *s, k=k: (y, *with_state(s, k, np.zeros_like(s[k])))  # noqa: E731
        yield f"final-{name}-zero", f"the final {name} is zero", on_results(lost)
        restart = lambda f, p, x, s, s0, t, k=k: f(p, x, *with_state(s, k, s0[k]))  # noqa: E731
        yield f"{name}-not-carried", f"every step starts from the initial {name}", stepped(restart)
        for period in PERIODS:
            what = f"{name} is reset to zero every {period} steps"
            yield f"{name}-reset-{period}", what, stepped(_reset(k, period))
            what = f"{name} is reset to zero before every {_ordinal(period)} step"
            yield f"{name}-reset-{period}-early", what, stepped(_reset(k, period, 1))
        if k:
            for limit in LIMITS:
                cut = lambda y, *s, k=k, v=limit: (y, *with_state(s, k, np.clip(s[k], -v, v)))  # noqa: E731
                yield (
                    f"final-{name}-clipped-{limit}",
                    f"the final {name} is returned clipped to ±{limit}",
                    on_results(cut),
                )


def _read_across(cell: Program) -> bool:
    """Tell whether a unit reads the first state of others."""
    before = cell.recurrence[0][0]
    joined = [d.symbol for d in cell if isinstance(d.expression, BlockMatrix) and before in parts_of(d.expression)]
    products = {product for d in cell for product in d.expression.atoms(MatMul)}
    return any(symbol in product.args for product in products for symbol in (before, *joined))


def _unit_by_unit(f: Forward, p: Params, x: Array, s: tuple[Array, ...], s0: tuple[Array, ...], t: int) -> Any:
    after = tuple(np.empty_like(v) for v in s)
    mixed = s[0].copy()
    for unit in range(mixed.shape[-1]):
        _, *found = f(p, x, *with_state(s, 0, mixed))
        for new, value in zip(after, found, strict=True):
            new[:, unit] = value[:, unit]
        mixed[:, unit] = after[0][:, unit]
    return after[0][None], *after


def _like(cell: Program, first: int, second: int) -> bool:
    (a, _), (b, _) = cell.recurrence[first], cell.recurrence[second]
    return bool(a.shape == b.shape)


def _second_in_y(y: Array, h: Array, c: Array, *states: Array) -> tuple[Array, ...]:
    return np.concatenate([y[:-1], c[None]]), h, c, *states


def _all_second(forward: Forward) -> Forward:
    def run(params: Params, x: Array, *states: Array) -> tuple[Array, ...]:
        held = []
        for t in range(len(x)):
            _, *after = forward(params, x[t : t + 1], *states)
            states = tuple(after)
            held.append(states[1])
        return np.stack(held), *states

    return run


def _ordinal(number: int) -> str:
    return {2: "second"}.get(number, f"{number}th")


def _reset(k: int, period: int, early: int = 0) -> Any:
    def advance(f: Forward, p: Params, x: Array, s: tuple[Array, ...], s0: tuple[Array, ...], t: int) -> Any:
        return f(p, x, *(with_state(s, k, np.zeros_like(s[k])) if t and (t + early) % period == 0 else s))

    return advance


def _of_calls(cell: Program) -> Named:
    yield "stateful", "the states of the call before are used in place of the initial ones", _stateful
    yield "x-changed", "x is changed in place", _spoiling(lambda p, x, *s: x)
    yield "state-changed", f"the initial {cell.states[0]} is changed in place", _spoiling(lambda p, x, *s: s[0])
    yield "parameter-changed", "a parameter is changed in place", _spoiling(lambda p, x, *s: next(iter(p.values())))


def _stateful(forward: Forward) -> Forward:
    kept: dict[tuple[int, ...], tuple[Array, ...]] = {}

    def remembering(params: Params, x: Array, *states: Array) -> tuple[Array, ...]:
        y, *final = forward(params, x, *kept.get(states[0].shape, states))
        kept[states[0].shape] = tuple(v.copy() for v in final)
        return y, *final

    return remembering


def _spoiling(which: Callable[..., Array]) -> Callable[[Forward], Forward]:
    def decorator(forward: Forward) -> Forward:
        def spoiling(*given: Any) -> tuple[Array, ...]:
            outputs = forward(*given)
            array = which(*given)
            array += 1
            return outputs

        return spoiling

    return decorator
