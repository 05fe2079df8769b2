"""What the name of a symbol is made of, and how sizes and shapes are written.

A Python name says what it is made of: ``h_prev`` is h one step earlier, ``c_tilde`` is c̃, ``dW_f`` is the adjoint of
W_f, ``d2h`` that of second order, ``d2dh`` the second-order adjoint of δh, ``h_dot`` the tangent of h. In a network,
``l1r.W_f`` belongs to layer 1 in reverse direction.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sympy import Expr

from lstm_spec.spec.symbols import GREEK

SIZES = ("n", "m", "q")
"""The order in which sizes are written in a sum, as in n+m."""

_NAME = re.compile(
    # Only single letters, such as bR and gR too, and Greek ones have an adjoint: delta is no adjoint of elta.
    rf"(?P<adjoint>(?:d\d?)+(?=(?:[A-Za-z]R?|{'|'.join(GREEK)})(?:_|\d|$)))?(?:(?P<layer>l\d+r?)\.)?(?P<base>[A-Za-z]+?)(?P<index>\d+)?(?P<tilde>_tilde)?"
    r"(?:_(?P<subscript>(?!prev$|next$|dot$|dot_(?:prev|next)$)\w+?))?(?P<dot>_dot)?(?P<time>_prev|_next)?"
)


@dataclass(frozen=True)
class Name:
    """The parts of a symbol's name.

    adjoint: 0 for a value, 1 for ∂loss/∂value, 2 for second order; base and subscript: the letters; tilde: a candidate;
    time: −1, 0 or 1 for the step before, this step, the step after; inner: the orders of the adjoint of which it is the
    adjoint, as (1,) for d2dh; dot: a tangent; stem: the name of the value, without adjoint, layer, dot and time; layer:
    of a network, with its direction.
    """

    adjoint: int
    base: str
    subscript: str
    tilde: bool
    time: int
    inner: tuple[int, ...] = ()
    dot: bool = False
    stem: str = field(default="", repr=False)
    layer: str = field(default="", repr=False)


@lru_cache(maxsize=1024)
def parse_name(name: str) -> Name:
    """Take a Python name apart.

    >>> parse_name("dc_tilde")
    Name(adjoint=1, base='c', subscript='', tilde=True, time=0, inner=(), dot=False)
    >>> parse_name("dnu_prev").base, parse_name("delta").base
    ('nu', 'delta')
    >>> parse_name("W_f").subscript, parse_name("h_prev").time, parse_name("d2dh_next").stem
    ('f', -1, 'h')
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return Name(0, name, "", False, 0, stem=name)
    prefix, tail = match["adjoint"] or "", (match["dot"] or "") + (match["time"] or "")
    order, *inner = [int(digit or 1) for digit in re.findall(r"d(\d?)", prefix)] or [0]
    time = {"_prev": -1, None: 0, "_next": 1}[match["time"]]
    subscript = " ".join(part for part in (match["index"], match["subscript"]) if part)
    tilde, dot = match["tilde"] is not None, match["dot"] is not None
    stem = name[len(prefix) : len(name) - len(tail)].rpartition(".")[2]
    return Name(order, match["base"], subscript, tilde, time, tuple(inner), dot, stem, match["layer"] or "")


def size_text(size: Any) -> str:
    """Return a size, or a number of entries, as text: n before m before q, common factors in front.

    >>> from lstm_spec.spec.operators import size
    >>> n, m = size("n"), size("m")
    >>> size_text(m + n), size_text(4 * m), size_text(m * m + n * m), size_text(n * m)
    ('n+m', '4m', 'm(n+m)', 'n·m')
    """
    if not isinstance(size, Expr) or size.is_number:
        return str(size)
    factored = size.factor()
    if factored.is_Mul and any(factor.is_Add for factor in factored.args):
        return "".join(f"({size_text(f)})" if f.is_Add else size_text(f) for f in factored.as_ordered_factors())
    terms = size.expand().as_coefficients_dict()
    order = {name: position for position, name in enumerate(SIZES)}
    written = sorted(terms, key=lambda t: (t.is_number, order.get(str(t), len(order)), str(t)))
    pieces = [_size_term(term, terms[term]) for term in written]
    return "+".join(pieces).replace("+-", "−")


def _size_term(term: Any, coefficient: Any) -> str:
    if term.is_number:
        return str(coefficient * term)
    text = "·".join(_factor_text(factor) for factor in sorted(term.as_ordered_factors(), key=_order))
    return text if coefficient == 1 else f"-{text}" if coefficient == -1 else f"{coefficient}{text}"


def _factor_text(factor: Any) -> str:
    """Return one factor of a product of sizes as text, a square with its exponent."""
    base, exponent = factor.as_base_exp()
    return str(base) if exponent == 1 else f"{base}{str(exponent).translate(_SUPERSCRIPTS)}"


def _order(factor: Any) -> tuple[int, str]:
    name = str(factor.as_base_exp()[0])
    return (SIZES.index(name) if name in SIZES else len(SIZES)), name


_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def shape_text(shape: tuple[Any, Any]) -> str:
    """Return a shape as text: a column vector by its number of entries, a matrix as rows×columns.

    >>> from lstm_spec.spec.operators import size
    >>> shape_text((size("m"), size("n") + size("m"))), shape_text((70, 1))
    ('m×(n+m)', '70')
    """
    rows, columns = (size_text(s) for s in shape)
    return rows if columns == "1" else axes_text(shape)


def axes_text(shape: Iterable[Any]) -> str:
    """Return the axes of an array as text, a sum in brackets between others; one axis alone needs none.

    >>> axes_text((70, 102)), axes_text((70,))
    ('70×102', '70')
    """
    axes = [size_text(side) for side in shape]
    return axes[0] if len(axes) == 1 else "×".join(f"({s})" if "+" in s or "−" in s[1:] else s for s in axes)
