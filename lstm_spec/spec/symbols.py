"""How one symbol is written: its letter, scripts and accent, read from text or a little LaTeX."""

import re
import unicodedata
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from lstm_spec.spec.typeset import Accent, Letter, Number, Script, Sign, Tree, joined, row

Style: TypeAlias = Literal["italic", "upright", "bold"]

_GREEK = """
alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ nu ν xi ξ pi π rho ρ
sigma σ tau τ phi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Phi Φ Psi Ψ Omega Ω
"""
GREEK = MappingProxyType(dict(re.findall(r"(\w+) (\w)", _GREEK)))
"""The Greek letters by their names."""

_LETTERS = {**GREEK, "eps": "ε"}
_ACCENTS = {
    "tilde": "tilde",
    "widetilde": "tilde",
    "bar": "bar",
    "overline": "bar",
    "hat": "hat",
    "widehat": "hat",
    "dot": "dot",
}
_COMBINING = {"\u0303": "tilde", "\u0304": "bar", "\u0302": "hat", "\u0307": "dot"}
_STYLES: dict[str, Style] = {
    "mathbf": "bold",
    "boldsymbol": "bold",
    "bm": "bold",
    "mathrm": "upright",
    "mathit": "italic",
    "text": "upright",
    "operatorname": "upright",
}


class SymbolError(ValueError):
    """A text that does not say how a symbol is written."""


@dataclass(frozen=True)
class Symbol:
    """How one symbol is written.

    letter: one letter, or a word; subscript, superscript: what stands there, in order; adjoints: the orders of the δ in
    front, (2, 1) for δ²δ; dot: a tangent; accent: "", "tilde", "bar", "hat" or "dot"; style: as in ``Letter``.
    """

    letter: str
    subscript: tuple[str, ...] = ()
    accent: str = ""
    superscript: tuple[str, ...] = ()
    style: Style = "italic"
    adjoints: tuple[int, ...] = ()
    dot: bool = False

    def tree(self, *, sub: tuple[Tree, ...] = (), sup: tuple[Tree, ...] = ()) -> Tree:
        """Return the symbol as it is set, with further subscripts and superscripts after its own."""
        letter: Any = Letter(_LETTERS.get(self.letter, self.letter), self.style)
        base = Accent(letter, self.accent) if self.accent else letter  # type: ignore[arg-type]
        base = Accent(base, "dot") if self.dot else base
        below = [*map(_part, self.subscript), *sub]
        above = [*map(_part, self.superscript), *sup]
        if below or above:
            comma = Sign(",")
            marks_only = all(isinstance(part, Sign) for part in above)
            raised = None if not above else row(*above) if marks_only else joined(above, comma)
            base = Script(base, joined(below, comma) if below else None, raised)
        return row(*map(_delta, self.adjoints), base)


def _part(text: str) -> Tree:
    return Number(text) if text.isdigit() else Letter(_LETTERS.get(text, text))


def _delta(order: int) -> Tree:
    delta = Letter("δ")
    return delta if order == 1 else Script(delta, None, Number(str(order)))


_TOKEN = re.compile(r"\\[A-Za-z]+|[A-Za-zͰ-Ͽ]+|\d+|[_^{},*]|\s+|.", re.DOTALL)
_EXPECTED = r"expected a symbol such as W, W_{if}, \tilde c, \mathbf{x} or \sigma^2"


def parse_symbol(text: str) -> Symbol:
    r"""Read how a symbol is written: a letter or word, an accent, a style, a subscript, a superscript.

    Raises SymbolError for anything else.

    >>> parse_symbol(r"\tilde{C}").accent, parse_symbol("W_{if}").subscript, parse_symbol(r"\sigma_x").letter
    ('tilde', ('if',), 'σ')
    """
    decomposed = unicodedata.normalize("NFD", text)
    # In recurrent_kernel_{f} only the last underscore means a subscript.
    word = re.fullmatch(r"([A-Za-z]{2,}(?:_[A-Za-z]{2,})+|[A-Za-z]{2,})(?:_(?:(\w)|\{(\w+)\}))?", decomposed)
    if word:
        return Symbol(word[1], (word[2] or word[3],) if word[2] or word[3] else (), style="upright")
    tokens = [t for t in _TOKEN.findall(decomposed) if not t.isspace()]
    found = _Reader(text, tokens)
    symbol = found.base()
    while tokens:
        mark = tokens.pop(0)
        if mark == "_" and not symbol.subscript:
            symbol = replace(symbol, subscript=found.script())
        elif mark == "^" and not symbol.superscript:
            symbol = replace(symbol, superscript=found.script())
        elif mark in _COMBINING and not symbol.accent:
            symbol = replace(symbol, accent=_COMBINING[mark])
        else:
            raise found.error()
    return symbol


@dataclass(frozen=True)
class _Reader:
    """Takes tokens off the front of a list."""

    text: str
    tokens: list[str]

    def error(self) -> SymbolError:
        return SymbolError(f"{_EXPECTED}, got {self.text!r}")

    def take(self) -> str:
        if not self.tokens:
            raise self.error()
        return self.tokens.pop(0)

    def base(self) -> Symbol:
        token = self.take()
        if token == "{":
            inner = self.base()
            self.close()
            return inner
        command = token[1:] if token.startswith("\\") else ""
        if command in _ACCENTS:
            return replace(self.base(), accent=_ACCENTS[command])
        if command in _STYLES:
            return replace(self.base(), style=_STYLES[command])
        if command in GREEK:
            return Symbol(GREEK[command])
        if command or not token.isalpha():
            raise self.error()
        return Symbol(token, style="italic" if len(token) == 1 else "upright")

    def close(self) -> None:
        if self.take() != "}":
            raise self.error()

    def script(self) -> tuple[str, ...]:
        token = self.take()
        if token != "{":
            return (self.word(token),)
        parts = [self.words()]
        while self.tokens and self.tokens[0] == ",":
            self.tokens.pop(0)
            parts.append(self.words())
        self.close()
        return tuple(parts)

    def words(self) -> str:
        """Take a part of a script, which may be letters and digits: f1."""
        found = self.word(self.take())
        while self.tokens and self.tokens[0].isalnum():
            found += self.word(self.take())
        return found

    def word(self, token: str) -> str:
        if token.startswith("\\") and token[1:] in GREEK:
            return GREEK[token[1:]]
        if not token.isalnum():
            raise self.error()
        return token
