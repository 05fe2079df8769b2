"""Implementations as laws see them: their answers, each with the error that a correct one may have."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_spec.calculus.laws.law import Answer, Answers, Case, answers
from lstm_spec.calculus.laws.linear import Array, Measured
from lstm_spec.compute.accuracy import Accuracy, accuracy
from lstm_spec.compute.compile import run
from lstm_spec.compute.complex_step import STEP
from lstm_spec.compute.formats import widened
from lstm_spec.compute.free import free_backward_bounds, free_bounds
from lstm_spec.compute.gradients import Read, gradients, leaves_of
from lstm_spec.compute.rounding import Bounded
from lstm_spec.compute.runner import runner
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program


def answers_of(
    cell: Program, forward: Callable[..., Any], backward: Callable[..., Any] | None, contract: Accuracy
) -> Answers:
    """Return what an implementation of a cell answers, with the errors that its accuracy contract allows.

    forward, backward: of the canonical form; backward None where there are no gradients.
    """
    return answers(
        cell,
        forward,
        backward,
        errors=lambda case: _errors(free_bounds(cell, _bounded(case, case.leaves), contract)),
        gradient_errors=lambda case: _errors(
            free_backward_bounds(cell, _bounded(case, case.leaves), _bounded(case, case.cotangents), contract)
        ),
    )


def canonical(
    cell: Program, *, formulas: Program | None = None, window: int | None = None, reads: Sequence[Read] = ()
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the compiled equations of a cell as ``forward`` and ``backward`` of the form that targets have.

    formulas, window, reads: of the backward pass, as ``gradients`` takes them. What comes in bfloat16 is computed in
    float32.
    """

    def forward(params: Mapping[str, Array], x: Array, *states: Array) -> tuple[Array, ...]:
        return run(cell, params, x, *states)

    def backward(params: Mapping[str, Array], x: Array, *others: Array) -> tuple[Any, ...]:
        count = len(cell.states)
        given = (others[:count], others[count], others[count + 1 :])
        found = gradients(cell, params, x, *given, formulas=formulas, window=window, reads=reads)
        return ({name: found[name] for name in params}, found["x"], *(found[f"{s}0"] for s in cell.states))

    return widened(forward), widened(backward)


def compiled_answers(spec: Program | Network) -> Answers:
    """Return what the equations themselves answer in float64, and derivatives along a direction by the complex step.

    >>> from lstm_spec.spec.recurrent import rnn
    >>> leaves = {"W_h": np.ones((1, 1)), "R_h": np.ones((1, 1)), "b_h": np.zeros(1), "x": np.ones((2, 1, 1))}
    >>> case = Case({**leaves, "h0": np.zeros((1, 1))}, {"y": np.ones((2, 1, 1)), "h": np.zeros((1, 1))})
    >>> h = compiled_answers(rnn()).forward(case)["h"]
    >>> h.value.round(3), bool(0 < h.error < 1e-14)
    (array([[0.943]]), True)
    """

    if isinstance(spec, Network):
        return network_answers(spec)
    cell = spec

    def along(case: Case, direction: Mapping[str, Array]) -> Answer:
        moved = {name: a + 1j * STEP * direction[name] for name, a in case.leaves.items()}
        params, states = {p.name: moved[p.name] for p in cell.parameters}, tuple(moved[f"{s}0"] for s in cell.states)
        dy, *dstates = (case.cotangents[name] for name in ("y", *cell.states))
        y, *final = run(cell, params, moved["x"], *states)
        found = gradients(cell, params, moved["x"], states, dy, tuple(dstates))
        named = {"y": y, **dict(zip(cell.states, final, strict=True)), **found}
        return {name: Measured.exact(a.imag / STEP) for name, a in named.items()}

    def truncated(case: Case, window: int) -> Answer:
        states = tuple(case.leaves[f"{s}0"] for s in cell.states)
        dy, *dstates = (case.cotangents[name] for name in ("y", *cell.states))
        found = gradients(cell, case.params, case.x, states, dy, tuple(dstates), window=window)
        return {name: Measured.exact(a) for name, a in found.items()}

    own = answers_of(cell, *canonical(cell), accuracy("float64"))
    return Answers(own.forward, own.backward, along, truncated)


def network_answers(network: Network) -> Answers:
    """Return what a network answers, states as it stacks them; without errors, those of the cells it is made of."""
    arrays = tuple(network.stacks)

    def forward(case: Case) -> Answer:
        states = (case.leaves[f"{name}0"] for name in arrays)
        returned = runner(network).forward(case.params, case.x, *states, lengths=case.lengths)
        return {name: Measured.exact(a) for name, a in zip(("y", *arrays), returned, strict=True)}

    return Answers(forward)


def case_of(cell: Program, params: Mapping[str, Array], x: Array, states: Any, cotangents: Any) -> Case:
    """Return a law's case from arguments of the canonical form; cotangents: of y and of every final state."""
    return Case(leaves_of(cell, params, x, states), dict(zip(("y", *cell.states), cotangents, strict=True)))


def _bounded(case: Case, arrays: Mapping[str, Array]) -> dict[str, Bounded]:
    return {name: Bounded(np.asarray(a, np.float64), case.errors.get(name)) for name, a in arrays.items()}


def _errors(bounds: Mapping[str, Bounded]) -> dict[str, Array]:
    return {name: bounded.errors for name, bounded in bounds.items()}
