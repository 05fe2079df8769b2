"""Parameters taken for others: gates in another order, kernels read the wrong way round, biases missing or doubled."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import combinations, permutations
from typing import Any

import numpy as np

from lstm_spec.calculus.adjoint import backward
from lstm_spec.compute.compile import Array
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.equation import ProgramError
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import array_shape
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
    groups = {
        "gate_order": (_orders,),
        "gate_reused": (_reused,),
        "packing": (_readings, _ignored),
        "order_of_some": (_halves,),
    }
    return tuple(
        Hypothesis(name, kind, sentence, cell, wraps=(wrap,))
        for kind, makers in groups.items()
        for make in makers
        for name, sentence, wrap in make(cell)
    )


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


def misordered_adjoints(cell: Program) -> Iterator[Hypothesis]:
    """Yield the orders of the gates in which a backward pass may stack their adjoints, the forward pass being right.

    >>> from lstm_spec.spec.cells import lstm
    >>> next(misordered_adjoints(lstm())).sentence
    'the backward pass stacks the adjoints of the gates in the order f, i, o, c̃ where they are f, i, c̃, o'
    """
    gates, program = gates_of(cell), backward(cell)
    made = {d.name: d.expression for d in program.derived}
    if not all(f"da_{g}" in made for g in gates) or len({made[f"da_{g}"].shape for g in gates}) > 1:
        return
    letters = ", ".join(_letter(cell, g) for g in gates)
    for order in _wrong_orders(gates):
        wrong = tuple((f"da_{g}", made[f"da_{o}"]) for g, o in zip(gates, order, strict=True) if g != o)
        taken = ", ".join(_letter(cell, g) for g in order)
        what = f"the backward pass stacks the adjoints of the gates in the order {taken} where they are {letters}"
        found = Hypothesis(f"adjoints-{''.join(order)}", "adjoint_order", what, cell, formulas=wrong)
        # Of a peephole one adjoint is made of another, so that some orders make a circle.
        with suppress(ProgramError, DimensionError):
            if found.backward_program.definitions:
                yield found


def _reused(cell: Program) -> Named:
    """The parameters of one gate read for another too."""
    for gate, other in permutations(gates_of(cell), 2):
        names = {p.name: _renamed(p.name, {gate: other}, None) for p in cell.parameters}
        known = {p.name: array_shape(p.shape) for p in cell.parameters}
        names = {name: source if known.get(source) == known[name] else name for name, source in names.items()}

        def taken(params: Params, names: Mapping[str, str] = names) -> Params:
            return {name: params[source] for name, source in names.items()}

        def returned(dparams: Params, names: Mapping[str, str] = names) -> Params:
            found = {name: np.zeros_like(d) for name, d in dparams.items()}
            for name, source in names.items():
                found[source] = found[source] + dparams[name]
            return found

        what = f"{_letter(cell, gate)} is computed with the parameters of {_letter(cell, other)}"
        yield f"{gate}-is-{other}", what, around_parameters(taken, returned)


def _wrong_orders(gates: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if len(gates) <= MOST_GATES:
        yield from (order for order in permutations(gates) if order != gates)
        return
    for a, b in combinations(gates, 2):
        yield tuple({a: b, b: a}.get(g, g) for g in gates)


def _letter(cell: Program, gate: str) -> str:
    return symbol_text(f"{gate}_tilde" if f"{gate}_tilde" in cell.symbols else gate)


def _halves(cell: Program) -> Named:
    """The gates in another order among the parameters of one kind only."""
    kinds = dict.fromkeys(parse_name(p.name).base for p in cell.parameters if parse_name(p.name).subscript)
    for kind in kinds if len(kinds) > 1 else ():
        parameters = [p for p in cell.parameters if parse_name(p.name).base == kind]
        gates = tuple(parse_name(p.name).subscript for p in parameters)
        if len({p.shape for p in parameters}) > 1:
            continue
        for order in _wrong_orders(gates):
            moved = sorted((g, o) for g, o in zip(gates, order, strict=True) if g != o)
            taken, given = (listed(f"{kind}_{pair[k]}" for pair in moved) for k in (1, 0))
            what = f"{taken} are taken for {given}" if len(moved) > 2 else f"{given} are taken for each other"
            yield f"{kind}-{''.join(order)}", what, _exchange(cell, dict(zip(gates, order, strict=True)), kind)


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

    def back(inner: Backward) -> Backward:
        def pull(params: Params, *rest: Any) -> tuple[Any, ...]:
            dparams, *others = inner(taken(params), *rest)
            return returned(dparams), *others

        return pull

    return Wrap(forward, back)


def _readings(cell: Program) -> Named:
    """Kernels read in another order of their numbers."""
    kernels = [p for p in cell.parameters if p.shape[1] != 1]
    names = [p.name for p in kernels]
    across = _each(names, lambda w: np.ascontiguousarray(w.T).reshape(w.shape))
    along = _each(names, lambda w: np.ascontiguousarray(w.reshape(w.shape[::-1]).T))
    what = "the kernels are stored transposed and read as if they were not"
    yield "kernels-transposed-storage", what, around_parameters(across, along)
    yield "kernels-column-major", "the kernels are read column by column", around_parameters(along, across)
    if "z" in cell.symbols and len({p.shape for p in kernels}) == 1:
        turn = _each(names, _input_half_transposed)
        what = "the columns of x in the kernels are transposed, which n = m allows"
        yield "input-transposed", what, around_parameters(turn, turn)
    for what, turn in transposed_recurrence(cell):
        yield "recurrent-transposed", f"{what} are transposed", around_parameters(turn, turn)


def transposed_recurrence(cell: Program) -> Iterator[tuple[str, Change]]:
    """Yield what multiplies the state before, in words, and how it is transposed; nothing where it is not square."""
    kernels = [p for p in cell.parameters if p.shape[1] != 1]
    square = [p.name for p in kernels if p.shape[0] == p.shape[1]]
    if square:
        yield ", ".join(map(symbol_text, square)), _each(square, lambda w: w.T)
    if cell.inputs[0].shape[0] != cell.recurrence[0][0].shape[0] and "z" in cell.symbols:
        yield "the recurrent columns of the kernels", _each([p.name for p in kernels], _recurrent_half_transposed)


def _input_half_transposed(w: Array) -> Array:
    m, width = w.shape
    return np.concatenate([w[:, :m].T, w[:, m:]], axis=1) if width == 2 * m else w


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
    first, second = ([p.name for p in cell.parameters if parse_name(p.name).base == kind] for kind in ("b", "bR"))
    if first and [n.replace("b_", "bR_") for n in first] == second:
        for which, ones, others in (("first", first, second), ("second", second, first)):
            what = f"the {which} bias counts twice, the other one is ignored"
            yield f"{which}-bias-twice", what, _copied(dict(zip(others, ones, strict=True)))
    for kind, names in (("b", first), ("bR", second)):
        if first and second:
            doubled = _each(names, partial(np.multiply, 2))
            yield f"{kind}-twice", f"{listed(names)} count twice", around_parameters(doubled, doubled)
    biases = [*first, *second]
    for factor, name, what in ((2, "twice", "counted twice"), (-1, "negative", "subtracted")):
        if biases:
            scaled = _each(biases, partial(np.multiply, factor))
            yield f"biases-{name}", f"the biases are {what}", around_parameters(scaled, scaled)


def _copied(source: Mapping[str, str]) -> Wrap:
    """Return the wrap that takes parameters for others, which then count twice."""

    def taken(params: Params) -> Params:
        return {name: params[source.get(name, name)] for name in params}

    def returned(dparams: Params) -> Params:
        twice = {one: dparams[one] + dparams[other] for other, one in source.items()}
        return {name: 0 * d if name in source else twice.get(name, d) for name, d in dparams.items()}

    return around_parameters(taken, returned)


def _each(names: list[str], change: Callable[[Array], Array]) -> Change:
    return lambda params: {k: change(v) if k in names else v for k, v in params.items()}
