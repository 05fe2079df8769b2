"""The second route to the same gradients: whole sequences at fixed sizes, exact modulo a prime.

The cell runs over the steps with every leaf moving in a random direction, which gives the derivative of the loss in
that direction; the backward Program runs over the same numbers, from the last step to the first. Where the two differ,
they are compared again in decimals, which gives the numbers at which a formula fails.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from lstm_spec.calculus.adjoint import adjoint_symbol, arrivals
from lstm_spec.calculus.residues import PRIME, Dual, Field
from lstm_spec.calculus.statement import Proof, Status
from lstm_spec.calculus.witness import (
    DECIMAL,
    DIGITS,
    STEP,
    Array,
    Point,
    Witness,
    as_lists,
    differing,
    evaluate,
    loss,
    random_number,
)
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

_STEPS = 3
_POINTS = 2


def sequence_proof(cell: Program, back: Program) -> Proof:
    """Return the comparison for a sequence: the formulas, summed over the steps, and the derivative of its loss."""
    begun = time.perf_counter()
    sizes = {s.name: 2 + k for k, s in enumerate(cell.sizes)}
    listed = ", ".join(f"{name}={value}" for name, value in sizes.items())
    statement = f"the formulas are the derivatives of the loss of a whole sequence, every entry, {listed}, T={_STEPS}"
    sequence = _Sequence(cell, back, sizes)
    # At one point a wrong formula would pass with a chance of about its degree over 2⁶¹, at two with its square.
    agrees = all(_agrees(sequence, Field(seed)) for seed in range(_POINTS))
    witness = None if agrees else _witness(sequence)
    status: Status = "proved" if agrees else "refuted" if witness else "undecided"
    return Proof(f"sequence, T={_STEPS}", statement, status, witness, time.perf_counter() - begun)


@dataclass(frozen=True)
class _Sequence:
    """A sequence of a cell: its loss, and the gradient of every leaf by the formulas."""

    cell: Program
    back: Program
    sizes: Mapping[str, int]

    def shapes(self) -> dict[str, tuple[int, int]]:
        """Return the shape of everything that is given: parameters, first states, the values of each step, adjoints."""
        values = self.cell.check_sizes(self.sizes)
        external = [a.symbol for a in arrivals(self.cell) if a.before is None]
        last = [a.symbol for a in arrivals(self.cell) if a.before is not None]
        per_step = {_of_step(s.name, t): s for t in range(_STEPS) for s in (*self.cell.inputs, *external)}
        once = {s.name: s for s in (*self.cell.parameters, *(before for before, _ in self.cell.recurrence), *last)}
        return {name: evaluate_shape(s.shape, values) for name, s in {**once, **per_step}.items()}

    def leaves(self) -> list[str]:
        """Return the names of what the loss is differentiated by."""
        names = [s.name for s in (*self.cell.parameters, *(before for before, _ in self.cell.recurrence))]
        return [*names, *(_of_step(s.name, t) for t in range(_STEPS) for s in self.cell.inputs)]

    def run(self, point: Point, arithmetic: Any) -> tuple[Any, list[dict[str, Array]]]:
        """Return the loss, Σ <adjoint from outside, value>, and the values of every step."""
        incoming = arrivals(self.cell)
        names = [*(s.name for s in self.cell.inputs), *(a.symbol.name for a in incoming if a.before is None)]
        shared = {p.name: point[p.name] for p in self.cell.parameters}
        states = {before.name: point[before.name] for before, _ in self.cell.recurrence}
        total: Any = 0
        history = []
        for t in range(_STEPS):
            given = {**shared, **states, **{name: point[_of_step(name, t)] for name in names}}
            history.append(evaluate(self.cell, given, self.sizes, arithmetic))
            total = total + loss(history[-1], [a for a in incoming if a.before is None])
            states = {before.name: history[-1][after.name] for before, after in self.cell.recurrence}
        return total + loss({**point, **history[-1]}, [a for a in incoming if a.before is not None]), history

    def gradient(self, point: Point, history: list[dict[str, Array]], arithmetic: Any) -> dict[str, Array]:
        """Return the gradient of every leaf by the backward pass, last step to first."""
        carried = [a for a in arrivals(self.cell) if a.before is not None]
        arriving = {a.symbol.name: point[a.symbol.name] for a in carried}
        found: dict[str, Array] = {}
        name = {s.name: adjoint_symbol(self.cell, s).name for s in self.cell.leaves}
        for t, values in reversed(list(enumerate(history))):
            adjoints = evaluate(self.back, {**values, **arriving}, self.sizes, arithmetic)
            for p in self.cell.parameters:
                found[p.name] = adjoints[name[p.name]] + found.get(p.name, 0)
            found |= {_of_step(s.name, t): adjoints[name[s.name]] for s in self.cell.inputs}
            found |= {before.name: adjoints[name[before.name]] for before, _ in self.cell.recurrence}
            arriving = {a.symbol.name: found[a.before.name] for a in carried if a.before is not None}
        return found


def _of_step(name: str, t: int) -> str:
    return f"{name} of step {t + 1}"


def _filled(shape: tuple[int, int], draw: Callable[[], Any]) -> Array:
    filled = np.empty(shape, dtype=object)
    for position in np.ndindex(shape):
        filled[position] = draw()
    return filled


def _agrees(sequence: _Sequence, field: Field) -> bool:
    """Tell whether formulas and derivative agree at a random point, in a random direction."""
    leaves = sequence.leaves()
    moving = {name: _filled(s, lambda: Dual(field.draw(), 0)) for name, s in sequence.shapes().items()}
    moving |= {name: _filled(moving[name].shape, lambda: Dual(field.draw(), field.draw())) for name in leaves}
    total, history = sequence.run(moving, field.arithmetic)
    gradient = sequence.gradient(_at_rest(moving), [_at_rest(values) for values in history], field.arithmetic)
    pairs = [pair for name in leaves for pair in zip(gradient[name].flat, moving[name].flat, strict=True)]
    along: Any = sum(_along(entry, moved) for entry, moved in pairs)
    return bool((along - total.slope) % PRIME == 0)


def _along(entry: Any, moved: Any) -> int:
    return int(entry.value * moved.slope)


def _at_rest(values: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.vectorize(Dual.at_rest, otypes=[object])(array) for name, array in values.items()}


def _witness(sequence: _Sequence) -> Witness | None:
    """Return an entry whose formula is wrong at random decimals; None where all are right to the tolerance."""
    generator = random.Random(1)
    with mpmath.workdps(DIGITS):
        point = {name: _filled(s, lambda: random_number(generator)) for name, s in sequence.shapes().items()}
        gradient = sequence.gradient(point, sequence.run(point, DECIMAL)[1], DECIMAL)
        for name in sequence.leaves():
            truth = _filled(point[name].shape, lambda: None)
            for position in np.ndindex(truth.shape):
                ends = []
                for step in (STEP, -STEP):
                    moved = point[name].copy()
                    moved[position] += step
                    ends.append(sequence.run({**point, name: moved}, DECIMAL)[0])
                truth[position] = (ends[0] - ends[1]) / (2 * STEP)
            entry = differing(gradient[name], truth)
            if entry is not None:
                numbers = float(gradient[name][entry]), float(truth[entry])
                return Witness(f"d{name}", entry, *numbers, sequence.sizes, as_lists(point))
    return None
