"""An equation: a name and the expression that defines it, and which names an expression reads."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sympy import Eq, MatrixExpr, MatrixSymbol

from lstm_spec.spec.notation import text


class ProgramError(ValueError):
    """Equations that do not make a Program; the message names the equation and what is wrong with it."""


@dataclass(frozen=True)
class Equation:
    """One named value and the expression that defines it.

    symbol: the name, with its shape; expression: over names defined before it; shared: whether the value belongs to the
    whole batch and sequence, so that a per-row expression is summed over rows and steps.
    """

    symbol: MatrixSymbol
    expression: MatrixExpr
    shared: bool = False

    @property
    def name(self) -> str:
        """The name it defines."""
        return self.symbol.name

    @property
    def uses(self) -> frozenset[str]:
        """The names its expression reads."""
        return names_in(self.expression)

    @property
    def eq(self) -> Eq:
        """The equation as SymPy's ``Eq``, unevaluated."""
        return Eq(self.symbol, self.expression, evaluate=False)

    def __str__(self) -> str:
        return f"{text(self.symbol)} = {text(self.expression)}"


@lru_cache(maxsize=8192)
def matrices_in(expression: Any) -> frozenset[MatrixSymbol]:
    """Return the matrices that an expression reads."""
    return frozenset(expression.atoms(MatrixSymbol))


@lru_cache(maxsize=8192)
def names_in(expression: Any) -> frozenset[str]:
    """Return the names of the matrices that an expression reads."""
    return frozenset(s.name for s in matrices_in(expression))
