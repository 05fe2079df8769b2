"""The faults of implementations that are no wrong equation: of time, states, rows, precision, and of what is returned.

Each is a decorator around a correct forward pass, ``forward(params, x, *states) -> (y, *states)``, for any cell.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.spec.program import Program
from lstm_spec.verify.hypotheses import Forward, Hypothesis, Wrap

Params = Mapping[str, Array]


def faults(cell: Program) -> tuple[Hypothesis, ...]:
    """Return the faults of implementations that the states of a cell leave room for.

    >>> from lstm_spec.spec.cells import lstm
    >>> [f.sentence for f in faults(lstm())][:2]
    ['the initial h is ignored', 'the initial c is ignored']
    """
    groups = (_of_states, _of_time, _of_rows, _of_precision, _of_calls)
    return tuple(
        Hypothesis(name, group.__name__.removeprefix("_of_"), sentence, cell, wraps=(Wrap(forward=wrap),))
        for group in groups
        for name, sentence, wrap in group(cell)
    )


Named = Iterator[tuple[str, str, Callable[[Forward], Forward]]]


def _arguments(change: Callable[..., tuple[Any, ...]]) -> Callable[[Forward], Forward]:
    """Make a decorator from what happens to (params, x, *states)."""
    return lambda forward: lambda *given: forward(*change(*given))


def _results(change: Callable[..., tuple[Any, ...]]) -> Callable[[Forward], Forward]:
    """Make a decorator from what happens to (y, *states)."""
    return lambda forward: lambda *given: change(*forward(*given))


def _stepped(advance: Callable[[Forward, Params, Array, tuple[Array, ...], tuple[Array, ...], int], Any]) -> Any:
    """Make a decorator from what one step does with x_t, the states before it, and the initial states."""

    def decorator(forward: Forward) -> Forward:
        def stepped(params: Params, x: Array, *initial: Array) -> tuple[Array, ...]:
            states, y = initial, []
            for t in range(len(x)):
                _, *after = advance(forward, params, x[t : t + 1], states, initial, t)
                states = tuple(after)
                y.append(states[0])
            return np.stack(y), *states

        return stepped

    return decorator


def _with(states: tuple[Array, ...], k: int, value: Array) -> tuple[Array, ...]:
    return (*states[:k], value, *states[k + 1 :])


def _of_states(cell: Program) -> Named:
    names = cell.states
    for k, name in enumerate(names):
        zeroed = lambda p, x, *s, k=k: (p, x, *_with(s, k, np.zeros_like(s[k])))  # noqa: E731
        yield f"initial-{name}-ignored", f"the initial {name} is ignored", _arguments(zeroed)
    if len(names) > 1:
        no_states = lambda p, x, *s: (p, x, *map(np.zeros_like, s))  # noqa: E731
        yield "initial-states-ignored", "the initial states are ignored", _arguments(no_states)
        swapped = lambda p, x, h, c, *s: (p, x, c, h, *s)  # noqa: E731
        first, second = names[:2]
        if _like(cell, 0, 1):
            what = f"the initial {first} and {second} are taken for each other"
            yield "initial-states-swapped", what, _arguments(swapped)
            what = f"the final {first} and {second} are returned in each other's place"
            yield "final-states-swapped", what, _results(lambda y, h, c, *s: (y, c, h, *s))
            yield "y-holds-second-state", f"y ends with {second} where the spec has {first}", _results(_second_in_y)
    for k, name in enumerate(names):
        untouched = lambda f, k=k: lambda p, x, *s: (lambda y, *a: (y, *_with(tuple(a), k, s[k])))(*f(p, x, *s))  # noqa: E731
        yield f"final-{name}-is-initial", f"the final {name} is the initial one", untouched
        lost = lambda y, *s, k=k: (y, *_with(s, k, np.zeros_like(s[k])))  # noqa: E731
        yield f"final-{name}-zero", f"the final {name} is zero", _results(lost)
        restart = lambda f, p, x, s, s0, t, k=k: f(p, x, *_with(s, k, s0[k]))  # noqa: E731
        yield f"{name}-not-carried", f"every step starts from the initial {name}", _stepped(restart)
        for period in (4, 16, 64):
            what = f"{name} is reset to zero every {period} steps"
            yield f"{name}-reset-{period}", what, _stepped(_reset(k, period))


def _like(cell: Program, first: int, second: int) -> bool:
    (a, _), (b, _) = cell.recurrence[first], cell.recurrence[second]
    return bool(a.shape == b.shape)


def _second_in_y(y: Array, h: Array, c: Array, *states: Array) -> tuple[Array, ...]:
    return np.concatenate([y[:-1], c[None]]), h, c, *states


def _reset(k: int, period: int) -> Any:
    def advance(f: Forward, p: Params, x: Array, s: tuple[Array, ...], s0: tuple[Array, ...], t: int) -> Any:
        return f(p, x, *(_with(s, k, np.zeros_like(s[k])) if t and t % period == 0 else s))

    return advance


def _of_time(cell: Program) -> Named:
    name = cell.states[0]
    reversed_x = lambda p, x, *s: (p, x[::-1], *s)  # noqa: E731
    yield "time-reversed", "time runs backwards: step t reads x of step T−1−t", _arguments(reversed_x)
    yield "y-reversed", "y is in reversed order of time", _results(lambda y, *s: (y[::-1].copy(), *s))

    def both(f: Forward) -> Forward:
        return _results(lambda y, *s: (y[::-1].copy(), *s))(_arguments(reversed_x)(f))

    yield "reverse-direction", "the sequence is run in the reverse direction", both
    early = lambda p, x, *s: (p, np.concatenate([np.zeros_like(x[:1]), x[:-1]]), *s)  # noqa: E731
    yield "x-late", "step t reads x of the step before", _arguments(early)
    late = lambda p, x, *s: (p, np.concatenate([x[1:], x[-1:]]), *s)  # noqa: E731
    yield "x-early", "step t reads x of the step after", _arguments(late)
    yield "y-late", f"y holds {name} from before each step, not after it", _y_before
    yield "y-all-last", f"y holds the last {name} at every step", _results(lambda y, *s: (0 * y + y[-1], *s))
    yield "last-step-dropped", "the last step is not run", _without_last
    yield "last-y-zero", "y is zero at the last step", _results(lambda y, *s: (_zeroed(y, -1), *s))
    yield "first-y-zero", "y is zero at the first step", _results(lambda y, *s: (_zeroed(y, 0), *s))
    constant = lambda p, x, *s: (p, 0 * x + x[:1], *s)  # noqa: E731
    yield "x-first-only", "every step reads x of the first step", _arguments(constant)
    yield "no-x", "x is not read", _arguments(lambda p, x, *s: (p, 0 * x, *s))


def _zeroed(y: Array, t: int) -> Array:
    y = y.copy()
    y[t] = 0
    return y


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


def _of_rows(cell: Program) -> Named:
    first = lambda p, x, *s: (p, x, *(0 * v + v[:1] for v in s))  # noqa: E731
    yield "states-of-first-row", "all rows start from the states of the first row", _arguments(first)
    yield "x-of-first-row", "all rows read x of the first row", _arguments(lambda p, x, *s: (p, 0 * x + x[:, :1], *s))
    yield "y-of-first-row", "y of every row is that of the first", _results(lambda y, *s: (0 * y + y[:, :1], *s))
    rolled = lambda f, p, x, s, s0, t: f(p, x, np.roll(s[0], 1, axis=0), *s[1:])  # noqa: E731
    yield "rows-rolled", f"a row reads {cell.states[0]} of the row before it", _stepped(rolled)
    flipped = lambda f, p, x, s, s0, t: f(p, x, s[0][::-1], *s[1:])  # noqa: E731
    yield "rows-reversed", f"{cell.states[0]} goes from step to step with the rows reversed", _stepped(flipped)
    averaged = lambda f, p, x, s, s0, t: f(p, x, 0 * s[0] + s[0].mean(0), *s[1:])  # noqa: E731
    yield "rows-averaged", f"every row reads the mean of {cell.states[0]} over the rows", _stepped(averaged)
    misread = lambda p, x, *s: (p, x.reshape(x.shape[1], x.shape[0], -1).swapaxes(0, 1), *s)  # noqa: E731
    yield "batch-first-misread", "x is read as (B, T, n) where it is (T, B, n)", _arguments(misread)
    yield "last-row-lost", "the last row is computed as zero", _results(_last_row_zero)


def _last_row_zero(y: Array, *states: Array) -> tuple[Array, ...]:
    y, *states = (v.copy() for v in (y, *states))  # type: ignore[assignment]
    if y.shape[1] > 1:
        y[:, -1] = 0
        for state in states:
            state[-1] = 0
    return y, *states


def _of_precision(cell: Program) -> Named:
    for lower in ("float32", "float16"):
        inner = lambda f, d=lower: lambda p, x, *s: _cast(f(*_lowered(d, p, x, *s)), x.dtype)  # noqa: E731
        yield f"computed-in-{lower}", f"everything is computed in {lower}", inner
        weights = lambda p, x, *s, d=lower: (_rounded(p, d), x, *s)  # noqa: E731
        yield f"parameters-in-{lower}", f"the parameters are rounded to {lower}", _arguments(weights)
        inputs = lambda p, x, *s, d=lower: (p, x.astype(d).astype(x.dtype), *s)  # noqa: E731
        yield f"x-in-{lower}", f"x is rounded to {lower}", _arguments(inputs)
        for k, name in enumerate(cell.states):
            kept = lambda f, p, x, s, s0, t, k=k, d=lower: f(p, x, *_with(s, k, s[k].astype(d).astype(x.dtype)))  # noqa: E731
            yield f"{name}-in-{lower}", f"{name} is kept in {lower} between the steps", _stepped(kept)
    noisy = lambda y, *s: (y * (1 + 1e-5 * np.sin(1e4 * y).astype(y.dtype)), *s)  # noqa: E731
    yield "noise", "y is off by about 1e-5 of itself", _results(noisy)


def _lowered(dtype: str, params: Params, *arrays: Array) -> tuple[Any, ...]:
    with np.errstate(all="ignore"):
        return {k: v.astype(dtype) for k, v in params.items()}, *(v.astype(dtype) for v in arrays)


def _rounded(params: Params, dtype: str) -> Params:
    with np.errstate(all="ignore"):
        return {k: v.astype(dtype).astype(v.dtype) for k, v in params.items()}


def _cast(outputs: tuple[Array, ...], dtype: Any) -> tuple[Array, ...]:
    return tuple(v.astype(dtype) for v in outputs)


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
