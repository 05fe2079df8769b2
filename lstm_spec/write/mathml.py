"""MathML Core of typeset formulas, as browsers render it without a script."""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from types import MappingProxyType
from typing import Any

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

_MARKS = MappingProxyType({"tilde": "~", "bar": "¯", "hat": "^", "dot": "˙"})
_SPACES = MappingProxyType({"both": "", "after": ' lspace="0" rspace="0.28em"', "none": ' lspace="0" rspace="0"'})
_BINARY = "∘⊙∗·"
# Chrome aligns what is in a cell by its own values of text-align only, Firefox by columnalign.
_RIGHT = "text-align: right; text-align: -webkit-right; padding: 0.25em 0"
_LEFT = "text-align: left; text-align: -webkit-left; padding: 0.25em 0 0.25em 0.28em"
# MathML Core has no bold attribute on words: bold letters are characters of their own.
_BOLD = {
    **{chr(ord("A") + k): chr(0x1D400 + k) for k in range(26)},
    **{chr(ord("a") + k): chr(0x1D41A + k) for k in range(26)},
    **{chr(ord("0") + k): chr(0x1D7CE + k) for k in range(10)},
}


def mathml(tree: Tree) -> str:
    """Return a tree as MathML elements.

    >>> mathml(Script(Letter("c"), Letter("t")))
    '<msub><mi>c</mi><mi>t</mi></msub>'
    """
    return _RULES[type(tree)](tree)


def element(name: str, *children: str, **attributes: str) -> str:
    """Return one element of its children."""
    written = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{name}{written}>{''.join(children)}</{name}>"


def table(rows: Iterable[tuple[Tree, Tree]]) -> str:
    """Return equations aligned at their equals signs, as one displayed formula."""
    lines = [
        element(
            "mtr",
            element("mtd", mathml(left), style=_RIGHT),
            element("mtd", "<mo>=</mo>", mathml(right), style=_LEFT),
        )
        for left, right in rows
    ]
    body = element("mtable", "\n", "\n".join(lines), "\n", displaystyle="true", columnalign="right left")
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">\n{body}\n</math>\n'


def inline(tree: Tree) -> str:
    """Return a formula within a line of words."""
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML">{mathml(tree)}</math>'


def _letter(tree: Letter) -> str:
    if tree.style == "bold":
        return element("mi", "".join(_BOLD.get(ch, ch) for ch in tree.text), mathvariant="normal")
    # A single letter is italic and a word upright by themselves.
    return element("mi", escape(tree.text), **({"mathvariant": "normal"} if tree.style == "upright" else {}))


def _sign(tree: Sign) -> str:
    spaces = "" if tree.text in _BINARY else _SPACES[tree.spacing]
    return f"<mo{spaces}>{escape(tree.text)}</mo>"


def _row(tree: Row) -> str:
    return element("mrow", *(mathml(item) for item in tree.items))


def _script(tree: Script) -> str:
    base = mathml(tree.base)
    if tree.sub is None:
        return element("msup", base, mathml(tree.sup))
    if tree.sup is None:
        return element("msub", base, mathml(tree.sub))
    return element("msubsup", base, mathml(tree.sub), mathml(tree.sup))


def _fenced(tree: Fenced) -> str:
    if tree.linear:
        return mathml(tree.body)
    size = "" if is_tall(tree.body) else ' stretchy="false"'
    opening = f'<mo form="prefix"{size}>{escape(tree.opening)}</mo>'
    closing = f'<mo form="postfix"{size}>{escape(tree.closing)}</mo>'
    return element("mrow", opening, mathml(tree.body), closing)


def _total(tree: Total) -> str:
    sigma = "<mo>∑</mo>"
    if tree.first is None:
        return element("munder", sigma, mathml(tree.index))
    below = element("mrow", mathml(tree.index), "<mo>=</mo>", mathml(tree.first))
    return (
        element("munder", sigma, below) if tree.last is None else element("munderover", sigma, below, mathml(tree.last))
    )


def _cases(tree: Cases) -> str:
    lines = [
        element(
            "mtr",
            element("mtd", mathml(value), style=_LEFT),
            element("mtd", "<mtext>otherwise</mtext>" if test is None else f"<mtext>if&#xa0;</mtext>{mathml(test)}",
                    style=_LEFT),
        )
        for value, test in tree.branches
    ]  # fmt: skip
    return element("mrow", '<mo form="prefix">{</mo>', element("mtable", *lines))


_RULES: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        Letter: _letter,
        Number: lambda tree: element("mn", tree.text),
        Sign: _sign,
        Times: lambda tree: '<mo lspace="0.12em" rspace="0">&#x2062;</mo>',
        Row: _row,
        Script: _script,
        Accent: lambda tree: element("mover", mathml(tree.base), f"<mo>{_MARKS[tree.mark]}</mo>", accent="true"),
        Fenced: _fenced,
        Fraction: lambda tree: element("mfrac", mathml(tree.top), mathml(tree.bottom)),
        Root: lambda tree: element("msqrt", mathml(tree.body)),
        Total: _total,
        Cases: _cases,
    }
)
