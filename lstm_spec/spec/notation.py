"""Symbols and expressions in the short text form that messages use: the design's notation in one line."""

from typing import Any

from lstm_spec.spec.formula import Setting
from lstm_spec.spec.names import SIZES, Name, parse_name, shape_text, size_text
from lstm_spec.spec.scalars import WriteError
from lstm_spec.spec.typeset import plain

__all__ = ["SIZES", "Name", "parse_name", "shape_text", "size_text", "symbol_text", "text"]

_SETTING = Setting()


def symbol_text(name: str) -> str:
    """Return a symbol as one writes it in a line of text.

    >>> [symbol_text(name) for name in ("W_f", "c_tilde", "h_prev", "da_f", "d2h", "d2dh_next", "h_dot_prev")]
    ['W_f', 'c̃', "h'", 'δa_f', 'δ²h', 'δ²δh⁺', "ḣ'"]
    """
    return plain(_SETTING.symbol(name))


def text(expression: Any) -> str:
    """Return a matrix expression in one line of Unicode text; what has no rule is shown as SymPy shows it.

    >>> from lstm_spec.spec.operators import affine, matrix, size, vector
    >>> n, m = size("n"), size("m")
    >>> text(affine(matrix("W_f", m, n + m), vector("z", n + m), vector("b_f", m)))
    'W_f z + b_f'
    """
    try:
        return plain(_SETTING.write(expression).tree)
    except WriteError:
        return str(expression)
