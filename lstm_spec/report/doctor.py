"""What is installed, for a terminal and as JSON."""

import platform
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from lstm_spec import __version__
from lstm_spec.targets.installed import Package, Part

WIDTH = 100


def doctor_lines(parts: Sequence[Part]) -> Iterator[str]:
    """Yield a paragraph for every part: its packages, what it serves, and how to get what is missing."""
    yield f"lstm_spec {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    name_width, status_width = max(len(p.name) for p in parts), max(len(_words(p.status)) for p in parts)
    indent = " " * (name_width + status_width + 4)
    for part in parts:
        yield ""
        head = f"{part.name:{name_width}}  {_words(part.status):{status_width}}  "
        packages = ", ".join(map(_package, part.packages)) or "no package for this system"
        yield from textwrap.wrap(packages, WIDTH, initial_indent=head, subsequent_indent=indent)
        targets = f"verify {', '.join(part.targets)}" if part.targets else ""
        for text in filter(None, ("; ".join(filter(None, (*part.serves, targets))), part.note)):
            yield from textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
        if part.to_dict()["remedy"]:
            yield f"{indent}{part.remedy}"


def doctor_dict(parts: Sequence[Part]) -> dict[str, Any]:
    """Return the same for JSON."""
    return {
        "lstm_spec": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "parts": [part.to_dict() for part in parts],
    }


def _words(status: str) -> str:
    return status.replace("_", " ")


def _package(package: Package) -> str:
    if package.status == "missing":
        return f"{package.name} {package.asked} is missing".replace("  ", " ")
    wrong = f", where {package.asked} is needed" if package.status == "wrong_version" else ""
    return f"{package.name} {package.version}{wrong}"
