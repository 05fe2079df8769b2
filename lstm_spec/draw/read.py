"""From a Program to the graph it draws as: each learned map with its activation becomes one box."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sympy import BlockMatrix, HadamardProduct, MatAdd, MatMul, MatrixSymbol, OneMatrix
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.draw.graph import Graph, Op, OpKind
from lstm_spec.draw.text import Text, Typesetter, plain, with_shape
from lstm_spec.spec.functions import identity, quotient, sigmoid
from lstm_spec.spec.notation import size_text, text
from lstm_spec.spec.operators import Elementwise, add, hadamard, matmul, parts_of
from lstm_spec.spec.program import Program, evaluate_shape, names_in

_GLYPHS = {sigmoid: "σ", quotient: "÷", identity: ""}
_MOST_OPERANDS = 3
"""A circle has four sides, one of them for the result."""


def read(program: Program, setter: Typesetter, sizes: dict[Any, int], *, contract: bool = True) -> Graph:
    """Return the graph of a Program.

    setter: how symbols are written; sizes: numbers for sizes, those left out stay symbolic; contract: whether each
    pre-activation is drawn within its gate.
    """
    reader = _Reader(parameters_of(program), setter, sizes)
    for name, expression, absorbed in equations(program, contract=contract):
        reader.equation(name, expression, absorbed)
    returned = program.states[:1] if program.states else ()
    others = tuple(o for o in program.outputs if o not in program.states)
    return Graph(
        ops=tuple(reader.ops),
        inputs=tuple(s.name for s in program.inputs),
        states=tuple((before.name, after.name) for before, after in program.recurrence),
        outputs=(*returned, *others),
        shapes={name: evaluate_shape(symbol.shape, sizes) for name, symbol in program.symbols.items()},
    )


def equations(program: Program, *, contract: bool = True) -> list[tuple[str, Any, tuple[str, ...]]]:
    """Return the equations of per-row values as (name, expression, absorbed names).

    A learned map that only one activation reads is written into it.
    """
    shared = parameters_of(program)
    expressions = {d.name: d.expression for d in program if d.name not in shared}
    uses = Counter(s.name for e in expressions.values() for s in occurrences(e))
    absorbed: dict[str, tuple[str, ...]] = {}
    for name, e in list(expressions.items()) if contract else []:
        argument = e.arguments[0] if isinstance(e, Elementwise) and len(e.arguments) == 1 else None
        if not isinstance(argument, MatrixSymbol) or argument.name not in expressions:
            continue
        single = uses[argument.name] == 1 and argument.name not in program.outputs
        if single and is_learned(expressions[argument.name], shared):
            expressions[name] = Elementwise(e.function, expressions.pop(argument.name))
            absorbed[name] = (argument.name,)
    return [(name, e, absorbed.get(name, ())) for name, e in expressions.items()]


def parameters_of(program: Program) -> frozenset[str]:
    """Return the parameters and what is made of them; a constant gate such as f = 1 is drawn as a value."""
    return program.shared - {d.name for d in program if not d.uses}


def occurrences(e: Any) -> list[MatrixSymbol]:
    """Return the matrices that an expression reads, once per reading."""
    if isinstance(e, MatrixSymbol):
        return [e]
    if isinstance(e, MatrixSlice):
        return occurrences(e.parent)
    if isinstance(e, BlockMatrix):
        return [s for part in parts_of(e) for s in occurrences(part)]
    inner = e.arguments if isinstance(e, Elementwise) else e.args
    return [s for a in inner if getattr(a, "is_Matrix", False) for s in occurrences(a)]


def is_learned(e: Any, shared: frozenset[str]) -> bool:
    """Tell whether an expression is a sum with at least one term that applies a parameter."""
    return any(_term(t, shared) is not None for t in _terms(e))


def _terms(e: Any) -> tuple[Any, ...]:
    return e.args if isinstance(e, MatAdd) else (e,)


def _term(term: Any, shared: frozenset[str]) -> tuple[Any, Any] | None:
    """Return (parameter expression, what it is applied to or None) of a learned term, None for any other term."""
    names = names_in(term)
    if names and names <= shared:
        return term, None
    if isinstance(term, MatMul):
        *factors, last = term.args
        learned = [f for f in factors if getattr(f, "is_Matrix", False)]
        if learned and all(names_in(f) <= shared for f in learned) and any(names_in(f) for f in learned):
            return (matmul(*factors) if len(factors) > 1 else factors[0]), last
    if isinstance(term, HadamardProduct):
        own = [f for f in term.args if names_in(f) and names_in(f) <= shared]
        rest = [f for f in term.args if not (names_in(f) and names_in(f) <= shared)]
        if own and rest:
            return hadamard(*own), hadamard(*rest)
    return None


@dataclass
class _Reader:
    shared: frozenset[str]
    setter: Typesetter
    sizes: dict[Any, int]
    ops: list[Op] = field(default_factory=list)

    def equation(self, name: str, expression: Any, absorbed: tuple[str, ...]) -> None:
        self.absorbed, self.name, self.parts = absorbed, name, 0
        if isinstance(expression, MatrixSymbol):
            self._op("function", name, plain("="), (expression.name,), expression)
        else:
            self._visit(expression, name)

    def _visit(self, e: Any, id: str = "") -> str:
        """Append the operations of an expression and return the id of its value."""
        if isinstance(e, MatrixSymbol) and e.name not in self.shared:
            return e.name
        if not names_in(e):
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
            scalars = " ".join(size_text(a) for a in e.args if not getattr(a, "is_Matrix", False))
            matrices = [a for a in e.args if getattr(a, "is_Matrix", False)]
            glyph = "−" if scalars == "-1" else scalars or "·"
            return self._op("function", id, plain(glyph), self._all(matrices), e)
        return self._op("function", id, plain("ᵀ"), self._all(e.args), e)

    def _elementwise(self, e: Elementwise, id: str) -> str:
        application = e.function.expr
        constants = [str(a) for a in application.args if not a.free_symbols]
        name = _GLYPHS.get(application.func, {"maximum": "max"}.get(application.func.__name__))
        name = application.func.__name__.replace("_", " ") if name is None else name
        if len(e.arguments) == 1 and is_learned(e.arguments[0], self.shared):
            return self._layer(e.arguments[0], plain(name), id, constants)
        kind: OpKind = "product" if application.func is quotient else "function"
        glyph = f"{name}({', '.join(constants)})" if constants else name or "="
        return self._op(kind, id, plain(glyph), self._all(e.arguments), e)

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

    def _layer(self, e: Any, glyph: Text, id: str, constants: list[str] | None = None) -> str:
        """Append a learned box: its parameters with their shapes, and what each is applied to where that is not one."""
        split = [(term, _term(term, self.shared)) for term in _terms(e)]
        inputs = [learned[1] if learned else term for term, learned in split if not learned or learned[1] is not None]
        several = len(inputs) > 1
        rows = [plain(f"({', '.join(constants)})", dim=True)] if constants else []
        for term, learned in split:
            if learned is None:
                rows.append((*plain("+ "), *self.setter.formula(term)))
            else:
                written = self.setter.formula(term if several else learned[0])
                rows.append(with_shape(written, evaluate_shape(learned[0].shape, self.sizes)))
        mixed = [
            bool(learned) and isinstance(term, MatMul)
            for term, learned in split
            if not learned or learned[1] is not None
        ]
        mixes = tuple(k for k, is_mixed in enumerate(mixed) if is_mixed)
        return self._op("layer", id, glyph, self._all(inputs), e, tuple(rows), mixes)

    def _all(self, operands: Any) -> tuple[str, ...]:
        return tuple(self._visit(o) for o in operands)

    def _op(
        self,
        kind: OpKind,
        id: str,
        glyph: Text,
        operands: tuple[str, ...],
        e: Any,
        rows: tuple[Text, ...] = (),
        mixes: tuple[int, ...] = (),
    ) -> str:
        if not id:
            self.parts += 1
            id = f"{self.name}.{self.parts}"
        shape = evaluate_shape(e.shape, self.sizes)
        absorbs = self.absorbed if id == self.name else ()
        self.ops.append(Op(id, self.name, kind, glyph, operands, shape, rows, absorbs, mixes))
        return id


def _signed(term: Any) -> tuple[str, Any]:
    """Return a term without its minus sign, and the sign."""
    if isinstance(term, MatMul) and term.args[0] == -1 and len(term.args) == 2:
        return "−", term.args[1]
    return "+", term
