"""JUnit's XML: every check a test case, its form that of the schema that build servers read."""

from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.report.junit import junit
from tests import faulty

ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped"},
}


def check(text):
    """Read XML, and hold it against what JUnit's schema says: elements, attributes, counts, one result a case."""
    root = ElementTree.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        if "time" in element.attrib:
            assert float(element.get("time")) >= 0
    suite = root.find("testsuite")
    cases = suite.findall("testcase")
    assert all(len(case) <= 1 for case in cases)
    for tag, counted in {"failure": "failures", "error": "errors", "skipped": "skipped"}.items():
        assert int(suite.get(counted)) == sum(case.find(tag) is not None for case in cases)
    assert int(suite.get("tests")) == len(cases)
    assert [c.tag for c in suite].index("properties") == 0
    return {case.get("name"): case for case in cases}


def test_a_failure_says_what_is_probably_wrong():
    cases = check(junit(ls.verify(faulty.sigmoid_candidate, profile="quick", checks=["step", "repeat"])))
    said = cases["step"].find("failure").get("message")
    assert said.endswith("; probably σ(a_c) stands where the spec has tanh(a_c), in c̃ = tanh(a_c)")


def test_a_failure_holds_its_message_and_the_python_that_shows_it():
    report = ls.verify(faulty.sigmoid_candidate, profile="quick", diagnose=False)
    cases = check(junit(report))
    failure = cases["step"].find("failure")
    assert failure.get("message") == report.failing.message
    assert failure.get("type") == "semantic"
    assert report.failing.snippet.rstrip() in failure.text
    assert cases["sequence"].find("skipped").get("message") == "blocked: not asked, since step failed"
    assert cases["gradients"].find("skipped").get("message").startswith("not claimed: ")
    assert len(cases["signature"]) == 0


def test_what_is_known_is_skipped_with_its_reason():
    known = [ls.KnownDeviation("inputs", "scaled in place")]
    options = {"profile": "quick", "checks": ["signature", "inputs"], "known_deviations": known}
    cases = check(junit(ls.verify(faulty.input_changed, **options)))
    assert cases["inputs"].find("skipped").get("message").startswith("known deviation: forward changed its argument x")
    assert "known: scaled in place" in cases["inputs"].find("skipped").get("message")


def test_words_that_xml_cannot_hold_are_left_out():
    def loud(params, x, h0, c0):
        raise ValueError("\x1b[31m<red> & \ud800 \x00")

    cases = check(junit(ls.verify(loud, profile="quick")))
    assert "ValueError: [31m<red> &" in cases["signature"].find("failure").get("message")


def test_the_command_writes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["verify", "numpy", "--profile", "quick", "--checks", "signature", "--dtype", "float64"]
    assert CliRunner().invoke(main, [*words, "--junit", "junit.xml"]).exit_code == 0
    assert set(check((tmp_path / "junit.xml").read_text())) == {"signature"}
    result = CliRunner().invoke(main, [*words, "--junit", "-"])
    assert set(check(result.stdout)) == {"signature"}
    result = CliRunner().invoke(main, [*words, "--junit", "-", "--json", "-"])
    assert result.exit_code == 2
    assert "cannot both go to stdout" in result.stderr
    result = CliRunner().invoke(main, [*words, "--junit", "nowhere/junit.xml"])
    assert "cannot write nowhere/junit.xml: there is no folder nowhere" in result.stderr


def test_what_is_no_junit_is_refused():
    text = junit(ls.verify(faulty.correct, profile="quick", checks=["signature"]))
    with pytest.raises(AssertionError):
        check(text.replace('tests="2"', 'tests="9"'))
    with pytest.raises(AssertionError):
        check(text.replace("testcase", "test"))
