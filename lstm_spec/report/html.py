"""A report as one page of HTML that needs nothing else: no network, and no script to read it."""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from lstm_spec.report import chart
from lstm_spec.report.console import (
    accuracy_lines,
    case_lines,
    detection_lines,
    diagnosis_lines,
    headline,
    stopped_lines,
)
from lstm_spec.report.markup import Markup, cells, join, page, row, section, table, tag
from lstm_spec.report.typeset import equations, lines_of, picture, typeset
from lstm_spec.verify.evidence import Evidence, evidence
from lstm_spec.verify.models import ModelReport
from lstm_spec.verify.search import Finding
from lstm_spec.verify.verdict import CheckResult, Report

_MOST_NUMBERS = 60
_SIGNS = {"verified": "✓", "discrepancy": "✗", "error": "✗", "inconclusive": "?"}


def html(report: Report | ModelReport) -> str:
    """Return a report as a page; of a model, its recurrent nodes one after the other."""
    if isinstance(report, ModelReport):
        return _model(report)
    title = f"{report.target}: {report.verdict}"
    return page(title, tag("p", "lstm-spec verify", class_="eyebrow"), *_sections(report), _footer(report))


def _model(report: ModelReport) -> str:
    name = f"{report.model} in {report.runtime}"
    parts: list[Markup] = []
    for k, found in enumerate(report.found):
        if found.report is None:
            said = tag("p", f"{found.node.kind}: {found.node.reason}")
            parts.append(join([tag("h2", f"Node {found.node.name}: not testable"), said]))
        else:
            parts += [tag("p", f"node {found.node.name}", class_="eyebrow"), *_sections(found.report, f"node{k}-")]
    return page(f"{name}: {report.verdict}", tag("h1", f"{name}: {report.verdict}"), *parts)


def _sections(report: Report, prefix: str = "") -> Iterator[Markup]:
    """Yield what is said of one target; prefix: of the ids on the page, where there are several."""
    wrong = report.failing is not None
    yield tag("h2" if prefix else "h1", report.target)
    yield _verdict(report)
    yield _facts(report)
    if wrong:
        yield section("What is wrong", *_fault(report), id=f"{prefix}fault")
        yield from _seen(report, prefix)
    yield section("The checks", *_checks(report), id=f"{prefix}checks")
    yield from _distribution(report, prefix)
    yield section("The specification", *_coverage(report, prefix, drawn=not wrong), id=f"{prefix}specification")
    yield section("Make it again", *_again(report), id=f"{prefix}again")
    yield section("Versions", *_versions(report), id=f"{prefix}versions")


def _verdict(report: Report) -> Markup:
    word = f"{_SIGNS.get(report.verdict, '')} {report.verdict.upper()}"
    kind = f" ({report.kind.upper()})" if report.kind else ""
    return tag(
        "div",
        tag("p", f"{word}{kind}".strip(), class_="word"),
        tag("p", headline(report)),
        *(tag("p", line) for line in [*accuracy_lines(report), *stopped_lines(report)]),
        class_=f"verdict {report.verdict}",
    )


def _facts(report: Report) -> Markup:
    facts = {
        "specification": report.spec,
        "formats": ", ".join(report.dtypes),
        "profile": report.profile,
        "seed": str(report.seed),
        "cases": f"{report.cases:,}",
        "time": f"{report.seconds:.1f} s",
    }
    return _list(facts.items())


def _list(facts: Iterable[tuple[str, str]]) -> Markup:
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", said)) for name, said in facts), class_="facts")


def _fault(report: Report) -> Iterator[Markup]:
    """Yield the diagnosis, the clause, the equations at fault, and the picture of the cell in which they are marked."""
    check = report.failing
    assert check is not None
    for k, line in enumerate(diagnosis_lines(report)):
        yield tag("p", line.strip(), class_="" if k else "lead")
    yield tag("p", tag("b", check.id), f": {check.clause}.")
    yield tag("p", tag("code", check.message))
    if report.cell is None:
        return
    names = at_fault(report)
    if names:
        yield tag("p", "The specification says there:")
        yield equations(report.cell, names)
    yield picture(report.cell, names)


def at_fault(report: Report) -> tuple[str, ...]:
    """Return the names of the equations that the diagnosis is about; none where it is about something else."""
    return report.diagnosis[0].equations if report.diagnosis else ()


