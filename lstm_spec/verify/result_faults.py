"""The faults of what a backward pass returns: gradients lost, turned, divided or returned in each other's place.

Each is a decorator, as those of ``gradient_faults`` are.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.program import Program
from lstm_spec.verify.hypotheses import Backward, listed
from lstm_spec.verify.mispackings import transposed_recurrence

Params = Mapping[str, Array]
Named = Iterator[tuple[str, str, Callable[[Backward], Backward]]]


def result_faults(cell: Program) -> Named:
    """Yield what may be wrong with the gradients that a backward pass returns: names, sentences and decorators.

    >>> from lstm_spec.spec.cells import lstm
    >>> next(sentence for _, sentence, _ in result_faults(lstm()))
    'the gradient of the initial h is zero'
    """
    names = cell.states
    for k, name in enumerate(names):
        lost = lambda dp, dx, *d, k=k: (dp, dx, *without(d, k))  # noqa: E731
        yield f"d{name}0-zero", f"the gradient of the initial {name} is zero", _results(lost)
        if cell.recurrence[k][0].shape == cell.output.shape:
            what = f"the gradient of the initial {name} is the cotangent of y at the first step"
            yield f"d{name}0-is-dy", what, _cotangent_returned(cell, k)
    if len(names) > 1 and cell.recurrence[0][0].shape == cell.recurrence[1][0].shape:
        what = f"the gradients of the initial {names[0]} and {names[1]} are returned in each other's place"
        yield "dstates-swapped", what, _results(lambda dp, dx, a, b, *d: (dp, dx, b, a, *d))
    for what, turn in transposed_recurrence(cell):
        turned = lambda dp, dx, *d, turn=turn: (turn(dp), dx, *d)  # noqa: E731
        yield "recurrent-gradient-transposed", f"the gradients of {what} are transposed", _results(turned)
    yield "dx-reversed", "the gradient of x is in reversed order of time", _results(lambda p, dx, *d: (p, dx[::-1], *d))
    yield "dx-zero", "the gradient of x is zero", _results(lambda dp, dx, *d: (dp, 0 * dx, *d))
    shifted = lambda dp, dx, *d: (dp, np.concatenate([0 * dx[:1], dx[:-1]]), *d)  # noqa: E731
    yield "dx-late", "the gradient of x is late by a step", _results(shifted)
    first_zero = lambda dp, dx, *d: (dp, np.concatenate([0 * dx[:1], dx[1:]]), *d)  # noqa: E731
    yield "dx-first-step-zero", "the gradient of x is zero at the first step", _results(first_zero)
    for axes, words in (((1,), "rows"), ((0,), "steps"), ((0, 1), "rows and steps")):
        what = f"all gradients are divided by the number of {words}, those of x and of the initial states too"
        yield f"all-over-{words.replace(' ', '-')}", what, _divided(axes)
    negative = lambda dp, dx, *d: ({k: -v for k, v in dp.items()}, -dx, *(-v for v in d))  # noqa: E731
    yield "negative", "all gradients have the wrong sign", _results(negative)
    cut = lambda dp, dx, *d: ({k: np.clip(v, -1, 1) for k, v in dp.items()}, dx, *d)  # noqa: E731
    yield "clipped", "the gradients of the parameters are clipped to ±1", _results(cut)
    yield from _of_parameters(cell)


def _results(change: Callable[..., tuple[Any, ...]]) -> Callable[[Backward], Backward]:
    """Make a decorator from what happens to (dparams, dx, *dstates0)."""
    return lambda pull: lambda *given: change(*pull(*given))


def without(values: tuple[Array, ...], k: int) -> tuple[Array, ...]:
    """Return values, the one at k being zero."""
    return (*values[:k], np.zeros_like(values[k]), *values[k + 1 :])


def _cotangent_returned(cell: Program, k: int) -> Callable[[Backward], Backward]:
    """Return the cotangent of the first y in place of the gradient of an initial state."""

    def decorator(pull: Backward) -> Backward:
        def returned(*given: Any) -> tuple[Any, ...]:
            dparams, dx, *dstates = pull(*given)
            dy = given[2 + len(cell.states)]
            return dparams, dx, *dstates[:k], dy[0].copy(), *dstates[k + 1 :]

        return returned

    return decorator


def _divided(axes: tuple[int, ...]) -> Callable[[Backward], Backward]:
    """Divide all gradients by the lengths of some axes of x."""

    def decorator(pull: Backward) -> Backward:
        def divided(params: Params, x: Array, *rest: Array) -> tuple[Any, ...]:
            number = np.prod([x.shape[axis] for axis in axes])
            dparams, *others = pull(params, x, *rest)
            return {k: d / number for k, d in dparams.items()}, *(d / number for d in others)

        return divided

    return decorator


def _of_parameters(cell: Program) -> Named:
    shapes = {p.name: p.shape for p in cell.parameters}
    for name in shapes:
        zero = lambda dp, dx, *d, n=name: ({**dp, n: 0 * dp[n]}, dx, *d)  # noqa: E731
        yield f"d{name}-zero", f"the gradient of {symbol_text(name)} is zero", _results(zero)
    vectors = [name for name, shape in shapes.items() if shape[1] == 1]
    groups = [*([name] for name in vectors), *([vectors] if len(vectors) > 1 else [])]
    for group in groups:
        total = lambda dp, dx, *d, g=group: ({k: _total(v) if k in g else v for k, v in dp.items()}, dx, *d)  # noqa: E731
        of = f"gradients of {listed(group)} are" if len(group) > 1 else f"gradient of {listed(group)} is"
        what = f"the {of} summed over the units too, every entry being the total"
        yield f"d{'-'.join(group)}-total", what, _results(total)
    for name, other in permutations(shapes, 2):
        if shapes[name] == shapes[other] and parse_name(name).base == parse_name(other).base:
            copied = lambda dp, dx, *d, n=name, o=other: ({**dp, n: dp[o].copy()}, dx, *d)  # noqa: E731
            what = f"the gradient of {symbol_text(name)} is that of {symbol_text(other)}"
            yield f"d{name}-is-d{other}", what, _results(copied)


def _total(gradient: Array) -> Array:
    return np.full_like(gradient, gradient.sum())
