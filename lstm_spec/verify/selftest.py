"""The tester tested: plant every fault of the catalogue, and count which ones the checks find, and how soon."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lstm_spec.compute.formats import in_format
from lstm_spec.spec.program import Program
from lstm_spec.targets.contract import Target
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.diagnose import catalogue
from lstm_spec.verify.hypotheses import Hypothesis
from lstm_spec.verify.run import verify

_NARROW = ("float16", "bfloat16", "TF32", "noise")
COARSER: Mapping[str, tuple[str, ...]] = {"float64": ("float32", *_NARROW), "float32": _NARROW}
"""By format, how the faults end that are a loss of precision there and not the format itself."""


@dataclass(frozen=True)
class Kill:
    """What became of a planted fault.

    fault: the hypothesis; check: the id of the check that found it, None if it lives; cases: after how many in all.
    """

    fault: Hypothesis
    check: str | None
    cases: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        fault = self.fault
        told = {"id": fault.id, "kind": fault.kind, "sentence": fault.sentence}
        return {**told, "check": self.check, "cases": self.cases}


@dataclass(frozen=True)
class Score:
    """How many of the planted faults were found, in one format under one profile."""

    spec: str
    profile: str
    dtype: str
    kills: tuple[Kill, ...]

    @property
    def killed(self) -> int:
        """How many were found."""
        return sum(kill.check is not None for kill in self.kills)

    @property
    def alive(self) -> tuple[Kill, ...]:
        """Those that were not."""
        return tuple(kill for kill in self.kills if kill.check is None)

    @property
    def share(self) -> float:
        """The part of them that was found, 1 for all."""
        return self.killed / len(self.kills) if self.kills else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return the score as JSON takes it."""
        return {
            "spec": self.spec,
            "profile": self.profile,
            "dtype": self.dtype,
            "faults": len(self.kills),
            "killed": self.killed,
            "kills": [
                {
                    **{key: getattr(k.fault, key) for key in ("id", "kind", "sentence")},
                    "check": k.check,
                    "cases": k.cases,
                }
                for k in self.kills
            ],
        }


def planted(cell: Program, dtype: str = "float64") -> tuple[Hypothesis, ...]:
    """Return the faults that are planted for a self-test of a cell, each once.

    dtype: the format of the target; what is no loss of precision there is left out.

    >>> from lstm_spec.spec.cells import lstm
    >>> len(planted(lstm())) > 500
    True
    """
    found = (*catalogue(cell), *catalogue(cell, gradients=True))
    coarser = COARSER.get(dtype, ())
    return tuple(h for h in found if h.kind != "precision" or h.id.endswith(coarser))


def selftest(
    cell: Program,
    *,
    profile: str = "standard",
    dtype: str = "float64",
    seed: int = 0,
    faults: Sequence[Hypothesis] | None = None,
) -> Iterator[Kill]:
    """Yield what becomes of every fault that is planted in an implementation of a cell, one by one.

    profile, dtype, seed: as for ``verify``. faults: what to plant, by default all of ``planted``.
    """
    for fault in planted(cell, dtype) if faults is None else faults:
        yield kill(fault, profile=profile, dtype=dtype, seed=seed)


def kill(fault: Hypothesis, *, profile: str = "standard", dtype: str = "float64", seed: int = 0) -> Kill:
    """Plant one fault and return what the checks say to it; they stop at the first finding.

    Where only gradients are at fault, only their checks are asked: the others would say that the equations are right.
    """
    target = Target(
        name=fault.id,
        forward=typed(fault.forward),
        backward=typed(fault.backward) if fault.in_gradients_only else None,
        dtypes=(dtype,),
    )
    report = verify(
        target,
        spec=fault.cell,
        profile=profile,
        seed=seed,
        checks=[check.id for check in CHECKS if check.gradients == fault.in_gradients_only],
        diagnose=False,
        first_finding=True,
    )
    found = next((check.id for check in report.checks if check.finding), None)
    return Kill(fault, found, report.cases)


def typed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what is at fault with its results in the format of its arguments, which a wrong type would give away."""

    def faulty(params: Any, x: Any, *others: Any) -> Any:
        return tuple(in_format(value, x.dtype) for value in function(params, x, *others))

    return faulty
