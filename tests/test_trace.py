"""A trace shows every value, and marks the first that deviates."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.report.trace import trace_lines
from lstm_spec.verify.trace import trace
from tests import recordings

CELL = ls.lstm()
NAMES = [d.name for d in CELL]


def run(n=2, m=2, T=3, B=1, seed=0):
    rng = np.random.default_rng(seed)
    weights = {name: rng.standard_normal(shape) for name, shape in CELL.dimensions(n=n, m=m).items()}
    return weights, rng.standard_normal((T, B, n))


def values(weights, x, names=NAMES):
    step = ls.compile_program(CELL, tuple(names))
    m = weights["b_f"].shape[0]
    h = c = np.zeros((x.shape[1], m))
    found = {name: [] for name in names}
    for x_t in x:
        here = dict(zip(names, step(weights, x_t, h, c), strict=True))
        h, c = here["h"], here["c"]
        for name, value in here.items():
            found[name].append(value)
    return {name: np.stack(steps) for name, steps in found.items()}


def test_what_is_right_deviates_nowhere():
    weights, x = run()
    recorded = values(weights, x)
    found = trace(weights=weights, x=x, recorded=recorded, got=recorded["h"])
    assert (found.first, found.exit_status) == (None, 0)
    assert [v.name for v in found.values] == NAMES * 3
    assert all(v.recorded is not None for v in found.values)
    assert "Nothing that was recorded deviates." in list(trace_lines(found))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [0, 2])
def test_the_first_that_deviates_is_marked(name, step):
    weights, x = run(m=3, B=2)
    recorded = values(weights, x)
    recorded[name][step, 1, 2] += 1e-3
    # What is computed later may deviate as well.
    recorded["h"][2, 0, 0] += 1
    found = trace(weights=weights, x=x, recorded={k: a for k, a in recorded.items() if k in (name, "h", "z")})
    first = found.first
    assert (first.step, first.name) == (step, name)
    marked = [line for line in trace_lines(found) if line.endswith("<- the first that deviates")]
    assert len(marked) == 1
    assert marked[0].split()[0] == {"c_tilde": "c̃"}.get(name, name)


def test_axes_are_those_of_x_and_a_single_row_needs_none():
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    weights, x = recordings.keras_weights(rng), recordings.numbers(rng, 2, 5, 3)
    first = trace(weights=weights, x=x)
    c = np.stack([v.value for v in first.values if v.name == "c"]).swapaxes(0, 1)
    assert trace(weights=weights, x=x, recorded={"c": c.astype("float32")}).first is None
    weights, x = run()
    assert trace(weights=weights, x=x, recorded={"f": values(weights, x)["f"][:, 0]}).first is None


def test_many_numbers_are_summed_up():
    weights, x = run(n=8, m=16, T=4, B=3)
    recorded = values(weights, x)
    recorded["a_i"][1, 2, 11] = 7.5
    lines = list(trace_lines(trace(weights=weights, x=x, recorded={"a_i": recorded["a_i"]})))
    assert lines[1].startswith("The first that deviates: a_i at step 1, row 2, unit 11: ")
    assert any("3×16 from" in line and "furthest at row 2, unit 11" in line for line in lines)
    assert lines[-1] == "… 1 more step"
    assert max(map(len, lines)) < 120


def test_the_command_prints_and_writes_it(tmp_path):
    weights, x = run()
    recorded = values(weights, x)
    recorded["o"][0, 0, 1] = 0.25
    np.savez(tmp_path / "w.npz", **weights)
    np.savez(tmp_path / "r.npz", o=recorded["o"])
    np.save(tmp_path / "x.npy", x)
    options = ["--weights", str(tmp_path / "w.npz"), "--x", str(tmp_path / "x.npy")]
    report = tmp_path / "trace.json"
    run_ = ["diagnose", *options, "--trace", "--recorded", str(tmp_path / "r.npz"), "--json", str(report)]
    result = CliRunner().invoke(main, run_)
    assert result.exit_code == 1, result.output
    assert "recorded 0.25" in result.stdout.splitlines()[1]
    assert json.loads(report.read_text())["first"] == {"step": 0, "name": "o", "at": [0, 1]}
    assert CliRunner().invoke(main, ["diagnose", *options, "--trace"]).exit_code == 0


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        ({"a_g": np.zeros((3, 1, 2))}, "lstm computes no a_g; it computes z, a_f, f, "),
        (
            {"f": np.zeros((3, 1, 5))},
            "the recorded f has the shape \\(3, 1, 5\\); expected \\(T, B, size\\) = \\(3, 1, 2\\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(recorded, message):
    weights, x = run()
    with pytest.raises(ValueError, match=message):
        trace(weights=weights, x=x, recorded=recorded)


def test_a_trace_is_of_one_pass():
    weights = recordings.both_directions(np.random.default_rng(0))
    with pytest.raises(ValueError, match="bidirectional lstm has several passes"):
        trace(weights=weights, x=np.zeros((3, 1, 3)))