def _seen(report: Report, prefix: str) -> Iterator[Markup]:
    """Yield expected against got: in the simplest failing case, in the one that is furthest off, and over time."""
    check = report.failing
    assert check is not None
    figures: list[Markup] = []
    cases = {
        "The simplest case": check.finding,
        "The furthest off of the cases seen": None if check.extreme is check.finding else check.extreme,
        "A sequence": report.sequence,
    }
    for name, finding in cases.items():
        found = None if finding is None else _evidence(report, finding)
        if finding is not None and found is not None:
            said = tag("p", str(finding.deviation), class_="note")
            figures.append(join([tag("h3", name), said, *(_plots(found) if found.got.size > 1 else [])]))
    if figures:
        yield section("Expected and got", *figures, id=f"{prefix}seen")


def _evidence(report: Report, finding: Finding) -> Evidence | None:
    contract = report.accuracy.contracts.get(str(finding.case.dtype))
    return None if report.cell is None or contract is None else evidence(report.cell, finding, contract)


def _plots(seen: Evidence) -> Iterator[Markup]:
    keys = [("expected", "", "expected"), ("got", "×", "got")]
    key = tag("ul", *(tag("li", _swatch(name, sign), text) for name, sign, text in keys), class_="key")
    shades = tag("ul", *(tag("li", _swatch(name), text) for name, text in chart.shades()), class_="key")
    along = f"{seen.output} through the place of the largest error{_forced(seen)}"
    errors = "Error over allowed error; a correct implementation stays below 1"
    yield tag(
        "div",
        tag("figure", chart.lines(seen), key, tag("figcaption", along)),
        tag("figure", chart.errors(seen), shades, tag("figcaption", errors)),
        class_="pair",
    )
    yield tag("details", tag("summary", f"The numbers of {seen.output}"), _numbers(seen))


def _forced(seen: Evidence) -> str:
    through_time = seen.axes[0] == "step" and seen.got.shape[0] > 1
    return "; each step is expected to go on from the state that the target gave" if through_time else ""


def _swatch(name: str, sign: str = "") -> Markup:
    return tag("span", sign, class_=f"swatch {name}", aria_hidden="true")


def _numbers(seen: Evidence) -> Markup:
    """Return the numbers of an output as a table, the worst first."""
    ratios = seen.ratios
    order = ratios.ravel().argsort(kind="stable")[::-1][:_MOST_NUMBERS]
    rows = []
    for flat in order:
        at = tuple(map(int, np.unravel_index(flat, ratios.shape)))
        place = ", ".join(f"{axis} {index}" for axis, index in zip(seen.axes, at, strict=True))
        got, expected, allowed = (float(a[at]) for a in (seen.got, seen.expected, seen.allowed))
        error = abs(got - expected)
        rows.append(row(place, f"{expected:.9g}", f"{got:.9g}", f"{error:.3g}", f"{allowed:.3g}", f"{ratios[at]:.3g}"))
    shown = f"The {len(rows)} worst of {ratios.size:,} numbers" if ratios.size > len(rows) else "All numbers"
    return table(shown, ("place", "expected", "got", "error", "allowed", "error/allowed"), rows)


def _checks(report: Report) -> Iterator[Markup]:
    laws = [check for check in report.checks if check.id.startswith("law_")]
    others = [check for check in report.checks if not check.id.startswith("law_")]
    yield _check_table("The bar is the worst error over allowed error, from 0.001 to 1000; its mark is at 1.", others)
    if laws:
        counts = Counter(check.status.replace("_", " ") for check in laws)
        summary = f"Laws of the cell: {', '.join(f'{count} {word}' for word, count in counts.items())}"
        failed = any(check.status == "discrepancy" for check in laws)
        yield tag("details", tag("summary", summary), _check_table("Laws of the cell", laws), open=failed)
    for check in report.checks:
        if check.status not in ("verified", "not_claimed", "blocked", "not_reached") and check is not report.failing:
            yield tag("p", tag("b", check.id), ": ", tag("code", check.message))


def _check_table(caption: str, checks: Iterable[CheckResult]) -> Markup:
    rows = (
        row(
            join([check.id, tag("span", check.clause, class_="clause")]),
            status(check.status),
            _cases(check),
            join(_ratio(check)),
        )
        for check in checks
    )
    return table(caption, ("check", "status", "cases", "error/allowed"), rows)


