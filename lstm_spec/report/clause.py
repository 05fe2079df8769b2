"""A check in words: what the specification says, what is asked, and which equations that is about."""

from collections.abc import Iterator
from typing import Any

from lstm_spec.spec.program import Program
from lstm_spec.targets.reference import compiled_spec
from lstm_spec.verify.checks import Check
from lstm_spec.verify.exercised import equations_of
from lstm_spec.verify.fit import check_known
from lstm_spec.verify.prepare import every_check
from lstm_spec.verify.subject import Subject


def checks_of(cell: Program) -> dict[str, Check]:
    """Return the checks of an implementation of a cell that offers everything, by id: those of the form, then laws."""
    return {check.id: check for check in every_check(Subject(compiled_spec(cell), cell))}


def check_named(cell: Program, name: str) -> Check:
    """Return a check by its id; raises UsageError with the closest one."""
    known = checks_of(cell)
    check_known("check", name, known)
    return known[name]


def clause_lines(check: Check, cell: Program) -> Iterator[str]:
    """Yield a check in words for a terminal."""
    yield f"{check.id}: {check.clause}"
    yield f"  asked    {check.asks}"
    yield f"  catches  {check.catches}"
    yield f"  needs    {', '.join(check.needs) or 'nothing'}"
    equations = equations_of(cell, check.passes)
    if equations:
        yield f"\nEquations of {cell.name} that it exercises; ' marks the step before"
        yield from (f"  {equation}" for equation in equations)


def clause_dict(check: Check, cell: Program) -> dict[str, Any]:
    """Return a check in words as JSON takes it."""
    return {
        "id": check.id,
        "clause": check.clause,
        "asks": check.asks,
        "catches": check.catches,
        "needs": list(check.needs),
        "spec": cell.name,
        "equations": list(equations_of(cell, check.passes)),
    }


def list_lines(cell: Program) -> Iterator[str]:
    """Yield all checks of a cell, a line each."""
    known = checks_of(cell)
    width = max(map(len, known))
    yield from (f"{name:{width}}  {check.clause}" for name, check in known.items())
