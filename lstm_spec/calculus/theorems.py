"""Theorems about the LSTM for all sizes: other forms of one cell, its symmetries, and the number of its parameters.

Two forms are compared node by node at index level: every value of the changed cell, written out down to what is given,
against the value of the LSTM that the theorem claims for it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sympy import Expr, Function, Integer, Lambda, MatrixSymbol, Sum, simplify, tanh

from lstm_spec.calculus.collapse import normal
from lstm_spec.calculus.identities import compare
from lstm_spec.calculus.scalars import ROW, Entry, Inlined, at, given
from lstm_spec.calculus.statement import Proof, Status
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.functions import SLOTS, sigmoid
from lstm_spec.spec.names import size_text
from lstm_spec.spec.operators import size
from lstm_spec.spec.program import Program

_S = SLOTS[0]
_SIGMOID, _BY_TANH = Lambda((_S,), sigmoid(_S)), Lambda((_S,), (1 + tanh(_S / 2)) / 2)


class Flip(Function):
    """The sign of a unit, 1 or −1, so that its square is 1."""

    nargs = 1

    def _eval_power(self, exponent: Expr) -> Expr | None:
        return Integer(1) if exponent.is_even else self if exponent.is_odd else None


class Image(Function):
    """The unit that a permutation puts in the place of one."""

    nargs = 1


@dataclass(frozen=True)
class _Theorem:
    """Two forms of one cell.

    cell: the LSTM; changed: the other form, over the same names; base: the entries of what is given to the other form;
    claimed: the value that an entry of it has by the theorem, from the entry of the cell; cases: what the statement
    distinguishes for the unit; rules: rewritings that hold for all arguments.
    """

    name: str
    statement: str
    cell: Program
    changed: Program
    base: Entry = given
    claimed: Callable[[str, Expr], Expr] = lambda name, entry: entry
    cases: tuple[Mapping[Expr, Expr], ...] = (MappingProxyType({}),)
    rules: Callable[[Expr], Expr] = lambda e: e

    def proof(self) -> Proof:
        """Compare every value that both forms have."""
        begun = time.perf_counter()
        cell, changed = Inlined(self.cell, given), Inlined(self.changed, self.base)
        shared = [d.symbol for d in self.changed if d.name in cell.definitions]
        proved = all(self._same(cell, changed, symbol) for symbol in shared)
        return Proof(self.name, self.statement, "proved" if proved else "undecided", None, time.perf_counter() - begun)

    def _same(self, cell: Inlined, changed: Inlined, symbol: MatrixSymbol) -> bool:
        ranges = {ROW: symbol.shape[0]}
        expected = self.claimed(symbol.name, at(cell.template(symbol.name), ROW, 0))
        found = at(changed.template(symbol.name), ROW, 0)
        return all(normal(self.rules((found - expected).xreplace(dict(case))), ranges) == 0 for case in self.cases)


def theorems() -> Iterator[Proof]:
    """Yield the proofs one by one.

    >>> for proof in theorems():
    ...     print(proof.name, proof.status, sep=": ")
    sigma by tanh: proved
    tanh only: proved
    two biases: proved
    cifg: proved
    sign flip: proved
    permutation: proved
    parameters of lstm: proved
    parameters of two biases: proved
    parameters of peepholes: proved
    parameters of cifg: proved
    """
    begun = time.perf_counter()
    status, witness = compare(_SIGMOID.expr, _BY_TANH.expr, (_S,))
    yield Proof("sigma by tanh", "σ(x) = (1 + tanh(x/2))/2", status, witness, time.perf_counter() - begun)
    for make in (_tanh_only, _two_biases, _cifg, _sign_flip, _permutation):
        yield make().proof()
    yield from _counts()


def _tanh_only() -> _Theorem:
    gates = dict.fromkeys("fio", _BY_TANH)
    return _Theorem(
        "tanh only",
        "gates (1 + tanh(a/2))/2 give the LSTM (by σ(x) = (1 + tanh(x/2))/2)",
        lstm(peepholes="fio"),
        lstm(peepholes="fio", activations=gates),
        rules=lambda e: e.replace(sigmoid, lambda a: (1 + tanh(a / 2)) / 2),
    )


def _two_biases() -> _Theorem:
    def entry(symbol: MatrixSymbol, i: Any, j: Any) -> Expr:
        own = given(symbol, i, j)
        second = MatrixSymbol(symbol.name.replace("b_", "bR_"), *symbol.shape)
        return own + given(second, i, j) if symbol.name.startswith("b_") else own

    return _Theorem(
        "two biases",
        "one bias b_g + bR_g gives the cell with the two biases b_g and bR_g",
        lstm(biases=2),
        lstm(biases=1),
        base=entry,
    )


def _cifg() -> _Theorem:
    def entry(symbol: MatrixSymbol, i: Any, j: Any) -> Expr:
        kind, _, gate = symbol.name.partition("_")
        if gate == "f" and kind in "WbR":
            return -given(MatrixSymbol(f"{kind}_i", *symbol.shape), i, j)
        return given(symbol, i, j)

    return _Theorem(
        "cifg",
        "the LSTM with W_f = −W_i and b_f = −b_i is the coupled cell f = 1 − i (by σ(−x) = 1 − σ(x))",
        lstm(coupled="f=1-i"),
        lstm(),
        base=entry,
        rules=lambda e: e.replace(sigmoid, _reflected),
    )


def _reflected(argument: Expr) -> Expr:
    return 1 - sigmoid(-argument) if argument.could_extract_minus_sign() else sigmoid(argument)


_SIGNED = ("h_prev", "c_prev", "p_f", "p_i", "p_o", "W_c", "b_c")


def _sign_flip() -> _Theorem:
    def entry(symbol: MatrixSymbol, i: Any, j: Any) -> Expr:
        own = given(symbol, i, j)
        if symbol.name == "R_c":
            return Flip(i) * own * Flip(j)
        if symbol.name.startswith("R_"):
            return own * Flip(j)
        return Flip(i) * own if symbol.name in _SIGNED else own

    return _Theorem(
        "sign flip",
        "with S = diag(±1): W_c, b_c → S·, R_c → S R_c S, R_f, R_i, R_o → R S, p → S p and h', c' → S· give c, h → S·",
        lstm(peepholes="fio", concat=None),
        lstm(peepholes="fio", concat=None),
        base=entry,
        claimed=lambda name, e: Flip(ROW) * e if name in ("a_c", "c_tilde", "c", "h") else e,
        cases=({Flip(ROW): Integer(1)}, {Flip(ROW): Integer(-1)}),
    )


def _permutation() -> _Theorem:
    def entry(symbol: MatrixSymbol, i: Any, j: Any) -> Expr:
        if symbol.name == "x":
            return given(symbol, i, j)
        return given(symbol, Image(i), Image(j) if symbol.name.startswith("R_") else j)

    return _Theorem(
        "permutation",
        "with a permutation Π of the units: W, b, p → Π·, R → Π R Πᵀ and h', c' → Π· give c, h → Π·",
        lstm(peepholes="fio", concat=None),
        lstm(peepholes="fio", concat=None),
        base=entry,
        claimed=lambda name, e: at(e, Image(ROW), 0),
        rules=_reindexed,
    )


def _reindexed(e: Expr) -> Expr:
    """Sum over the image of an index in place of the index: a permutation meets every unit once."""

    def sum_over_image(*args: Any) -> Expr:
        body, *limits = args
        for index, *_ in limits:
            bare = body.replace(Image, lambda a, i=index: Integer(0) if a == i else Image(a))
            if index not in bare.free_symbols:
                body = body.xreplace({Image(index): index})
        return Sum(body, *limits)

    return e.replace(Sum, sum_over_image)


def _counts() -> Iterator[Proof]:
    n, m = size("n"), size("m")
    table = (
        ("lstm", "the LSTM", lstm(), 4 * m * (n + m + 1)),
        ("two biases", "the LSTM with two biases for each gate", lstm(biases=2), 4 * m * (n + m + 2)),
        ("peepholes", "the LSTM with peepholes to all three gates", lstm(peepholes="fio"), 4 * m * (n + m + 1) + 3 * m),
        ("cifg", "the LSTM with f = 1 − i", lstm(coupled="f=1-i"), 3 * m * (n + m + 1)),
    )
    for name, of, cell, count in table:
        begun = time.perf_counter()
        status: Status = "proved" if simplify(cell.parameter_count() - count) == 0 else "refuted"
        statement = f"the number of parameters of {of} is {size_text(count)}"
        witness = None if status == "proved" else {"counted": str(cell.parameter_count())}
        yield Proof(f"parameters of {name}", statement, status, witness, time.perf_counter() - begun)
