"""An end in time, after which a target is called no more."""

import math
from dataclasses import dataclass
from time import monotonic


class OutOfTime(BaseException):
    """Ends a verification from within; a BaseException, since Hypothesis takes every Exception for a failing case."""


@dataclass(frozen=True, order=True)
class Deadline:
    """A moment of the clock that only goes forward."""

    at: float

    def check(self) -> None:
        """Raise OutOfTime once it is past."""
        if monotonic() >= self.at:
            raise OutOfTime

    def at_least(self, seconds: float) -> "Deadline":
        """Return one that leaves some seconds from now on."""
        return max(self, Deadline.after(seconds))

    @property
    def left(self) -> float | None:
        """How many seconds are left, none that are less than 0; None for all there are."""
        return None if self == NEVER else max(0.0, self.at - monotonic())

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the one so many seconds from now."""
        return cls(monotonic() + seconds)


NEVER = Deadline(math.inf)
"""The deadline of who has time."""
