"""The page of a report: well formed, whole by itself, and saying what the report says."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.report.chart import counts, errors, lines, ticks
from lstm_spec.report.html import at_fault, command, html
from lstm_spec.report.markup import tag
from lstm_spec.targets.contract import Target
from lstm_spec.verify.evidence import Evidence, evidence
from lstm_spec.verify.search import RATIOS
from tests import faulty
from tests.faulty_gradients import FAULTS
from tests.pages import CHROMIUM, check_page, console, printed, text

HOSTILE = "<script>alert('x')</script>&\"]]>"


@pytest.fixture(scope="module")
def wrong():
    return ls.verify(faulty.previous_cell_in_output, profile="quick", checks=["signature", "step", "sequence"])


@pytest.fixture(scope="module")
def verified():
    return ls.verify("numpy", profile="quick", checks=["signature", "step", "sequence", "law_causality"])


@pytest.fixture(scope="module")
def wrong_gradient():
    target = Target(name="wrong", forward=faulty.plain, backward=FAULTS["σ in place of σ'"])
    return ls.verify(target, profile="quick", checks=["step", "gradient_step", "gradient_sequence"])


def marked(tree):
    """Return the equations whose boxes or wires the picture marks."""
    return {
        e.get("data-equation") or e.get("data-value")
        for e in tree.iter("{http://www.w3.org/2000/svg}g")
        if "marked" in e.get("class", "").split()
    }


def test_a_wrong_forward(wrong):
    tree = check_page(html(wrong))
    said = text(tree)
    for wanted in ("DISCREPANCY", "h uses c' where the spec has c", "The simplest case found", "Python that shows it"):
        assert wanted in said
    assert "h" in marked(tree)
    assert wrong.failing.clause in said
    assert wrong.failing.snippet.strip().splitlines()[-1].split()[0] in said
    assert any(
        "errors" not in e.get("aria-label", "") and "expected and got" in e.get("aria-label", "")
        for e in tree.iter("svg")
    )
    assert tree.find(".//{http://www.w3.org/1998/Math/MathML}math") is not None


def test_a_wrong_gradient_marks_the_backward_pass(wrong_gradient):
    assert set(at_fault(wrong_gradient)) == {"da_o", "da_f", "da_i"}
    tree = check_page(html(wrong_gradient))
    assert "Backward pass of lstm; what is at fault has a thick outline" in text(tree)
    assert marked(tree)


def test_a_verified_one(verified):
    tree = check_page(html(verified))
    said = text(tree)
    assert "VERIFIED" in said
    assert "Laws of the cell: 1 verified" in said
    assert "33 of 33 equations" in said
    assert not marked(tree)
    assert "What is wrong" not in said


def test_a_network(verified):
    network = ls.layers(ls.lstm(), count=2, bidirectional=True)
    tree = check_page(html(replace(verified, spec=network.name, cell=network)))
    assert len(list(tree.iter("{http://www.w3.org/2000/svg}svg"))) == 1


def test_names_and_messages_are_text_and_nothing_else():
    def forward(params, x, h0, c0):
        raise RuntimeError(HOSTILE)

    target = Target(name=HOSTILE, forward=forward, versions={HOSTILE: HOSTILE})
    page = html(ls.verify(target, profile="quick", checks=["signature"]))
    tree = check_page(page)
    assert next(tree.iter("h1")).text == HOSTILE
    assert not list(tree.iter("script"))
    assert tag("p", HOSTILE, title=HOSTILE).count("<") == 2


def test_what_is_no_number_is_drawn_too():
    def forward(params, x, h0, c0):
        y, h, c = faulty.plain(params, x, h0, c0)
        y[-1] = np.nan
        return y, h, c

    check_page(html(ls.verify(forward, profile="quick", checks=["signature", "step"])))


def test_the_numbers_are_those_of_the_deviation(wrong):
    finding = wrong.sequence
    found = evidence(wrong.cell, finding, wrong.accuracy.contracts["float64"])
    assert found.got.shape[0] == 16
    deviation = finding.deviation
    assert (found.got[found.at], found.expected[found.at]) == (deviation.got, deviation.expected)
    assert found.ratios[found.at] == found.ratios.max() == pytest.approx(deviation.ratio)


def test_every_case_is_counted_once(verified, wrong):
    step = next(check for check in verified.checks if check.id == "step")
    assert len(step.spread) == len(RATIOS) + 1
    assert sum(step.spread) == step.cases
    assert not any(step.spread[RATIOS.index(1.0) + 1 :])
    assert sum(wrong.failing.spread[RATIOS.index(1.0) + 1 :]) == 1
    assert wrong.failing.extreme.deviation == wrong.failing.worst


def seen(got, axes, at):
    got = np.asarray(got, float)
    return Evidence("y", axes, at, got, np.zeros_like(got), np.full_like(got, 1e-3), None)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 2, 3), (200, 1, 128), (3, 2, 1)])
def test_plots_of_every_shape(shape):
    found = seen(np.random.default_rng(0).normal(size=shape), ("step", "row", "unit"), tuple(s - 1 for s in shape))
    for drawn in (lines(found), errors(found)):
        assert len(drawn) < 60_000
        assert not re.search(r"nan|inf", drawn)


def test_small_plots():
    assert "3 up to 0.001; 1 above 100" in counts((3, *[0] * 10, 1))
    for low, high in ((0, 1), (-3e-9, 2e-9), (0, 12345), (5, 5.1)):
        found = ticks(low, high)
        assert 2 <= len(found) <= 6
        assert low <= found[0] <= found[-1] <= high


def test_the_command_asks_the_same_again(verified):
    assert command(verified) == "lstm-spec verify numpy --dtype float64,float32 --profile quick --seed 0"


def test_the_command_line_writes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["verify", "numpy", "--profile", "quick", "--checks", "signature", "--html"]
    done = CliRunner().invoke(main, [*words, "page.html"])
    assert done.exit_code == 0, done.output
    check_page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert CliRunner().invoke(main, [*words, "no/page.html"]).exit_code == 2
    assert "cannot both" in CliRunner().invoke(main, [*words, "-", "--json", "-"]).output


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser")
def test_a_browser_has_nothing_to_complain_of(wrong, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(html(wrong), encoding="utf-8")
    assert console(path, tmp_path) == []
    assert 3 <= printed(path, tmp_path) <= 6


def test_the_commands_of_the_page_are_ours(tmp_path, monkeypatch):
    shown = (Path(__file__).parent.parent / "docs" / "how-to" / "html-report.md").read_text(encoding="utf-8")
    (verify,), (run, export) = (
        [line.removeprefix("$ lstm-spec ").split() for line in block.splitlines()]
        for block in re.findall(r"```console\n(.*?)```", shown, flags=re.S)
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parent.parent)
    Path("my_lstm.py").write_text("from tests.faulty import sigmoid_candidate as forward\n")
    Path("nightly.toml").write_text('[[jobs]]\ntarget = "numpy"\nprofile = "quick"\nchecks = "signature"\n')
    for words, status in (([*verify, "--checks", "signature,step"], 1), (run, 0), (export, 0)):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == status, done.output
    assert "c̃" in text(check_page(Path("report.html").read_text(encoding="utf-8")))
    assert "signature" in text(check_page(Path("nightly.html").read_text(encoding="utf-8")))
