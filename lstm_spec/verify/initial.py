"""Initial states that were not recorded: found from the output, if there are any from which the run is right."""

from dataclasses import replace

import numpy as np

from lstm_spec.verify.cases import Array, Case
from lstm_spec.verify.diagnose import Diagnosis, Observation, distance, run_hypothesis
from lstm_spec.verify.hypotheses import Candidate

ITERATIONS = 150
LARGEST = 2_000_000
"""From how many products of steps, rows and unknowns on nothing is looked for."""

STEP = 1e-6


def other_states(right: Candidate, observation: Observation, limit: float) -> Diagnosis | None:
    """Return that a run begins elsewhere than it should, where it is right from some initial states.

    right: the hypothesis that nothing is wrong; observation: a run with all of y; limit: how near numbers have to be.
    Nothing is said where y has less than twice as many numbers as the states.
    """
    case, y = observation.case, observation.returned.get("y")
    unknowns = sum(s.shape[-1] for s in case.states)
    if y is None or y[:, 0].size < 2 * unknowns or case.T * case.B * unknowns > LARGEST or case.lengths is not None:
        return None
    found = _solved(right, case, np.asarray(y, np.float64), limit)
    if distance(run_hypothesis(right, found), observation.returned, observation.floors) > limit:
        return None
    given = "those that were given" if any(s.any() for s in case.states) else "zero"
    sentence = (
        f"the run starts from other states than the initial ones: from some that are not {given} it is as the spec has"
        " it, as where states are kept from the run before"
    )
    return Diagnosis("other-initial-states", sentence, 1.0)


def _solved(right: Candidate, case: Case, y: Array, limit: float) -> Case:
    """Return the case with the initial states that come nearest, by damped Gauss-Newton steps, every row for itself."""
    states, damping = np.concatenate(case.states, axis=1), np.full(case.B, 0.03)
    here = _residual(right, case, y, states)
    for _ in range(ITERATIONS):
        if np.abs(here).max() < limit / 4:
            break
        slopes = _slopes(right, case, y, states, here)
        moved = states.copy()
        for row in range(case.B):
            J, r = slopes[:, :, row].reshape(len(slopes), -1).T, here[:, row].ravel()
            damped = np.concatenate([J, damping[row] * np.eye(J.shape[1])])
            moved[row] -= np.linalg.lstsq(damped, np.concatenate([r, np.zeros(J.shape[1])]), rcond=None)[0]
        there = _residual(right, case, y, moved)
        better = (there**2).sum(axis=(0, 2)) < (here**2).sum(axis=(0, 2))
        states = np.where(better[:, None], moved, states)
        here = np.where(better[None, :, None], there, here)
        damping = np.where(better, damping / 3, damping * 3)
    return _from(case, states)


def _from(case: Case, states: Array) -> Case:
    ends = np.cumsum([s.shape[-1] for s in case.states])[:-1]
    return replace(case, states=tuple(np.split(states, ends, axis=1)))


def _residual(right: Candidate, case: Case, y: Array, states: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.nan_to_num(run_hypothesis(right, _from(case, states))["y"] - y, nan=1e3)


def _slopes(right: Candidate, case: Case, y: Array, states: Array, here: Array) -> Array:
    """Return the derivatives of the residual by every unknown, all of them in one run of so many times the rows."""
    count = states.shape[1]
    tiled = replace(case, x=np.tile(case.x, (1, count, 1)), states=tuple(np.tile(s, (count, 1)) for s in case.states))
    nudged = (states[None] + STEP * np.eye(count)[:, None]).reshape(-1, count)
    there = _residual(right, tiled, np.tile(y, (1, count, 1)), nudged).reshape(len(y), count, case.B, -1)
    return (there.swapaxes(0, 1) - here) / STEP
