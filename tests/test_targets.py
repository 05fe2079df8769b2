"""What a target may return, what it may say of itself, and what is said where it may not."""

import json
import sys
import textwrap

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.spec.options import OptionError
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import layout
from lstm_spec.targets.modules import find_attribute
from lstm_spec.targets.python import load, target_of
from tests.faulty import correct
from tests.misbehaving import SAID


@pytest.mark.parametrize("target", SAID, ids=lambda f: f.__name__)
def test_what_a_target_does_wrong_is_a_finding_in_one_sentence(target):
    report = ls.verify(target, profile="quick")
    assert (report.verdict, report.exit_status) == ("discrepancy", 1)
    said = report.finding.message
    code = target.__code__
    assert any(said.startswith(SAID[target].format(line=line)) for line in range(code.co_firstlineno, 999))
    assert "\n" not in said


def fails_in_a_library(params, x, h0, c0):
    return json.loads("{")


def test_an_exception_of_a_library_is_placed_where_it_was_called():
    line = fails_in_a_library.__code__.co_firstlineno + 1
    said = ls.verify(fails_in_a_library, profile="quick").finding.message
    assert "forward raised JSONDecodeError: Expecting property name" in said
    assert f" at test_targets.py:{line} on a valid case" in said


def views(params, x, h0, c0):
    y, _, c = correct(params, x, h0, c0)
    return y, y[-1], c


def read_only(params, x, h0, c0):
    outputs = correct(params, x, h0, c0)
    for array in outputs:
        array.flags.writeable = False
    return list(outputs)


def one_buffer():
    buffers = {}

    def forward(params, x, h0, c0):
        """Return the same arrays at every call, as a workspace does."""
        fresh = correct(params, x, h0, c0)
        kept = buffers.setdefault((x.shape, h0.shape), fresh)
        for to, value in zip(kept, fresh, strict=True):
            to[...] = value
        return kept

    return forward


def fortran_order(params, x, h0, c0):
    return tuple(np.asfortranarray(a) for a in correct(params, x, h0, c0))


@pytest.mark.parametrize("target", [views, read_only, fortran_order], ids=lambda f: f.__name__)
def test_what_a_target_may_do_with_what_it_returns(target):
    assert ls.verify(target, profile="quick").verdict == "verified"


def test_what_a_target_may_not_do_with_what_it_returns():
    report = ls.verify(one_buffer(), profile="quick")
    assert report.verdict == "discrepancy"
    assert "an array that its next call wrote over" in report.finding.message


def test_an_input_may_be_returned_as_it_came():
    """A layer that only passes on: its outputs are views of its inputs."""
    cell = ls.lstm()
    seen = ls.verify(lambda params, x, h0, c0: (np.broadcast_to(h0, (len(x), *h0.shape)), h0, c0), spec=cell)
    assert seen.verdict == "discrepancy"
    assert "expected" in seen.finding.message


class Described:
    """A target that says everything there is to say."""

    spec = "gru"
    layout = Layout(gates="urh", kernels="separate")
    dtypes = ["float32", "float64"]  # noqa: RUF012
    arrays = "numpy"
    weights = {"b_u": [1, 2]}  # noqa: RUF012
    versions = {"theirs": 3.5}  # noqa: RUF012

    def forward(self, *arguments):
        return arguments

    def backward(self, *arguments):
        return arguments


def test_everything_that_a_target_holds_is_read_from_the_object():
    given = Described()
    target = target_of(given, name="mine.py:given")
    assert target.name == "mine.py:given"
    assert (target.forward, target.backward) == (given.forward, given.backward)
    assert (target.spec, target.layout, target.arrays) == ("gru", Described.layout, "numpy")
    assert target.dtypes == ("float32", "float64")
    assert target.weights["b_u"].tolist() == [1.0, 2.0]
    assert target.versions == {"theirs": "3.5"}
    assert target_of(Described).name == "Described"


def test_what_a_function_leaves_out_is_as_the_specification_has_it():
    assert target_of(correct) == Target(name="correct", forward=correct)


