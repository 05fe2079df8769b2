"""How pictures say a cell's name and its number of parameters."""

import re
from collections.abc import Mapping
from typing import Any

from lstm_spec.spec.names import size_text
from lstm_spec.spec.program import Program

_ACRONYM = re.compile(
    r"([a-z]*?)((?:lstmp?|gru|rnn|sru|mgu)\d*)|()(cifg|fgr|mut\d*|n[ifo]g|n[io]af|np|ln)", re.IGNORECASE
)


def display_name(name: str) -> str:
    """Return a cell's name for a title: acronyms in capitals, what stands before them in a word as it is.

    >>> display_name("lstm"), display_name("peephole"), display_name("ln_lstm"), display_name("slstm")
    ('LSTM', 'peephole', 'LN LSTM', 'sLSTM')
    """
    return " ".join(map(_display_word, re.split(r"[_\s]+", name)))


def _display_word(word: str) -> str:
    found = _ACRONYM.fullmatch(word)
    return f"{found[1] or ''}{(found[2] or found[4]).upper()}" if found else word


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
