"""The reference: every command with its help, and every public name with its docstring."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import click

import lstm_spec as ls
from lstm_spec.cli import GROUPS, main

ROOMS = MappingProxyType(
    {
        "verify": "Verification",
        "targets": "Who is verified",
        "spec": "Cells, networks and dimensions",
        "calculus": "Gradients and proofs",
        "write": "Formulas",
        "draw": "Pictures",
        "compute": "Computing",
    }
)
"""The rooms of the package in the order of the page, and what their names are for."""


def commands() -> str:
    """Return the page of the commands: what ``--help`` prints, under a heading for each."""
    parts = ["# Commands", "`lstm-spec` takes these commands; `--help` of each prints what is here."]
    for heading, members in GROUPS.items():
        parts.append(f"## {heading}")
        for command in members:
            parts += [part for name, inner in _all(str(command.name), command) for part in _help(name, inner)]
    return "\n\n".join(parts) + "\n"


def python() -> str:
    """Return the page of the public names, by what they are for."""
    parts = ["# Python", "`import lstm_spec as ls`; a name is loaded when it is first used."]
    for room, heading in ROOMS.items():
        parts.append(f"## {heading}")
        for name in sorted(ls.__all__, key=str.lower):
            value = getattr(ls, name)
            home = value.__name__ if inspect.ismodule(value) else value.__module__
            if home.split(".")[1] == room:
                parts += [f"### {name}", *_described(value)]
    return "\n\n".join(parts) + "\n"


def prose(docstring: str | None) -> str:
    """Return a docstring as Markdown: its code in code, its examples in blocks, and nothing else taken for markup."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(docstring or "")):
        if paragraph.startswith(">>>"):
            parts.append(f"```pycon\n{paragraph}\n```")
        else:
            said = [*re.split(r"``(.+?)``", paragraph, flags=re.S)]
            said[0::2] = [re.sub(r"([*_\[\]<>`|])", r"\\\1", text) for text in said[0::2]]
            said[1::2] = [f"`{code}`" for code in said[1::2]]
            parts.append("".join(said))
    return "\n\n".join(parts)


def _described(value: Any) -> Iterator[str]:
    if inspect.ismodule(value):
        yield prose(value.__doc__)
        for name, inner in inspect.getmembers(value, inspect.isfunction):
            if inner.__module__ == value.__name__ and not name.startswith("_"):
                yield from (f"#### {value.__name__.rpartition('.')[2]}.{name}", _signature(inner), prose(inner.__doc__))
    elif inspect.isclass(value):
        yield prose(value.__doc__)
        for name, member in vars(value).items():
            own = member.fget if isinstance(member, property) else inspect.unwrap(getattr(member, "__func__", member))
            if inspect.isfunction(own) and own.__doc__ and not name.startswith("_"):
                yield from (f"#### {value.__name__}.{name}", _signature(own), prose(own.__doc__))
    else:
        yield from (_signature(value), prose(value.__doc__))


def _signature(function: Any) -> str:
    """Return the head of a function as its source has it, which names types as they are imported."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    head = source.splitlines()[node.lineno - 1 : node.body[0].lineno - 1]
    return "\n".join(["```python", *head, "```"]).replace(":\n```", "\n```")


def _all(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from _all(f"{name} {inner.name}", inner)


def _help(name: str, command: click.Command) -> tuple[str, str]:
    sizes = {"max_content_width": 100, "terminal_width": 100}
    context = click.Context(command, info_name=f"lstm-spec {name}", **sizes, **main.context_settings)
    return f"### {name}", f"```text\n{command.get_help(context)}\n```"
