"""The layouts that are known by name, and those that come in a TOML file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from importlib.resources import files
from os import PathLike
from pathlib import Path
from types import MappingProxyType

from lstm_spec.targets.layout import Layout
from lstm_spec.targets.packing import LayoutError

ALSO: Mapping[str, str] = MappingProxyType({"torch": "pytorch"})
"""Other names of layouts."""

KEYS = tuple(f.name for f in fields(Layout) if f.compare)


def layout(which: str | PathLike[str] | Layout) -> Layout:
    """The layout of that name, or in that TOML file; a `Layout` is returned as it is.

    Args:
        which: a name in `LAYOUTS`, the path of a file that ends in .toml, or a layout.

    Raises:
        LayoutError: there is no such layout, or its file does not hold one.

    >>> layout("pytorch").gates
    'ifco'
    """
    if isinstance(which, Layout):
        return which
    if str(which).endswith(".toml"):
        return load(which)
    name = ALSO.get(str(which), str(which))
    if name in LAYOUTS:
        return LAYOUTS[name]
    raise LayoutError(
        f'unknown layout "{which}": {_did_you_mean(str(which), LAYOUTS)}'
        f"expected one of {', '.join(LAYOUTS)}, or the path of a .toml file"
    )


def family(which: str | PathLike[str] | Layout) -> tuple[Layout, ...]:
    """Return the layout of a name with those of the same library for other cells, which have a word more.

    >>> [one.name for one in family("keras")]
    ['keras', 'keras_gru', 'keras_rnn']
    """
    first = layout(which)
    if isinstance(which, Layout) or first.name not in LAYOUTS:
        return (first,)
    return (first, *(one for name, one in LAYOUTS.items() if name.startswith(f"{first.name}_")))


def load(path: str | PathLike[str]) -> Layout:
    """Read a layout from a TOML file with the keys of `Layout`.

    Raises:
        LayoutError: the file cannot be read, is no TOML, or holds no valid layout; the message names the
            file, the key, what was expected and what was found.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise LayoutError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise LayoutError(f"{path}: is not TOML: {error}") from None
    return from_table(table, str(path))


def from_table(table: Mapping[str, object], origin: str) -> Layout:
    """Return the layout of a table with the keys of `Layout`; origin: where it comes from, for the LayoutError."""
    for key, value in table.items():
        if key not in KEYS:
            suggestion = _did_you_mean(key, KEYS)
            raise LayoutError(f"{origin}: {key}: {suggestion}expected one of {', '.join(KEYS)}, got {key} = {value!r}")
    try:
        return replace(Layout(), **table, name=origin)  # type: ignore[arg-type]
    except LayoutError as error:
        raise LayoutError(f"{origin}: {error}") from None


def _did_you_mean(word: str, words: Mapping[str, object] | tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {close[0]}? " if close else ""


def _known() -> Mapping[str, Layout]:
    tables = tomllib.loads(files(__package__).joinpath("layouts.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: from_table(table, name) for name, table in tables.items()})


LAYOUTS = _known()
"""The known layouts by name; `layouts.toml` says where each one's data come from."""