def status(word: str) -> Markup:
    """Return a status in its colour."""
    return tag("span", word.replace("_", " "), class_=f"status is-{word}")


def _cases(check: CheckResult) -> str:
    unsure = f" ({check.inconclusive:,} inconclusive)" if check.inconclusive else ""
    return f"{check.cases:,}{unsure}" if check.cases else ""


def _ratio(check: CheckResult) -> list[str]:
    if check.worst is None:
        return []
    return [tag("span", f"{check.worst.ratio:.2g}", class_="ratio"), chart.bar(check.worst.ratio)]


def _distribution(report: Report, prefix: str) -> Iterator[Markup]:
    spreads = [check.spread for check in report.checks if any(check.spread)]
    if not spreads:
        return
    total = tuple(map(sum, zip(*spreads, strict=True)))
    said = f"{sum(total):,} cases by the largest error over allowed error of their numbers. At most 1 is right."
    figure = tag("figure", chart.counts(total), tag("figcaption", said))
    limits = [tag("p", line) for line in detection_lines(report)]
    heading = [tag("h3", "How small an error shows")] if limits else []
    yield section("Error against allowed error", figure, *heading, *limits, id=f"{prefix}errors")


def _coverage(report: Report, prefix: str, *, drawn: bool) -> Iterator[Markup]:
    if report.cell is None:
        return
    if drawn:
        yield picture(report.cell, ())
    formulas = typeset(report.cell)
    wrong = set(lines_of(report.cell, at_fault(report)))
    asked = {found.equation: found for found in report.exercised}
    covered = sum(found.cases > 0 for found in asked.values())
    yield tag("p", f"{covered} of {len(formulas)} equations, forward and backward, were held against the target.")
    rows = []
    for line, formula in formulas.items():
        found = asked.get(line)
        cases = f"{found.cases:,}" if found else "none"
        checks = tag("span", _named(found.checks) if found else "not asked", class_="note")
        rows.append(tag("tr", cells(formula, cases, checks), class_="at-fault" if line in wrong else None))
    caption = "Equations, and how many cases could tell whether they hold"
    listed = table(caption, ("equation", "cases", "checks"), rows)
    yield tag("details", tag("summary", "The equations and what they were asked by"), listed)


def _named(checks: Iterable[str]) -> str:
    """List checks by id, the laws together."""
    every = list(checks)
    laws = [name for name in every if name.startswith("law_")]
    together = [f"{len(laws)} law{'' if len(laws) == 1 else 's'}"] if laws else []
    return ", ".join([*(name for name in every if name not in laws), *together])


def command(report: Report) -> str:
    """Return the command that asks the same again, empty where no name leads to the target.

    It says what the report knows of; options that only limit what is asked are not among it.
    """
    named = report.given.get("target")
    if not named:
        return ""
    told = {name: report.given.get(name) for name in ("spec", "layout", "like")}
    options = {name: said for name, said in told.items() if isinstance(said, str)}
    options |= {"dtype": ",".join(report.dtypes), "profile": report.profile, "seed": str(report.seed)}
    words = [named, *(word for name, said in options.items() for word in (f"--{name}", said))]
    return shlex.join(["lstm-spec", "verify", *words])


def _again(report: Report) -> Iterator[Markup]:
    line = command(report)
    if line:
        yield tag("p", "The same questions again:")
        yield code("command", line)
    if report.failing is None or report.finding is None:
        return
    if line:
        yield tag("p", "The simplest case alone, kept in a file and asked again after a change:")
        yield code("command", f"{line} --json report.json\nlstm-spec replay report.json")
    yield tag("h3", "The simplest case found")
    yield code("numbers", "\n".join(case_lines(report.finding)))
    yield tag("h3", "Python that shows it")
    yield code("Python", report.failing.snippet.rstrip())


def code(name: str, text: str) -> Markup:
    """Return lines of code or numbers in a box; name: what they are."""
    return tag("pre", tag("code", text), class_="scroll", role="group", aria_label=name, tabindex=0)


def _versions(report: Report) -> Iterator[Markup]:
    yield _list(report.versions.items())
    if report.accuracy.origin != "default":
        yield tag("p", f"Accuracy contract: {report.accuracy.origin}.")


def _footer(report: Report) -> Markup:
    about = f"lstm_spec {report.versions.get('lstm_spec', '')}: the result of a test with the scope above, not a proof."
    return tag("footer", about)
