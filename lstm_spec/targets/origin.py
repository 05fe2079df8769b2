"""How Python gets at a target, for whoever wants to call it without us."""

import sys
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Origin:
    """The name of a target, and what is found there.

    name: ``package.module:attribute`` or ``file.py:attribute``, or as ``load`` takes it. kind: a "function", an
    "object" with methods, a "class" of such objects, or what only "load" makes a target of.
    """

    name: str
    kind: Literal["function", "object", "class", "load"]


def origin_of(value: Any, name: str) -> Origin | None:
    """Return where a user's function, object or class is to be found; None where no name leads to it.

    name: how the user called it, which leads there if it has a colon.
    """
    kind: Literal["function", "object", "class"] = "class" if isinstance(value, type) else "object"
    if kind == "object" and not hasattr(value, "forward"):
        kind = "function"
    if ":" in name:
        return Origin(name, kind)
    module, path = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    found: Any = sys.modules.get(str(module))
    for part in str(path).split("."):
        found = getattr(found, part, None)
    return Origin(f"{module}:{path}", kind) if found is value and path else None
