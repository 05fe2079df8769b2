"""Runnable source of a Program: one readable function that computes a step for the rows of a batch.

Symbolic vectors are columns, arrays hold one vector per row, so W v is written ``v @ W.T``. What differs between array
libraries is a ``Dialect``: data, read by the one writer below.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from types import MappingProxyType
from typing import Any

from sympy import (
    BlockMatrix,
    HadamardProduct,
    Identity,
    MatAdd,
    MatMul,
    MatrixSymbol,
    OneMatrix,
    Transpose,
    ZeroMatrix,
)
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec.spec.equation import Equation, names_in
from lstm_spec.spec.notation import shape_text, text
from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.program import Program
from lstm_spec.write.bodies import ATOM, NEGATIVE, PRODUCT, SUM, Piece, SourceError, atom, body, scalar
from lstm_spec.write.dialects import NUMPY, Dialect


@dataclass(frozen=True)
class _Context:
    """What the writer of one expression has to know: the Program, and whether rows are summed."""

    program: Program
    dialect: Dialect
    summed: bool

    def per_row(self, e: Any) -> bool:
        return bool(names_in(e) - self.program.shared)


def source(program: Program, *, dialect: Dialect = NUMPY, returns: tuple[str, ...] | None = None) -> str:
    """Return the source of ``step(params, x, *states)`` for a Program.

    params: a dict of arrays by name; per-row values have shape (B, size). returns: the names to return, by default the
    Program's outputs. Raises SourceError for an expression that the library cannot say.

    >>> from lstm_spec.spec.cells import lstm
    >>> print(source(lstm(activations={"f": "tanh", "i": "tanh", "o": "tanh"}, biases=0)))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def step(params, x, h_prev, c_prev):
        W_f = params["W_f"]
        W_i = params["W_i"]
        W_c = params["W_c"]
        W_o = params["W_o"]
        z = np.concatenate([x, h_prev], axis=-1)
        a_f = z @ W_f.T
        f = np.tanh(a_f)
        a_i = z @ W_i.T
        i = np.tanh(a_i)
        a_c = z @ W_c.T
        c_tilde = np.tanh(a_c)
        c = f * c_prev + i * c_tilde
        a_o = z @ W_o.T
        o = np.tanh(a_o)
        h = o * np.tanh(c)
        return h, c
    <BLANKLINE>
    """
    lines = [_assignment(program, d, dialect) for d in program.definitions]
    lines_of_step = [
        *(f'{_local(p.name)} = params["{p.name}"]' for p in program.parameters),
        *_sizes_in_use(program, lines),
        *(f"{symbol} = {float(value)!r}" for symbol, value in program.constants),
        *lines,
        f"return {', '.join(map(_local, returns or program.outputs))}",
    ]
    given = [_local(s.name) for s in program.leaves if s not in program.parameters]
    function = "\n".join([f"def step({', '.join(['params', *given])}):", *(f"    {line}" for line in lines_of_step)])
    helpers = [text for name, text in dialect.helpers.items() if any(f"{name}(" in line for line in lines)]
    return "\n\n\n".join([dialect.header, *(h.rstrip("\n") for h in helpers), function]) + "\n"


def _local(name: str) -> str:
    """Return the variable for a name: that of a network has its layer before a dot, l0.W_f."""
    return name.replace(".", "_")


def _assignment(program: Program, d: Equation, dialect: Dialect) -> str:
    if isinstance(d.expression, OneMatrix | ZeroMatrix):
        return f"{_local(d.name)} = {_filled(program, d, dialect)}"
    context = _Context(program, dialect, d.shared and bool(names_in(d.expression) - program.shared))
    try:
        code, _ = _write(d.expression, context)
    except SourceError as error:
        raise SourceError(f"{error}, in {d}") from None
    is_column = d.expression.shape[1] == 1
    return f"{_local(d.name)} = {dialect.total.format(code) if context.summed and is_column else code}"


def _filled(program: Program, d: Equation, dialect: Dialect) -> str:
    """Write a constant as an array in the shape and dtype of something given, or as a number if nothing is like it."""
    number = "1" if isinstance(d.expression, OneMatrix) else "0"
    computed = takewhile(lambda other: other is not d, program.definitions)
    known = (*program.leaves, *(other.symbol for other in computed))
    alike = [_local(s.name) for s in known if s.shape == d.symbol.shape and (s.name in program.shared) == d.shared]
    return dialect.full_like.format(alike[0], number) if alike else number


def _sizes_in_use(program: Program, lines: list[str]) -> list[str]:
    """Say where the sizes come from that the lines mention, each read off the first value that has it."""
    words = {word for line in lines for word in _words(line)}
    found = {}
    for symbol in program.leaves:
        for axis, side in enumerate(symbol.shape):
            if side.is_Symbol and side.name in words and side.name not in found:
                position = axis if symbol.name in program.shared else -1
                found[side.name] = f"{side.name} = {_local(symbol.name)}.shape[{position}]"
    return list(found.values())


def _words(line: str) -> set[str]:
    return set("".join(ch if ch.isalnum() or ch == "_" else " " for ch in line).split())


def _write(e: Any, context: _Context) -> Piece:
    for kind, rule in _RULES.items():
        if isinstance(e, kind):
            return rule(e, context)
    raise SourceError(f"{e} ({type(e).__name__}) has no form in {context.dialect.name} source")


def _wrapped(e: Any, context: _Context, strength: int) -> str:
    code, own = _write(e, context)
    return code if own >= strength else f"({code})"


def _symbol(e: MatrixSymbol, context: _Context) -> Piece:
    return _local(e.name), ATOM


def _sum(e: MatAdd, context: _Context) -> Piece:
    first, *others = (_wrapped(term, context, NEGATIVE) for term in e.args)
    return first + "".join(f" - {t[1:]}" if t.startswith("-") else f" + {t}" for t in others), SUM


def _hadamard(e: HadamardProduct, context: _Context) -> Piece:
    first, *others = e.args
    return " * ".join([_wrapped(first, context, PRODUCT), *(_wrapped(a, context, ATOM) for a in others)]), PRODUCT


def _product(e: MatMul, context: _Context) -> Piece:
    scalars = [a for a in e.args if not getattr(a, "is_Matrix", False)]
    matrices = [a for a in e.args if getattr(a, "is_Matrix", False)]
    if scalars and len(matrices) == 1 and isinstance(matrices[0], OneMatrix):
        return _number(scalars)
    if _is_mean(scalars, matrices):
        # The sum alone may be too large for a format that holds its mean.
        return context.dialect.row_mean.format(_write(matrices[1], context)[0]), ATOM
    code, strength = _chain(matrices, context)
    if not scalars:
        return code, strength
    inner = code if strength >= ATOM else f"({code})" if " @ " in code or strength < PRODUCT else code
    if scalars == [-1]:
        return f"-{inner}", NEGATIVE
    return " * ".join([*(scalar(s) for s in scalars), inner]), PRODUCT


def _is_mean(scalars: list[Any], matrices: list[Any]) -> bool:
    """Tell the mean over the entries of a vector, (1/m) 𝟏ᵀ v."""
    if len(matrices) != 2 or not isinstance(matrices[0], OneMatrix) or matrices[0].shape[0] != 1:
        return False
    return scalars == [1 / matrices[0].shape[1]]


def _number(factors: list[Any]) -> Piece:
    """Write a multiple of the matrix of ones as the number, which is added to every entry."""
    if len(factors) == 1 and factors[0].could_extract_minus_sign():
        return f"-{scalar(-factors[0])}", NEGATIVE
    return " * ".join(scalar(s) for s in factors), PRODUCT


def _chain(factors: list[Any], context: _Context) -> Piece:
    """Write a product of matrices, from the per-row vector outwards."""
    rows = [k for k, a in enumerate(factors) if context.per_row(a)]
    if len(factors) == 1:
        return _write(factors[0], context)
    if not rows and factors[-1].shape[1] == 1 and any(isinstance(a, OneMatrix) for a in factors):
        return _column(factors, context)
    if not rows:
        return " @ ".join(_wrapped(a, context, ATOM) for a in factors), PRODUCT
    if len(rows) == 1 and rows[0] == len(factors) - 1 and factors[-1].shape[1] == 1:
        return _column(factors, context)
    if len(rows) == 2 and rows[1] == rows[0] + 1:
        left, right = factors[: rows[1]], [_flip(a) for a in reversed(factors[rows[1] :])]
        if left[-1].shape[1] == 1 and context.summed:
            return f"{atom(_column(left, context))}.T @ {atom(_column(right, context))}", PRODUCT
        if len(factors) == 2 and left[0].shape[0] == 1:
            u, v = _write(_flip(left[0]), context), _write(factors[1], context)
            return context.dialect.row_sum.format(f"{atom(u)} * {atom(v)}"), ATOM
    shapes = " · ".join(shape_text(a.shape) for a in factors)
    raise SourceError(
        f"the product {' '.join(text(a) for a in factors)} ({shapes}) has no form with one row per vector"
    )


def _flip(e: Any) -> Any:
    """Return the transpose, of a transpose the matrix itself."""
    return e.arg if isinstance(e, Transpose) else Transpose(e)


def _column(factors: list[Any], context: _Context) -> Piece:
    """Write M₁ … Mₖ v as v @ Mₖ.T … @ M₁.T; a product with ones sums or repeats."""
    piece = _write(factors[-1], context)
    for matrix in reversed(factors[:-1]):
        piece = _left_multiply(matrix, piece, context)
    return piece


def _left_multiply(matrix: Any, piece: Piece, context: _Context) -> Piece:
    code, strength = piece
    if isinstance(matrix, OneMatrix) and matrix.shape[0] == 1:
        return context.dialect.row_sum.format(code), ATOM
    if isinstance(matrix, OneMatrix) and matrix.shape[1] == 1:
        return context.dialect.repeat.format(code, matrix.shape[0]), ATOM
    if isinstance(matrix, Identity):
        return piece
    left = code if strength >= PRODUCT and " * " not in code else f"({code})"
    return f"{left} @ {_wrapped(_flip(matrix), context, ATOM)}", PRODUCT


def _transpose(e: Transpose, context: _Context) -> Piece:
    if context.per_row(e):
        raise SourceError(f"{text(e)} alone has no form with one row per vector")
    return f"{_wrapped(e.arg, context, ATOM)}.T", ATOM


def _elementwise(e: Elementwise, context: _Context) -> Piece:
    pieces = (_write(a, context) for a in e.arguments)
    return body(e.function.expr, dict(zip(e.function.variables, pieces, strict=True)), context.dialect)


def _concat(e: BlockMatrix, context: _Context) -> Piece:
    parts = ", ".join(_write(part, context)[0] for part in parts_of(e))
    return context.dialect.concatenate.format(parts=parts, axis=-1 if context.per_row(e) else 0), ATOM


def _slice(e: MatrixSlice, context: _Context) -> Piece:
    start, stop, _ = e.rowslice
    span = f"{'' if start == 0 else start}:{stop}".replace(" ", "")
    rows = f"..., {span}" if context.per_row(e) else span
    return f"{_wrapped(e.parent, context, ATOM)}[{rows}]", ATOM


def _one(e: OneMatrix, context: _Context) -> Piece:
    return "1", ATOM


def _zero(e: ZeroMatrix, context: _Context) -> Piece:
    return "0", ATOM


def _identity(e: Identity, context: _Context) -> Piece:
    return context.dialect.identity.format(e.shape[0]), ATOM


_RULES: Mapping[type, Callable[..., Piece]] = MappingProxyType(
    {
        MatrixSymbol: _symbol,
        OneMatrix: _one,
        ZeroMatrix: _zero,
        Identity: _identity,
        MatAdd: _sum,
        HadamardProduct: _hadamard,
        MatMul: _product,
        Transpose: _transpose,
        Elementwise: _elementwise,
        BlockMatrix: _concat,
        MatrixSlice: _slice,
    }
)
