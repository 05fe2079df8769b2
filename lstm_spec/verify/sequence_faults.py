"""The faults of time and of the batch: steps or rows shifted, reversed, repeated, left out, or mixed."""

from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.spec.program import Program
from lstm_spec.verify.around import Named, Params, around, on_arguments, on_results, stepped, with_state
from lstm_spec.verify.hypotheses import Forward, Hypothesis

KEPT = (0.5, 0.8, 0.9)
"""The shares of numbers that dropout usually keeps, by which some multiply what is never dropped."""


def sequence_faults(cell: Program) -> tuple[Hypothesis, ...]:
    """Return what may go wrong between the steps and between the rows of any cell.

    >>> from lstm_spec.spec.cells import lstm
    >>> sequence_faults(lstm())[0].sentence
    'time runs backwards: step t reads x of step T−1−t'
    """
    return (*around("time", cell, _of_time(cell)), *around("rows", cell, _of_rows(cell)))


def _of_time(cell: Program) -> Named:
    name = cell.states[0]
    reversed_x = lambda p, x, *s: (p, x[::-1], *s)  # noqa: E731
    yield "time-reversed", "time runs backwards: step t reads x of step T−1−t", on_arguments(reversed_x)
    yield "y-reversed", "y is in reversed order of time", on_results(lambda y, *s: (y[::-1].copy(), *s))

    def both(f: Forward) -> Forward:
        return on_results(lambda y, *s: (y[::-1].copy(), *s))(on_arguments(reversed_x)(f))

    yield "reverse-direction", "the sequence is run in the reverse direction", both
    early = lambda p, x, *s: (p, np.concatenate([np.zeros_like(x[:1]), x[:-1]]), *s)  # noqa: E731
    yield "x-late", "step t reads x of the step before", on_arguments(early)
    rolled = lambda p, x, *s: (p, np.roll(x, 1, axis=0), *s)  # noqa: E731
    yield "x-rolled", "step t reads x of the step before, the first step x of the last", on_arguments(rolled)
    again = lambda p, x, *s: (p, np.concatenate([x[:1], x[:-1]]), *s)  # noqa: E731
    yield "x-late-repeated", "step t reads x of the step before, the first step its own", on_arguments(again)
    late = lambda p, x, *s: (p, np.concatenate([x[1:], x[-1:]]), *s)  # noqa: E731
    yield "x-early", "step t reads x of the step after", on_arguments(late)
    padded = lambda p, x, *s: (p, np.concatenate([x[1:], 0 * x[-1:]]), *s)  # noqa: E731
    yield "x-early-zero", "step t reads x of the step after, the last step zero", on_arguments(padded)
    yield "y-late", f"y holds {name} from before each step, not after it", _y_before
    yield "y-all-last", f"y holds the last {name} at every step", on_results(lambda y, *s: (0 * y + y[-1], *s))
    behind = lambda y, *s: (np.concatenate([0 * y[:1], y[:-1]]), *s)  # noqa: E731
    yield "y-late-zero", f"y holds {name} of the step before, and zero at the first step", on_results(behind)
    ahead = lambda y, *s: (np.concatenate([y[1:], y[-1:]]), *s)  # noqa: E731
    yield "y-early", f"y holds {name} of the step after", on_results(ahead)
    repeated = lambda y, *s: (np.concatenate([y[:-1], y[-2:-1] if len(y) > 1 else y]), *s)  # noqa: E731
    yield "last-y-repeated", "y at the last step is that of the step before", on_results(repeated)
    twice = lambda f: lambda p, x, *s: (f(p, x, *s)[0], *f(p, np.concatenate([x, x[-1:]]), *s)[1:])  # noqa: E731
    yield "last-step-twice", "the last step is run twice before the states are returned", twice
    yield "last-step-again", "the last step is run twice, and y ends with the second run", _last_again
    first = lambda f: lambda p, x, *s: (lambda y, *e: (y[1:], *e))(*f(p, np.concatenate([x[:1], x]), *s))  # noqa: E731
    yield "first-step-twice", "the first step is run twice", first
    yield "last-step-dropped", "the last step is not run", _without_last
    yield "first-step-dropped", "the first step is not run", _without_first
    yield "last-y-zero", "y is zero at the last step", on_results(lambda y, *s: (_zeroed(y, -1), *s))
    yield "first-y-zero", "y is zero at the first step", on_results(lambda y, *s: (_zeroed(y, 0), *s))
    constant = lambda p, x, *s: (p, 0 * x + x[:1], *s)  # noqa: E731
    yield "x-first-only", "every step reads x of the first step", on_arguments(constant)
    for kept in KEPT:
        share = lambda p, x, *s, k=kept: (p, (k * x).astype(x.dtype), *s)  # noqa: E731
        yield (
            f"x-times-{kept}",
            f"x is multiplied by {kept}, as a dropout that keeps so much would",
            on_arguments(share),
        )
        scaled = lambda f, p, x, s, s0, t, k=kept: f(p, x, (k * s[0]).astype(s[0].dtype), *s[1:])  # noqa: E731
        what = f"every step reads {name} times {kept}, as a dropout that keeps so much would have it"
        yield f"{name}-times-{kept}", what, stepped(scaled)
    yield "zero-skipped", "a step whose x is zero is skipped: the states stay as they were", stepped(_unless_zero)
    yield "two-before", f"every step reads {name} of two steps before", _two_before
    yield "x-added", "x is added to y where both have one size", _x_added
    yield "no-x", "x is not read", on_arguments(lambda p, x, *s: (p, 0 * x, *s))


