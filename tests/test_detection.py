"""The detection limit is what it says: an error of a weight above it is found, one far below it is not."""

import json
from dataclasses import replace

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute.accuracy import accuracy
from lstm_spec.report.console import detection_lines, headline
from lstm_spec.spec.layers import layers
from lstm_spec.targets.contract import Target
from lstm_spec.targets.reference import compiled_spec
from lstm_spec.verify.detection import CASES, MOST_WEIGHTS, detection, weight_cases
from tests import faulty

CELL = ls.lstm()


def off_by(name, at, part):
    def forward(params, x, h0, c0):
        moved = params[name].copy()
        moved[at] = moved[at] * (1 + part)
        return faulty.correct({**params, name: moved}, x, h0, c0)

    return forward


def weights(target, **options):
    return ls.verify(target, profile="quick", checks=["weights"], diagnose=False, **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_error_of_any_weight_is_found_above_the_worst_limit_and_none_below_the_best(dtype):
    found = detection(CELL, weight_cases(CELL, compiled_spec(), dtype), accuracy(dtype))
    rng = np.random.default_rng(0)
    for name, shape in CELL.dimensions(n=5, m=4).items():
        at = tuple(int(rng.integers(k)) for k in shape)
        assert weights(off_by(name, at, 3 * found.worst), dtypes=[dtype]).verdict == "discrepancy", (name, at)
    assert weights(off_by("W_f", (0, 0), found.median / 100), dtypes=[dtype]).verdict == "verified"


def test_every_case_is_asked():
    asked = []

    def forward(params, x, h0, c0):
        asked.append(x.tobytes() + params["W_f"].tobytes())
        return faulty.correct(params, x, h0, c0)

    assert weights(forward).checks[0].cases == CASES
    assert len(set(asked)) == CASES


def test_a_coarser_format_sees_less():
    limits = [
        detection(CELL, weight_cases(CELL, compiled_spec(), d), accuracy(d)).median for d in ("float64", "float32")
    ]
    assert 1e-15 < limits[0] < 1e-12 < 1e-7 < limits[1] < 1e-4


@pytest.mark.parametrize("name", ["gru", "lstmp", "mut2", "minlstm"])
def test_every_cell_has_a_limit(name):
    cell = ls.cell(name)
    found = detection(cell, weight_cases(cell, compiled_spec(cell), "float64"), accuracy("float64"))
    assert found.weights == found.total
    assert found.median < 1e-11


def test_a_network_has_one_and_of_many_weights_some_are_looked_at():
    network = layers("lstm", count=2, bidirectional=True)
    target = Target("stack", forward=lambda *given: given, spec=network)
    found = detection(network, weight_cases(network, target, "float64"), accuracy("float64"))
    assert found.weights == MOST_WEIGHTS < found.total
    assert found.median < 1e-10


def test_recurrent_weights_are_seen_of_what_is_given_no_states():
    network = replace(layers("lstm", count=1), initial="zero")
    cases = weight_cases(network, Target("zero", forward=lambda *given: given, spec=network), "float64")
    assert not any(np.any(state) for case in cases for state in case.states)
    assert detection(network, cases, accuracy("float64")).worst < 1e-9


def test_a_target_of_fixed_shapes_is_asked_in_them():
    target = Target("fixed", forward=faulty.correct, sizes=({"n": 2, "m": 3, "T": 2, "B": 2},))
    cases = weight_cases(CELL, target, "float32")
    assert {case.x.shape for case in cases} == {(2, 2, 2)}
    assert detection(CELL, cases, accuracy("float32")).worst < 1e-2
    assert weight_cases(CELL, replace(target, possible=lambda sizes: False), "float32") == ()


def test_what_nothing_depends_on_shows_never():
    class Idle:
        weights = {name: np.zeros(shape) for name, shape in CELL.dimensions(n=2, m=3).items()}  # noqa: RUF012

        def forward(self, params, x, h0, c0):
            return faulty.correct(params, x, h0, c0)

    report = weights(Idle)
    told = json.loads(json.dumps(report.to_dict()))["detection"]["float64"]
    assert told["worst"] == "inf", "an error relative to zero is none"
    assert told["sizes"] == {"n": 2, "m": 3}


def test_the_report_says_it():
    report = weights("numpy")
    assert set(report.detection) == {"float64", "float32"}
    assert "; smallest detectable error of one weight 2e-14 in float64, 6e-06 in float32" in headline(report)
    first = detection_lines(report)[0]
    assert first.startswith(
        "float64: a weight that is off by 2.4e-14 of itself shows (median of 160 weights at n=5, m=4; "
    )
    wrong = ls.verify(faulty.gates_permuted, profile="quick", checks=["step", "weights"], diagnose=False)
    assert wrong.detection == {}
