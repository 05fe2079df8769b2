"""The page of a campaign: a table of jobs and checks, and every job's findings."""

import re

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main
from lstm_spec.report.overview import overview
from lstm_spec.verify.findings import Findings, Outcome
from tests.pages import CHROMIUM, check_page, console, text

HOSTILE = "</script><b>&\"'"


def check(name, status, message=""):
    return {"id": name, "status": status, "cases": 7, "inconclusive": 0, "worst": {}, "message": message}


@pytest.fixture
def findings(tmp_path):
    kept = Findings(tmp_path / "nightly.sqlite")
    kept.plan(["right", HOSTILE, "missing", "later"])
    laws = [check("law_sign", "verified"), check("law_units", "discrepancy", HOSTILE)]
    told = {
        "verdict": "discrepancy",
        "checks": [check("step", "discrepancy", HOSTILE), *laws],
        "diagnosis": [{"id": "x", "sentence": HOSTILE, "confidence": 1.0}],
        "counterexample": {"snippet": HOSTILE},
        "versions": {"numpy": "2"},
    }
    right = {"verdict": "verified", "checks": [check("step", "verified"), check("lengths", "not_claimed")]}
    kept.keep("right", "right", Outcome("verified", "", 0.1, right), 1)
    kept.keep(HOSTILE, HOSTILE, Outcome("discrepancy", "", 0.1, told), 1)
    kept.keep("missing", "missing", Outcome("error", "there is no such module", 0.1), 1)
    return kept


def test_what_it_says(findings):
    page = overview(findings)
    tree = check_page(page)
    said = text(tree.find(".//main"))
    assert "3 jobs done; 1 left: 1 discrepancy, 1 error, 1 verified" in said
    assert [e.text for e in tree.find(".//thead").iter("th")] == ["job", "verdict", "step", "laws", "lengths"]
    assert "there is no such module" in said
    assert f"Probably: {HOSTILE}" in said
    links = {e.get("href").removeprefix("#") for e in tree.iter("a")}
    assert links == {e.get("id") for e in tree.iter("details") if e.get("id")}
    assert [e.get("open") is not None for e in tree.iter("details") if e.get("id")].count(True) == 2
    assert not re.search("<b>&\"'", page)


def test_the_command_line_writes_it(findings, tmp_path):
    done = CliRunner().invoke(main, ["campaign", "export", str(findings.path), "--html", str(tmp_path / "o.html")])
    assert done.exit_code == 0, done.output
    check_page((tmp_path / "o.html").read_text(encoding="utf-8"))


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser")
def test_a_browser_has_nothing_to_complain_of(findings, tmp_path):
    path = tmp_path / "overview.html"
    path.write_text(overview(findings), encoding="utf-8")
    assert console(path, tmp_path) == []
