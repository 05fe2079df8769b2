"""Recorded runs, as people ask about them: the true cause comes first, and what cannot be told is said to be so."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.targets.array_files import write_arrays
from lstm_spec.verify.recorded import AS_SPECIFIED, EXPLAINED, UNEXPLAINED, diagnose
from tests import recordings
from tests.recordings import NEEDS, SITUATIONS

FRAMEWORK = {situation: name for name, situations in NEEDS.items() for situation in situations}
SEEDS = {situation: seed for seed, situation in enumerate(SITUATIONS)}


def run_of(situation):
    pytest.importorskip("torch")
    if situation in FRAMEWORK:
        pytest.importorskip(FRAMEWORK[situation])
    return situation(np.random.default_rng(SEEDS[situation]))


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s.__name__)
def test_the_true_cause_comes_first(situation):
    found = diagnose(**run_of(situation))
    assert found.status == EXPLAINED
    assert SITUATIONS[situation] in found.diagnosis[0].sentence
    assert sum(d.confidence for d in found.diagnosis) == pytest.approx(1)


def arguments(folder, run):
    """Write a run to files, and return the options that name them."""
    run, options = dict(run), []
    np.savez(folder / "weights.npz", **run.pop("weights"))
    for name, value in run.items():
        if isinstance(value, str):
            options += [f"--{name}", value]
        else:
            np.save(folder / f"{name}.npy", value)
            options += [f"--{name.replace('_', '-')}", str(folder / f"{name}.npy")]
    return ["diagnose", "--weights", str(folder / "weights.npz"), *options]


@pytest.mark.parametrize("ending", [".npz", ".safetensors", ".pt"])
@pytest.mark.parametrize(("axes", "said"), [((0, 1, 2), "nothing had"), ((1, 0, 2), "the axes alone had")])
def test_weights_in_any_file_and_what_of_a_right_run_had_to_be_changed(ending, axes, said, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    weights, x = recordings.both_directions(rng), recordings.numbers(rng, 5, 2, 3)
    write_arrays(f"weights{ending}", {name: np.asarray(a) for name, a in weights.items()})
    np.save("x.npy", x.transpose(axes))
    np.save("y.npy", recordings.module(weights, x, bidirectional=True)[0].transpose(axes))
    result = CliRunner().invoke(main, ["diagnose", "--weights", f"weights{ending}", "--x", "x.npy", "--got", "y.npy"])
    assert result.exit_code == (0 if axes[0] == 0 else 1), result.output
    assert ("This run is as the specification has it." in result.stdout) == (axes[0] == 0)
    assert f"{said} to be changed" in result.stdout


def test_files_say_what_arrays_do(tmp_path):
    run = run_of(recordings.tensorflow_order)
    report = tmp_path / "report.json"
    result = CliRunner().invoke(main, [*arguments(tmp_path, run), "--json", str(report)])
    assert result.exit_code == 1, result.output
    assert result.stdout.startswith("Probably: it matches the spec if the gates are packed i, c̃, f, o\nRead as lstm")
    told = json.loads(report.read_text())
    assert told["status"] == "explained"
    assert told["diagnosis"] == [d.to_dict() for d in diagnose(**run).diagnosis]
    assert [r["fits"] for r in told["ranked"][:2]] == [False, True]


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_run_that_is_right_is_said_to_be(batch_first):
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    weights, x = recordings.both_directions(rng), recordings.numbers(rng, 5, 2, 3)
    y, h, c = recordings.module(weights, x, bidirectional=True, batch_first=batch_first)
    found = diagnose(weights=weights, x=x, got=y, got_h=h, got_c=c)
    if batch_first:
        # The layout has time first, so these axes are worth a word.
        assert found.diagnosis[0].id == "axes"
    else:
        assert (found.status, found.exit_status, found.diagnosis) == (AS_SPECIFIED, 0, ())


def test_a_module_is_recognised_by_the_names_in_its_state_dict():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    for module, spec in ((torch.nn.GRU(3, 4), "gru_reset_after"), (torch.nn.LSTM(3, 4, proj_size=2), "lstmp")):
        x = torch.randn(5, 2, 3)
        model = torch.nn.ModuleDict({"encoder": module, "head": torch.nn.Linear(4, 1)})
        with torch.no_grad():
            got = module(x)[0].numpy()
        found = diagnose(weights=model.state_dict(), x=x, got=got)
        assert (found.spec, found.status) == (spec, AS_SPECIFIED)


def test_what_a_record_cannot_tell_is_counted_and_explained():
    pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    weights = recordings.torch_weights(rng)
    weights |= {name: 0 * w for name, w in weights.items() if name.startswith("bias")}
    x = recordings.numbers(rng, 1, 1, 3)
    found = diagnose(weights=weights, x=x, got=recordings.module(weights, x)[0])
    assert found.status == AS_SPECIFIED
    assert found.unseen > 100
    assert {"it has one step only", "all biases are zero", "the initial h and c are zero"} <= set(found.notes)


def test_ties_are_said_to_be_ties():
    """From zero states one step forgets nothing, and without biases it is the kernels alone that a gate has."""
    pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    weights, x = recordings.torch_weights(rng), recordings.numbers(rng, 1, 4, 3)
    weights |= {name: 0 * w for name, w in weights.items() if name.startswith("bias")}
    got = recordings.module(recordings.permuted(weights, (1, 0, 2, 3)), x)[0]
    found = diagnose(weights=weights, x=x, got=got)
    assert found.status == EXPLAINED
    assert len(found.diagnosis) > 1
    assert found.diagnosis[0].confidence == pytest.approx(1 / len(found.diagnosis))
    assert "it has one step only" in found.notes


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_asserted_of_a_random_wrong_function(seed):
    pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    weights, x = recordings.torch_weights(rng), recordings.numbers(rng, 5, 2, 3)
    y = recordings.module(weights, x)[0]
    wrong = (np.cos(3 * y), y * np.linspace(0.5, 1, 4), np.sort(y, axis=-1), rng.standard_normal(y.shape))[seed]
    found = diagnose(weights=weights, x=x, got=wrong.astype(np.float32), seconds=2)
    assert (found.status, found.diagnosis) == (UNEXPLAINED, ())
    assert found.ranked


def test_two_numbers_prove_nothing():
    """What has too few digits is explained by nothing, since something would fit by chance."""
    pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    weights, x = recordings.torch_weights(rng, m=1), recordings.numbers(rng, 1, 1, 3)
    assert diagnose(weights=weights, x=x, got=np.array([[[0.12]]])).status == UNEXPLAINED


def test_an_expected_output_is_diagnosed_too():
    run = run_of(recordings.second_bias_ignored)
    right = recordings.module(run["weights"], run["x"])[0]
    assert diagnose(**run, expected=right).expected.status == AS_SPECIFIED
    assert diagnose(**run, expected=run["got"]).expected.status == EXPLAINED


def test_a_large_run_is_looked_at_in_part_first():
    rng = np.random.default_rng(4)
    cell = ls.lstm()
    weights = {name: 0.1 * rng.standard_normal(shape) for name, shape in cell.dimensions(n=24, m=48).items()}
    x, zero = rng.standard_normal((40, 12, 24)), np.zeros((12, 48))
    wrong = {**weights, "b_f": 0 * weights["b_f"]}
    (found, *_) = diagnose(weights=weights, x=x, got=ls.run(cell, wrong, x, zero, zero)[0]).diagnosis
    assert found.sentence == "the term b_f is missing in a_f = W_f z + b_f"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": {"a": np.zeros(3)}}, "the weights \\(a 3\\) are not the parameters of an LSTM"),
        ({"layout": "keras"}, "are not the parameters of .* in the layout keras"),
        ({"layout": "pytroch"}, "did you mean pytorch"),
        ({"spec": "gru"}, "are not the parameters of gru with n=3"),
        ({"got": np.zeros((5, 2, 7))}, "do not fit together for lstm with .*: x is \\(T, B, n\\)"),
        ({"got": np.array(["a"])}, "the output is an array \\(1,\\) of <U1; expected one of numbers"),
        ({"got_c": np.zeros((3, 3))}, "the final c \\(3, 3\\) do not fit together"),
        ({"lengths": np.array([5, -1])}, "lengths are \\(B,\\) whole numbers of steps from 0 to T, got \\[5, -1\\]"),
        ({"x": np.zeros(0)}, "x is an array \\(0,\\); expected \\(T, B, n\\)"),
    ],
)
def test_what_makes_no_run_is_refused_in_a_sentence(change, message):
    rng = np.random.default_rng(0)
    weights, x = recordings.torch_weights(rng), recordings.numbers(rng, 5, 2, 3)
    with pytest.raises(ValueError, match=message):
        diagnose(**{"weights": weights, "x": x, "got": np.zeros((5, 2, 4)), **change})


def test_a_state_that_the_cell_has_not_is_refused():
    weights = {name: np.zeros(shape) for name, shape in ls.cell("rnn").dimensions(n=3, m=4).items()}
    with pytest.raises(ValueError, match="rnn has no state c; its states are h"):
        diagnose(weights=weights, x=np.zeros((5, 2, 3)), got=np.zeros((5, 2, 4)), c0=np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "name a TARGET, or a recorded run with --weights, --x and --got"),
        (["numpy", "--x", "x.npy"], "give one or the other"),
        (["--weights", "no.npz", "--x", "x.npy", "--got", "x.npy"], "no.npz cannot be read: there is no such file"),
        (
            ["--weights", "model.pt", "--x", "x.npy", "--got", "x.npy"],
            "model.pt is no state_dict as torch.save writes it since PyTorch 1.6"
            if find_spec("torch")
            else "model.pt needs PyTorch; install it with: pip install 'lstm_spec[torch]'",
        ),
        (["--weights", "x.npy", "--x", "x.npy", "--got", "x.npy"], "x.npy holds a single array; expected several"),
        (["--weights", "w.npz", "--x", "w.npz", "--got", "x.npy"], "w.npz holds several arrays; expected a single one"),
    ],
)
def test_files_that_do_not_fit_are_refused(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.zeros((2, 2, 2)))
    np.savez("w.npz", a=np.zeros(2))
    (tmp_path / "model.pt").write_text("no arrays")
    result = CliRunner().invoke(main, ["diagnose", *options])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_target_is_diagnosed_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "import lstm_spec as ls\n"
        "def forward(params, x, h0, c0):\n"
        "    return ls.run(ls.lstm(), {**params, 'b_f': 0 * params['b_f']}, x, h0, c0)\n"
    )
    result = CliRunner().invoke(main, ["diagnose", "mine.py:forward"])
    assert result.exit_code == 1, result.output
    assert result.stdout.startswith("Probably: the term b_f is missing in a_f = W_f z + b_f\nstep: ")
    assert CliRunner().invoke(main, ["diagnose", "numpy"]).stdout.startswith("Nothing is wrong, as far as")
