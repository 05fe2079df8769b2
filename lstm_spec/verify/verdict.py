"""The verdict: what was asked, how often, with what result, and the case that shows it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lstm_spec.compute.contracts import Contracts, told
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.verify.cases import Case
from lstm_spec.verify.compare import Deviation
from lstm_spec.verify.detection import Detection
from lstm_spec.verify.deviations import KnownDeviation
from lstm_spec.verify.diagnose import Diagnosis
from lstm_spec.verify.kinds import ACCURACY, MISBEHAVIOUR, SEMANTIC
from lstm_spec.verify.search import Finding

VERIFIED, DISCREPANCY, INCONCLUSIVE, NOT_CLAIMED = "verified", "discrepancy", "inconclusive", "not_claimed"
BLOCKED, ERROR, KNOWN_DEVIATION, NOT_TESTABLE = "blocked", "error", "known_deviation", "not_testable"
NOT_REACHED = "not_reached"

SCHEMA = 1
"""The version of the report's form; it changes when a key changes its meaning."""


MOST_INCONCLUSIVE = 0.75
"""The part of the cases of a check that may be too ill-conditioned to tell; of more, it is inconclusive itself."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check over all formats of the target.

    cases: how many were examined; inconclusive: how many of them could not tell; worst: the largest error over allowed
    error seen, with its format; finding: the simplest failing case; snippet: Python that shows it. kind: of a
    discrepancy, "semantic" for another function, "accuracy" for the right one computed too coarsely, "misbehaviour" for
    what is no answer, or changes what it was given; within: the accuracy to which it is right. known: why a failing
    check is accepted, where that is declared. seconds: how long it took. spread: how many cases came how near to what
    is allowed, up to each of ``search.RATIOS`` and beyond the last. extreme: the failing case that went furthest
    beyond.
    """

    id: str
    status: str
    clause: str
    cases: int = 0
    inconclusive: int = 0
    worst: Deviation | None = None
    worst_dtype: str = ""
    message: str = ""
    finding: Finding | None = None
    snippet: str = ""
    kind: str = ""
    within: str = ""
    known: KnownDeviation | None = None
    spread: tuple[int, ...] = ()
    extreme: Finding | None = field(default=None, repr=False)
    seconds: float = field(default=0.0, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON takes it."""
        worst = {} if self.worst is None else {**deviation_dict(self.worst), "dtype": self.worst_dtype}
        return {
            "id": self.id,
            "status": self.status,
            "kind": self.kind or None,
            "within": self.within or None,
            "clause": self.clause,
            "cases": self.cases,
            "inconclusive": self.inconclusive,
            "worst": worst,
            "spread": list(self.spread),
            "message": self.message,
            "known": None if self.known is None else self.known.to_dict(),
        }


@dataclass(frozen=True)
class Exactness:
    """How exact a target had to be: where that is said, and the accuracy contract of each format."""

    origin: str = "default"
    contracts: Contracts = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it, with the keys of a file that declares it."""
        return {"origin": self.origin, "formats": {name: told(c) for name, c in self.contracts.items()}}


@dataclass(frozen=True)
class Exercised:
    """An equation, the checks that held the target against it, and how many of their cases could tell."""

    equation: str
    checks: tuple[str, ...]
    cases: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {"equation": self.equation, "checks": list(self.checks), "cases": self.cases}


@dataclass(frozen=True)
class Report:
    """What a verification found out about a target.

    verdict: "verified", "discrepancy", "inconclusive" or "error". checks: in the order in which they were asked.
    diagnosis: what is probably wrong, the most likely first. interrupted, out_of_time: whether it was stopped before
    its end, by somebody or by its deadline. accuracy: how exact the target had to be. detection: by format, how small
    an error of one weight would have shown. exercised: the equations that it was held against. given: what was asked
    for, by the options of ``verify``. warnings: what is to be said of what is declared as known. cell: the
    specification itself. sequence: of a target that fails, what it does with some steps.
    """

    verdict: str
    target: str
    spec: str
    profile: str
    seed: int
    dtypes: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    diagnosis: tuple[Diagnosis, ...] = ()
    seconds: float = 0.0
    interrupted: bool = False
    out_of_time: bool = False
    accuracy: Exactness = field(default_factory=Exactness)
    detection: Mapping[str, Detection] = field(default_factory=dict)
    exercised: tuple[Exercised, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    cell: Program | Network | None = field(default=None, repr=False)
    sequence: Finding | None = field(default=None, repr=False)

    @property
    def cases(self) -> int:
        """How many cases were examined in all."""
        return sum(check.cases for check in self.checks)

    @property
    def failing(self) -> CheckResult | None:
        """The first check with a finding that is not known, or None."""
        return next((check for check in self.checks if check.finding and check.status == DISCREPANCY), None)

    @property
    def finding(self) -> Finding | None:
        """The first finding that is not known, or None."""
        return self.failing.finding if self.failing else None

    @property
    def kind(self) -> str:
        """The kind of discrepancy, of several the first of semantic, misbehaviour, accuracy; empty without one."""
        kinds = {check.kind for check in self.checks if check.status == DISCREPANCY}
        return next((kind for kind in (SEMANTIC, MISBEHAVIOUR, ACCURACY) if kind in kinds), "")

    @property
    def exit_status(self) -> int:
        """The exit status of the command line: 0 verified, 1 discrepancy, 2 error, 3 inconclusive, 130 interrupted."""
        if self.interrupted:
            return 130
        return {VERIFIED: 0, DISCREPANCY: 1, ERROR: 2, INCONCLUSIVE: 3}[self.verdict]

    def __str__(self) -> str:
        found = next((c for c in self.checks if c.status == DISCREPANCY), None)
        detail = f": {found.id}: {found.message}" if found else ""
        return f"{self.verdict.upper()} {self.target} against {self.spec}, {self.cases} cases{detail}"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON takes it; numbers of the counterexample are exact, as hexadecimal floats."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "kind": self.kind or None,
            "target": self.target,
            "spec": self.spec,
            "profile": self.profile,
            "seed": self.seed,
            "given": dict(self.given),
            "dtypes": list(self.dtypes),
            "accuracy": self.accuracy.to_dict(),
            "inconclusive": sum(check.inconclusive for check in self.checks),
            "most_inconclusive": MOST_INCONCLUSIVE,
            "detection": {name: found.to_dict() for name, found in self.detection.items()},
            "versions": dict(self.versions),
            "checks": [check.to_dict() for check in self.checks],
            "exercised": [equation.to_dict() for equation in self.exercised],
            "diagnosis": [d.to_dict() for d in self.diagnosis],
            "counterexample": None if self.failing is None else counterexample_dict(self.failing),
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "out_of_time": self.out_of_time,
        }


def deviation_dict(deviation: Deviation) -> dict[str, Any]:
    """Return a deviation as JSON takes it; what is no finite number is written as a string."""
    numbers = {
        "got": deviation.got,
        "expected": deviation.expected,
        "error": deviation.error,
        "allowed": deviation.allowed,
        "ratio": deviation.ratio,
    }
    finite = {key: value if np.isfinite(value) else str(value) for key, value in numbers.items()}
    return {"output": deviation.output, **deviation.position, **finite}


def counterexample_dict(check: CheckResult) -> dict[str, Any]:
    """Return the finding of a check with its whole case as JSON takes it."""
    finding = check.finding
    assert finding is not None
    return {
        "check": check.id,
        "message": finding.message,
        **case_dict(finding.case),
        "deviation": None if finding.deviation is None else deviation_dict(finding.deviation),
        "snippet": check.snippet,
    }


def case_dict(case: Case) -> dict[str, Any]:
    """Return a case with exact numbers: nested lists of hexadecimal floats."""
    return {
        "dtype": str(case.dtype),
        "regime": case.regime,
        "seed": case.seed,
        "steps": case.T,
        "rows": case.B,
        **({} if case.lengths is None else {"lengths": case.lengths.tolist()}),
        **({"exposed": {name: [s.start, s.stop] for name, s in case.exposed.items()}} if case.exposed else {}),
        "params": {name: hexadecimal(p) for name, p in case.params.items()},
        "x": hexadecimal(case.x),
        "states": {f"{name}0": hexadecimal(s) for name, s in zip(case.state_names, case.states, strict=False)},
        "cotangents": {
            f"d{name}": hexadecimal(d) for name, d in zip(("y", *case.state_names), case.cotangents, strict=False)
        },
    }


def hexadecimal(array: Any) -> Any:
    """Return an array as nested lists of hexadecimal floats, which lose nothing."""
    if np.ndim(array) == 0:
        return float(array).hex()
    return [hexadecimal(part) for part in array]


def versions_of(packages: Mapping[str, str]) -> dict[str, str]:
    """Return the versions that a report states: Python, NumPy, SymPy, Hypothesis, this package, the target's own."""
    import hypothesis
    import sympy

    import lstm_spec

    return {
        "lstm_spec": lstm_spec.__version__,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "sympy": sympy.__version__,
        "hypothesis": hypothesis.__version__,
        **packages,
    }
