"""A verification as tests of pytest: one item for every check, each asking only its own and what it needs."""

import datetime
from dataclasses import dataclass, field, replace
from typing import Any

from lstm_spec.verify.deviations import warnings_of
from lstm_spec.verify.explain import explain
from lstm_spec.verify.options import Options, options_of
from lstm_spec.verify.prepare import Prepared, prepare
from lstm_spec.verify.run import EXPLAINED
from lstm_spec.verify.verdict import (
    BLOCKED,
    DISCREPANCY,
    INCONCLUSIVE,
    KNOWN_DEVIATION,
    NOT_CLAIMED,
    NOT_TESTABLE,
    VERIFIED,
    CheckResult,
)


def parametrize(target: Any, **options: Any) -> Any:
    """Return the decorator that makes a test of pytest into one for every check of a target.

    target, options: as for ``verify``. The test takes ``lstm_check`` and calls it::

        @lstm_spec.parametrize("my_lstm.py:forward", profile="quick")
        def test_my_lstm(lstm_check):
            lstm_check()

    A check that is blocked, not claimed or not testable is skipped. A known deviation is an expected failure, and
    strict: where the check passes, or the declaration has expired, the item fails. Raises what ``verify`` does.
    """
    import pytest

    # An item is one check: what is said of a whole run has no meaning.
    run = Run(target, options_of("parametrize", {"profile": "quick", **options}, without=("strict", "diagnose")))
    return pytest.mark.parametrize(
        "lstm_check", [pytest.param((run, name), id=name) for name in run.ids], indirect=True
    )


@dataclass(frozen=True)
class Run:
    """One target with its options; what its checks gave is kept, for all items of this process."""

    target: Any
    options: Options
    _prepared: dict[str, Prepared] = field(default_factory=dict, repr=False)

    def prepared(self, profile: str | None = None) -> Prepared:
        """Return what is to be asked, under another profile than that of the options."""
        chosen = profile or self.options.profile
        if chosen not in self._prepared:
            self._prepared[chosen] = prepare(self.target, replace(self.options, profile=chosen))
        return self._prepared[chosen]

    @property
    def ids(self) -> list[str]:
        """The ids of its items, the same under every profile."""
        prepared = self.prepared()
        return [c.id for c in prepared.asking.plan] + [result.id for result in prepared.unasked]

    def item(self, name: str, profile: str | None = None) -> "Item":
        """Return one of its items."""
        return Item(self.prepared(profile), name)

    def release(self) -> None:
        """End the processes that targets run in."""
        for prepared in self._prepared.values():
            prepared.asking.subject.target.release()


@dataclass(frozen=True)
class Item:
    """One check, to be asked when it is called."""

    prepared: Prepared
    name: str

    def result(self) -> CheckResult:
        """Return what came of the check, asked now if nobody has."""
        asking = self.prepared.asking
        check = next((check for check in asking.plan if check.id == self.name), None)
        if check is not None:
            return asking.result_of(check)
        return next(result for result in self.prepared.unasked if result.id == self.name)

    def __call__(self) -> None:
        """Ask the check, and pass, fail, skip or be an expected failure."""
        import pytest

        result = self.result()
        wrong = self._warnings()
        if wrong:
            pytest.fail("; ".join(wrong), pytrace=False)
        if result.status == KNOWN_DEVIATION and result.known is not None:
            pytest.xfail(result.known.because)
        if result.status in (BLOCKED, NOT_CLAIMED, NOT_TESTABLE):
            pytest.skip(f"{result.status.replace('_', ' ')}: {result.message}")
        if result.status == INCONCLUSIVE and result.id.startswith("law_"):
            pytest.skip(f"inconclusive: {result.message}")
        if result.status != VERIFIED:
            pytest.fail(self._failure(result), pytrace=False)

    def _warnings(self) -> tuple[str, ...]:
        asking = self.prepared.asking
        known = [deviation for deviation in asking.known if deviation.check == self.name]
        return warnings_of(known, asking.seen, datetime.date.today())

    def _failure(self, result: CheckResult) -> str:
        subject = self.prepared.asking.subject
        lines = [f"{subject.target.name} against {subject.cell.name}, {result.id}: {result.clause}", result.message]
        if result.status == DISCREPANCY and result.finding is not None and result.id in EXPLAINED:
            lines += [f"Probably: {diagnosis.sentence}" for diagnosis in explain(subject, result.finding)[:1]]
        return "\n".join([*lines, "", result.snippet] if result.snippet else lines)
