"""A report for a terminal: the verdict with its scope, the checks, and the case that shows what is wrong."""

import os
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lstm_spec.compute.contracts import differences
from lstm_spec.compute.formats import STORED
from lstm_spec.report.together import together
from lstm_spec.verify.cases import Array, Case
from lstm_spec.verify.kinds import ACCURACY, MISBEHAVIOUR
from lstm_spec.verify.literals import shortest
from lstm_spec.verify.prepare import OF_STATES
from lstm_spec.verify.run import EXPLAINED
from lstm_spec.verify.search import Finding
from lstm_spec.verify.verdict import (
    DISCREPANCY,
    ERROR,
    INCONCLUSIVE,
    KNOWN_DEVIATION,
    NOT_CLAIMED,
    NOT_REACHED,
    VERIFIED,
    CheckResult,
    Report,
)

_STYLES = {
    "verified": "green",
    "discrepancy": "bold red",
    "inconclusive": "yellow",
    "error": "bold red",
    "known_deviation": "yellow",
    "not_reached": "yellow",
}
_MOST_NUMBERS = 64


def terminal() -> Console:
    """Return the console of stdout: plain text where that is no terminal, or where NO_COLOR asks for it."""
    # The library's own answer to NO_COLOR keeps bold and dim.
    return _Terminal(color_system=None if os.environ.get("NO_COLOR") else "auto")


class _Terminal(Console):
    """A console that leaves it to its caller what becomes of the exit status where nobody reads."""

    def on_broken_pipe(self) -> None:
        """Raise what the library would make exit status 1 of, which is that of a discrepancy."""
        raise BrokenPipeError


def print_report(report: Report, console: Console) -> None:
    """Print a report; plain text where the console is no terminal."""
    style = _STYLES.get(report.verdict, "")
    kind = f" ({report.kind.upper()})" if report.kind else ""
    console.print(Text.assemble((report.verdict.upper(), style), f"{kind}  {headline(report)}"), soft_wrap=True)
    for line in stopped_lines(report):
        console.print(line)
    for line in accuracy_lines(report):
        _print_line(console, line)
    for line in diagnosis_lines(report):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print(_table(report.checks))
    for check in report.checks:
        if check.status == NOT_CLAIMED and check.id in OF_STATES:
            _print_line(console, f"{check.id}: {check.message}")
        if check.status in (DISCREPANCY, INCONCLUSIVE, KNOWN_DEVIATION, ERROR):
            console.print(Text.assemble(("\n" + check.id, "bold"), f": {check.clause}"), soft_wrap=True)
            _print_line(console, check.message)
        if check.worst is not None and check.finding and check.worst != check.finding.deviation:
            _print_line(console, f"worst seen: {check.worst} ({check.worst_dtype})")
    for line in detection_lines(report):
        _print_line(console, line)
    if report.failing is not None and report.finding is not None:
        console.print("\nThe simplest case found", style="bold")
        for line in case_lines(report.finding):
            _print_line(console, line)
        console.print("\nPython that shows it", style="bold")
        # Without an indent, so that it can be pasted.
        console.print(Text(report.failing.snippet.rstrip()), soft_wrap=True)


def _print_line(console: Console, line: str) -> None:
    # As a Text, or what looks like markup in other people's words would be taken for it.
    console.print(Text(f"  {line}"), soft_wrap=True)


def stopped_lines(report: Report) -> list[str]:
    """Say so where a verification did not come to its end."""
    why = {"Interrupted": report.interrupted, "Out of time": report.out_of_time}
    return [f"{reason}: what follows is what was known by then." for reason, holds in why.items() if holds]


def detection_lines(report: Report) -> list[str]:
    """Say how small a relative error of one weight would have shown."""
    return [
        f"{name}: a weight that is off by {found.median:.2g} of itself shows (median of {found.weights:,} weights at"
        f" {', '.join(f'{key}={value}' for key, value in found.sizes.items())}; {found.worst:.2g} at worst)"
        for name, found in report.detection.items()
    ]


def accuracy_lines(report: Report) -> list[str]:
    """Say what a declared accuracy contract asks otherwise than the default one."""
    declared = {name: differences(contract) for name, contract in report.accuracy.contracts.items()}
    words = "; ".join(f"{name}: {', '.join(said)}" for name, said in declared.items() if said)
    return (
        [f"under {report.accuracy.origin}: {words or 'as by default'}"] if report.accuracy.origin != "default" else []
    )


def diagnosis_lines(report: Report) -> list[str]:
    """Say what is probably wrong, and what else gives the same numbers; that nothing does is said too."""
    if report.diagnosis:
        first, *others = (d.sentence for d in report.diagnosis)
        return [f"Probably: {first}", *(f"  or, which gives the same numbers: {other}" for other in others)]
    deviates = any(
        c.status == DISCREPANCY and c.finding and c.finding.deviation and c.id in EXPLAINED for c in report.checks
    )
    return ["No fault of the catalogue, nor a pair of them, gives these numbers."] if deviates else []


