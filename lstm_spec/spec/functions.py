"""Elementwise functions as SymPy Functions that know their derivative in terms of their own output.

A function that SymPy has (``tanh``, ``exp``, ``log``) is used as it is. One that it lacks is defined here by three
things: ``definition`` (the same value in functions that SymPy has, for exact evaluation and for proofs), ``fdiff`` (the
derivative, written with ``self`` wherever a form in the function's own output exists), and its arguments. Arguments
after the elementwise ones are constants: ``hard_sigmoid(x, 1/6, 1/2)``.
"""

from typing import Any

from sympy import (
    Abs,
    Expr,
    Function,
    Heaviside,
    Integer,
    Max,
    Min,
    Symbol,
    exp,
    log,
)
from sympy.core.function import ArgumentIndexError

SLOTS = (Symbol("s", real=True), Symbol("t", real=True))
"""The bound variables of every elementwise function, first and second argument."""


class Defined(Function):
    """A function given by ``definition``: SymPy evaluates, rewrites and expands it through that."""

    @classmethod
    def eval(cls, *args: Any) -> Any:
        """Stay as written: a specification shows σ(0), it does not say 1/2."""
        return None

    def doit(self, **hints: Any) -> Expr:
        """Return the defining expression."""
        return self.definition(*(a.doit(**hints) for a in self.args))

    def _eval_evalf(self, prec: int) -> Expr:
        return self.definition(*self.args)._evalf(prec)

    def _eval_rewrite(self, rule: Any, args: Any, **hints: Any) -> Expr:
        return self.definition(*args).rewrite(rule, **hints)

    def _eval_is_extended_real(self) -> bool | None:
        return True if all(a.is_extended_real for a in self.args) else None


class sigmoid(Defined):
    """The logistic function σ(x) = 1/(1 + exp(−x)), with σ' = σ(1 − σ)."""

    nargs = 1

    @staticmethod
    def definition(x: Expr) -> Expr:
        return 1 / (1 + exp(-x))

    def fdiff(self, argindex: int = 1) -> Expr:
        return self * (1 - self)


class step(Defined):
    """The unit step: 1 where x > 0, else 0; the derivative of relu, itself without one."""

    nargs = 1

    @staticmethod
    def definition(x: Expr) -> Expr:
        return Heaviside(x, 0)

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


class identity(Defined):
    """The function that changes nothing."""

    nargs = 1

    @staticmethod
    def definition(x: Expr) -> Expr:
        return x

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(1)


class relu(Defined):
    """max(x, 0), with the derivative 0 at the kink."""

    nargs = 1

    @staticmethod
    def definition(x: Expr) -> Expr:
        return Max(x, 0)

    def fdiff(self, argindex: int = 1) -> Expr:
        return step(self.args[0])


class leaky_relu(Defined):
    """x where x ≥ 0, else αx, with the derivative α at the kink."""

    nargs = 2

    @staticmethod
    def definition(x: Expr, alpha: Expr) -> Expr:
        return Max(x, 0) + alpha * Min(x, 0)

    def fdiff(self, argindex: int = 1) -> Expr:
        x, alpha = self.args
        return alpha + (1 - alpha) * step(x)


class thresholded_relu(Defined):
    """x where x ≥ α, else 0, with the derivative 0 at the jump."""

    nargs = 2

    @staticmethod
    def definition(x: Expr, alpha: Expr) -> Expr:
        return x * Heaviside(x - alpha, 1)

    def fdiff(self, argindex: int = 1) -> Expr:
        x, alpha = self.args
        return step(x - alpha)


class elu(Defined):
    """x where x ≥ 0, else α(exp(x) − 1), where y' = y + α; the derivative α at the kink."""

    nargs = 2

    @staticmethod
    def definition(x: Expr, alpha: Expr) -> Expr:
        return Max(x, 0) + alpha * (exp(Min(x, 0)) - 1)

    def fdiff(self, argindex: int = 1) -> Expr:
        x, alpha = self.args
        right = step(x)
        return right + (1 - right) * (self + alpha)


class softplus(Defined):
    """log(1 + exp(x)), whose derivative is σ."""

    nargs = 1

    @staticmethod
    def definition(x: Expr) -> Expr:
        return log(1 + exp(x))

    def fdiff(self, argindex: int = 1) -> Expr:
        return sigmoid(self.args[0])


class softsign(Defined):
    """x/(1 + |x|), with y' = (1 − |y|)²."""

    nargs = 1

    @staticmethod
    def definition(x: Expr) -> Expr:
        return x / (1 + Abs(x))

    def fdiff(self, argindex: int = 1) -> Expr:
        return (1 - magnitude(self)) ** 2


class magnitude(Defined):
    """|x|, with the derivative −1 at the kink."""

    nargs = 1

    @staticmethod
    def definition(x: Expr) -> Expr:
        return Abs(x)

    def fdiff(self, argindex: int = 1) -> Expr:
        return 2 * step(self.args[0]) - 1


class hard_sigmoid(Defined):
    """clip(αx + β, 0, 1): α = 1/6 in PyTorch and Keras 3, α = 1/5 in ONNX and Keras 2; β = 1/2."""

    nargs = 3

    @staticmethod
    def definition(x: Expr, alpha: Expr, beta: Expr) -> Expr:
        return Max(0, Min(1, alpha * x + beta))

    def fdiff(self, argindex: int = 1) -> Expr:
        x, alpha, beta = self.args
        return alpha * (step(x + beta / alpha) - step(x - (1 - beta) / alpha))


class clip(Defined):
    """min(max(x, low), high), with the derivative 0 at the lower limit and 1 at the upper one."""

    nargs = 3

    @staticmethod
    def definition(x: Expr, low: Expr, high: Expr) -> Expr:
        return Min(Max(x, low), high)

    def fdiff(self, argindex: int = 1) -> Expr:
        x, low, high = self.args
        return step(x - low) - step(x - high)


class quotient(Defined):
    """x/y, elementwise."""

    nargs = 2

    @staticmethod
    def definition(x: Expr, y: Expr) -> Expr:
        return x / y

    def fdiff(self, argindex: int = 1) -> Expr:
        y = self.args[1]
        if argindex == 1:
            return 1 / y
        if argindex == 2:
            return -self / y
        raise ArgumentIndexError(self, argindex)


class maximum(Defined):
    """The larger of two; where they are equal the derivative goes to the second."""

    nargs = 2

    @staticmethod
    def definition(x: Expr, y: Expr) -> Expr:
        return Max(x, y)

    def fdiff(self, argindex: int = 1) -> Expr:
        x, y = self.args
        first = step(x - y)
        return first if argindex == 1 else 1 - first


class minimum(Defined):
    """The smaller of two; where they are equal the derivative goes to the second."""

    nargs = 2

    @staticmethod
    def definition(x: Expr, y: Expr) -> Expr:
        return Min(x, y)

    def fdiff(self, argindex: int = 1) -> Expr:
        x, y = self.args
        first = step(y - x)
        return first if argindex == 1 else 1 - first
