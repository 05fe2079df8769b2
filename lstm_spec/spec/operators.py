"""The few operators that a Program is made of, as SymPy matrix expressions that stay as they were written.

SymPy's own operators simplify: f + f becomes 2f, f∘c' is reordered, and a product of shapes that do not fit passes
without a word. These constructors keep every term in place; shapes are checked by ``dimensions`` before an expression
enters a Program.
"""

from typing import Any

from sympy import (
    BlockMatrix,
    HadamardProduct,
    Identity,
    Lambda,
    MatAdd,
    MatMul,
    MatrixExpr,
    MatrixSymbol,
    OneMatrix,
    Symbol,
    Transpose,
    ZeroMatrix,
    sqrt,
    sympify,
)
from sympy.core.expr import Expr
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.spec.elementwise import elementwise
from lstm_spec.spec.functions import identity, quotient


class Elementwise(MatrixExpr):
    """A function applied entry by entry to one or two matrices of one shape.

    SymPy's ``ElementwiseApplyFunction`` takes a single argument; a maximum or a quotient needs two.
    """

    def __new__(cls, function: Any, *arguments: Any) -> "Elementwise":
        """Make the node; ``function`` is a name, a SymPy Function or a Lambda."""
        return super().__new__(cls, elementwise(function, len(arguments)), *arguments)

    @property
    def function(self) -> Lambda:
        """The function, as a Lambda of one or two scalars."""
        return self.args[0]

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The matrices it is applied to."""
        return self.args[1:]

    @property
    def application(self) -> tuple[str, tuple[Any, ...]] | None:
        """The name and the constants of the one function that it applies; None where its body is a formula of several.

        The square root is "sqrt", although SymPy has it as a power.
        """
        body, slots = self.function.expr, self.function.variables
        if body == sqrt(slots[0]):
            return "sqrt", ()
        constants = body.args[len(slots) :]
        if not body.is_Function or body.args[: len(slots)] != tuple(slots) or any(c.has(*slots) for c in constants):
            return None
        return body.func.__name__, tuple(constants)

    @property
    def shape(self) -> tuple[Any, Any]:
        """The shape of every argument."""
        return self.args[1].shape

    @property
    def free_symbols(self) -> set[Any]:
        """The symbols of the arguments; those of the function are bound."""
        return set().union(*(a.free_symbols for a in self.arguments))

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> Expr:
        return self.function(*(a._entry(i, j, **kwargs) for a in self.arguments))

    def doit(self, **hints: Any) -> "Elementwise":
        """Return the function of the evaluated arguments."""
        return self.func(self.function, *(a.doit(**hints) for a in self.arguments))

    def _sympystr(self, printer: Any) -> str:
        application = self.function.expr
        constants = [str(a) for a in application.args if a not in self.function.variables]
        inner = ", ".join([*(printer._print(a) for a in self.arguments), *constants])
        return f"{application.func.__name__}({inner})"

    def _latex(self, printer: Any) -> str:
        inner = ", ".join(printer._print(a) for a in self.arguments)
        name = self.function.expr.func.__name__
        symbol = {"sigmoid": r"\sigma", "tanh": r"\tanh"}.get(name, rf"\operatorname{{{name}}}".replace("_", r"\_"))
        return rf"{symbol}\left({inner}\right)"

    _sympyrepr = _sympystr


def size(name: str) -> Symbol:
    """Return the symbol of a size: a positive integer such as n, m or q."""
    return Symbol(name, integer=True, positive=True)


def vector(name: str, rows: Any) -> MatrixSymbol:
    """Return a named column vector with ``rows`` entries."""
    return MatrixSymbol(name, sympify(rows), 1)


def matrix(name: str, rows: Any, columns: Any) -> MatrixSymbol:
    """Return a named matrix, rows×columns."""
    return MatrixSymbol(name, sympify(rows), sympify(columns))


def matmul(*factors: Any) -> MatMul:
    """Return the matrix product of the factors, in their order."""
    return MatMul(*factors, evaluate=False)


def add(*terms: Any) -> Any:
    """Return the sum of the terms, in their order; a single term is itself."""
    return terms[0] if len(terms) == 1 else MatAdd(*terms, evaluate=False)


def scale(factor: Any, term: Any) -> MatMul:
    """Return a scalar multiple."""
    return MatMul(sympify(factor), term, evaluate=False)


def subtract(first: Any, second: Any) -> Any:
    """Return first − second."""
    return add(first, scale(-1, second))


def hadamard(*factors: Any) -> Any:
    """Return the elementwise product of the factors, in their order; a single factor is itself."""
    return factors[0] if len(factors) == 1 else HadamardProduct(*factors, evaluate=False)


def row_scaled(column: Any, term: Any) -> Any:
    """Return diag(v) M: row k of M times entry k of the column v, written as (v 1ᵀ)∘M."""
    return hadamard(matmul(column, ones(1, term.shape[1])), term)


def as_row_scaled(term: Any) -> tuple[Any, Any] | None:
    """Return (v, M) if an expression is diag(v) M as ``row_scaled`` makes it, else None."""
    if not (isinstance(term, HadamardProduct) and len(term.args) == 2 and isinstance(term.args[0], MatMul)):
        return None
    column, *row = term.args[0].args
    if len(row) == 1 and isinstance(row[0], OneMatrix) and row[0].shape[0] == 1 and column.shape[1] == 1:
        return column, term.args[1]
    return None


def divide(first: Any, second: Any) -> Elementwise:
    """Return the elementwise quotient."""
    return Elementwise(quotient, first, second)


def apply(function: Any, *arguments: Any) -> Any:
    """Return ``function`` (a name, a SymPy Function or a Lambda) applied entry by entry, the identity left out."""
    applied = Elementwise(function, *arguments)
    variable = applied.function.variables[0]
    return arguments[0] if applied.function.expr in (variable, identity(variable)) else applied


def concat(*parts: Any) -> BlockMatrix:
    """Return the parts stacked on top of each other."""
    return BlockMatrix([[part] for part in parts])


def rows(term: Any, start: Any, stop: Any) -> MatrixSlice:
    """Return rows ``start`` up to, not including, ``stop``, counted from 0."""
    return MatrixSlice(term, (sympify(start), sympify(stop), 1), (0, term.shape[1], 1))


def transpose(term: Any) -> Transpose:
    """Return the transpose, unevaluated."""
    return Transpose(term)


def ones(rows: Any, columns: Any = 1) -> OneMatrix:
    """Return the matrix of ones."""
    return OneMatrix(rows, columns)


def zeros(rows: Any, columns: Any = 1) -> ZeroMatrix:
    """Return the matrix of zeros."""
    return ZeroMatrix(rows, columns)


def eye(rows: Any) -> Identity:
    """Return the identity matrix."""
    return Identity(rows)


def one_minus(term: Any) -> Any:
    """Return 1 − term, elementwise."""
    return subtract(ones(*term.shape), term)


def affine(weight: Any, argument: Any, bias: Any = None) -> Any:
    """Return W v + b, or W v without a bias."""
    product = matmul(weight, argument)
    return product if bias is None else add(product, bias)


def parts_of(block: BlockMatrix) -> list[Any]:
    """Return the stacked parts of a concatenation."""
    return list(block.blocks)