def headline(report: Report) -> str:
    """Say what the verdict covers, in one line."""
    claimed = [c.id for c in report.checks if c.status == VERIFIED and not c.id.startswith("law_")]
    backward = (c for c in report.checks if c.id.startswith("gradient_") and c.status != NOT_REACHED)
    passes = "forward and gradients" if any(backward) else "forward"
    cases = f"{report.cases:,} case{'' if report.cases == 1 else 's'}"
    asked = f"{passes} in {' and '.join(report.dtypes)}, {cases}, seed {report.seed}"
    unclaimed = [c.id for c in report.checks if c.status == "not_claimed"]
    unsure = sum(c.inconclusive for c in report.checks)
    scope = asked + (f"; {unsure:,} of them inconclusive ({unsure / report.cases:.1%})" if unsure else "")
    if report.detection:
        limits = ", ".join(f"{found.median:.1g} in {name}" for name, found in report.detection.items())
        scope += f"; smallest detectable error of one weight {limits}"
    scope += f"; {', '.join(unclaimed)} not claimed" if unclaimed else ""
    left = sum(c.status == NOT_REACHED for c in report.checks)
    scope += f"; {left} check{'' if left == 1 else 's'} not reached" if left else ""
    known = [c.id for c in report.checks if c.status == KNOWN_DEVIATION]
    scope += f"; known to deviate in {', '.join(known)}" if known else ""
    if report.verdict == VERIFIED:
        return f"{report.target} computes {report.spec}: {scope}"
    holds = f"; what holds: {', '.join(claimed)}" if claimed else ""
    if report.verdict == DISCREPANCY:
        return f"{report.target} {_how_wrong(report)}: {scope}{holds}"
    return f"{report.target} against {report.spec}: {scope}{holds}"


def _how_wrong(report: Report) -> str:
    if report.kind == MISBEHAVIOUR:
        return f"misbehaves on a valid case of {report.spec}"
    if report.kind != ACCURACY:
        return f"does not compute {report.spec}"
    within = dict.fromkeys(check.within for check in report.checks if check.within)
    return f"computes {report.spec} too coarsely, as with {' and '.join(within)}"


def _table(checks: Sequence[CheckResult]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    unsure = any(check.inconclusive for check in checks)
    for heading in ("check", "status", "cases", *(["inconclusive"] if unsure else []), "error/allowed"):
        table.add_column(heading, justify="left" if heading in ("check", "status") else "right")
    for name, group in together(checks, name=lambda check: check.id):
        worst = max((c.worst.ratio for c in group if c.worst is not None), default=None)
        status = Text(group[0].status.upper().replace("_", " "), _STYLES.get(group[0].status, "dim"))
        counts = [sum(c.cases for c in group), sum(c.inconclusive for c in group)]
        numbers = (f"{count:,}" if count else "" for count in (counts if unsure else counts[:1]))
        table.add_row(name, status, *numbers, "" if worst is None else f"{worst:.2g}")
    return table


def case_lines(finding: Finding) -> list[str]:
    """Return the case of a finding in lines of text: its sizes, then its numbers that are not zero."""
    case = finding.case
    # A case without initial states shows m in its parameters alone.
    m = f", m={case.states[0].shape[-1]}" if case.states else ""
    sizes = f"T={case.T}, B={case.B}, n={case.x.shape[-1]}{m}, {case.dtype}"
    if sum(a.size for a in case.arrays) > _MOST_NUMBERS:
        return [f"{sizes}, regime {case.regime}, seed {case.seed}; --json has its numbers"]
    lines = [sizes]
    zero = []
    for name, array in _named(case):
        if not np.any(array):
            zero.append(name)
        else:
            lines.append(f"{name} = {_numbers(array)}")
    return [*lines, f"zero: {', '.join(zero)}"] if zero else lines


def _named(case: Case) -> list[tuple[str, Array]]:
    initial = [(f"{name}0", state) for name, state in zip(case.state_names, case.states, strict=False)]
    cotangents = [(f"d{name}", d) for name, d in zip(("y", *case.state_names), case.cotangents, strict=False)]
    return [*case.params.items(), ("x", case.x), *initial, *cotangents]


def _numbers(array: Array) -> str:
    if array.dtype.name == STORED:
        text = np.array2string(array, separator=", ", formatter={"all": shortest})
    else:
        text = np.array2string(array, separator=", ", floatmode="unique")
    return text.replace("\n", "").replace("  ", " ")
