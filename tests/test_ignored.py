"""Options that are taken and not heeded are named by the diagnosis, of cells and of networks."""

from dataclasses import replace

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute.answers import canonical
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.layers import layers
from lstm_spec.spec.network import Network
from lstm_spec.spec.recurrent import gru, rnn
from lstm_spec.targets.contract import Target
from lstm_spec.verify import prepare, simplify
from lstm_spec.verify.diagnose import hypotheses
from lstm_spec.verify.ignored import ignored, ignored_in_network


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch):
    monkeypatch.setattr(
        prepare, "PROFILES", {"quick": replace(prepare.PROFILES["quick"], small=8, seeded=8, sizes=(2, 3))}
    )
    monkeypatch.setattr(simplify, "MOST_CALLS", 20)


CELLS = {
    "clip": ls.lstm(clip={"a": 0.3, "h": 0.3}),
    "clip of the state": ls.lstm(clip={"c": 0.3}),
    "coupling": ls.lstm(coupled="i=1-f"),
    "activations": ls.lstm(activations={"f": "hard_sigmoid", "h": "elu"}),
    "activations and clip": ls.lstm(activations={"c": "relu"}, clip={"a": 0.3}),
    "zoneout": ls.cell("zoneout"),
    "gru": gru(activations={"u": "hard_sigmoid"}, clip=0.3),
    "rnn": rnn(activation="softsign", clip=0.3),
}


def test_the_options_of_a_cell_are_read_off_its_equations():
    found = {name: [h.id for h in ignored(cell)] for name, cell in CELLS.items()}
    assert found == {
        "clip": ["clip-ignored", "limit_a-ignored", "limit_h-ignored"],
        "clip of the state": ["clip-ignored"],
        "coupling": ["coupling-ignored"],
        "activations": ["activations-ignored"],
        "activations and clip": ["clip-ignored", "activations-ignored"],
        "zoneout": ["d_c-ignored", "d_h-ignored"],
        "gru": ["clip-ignored", "activations-ignored"],
        "rnn": ["clip-ignored", "activations-ignored"],
    }
    assert ignored(ls.lstm()) == ()


PLANTED = [(name, hypothesis) for name, cell in CELLS.items() for hypothesis in ignored(cell)]


@pytest.mark.parametrize(("name", "hypothesis"), PLANTED, ids=lambda value: getattr(value, "id", value))
def test_what_is_ignored_is_named(name, hypothesis):
    forward, _ = canonical(hypothesis.program)
    report = ls.verify(forward, spec=CELLS[name], profile="quick", checks=("signature", "step"))
    assert report.verdict == "discrepancy"
    assert hypothesis.sentence in [d.sentence for d in report.diagnosis]


NETWORKS = {
    "clip": layers(CELLS["clip"], bidirectional=True),
    "activations": layers(CELLS["activations"], direction="reverse"),
    "direction": layers(direction="reverse"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_what_a_network_ignores_is_told_of_all_directions_at_once(name):
    network = NETWORKS[name]
    hypothesis = next(h for h in ignored_in_network(network) if h.id == f"{name}-ignored")
    case = np.random.default_rng(0)
    sizes = {"n": 2, "m": 3}
    params = {k: case.normal(size=s) for k, s in network.dimensions(**sizes).items()}
    x, states = case.normal(size=(3, 2, 2)), [case.normal(size=(2, 3)) for _ in network.states]
    got = hypothesis.forward(params, x, *states)
    right = hypothesis.right.forward(params, x, *states)
    assert not np.allclose(got[0], right[0])


def test_a_reverse_direction_with_options_of_its_own_is_told_from_one_without():
    layer = Layer(cell=ls.lstm(), direction="both", reverse_cell=ls.lstm(activations={"c": "relu"}))
    found = ignored_in_network(Network(name="two cells", layers=(layer,)))
    assert [h.id for h in found] == ["activations-ignored", "reverse-options-ignored"]
    assert found[1].changed.every_pass[1].cell == ls.lstm()


def test_lengths_that_are_ignored_are_named():
    network = layers(past_length="any")
    hypothesis = next(h for h in hypotheses(network) if h.id == "lengths-ignored")

    def forward(params, x, h, c, lengths=None):
        y, *final = hypothesis.forward(params, x, h, c, lengths=lengths)
        return y, *final

    target = Target(name="mine", forward=forward, spec=network)
    report = ls.verify(target, profile="quick", checks=("signature", "sequence", "lengths"))
    assert report.diagnosis[0].sentence == "the lengths are ignored: every row runs to the last step"
