"""A report as JUnit's XML, which build servers read: a test case for every check."""

import re
from xml.etree import ElementTree

from lstm_spec.verify.verdict import DISCREPANCY, ERROR, VERIFIED, CheckResult, Report

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: Report) -> str:
    """Return a report as XML: a failure holds the Python that shows it; what was not judged is skipped."""
    counts = {
        "tests": len(report.checks),
        "failures": sum(check.status == DISCREPANCY for check in report.checks),
        "errors": sum(check.status == ERROR for check in report.checks),
        "skipped": sum(check.status not in (VERIFIED, DISCREPANCY, ERROR) for check in report.checks),
    }
    numbers = {name: str(count) for name, count in counts.items()}
    root = ElementTree.Element("testsuites", {"name": "lstm-spec verify", **numbers, "time": f"{report.seconds:.3f}"})
    name = _text(f"{report.target} against {report.spec}")
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, **numbers, "time": f"{report.seconds:.3f}"})
    properties = ElementTree.SubElement(suite, "properties")
    said = {"verdict": report.verdict, "profile": report.profile, "seed": report.seed, **report.versions}
    for key, value in said.items():
        ElementTree.SubElement(properties, "property", {"name": key, "value": _text(str(value))})
    for check in report.checks:
        _add(suite, check, _text(f"{report.target}.{report.spec}"))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add(suite: ElementTree.Element, check: CheckResult, classname: str) -> None:
    named = {"classname": classname, "name": check.id, "time": f"{check.seconds:.3f}"}
    case = ElementTree.SubElement(suite, "testcase", named)
    message = _text(check.message or check.clause)
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
