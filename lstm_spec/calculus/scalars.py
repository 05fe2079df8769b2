"""A Program at index level: every equation as one between scalars with indices and sums.

No rule for a matrix operator takes part. Every sum gets an index of its own, so that none is ever captured.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sympy import Dummy, Expr, Indexed, IndexedBase, MatMul, MatrixSymbol, Symbol
from sympy.matrices.expressions.matexpr import MatrixElement

from lstm_spec.calculus.collapse import normal
from lstm_spec.spec.elements import element
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.operators import Elementwise
from lstm_spec.spec.program import Program

ROW, COLUMN = (Symbol(name, integer=True, nonnegative=True) for name in ("row", "column"))
"""The indices of an entry in general."""

Entry = Callable[[MatrixSymbol, Any, Any], Expr]


def written(expression: Any, entry: Entry, i: Any = ROW, j: Any = COLUMN) -> Expr:
    """Return entry [i, j] of a matrix expression, with ``entry`` for the entries of the values that it names.

    Every sum has an index of its own: what ``entry`` returns may sum, and it may be put where another sum is running.
    """
    products = expression.atoms(MatMul) if expression.args else ()
    e = element(expression, i, j, bound=fresh(sum(len(product.args) for product in products)))
    return e.xreplace({a: entry(a.parent, a.i, a.j) for a in e.atoms(MatrixElement)})


def fresh(count: int) -> tuple[Symbol, ...]:
    """Return indices for sums that no other expression has."""
    return tuple(Dummy("j", integer=True, nonnegative=True) for _ in range(count))


def given(symbol: MatrixSymbol, i: Any, j: Any) -> Expr:
    """Return entry [i, j] of a value that is independent of all others."""
    # A MatrixElement would check its indices against the shape every time it is touched.
    return IndexedBase(symbol.name)[i, j]


def at(template: Expr, i: Any, j: Any) -> Expr:
    """Return an expression in ROW and COLUMN at given indices."""
    return template.xreplace({ROW: i, COLUMN: j})


def unfolded(program: Program) -> Entry:
    """Return entries in which f[k] = σ(a_f[k]) is written out, for every value that is a function of others.

    So a derivative that is written in a function's output and one that is written in its input come to one form.
    """
    functions = {d.name: d.expression for d in program.definitions if isinstance(d.expression, Elementwise)}

    def entry(symbol: MatrixSymbol, i: Any, j: Any) -> Expr:
        if symbol.name in functions:
            return written(functions[symbol.name], entry, i, j)
        return given(symbol, i, j)

    return entry


class Inlined:
    """Values at index level, each written out through its equation, in normal form.

    definitions: the equations to write out; base: the entries of every other value.
    """

    def __init__(self, definitions: Iterable[Equation], base: Entry) -> None:
        self.definitions = {d.name: d for d in definitions}
        self.base = base
        self.templates: dict[str, Expr] = {}

    def template(self, name: str) -> Expr:
        """Return entry [ROW, COLUMN] of a value."""
        if name not in self.templates:
            d = self.definitions[name]
            ranges = dict(zip((ROW, COLUMN), d.symbol.shape, strict=True))
            self.templates[name] = normal(written(d.expression, self.entry), ranges)
        return self.templates[name]

    def inlined(self, e: Expr, symbols: Mapping[str, MatrixSymbol]) -> Expr:
        """Return an expression in entries that are given with these written out; symbols: the values by name."""
        named = [a for a in e.atoms(Indexed) if a.base.name in symbols]
        return e.xreplace({a: self.entry(symbols[a.base.name], *a.indices) for a in named})

    def entry(self, symbol: MatrixSymbol, i: Any, j: Any) -> Expr:
        """Return entry [i, j] of a value."""
        return at(self.template(symbol.name), i, j) if symbol.name in self.definitions else self.base(symbol, i, j)
