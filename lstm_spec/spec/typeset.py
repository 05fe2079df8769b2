"""A formula as it is set: letters, scripts, fractions and fences, from which every format is written.

The tree knows how a formula looks and nothing of what it means. LaTeX and MathML are each one table over these nodes;
the table for a line of Unicode text is here, because error messages need it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

Tree: TypeAlias = Any


@dataclass(frozen=True)
class Letter:
    """The name of a variable or function; a word is set upright."""

    text: str
    style: Literal["italic", "upright", "bold"] = "italic"


@dataclass(frozen=True)
class Number:
    """A number, as it is written."""

    text: str


@dataclass(frozen=True)
class Sign:
    """An operator or a mark of punctuation; ``spacing`` says where a line of text has spaces around it."""

    text: str
    spacing: Literal["both", "after", "none"] = "none"


@dataclass(frozen=True)
class Times:
    """The product that is written as nothing: W z."""


@dataclass(frozen=True)
class Row:
    """Parts beside each other."""

    items: tuple[Tree, ...]


@dataclass(frozen=True)
class Script:
    """A base with what stands below and above its right end."""

    base: Tree
    sub: Tree | None = None
    sup: Tree | None = None


@dataclass(frozen=True)
class Accent:
    """A base with a tilde, bar, hat or dot on it."""

    base: Tree
    mark: Literal["tilde", "bar", "hat", "dot"]


@dataclass(frozen=True)
class Fenced:
    """A body between brackets; ``linear`` ones are needed only where a fraction is written in one line."""

    body: Tree
    opening: str = "("
    closing: str = ")"
    linear: bool = False


@dataclass(frozen=True)
class Fraction:
    """One above the other."""

    top: Tree
    bottom: Tree


@dataclass(frozen=True)
class Root:
    """A square root."""

    body: Tree


@dataclass(frozen=True)
class Total:
    """A sum sign with its index, over a range or over all values."""

    index: Tree
    first: Tree | None = None
    last: Tree | None = None


@dataclass(frozen=True)
class Cases:
    """Values by condition; the condition None is "otherwise"."""

    branches: tuple[tuple[Tree, Tree | None], ...]


def row(*items: Tree) -> Tree:
    """Return the items beside each other; a single one is itself."""
    return items[0] if len(items) == 1 else Row(items)


def joined(items: list[Tree], sign: Tree) -> Tree:
    """Return the items with the sign between each two."""
    return row(*[part for item in items for part in (sign, item)][1:])


def is_tall(tree: Tree) -> bool:
    """Tell whether brackets around a tree have to grow."""
    if isinstance(tree, Fraction | Total | Cases):
        return True
    if isinstance(tree, Row):
        return any(is_tall(item) for item in tree.items)
    if isinstance(tree, Fenced | Root):
        return is_tall(tree.body)
    return False


_MARKS = MappingProxyType({"tilde": "\u0303", "bar": "\u0304", "hat": "\u0302", "dot": "\u0307"})
_BOLD = MappingProxyType({"0": "𝟎", "1": "𝟏"})
_RAISED = MappingProxyType({"⊤": "ᵀ", "′": "'", "+": "⁺", "2": "²", "3": "³"})


def plain(tree: Tree) -> str:
    """Return a tree in one line of Unicode text.

    >>> plain(Script(Letter("c"), Row((Letter("t"), Sign("−"), Number("1")))))
    'c_{t−1}'
    >>> plain(Row((Script(Letter("W"), Letter("f"), Sign("⊤")), Times(), Accent(Letter("c"), "tilde"))))
    'W_fᵀ c̃'
    """
    return _PLAIN[type(tree)](tree)


def _plain_sign(tree: Sign) -> str:
    return {"both": f" {tree.text} ", "after": f"{tree.text} ", "none": tree.text}[tree.spacing]


def _plain_script(tree: Script) -> str:
    sub = "" if tree.sub is None else "_" + _braced(plain(tree.sub))
    return plain(tree.base) + sub + ("" if tree.sup is None else _raised(tree.sup))


def _braced(text: str) -> str:
    return text if text.isalnum() else "{" + text + "}"


def _raised(tree: Tree) -> str:
    items = tree.items if isinstance(tree, Row) else (tree,)
    marks = [_RAISED.get(item.text) if isinstance(item, Sign | Number) else None for item in items]
    return "".join(map(str, marks)) if all(marks) else "^" + _braced(plain(tree))


def _plain_fenced(tree: Fenced) -> str:
    return f"{tree.opening}{plain(tree.body)}{tree.closing}"


def _plain_total(tree: Total) -> str:
    if tree.first is None:
        return f"Σ_{_braced(plain(tree.index))} "
    above = "" if tree.last is None else "^" + _braced(plain(tree.last))
    return f"Σ_{{{plain(tree.index)}={plain(tree.first)}}}{above} "


def _plain_cases(tree: Cases) -> str:
    return ", ".join(f"{plain(value)} if {plain(test)}" if test else f"{plain(value)} otherwise"
                     for value, test in tree.branches)  # fmt: skip


_PLAIN: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        Letter: lambda tree: _BOLD.get(tree.text, tree.text) if tree.style == "bold" else tree.text,
        Number: lambda tree: tree.text,
        Sign: _plain_sign,
        Times: lambda tree: " ",
        Row: lambda tree: "".join(plain(item) for item in tree.items),
        Script: _plain_script,
        Accent: lambda tree: plain(tree.base) + _MARKS[tree.mark],
        Fenced: _plain_fenced,
        Fraction: lambda tree: f"{plain(tree.top)}/{plain(tree.bottom)}",
        Root: lambda tree: f"√({plain(tree.body)})",
        Total: _plain_total,
        Cases: _plain_cases,
    }
)
