"""How Python gets at a target, for whoever wants to call it without us."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal


@dataclass(frozen=True)
class NodeAt:
    """A recurrent node of a model: the how manieth it is, the runtime that runs it, and readings, not the default."""

    number: int
    runtime: str
    readings: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {"number": self.number, "runtime": self.runtime, "readings": dict(self.readings)}


@dataclass(frozen=True)
class Origin:
    """The name of a target, and what is found there.

    name: ``package.module:attribute`` or ``file.py:attribute``, or as ``load`` takes it. kind: a "function", an
    "object" with methods, a "class" of such objects, what only "load" makes a target of, the text of a "command", or
    the path of a model of which it is a "node". like: the original whose interface it has. node: where in the model.
    """

    name: str
    kind: Literal["function", "object", "class", "load", "command", "node"]
    like: str | None = None
    node: NodeAt | None = None

    @property
    def forward(self) -> str:
        """The forward pass of what ``lines`` call ``target``."""
        return "target" if self.kind == "function" else "target.forward"

    @property
    def lines(self) -> tuple[str, ...]:
        """Lines of Python that find it and call it ``target``."""
        place, _, path = self.name.rpartition(":")
        if self.kind == "command":
            return (
                "from lstm_spec.targets.command import Command",
                "",
                f"target = Command({_quoted(self.name)}).target()",
            )
        if self.node is not None:
            chosen = f", chosen={json.dumps(dict(self.node.readings))}" if self.node.readings else ""
            every = f"nodes({_quoted(self.name)}, {_quoted(self.node.runtime)}{chosen})"
            return ("from lstm_spec.targets.onnx_file import nodes", "", f"target = {every}[{self.node.number}].target")
        if self.kind == "load":
            like = f", like={_quoted(self.like)}" if self.like else ""
            return ("from lstm_spec.targets.python import load", "", f"target = load({_quoted(self.name)}{like})")
        made = ["target = target()"] if self.kind == "class" else []
        if place == "__main__":
            return (f"target = {path}", *made)
        head, *rest = path.split(".")
        inner = [f"target = {'.'.join(['target', *rest])}"] if rest else []
        if place.endswith(".py") or "/" in place:
            folder = str(PurePath(place).parent)
            found = [
                "",
                f"sys.path.insert(0, {_quoted(folder)})",
                f"target = runpy.run_path({_quoted(place)})[{_quoted(head)}]",
            ]
            return ("import runpy", "import sys", *found, *inner, *made)
        found = ["", 'sys.path.insert(0, ".")', f"from {place} import {head} as target"]
        return ("import sys", *found, *inner, *made)


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


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
