"""The options of a verification: written down once, for Python, pytest and the command line."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from lstm_spec.compute.contracts import Given
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.layout import Layout
from lstm_spec.verify.asking import PROFILES, Progress
from lstm_spec.verify.deviations import Declared
from lstm_spec.verify.fit import UsageError, check_known


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be said of a verification; ``verify`` says what each means.

    Raises UsageError for a profile that there is not, and for a seed that is no whole number from 0 on.
    """

    spec: str | Program | Network | None = None
    profile: str = "standard"
    seed: int = 0
    dtypes: Iterable[str] | None = None
    layout: str | Layout | None = None
    like: str | None = None
    accuracy: Given = None
    checks: Iterable[str] | None = None
    skip: Iterable[str] = ()
    require: Iterable[str] = ()
    known_deviations: Declared = None
    strict: bool = False
    diagnose: bool = True
    first_finding: bool = False
    isolate: bool = False
    timeout: float | None = None
    memory: float | None = None
    max_seconds: float | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        check_known("profile", self.profile, PROFILES)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise UsageError(f"the seed is a whole number from 0 on, got {self.seed!r}")
        # What can be read once only is read here, since options may serve several targets.
        for name in ("dtypes", "checks", "skip", "require"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(value))


def options_of(who: str, given: Mapping[str, Any], without: Collection[str] = ()) -> Options:
    """Return options given by name, refusing what is none of them in one sentence that names who was asked.

    without: options that have no meaning there.

    >>> options_of("verify", {"profile": "quick"}).profile
    'quick'
    """
    known = [f.name for f in fields(Options) if f.name not in without]
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(known)}"
            raise UsageError(f"{who} has no option {name}; {hint}")
    return Options(**given)
