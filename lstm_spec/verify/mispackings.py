"""Parameters taken for others: gates in another order, kernels read the wrong way round, biases missing or doubled."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import combinations, permutations
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.program import Program, array_shape
from lstm_spec.verify.hypotheses import Backward, Forward, Hypothesis, Wrap, listed

Params = Mapping[str, Array]
Change = Callable[[Params], Params]

MOST_GATES = 4
"""Up to so many gates all orders are tried, 23 wrong ones; of more, only exchanges of two."""


def mispackings(cell: Program) -> tuple[Hypothesis, ...]:
    """Return the ways in which the parameters of a cell may be taken for others.

    >>> from lstm_spec.spec.cells import lstm
    >>> mispackings(lstm())[0].sentence
    'the gates are taken in the order f, i, o, c̃ where they are f, i, c̃, o'
    """
    groups = (_orders(cell), _halves(cell), _readings(cell), _ignored(cell))
    found = (named for group in groups for named in group)
    return tuple(Hypothesis(name, "packing", sentence, cell, wraps=(wrap,)) for name, sentence, wrap in found)


def gates_of(cell: Program) -> tuple[str, ...]:
    """Return the subscripts of the gates that have parameters of the first kind, in order."""
    first = cell.parameters[0]
    kernels = [p for p in cell.parameters if parse_name(p.name).base == parse_name(first.name).base]
    return tuple(parse_name(p.name).subscript for p in kernels if p.shape == first.shape and "_" in p.name)


Named = Iterator[tuple[str, str, Wrap]]


def _orders(cell: Program) -> Named:
    gates = gates_of(cell)
    letters = ", ".join(_letter(cell, g) for g in gates)
    for order in _wrong_orders(gates):
        taken = ", ".join(_letter(cell, g) for g in order)
        wrap = _exchange(cell, dict(zip(gates, order, strict=True)))
        yield f"gates-{''.join(order)}", f"the gates are taken in the order {taken} where they are {letters}", wrap


def _wrong_orders(gates: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if len(gates) <= MOST_GATES:
        yield from (order for order in permutations(gates) if order != gates)
        return
    for a, b in combinations(gates, 2):
        yield tuple({a: b, b: a}.get(g, g) for g in gates)


def _letter(cell: Program, gate: str) -> str:
    return symbol_text(f"{gate}_tilde" if f"{gate}_tilde" in cell.symbols else gate)


def _halves(cell: Program) -> Named:
    """Two gates exchanged among the parameters of one kind only."""
    kinds = dict.fromkeys(parse_name(p.name).base for p in cell.parameters if parse_name(p.name).subscript)
    for kind in kinds if len(kinds) > 1 else ():
        gates = [parse_name(p.name).subscript for p in cell.parameters if parse_name(p.name).base == kind]
        for a, b in combinations(gates, 2):
            if cell.symbols[f"{kind}_{a}"].shape == cell.symbols[f"{kind}_{b}"].shape:
                what = f"{symbol_text(f'{kind}_{a}')} and {symbol_text(f'{kind}_{b}')} are taken for each other"
                yield f"{kind}-{a}{b}", what, _exchange(cell, {a: b, b: a}, kind)


def _exchange(cell: Program, order: Mapping[str, str], kind: str | None = None) -> Wrap:
    """Return the wrap that takes the parameters of one gate for those of another; kind: only those of one kind."""
    source = {p.name: _renamed(p.name, order, kind) for p in cell.parameters}
    known = {p.name: array_shape(p.shape) for p in cell.parameters}
    source = {name: other if known.get(other) == known[name] else name for name, other in source.items()}

    def taken(params: Params) -> Params:
        return {name: params[other] for name, other in source.items()}

    def returned(dparams: Params) -> Params:
        return {other: dparams[name] for name, other in source.items()}

    return around_parameters(taken, returned)


def _renamed(name: str, order: Mapping[str, str], kind: str | None) -> str:
    parts = parse_name(name)
    if parts.subscript not in order or kind not in (None, parts.base):
        return name
    return f"{parts.base}_{order[parts.subscript]}"


def around_parameters(taken: Change, returned: Change) -> Wrap:
    """Return the wrap that changes the parameters on their way in, and their gradients on their way out."""

    def forward(inner: Forward) -> Forward:
        return lambda params, *rest: inner(taken(params), *rest)

    def backward(inner: Backward) -> Backward:
        def pull(params: Params, *rest: Any) -> tuple[Any, ...]:
            dparams, *others = inner(taken(params), *rest)
            return returned(dparams), *others

        return pull

    return Wrap(forward, backward)


def _readings(cell: Program) -> Named:
    """Kernels read in another order of their numbers."""
    kernels = [p for p in cell.parameters if p.shape[1] != 1]
    names = [p.name for p in kernels]
    across = _each(names, lambda w: np.ascontiguousarray(w.T).reshape(w.shape))
    along = _each(names, lambda w: np.ascontiguousarray(w.reshape(w.shape[::-1]).T))
    what = "the kernels are stored transposed and read as if they were not"
    yield "kernels-transposed-storage", what, around_parameters(across, along)
    yield "kernels-column-major", "the kernels are read column by column", around_parameters(along, across)
    square = [p.name for p in kernels if p.shape[0] == p.shape[1]]
    if square:
        turn = _each(square, lambda w: w.T)
        yield (
            "recurrent-transposed",
            f"{', '.join(map(symbol_text, square))} are transposed",
            around_parameters(turn, turn),
        )
    if cell.inputs[0].shape[0] != cell.recurrence[0][0].shape[0] and "z" in cell.symbols:
        turn = _each(names, _recurrent_half_transposed)
        yield (
            "recurrent-transposed",
            "the recurrent columns of the kernels are transposed",
            around_parameters(turn, turn),
        )


def _recurrent_half_transposed(w: Array) -> Array:
    m, width = w.shape
    if width < m:
        return w
    return np.concatenate([w[:, : width - m], w[:, width - m :].T], axis=1)


def _ignored(cell: Program) -> Named:
    """All parameters of a kind without effect, and biases that count twice or with the wrong sign."""
    kinds = dict.fromkeys(parse_name(p.name).base for p in cell.parameters)
    for kind in kinds if len(kinds) > 1 else ():
        names = [p.name for p in cell.parameters if parse_name(p.name).base == kind]
        without = _each(names, np.zeros_like)
        yield (
            f"no-{kind}",
            f"{listed(names)} {'are' if len(names) > 1 else 'is'} ignored",
            around_parameters(without, without),
        )
    biases = [p.name for p in cell.parameters if parse_name(p.name).base in ("b", "bR")]
    for factor, name, what in ((2, "twice", "counted twice"), (-1, "negative", "subtracted")):
        if biases:
            scaled = _each(biases, partial(np.multiply, factor))
            yield f"biases-{name}", f"the biases are {what}", around_parameters(scaled, scaled)


def _each(names: list[str], change: Callable[[Array], Array]) -> Change:
    return lambda params: {k: change(v) if k in names else v for k, v in params.items()}
