"""Deviations that are known: which check a target is expected to fail, why, and until when.

A declaration covers its own check alone. What builds on that check is asked all the same and judged by itself, so that
one known fault hides no other; and where a declaration names the diagnosis, another fault of the same check is none of
its business.
"""

import datetime
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

from lstm_spec.compute.accuracy import FORMATS
from lstm_spec.verify.fit import UsageError, check_known


@dataclass(frozen=True)
class KnownDeviation:
    """One check that a target is known to fail.

    check: its id. reason: why that is accepted. target, spec, dtype: patterns such as "torch*" of the names that it is
    about; by default all. diagnosis: the id of the only diagnosis that it is about, if one is given. link: where more
    is said. expires: the last day on which it holds.
    """

    check: str
    reason: str
    target: str = "*"
    spec: str = "*"
    dtype: str = "*"
    diagnosis: str = ""
    link: str = ""
    expires: datetime.date | None = None

    def is_about(self, target: str, spec: str) -> bool:
        """Tell whether it is about a target, held against a specification of this name."""
        return fnmatchcase(target, self.target) and fnmatchcase(spec, self.spec)

    def covers(self, check: str, dtype: str) -> bool:
        """Tell whether it is about a check in a format."""
        return check == self.check and fnmatchcase(dtype, self.dtype)

    @property
    def because(self) -> str:
        """The reason, with the link if there is one."""
        return f"{self.reason} ({self.link})" if self.link else self.reason

    def to_dict(self) -> dict[str, Any]:
        """Return what a report says of it, as JSON takes it."""
        until = None if self.expires is None else self.expires.isoformat()
        return {"reason": self.reason, "link": self.link or None, "expires": until}


Declared = str | Path | Iterable[KnownDeviation] | None

KEYS = tuple(f.name for f in fields(KnownDeviation))


def read_deviations(given: Declared) -> tuple[KnownDeviation, ...]:
    """Return the deviations that are declared: in a TOML file of tables [[deviation]], or one by one.

    A file that comes with the package goes by its name alone, ``onnxruntime``, unless there is a file of that name.

    Raises UsageError, in one sentence, for a file that cannot be read and for a declaration that makes no sense.
    """
    if not isinstance(given, str | Path):
        return tuple(given or ())
    shipped = files(__package__).joinpath("known_deviations", f"{given}.toml")
    try:
        source = shipped if shipped.is_file() and not Path(given).exists() else Path(given)
        table = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{given} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{given} is no TOML: {error}") from None
    entries = table.pop("deviation", [])
    if table or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{given} holds tables [[deviation]] and nothing else, each with a check and a reason")
    return tuple(_read(entry, f"{given}, deviation {number}") for number, entry in enumerate(entries, 1))


def _read(entry: Mapping[str, Any], where: str) -> KnownDeviation:
    for key, value in entry.items():
        check_known(f"key of a deviation in {where}:", key, KEYS)
        wanted, words = (datetime.date, "a date such as 2030-01-31") if key == "expires" else (str, "a text")
        if not isinstance(value, wanted) or value == "" or isinstance(value, datetime.datetime):
            raise UsageError(f"{where}: {key} is {words}, got {value!r}")
    for key in ("check", "reason"):
        if key not in entry:
            raise UsageError(f"{where} has no {key}; a deviation says which check fails and why that is accepted")
    dtype = entry.get("dtype", "*")
    if not any(fnmatchcase(name, dtype) for name in FORMATS):
        raise UsageError(f"{where}: dtype is one of {', '.join(FORMATS)} or a pattern of them, got {dtype!r}")
    return KnownDeviation(**entry)


@dataclass(frozen=True)
class Seen:
    """In which formats a check was asked and failed, and in which it was asked and did not."""

    failed: frozenset[str]
    passed: frozenset[str]


def warnings_of(known: Iterable[KnownDeviation], asked: Mapping[str, Seen], today: datetime.date) -> tuple[str, ...]:
    """Return what is to be said of declarations: those whose check passes, and those that have expired.

    asked: by the id of the check; what was not asked says nothing.
    """
    found = []
    for deviation in known:
        seen = asked.get(deviation.check)
        if seen is None:
            continue
        if deviation.expires is not None and deviation.expires < today:
            found.append(f"the known deviation of {deviation.check} has expired on {deviation.expires}")
        covered = lambda formats, d=deviation: any(d.covers(d.check, name) for name in formats)  # noqa: E731
        if covered(seen.passed) and not covered(seen.failed):
            found.append(f"the known deviation of {deviation.check} is stale: the check passes; take it out")
    return tuple(found)