@pytest.mark.parametrize(
    ("beside", "taken"),
    [
        ("def lstm_backward(params, x, h0, c0, dy, dh, dc): ...", True),
        ("def lstm_backward(*given): ...", True),
        ("def lstm_backward(params, x, h0, c0, dy, dh, dc, *, lengths=None): ...", True),
        ("def lstm_backward(dy, cache): ...", False),
        ("def backward(params, x, h0, c0, dy, dh, dc): ...", False),
        ("lstm_backward = 3", False),
    ],
)
@pytest.mark.parametrize("name", ["lstm_forward", "lstm"])
def test_a_backward_that_fits_and_stands_beside_a_function_is_its_own(tmp_path, name, beside, taken):
    (tmp_path / "mine.py").write_text(f"def {name}(params, x, h0, c0): ...\n\n\n{beside}\n")
    assert (load(f"{tmp_path / 'mine.py'}:{name}").backward is not None) is taken


def test_a_layout_that_is_given_overrides_what_the_target_says():
    assert target_of(Described, layout="pytorch").layout == layout("pytorch")
    made = Target(name="made", forward=correct)
    assert target_of(made) is made
    assert target_of(made, layout="keras").layout == layout("keras")


def saying(**attributes):
    return type("Mine", (), {"forward": staticmethod(correct), **attributes})


def unreadable(self):
    raise RuntimeError("not today")


def leaves(self):
    raise SystemExit(0)


def dimensions():
    return {name: np.ones(shape) for name, shape in ls.lstm().dimensions(n=2, m=3).items()}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (saying(spec="lstmm"), 'there is no cell "lstmm"; did you mean lstm?'),
        (saying(spec=3), "Mine.spec must be a cell, a network or the name of a cell, got 3"),
        (saying(layout="pytroch"), 'Mine: unknown layout "pytroch": did you mean pytorch?'),
        (saying(layout="nowhere.toml"), "Mine: nowhere.toml: cannot be read: No such file"),
        (saying(layout=3), 'Mine: unknown layout "3"'),
        (
            saying(layout=property(unreadable)),
            "Mine.layout cannot be read: RuntimeError: not today at test_targets.py:",
        ),
        (saying(dtypes=("float65",)), "Mine.dtypes must be a tuple of float64, float32, float16, bfloat16, got ('f"),
        (saying(dtypes=3), "Mine.dtypes must be a tuple of float64, float32, float16, bfloat16, got 3"),
        (saying(dtypes=()), "Mine.dtypes must be a tuple of"),
        (saying(dtypes=(np.float32,)), "Mine.dtypes must be a tuple of"),
        (saying(arrays="cupy"), "Mine.arrays is 'cupy'; it is one of numpy, torch, jax"),
        (saying(arrays=["numpy"]), "Mine.arrays must be a str, got ['numpy']"),
        (saying(weights=3), "Mine.weights must be a mapping, got 3"),
        (saying(weights={}), "Mine has weights that are not those of lstm; they differ in W_c, W_f, W_i, W_o, b_c"),
        (saying(weights=dimensions() | {3: 1.0}), "Mine has weights that are not those of lstm; they differ in 3"),
        (saying(weights=dimensions() | {"W_o": np.ones((3, 4))}), "Mine.weights: W_o is 3×4 but z has 5 rows"),
        (saying(weights=dimensions() | {"W_o": "abc"}), "Mine.weights['W_o'] is no array of numbers: ValueError"),
        (saying(weights=dimensions() | {"b_o": [1, np.nan, 2]}), "Mine.weights['b_o'] holds NaN or infinity"),
        (saying(versions="1.0"), "Mine.versions must be a mapping, got '1.0'"),
        (saying(backward=3), "Mine.backward is an int, not callable; leave it out if there are no gradients"),
        (saying(forward=3), "Mine.forward is an int, not callable"),
        (
            saying(__init__=leaves),
            "Mine is a class that cannot be made without arguments (SystemExit: 0 at test_targets",
        ),
        (
            type("Bare", (), {}),
            "Bare is a class without a forward method; give an instance, a function or such a class",
        ),
        (3, "int is an int, neither callable nor an object with a forward method"),
        (None, "NoneType is None, neither callable nor an object with a forward method"),
    ],
    ids=str,
)
def test_what_a_target_says_wrongly_of_itself_is_said_in_one_sentence(target, message):
    with pytest.raises((TargetError, OptionError)) as error:
        ls.verify(target, profile="quick")
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


