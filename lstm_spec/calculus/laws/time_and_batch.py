"""Laws 20, 21, 24 and 26: steps follow each other, rows of a batch know nothing of each other."""

from collections.abc import Iterator

import numpy as np

from lstm_spec.calculus.laws.law import Answer, Ask, Case, Claim, Law
from lstm_spec.calculus.laws.linear import Array, Measured
from lstm_spec.spec.program import Program


def as_allowed(array: Array, like: Measured) -> Measured:
    """Return an array with the error of another one.

    What is computed in parts is what one correct implementation of the whole computes, so its error is that of the
    whole.
    """
    return Measured(np.asarray(array, np.float64), like.error)


# Law 20: a sequence may be cut anywhere.


def _pieces(case: Case) -> list[Case]:
    return [case.part(slice(t, t + 1)) for t in range(len(case.x))]


def _halves(case: Case) -> list[Case]:
    k = len(case.x) // 2
    return [case.part(slice(None, k)), case.part(slice(k, None))] if k else [case]


def _run(cell: Program, pieces: list[Case], ask: Ask) -> tuple[list[Case], dict[str, Array]]:
    """Run pieces one after the other; return them with the states they began from, and what all of them returned."""
    forward, asked, ys = ask(cell).forward, [], []
    answer: Answer = {}
    for piece in pieces:
        begun = piece.put(**{f"{s}0": answer[s].value for s in cell.states}) if answer else piece
        asked.append(begun)
        answer = forward(begun)
        ys.append(answer["y"].value)
    return asked, {"y": np.concatenate(ys), **{s: answer[s].value for s in cell.states}}


def _split(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    whole = ask(cell).forward(case)
    for name, joined in _run(cell, _halves(case), ask)[1].items():
        yield Claim(name, whole[name], as_allowed(joined, whole[name]))


def _gradients_of_parts(cell: Program, asked: list[Case], ask: Ask) -> dict[str, Array]:
    """Return the gradients of pieces: added for parameters, passed on for states, joined for x."""
    backward = ask(cell).backward
    assert backward is not None
    found: dict[str, Array] = {}
    dx: list[Array] = []
    for piece in reversed(asked):
        last = piece is asked[-1]
        arriving = {} if last else {s: found[f"{s}0"] for s in cell.states}
        gradient = backward(piece.put(**arriving))
        dx.append(gradient["x"].value)
        own = {name: g.value for name, g in gradient.items()}
        found = {name: own[name] + (found.get(name, 0) if name in piece.params else 0) for name in own}
    return {**found, "x": np.concatenate(dx[::-1])}


def _split_gradients(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    yield from _added_up(cell, case, _halves(case), ask)


def untied(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """Yield that the gradients of parameters of each step's own add up to those of shared ones (law 44)."""
    yield from _added_up(cell, case, _pieces(case), ask)


def _added_up(cell: Program, case: Case, pieces: list[Case], ask: Ask) -> Iterator[Claim]:
    backward = ask(cell).backward
    assert backward is not None
    whole = backward(case)
    for name, joined in _gradients_of_parts(cell, _run(cell, pieces, ask)[0], ask).items():
        yield Claim(f"d{name}", whole[name], as_allowed(joined, whole[name]))


# Law 21: the future has no part in the past.


def _causal(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    k = len(case.x) // 2
    later = case.x.copy()
    later[k:] = -2 * later[k:] - 1
    forward = ask(cell).forward
    yield Claim("y", forward(case)["y"][:k], forward(case.put(x=later))["y"][:k])


def _causal_gradients(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    backward, k = ask(cell).backward, len(case.x) // 2
    assert backward is not None
    early = case.cotangents["y"].copy()
    early[k:] = 0
    dx = backward(case.put(y=early, **{s: np.zeros_like(case.cotangents[s]) for s in cell.states}))["x"][k:]
    yield Claim("dx", dx, Measured.exact(np.zeros_like(dx.value)))


# Law 24: rows of a batch.


def _row_order(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    whole, turned = ask(cell).forward(case), ask(cell).forward(case.part(rows=slice(None, None, -1)))
    for name in whole:
        yield Claim(name, _by_row(whole[name], name)[::-1], _by_row(turned[name], name))


def _single_rows(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    whole = ask(cell).forward(case)
    for row in range(case.x.shape[1]):
        alone = ask(cell).forward(case.part(rows=slice(row, row + 1)))
        for name in whole:
            yield Claim(f"{name} of row {row}", _by_row(whole[name], name)[row], _by_row(alone[name], name)[0])


def _by_row(a: Measured, name: str) -> Measured:
    return a if a.value.ndim == 2 else Measured(np.swapaxes(a.value, 0, 1), np.swapaxes(a.error, 0, 1))


def _row_gradients(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """dW of a batch is the sum of those of its rows."""
    backward = ask(cell).backward
    assert backward is not None
    whole = backward(case)
    alone = [backward(case.part(rows=slice(row, row + 1))) for row in range(case.x.shape[1])]
    for name, gradient in whole.items():
        values = [part[name].value for part in alone]
        joined = np.sum(values, axis=0) if name in case.params else np.concatenate(values, axis=int(name == "x"))
        yield Claim(f"d{name}", gradient, as_allowed(joined, gradient))


# Law 26: what is no number.


def _poisoned(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """NaN in one row of x at one step reaches later steps of its own row only."""
    t, row = len(case.x) // 2, case.x.shape[1] - 1
    x = case.x.copy()
    x[t, row] = np.nan
    clean, poisoned = ask(cell).forward(case), ask(cell).forward(case.put(x=x))
    yield Claim("y before", clean["y"][:t], as_allowed(poisoned["y"].value[:t], clean["y"][:t]))
    for name, whole in clean.items():
        others = _by_row(whole, name)[:row]
        yield Claim(f"{name} of other rows", others, as_allowed(_by_row(poisoned[name], name).value[:row], others))


def _always(cell: Program) -> bool:
    return True


TIME_AND_BATCH: tuple[Law, ...] = (
    Law("split", 20, "a sequence may be cut at any step, the states passed on", _always, _split),
    Law("parts", 20, "gradients add where a sequence is cut, δh and δc passed back", _always,
        _split_gradients, gradients=True),
    Law("causality", 21, "y at a step depends on no later x", _always, _causal, bitwise=True),
    Law("no_future", 21, "∂y_k/∂x_t = 0 for t > k", _always, _causal_gradients, gradients=True, bitwise=True),
    Law("row_order", 24, "the rows of a batch may come in any order", _always, _row_order),
    Law("single_rows", 24, "a row alone gives what it gives in a batch", _always, _single_rows),
    Law("rows", 24, "dW is the sum over the rows of a batch", _always, _row_gradients, gradients=True),
    Law("poison", 26, "NaN in x reaches only later steps of its own row", _always, _poisoned),
)  # fmt: skip
"""Laws 20, 21, 24 and 26."""