def _unless_zero(f: Forward, p: Params, x: Array, s: tuple[Array, ...], s0: tuple[Array, ...], t: int) -> Any:
    y, *after = f(p, x, *s)
    empty = ~x[0].any(axis=-1, keepdims=True)
    return y, *(np.where(empty, old, new) for old, new in zip(s, after, strict=True))


def _two_before(forward: Forward) -> Forward:
    def late(params: Params, x: Array, *states: Array) -> tuple[Array, ...]:
        older, y = states[0], []
        for t in range(len(x)):
            _, *after = forward(params, x[t : t + 1], *with_state(states, 0, older))
            older, states = states[0], tuple(after)
            y.append(states[0])
        return np.stack(y), *states

    return late


def _x_added(forward: Forward) -> Forward:
    def added(params: Params, x: Array, *states: Array) -> tuple[Array, ...]:
        y, *final = forward(params, x, *states)
        return (y + x if x.shape == y.shape else y), *final

    return added


def _zeroed(y: Array, t: int) -> Array:
    y = y.copy()
    y[t] = 0
    return y


def _last_again(forward: Forward) -> Forward:
    def again(params: Params, x: Array, *states: Array) -> tuple[Array, ...]:
        y, *final = forward(params, np.concatenate([x, x[-1:]]), *states)
        return np.concatenate([y[:-2], y[-1:]]), *final

    return again


def _y_before(forward: Forward) -> Forward:
    def late(params: Params, x: Array, *states: Array) -> tuple[Array, ...]:
        y, *final = forward(params, x, *states)
        return np.concatenate([states[0][None], y[:-1]]), *final

    return late


def _without_last(forward: Forward) -> Forward:
    def short(params: Params, x: Array, *states: Array) -> tuple[Array, ...]:
        if len(x) == 1:
            return np.zeros((1, *states[0].shape), x.dtype), *states
        y, *final = forward(params, x[:-1], *states)
        return np.concatenate([y, np.zeros_like(y[:1])]), *final

    return short


def _without_first(forward: Forward) -> Forward:
    def short(params: Params, x: Array, *states: Array) -> tuple[Array, ...]:
        if len(x) == 1:
            return np.zeros((1, *states[0].shape), x.dtype), *states
        y, *final = forward(params, x[1:], *states)
        return np.concatenate([np.zeros_like(y[:1]), y]), *final

    return short