FILE = """
from __future__ import annotations
from dataclasses import dataclass
import helper

@dataclass
class Settings:
    factor: float = 1.0

class Model:
    def forward(self, params, x, h0, c0):
        return helper.correct(params, x, h0, c0)

class Later:
    @property
    def forward(self):
        raise RuntimeError("not yet")

later = Later()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "helper.py").write_text("from tests.faulty import correct\n")
    monkeypatch.chdir(tmp_path)
    # Another test's file of that name may have been imported in this process.
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path


def test_a_file_may_import_what_lies_beside_it_and_define_dataclasses(folder):
    assert ls.verify("mine.py:Model", profile="quick", checks=["signature", "step"]).verdict == "verified"
    assert find_attribute("mine.py", "Settings")().factor == 1.0


def test_a_file_may_have_the_name_of_a_package(folder):
    (folder / "numpy.py").write_text("def forward(params, x, h0, c0):\n    return x, h0, c0\n")
    assert load("numpy.py:forward").name == "numpy.py:forward"
    import numpy

    assert numpy is np


BROKEN = {
    "raising.py": ("x = 1\nraise RuntimeError('no\\nluck')", "failed with RuntimeError: no at raising.py:2"),
    "exiting.py": ("import sys\nprint('bye')\nsys.exit(0)", "failed with SystemExit: 0 at exiting.py:3"),
    "misspelt.py": ("def f(:\n", "failed with SyntaxError: invalid syntax (misspelt.py, line 1)"),
    "lacking.py": ("import nowhere_to_be_found", "failed with ModuleNotFoundError: No module named 'nowhere_to_be_fou"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("as_module", [True, False])
def test_an_import_that_fails_is_one_sentence(folder, name, as_module):
    body, message = BROKEN[name]
    (folder / name).write_text(body)
    place = name.removesuffix(".py") if as_module else name
    with pytest.raises(TargetError) as error:
        load(f"{place}:forward")
    assert str(error.value).startswith(f"importing {place} {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nunpy", 'there is no target "nunpy"; did you mean "numpy"? your own is named package.module:attribute or'),
        ("quux", 'there is no target "quux"; built in are numpy, spec, torch, torch-cell, torch-gru, torch-rnn'),
        ("mine.py", "mine.py is a file; name the function or object in it too, as in mine.py:forward"),
        (":forward", 'there is no target ":forward"'),
        ("mine.py:", 'there is no target "mine.py:"'),
        ("mime.py:Model", "there is no file mime.py; did you mean mine.py?"),
        ("nowhere/mine.py:Model", "there is no file nowhere/mine.py"),
        ("mine.py:Modell", "mine.py has no Modell; did you mean Model?"),
        ("mine.py:Model.forwards", "mine.py has no Model.forwards; did you mean forward?"),
        ("mine.py:later.forward", "mine.py:later.forward cannot be read: RuntimeError: not yet at mine.py:"),
        ("mine.py:Settings", "mine.py:Settings is a class without a forward method"),
        ("mine:Modell", "mine has no Modell; did you mean Model?"),
        ("minee:Model", "there is no module minee; did you mean mine?"),
        ("tests.nowhere:Model", "there is no module tests.nowhere"),
    ],
    ids=str,
)
def test_a_name_that_finds_nothing_is_answered_with_the_closest(folder, name, message):
    with pytest.raises(TargetError) as error:
        load(name)
    assert str(error.value).startswith(message)


def test_a_cell_in_a_file_that_cannot_be_made_is_one_sentence(folder):
    (folder / "cells.py").write_text(
        textwrap.dedent("""
        def cell():
            raise KeyError("W")

        def wanting(size):
            return size

        three = 3
    """)
    )
    for name, message in (
        ("cells.py:cell", "cells.py:cell cannot be called without arguments: KeyError: 'W' at cells.py:3"),
        ("cells.py:wanting", "cells.py:wanting cannot be called without arguments: TypeError: wanting() missing 1"),
        ("cells.py:three", "cells.py:three is an int, not a Program such as lstm_spec.lstm() makes"),
        ("cells.py:cel", "cells.py has no cel; did you mean cell?"),
    ):
        with pytest.raises(TargetError) as error:
            ls.verify(correct, spec=name)
        assert str(error.value).startswith(message)


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_an_exception_is_placed_in_somebodys_own_file_and_not_in_a_package(folder, tmp_path, monkeypatch):
    package = tmp_path / "lib" / folder
    package.mkdir(parents=True)
    (package / "old_package.py").write_text("import math\n\nmath.integer\n")
    monkeypatch.syspath_prepend(package)
    (tmp_path / "mine.py").write_text("import math\n\nimport old_package\n")
    with pytest.raises(TargetError, match=r"has no attribute 'integer' at mine.py:3$"):
        load(f"{tmp_path / 'mine.py'}:forward")
