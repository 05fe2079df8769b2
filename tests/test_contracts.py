"""Accuracy contracts of one's own: what is right under them is verified, what is wrong is not, mistakes are told."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.compute.accuracy import FORMATS, AccuracyError, accuracy
from lstm_spec.compute.contracts import contracts, differences, told
from tests import faulty

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "accuracy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
(KERNEL, CONTRACT, COMMAND, SHOWN) = (
    next(body for kind, body in BLOCKS if kind == k) for k in ["python", "toml", "console", "text"]
)
TABLE = {"functions": {"tanh": {"ulps": 8, "error": 1e-4}, "sigmoid": {"ulps": 8, "error": 5e-5}}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "table.py").write_text(KERNEL, encoding="utf-8")
    (tmp_path / "table.toml").write_text(CONTRACT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def table():
    namespace = {}
    exec(KERNEL, namespace)
    return namespace["forward"]


def test_the_page_shows_what_the_command_prints(folder):
    result = CliRunner().invoke(main, COMMAND.removeprefix("$ lstm-spec ").split())
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(SHOWN)


def test_the_default_contract_does_not_forgive_what_a_declared_one_does(table):
    assert ls.verify(table, profile="quick", checks=["step"]).verdict == "discrepancy"
    report = ls.verify(table, profile="quick", checks=["step"], accuracy=TABLE)
    assert report.verdict == "verified", str(report)
    assert report.to_dict()["accuracy"]["formats"]["float64"]["functions"]["tanh"] == {"ulps": 8.0, "error": 1e-4}


@pytest.mark.parametrize(
    "fault", [f for f in faulty.FAULTS if f.__name__ not in ("weight_slightly_off", "input_changed")]
)
def test_what_is_wrong_is_wrong_under_a_coarse_contract_too(fault):
    assert ls.verify(fault, profile="quick", checks=["step", "sequence"], accuracy=TABLE).verdict == "discrepancy"


def rounded_products(significand):
    """The plain cell whose products have their inputs rounded to fewer bits, as TF32 and bfloat16 units do."""

    def short(a):
        fraction, exponent = np.frexp(a)
        scale = 2.0**significand
        return np.ldexp(np.round(fraction * scale) / scale, exponent).astype(a.dtype)

    def forward(params, x, h0, c0):
        h, c, y = h0, c0, []
        params = {k: short(p) if k.startswith("W") else p for k, p in params.items()}
        for x_t in x:
            z = short(np.concatenate([x_t, h], axis=-1))
            a = {g: z @ params[f"W_{g}"].T + params[f"b_{g}"] for g in "fico"}
            c = faulty.sigmoid(a["f"]) * c + faulty.sigmoid(a["i"]) * np.tanh(a["c"])
            h = faulty.sigmoid(a["o"]) * np.tanh(c)
            y.append(h)
        return np.stack(y), h, c

    return forward


@pytest.mark.parametrize(("name", "significand"), [("tf32", 11), ("bfloat16", 8)])
def test_products_of_rounded_inputs_are_right_where_they_are_declared(name, significand):
    options = {"profile": "quick", "checks": ["step", "sequence"], "dtypes": ["float32"]}
    forward = rounded_products(significand)
    assert ls.verify(forward, **options).verdict == "discrepancy"
    assert ls.verify(forward, **options, accuracy={"products": name}).verdict == "verified"
    finer = {"tf32": "float32", "bfloat16": "tf32"}[name]
    assert ls.verify(forward, **options, accuracy={"products": finer}).verdict == "discrepancy"


def test_a_table_of_a_format_holds_in_it_alone():
    exact = contracts({"partials": 2, "float16": {"accumulation": "float16", "functions": {"tanh": {"ulps": 3}}}})
    assert [exact[name].partials for name in FORMATS] == [2, 2, 2, 2]
    assert exact["float16"].accumulation == accuracy("float16").unit
    assert exact["bfloat16"].accumulation == accuracy("bfloat16").accumulation
    assert exact["float16"].functions["tanh"] == (3.0, 0.0)
    assert differences(exact["float16"]) == [
        "accumulation in float16",
        "2 partial results rounded",
        "tanh within 3 ulp",
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_told_of_a_contract_declares_it_again(name):
    assert contracts({name: told(accuracy(name))})[name] == accuracy(name)
    assert not differences(accuracy(name))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"product": "tf32"}, "there is no product; did you mean products? expected one of unit, accumulation,"),
        ({"float23": {}}, "there is no float23; did you mean float"),
        ({"float32": 3}, "[float32]: expected a table, got 3"),
        ({"float32": {"unt": 1}}, "[float32]: there is no unt; did you mean unit?"),
        (
            {"unit": "tf23"},
            "unit: expected a unit roundoff below 1, or one of float64, float32, float16, bfloat16, tf32",
        ),
        ({"accumulation": 1.5}, "accumulation: expected a unit roundoff below 1"),
        ({"products": True}, "products: expected a unit roundoff below 1"),
        ({"products": float("nan")}, "products: expected a unit roundoff below 1"),
        ({"partials": -1}, "partials: expected a whole number, 0 or more, got -1"),
        ({"functions": 3}, "functions: expected a table of functions, got 3"),
        ({"functions": {"tan": {"ulps": 1}}}, "functions: there is no tan; did you mean tanh?"),
        ({"functions": {"tanh": 3}}, "functions.tanh: expected a table such as { ulps = 4, error = 1e-6 }, got 3"),
        ({"functions": {"tanh": {}}}, "functions.tanh: expected a table such as"),
        ({"functions": {"tanh": {"ulp": 1}}}, "functions.tanh: there is no ulp; did you mean ulps?"),
        ({"functions": {"tanh": {"error": -1}}}, "functions.tanh.error: expected a number, 0 or more, got -1"),
    ],
    ids=str,
)
def test_a_mistake_is_told_with_its_place(given, sentence):
    with pytest.raises(AccuracyError, match=re.escape(sentence)):
        contracts(given)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "mine.toml: cannot be read: No such file or directory"),
        ("unit = ", "mine.toml: is not TOML: "),
        ("[functions]\ntanh = 3\n", "mine.toml: functions.tanh: expected a table such as"),
    ],
)
def test_a_mistake_in_a_file_is_one_sentence(tmp_path, monkeypatch, text, sentence):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "mine.toml").write_text(text)
    result = CliRunner().invoke(main, ["verify", "numpy", "--accuracy", "mine.toml"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"lstm-spec: {sentence}")
    assert len(result.stderr.splitlines()) == 1
