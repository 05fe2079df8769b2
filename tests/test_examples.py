"""The examples in other languages: built and verified as the how-to says, and with a fault planted in each."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.library import library
from lstm_spec.targets.python import load

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "how-to" / "another-language.md").read_text(encoding="utf-8")
SESSIONS = [
    re.findall(r"^\$ (.*)", block, re.MULTILINE) for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
]
BUILDS = {
    "lstm.c": "cc -O2 lstm.c -lm -o lstm",
    "lstm.rs": "rustc -O --edition 2021 lstm.rs -o lstm_rs",
    "liblstm.so": "cc -O2 -shared -fPIC lstm.c -lm -o liblstm.so",
}
FEW = ["step", "gradient_sequence", "views"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for file in EXAMPLES.iterdir():
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command):
    words = shlex.split(command)
    if words[0] == "lstm-spec":
        needed(shlex.split(words[-1])[0])
        result = CliRunner().invoke(main, [*words[1:], "--profile", "quick", "--checks", ",".join(FEW)])
        assert result.exit_code == 0, result.output
        assert "forward and gradients in " in result.stdout
    else:
        needed(words[0])
        subprocess.run(words, check=True)


def needed(program):
    if not program.startswith("./") and shutil.which(program) is None:
        pytest.skip(f"needs {program}")


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: session[-1].split()[-1])
def test_the_examples_are_verified_as_the_page_says(folder, session):
    for command in session:
        run(command)


FAULTS = [
    ("lstm.c", "* tanh(c_next[j])", "* tanh(c[j])", "h uses c' where the spec has c"),
    ("lstm.c", "dh_row[i] += d * w[n + i];", "", "no gradient passes from step to step through h"),
    ("lstm.rs", '["f", "i", "c", "o"]', '["i", "f", "c", "o"]', "the gates are taken in the order i, f, c̃, o"),
    ("lstm.mjs", "* (1 - candidate[unit] * candidate[unit])", "", "the factor 1 − c̃∘c̃ is missing in δa_c"),
    ("liblstm.so", "real a = l->b[k][j];", "real a = k == FORGET ? 0 : l->b[k][j];", "b_f"),
]


def built(folder, name, right, wrong):
    """Build an example with a text in it replaced, and return it as ``verify`` takes it."""
    source = folder / ("lstm.c" if name == "liblstm.so" else name)
    text = source.read_text(encoding="utf-8")
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong), encoding="utf-8")
    if name in BUILDS:
        run(BUILDS[name])
    else:
        needed("node")
    return {
        "lstm.c": ls.Command("./lstm"),
        "lstm.rs": ls.Command("./lstm_rs"),
        "lstm.mjs": ls.Command("node lstm.mjs"),
        "liblstm.so": "./liblstm.so:lstm_forward",
    }[name]


@pytest.mark.parametrize(("name", "right", "wrong", "sentence"), FAULTS, ids=lambda value: value[:12])
def test_a_planted_fault_is_found_and_named(folder, name, right, wrong, sentence):
    check = "gradient_step" if "grad" in sentence or "δ" in sentence else "step"
    target = built(folder, name, right, wrong)
    report = ls.verify(target, profile="quick", checks=[check], first_finding=check != "step")
    assert report.exit_status == 1
    assert sentence in report.diagnosis[0].sentence
    if check == "step":
        assert "AssertionError" in shown_by(report.failing.snippet)


def shown_by(snippet):
    """Return what is said where the Python of a report is pasted; it finds what it needs beside it."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, "-c", snippet], capture_output=True, text=True, env=environment).stderr


def test_every_build_is_on_the_page():
    shown = {command for session in SESSIONS for command in session}
    assert {*BUILDS.values()} < shown


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        (
            "copy(h, r.h + T * B * m, B * m);",
            "copy(h, r.h + T * B * m, B * m); h[B * m] = 0;",
            "lstm_forward wrote past the end of state 1 on a valid",
        ),
        (
            "copy(y, r.h + B * m, T * B * m);",
            "copy(y - 1, r.h, 1);",
            "lstm_forward wrote before the beginning of y on a valid",
        ),
        ("copy(c, r.c + T * B * m, B * m);", "", "c at row 0, unit 0: expected 0, got nan"),
        (
            "copy(y, r.h + B * m,",
            "((real *)x)[0] += 1, copy(y, r.h + B * m,",
            "forward changed its argument x in place",
        ),
        ("Run r = {reals", "((real *)NULL)[0] = 1;\n    Run r = {reals", "forward died of SIGSEGV on a valid case"),
    ],
    ids=lambda value: value[:24],
)
def test_what_a_library_does_to_memory_is_a_finding(folder, right, wrong, sentence):
    target = load(built(folder, "liblstm.so", right, wrong))
    report = ls.verify(
        target, profile="quick", checks=["step", "inputs"], isolate=True, first_finding=True, diagnose=False
    )
    assert report.exit_status == 1
    assert sentence in report.finding.message


def test_a_library_in_another_layout_and_format(folder):
    """PyTorch's packing, batch first, in float32: what arrives is what the layout says."""
    (folder / "seen.c").write_text(SEEN, encoding="utf-8")
    run("cc -shared -fPIC seen.c -o libseen.so")
    layout = Layout(gates="ifco", kernels="separate", biases=2, axes="BTI")
    target = library("./libseen.so", "seen_forward", layout=layout)
    ones = lambda *shape: np.ones(shape, np.float32)  # noqa: E731
    params = {"W": ones(12, 2), "R": ones(12, 3), "b": 2 * ones(12), "bR": 3 * ones(12)}
    y, h, c = target.forward(params, 4 * ones(5, 7, 2), 5 * ones(5, 3), 6 * ones(5, 3))
    assert (y.shape, h.shape, c.shape) == ((5, 7, 3), (5, 3), (5, 3))
    assert y.ravel()[:4].tolist() == [7, 5, 2, 3]
    assert (h.ravel()[:2].tolist(), c.ravel()[:3].tolist()) == ([2, 3], [4, 5, 6])
    assert target.backward is None


SEEN = """
#include <stdint.h>
void seen_forward(int64_t T, int64_t B, int64_t n, int64_t m, const float *W, const float *R, const float *b,
                  const float *bR, const float *x, const float *h0, const float *c0, float *y, float *h, float *c)
{
    y[0] = T, y[1] = B, y[2] = n, y[3] = m;
    h[0] = b[0], h[1] = bR[0];
    c[0] = x[0], c[1] = h0[0], c[2] = c0[0];
}
"""


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("./nowhere.so:f", "there is no file ./nowhere.so"),
        ("./lstm.c.so:f", "./lstm.c.so cannot be loaded: "),
        ("./liblstm.so:forward", "./liblstm.so has no function forward that others can call"),
        ("./liblstm.so", "./liblstm.so is a file; name the function or object in it too, as in ./liblstm.so:forward"),
    ],
)
def test_what_is_no_function_of_a_library_is_refused(folder, name, sentence):
    run(BUILDS["liblstm.so"])
    shutil.copy("lstm.c", "lstm.c.so")
    with pytest.raises(TargetError) as caught:
        load(name)
    assert str(caught.value).startswith(sentence)
