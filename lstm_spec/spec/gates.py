"""What gates are made of: affine maps of x and h', networks in their place, and layer normalisation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sympy import Lambda, MatrixExpr, MatrixSymbol, sqrt

from lstm_spec.spec.equation import Equation
from lstm_spec.spec.functions import SLOTS, clip
from lstm_spec.spec.operators import (
    add,
    apply,
    concat,
    divide,
    hadamard,
    matmul,
    matrix,
    one_minus,
    ones,
    scale,
    subtract,
    vector,
)

ROOT, SQUARE = Lambda(SLOTS[:1], sqrt(SLOTS[0])), Lambda(SLOTS[:1], SLOTS[0] ** 2)


@dataclass(frozen=True)
class Maps:
    """Affine maps of x and h', with parameters named after the gate.

    x, h_prev: what is read, a state or what stands in its place, such as r∘h'. concat: the order in z = [x; h'] for one
    matrix W_g per gate, or None for W_g and R_g. biases: none, b_g, or b_g and bR_g.
    """

    x: Any
    h_prev: Any
    concat: str | None = None
    biases: int = 1

    @property
    def z(self) -> MatrixSymbol:
        """The concatenation's name."""
        return vector("z", self.x.shape[0] + self.h_prev.shape[0])

    @property
    def entry(self) -> list[Equation]:
        """The equation of the concatenation, if there is one."""
        if self.concat is None:
            return []
        parts = (self.x, self.h_prev) if self.concat == "xh" else (self.h_prev, self.x)
        return [Equation(self.z, concat(*parts))]

    def products(self, gate: str, rows: Any) -> list[MatrixExpr]:
        """Return W_g z, or W_g x and R_g h'."""
        if self.concat is not None:
            return [matmul(matrix(f"W_{gate}", rows, self.z.shape[0]), self.z)]
        return [self.from_x(gate, rows), self.from_h(gate, rows)]

    def from_x(self, gate: str, rows: Any) -> MatrixExpr:
        """Return W_g x."""
        return matmul(matrix(f"W_{gate}", rows, self.x.shape[0]), self.x)

    def from_h(self, gate: str, rows: Any) -> MatrixExpr:
        """Return R_g h'."""
        return matmul(matrix(f"R_{gate}", rows, self.h_prev.shape[0]), self.h_prev)

    def offsets(self, gate: str, rows: Any) -> list[MatrixExpr]:
        """Return the biases of a gate."""
        return [vector(f"{name}_{gate}", rows) for name in ("b", "bR")[: self.biases]]

    def terms(self, gate: str, rows: Any) -> list[MatrixExpr]:
        """Return the terms of the affine map, to be added."""
        return [*self.products(gate, rows), *self.offsets(gate, rows)]

    def network(
        self, gate: str, rows: Any, widths: tuple[int, ...], squash: Any
    ) -> tuple[list[Equation], list[MatrixExpr]]:
        """Return the hidden layers of a feed-forward network in place of the affine map, and the terms of its last one.

        widths: of the hidden layers, W_g1, W_g2, …; none leaves the affine map; squash: the activation between.
        """
        equations = []
        terms_of: Callable[[str, Any], list[MatrixExpr]] = self.terms
        for layer, width in enumerate(widths, start=1):
            hidden = vector(f"z_{gate}{layer}", width)
            equations.append(Equation(hidden, apply(squash, add(*terms_of(f"{gate}{layer}", width)))))
            terms_of = Layer(hidden, self.biases > 0).terms
        return equations, terms_of(gate, rows)


@dataclass(frozen=True)
class Layer:
    """The affine map of one hidden layer's values."""

    hidden: MatrixSymbol
    bias: bool

    def terms(self, gate: str, rows: Any) -> list[MatrixExpr]:
        """Return W v, and b where there is a bias."""
        product = matmul(matrix(f"W_{gate}", rows, self.hidden.shape[0]), self.hidden)
        return [product, vector(f"b_{gate}", rows)] if self.bias else [product]


def activated(
    value: MatrixSymbol, letter: str, squash: Any, terms: list[MatrixExpr], limit: Any = None
) -> list[Equation]:
    """Return the equations a_g = Σ terms and g = squash(a_g), a_g clipped to ±limit where there is one."""
    a = vector(f"a_{letter}", value.shape[0])
    return [Equation(a, add(*terms)), Equation(value, apply(squash, a if limit is None else limited(a, limit)))]


def limited(value: Any, limit: Any) -> MatrixExpr:
    """Return a value clipped to ±limit."""
    return apply(Lambda(SLOTS[:1], clip(SLOTS[0], -limit, limit)), value)


def blend(weight: Any, first: Any, second: Any) -> MatrixExpr:
    """Return (1 − weight)∘first + weight∘second, the convex combination of gated cells."""
    return add(hadamard(one_minus(weight), first), hadamard(weight, second))


def normalised(u: MatrixSymbol, label: str, eps: Any) -> tuple[list[Equation], MatrixExpr]:
    """Return the equations of layer normalisation over the entries of u, and the normalised vector without a gain.

    The mean is mu_label, the deviations e_label, the root of variance plus eps is s_label (Ba, Kiros & Hinton 2016,
    with the eps of every implementation).
    """
    rows = u.shape[0]
    mean, e, spread = vector(f"mu_{label}", 1), vector(f"e_{label}", rows), vector(f"s_{label}", 1)

    def average(v: Any) -> MatrixExpr:
        return matmul(1 / rows, ones(1, rows), v)

    return [
        Equation(mean, average(u)),
        Equation(e, subtract(u, matmul(ones(rows), mean))),
        Equation(spread, apply(ROOT, add(average(apply(SQUARE, e)), scale(eps, ones(1))))),
    ], divide(e, matmul(ones(rows), spread))
