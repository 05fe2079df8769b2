"""The body of an elementwise function as source: scalar arithmetic and calls, in the words of an array library."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sympy import Add, Expr, Function, Integer, Mul, Number, NumberSymbol, Pow, Rational, Symbol

from lstm_spec.spec.functions import quotient
from lstm_spec.spec.scalars import decimal_text
from lstm_spec.write.dialects import Dialect

SUM, NEGATIVE, PRODUCT, ATOM = 1, 2, 3, 4
"""How strongly a piece of code holds together, weakest first."""

Piece = tuple[str, int]
Arguments = Mapping[Any, Piece]


class SourceError(ValueError):
    """An expression that has no form in source code; the message shows it."""


def atom(piece: Piece) -> str:
    """Return a piece of code in parentheses, unless it needs none."""
    code, strength = piece
    return code if strength >= ATOM else f"({code})"


def scalar(s: Any) -> str:
    """Return a scalar factor, in parentheses where it is more than a name or a whole number."""
    if isinstance(s, Rational):
        written = decimal_text(s) or str(s)
        return written if s.is_integer and s >= 0 else f"({written})"
    if isinstance(s, Expr) and s.is_number and not s.is_Rational:
        # A root or π as the library has it would be of a format of its own.
        return repr(float(s)) if s >= 0 else f"({float(s)!r})"
    return str(s) if isinstance(s, Expr) and s.is_Symbol else f"({s})"


def body(e: Any, arguments: Arguments, dialect: Dialect) -> Piece:
    """Return the code of a scalar expression.

    arguments: the code that stands for each bound variable; every other symbol is a named constant.
    Raises SourceError for a function that the library lacks.
    """
    if e in arguments:
        return arguments[e]
    if isinstance(e, Pow | NumberSymbol) and e.is_number and not e.is_Rational:
        return _constant(e, arguments, dialect)
    for kind, rule in _RULES.items():
        if isinstance(e, kind):
            return rule(e, arguments, dialect)
    raise SourceError(f"{e} ({type(e).__name__}) has no form in {dialect.name} source")


def _constant(e: Any, arguments: Arguments, dialect: Dialect) -> Piece:
    return (f"-{scalar(-e)}", NEGATIVE) if e.is_Number and e < 0 else (scalar(e), ATOM)


def _sum(e: Add, arguments: Arguments, dialect: Dialect) -> Piece:
    first, *others = (body(term, arguments, dialect) for term in e.as_ordered_terms())
    return first[0] + "".join(f" - {t[1:]}" if t.startswith("-") else f" + {t}" for t, _ in others), SUM


def _product(e: Mul, arguments: Arguments, dialect: Dialect) -> Piece:
    coefficient, factors = e.as_coeff_mul()
    above = [f for f in factors if not _is_reciprocal(f)]
    below = [1 / f for f in factors if _is_reciprocal(f)]
    if abs(coefficient) != 1 or not above:
        above = [abs(coefficient), *above]
    code = " * ".join(atom(body(f, arguments, dialect)) for f in above)
    for f in below:
        code += f" / {atom(body(f, arguments, dialect))}"
    return (f"-{code}", NEGATIVE) if coefficient < 0 else (code, PRODUCT if len(above) + len(below) > 1 else ATOM)


def _is_reciprocal(e: Any) -> bool:
    return isinstance(e, Pow) and e.exp.is_Number and e.exp < 0


def _power(e: Pow, arguments: Arguments, dialect: Dialect) -> Piece:
    if _is_reciprocal(e):
        return f"1 / {atom(body(1 / e, arguments, dialect))}", PRODUCT
    base = body(e.base, arguments, dialect)
    if e.exp == Rational(1, 2):
        return dialect.functions["sqrt"].format(base[0]), ATOM
    if isinstance(e.exp, Integer) or e.exp.is_Number:
        return f"{atom(base)} ** {scalar(e.exp)}", PRODUCT
    raise SourceError(f"{e} has no form in {dialect.name} source: its exponent is no number")


def _call(e: Function, arguments: Arguments, dialect: Dialect) -> Piece:
    pieces = [body(a, arguments, dialect) for a in e.args]
    if isinstance(e, quotient):
        (first, strength), second = pieces
        return f"{first if strength >= PRODUCT else f'({first})'} / {atom(second)}", PRODUCT
    name = e.func.__name__
    template = dialect.functions.get(name)
    if template is None:
        raise SourceError(f"the function {name} has no form in {dialect.name} source")
    code = template.format(*(code for code, _ in pieces), atom=atom(pieces[0]))
    return code, pieces[0][1] if template == "{0}" else PRODUCT if template.startswith("{atom}") else ATOM


_RULES: Mapping[type, Callable[..., Piece]] = MappingProxyType(
    {Number: _constant, Symbol: _constant, Add: _sum, Mul: _product, Pow: _power, Function: _call}
)
