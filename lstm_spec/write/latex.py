"""LaTeX of typeset formulas, with amsmath and nothing else."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from lstm_spec.spec.symbols import GREEK
from lstm_spec.spec.typeset import (
    Accent,
    Cases,
    Fenced,
    Fraction,
    Letter,
    Number,
    Root,
    Row,
    Script,
    Sign,
    Times,
    Total,
    Tree,
    is_tall,
)

_SIGNS = MappingProxyType(
    {
        "∘": r"\circ ",
        "⊙": r"\odot ",
        "∗": r"\ast ",
        "·": r"\cdot ",
        "−": "-",
        "≤": r"\le ",
        "≥": r"\ge ",
        "⊤": r"\top",
        "′": r"\prime",
        ":": "{:}",
        "|": r"\lvert ",
    }
)
_COMMANDS = MappingProxyType(
    {letter: f"\\{name}" for name, letter in GREEK.items()} | {"∂": r"\partial", "…": r"\dots"}
)
_OPERATORS = frozenset({"tanh", "exp", "log", "max", "min"})
_ACCENTS = MappingProxyType({"tilde": r"\tilde", "bar": r"\bar", "hat": r"\hat", "dot": r"\dot"})


def latex(tree: Tree) -> str:
    """Return a tree as LaTeX for math mode.

    >>> latex(Script(Accent(Letter("c"), "tilde"), Letter("t")))
    '\\\\tilde{c}_t'
    """
    return _RULES[type(tree)](tree)


def _letter(tree: Letter) -> str:
    if tree.text == "ε":
        return r"\varepsilon"
    if tree.text in _COMMANDS:
        command = _COMMANDS[tree.text]
        return command if tree.style != "bold" else rf"\boldsymbol{{{command}}}"
    if tree.text in _OPERATORS:
        return rf"\{tree.text}"
    word = tree.text.replace("_", r"\_")
    if tree.style == "upright" or len(tree.text) > 2:
        return rf"\mathrm{{{word}}}"
    return rf"\mathbf{{{word}}}" if tree.style == "bold" else word


def _sign(tree: Sign) -> str:
    text = _SIGNS.get(tree.text, tree.text)
    if tree.spacing == "both":
        return f" {text.strip()} "
    return f"{text.rstrip()} " if tree.spacing == "after" or text.endswith(" ") else text


def _row(tree: Row) -> str:
    """Put parts beside each other, with a space where a command would run into a letter."""
    line = ""
    for item in tree.items:
        piece = latex(item)
        runs_on = line[-1:].isalpha() and "\\" in line and line.rsplit("\\", 1)[1].isalpha()
        line += f" {piece}" if runs_on and piece[:1].isalpha() else piece
    return line


def _script(tree: Script) -> str:
    base = latex(tree.base)
    if isinstance(tree.base, Script):
        base = "{" + base + "}"
    sub = "" if tree.sub is None else "_" + _braced(latex(tree.sub))
    if tree.sup is None:
        return base + sub
    return base + sub + ("'" if tree.sup == Sign("′") else "^" + _braced(latex(tree.sup)))


def _braced(text: str) -> str:
    return text if len(text) == 1 else "{" + text + "}"


def _fenced(tree: Fenced) -> str:
    if tree.linear:
        return latex(tree.body)
    opening, closing = (r"\lvert ", r"\rvert") if tree.opening == "|" else (tree.opening, tree.closing)
    if is_tall(tree.body):
        return rf"\left{opening}{latex(tree.body)}\right{closing}"
    return f"{opening}{latex(tree.body)}{closing}"


def _total(tree: Total) -> str:
    if tree.first is None:
        return rf"\sum_{_braced(latex(tree.index))} "
    above = "" if tree.last is None else "^" + _braced(latex(tree.last))
    return rf"\sum_{{{latex(tree.index)}={latex(tree.first)}}}{above} "


def _cases(tree: Cases) -> str:
    lines = [
        rf"{latex(value)} & " + (r"\text{otherwise}" if test is None else rf"\text{{if }} {latex(test)}")
        for value, test in tree.branches
    ]
    return r"\begin{cases}" + r" \\ ".join(lines) + r"\end{cases}"


_RULES: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        Letter: _letter,
        Number: lambda tree: tree.text,
        Sign: _sign,
        Times: lambda tree: r"\, ",
        Row: _row,
        Script: _script,
        Accent: lambda tree: f"{_ACCENTS[tree.mark]}{{{latex(tree.base)}}}",
        Fenced: _fenced,
        Fraction: lambda tree: rf"\frac{{{latex(tree.top)}}}{{{latex(tree.bottom)}}}",
        Root: lambda tree: rf"\sqrt{{{latex(tree.body)}}}",
        Total: _total,
        Cases: _cases,
    }
)
