"""Test vectors: what they see, that they are the same every time, and what is said of results computed elsewhere."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.compute.complex_step import complex_step
from lstm_spec.spec.network import network_of
from lstm_spec.targets.layouts import layout
from lstm_spec.targets.reading import FileError
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.fit import UsageError
from lstm_spec.verify.vector_files import check_results, laid_out, write_vectors
from lstm_spec.verify.vectors import vectors


@pytest.fixture(scope="module")
def found():
    return vectors(ls.lstm(), past_length="zero")


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory):
    place = tmp_path_factory.mktemp("golden")
    write_vectors(found, place)
    return place


def computed(found, dtype="float64"):
    """Return what the NumPy layer gives for every vector, by the names of results."""
    layer, results = ls.runner(replace(network_of(ls.lstm()), past_length="zero")), {}
    for vector in found.vectors:
        case = vector.case
        lengths = {} if case.lengths is None else {"lengths": case.lengths}
        y, h, c = layer.forward(case.params, case.x, *case.states, **lengths)
        dparams, dx, dh0, dc0 = layer.backward(case.params, case.x, *case.states, *case.cotangents, **lengths)
        outputs = {"y": y, "h": h, "c": c, **{f"d{k}": v for k, v in dparams.items()}, "dx": dx, "dh0": dh0, "dc0": dc0}
        results |= {f"{vector.id}/{name}": array for name, array in outputs.items()}
    return results


@pytest.mark.parametrize(("name", "dtype"), [("lstm", "float64"), ("lstm", "float32"), ("gru", "float32")])
def test_they_see_the_faults_of_the_catalogue(name, dtype):
    chosen = vectors(ls.cell(name), dtype=dtype)
    assert chosen.faults > 500
    assert chosen.share >= 0.98
    # Arguments that are changed in place show in no answer, and a wide clip is below the accuracy of float32.
    assert all(fault.endswith("-changed") or ".clip" in fault for fault in chosen.alive)


def test_every_clause_but_those_about_the_call_itself_is_exercised(found):
    assert {"inputs", "repeat", "gradient_repeat"} == {check.id for check in CHECKS} - found.clauses.keys()


def test_a_vector_goes_on_where_another_ends(found):
    first, second = found.vectors[:2]
    assert second.follows == first.id
    for name, state in zip(("h", "c"), second.case.states, strict=True):
        np.testing.assert_array_equal(state, first.expected[name].value)


def test_the_gradients_are_those_of_the_complex_step(found):
    for vector in found.vectors[:3]:
        case = vector.case
        if case.lengths is None:
            dy, *dstates = case.cotangents
            exact = complex_step(ls.lstm(), case.params, case.x, case.states, dy, tuple(dstates))
            for name, array in exact.items():
                assert vector.worst(f"d{name}", array) < 2


def test_a_wrong_number_and_a_wrong_shape_differ(found):
    vector = found.vectors[0]
    right = vector.expected["y"].value
    assert not vector.differs({"y": right})
    assert vector.differs({"y": right + 1e-12})
    assert vector.differs({"y": right[:1]})
    assert vector.differs({"y": np.full_like(right, np.nan)})


def test_the_same_arguments_give_the_same_bytes(folder, tmp_path):
    again = vectors(ls.lstm(), past_length="zero")
    paths = write_vectors(again, tmp_path)
    assert sum(p.stat().st_size for p in paths) < 5e6
    for path in paths:
        assert path.read_bytes() == (folder / path.name).read_bytes()


@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_right_results_are_verified(found, folder, tmp_path, suffix):
    results = saved(computed(found), tmp_path / f"results.{suffix}")
    outcome = CliRunner().invoke(main, ["vectors", "check", str(folder), str(results)])
    assert outcome.exit_code == 0, outcome.output
    assert outcome.stdout.startswith(f"VERIFIED  {len(computed(found))} outputs of {len(found.vectors)} vectors")


def saved(results, path):
    if path.suffix == ".npz":
        np.savez(path, **results)
    else:
        nested = {}
        for key, array in results.items():
            vector, name = key.split("/")
            nested.setdefault(vector, {})[name] = array.tolist()
        path.write_text(json.dumps(nested))
    return path


def test_a_wrong_result_is_found_and_what_is_missing_is_said(found, folder, tmp_path):
    results = {key: array for key, array in computed(found).items() if "/d" not in key}
    results["v02/c"] = results["v02/c"] + 1e-9
    outcome = CliRunner().invoke(
        main, ["vectors", "check", str(folder), str(saved(results, tmp_path / "r.npz")), "--json", "-"]
    )
    assert outcome.exit_code == 1
    outputs = json.loads(outcome.stdout)["outputs"]
    assert [(o["vector"], o["output"]) for o in outputs if o["status"] == "discrepancy"] == [("v02", "c")]
    assert {o["output"] for o in outputs if o["status"] == "not_claimed"} >= {"dW_f", "dx", "dh0"}


def test_y_has_to_be_there(found, folder, tmp_path):
    results = {key: array for key, array in computed(found).items() if not key.endswith("v01/y")}
    wrong = [c for c in check_results(folder, saved(results, tmp_path / "r.npz")) if c.status == "discrepancy"]
    assert [(c.vector, c.output, c.message) for c in wrong] == [("v01", "y", "it is not among the results")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.json", b"[1, 2]", "is not of the form"),
        ("r.json", b"{", "is not of the form"),
        ("r.json", b"\xff\xfe", "is not of the form"),
        ("r.json", b'{"v01": {"y": [[1], [1, 2]]}}', "is not of the form"),
        ("r.json", b'{"v99": {"y": [1]}}', "which is none of the vectors' outputs"),
        (
            "r.npz",
            b"PK\x03\x04 and nothing else",
            "is no file of arrays as NumPy writes it with numpy.savez, or it is damaged",
        ),
        ("r.npz", b"", "is no file of arrays as NumPy writes it with numpy.savez, or it is damaged"),
        ("none.npz", None, "cannot be read: there is no such file"),
    ],
)
def test_a_damaged_file_of_results_is_one_sentence(folder, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((UsageError, FileError), match=message):
        check_results(folder, tmp_path / name)


def test_vectors_that_were_changed_are_refused(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "golden")
    np.savez(place / "vectors.npz", **{"v01/expected/y": np.zeros(1)})
    with pytest.raises(UsageError, match=r"vectors\.npz is not the file that"):
        check_results(place, place / "vectors.npz")
    (place / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="cannot be read as the manifest"):
        check_results(place, place / "vectors.npz")
    with pytest.raises(UsageError, match=r"there is no manifest\.json"):
        check_results(tmp_path / "elsewhere", place / "vectors.npz")


def test_what_a_packing_rounds_is_part_of_the_question():
    chosen = vectors(ls.lstm(), dtype="float32", layout=layout("haiku"))
    for vector in chosen.vectors:
        packed = laid_out(chosen, vector).inputs
        own = {name: packed[name] for name in layout("haiku").shapes(vector.case.params)}
        again = layout("haiku").unpack(own, vector.case.params)
        assert all(np.array_equal(again[name], vector.case.params[name]) for name in again)


@pytest.mark.parametrize("name", ["canonical", "pytorch", "onnx", "keras"])
def test_the_header_is_strict_c_in_every_layout(name, found, tmp_path):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    write_vectors(replace(found, layout=layout(name)), tmp_path)
    (tmp_path / "main.c").write_text(
        '#include "vectors.h"\nint main(void) { return lstm_spec_vectors[0].rows != 2; }\n'
    )
    strict = [compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "main.c", "-o", "main"]
    subprocess.run(strict, cwd=tmp_path, check=True)
    subprocess.run(["./main"], cwd=tmp_path, check=True)


def test_a_format_without_vectors_is_refused():
    with pytest.raises(UsageError, match="there are vectors in float64, float32, float16, not in bfloat16"):
        vectors(ls.lstm(), dtype="bfloat16")


def test_the_command_writes_and_says_what_they_see(tmp_path):
    outcome = CliRunner().invoke(main, ["vectors", str(tmp_path / "out"), "--spec", "rnn"])
    assert outcome.exit_code == 0, outcome.output
    assert "planted faults" in outcome.stdout
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["faults"]["seen"] >= 0.97 * manifest["faults"]["planted"]


@pytest.mark.parametrize(("fault", "wrong"), [(None, 0), (("dc_row[j] = dcj * f;", "dc_row[j] = dcj;"), 1)])
def test_a_program_in_c_checks_itself_without_python(folder, tmp_path, fault, wrong):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    examples = Path(__file__).parent.parent / "examples"
    shutil.copy(examples / "check_vectors.c", tmp_path)
    layer = (examples / "lstm.c").read_text()
    (tmp_path / "lstm.c").write_text(layer.replace(*fault) if fault else layer)
    build = [compiler, "-shared", "-fPIC", "lstm.c", "-lm", "-o", "liblstm.so"]
    subprocess.run(build, cwd=tmp_path, check=True)
    strict = [compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I", str(folder)]
    subprocess.run([*strict, "check_vectors.c", "./liblstm.so", "-lm", "-o", "check"], cwd=tmp_path, check=True)
    done = subprocess.run(["./check"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == wrong
    assert done.stdout.splitlines()[-1].endswith("0 outputs wrong") == (not wrong)
