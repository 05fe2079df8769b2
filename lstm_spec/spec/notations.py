"""Notations: how each symbol is written, as data; the design's own, those of well-known texts, and those of a file.

A table gives a symbol by its name, or a family by a pattern: ``"W_*"`` is W of every gate, and the star in what is
written stands for the gate's letter. An entry such as ``"W_* with R_*"`` holds where the other name exists too. What a
table leaves out is written as the name says.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lstm_spec.spec.names import Name, parse_name
from lstm_spec.spec.symbols import Symbol, SymbolError, parse_symbol

TIMES = ("prime", "subscript", "superscript")
PRODUCTS = MappingProxyType({"∘": "∘", "⊙": "⊙", "∗": "∗", "*": "∗"})


class NotationError(ValueError):
    """A notation that does not exist, cannot be read, or writes two symbols alike."""


@dataclass(frozen=True)
class Notation:
    """How symbols and products are written.

    product: the sign of the elementwise product; matmul: that of the matrix product, "" for none; separator: between
    the parts of a concatenation; time: "prime" (c'), "subscript" or "superscript"; None for primes in text and
    subscripts elsewhere; symbols: by name or pattern, an adjoint such as dy by its own name; gates: their letters in
    subscripts.
    """

    name: str
    product: str = "∘"
    matmul: str = ""
    separator: str = ";"
    time: str | None = None
    symbols: Mapping[str, str] = field(default_factory=dict, hash=False)
    gates: Mapping[str, str] = field(default_factory=dict, hash=False)

    def symbol(self, name: str, *, among: Collection[str] = ()) -> Symbol:
        """Return how a symbol is written, without its time.

        name: its Python name; among: the other names there are, for entries that hold only ``with`` one of them.

        >>> NOTATIONS["pytorch"].symbol("W_f", among={"R_f"})
        Symbol(letter='W', subscript=('if',), accent='', superscript=(), style='italic', adjoints=(), dot=False)
        """
        parts = parse_name(name)
        written = self._value(parts, among)
        adjoints = [order for order in (parts.adjoint, *parts.inner) if order]
        # An adjoint may have a symbol of its own, as the external one has in Greff et al.: Δ is dy, so δ²Δ is d2dy.
        for position in range(len(adjoints)):
            own = "".join(f"d{order if order > 1 else ''}" for order in adjoints[position:]) + parts.stem
            if own in self.symbols:
                written, adjoints = parse_symbol(self.symbols[own]), adjoints[:position]
                break
        above = (*written.superscript, *filter(None, [parts.layer]))
        return replace(written, superscript=above, adjoints=tuple(adjoints), dot=parts.dot)

    def _value(self, parts: Name, among: Collection[str]) -> Symbol:
        for pattern, written in self._candidates(parts):
            subject, _, partner = pattern.partition(" with ")
            star = parts.subscript if "*" in subject else ""
            if subject.replace("*", star) == parts.stem and (not partner or partner.replace("*", star) in among):
                return parse_symbol(written.replace("*", self.gates.get(star, star)))
        subscript = tuple(self.gates.get(s, s) for s in re.split(r"[ _]+", parts.subscript) if s)
        return Symbol(parts.base, subscript, "tilde" if parts.tilde else "")

    def _candidates(self, parts: Name) -> list[tuple[str, str]]:
        """The entries that may speak of a name: exact ones before patterns, conditional ones before others."""
        own = [entry for entry in self.symbols.items() if entry[0].startswith(parts.base)]
        return sorted(own, key=lambda entry: ("*" in entry[0].partition(" with ")[0], " with " not in entry[0]))

    def in_type(self) -> "Notation":
        """Return the notation for formats that set type, where c' is c_{t-1} unless the notation says otherwise."""
        return replace(self, time=self.time or "subscript", symbols={"bR_*": "b_{R,*}", **self.symbols})


NOTATIONS: Mapping[str, Notation] = MappingProxyType(
    {
        "design": Notation("design"),
        "colah": Notation(
            "colah",
            product="∗",
            matmul="·",
            separator=",",
            time="subscript",
            symbols=MappingProxyType({"c": "C", "c_tilde": r"\tilde C", "u": "z", "z with u": r"\xi"}),
            gates=MappingProxyType({"c": "C", "u": "z"}),
        ),
        # Greff et al. call the block input z, so the concatenation, which they do not have, cannot be z as well.
        "greff": Notation(
            "greff",
            product="⊙",
            time="superscript",
            symbols=MappingProxyType({"h": "y", "dy": r"\Delta", "c_tilde": "z", "z": r"\xi", "a_*": r"\bar{*}"}),
            gates=MappingProxyType({"c": "z"}),
        ),
        "pytorch": Notation(
            "pytorch",
            product="⊙",
            time="subscript",
            symbols=MappingProxyType(
                {
                    "c_tilde": "g",
                    "h_tilde": "n",
                    "u": "z",
                    "z with u": r"\xi",
                    "W_* with R_*": "W_{i*}",
                    "R_*": "W_{h*}",
                    "b_* with bR_*": "b_{i*}",
                    "bR_*": "b_{h*}",
                    "W_p": "W_{hr}",
                }
            ),
            gates=MappingProxyType({"c": "g", "u": "z", "h": "n"}),
        ),
        "keras": Notation(
            "keras",
            product="∗",
            time="subscript",
            symbols=MappingProxyType(
                {
                    "W_* with R_*": "kernel_{*}",
                    "R_*": "recurrent_kernel_{*}",
                    "b_* with bR_*": "input_bias_{*}",
                    "b_*": "bias_{*}",
                    "bR_*": "recurrent_bias_{*}",
                }
            ),
        ),
    }
)
"""The built-in notations by name."""


def notation(choice: str | Path | Notation = "design") -> Notation:
    """Return a notation by its name, from a TOML file, or as it is.

    A file has the keys of ``Notation`` and ``base``, the notation it starts from: product, matmul, separator, time, and
    the tables [symbols] and [gates], such as ``c_tilde = '\\tilde g'`` or ``"a_*" = '\\hat{*}'``.
    Raises NotationError for a name that does not exist and for a file that does not say a notation.

    >>> notation("colah").product
    '∗'
    """
    if isinstance(choice, Notation):
        return choice
    if str(choice).endswith(".toml"):
        return _from_file(Path(choice))
    if choice not in NOTATIONS:
        close = get_close_matches(str(choice), NOTATIONS, 1)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        raise NotationError(f'there is no notation "{choice}", it is one of {", ".join(NOTATIONS)} or FILE.toml{hint}')
    return NOTATIONS[str(choice)]


def _from_file(path: Path) -> Notation:
    # tomllib is needed only here, and a start without it is faster.
    import tomllib

    try:
        return _from_table(path.stem, str(path), tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise NotationError(f"{path}: cannot be read as a notation, {error}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotationError(f"{path}: no TOML, {error}") from None


def _from_table(name: str, where: str, table: Mapping[str, Any]) -> Notation:
    """Make a notation of a table, whose keys are the fields of Notation and ``base``, the notation it starts from."""
    known = ("base", "product", "matmul", "separator", "time", "symbols", "gates")
    for key in table:
        if key not in known:
            raise NotationError(f"{where}: {key} is no key of a notation, expected one of {', '.join(known)}")
    base = NOTATIONS[_choice(where, table, "base", "design", {n: n for n in NOTATIONS})]
    made = Notation(
        name=name,
        product=_choice(where, table, "product", base.product, PRODUCTS),
        matmul=_choice(where, table, "matmul", base.matmul, {"": "", "·": "·"}),
        separator=_choice(where, table, "separator", base.separator, {";": ";", ",": ","}),
        time=_choice(where, table, "time", base.time, {t: t for t in TIMES}),
        symbols={**base.symbols, **_names(where, table, "symbols")},
        gates={**base.gates, **_names(where, table, "gates")},
    )
    for key, written in made.symbols.items():
        try:
            parse_symbol(written.replace("*", "f"))
        except SymbolError as error:
            raise NotationError(f"{where}: symbols.{key}: {error}") from None
    return made


def _choice(where: str, table: Mapping[str, Any], key: str, default: Any, choices: Mapping[str, str]) -> Any:
    if key not in table:
        return default
    if not isinstance(table[key], str) or table[key] not in choices:
        expected = ", ".join(f'"{c}"' for c in choices)
        raise NotationError(f"{where}: {key}: expected one of {expected}, got {table[key]!r}")
    return choices[table[key]]


def _names(where: str, table: Mapping[str, Any], key: str) -> dict[str, str]:
    names = table.get(key, {})
    if not isinstance(names, dict):
        raise NotationError(f"{where}: {key}: expected a table of names, got {names!r}")
    for name, written in names.items():
        if not isinstance(written, str) or not written:
            raise NotationError(f'{where}: {key}.{name}: expected text such as "W", got {written!r}')
    return dict(names)
