"""Faults that are no wrong equation, as people make them, are named: clipping, mixing, repeating, approximating."""

import numpy as np
import pytest

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.spec.cells import lstm
from lstm_spec.targets.contract import Target
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.explain import explain
from lstm_spec.verify.search import Finding
from lstm_spec.verify.subject import Subject
from tests import faulty
from tests.faulty import plain, sigmoid

CELL = lstm()


def stepped(change):
    """Run step by step, with what happens to (x_t, h, c) before step t."""

    def forward(params, x, h, c):
        y = []
        for t in range(len(x)):
            given = change(t, x[t : t + 1], h, c)
            _, h, c = plain(params, *given)
            y.append(h)
        return np.stack(y), h, c

    return forward


def clipped_argument(params, x, h0, c0):
    return plain(params, x, h0, c0, gate=lambda a: sigmoid(np.clip(a, -20, 20)))


def returned_c_clipped(params, x, h0, c0):
    y, h, c = faulty.correct(params, x, h0, c0)
    return y, h, np.clip(c, -1, 1)


def last_step_repeated(params, x, h0, c0):
    y, h, c = faulty.correct(params, np.concatenate([x, x[-1:]]), h0, c0)
    return y[:-1], h, c


def late_input(params, x, h0, c0):
    return faulty.correct(params, np.roll(x, 1, axis=0), h0, c0)


def soft(params, x, h0, c0):
    return plain(params, x, h0, c0, gate=lambda a: 0.5 * (a / (1 + np.abs(a)) + 1))


def rational(params, x, h0, c0):
    fast = lambda a: a * (27 + a**2) / (27 + 9 * a**2)  # noqa: E731
    return plain(params, x, h0, c0, candidate=fast, squash=fast)


def half_form(params, x, h0, c0):
    return plain(params, x, h0, c0, gate=lambda a: 0.5 * (1 + np.tanh(a)))


def coupled(params, x, h0, c0):
    return plain({**params, "W_f": -params["W_i"], "b_f": -params["b_i"]}, x, h0, c0)


NAMED = {
    clipped_argument: "a_f is clipped to ±20; and so for i and o",
    returned_c_clipped: "the final c is returned clipped to ±1",
    stepped(lambda t, x, h, c: (x, 0 * h + h.mean(0), c)): "every row reads the mean of h over the rows",
    stepped(lambda t, x, h, c: (x, h, 0 * c + c.mean(0))): "every row goes on from the mean of c over the rows",
    stepped(lambda t, x, h, c: (0 * x + x.mean(1), h, c)): "every row reads the mean of x over the rows",
    last_step_repeated: "the last step is run twice before the states are returned",
    stepped(lambda t, x, h, c: (x, h, c * (t % 4 != 3))): "c is reset to zero before every 4th step",
    stepped(lambda t, x, h, c: (x, h, c * (t == 0 or t % 4 != 0))): "c is reset to zero every 4 steps",
    late_input: "step t reads x of the step before, the first step x of the last",
    soft: "a/(2(1 + |a|)) + 1/2 stands where the spec has sigmoid, in f, i and o",
    rational: "a(27 + a²)/(27 + 9a²) stands where the spec has tanh, in c̃ and h",
    half_form: "(tanh(a) + 1)/2 stands where the spec has sigmoid, in f, i and o",
    coupled: "f is 1 − i: the forget gate is coupled to the input gate",
}


@pytest.mark.parametrize("forward", NAMED, ids=lambda f: NAMED[f][:30])
def test_it_is_named_first(forward):
    subject = Subject(Target(name="mine", forward=forward), CELL)
    for regime in ("weights x3", "saturating"):
        case = seeded_case(CELL, "float64", sizes={"n": 2, "m": 3}, T=9, B=3, regime=regime, seed=1)
        comparison = subject.compare(case, subject.call(case)[0], accuracy("float64"))
        if not comparison.agrees:
            break
    found = explain(subject, Finding("it fails", case, comparison.worst))
    assert found[0].sentence == NAMED[forward]
