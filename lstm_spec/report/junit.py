"""A report as JUnit's XML, which build servers read: a test case for every check."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree

from lstm_spec.verify.models import Found, ModelReport
from lstm_spec.verify.run import EXPLAINED
from lstm_spec.verify.verdict import DISCREPANCY, ERROR, VERIFIED, CheckResult, Report

_COUNTED = ("tests", "failures", "errors", "skipped")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report | ModelReport) -> str:
    """Return a report as XML: a failure holds the Python that shows it; what was not judged is skipped.

    Of a model every recurrent node has a suite of its own.
    """
    if isinstance(report, ModelReport):
        suites = [_suite_of_node(found, report.model) for found in report.found]
    else:
        suites = [_suite(report, report.target)]
    total = {key: str(sum(int(suite.attrib[key]) for suite in suites)) for key in _COUNTED}
    seconds = sum(float(suite.attrib["time"]) for suite in suites)
    root = ElementTree.Element("testsuites", {"name": "lstm-spec verify", **total, "time": f"{seconds:.3f}"})
    root.extend(suites)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(report: Report, name: str) -> ElementTree.Element:
    counts = {
        "tests": len(report.checks),
        "failures": sum(check.status == DISCREPANCY for check in report.checks),
        "errors": sum(check.status == ERROR for check in report.checks),
        "skipped": sum(check.status not in (VERIFIED, DISCREPANCY, ERROR) for check in report.checks),
    }
    suite = _empty(f"{name} against {report.spec}", counts, report.seconds)
    properties = ElementTree.SubElement(suite, "properties")
    said = {"verdict": report.verdict, "profile": report.profile, "seed": report.seed, **report.versions}
    for key, value in said.items():
        ElementTree.SubElement(properties, "property", {"name": key, "value": _text(str(value))})
    told = next((c for c in report.checks if c.status == DISCREPANCY and c.finding and c.id in EXPLAINED), None)
    for check in report.checks:
        probably = f"; probably {report.diagnosis[0].sentence}" if check is told and report.diagnosis else ""
        _add(suite, check, _text(f"{name}.{report.spec}"), probably)
    return suite


def _suite_of_node(found: Found, model: str) -> ElementTree.Element:
    name = f"{model}, node {found.node.name}"
    if found.report is not None:
        return _suite(found.report, name)
    suite = _empty(name, {"tests": 1, "failures": 0, "errors": 0, "skipped": 1}, 0.0)
    case = ElementTree.SubElement(
        suite, "testcase", {"classname": _text(name), "name": found.node.kind, "time": "0.000"}
    )
    ElementTree.SubElement(case, "skipped", {"message": _text(f"not testable: {found.node.reason}")})
    return suite


def _empty(name: str, counts: Mapping[str, int], seconds: float) -> ElementTree.Element:
    numbers = {key: str(counts[key]) for key in _COUNTED}
    return ElementTree.Element("testsuite", {"name": _text(name), **numbers, "time": f"{seconds:.3f}"})


def _add(suite: ElementTree.Element, check: CheckResult, classname: str, probably: str) -> None:
    named = {"classname": classname, "name": check.id, "time": f"{check.seconds:.3f}"}
    case = ElementTree.SubElement(suite, "testcase", named)
    message = _text((check.message or check.clause) + probably)
    if check.status == DISCREPANCY:
        found = ElementTree.SubElement(case, "failure", {"message": message, "type": check.kind or check.status})
        found.text = _text("\n\n".join(part for part in (check.clause, check.message, check.snippet) if part))
    elif check.status == ERROR:
        ElementTree.SubElement(case, "error", {"message": message, "type": check.status}).text = message
    elif check.status != VERIFIED:
        status = check.status.replace("_", " ")
        ElementTree.SubElement(case, "skipped", {"message": f"{status}: {message}"})


def _text(text: str) -> str:
    """Leave out what XML has no way to write, such as the control characters of a terminal."""
    return _NOT_XML.sub("", text)
