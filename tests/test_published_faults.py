"""Mistakes as people publish them, written out by hand: each is found, and called by its name first."""

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.verify.selftest import planted
from tests.faulty import plain


def output_gate_read_for_the_input_gate(params, x, h0, c0):
    return plain(params, x, h0, c0, gates="foco")


def loop_from_one(params, x, h0, c0):
    y = np.zeros((*x.shape[:2], h0.shape[-1]), x.dtype)
    h, c = h0, c0
    for t in range(1, len(x)):
        _, h, c = plain(params, x[t : t + 1], h, c)
        y[t] = h
    return y, h, c


def reshape_for_transpose(params, x, h0, c0):
    y, h, c = plain(params, x, h0, c0)
    return y.transpose(1, 0, 2).reshape(y.shape), h, c


class DropoutLeftOn:
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, params, x, h0, c0):
        y, h, c = plain(params, x, h0, c0)
        return y * (self.rng.random(y.shape) > 0.1) / 0.9, h, c


class DropoutAveraged:
    """What dropout keeps on the average, at inference, where it was inverted in training."""

    def forward(self, params, x, h0, c0):
        y, h, c = [], h0, c0
        for x_t in x:
            _, h, c = plain(params, x_t[None], 0.8 * h, c)
            y.append(h)
        return np.stack(y), h, c


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (output_gate_read_for_the_input_gate, "i is computed with the parameters of o"),
        (loop_from_one, "the first step is not run"),
        (reshape_for_transpose, "y is written as (B, T, m) where it is (T, B, m)"),
        (DropoutLeftOn, "the same call gives other numbers when it is made again"),
        (DropoutAveraged, "every step reads h times 0.8"),
    ],
)
def test_the_first_sentence_names_it(target, sentence):
    report = ls.verify(target, profile="quick")
    assert report.verdict == "discrepancy"
    assert report.diagnosis[0].sentence.startswith(sentence)


@pytest.mark.parametrize("name", ["lstm", "deep", "gru", "rnn"])
def test_the_catalogue_of_a_cell_names_every_fault_once(name):
    """The deep cell has sides that are numbers, of which SymPy refuses what does not fit."""
    ids = [fault.id for fault in planted(ls.cell(name))]
    assert len(ids) == len(set(ids)) > 200
