"""The second route to the same gradients: everything explicit, at the smallest sizes.

Here a sequence is one scalar expression in the entries of all weights, SymPy differentiates it by every one of them,
and the backward Program runs over the same entries, from the last step to the first. Both are rational functions of the
entries and of elementwise functions of them, compared modulo a prime. It grows too fast for any other use.
"""

import random
import time
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

import mpmath
import numpy as np
from sympy import Add, Expr, Mul, Pow, Rational, Symbol, exp, lambdify

from lstm_spec.calculus.adjoint import Arrival, adjoint_symbol, arrivals
from lstm_spec.calculus.identities import defined
from lstm_spec.calculus.statement import Proof, Status
from lstm_spec.calculus.witness import SYMBOLIC, Array, evaluate
from lstm_spec.spec.program import Program, evaluate_shape

_DIGITS = 30
_PRIME = 2**61 - 1


def explicit_proofs(cell: Program, back: Program) -> Iterator[Proof]:
    """Yield the comparison for one step of two units, and for two steps of one unit."""
    for units, steps in ((2, 1), (1, 2)):
        begun = time.perf_counter()
        sizes = {s.name: 1 if s.name == "n" else units for s in cell.sizes}
        listed = ", ".join(f"{name}={value}" for name, value in sizes.items())
        statement = f"SymPy's derivatives of the explicit loss equal the formulas, every entry, {listed}, T={steps}"
        status, witness = _compare(_Sequence(cell, back, sizes, steps))
        yield Proof(f"explicit, T={steps}", statement, status, witness, time.perf_counter() - begun)


class _Sequence:
    """A sequence in explicit entries: its loss, and the gradient of every leaf by the formulas."""

    def __init__(self, cell: Program, back: Program, sizes: Mapping[str, int], steps: int) -> None:
        self.cell, self.back, self.sizes = cell, back, sizes
        self.incoming = arrivals(cell)
        self.values: list[dict[str, Array]] = []
        parameters = {p.name: self.entries(p) for p in cell.parameters}
        states = {before.name: self.entries(before) for before, _ in cell.recurrence}
        self.leaves = {**parameters, **states}
        for t in range(steps):
            inputs = {s.name: self.entries(s, t) for s in cell.inputs}
            self.leaves |= {f"{name} of step {t + 1}": array for name, array in inputs.items()}
            external = {a.symbol.name: self.entries(a.symbol, t) for a in self.incoming if a.before is None}
            values = evaluate(cell, {**parameters, **inputs, **states}, sizes, SYMBOLIC)
            self.values.append({**values, **external})
            states = {before.name: values[after.name] for before, after in cell.recurrence}
        self.last = {a.symbol.name: self.entries(a.symbol) for a in self.incoming if a.before is not None}

    def entries(self, symbol: Any, step: int | None = None) -> Array:
        """Return an array of one scalar symbol for every entry."""
        shape = evaluate_shape(symbol.shape, self.cell.check_sizes(self.sizes))
        suffix = "" if step is None else f"_t{step + 1}"
        names = [Symbol(f"{symbol.name}{suffix}_{i}_{j}", real=True) for i in range(shape[0]) for j in range(shape[1])]
        return np.array(names, dtype=object).reshape(shape)

    def loss(self) -> Expr:
        """Return Σ over the steps of <external adjoint, value>, and <final adjoint, final state>."""
        last = {**self.values[-1], **self.last}
        external = [_inner(a, values) for values in self.values for a in self.incoming if a.before is None]
        return Add(*external, *(_inner(a, last) for a in self.incoming if a.before is not None))

    def gradient(self) -> dict[str, Array]:
        """Return the gradient of every leaf by the backward pass, last step to first."""
        arriving = self.last
        found: dict[str, Array] = {}
        name = {s.name: adjoint_symbol(self.cell, s).name for s in self.cell.leaves}
        for t, values in reversed(list(enumerate(self.values))):
            adjoints = evaluate(self.back, {**values, **arriving}, self.sizes, SYMBOLIC)
            for p in self.cell.parameters:
                found[p.name] = found.get(p.name, 0) + adjoints[name[p.name]]
            found |= {f"{s.name} of step {t + 1}": adjoints[name[s.name]] for s in self.cell.inputs}
            found |= {before.name: adjoints[name[before.name]] for before, _ in self.cell.recurrence}
            arriving = {a.symbol.name: adjoints[name[a.before.name]] for a in self.incoming if a.before is not None}
        return found


