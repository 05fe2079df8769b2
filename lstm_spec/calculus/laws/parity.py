"""Which values of a cell change their sign with the sign of a unit: a system of equations over two elements.

Every value is even or odd under h' → S h', S = diag(±1). The equations decide: the terms of a sum have one parity,
factors add theirs, σ takes an even argument, tanh any. A weight is free to have whatever its product needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sympy import BlockMatrix, HadamardProduct, MatAdd, MatMul, MatrixSymbol, OneMatrix, ZeroMatrix

from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.program import Program

Parity = frozenset[str]
"""A sum of unknowns over two elements; the empty sum is even, and so is what cancels."""

_EVEN: Parity = frozenset()
_ODD: Parity = frozenset(["1"])


@dataclass(frozen=True)
class Parities:
    """Which leaves are odd: rows by name, and the columns of weights block by block."""

    rows: Mapping[str, bool]
    columns: Mapping[str, tuple[bool, ...]]


@dataclass
class _System:
    """The unknowns that are solved for, each by a sum of others."""

    solved: dict[str, Parity] = field(default_factory=dict)
    consistent: bool = True

    def reduced(self, p: Parity) -> Parity:
        for name in p:
            if name in self.solved:
                return self.reduced(p ^ {name} ^ self.solved[name])
        return p

    def require(self, p: Parity, q: Parity = _EVEN) -> None:
        rest = self.reduced(p ^ q)
        unknown = sorted(rest - _ODD)
        if unknown:
            self.solved[unknown[0]] = rest ^ {unknown[0]}
        elif rest:
            self.consistent = False

    def accept(self, p: Parity, q: Parity) -> bool:
        """Require what does not contradict the rest; tell whether the system is consistent with it."""
        rest = self.reduced(p ^ q)
        if rest != _ODD:
            self.require(rest)
        return self.consistent and rest != _ODD

    def odd(self, p: Parity) -> bool:
        """Tell the parity; an unknown that nothing decides is even."""
        return "1" in self.reduced(p)


@lru_cache(maxsize=256)
def parities(cell: Program) -> Parities | None:
    """Return which leaves change their sign with that of a unit, None if the cell has no such symmetry.

    >>> from lstm_spec.spec.cells import lstm
    >>> found = parities(lstm(peepholes="f"))
    >>> found.rows["b_c"], found.rows["b_f"], found.rows["p_f"], found.columns["W_f"]
    (True, False, True, (False, True))
    """
    walk = _Walk(cell)
    for d in cell:
        walk.values[d.name] = walk.of(d.expression)
    for before, after in cell.recurrence:
        walk.system.require(walk.values[before.name][0], walk.values[after.name][0])
    for k, (before, _) in enumerate(cell.recurrence):
        if not walk.system.accept(walk.values[before.name][0], _ODD) and k == 0:
            return None
    odd = walk.system.odd
    rows = {p.name: odd(walk.values[p.name][0]) for p in cell.parameters}
    rows |= {f"{after.name}0": odd(walk.values[before.name][0]) for before, after in cell.recurrence}
    rows["x"] = odd(walk.values[cell.inputs[0].name][0])
    return Parities(rows, {name: tuple(odd(p) for p in found) for name, found in walk.columns.items()})


class _Walk:
    """The equations of a cell, turned into those between parities."""

    def __init__(self, cell: Program) -> None:
        self.system = _System()
        self.columns: dict[str, tuple[Parity, ...]] = {}
        self.values: dict[str, tuple[Parity, ...]] = {s.name: (frozenset([s.name]),) for s in cell.leaves}
        states = {before.shape[0] for before, _ in cell.recurrence}
        for given in cell.inputs:
            # Where x has the size of the state it may flip with the units.
            if given.shape[0] not in states:
                self.system.require(self.values[given.name][0])

    def of(self, e: Any) -> tuple[Parity, ...]:
        """Return the parity of a value, one for each part of a concatenation."""
        if isinstance(e, MatrixSymbol):
            return self.values[e.name]
        if isinstance(e, BlockMatrix):
            return tuple(self.one(part) for part in parts_of(e))
        return (self._of(e),)

    def one(self, e: Any) -> Parity:
        """Return the parity of a value that is no concatenation, or of one whose parts are all even."""
        first, *rest = self.of(e)
        for other in (first, *rest) if rest else ():
            self.system.require(other)
        return first

    def _of(self, e: Any) -> Parity:
        if isinstance(e, MatAdd):
            first, *rest = (self.one(a) for a in e.args)
            for other in rest:
                self.system.require(first, other)
            return first
        if isinstance(e, HadamardProduct):
            found = _EVEN
            for a in e.args:
                found = found ^ self.one(a)
            return found
        if isinstance(e, MatMul):
            return self._product([a for a in e.args if getattr(a, "is_Matrix", False)])
        if isinstance(e, Elementwise):
            return self._function(e)
        if isinstance(e, OneMatrix | ZeroMatrix):
            return _EVEN
        # Anything else, such as a part of a vector, is even or it has no parity.
        for a in e.args:
            if getattr(a, "is_Matrix", False):
                self.system.require(self.one(a))
        return _EVEN

    def _product(self, factors: list[Any]) -> Parity:
        *weights, vector = factors
        if not weights:
            return self.one(vector)
        if len(weights) == 1 and isinstance(weights[0], MatrixSymbol):
            found = self.of(vector)
            known = self.columns.setdefault(weights[0].name, found)
            for a, b in zip(known, found, strict=True):
                self.system.require(a, b)
            return self.values[weights[0].name][0]
        self.system.require(self.one(vector))
        return _EVEN

    def _function(self, e: Elementwise) -> Parity:
        arguments = [self.one(a) for a in e.arguments]
        if e.application is not None and e.application[0] == "quotient":
            return arguments[0] ^ arguments[1]
        if len(arguments) == 1 and (sign := _symmetry(e.function)):
            return arguments[0] if sign < 0 else _EVEN
        for a in arguments:
            self.system.require(a)
        return _EVEN


@lru_cache(maxsize=256)
def _symmetry(function: Any) -> int:
    """Return −1 for an odd function, 1 for an even one, else 0, as it looks at a few points."""
    (slot, *_), body = function.variables, function.expr
    body = body.subs(dict.fromkeys(body.free_symbols - {slot}, 1)).doit()
    pairs = [(float(body.subs(slot, v)), float(body.subs(slot, -v))) for v in (0.3, 0.7, 2.1) if _real(body, slot, v)]
    for sign in (-1, 1):
        if len(pairs) == 3 and all(abs(a - sign * b) < 1e-12 for a, b in pairs):
            return sign
    return 0


def _real(body: Any, slot: Any, v: float) -> bool:
    return bool(body.subs(slot, -v).is_real)
