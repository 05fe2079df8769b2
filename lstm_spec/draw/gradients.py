"""A backward Program as its picture needs it: which adjoint each use of a value contributes, and by which factor."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sympy import BlockMatrix, HadamardProduct, Lambda, MatAdd, MatMul, MatrixSymbol, Transpose
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.draw.text import Text, Typesetter, hole, plain
from lstm_spec.spec.equation import Equation, names_in
from lstm_spec.spec.functions import SLOTS
from lstm_spec.spec.names import shape_text, size_text
from lstm_spec.spec.operators import Elementwise, hadamard, parts_of
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

_TIMES = plain("∘ ")
_SQUARE = Lambda((SLOTS[0],), SLOTS[0] ** 2)


@dataclass(frozen=True)
class Term:
    """One contribution to an adjoint: the adjoint it comes from, and the whole expression."""

    adjoint: str
    expression: Any


@dataclass(frozen=True)
class Gradients:
    """The derived equations of a backward Program, by value of the forward one.

    back: the backward Program; setter, sizes: how symbols and sizes are written.
    """

    back: Program
    setter: Typesetter
    sizes: Mapping[Any, int]

    @cached_property
    def forward(self) -> Program:
        """The Program whose backward pass it is."""
        assert self.back.origin is not None
        return self.back.origin

    @cached_property
    def adjoints(self) -> Mapping[str, Equation]:
        """The equations of adjoints by their own name."""
        return {d.name: d for d in self.back.derived}

    @cached_property
    def arriving(self) -> Mapping[str, str]:
        """The adjoint that arrives at each state from the step after, by the state's name."""
        pairs = zip(self.forward.recurrence, self.back.carried, strict=True)
        return {after.name: arrives.name for (_, after), (arrives, _) in pairs}

    @cached_property
    def external(self) -> Mapping[str, str]:
        """The adjoint that arrives at each output of the step itself."""
        known = {s.name for s in self.forward.inputs} | set(self.arriving.values())
        arrivals = [s.name for s in self.back.inputs if s.name not in known]
        outputs = [*self.forward.states[:1], *(o for o in self.forward.outputs if o not in self.forward.states)]
        return dict(zip(outputs, arrivals, strict=False))

    def name(self, value: str) -> str:
        """Return the name of the adjoint of a forward value; one that only arrives has the name it arrives with."""
        own = f"d{value}"
        return own if own in self.adjoints else self.arriving.get(value, self.external.get(value, own))

    def terms(self, value: str, reader: str) -> list[Term]:
        """Return what the uses of a value in the equation ``reader`` contribute to its adjoint, in order."""
        equation = self.adjoints.get(f"d{value}")
        if equation is None:
            return []
        found = (Term(self._adjoint(t), t) for t in terms_of(equation.expression))
        return [term for term in found if term.adjoint == self.name(reader)]

    def _adjoint(self, term: Any) -> str:
        return next((n for n in sorted(names_in(term)) if n in self.names), "")

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all adjoints, those that arrive included."""
        return frozenset(self.back.symbols) - frozenset(self.forward.symbols)

    def of_parameters(self, names: Iterable[str]) -> Iterator[Equation]:
        """Yield the equations of the adjoints of parameters, then those of what the parameters are made of."""
        found = [self.adjoints[self.name(p)] for p in names if self.name(p) in self.adjoints]
        while found:
            yield from found
            known = {e.name for e in found}
            found = [e for e in self.back.derived if e.shared and e.name not in known and known & set(e.uses)]

    def row(self, equation: Equation) -> Text:
        """Return the row of a box for an adjoint; that of a parameter is summed over time."""
        total = plain("Σ\u2009", dim=True) if equation.shared else ()
        return (*self.setter.symbol(equation.name), *plain(" = "), *total, *self.formula(equation.expression))

    def factor(self, term: Term) -> Text:
        """Return what a term multiplies its adjoint by: "∘ (−c')", "[32:102]"; "" for the adjoint itself."""
        return self._factor(term.expression, term.adjoint)

    def _factor(self, e: Any, adjoint: str) -> Text:
        if isinstance(e, MatrixSymbol):
            return ()
        if isinstance(e, MatrixSlice):
            start, stop, _ = (evaluate_shape((s, s), dict(self.sizes))[0] for s in e.rowslice)
            return (
                *self._factor(e.parent, adjoint),
                *plain(f"[{size_text(start) if start != 0 else ''}:{size_text(stop)}]"),
            )
        inner = next(a for a in e.args if adjoint in names_in(a)) if not isinstance(e, Elementwise) else e
        others = [a for a in e.args if a is not inner]
        if isinstance(e, HadamardProduct):
            before = self._factor(inner, adjoint)
            by = self.formula(hadamard(*others))
            if len(others) == 1 and isinstance(others[0], MatAdd):
                by = (*plain("("), *by, *plain(")"))
            return (*before, *(plain(" ∘ ") if before else _TIMES), *by)
        if isinstance(e, MatMul) and not any(getattr(a, "is_Matrix", False) for a in others):
            scale = self.setter.around(MatMul(*others, hole(*e.shape), evaluate=False))
            factor = self._factor(inner, adjoint)
            # Not −∘ c, which would read as an operation of that name.
            within = factor[:1] == _TIMES
            return (*_TIMES, *plain("("), *scale, *factor[1:], *plain(")")) if within else (*scale, *factor)
        return self.formula(e)

    def formula(self, e: Any) -> Text:
        """Return an expression, v∘v as v²."""
        return self.setter.formula(_squared(e))

    def weight(self, term: Term) -> Text:
        """Return the row of a box for a term with a parameter: the parameter and its shape."""
        e = term.expression
        parts = (
            [a for a in e.args if term.adjoint not in names_in(a)] if isinstance(e, MatMul | HadamardProduct) else []
        )
        if len(parts) != 1:
            return self.formula(e)
        shape = shape_text(evaluate_shape(parts[0].shape, dict(self.sizes)))
        sign = plain("∘ ") if isinstance(e, HadamardProduct) else ()
        return (*sign, *self.setter.formula(parts[0]), *plain(f"\u00a0\u00a0{shape}", dim=True))


def terms_of(e: Any) -> list[Any]:
    """Return the contributions to an adjoint: the terms of a sum, nested ones too, or the parts of a stack."""
    parts = e.args if isinstance(e, MatAdd) else parts_of(e) if isinstance(e, BlockMatrix) else None
    return [e] if parts is None else [term for part in parts for term in terms_of(part)]


def _squared(e: Any) -> Any:
    """Write v∘v as the square of v, which is shorter and is how a derivative such as 1 − tanh² is known."""
    if isinstance(e, HadamardProduct) and len(e.args) == 2 and e.args[0] == e.args[1]:
        return Elementwise(_SQUARE, e.args[0])
    if isinstance(e, HadamardProduct | MatAdd | MatMul | Transpose):
        arguments = [_squared(a) if getattr(a, "is_Matrix", False) else a for a in e.args]
        return e.func(*arguments, evaluate=False) if not isinstance(e, Transpose) else Transpose(*arguments)
    return e