def _inner(arrival: Arrival, values: Mapping[str, Array]) -> Expr:
    return (values[arrival.symbol.name] * values[arrival.value]).sum()


def _compare(sequence: _Sequence) -> tuple[Status, Mapping[str, Any] | None]:
    loss, gradient = sequence.loss(), sequence.gradient()
    pairs = [
        (name, position, loss.diff(leaf[position]), gradient[name][position])
        for name, leaf in sequence.leaves.items()
        for position in np.ndindex(leaf.shape)
    ]
    differing = _differing(pairs)
    point = _random_numbers(loss)
    for name, position, truth, formula in differing:
        numbers = [_number(e, point) for e in (formula, truth)]
        if abs(numbers[0] - numbers[1]) > mpmath.mpf(10) ** (10 - _DIGITS):
            where = {"entry": f"{name}{list(position)}", "formula": float(numbers[0]), "derivative": float(numbers[1])}
            return "refuted", {**where, "point": {s.name: float(v) for s, v in point.items()}}
    return ("undecided" if differing else "proved"), None


_Pair = tuple[str, tuple[int, ...], Expr, Expr]


def _differing(pairs: list[_Pair]) -> list[_Pair]:
    """Return the entries whose two sides differ at one of two random points modulo the prime."""
    points_left = 2
    for seed in range(2, 1000):
        field = _Residues(seed)
        try:
            found = [pair for pair in pairs if field.residue(pair[2]) != field.residue(pair[3])]
        except _NoRootError:
            continue
        points_left -= 1
        if found or not points_left:
            return found
    return pairs


def _random_numbers(e: Expr) -> dict[Symbol, Rational]:
    generator = random.Random(1)
    ordered = sorted(e.free_symbols, key=str)
    return {s: Rational(generator.choice((-1, 1)) * generator.randint(11, 149), 100) for s in ordered}


def _number(e: Any, point: Mapping[Symbol, Any]) -> Any:
    with mpmath.workdps(_DIGITS):
        values = [mpmath.mpf(int(v.p)) / int(v.q) for v in point.values()]
        return mpmath.mpf(lambdify(list(point), defined(e), "mpmath", cse=True)(*values))


class _NoRootError(ArithmeticError):
    """A number that is no square modulo the prime."""


class _Residues:
    """Expressions modulo a prime, with a random residue for every symbol and every elementwise function.

    Two rational functions of these that differ agree at a random point with a probability of about their degree over
    the prime, so agreement at two points leaves a chance below 1e-30 that they differ (Schwartz 1980, Zippel 1979).
    """

    def __init__(self, seed: int) -> None:
        self.generator = random.Random(seed)
        self.known: dict[Expr, int] = {}

    def residue(self, e: Expr) -> int:
        """Return an expression modulo the prime; what is no sum, product or integer power is drawn at random."""
        if e not in self.known:
            self.known[e] = self._computed(e) % _PRIME
        return self.known[e]

    def _computed(self, e: Expr) -> int:
        if isinstance(e, Rational):
            return int(e.p) * pow(int(e.q), -1, _PRIME)
        if isinstance(e, Add):
            return sum(map(self.residue, e.args))
        if isinstance(e, Mul):
            return reduce(lambda a, b: a * b % _PRIME, map(self.residue, e.args), 1)
        if isinstance(e, Pow) and e.exp.is_Integer:
            return pow(self.residue(e.base), int(e.exp), _PRIME)
        if isinstance(e, Pow) and (2 * e.exp).is_Integer:
            return pow(self._root(e.base), int(2 * e.exp), _PRIME)
        if isinstance(e, exp) and (parts := [part.as_coeff_Mul() for part in Add.make_args(e.args[0])]) != [
            (1, e.args[0])
        ]:
            powers = [pow(self.residue(exp(rest)), int(power), _PRIME) for power, rest in parts]
            return reduce(lambda a, b: a * b % _PRIME, powers, 1)
        return self.generator.randrange(1, _PRIME)

    def _root(self, base: Expr) -> int:
        """Return a square root; raises _NoRootError where this point has none, as half of them have."""
        square = self.residue(base)
        root = pow(square, (_PRIME + 1) // 4, _PRIME)
        if root * root % _PRIME != square:
            raise _NoRootError
        return root
