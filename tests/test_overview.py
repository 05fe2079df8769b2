"""The page of a campaign: a table of jobs and checks, and every job's findings."""

import re
from html import unescape

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main
from lstm_spec.report.overview import overview
from lstm_spec.verify.findings import Findings, Outcome
from tests.pages import CHROMIUM, after, check_page, console, text

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


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser")
@pytest.mark.parametrize(
    ("clicks", "jobs", "said"),
    [
        ([], [HOSTILE, "missing", "right"], None),
        ([0], [HOSTILE, "missing", "right"], ("job", "ascending")),
        ([0, 0], ["right", "missing", HOSTILE], ("job", "descending")),
        ([1], [HOSTILE, "missing", "right"], ("verdict", "ascending")),
        ([0, 2, 2], ["right", HOSTILE, "missing"], ("step", "descending")),
    ],
    ids=str,
)
def test_a_click_on_a_heading_sorts_the_table(clicks, jobs, said, findings, tmp_path):
    script = "".join(f"document.querySelectorAll('.sortable th button')[{k}].click();" for k in clicks)
    shown = after(overview(findings), script, tmp_path)
    table = re.search(r'<div class="sortable">(.*?)</div>', shown, re.S)[1]
    rows = re.findall(r"<tr><t[hd][^>]*><a [^>]*>(.*?)</a>", table)
    assert [unescape(job) for job in rows] == jobs
    assert re.findall(r'aria-sort="(\w+)"[^>]*><button>(\w+)<', table) == ([said[::-1]] if said else [])


@pytest.mark.skipif(CHROMIUM is None, reason="needs a browser")
def test_a_click_on_a_job_opens_what_was_found_there(findings, tmp_path):
    closed = re.compile(r"<details id=\"job\d+\">")
    page = overview(findings)
    assert len(closed.findall(after(page, "", tmp_path))) == 1
    assert not closed.findall(
        after(page, "document.querySelectorAll('.sortable a').forEach((a) => a.click());", tmp_path)
    )
