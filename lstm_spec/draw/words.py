"""How pictures say a cell's name and its number of parameters."""

import re
from collections.abc import Mapping
from typing import Any

from lstm_spec.spec.names import size_text
from lstm_spec.spec.program import Program

_ACRONYM = re.compile(r"[a-z]*(lstm|gru|rnn|sru|mgu|cifg|fgr|mut|n[ifo]g|n[io]af|np|ln)p?\d*", re.IGNORECASE)


def display_name(name: str) -> str:
    """Return a cell's name for a title: acronyms in capitals.

    >>> display_name("lstm"), display_name("peephole"), display_name("ln_lstm")
    ('LSTM', 'peephole', 'LN LSTM')
    """
    words = re.split(r"[_\s]+", name)
    return " ".join(w.upper() if _ACRONYM.fullmatch(w) else w for w in words)


def count_text(program: Program, sizes: Mapping[Any, int]) -> str:
    """Return the number of parameters, with thousands apart, or as a formula in the sizes that are not given."""
    return number_text(program.parameter_count(**{s.name: v for s, v in sizes.items()}))


def number_text(count: Any) -> str:
    """Return a number of parameters as text.

    >>> number_text(28840)
    '28,840'
    """
    return f"{count:,}" if isinstance(count, int) else size_text(count)


def counted(count: Any, noun: str) -> str:
    """Return a number of things as text.

    >>> counted(1, "unit"), counted(70, "entry"), counted("m", "unit")
    ('1 unit', '70 entries', 'm units')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{size_text(count)} {noun if count == 1 else plural}"
