"""The plugin of pytest: the fixture that the items of ``lstm_spec.parametrize`` take, and one profile for them all."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lstm_spec.verify.items import Item


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that overrides the profile, for a run that asks more than the one of every day."""
    group = parser.getgroup("lstm_spec", "verification of LSTMs")
    group.addoption(
        "--lstm-spec-profile",
        choices=("quick", "standard", "deep"),
        help="profile of all tests that lstm_spec.parametrize makes, in place of their own",
    )


@pytest.fixture
def lstm_check(request: pytest.FixtureRequest) -> "Item":
    """One check of a target, to be called."""
    run, name = request.param
    request.config.stash.setdefault(_RUNS, []).append(run)
    item: Item = run.item(name, request.config.getoption("--lstm-spec-profile"))
    return item


_RUNS = pytest.StashKey[list]()  # type: ignore[type-arg]


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the processes that targets run in."""
    for run in config.stash.get(_RUNS, []):
        run.release()
