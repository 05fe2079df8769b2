"""A Program at index level: every value as a scalar function of its indices that SymPy can differentiate.

The entry c[k] of a computed value is a SymPy Function whose derivative is that of its definition, written out with
indexed sums. So the chain rule is SymPy's own, and no rule for a matrix operator takes part.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sympy import Expr, Function, Indexed, IndexedBase, Integer, MatrixSymbol, Sum, Symbol
from sympy.matrices.expressions.matexpr import MatrixElement

from lstm_spec.calculus.adjoint import Arrival, dependents
from lstm_spec.calculus.collapse import normal
from lstm_spec.calculus.indices import Ranges
from lstm_spec.spec.elements import element
from lstm_spec.spec.operators import Elementwise
from lstm_spec.spec.program import Equation, Program

ROW, COLUMN = (Symbol(name, integer=True, nonnegative=True) for name in ("row", "column"))
"""The indices of an entry in general."""

_K, _L = (Symbol(name, integer=True, nonnegative=True) for name in ("k_1", "k_2"))

Entry = Callable[[MatrixSymbol, Any, Any], Expr]


def written(expression: Any, entry: Entry, i: Any = ROW, j: Any = COLUMN) -> Expr:
    """Return entry [i, j] of a matrix expression, with ``entry`` for the entries of the values that it names."""
    e = element(expression, i, j)
    return e.xreplace({a: entry(a.parent, a.i, a.j) for a in e.atoms(MatrixElement)})


def given(symbol: MatrixSymbol, i: Any, j: Any) -> Expr:
    """Return entry [i, j] of a value that is independent of all others."""
    # A MatrixElement would check its indices against the shape every time it is touched.
    return IndexedBase(symbol.name)[i, j]


def at(template: Expr, i: Any, j: Any) -> Expr:
    """Return an expression in ROW and COLUMN at given indices."""
    return template.xreplace({ROW: i, COLUMN: j})


def unfolded(program: Program) -> Entry:
    """Return entries in which f[k] = σ(a_f[k]) is written out, for every value that is a function of others.

    So a derivative that is written in the function's output and one that is written in its input come to one form.
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

    def entry(self, symbol: MatrixSymbol, i: Any, j: Any) -> Expr:
        """Return entry [i, j] of a value."""
        return at(self.template(symbol.name), i, j) if symbol.name in self.definitions else self.base(symbol, i, j)


class Definition:
    """The definition of a step at index level, with one value held as independent of its equation.

    program: the step; held: the name of the value with respect to which the loss is differentiated; ranges: the sizes
    of the indices of that derivative.
    """

    def __init__(self, program: Program, held: str, ranges: Ranges) -> None:
        self.program = program
        self.ranges = ranges
        self.definitions: Mapping[str, Equation] = {
            d.name: d for d in program.definitions if d.name in dependents(program, held)
        }
        self.mentioned = frozenset(Symbol(name) for name in program.symbols)
        self.kinds: dict[str, Any] = {}
        self.derivatives: dict[str, Expr] = {}

    def derivative_of_loss(self, incoming: list[Arrival], leaf: Expr) -> Expr:
        """Return SymPy's derivative of Σ <arriving adjoint, value>, in normal form, with the entries unfolded."""
        total = sum((self._inner_product(a) for a in incoming), start=Integer(0))
        found = total.diff(leaf)
        symbols, entry = self.program.symbols, unfolded(self.program)
        kinds = tuple(self.kinds.values())
        names = {a: entry(symbols[a.func.__name__], *a.args) for a in found.atoms(*kinds)} if kinds else {}
        names |= {a: entry(symbols[a.base.name], *a.indices) for a in found.atoms(Indexed) if a.base.name in symbols}
        return normal(found.xreplace(names), self.ranges)

    def _inner_product(self, arrival: Arrival) -> Expr:
        value = self.program.symbols[arrival.value]
        rows, columns = value.shape
        if columns == 1:
            return Sum(given(arrival.symbol, _K, 0) * self.entry(value, _K, 0), (_K, 0, rows - 1))
        return Sum(given(arrival.symbol, _K, _L) * self.entry(value, _K, _L), (_L, 0, columns - 1), (_K, 0, rows - 1))

    def entry(self, symbol: MatrixSymbol, i: Any, j: Any) -> Expr:
        """Return entry [i, j] of a value: a Function of the indices where it depends on the one that is held."""
        return self._kind(symbol.name)(i, j) if symbol.name in self.definitions else given(symbol, i, j)

    def _kind(self, name: str) -> Any:
        """Return the Function that stands for the entries of a computed value."""
        if name not in self.kinds:
            definition = self

            def _eval_derivative(entry: Any, leaf: Expr) -> Expr:
                return at(definition._derivative(name, leaf), *entry.args)

            def free_symbols(entry: Any) -> set[Any]:
                # SymPy takes for constant what does not mention the variable.
                return set().union(definition.mentioned, *(a.free_symbols for a in entry.args))

            body = {"nargs": 2, "_eval_derivative": _eval_derivative, "free_symbols": property(free_symbols)}
            self.kinds[name] = type(name, (Function,), body)
        return self.kinds[name]

    def _derivative(self, name: str, leaf: Expr) -> Expr:
        """Return the derivative of the entry [ROW, COLUMN] of a value, in normal form."""
        if name not in self.derivatives:
            d = self.definitions[name]
            ranges = {**dict(zip((ROW, COLUMN), d.symbol.shape, strict=True)), **self.ranges}
            self.derivatives[name] = normal(written(d.expression, self.entry).diff(leaf), ranges)
        return self.derivatives[name]
