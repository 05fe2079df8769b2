"""Checks as they are listed: one by one, but the laws of one status together, unless they are at fault."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from lstm_spec.verify.verdict import DISCREPANCY, ERROR, KNOWN_DEVIATION


class _HasStatus(Protocol):
    @property
    def status(self) -> str: ...


T = TypeVar("T", bound=_HasStatus)


def together(checks: Iterable[T], *, name: Callable[[T], str]) -> Iterator[tuple[str, list[T]]]:
    """Yield what a line is called, and the checks that it is of; laws come last. name: gives the id of a check."""
    laws: dict[str, list[T]] = {}
    for check in checks:
        if name(check).startswith("law_") and check.status not in (DISCREPANCY, ERROR, KNOWN_DEVIATION):
            laws.setdefault(check.status, []).append(check)
        else:
            yield name(check), [check]
    for group in laws.values():
        yield f"{len(group)} law{'' if len(group) == 1 else 's'}", group
