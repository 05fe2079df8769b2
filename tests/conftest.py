"""One thread a worker, and laws that no busy machine can fail.

The tests run side by side: threads of their own would only get in each other's way, and a law that holds must not fail
because an example of it took long. In continuous integration the examples are the same every time.
"""

import os
from dataclasses import replace

import pytest
from hypothesis import settings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

steady = bool(os.environ.get("CI"))
settings.register_profile("house", deadline=None, derandomize=steady, print_blob=steady)
settings.load_profile("house")


@pytest.fixture
def few_cases(monkeypatch):
    """A quick profile of few cases, for what has to be asked of many targets."""
    from lstm_spec.verify import run, search

    monkeypatch.setattr(run, "PROFILES", {"quick": replace(run.PROFILES["quick"], small=10, seeded=6, sizes=(2, 3, 5))})
    monkeypatch.setattr(search, "SHRINKING_CALLS", 40)
