"""What is known of a mathematical statement."""

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["proved", "refuted", "undecided"]


@dataclass(frozen=True)
class Proof:
    """What is known of one statement.

    status: "proved"; "refuted", and ``witness`` holds the numbers at which it fails; "undecided": it holds at the
    numbers that were tried, but algebra did not bring the two sides to one form. seconds: the time it took.
    """

    name: str
    statement: str
    status: Status
    witness: Any = None
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.status}: {self.statement}" + (f" ({self.witness})" if self.witness is not None else "")
