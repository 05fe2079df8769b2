"""Equations by what they wait for, so that everything outside a recurrence is computed for all steps at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.recipe import Environment, Recipe, evaluate, recipe
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.equation import Equation

Pair = tuple[str, str]


@dataclass(frozen=True)
class Stages:
    """The equations of one pass over time.

    before: what waits for no carried value, computed for all steps at once; through: the recurrence, step by step;
    after: what waits for the recurrence, for all steps at once again. carried: pairs (arriving, leaving) of names;
    reads: the names that ``through`` reads; shared: the names that hold one value for all rows.
    """

    before: Recipe
    through: Recipe
    after: Recipe
    carried: tuple[Pair, ...]
    reads: frozenset[str]
    shared: frozenset[str]


def split(definitions: Sequence[Equation], carried: Sequence[Pair], shared: frozenset[str]) -> Stages:
    """Split equations for a recurrence that carries some values from step to step."""
    dependent = {arriving for arriving, _ in carried}
    for d in definitions:
        if d.uses & dependent:
            dependent.add(d.name)
    needed = {leaving for _, leaving in carried}
    for d in reversed(definitions):
        if d.name in needed:
            needed |= d.uses
    before = tuple(d for d in definitions if d.name not in dependent)
    through = tuple(d for d in definitions if d.name in dependent & needed)
    after = tuple(d for d in definitions if d.name in dependent - needed)
    return Stages(
        before=recipe(before, shared),
        through=recipe(through, shared),
        after=recipe(after, shared),
        carried=tuple(carried),
        reads=frozenset(needed),
        shared=shared,
    )


def run_stages(
    stages: Stages,
    known: Environment,
    initial: Sequence[Bounded],
    shape: tuple[int, int],
    contract: Accuracy,
    *,
    reverse: bool = False,
) -> tuple[Bounded, ...]:
    """Compute all equations over T steps and B rows, and add every value to what is known, as (T·B, size).

    initial: the carried values before the first step, each (B, size); reverse: against time. Returns the carried values
    after the last step.
    """
    evaluate(stages.before, known, contract)
    final = _scan(stages, known, initial, shape, contract, reverse)
    evaluate(stages.after, known, contract)
    return final


def _scan(
    stages: Stages,
    known: Environment,
    initial: Sequence[Bounded],
    shape: tuple[int, int],
    contract: Accuracy,
    reverse: bool,
) -> tuple[Bounded, ...]:
    names = [arriving for arriving, _ in stages.carried]
    current = dict(zip(names, initial, strict=True))
    if not names:
        return ()
    read = stages.reads & known.values.keys()
    constant = {name: known.values[name] for name in read & stages.shared}
    every = {name: by_step(known.values[name], *shape) for name in read - stages.shared}
    history: dict[str, list[Bounded]] = {name: [] for name in (*names, *(name for name, _ in stages.through))}
    steps = range(shape[0])
    for t in reversed(steps) if reverse else steps:
        here = {name: Bounded(b.value[t], b.errors[t]) for name, b in every.items()}
        step = Environment({**constant, **here, **current}, known.scalars)
        evaluate(stages.through, step, contract)
        for name, values in history.items():
            values.append(step.values[name])
        # A value may leave unchanged: then what arrives one step on is what arrived here.
        current = {a: _as_wide(step.values[leaving], current[a]) for a, leaving in stages.carried}
    for name, values in history.items():
        ordered = values[::-1] if reverse else values
        known.values[name] = Bounded(
            np.concatenate([v.value for v in ordered]), np.concatenate([v.errors for v in ordered])
        )
    return tuple(current.values())


def _as_wide(b: Bounded, before: Bounded) -> Bounded:
    """Return a value with an entry for every row, which a constant has not."""
    shape = before.value.shape
    return Bounded(np.broadcast_to(b.value, shape), np.broadcast_to(b.errors, shape))


def by_step(b: Bounded, T: int, B: int) -> Bounded:
    """Return rows (T·B, size) as (T, B, size)."""
    return Bounded(b.value.reshape(T, B, -1), b.errors.reshape(T, B, -1))