def _of_rows(cell: Program) -> Named:
    first = lambda p, x, *s: (p, x, *(0 * v + v[:1] for v in s))  # noqa: E731
    yield "states-of-first-row", "all rows start from the states of the first row", on_arguments(first)
    yield "x-of-first-row", "all rows read x of the first row", on_arguments(lambda p, x, *s: (p, 0 * x + x[:, :1], *s))
    yield "y-of-first-row", "y of every row is that of the first", on_results(lambda y, *s: (0 * y + y[:, :1], *s))
    rolled = lambda f, p, x, s, s0, t: f(p, x, np.roll(s[0], 1, axis=0), *s[1:])  # noqa: E731
    yield "rows-rolled", f"a row reads {cell.states[0]} of the row before it", stepped(rolled)
    flipped = lambda f, p, x, s, s0, t: f(p, x, s[0][::-1], *s[1:])  # noqa: E731
    yield "rows-reversed", f"{cell.states[0]} goes from step to step with the rows reversed", stepped(flipped)
    averaged = lambda f, p, x, s, s0, t: f(p, x, 0 * s[0] + s[0].mean(0), *s[1:])  # noqa: E731
    yield "rows-averaged", f"every row reads the mean of {cell.states[0]} over the rows", stepped(averaged)
    for k, state in enumerate(cell.states[1:], 1):
        mean = lambda f, p, x, s, s0, t, k=k: f(p, x, *with_state(s, k, 0 * s[k] + s[k].mean(0)))  # noqa: E731
        yield f"{state}-averaged", f"every row goes on from the mean of {state} over the rows", stepped(mean)
    whole = lambda p, x, *s: (p, 0 * x + x.mean(1, keepdims=True), *s)  # noqa: E731
    yield "x-averaged", "every row reads the mean of x over the rows", on_arguments(whole)
    centred = lambda p, x, *s: (p, x - x.mean(1, keepdims=True), *s)  # noqa: E731
    yield "x-centred", "the mean over the rows is subtracted from x", on_arguments(centred)
    level = lambda y, *s: (0 * y + y.mean(1, keepdims=True), *(0 * v + v.mean(0) for v in s))  # noqa: E731
    yield "results-averaged", "what is returned of every row is the mean over the rows", on_results(level)
    yield (
        "axes-swapped",
        "time and batch are taken for each other: x is read as (B, T, n), and y is so written",
        _axes_swapped,
    )
    misread = lambda p, x, *s: (p, x.reshape(x.shape[1], x.shape[0], -1).swapaxes(0, 1), *s)  # noqa: E731
    yield "batch-first-misread", "x is read as (B, T, n) where it is (T, B, n)", on_arguments(misread)
    mislaid = lambda y, *s: (y.swapaxes(0, 1).reshape(y.shape), *s)  # noqa: E731
    yield "batch-first-mislaid", "y is written as (B, T, m) where it is (T, B, m)", on_results(mislaid)
    yield "last-row-lost", "the last row is computed as zero", on_results(_last_row_zero)


def _axes_swapped(forward: Forward) -> Forward:
    """Run over the rows; the states that are given belong to rows, so they are used only where as many steps fit."""

    def swapped(params: Params, x: Array, *states: Array) -> tuple[Array, ...]:
        T, B, _ = x.shape
        fitting = states if T == B else tuple(np.zeros((T, s.shape[-1]), s.dtype) for s in states)
        y, *final = forward(params, x.swapaxes(0, 1), *fitting)
        return y.swapaxes(0, 1), *(final if T == B else states)

    return swapped


def _last_row_zero(y: Array, *states: Array) -> tuple[Array, ...]:
    y, *states = (v.copy() for v in (y, *states))  # type: ignore[assignment]
    if y.shape[1] > 1:
        y[:, -1] = 0
        for state in states:
            state[-1] = 0
    return y, *states
