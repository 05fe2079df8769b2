"""Laws 1, 2, 5–7, 11 and 12: other parameters, inputs and equations that describe the same cell."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import HadamardProduct, Lambda, MatAdd, MatrixSymbol, tanh

from lstm_spec.calculus.laws.law import Ask, Case, Claim, Law, Twin
from lstm_spec.calculus.laws.linear import Array, Term
from lstm_spec.calculus.laws.structure import (
    Product,
    averages,
    axes,
    block,
    change,
    length_of,
    products,
    sizes_of,
    state_sizes,
    unchanged,
)
from lstm_spec.spec.functions import SLOTS, sigmoid
from lstm_spec.spec.operators import Elementwise
from lstm_spec.spec.program import Program


def _input(cell: Program) -> MatrixSymbol:
    return cell.inputs[0]


def _reads_x(cell: Program) -> tuple[Product, ...]:
    return products(cell, _input(cell)) or ()


def _size_of_x(cell: Program) -> Any:
    return _input(cell).shape[0]


# Law 1: two biases of one sum.


@lru_cache(maxsize=256)
def _two_biases(cell: Program) -> tuple[tuple[str, str], ...]:
    sums = (e for d in cell for e in d.expression.atoms(MatAdd))
    biases = ([t.name for t in total.args if t in cell.parameters] for total in sums)
    return tuple(sorted((b[0], b[1]) for b in biases if len(b) == 2))


def _shifted_biases(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    constant: dict[str, Array] = {}
    for first, second in _two_biases(cell):
        d = 0.25 * (1 + np.arange(len(case.leaves[first])))
        constant |= {first: d, second: -d}
    yield from Twin(unchanged(cell), constant).claims(cell, case, ask)


# Law 2: the order in which parameters come says nothing.


def _reordered(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    leaves = dict(reversed(list(unchanged(cell).items())))
    yield from Twin(leaves).claims(cell, case, ask)


# Laws 5 to 7: other inputs.


def _scaled_input(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    n, sizes = _size_of_x(cell), sizes_of(cell, case.leaves)
    two = 2 * np.eye(sizes[n])
    yield from Twin(change(cell, sizes, {n: two}, {n: two / 4})).claims(cell, case, ask)


def _moved_input(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """x → A x + d, W → W A⁻¹, b → b − W A⁻¹ d, with A = 1 on and above the diagonal."""
    n, sizes = _size_of_x(cell), sizes_of(cell, case.leaves)
    A = np.triu(np.ones((sizes[n], sizes[n])))
    inverse = np.eye(sizes[n]) - np.eye(sizes[n], k=1)
    d = 0.5 + np.arange(sizes[n])
    leaves = change(cell, sizes, {n: A}, {n: inverse.T})
    for p in _reads_x(cell):
        columns = np.zeros(case.leaves[p.weight].shape[1])
        columns[p.columns(cell, sizes)] = inverse @ d
        leaves[p.biases[0]] = (*leaves[p.biases[0]], Term(p.weight, "ij,j->i", (-columns,)))
    yield from Twin(leaves, {"x": d}).claims(cell, case, ask)


def _bias_as_weight(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """Take every bias for the weight of one more feature, which is 1."""
    n, sizes = _size_of_x(cell), sizes_of(cell, case.leaves)
    longer = np.eye(sizes[n] + 1, sizes[n])
    leaves = change(cell, sizes, {n: longer})
    added = np.eye(sizes[n] + 1)[-1]
    for p in _reads_x(cell):
        bias = p.biases[0]
        axis = axes(cell)[p.weight][1]
        place = np.zeros(case.leaves[p.weight].shape[1] + 1)
        place[block(axis, {**sizes, n: sizes[n] + 1}, p.position)] = added
        leaves[p.weight] = (*leaves[p.weight], Term(bias, "i,j->ij", (place,)))
    constant = {"x": added, **{p.biases[0]: _cleared(leaves, case, p.biases[0]) for p in _reads_x(cell)}}
    yield from Twin(leaves, constant).claims(cell, case, ask)


def _cleared(leaves: dict[str, Any], case: Case, name: str) -> Array:
    """Take a leaf out of a linear map and return the zeros that come in its place."""
    leaves.pop(name)
    return np.zeros_like(case.leaves[name])


def _one_hot(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """A one-hot x adds a column of the weights to the bias: x = 0 with that bias gives the same."""
    n, sizes = _size_of_x(cell), sizes_of(cell, case.leaves)
    case = case.put(x=np.broadcast_to(np.eye(sizes[n])[0], case.x.shape))
    leaves = dict(unchanged(cell))
    for p in _reads_x(cell):
        column = np.zeros(case.leaves[p.weight].shape[1])
        column[p.columns(cell, sizes).start] = 1
        leaves[p.biases[0]] = (*leaves[p.biases[0]], Term(p.weight, "ij,j->i", (column,)))
    yield from Twin(leaves, {"x": _cleared(leaves, case, "x")}).claims(cell, case, ask)


def _inert_features(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """Two more features: one that is zero, with any weights, and one whose weights are zero."""
    n, sizes = _size_of_x(cell), sizes_of(cell, case.leaves)
    longer = np.eye(sizes[n] + 2, sizes[n])
    constant = {"x": np.eye(sizes[n] + 2)[-1] * 3}
    larger = {**sizes, n: sizes[n] + 2}
    for name, own in axes(cell).items():
        places = [(axis, k) for axis in own for k, side in enumerate(axis) if side == n]
        if name == "x" or not places:
            continue
        axis, k = places[0]
        row = np.zeros(length_of(axis, larger))
        row[block(axis, larger, k)] = -0.75 * np.eye(sizes[n] + 2)[-2]
        constant[name] = row if len(own) == 1 else np.outer(np.ones(len(case.leaves[name])), row)
    yield from Twin(change(cell, sizes, {n: longer}), constant).claims(cell, case, ask)


# Laws 11 and 12: other equations.

_BY_TANH = Lambda(SLOTS[:1], (1 + tanh(SLOTS[0] / 2)) / 2)


def _uses_sigma(cell: Program) -> bool:
    return any(_is_sigma(e) for d in cell for e in d.expression.atoms(Elementwise))


def _is_sigma(e: Elementwise) -> bool:
    return e.application == ("sigmoid", ()) and e.function.expr.func is sigmoid


@lru_cache(maxsize=64)
def _tanh_only(cell: Program) -> Program:
    def changed(e: Any) -> Any:
        return e.xreplace({a: Elementwise(_BY_TANH, *a.arguments) for a in e.atoms(Elementwise) if _is_sigma(a)})

    return replace(cell, definitions=tuple(replace(d, expression=changed(d.expression)) for d in cell))


def _by_tanh(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    yield from Twin(unchanged(cell), other=_tanh_only(cell)).claims(cell, case, ask)


@lru_cache(maxsize=256)
def _masks(cell: Program) -> tuple[tuple[str, Any, Any], ...]:
    """Return (mask, masked value, what is masked) for every product of a parameter and an input or a state."""
    given = {*cell.inputs, *(before for before, _ in cell.recurrence)}
    found = [(d, d.expression.args) for d in cell if isinstance(d.expression, HadamardProduct)]
    return tuple((a[0].name, d.symbol, a[1]) for d, a in found if a[0] in cell.parameters and a[1] in given)


@lru_cache(maxsize=64)
def _without_masks(cell: Program) -> Program:
    bare = {masked: given for _, masked, given in _masks(cell)}
    names = {mask for mask, *_ in _masks(cell)}
    kept = [d for d in cell if d.symbol not in bare]
    return replace(
        cell,
        parameters=tuple(p for p in cell.parameters if p.name not in names),
        definitions=tuple(replace(d, expression=d.expression.xreplace(bare)) for d in kept),
    )


def _absorbed_masks(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    sizes = sizes_of(cell, case.leaves)
    leaves: dict[str, Any] = {name: t for name, t in unchanged(cell).items() if name not in _mask_names(cell)}
    scales: dict[str, Array] = {}
    for mask, masked, _ in _masks(cell):
        for p in products(cell, masked) or ():
            scale = scales.setdefault(p.weight, np.ones(case.leaves[p.weight].shape[1]))
            scale[p.columns(cell, sizes)] = case.leaves[mask]
    leaves |= {weight: (Term(weight, "ij,j->ij", (scale,)),) for weight, scale in scales.items()}
    yield from Twin(leaves, other=_without_masks(cell)).claims(cell, case, ask)


def _mask_names(cell: Program) -> set[str]:
    return {mask for mask, *_ in _masks(cell)}


def _free_input(cell: Program) -> bool:
    return bool(_reads_x(cell)) and _size_of_x(cell) not in state_sizes(cell)


def _biased_input(cell: Program) -> bool:
    return _free_input(cell) and all(len(p.biases) > 0 for p in _reads_x(cell)) and _one_read_each(cell)


def _one_read_each(cell: Program) -> bool:
    weights = [p.weight for p in _reads_x(cell)]
    return len(set(weights)) == len(weights)


REPARAMETRISATIONS: tuple[Law, ...] = (
    Law(
        "two_biases", 1, "b_W + d with b_R − d gives the same outputs", lambda c: bool(_two_biases(c)), _shifted_biases
    ),
    Law("parameter_order", 2, "parameters are told by name, not by place", lambda c: True, _reordered, bitwise=True),
    Law("input_scale", 5, "x → 2x with W_x → W_x/2 gives the same outputs", _free_input, _scaled_input, bitwise=True),
    Law("input_basis", 5, "x → A x + d with W → W A⁻¹, b → b − W A⁻¹ d gives the same", _biased_input, _moved_input),
    Law("bias_as_weight", 6, "a bias is the weight of a feature that is 1", _biased_input, _bias_as_weight),
    Law("one_hot", 6, "a one-hot x selects a column of the weights", _biased_input, _one_hot),
    Law(
        "inert_features",
        7,
        "features without weight, and those that are zero, do nothing",
        lambda c: _size_of_x(c) not in state_sizes(c) and _size_of_x(c) not in averages(c),
        _inert_features,
    ),
    Law("tanh_gates", 11, "σ(x) = (1 + tanh(x/2))/2 gives the same cell", _uses_sigma, _by_tanh, alone=False),
    Law(
        "masks",
        12,
        "fixed masks of x and h' are absorbed by the weights",
        lambda c: bool(_masks(c)),
        _absorbed_masks,
        alone=False,
    ),
)
"""Laws 1, 2, 5–7, 11 and 12."""
