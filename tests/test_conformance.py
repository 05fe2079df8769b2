"""The table of conformance: what is declared, what is made of reports, the committed page, and scripts for upstream."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main
from lstm_spec.report.conformance import Filled, as_dict, html, markdown
from lstm_spec.targets.like import LIKE, interface
from lstm_spec.targets.python import BUILT_IN
from lstm_spec.verify import prepare, simplify
from lstm_spec.verify.conformance import Cell, Column, Row, Table, cell, tables
from lstm_spec.verify.upstream import script_of

ROOT = Path(__file__).parent.parent
ABOUT = {"date": "2026-01-01", "version": "0"}


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch):
    monkeypatch.setattr(
        prepare, "PROFILES", {"quick": replace(prepare.PROFILES["quick"], small=8, seeded=4, sizes=(2, 3))}
    )
    monkeypatch.setattr(simplify, "MOST_CALLS", 100)


def test_the_tables_are_as_wide_and_as_long_as_they_have_to_be():
    frameworks, operators = tables()
    assert len(frameworks.rows) + len(operators.rows) >= 12
    assert len(operators.columns) >= 8


@pytest.mark.parametrize("table", tables(), ids=lambda t: t.title)
def test_every_target_of_the_tables_has_an_interface(table):
    pytest.importorskip("onnx")
    for row in table.rows:
        for column in table.columns:
            name = row.target(column)
            if name is not None:
                made = BUILT_IN.get(name, name)
                assert ":" in made.partition("(")[0] or (made.partition("(")[0] in LIKE and interface(made))


def test_scripts_that_somebody_wrote_are_there():
    scripts = {name for table in tables() for row in table.rows for name in row.scripts.values()}
    assert scripts <= {path.name for path in (ROOT / "docs" / "upstream").glob("*.py")}


ROW = Row("NumPy", {"target": "numpy"}, {"lengths": "tests.test_conformance:silent", "broken": f"{__name__}:raising"})


def silent(params, x, h0, c0):
    """Return what came, whatever it is asked."""
    return x[..., :1] + 0 * h0, h0, c0


def raising(params, x, h0, c0):
    raise NotImplementedError("no such thing")


def test_a_feature_that_nobody_has_is_not_claimed():
    assert cell(ROW, Column("projection")).status == "not_claimed"
    assert cell(Row("mine", {"target": f"{__name__}:silent"}), Column("g", "{target}", ("gradient_step",))).status == (
        "not_claimed"
    )


def test_raising_and_computing_something_else_are_two_things():
    raised = cell(ROW, Column("broken"))
    assert raised.status == "raises"
    assert "forward raised NotImplementedError: no such thing" in raised.message
    wrong = cell(ROW, Column("lengths", checks=("signature", "step")))
    assert wrong.status == "discrepancy"
    assert cell(ROW, Column("plain", "{target}")).status == "verified"


FILLED = Filled(
    Table("Some", (Column("a"), Column("b")), (ROW,)),
    (
        Cell("NumPy", "a", "numpy", "verified", cases=3, versions={"numpy": "2"}),
        Cell("NumPy", "b", "numpy", "discrepancy", "step: <wrong> | off", "the gates are swapped", script="b.py"),
    ),
)


def test_the_page_says_what_was_seen():
    text = markdown([FILLED], **ABOUT)
    assert "| NumPy | verified | DISCREPANCY (1) |" in text
    assert "1. NumPy, b: step: &lt;wrong> \\| off. Probably: the gates are swapped." in text
    assert "Versions: NumPy: numpy 2." in text
    assert "Script" not in text
    assert "are swapped. [Script](upstream/b.py)." in markdown([FILLED], scripts="upstream", **ABOUT)
    assert 'are swapped. <a href="upstream/b.py">Script</a>.' in html([FILLED], scripts="upstream", **ABOUT)
    turned = markdown([replace(FILLED, table=replace(FILLED.table, turned=True))], **ABOUT)
    assert "| b | DISCREPANCY (1) |" in turned
    page = html([FILLED], **ABOUT)
    assert '<td class="discrepancy">DISCREPANCY (1)</td>' in page
    assert "&lt;wrong&gt;" in page
    assert as_dict([FILLED], **ABOUT)["tables"][0]["cells"][1]["status"] == "discrepancy"


def test_the_command_makes_all_of_it(tmp_path):
    page, numbers = tmp_path / "page.html", tmp_path / "page.json"
    options = ["--only", "numpy layer", "-o", str(page), "--json", str(numbers), "--scripts", str(tmp_path / "scripts")]
    result = CliRunner().invoke(main, ["conformance", *options], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(numbers.read_text())
    assert {c["status"] for c in found["tables"][0]["cells"]} == {"verified", "not_claimed"}
    assert page.read_text().startswith("<!doctype html>")
    assert not list((tmp_path / "scripts").iterdir())


def test_a_discrepancy_comes_with_a_script_that_needs_the_runtime_and_numpy(tmp_path):
    pytest.importorskip("onnxruntime")
    column = next(c for c in tables()[1].columns if c.name == "clip, literally")
    found = cell(Row("ONNX Runtime", {"runtime": "onnxruntime"}), column)
    assert found.status == "discrepancy"
    assert found.diagnosis == "clip is ignored in part: what the activation of h reads is not clipped"
    name, text = found.script, script_of(found)
    assert name == "onnx_runtime_clip_literally.py"
    assert set(re.findall(r"^(?:import|from) (\w+)", text, re.M)) == {"base64", "numpy", "onnxruntime"}
    (tmp_path / name).write_text(text)
    ended = subprocess.run([sys.executable, name], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "the text of the operator gives" in ended.stdout
    assert "AssertionError" in ended.stderr


def test_there_is_no_script_where_nothing_is_wrong():
    assert script_of(cell(ROW, Column("plain", "{target}"))) is None


def test_the_committed_page_is_of_the_tables_as_they_are_declared():
    known = json.loads((ROOT / "docs" / "conformance.json").read_text(encoding="utf-8"))
    declared = {table.title: table for table in tables()}
    for made in known["tables"]:
        table = declared[made["title"]]
        assert {c["column"] for c in made["cells"]} == {c.name for c in table.columns}
        assert {c["row"] for c in made["cells"]} <= {r.name for r in table.rows}
        assert all(c["status"] != "error" for c in made["cells"])
        scripts = {p.name for p in (ROOT / "docs" / "upstream").glob("*.py")}
        assert {c["script"] for c in made["cells"] if c["status"] == "discrepancy"} <= scripts
    assert f"on {known['date']}." in (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")


def test_the_readme_shows_the_head_of_the_committed_page():
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("## What present releases compute")[2]
    lines = [line for line in shown.splitlines() if line.startswith("| ")]
    assert len(lines) > 10
    assert "\n".join(lines) in page
    rows = {
        cell["row"]
        for table in json.loads((ROOT / "docs" / "conformance.json").read_text())["tables"]
        for cell in table["cells"]
    }
    assert f"asks {len(rows)} implementations" in readme


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--only", 'no implementation has "nosuch" in its name; there is NumPy layer of this package, '),
        ("--table", 'no table has "nosuch" in its title; there is '),
    ],
)
def test_what_names_nothing_is_a_sentence_with_the_names(option, sentence):
    result = CliRunner().invoke(main, ["conformance", option, "nosuch"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"lstm-spec: {sentence}")
