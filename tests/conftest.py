"""One thread a worker, and laws that no busy machine can fail.

The tests run side by side: threads of their own would only get in each other's way, and a law that holds must not fail
because an example of it took long. In continuous integration the examples are the same every time.
"""

import os
import signal
from dataclasses import replace

import pytest
from hypothesis import settings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# A shell that starts the tests in the background has them ignore interrupts, and so would every process they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

steady = bool(os.environ.get("CI"))
settings.register_profile("house", deadline=None, derandomize=steady, print_blob=steady)
settings.load_profile("house")


@pytest.fixture
def few_cases(monkeypatch):
    """A quick profile of few cases, for what has to be asked of many targets."""
    from lstm_spec.verify import prepare, simplify

    monkeypatch.setattr(
        prepare, "PROFILES", {"quick": replace(prepare.PROFILES["quick"], small=10, seeded=6, sizes=(2, 3, 5))}
    )
    monkeypatch.setattr(simplify, "MOST_CALLS", 40)


@pytest.fixture(autouse=True)
def _valid_reports(monkeypatch):
    """Hold every report that a test makes a dict of against the schema that comes with the package."""
    from jsonschema import Draft202012Validator

    from lstm_spec.report.schema import report_schema
    from lstm_spec.verify.verdict import Report

    to_dict = Report.to_dict

    def valid(report):
        told = to_dict(report)
        Draft202012Validator(report_schema()).validate(told)
        return told

    monkeypatch.setattr(Report, "to_dict", valid)
