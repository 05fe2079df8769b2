"""From a Program to the graph it draws as: each learned map with its activation becomes one box."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sympy import BlockMatrix, Function, HadamardProduct, Lambda, MatAdd, MatMul, MatrixSymbol, OneMatrix
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.draw.contract import Contracted, applied, equations, is_learned, occurrences, parameters_of, terms
from lstm_spec.draw.graph import Graph, Op, OpKind
from lstm_spec.draw.text import Text, Typesetter, hole, plain, unfenced, with_shape
from lstm_spec.spec.equation import names_in
from lstm_spec.spec.functions import identity, quotient, sigmoid
from lstm_spec.spec.notation import size_text, text
from lstm_spec.spec.operators import Elementwise, add, hadamard, parts_of
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

_GLYPHS = {sigmoid: "σ", quotient: "÷", identity: ""}
_MOST_OPERANDS = 3
"""A circle has four sides, one of them for the result."""


def read(program: Program, setter: Typesetter, sizes: dict[Any, int]) -> Graph:
    """Return the graph of a Program.

    setter: how symbols are written; sizes: numbers for sizes, those left out stay symbolic.
    """
    reader = _Reader(program, parameters_of(program), setter, sizes)
    for equation in equations(program):
        reader.equation(equation)
    returned = program.states[:1] if program.states else ()
    others = tuple(o for o in program.outputs if o not in program.states)
    return Graph(
        ops=tuple(reader.ops),
        inputs=tuple(s.name for s in program.inputs),
        states=tuple((before.name, after.name) for before, after in program.recurrence),
        outputs=(*returned, *others),
        shapes={name: evaluate_shape(symbol.shape, sizes) for name, symbol in program.symbols.items()},
    )


@dataclass
class _Reader:
    program: Program
    shared: frozenset[str]
    setter: Typesetter
    sizes: dict[Any, int]
    ops: list[Op] = field(default_factory=list)

    def equation(self, equation: Contracted) -> None:
        """Append the operations of an equation."""
        self.now, self.parts, self.inside = equation, 0, frozenset(equation.statistics)
        e = equation.expression
        while isinstance(e, Elementwise) and e.function.expr.func is identity and not is_learned(e, self.shared):
            e = e.arguments[0]
        if isinstance(e, MatrixSymbol):
            self._op("function", equation.name, plain("="), (e.name,), e)
        else:
            self._visit(e, equation.name)

    def _visit(self, e: Any, id: str = "") -> str:
        """Append the operations of an expression and return the id of its value."""
        names = names_in(e)
        if names & self.inside and not names & self.shared:
            return self._normalization(e, id)
        if isinstance(e, MatrixSymbol) and e.name not in self.shared:
            return e.name
        if not names:
            return self._op("constant", id, plain(text(e)), (), e)
        if is_learned(e, self.shared):
            return self._layer(e, plain(""), id)
        if isinstance(e, Elementwise):
            return self._elementwise(e, id)
        if isinstance(e, HadamardProduct):
            return self._gather("product", "×", e, e.args, hadamard, id)
        if isinstance(e, MatAdd):
            return self._sum(e, id)
        if isinstance(e, BlockMatrix):
            return self._op("concat", id, self.setter.formula(e), self._all(parts_of(e)), e)
        if isinstance(e, MatrixSlice):
            start, stop, _ = (evaluate_shape((s, s), self.sizes)[0] for s in e.rowslice)
            return self._op("split", id, plain(f"{size_text(start)}:{size_text(stop)}"), self._all((e.parent,)), e)
        if isinstance(e, MatMul):
            matrices = [a for a in e.args if getattr(a, "is_Matrix", False)]
            scalars = [a for a in e.args if a not in matrices]
            around = self.setter.around(MatMul(*scalars, hole(*e.shape), evaluate=False))
            glyph = unfenced(around) if scalars else plain("·")
            return self._op("product", id, glyph, self._all(matrices), e)
        return self._op("function", id, plain("ᵀ"), self._all(e.args), e)

    def _elementwise(self, e: Elementwise, id: str) -> str:
        application = e.function.expr
        if application.func is identity and not is_learned(e.arguments[0], self.shared):
            return self._visit(e.arguments[0], id)
        constants = [str(a) for a in application.args if not a.free_symbols]
        glyph = self._name(e)
        if len(e.arguments) == 1 and is_learned(e.arguments[0], self.shared):
            return self._layer(e.arguments[0], glyph, id, constants if _is_named(e.function) else [])
        kind: OpKind = "product" if application.func is quotient else "function"
        if constants and _is_named(e.function):
            glyph = (*glyph, *plain(f"({', '.join(constants)})"))
        return self._op(kind, id, glyph, self._all(e.arguments), e)

    def _name(self, e: Elementwise) -> Text:
        """Return what a function is called; one that has no name is written with a gap for its operand."""
        application = e.function.expr
        if not _is_named(e.function):
            return self.setter.around(Elementwise(e.function, *[hole(*a.shape) for a in e.arguments]))
        name = application.func.__name__
        known = _GLYPHS.get(application.func, {"maximum": "max"}.get(name))
        return plain(name.replace("_", " ") if known is None else known)

    def _sum(self, e: MatAdd, id: str) -> str:
        first, *others = e.args
        if isinstance(first, OneMatrix) and len(others) == 1:
            sign, inner = _signed(others[0])
            return self._op("function", id, plain(f"1{sign}"), self._all((inner,)), e)
        return self._gather("sum", "+", e, e.args, add, id)

    def _gather(self, kind: OpKind, glyph: str, e: Any, operands: tuple[Any, ...], join: Any, id: str) -> str:
        if len(operands) > _MOST_OPERANDS:
            half = len(operands) // 2
            operands = (join(*operands[:half]), join(*operands[half:]))
        return self._op(kind, id, plain(glyph), self._all(operands), e)

    def _layer(self, e: Any, glyph: Text, id: str, constants: Sequence[str] = ()) -> str:
        """Append a learned box: its parameters with their shapes, and what each is applied to where that is not one."""
        split = [(term, applied(term, self.shared)) for term in terms(e)]
        inputs = [learned[1] if learned else term for term, learned in split]
        given = [value for value in inputs if value is not None]
        statistics = self._statistics(given)
        rows = [plain(f"({', '.join(constants)})", dim=True)] if constants else []
        rows += [self._defined(name) for name in statistics]
        operands: list[str] = []
        mixes: list[int] = []
        for (term, learned), value in zip(split, inputs, strict=True):
            rows.append(self._row(term, learned, len(given) > 1))
            for operand in self._into_box(value):
                # A stack of products reads its operand once, and so does a normalization.
                if operand in operands and (isinstance(e, BlockMatrix) or statistics):
                    continue
                if learned and isinstance(term, MatMul):
                    mixes.append(len(operands))
                operands.append(operand)
        parameters = tuple(dict.fromkeys(name for term, _ in split for name in self._parameters(term)))
        details = {"rows": tuple(rows), "mixes": tuple(mixes), "statistics": statistics, "parameters": parameters}
        return self._op("layer", id, glyph, tuple(operands), e, **details)

    def _parameters(self, term: Any) -> list[str]:
        """Return the parameters of a term in order, without those of a layer drawn inside it."""
        learned = applied(term, self.shared)
        return [] if learned is None else [s.name for s in occurrences(learned[0])]

    def _row(self, term: Any, learned: tuple[Any, Any] | None, several: bool) -> Text:
        if learned is None:
            return (*plain("+ "), *self.setter.formula(term))
        whole = several or (learned[1] is not None and self._is_within(learned[1]))
        written = self.setter.formula(term if whole else learned[0])
        return with_shape(written, evaluate_shape(learned[0].shape, self.sizes))

    def _is_within(self, e: Any) -> bool:
        """Tell whether an operand is computed within the box that reads it: from statistics, or as a slice."""
        return bool(names_in(e) & self.inside) or (isinstance(e, MatrixSlice) and isinstance(e.parent, MatrixSymbol))

    def _into_box(self, e: Any) -> tuple[str, ...]:
        """Return the values that a box reads for an operand."""
        if e is None:
            return ()
        return self._outside(e) if self._is_within(e) else (self._visit(e),)

    def _normalization(self, e: Any, id: str) -> str:
        """Append a box without parameters: the statistics it computes, and what it makes of them."""
        statistics = self._statistics([e])
        rows = [self._defined(name) for name in statistics]
        if not isinstance(e, MatrixSymbol):
            name = (*self.setter.symbol(id), *plain(" = ")) if id else ()
            rows.append((*name, *self.setter.formula(e)))
        details = {"rows": tuple(rows), "statistics": statistics}
        return self._op("layer", id, plain("norm"), self._outside(e), e, **details)

    def _statistics(self, expressions: Iterable[Any]) -> tuple[str, ...]:
        """Return the statistics that expressions read, and those that these read, in the order of the equations."""
        found: set[str] = set()
        pending = list(expressions)
        while pending:
            new = {s.name for s in occurrences(pending.pop())} & self.inside - found
            found |= new
            pending += [self.program[name].expression for name in sorted(new)]
        return tuple(name for name in self.now.statistics if name in found)

    def _outside(self, e: Any) -> tuple[str, ...]:
        """Return the values from other boxes that an expression reads, directly or through statistics."""
        found: dict[str, None] = {}
        for symbol in occurrences(e):
            if symbol.name in self.inside:
                found |= dict.fromkeys(self._outside(self.program[symbol.name].expression))
            elif symbol.name not in self.shared:
                found[symbol.name] = None
        return tuple(found)

    def _defined(self, name: str) -> Text:
        return (*self.setter.symbol(name), *plain(" = "), *self.setter.formula(self.program[name].expression))

    def _all(self, operands: Any) -> tuple[str, ...]:
        return tuple(self._visit(o) for o in operands)

    def _op(self, kind: OpKind, id: str, glyph: Text, operands: tuple[str, ...], e: Any, **details: Any) -> str:
        if not id:
            self.parts += 1
            id = f"{self.now.name}.{self.parts}"
        shape = evaluate_shape(e.shape, self.sizes)
        absorbs = self.now.absorbs if id == self.now.name else ()
        self.ops.append(Op(id, self.now.name, kind, glyph, operands, shape, absorbs=absorbs, **details))
        return id


def _is_named(function: Lambda) -> bool:
    """Tell whether a function is one with a name, applied to nothing but its arguments and constants."""
    e, bound = function.expr, set(function.variables)
    return isinstance(e, Function) and all(a in bound or not a.free_symbols & bound for a in e.args)


def _signed(term: Any) -> tuple[str, Any]:
    """Return a term without its minus sign, and the sign."""
    if isinstance(term, MatMul) and term.args[0] == -1 and len(term.args) == 2:
        return "−", term.args[1]
    return "+", term
