"""The faults of backward passes that are no wrong formula: of time, of sums, of cotangents, and of what is returned.

Each is a decorator around a correct backward pass, ``backward(params, x, *states, dy, *dstates) -> (dparams, dx,
*dstates0)``, for any cell.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array, run
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.program import Program
from lstm_spec.verify.hypotheses import Backward, Hypothesis, Wrap, listed
from lstm_spec.verify.measured import limited_gradients
from lstm_spec.verify.result_faults import Named, Params, result_faults, without

WINDOWS = (1, 2, 3, 4, 5, 8, 10, 16, 20, 32)
"""The lengths of truncated backpropagation that are tried."""


LIMITS = (1, 5, 10)
"""To what gradients are usually clipped."""


def gradient_faults(cell: Program) -> tuple[Hypothesis, ...]:
    """Return the faults of backward passes that a cell leaves room for.

    >>> from lstm_spec.spec.cells import lstm
    >>> [f.sentence for f in gradient_faults(lstm())][:2]
    ['the gradient is truncated after 1 step', 'the gradient is truncated after 2 steps']
    """
    windows = (
        Hypothesis(f"truncated-{k}", "truncation", f"the gradient is truncated after {_steps(k)}", cell, window=k)
        for k in WINDOWS
    )
    groups = (_of_flow, _of_cotangents, _of_sums, _of_calls)
    made = [(group.__name__.removeprefix("_of_"), found) for group in groups for found in group(cell)]
    made[-1:-1] = [("results", found) for found in result_faults(cell)]
    around = (
        Hypothesis(name, kind, sentence, cell, wraps=(Wrap(backward=wrap),)) for kind, (name, sentence, wrap) in made
    )
    return (*windows, *around, *limited_gradients(cell, LIMITS))


def _steps(k: int) -> str:
    return "1 step" if k == 1 else f"{k} steps"


def _cotangents(cell: Program, change: Callable[..., tuple[Any, ...]]) -> Callable[[Backward], Backward]:
    """Make a decorator from what happens to (dy, *dstates)."""
    first = 2 + len(cell.states)
    return lambda pull: lambda *given: pull(*given[:first], *change(*given[first:]))


def _flowing(
    cell: Program,
    change: Callable[[tuple[Array, ...], int, int], tuple[Array, ...]],
    order: Callable[[range], Iterable[int]] = reversed,
) -> Any:
    """Make a decorator from what happens to the adjoints that leave step t of T for the next in an order of steps."""
    count = len(cell.states)

    def decorator(pull: Backward) -> Backward:
        def stepped(params: Params, x: Array, *rest: Array) -> tuple[Any, ...]:
            before, dy, arriving = [rest[:count]], rest[count], rest[count + 1 :]
            for t in range(len(x) - 1):
                before.append(run(cell, params, x[t : t + 1], *before[-1])[1:])
            total: Params = {name: np.zeros_like(p) for name, p in params.items()}
            dx = np.empty_like(x)
            for t in order(range(len(x))):
                step = slice(t, t + 1)
                dparams, dx[step], *leaving = pull(params, x[step], *before[t], dy[step], *arriving)
                total = {name: d + dparams[name] for name, d in total.items()}
                arriving = change(tuple(leaving), t, len(x))
            return total, dx, *arriving

        return stepped

    return decorator


def _of_flow(cell: Program) -> Named:
    for k, name in enumerate(cell.states):
        cut = lambda leaving, t, T, k=k: without(leaving, k)  # noqa: E731
        yield f"no-flow-{name}", f"no gradient passes from step to step through {name}", _flowing(cell, cut)
        kept = lambda leaving, t, T, k=k: without(leaving, k) if t else leaving  # noqa: E731
        what = f"no gradient passes between steps through {name}, but to the initial {name}"
        yield f"no-flow-{name}-between", what, _flowing(cell, kept)
    whole: list[tuple[tuple[int, ...], str]] = [((k,), f" through {name}") for k, name in enumerate(cell.states)]
    whole += [(tuple(range(len(cell.states))), "")] * (len(whole) > 1)
    for which, through in whole:
        stopped = lambda leaving, t, T, w=which: leaving if t < T - 1 else _without_all(leaving, w)  # noqa: E731
        named = "".join(cell.states[k] for k in which)
        yield f"last-step-keeps-{named}", f"no gradient leaves the last step{through}", _flowing(cell, stopped)
    for limit in LIMITS:
        limited = lambda leaving, t, T, v=limit: tuple(np.clip(d, -v, v) for d in leaving)  # noqa: E731
        what = f"what flows from step to step is clipped to ±{limit}"
        yield f"flow-clipped-{limit}", what, _flowing(cell, limited)
    for window in WINDOWS:
        ended = lambda leaving, t, T, w=window: _nothing(leaving) if 0 < t <= T - w else leaving  # noqa: E731
        what = f"the gradient flows through the last {_steps(window)} only"
        yield f"last-{window}-only", what, _flowing(cell, ended)
        blocks = lambda leaving, t, T, w=window: _nothing(leaving) if t and (T - t) % w == 0 else leaving  # noqa: E731
        if window > 1:
            what = f"the gradient is truncated every {_steps(window)}, counted from the end"
            yield f"truncated-{window}-from-end", what, _flowing(cell, blocks)
    onward = "the loop of the backward pass runs forward in time: what flows goes from every step to the one after"
    yield "flow-forward", onward, _flowing(cell, lambda leaving, t, T: leaving, iter)


def _without_all(values: tuple[Array, ...], which: Collection[int]) -> tuple[Array, ...]:
    return tuple(np.zeros_like(v) if k in which else v for k, v in enumerate(values))


def _nothing(values: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(np.zeros_like(v) for v in values)


def _of_cotangents(cell: Program) -> Named:
    names = ("y", *cell.states)
    for k, name in enumerate(names):
        ignored = lambda *d, k=k: without(d, k)  # noqa: E731
        what = "of y" if name == "y" else f"of the final {name}"
        yield f"d{name}-ignored", f"the cotangent {what} is ignored", _cotangents(cell, ignored)
    for k, name in enumerate(cell.states, 1):
        twice = lambda *d, k=k: (*d[:k], 2 * d[k], *d[k + 1 :])  # noqa: E731
        yield f"d{name}-twice", f"the cotangent of the final {name} is counted twice", _cotangents(cell, twice)
    last = lambda dy, *d: (np.concatenate([0 * dy[:-1], dy[-1:]]), *d)  # noqa: E731
    yield "dy-last-only", "only the last step of the cotangent of y is read", _cotangents(cell, last)
    turned = lambda dy, *d: (dy[::-1], *d)  # noqa: E731
    yield "dy-reversed", "the cotangent of y is read in reversed order of time", _cotangents(cell, turned)
    summed = lambda dy, *d: (0 * dy + dy.sum(0) / len(dy), *d)  # noqa: E731
    yield "dy-averaged", "every step reads the mean over time of the cotangent of y", _cotangents(cell, summed)


def _of_sums(cell: Program) -> Named:
    yield from _sums(cell)
    vectors = [p.name for p in cell.parameters if p.shape[1] == 1]
    for name, sentence, wrap in _sums(cell) if vectors else ():
        told = sentence.replace("of the parameters", f"of {listed(vectors)}")
        yield f"{name}-of-vectors", told, _only(vectors, wrap)
    for name, sentence, wrap in _sums(cell):
        for own in (p.name for p in cell.parameters if name.endswith("step-only")):
            told = sentence.replace("gradients of the parameters hold", f"gradient of {symbol_text(own)} holds")
            yield f"{name}-of-{own}", told, _only([own], wrap)


def _only(names: Collection[str], wrap: Callable[[Backward], Backward]) -> Callable[[Backward], Backward]:
    """Make a decorator that is about the gradients of some parameters alone."""

    def decorator(pull: Backward) -> Backward:
        wrong = wrap(pull)

        def some(*given: Any) -> tuple[Any, ...]:
            (right, *others), (dparams, *_) = pull(*given), wrong(*given)
            return {k: dparams[k] if k in names else d for k, d in right.items()}, *others

        return some

    return decorator


def _sums(cell: Program) -> Named:
    def over(axis: int) -> Callable[[Backward], Backward]:
        def decorator(pull: Backward) -> Backward:
            def mean(params: Params, x: Array, *rest: Array) -> tuple[Any, ...]:
                dparams, *others = pull(params, x, *rest)
                return {k: d / x.shape[axis] for k, d in dparams.items()}, *others

            return mean

        return decorator

    yield "mean-over-rows", "the gradients of the parameters are means over the rows, not sums", over(1)
    yield "mean-over-steps", "the gradients of the parameters are means over the steps, not sums", over(0)
    both = lambda pull: over(0)(over(1)(pull))  # noqa: E731
    yield "mean-over-both", "the gradients of the parameters are means over the rows and steps, not sums", both
    for what, kept in (("first", False), ("last", True)):
        cut = (lambda T: 1) if what == "first" else (lambda T: T - 1)
        missing = f"the {what} step is missing in the gradients of the parameters"
        yield f"{what}-step-missing", missing, _part_of_sum(cell, cut, late=not kept)
        only = f"the gradients of the parameters hold the {what} step only"
        yield f"{what}-step-only", only, _part_of_sum(cell, cut, late=kept)
    for which, row in (("first", slice(0, 1)), ("last", slice(-1, None))):
        what = f"the gradients of the parameters hold the {which} row only"
        yield f"{which}-row-only", what, _rows_only(row)


def _part_of_sum(cell: Program, cut: Callable[[int], int], *, late: bool) -> Callable[[Backward], Backward]:
    """Keep in the gradients of the parameters only what comes from before the cut, or from after it."""
    count = len(cell.states)

    def decorator(pull: Backward) -> Backward:
        def part(params: Params, x: Array, *rest: Array) -> tuple[Any, ...]:
            states, dy, dstates = rest[:count], rest[count], rest[count + 1 :]
            k = cut(len(x))
            if not 0 < k < len(x):
                dparams, *others = pull(params, x, *rest)
                return (dparams if (k == 0) == late else {n: 0 * d for n, d in dparams.items()}), *others
            between = run(cell, params, x[:k], *states)[1:]
            after, dx_after, *arriving = pull(params, x[k:], *between, dy[k:], *dstates)
            before, dx_before, *first = pull(params, x[:k], *states, dy[:k], *arriving)
            return (after if late else before), np.concatenate([dx_before, dx_after]), *first

        return part

    return decorator


def _rows_only(rows: slice) -> Callable[[Backward], Backward]:
    """Keep in the gradients of the parameters only what comes from some rows."""

    def decorator(pull: Backward) -> Backward:
        def some(params: Params, x: Array, *rest: Array) -> tuple[Any, ...]:
            _, *others = pull(params, x, *rest)
            kept = (v[:, rows] if v.ndim == 3 else v[rows] for v in (x, *rest))
            return pull(params, *kept)[0], *others

        return some

    return decorator


def _of_calls(cell: Program) -> Named:
    yield "accumulated", "the gradients of the parameters are added to those of the call before", _accumulating


def _accumulating(pull: Backward) -> Backward:
    kept: dict[tuple[Any, ...], Params] = {}

    def adding(params: Params, *rest: Any) -> tuple[Any, ...]:
        dparams, *others = pull(params, *rest)
        key = tuple((name, p.shape) for name, p in params.items())
        before = kept.get(key, {})
        kept[key] = {name: d + before.get(name, 0) for name, d in dparams.items()}
        return {name: d.copy() for name, d in kept[key].items()}, *others

    return adding
