"""A cell from its equations: what they read and nothing gives are the parameters."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from keyword import iskeyword
from typing import Any

from sympy import MatrixExpr, MatrixSymbol, Symbol, preorder_traversal

from lstm_spec.spec.equation import Equation, ProgramError
from lstm_spec.spec.operators import Elementwise, size
from lstm_spec.spec.program import Program, check_cell
from lstm_spec.spec.ties import tie

Pair = tuple[MatrixSymbol, Any]

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TAKEN = ("np", "jnp", "jax", "torch", "params", "step", "sigmoid", "softplus", "erf", "modulus", "unit_step")


def define_cell(
    name: str,
    *,
    inputs: MatrixSymbol | Sequence[MatrixSymbol],
    states: Sequence[tuple[MatrixSymbol, MatrixSymbol]],
    equations: Iterable[Equation | Pair],
    constants: Sequence[tuple[Symbol, Any]] = (),
    source: str = "",
    fixed: Iterable[str] = (),
    same: Mapping[str, str] | None = None,
) -> Program:
    """Return a cell from the equations of one step.

    inputs: x, or several values per row that come from outside. states: pairs (previous, next), first the state that a
    layer returns at every step. equations: pairs of a symbol and its expression, in an order in which they can be
    computed. constants: scalars with their values, as ``constant`` makes them. source: where it was published. fixed:
    the names of parameters that are set and never learned, such as masks. same: sizes that are another one, {"n": "m"}
    for a cell that adds x to its state; the equations are written with both, and which of them needs it is kept.

    The parameters are the matrices that the equations read although nothing gives or defines them, listed by kind (the
    part of a name before its subscript: W, R, b, …) and then in the order in which they are read; the outputs are the
    states.
    Raises ProgramError for equations that make no cell, DimensionError for shapes that do not fit.

    >>> from lstm_spec.spec.operators import add, apply, matmul, matrix, size, vector
    >>> n, m = size("n"), size("m")
    >>> x, h_prev, h = vector("x", n), vector("h_prev", m), vector("h", m)
    >>> W, R, b = matrix("W", m, n), matrix("R", m, m), vector("b", m)
    >>> sum_ = add(matmul(W, x), matmul(R, h_prev), b)
    >>> plain = define_cell("plain", inputs=x, states=[(h_prev, h)], equations=[(h, apply("tanh", sum_))])
    >>> print(plain["h"], list(plain.dimensions(n=2, m=3)))
    h = tanh(W x + R h' + b) ['W', 'R', 'b']
    """
    given = _inputs(name, inputs)
    states = [_pair(name, pair) for pair in _listed(name, "states", states, "[(h_prev, h)]")]
    equations = _listed(name, "equations", equations, "[(h, expression)]")
    definitions = tuple(e if isinstance(e, Equation) else _equation(name, e) for e in equations)
    known = {s.name for s in (*given, *(before for before, _ in states), *(d.symbol for d in definitions))}
    read = [s for d in definitions for s in preorder_traversal(d.expression) if isinstance(s, MatrixSymbol)]
    parameters = _by_kind([s for s in dict.fromkeys(read) if s.name not in known])
    if unknown := set(fixed) - {p.name for p in parameters}:
        raise ProgramError(f"{name}: fixed names parameters of the cell, but {min(unknown)} is none")
    symbols = (*given, *(s for pair in states for s in pair), *parameters, *(d.symbol for d in definitions))
    sizes = {s.name for symbol in symbols for side in symbol.shape for s in side.free_symbols}
    for called in dict.fromkeys((*(s.name for s in symbols), *(s.name for s, _ in constants))):
        _check_name(name, called, sizes)
    _check_constants(name, symbols, definitions, [s for s, _ in constants])
    pairs = [(d.symbol, d.expression) for d in definitions]
    ties = tuple(tie(size(old), size(new), dict.fromkeys(symbols), pairs) for old, new in (same or {}).items())
    one = {t.size: t.other for t in ties}
    return check_cell(
        Program(
            name=name,
            inputs=tuple(s.xreplace(one) for s in given),
            recurrence=tuple((before.xreplace(one), after.xreplace(one)) for before, after in states),
            parameters=tuple(p.xreplace(one) for p in parameters),
            definitions=tuple(
                replace(d, symbol=d.symbol.xreplace(one), expression=d.expression.xreplace(one)) for d in definitions
            )
            if ties
            else definitions,
            outputs=tuple(after.name for _, after in states),
            constants=tuple(constants),
            source=source,
            fixed=frozenset(fixed),
            ties=ties,
        )
    )


def _inputs(name: str, inputs: Any) -> tuple[MatrixSymbol, ...]:
    given = (inputs,) if isinstance(inputs, MatrixSymbol) else inputs
    listed = [None] if isinstance(given, str) or not isinstance(given, Iterable) else [*given]
    if not all(map(_is_symbol, listed)):
        raise ProgramError(f"{name}: inputs are a vector such as vector('x', n), or several, got {inputs!r}")
    return tuple(listed)


def _is_symbol(value: Any) -> bool:
    return isinstance(value, MatrixSymbol)


def _listed(name: str, option: str, given: Any, example: str) -> list[Any]:
    if isinstance(given, str | MatrixSymbol | MatrixExpr) or not isinstance(given, Iterable):
        raise ProgramError(f"{name}: {option} are a list such as {example}, got {given!r}")
    return list(given)


def _pair(name: str, pair: Any) -> tuple[MatrixSymbol, MatrixSymbol]:
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(map(_is_symbol, pair)):
        raise ProgramError(f"{name}: a state is a pair of vectors, before and after, such as (h_prev, h), got {pair!r}")
    return pair[0], pair[1]


def _check_name(name: str, called: str, sizes: Collection[str]) -> None:
    """Refuse a name that the source of a step cannot have, or has for something else."""
    if not _WORD.fullmatch(called) or iskeyword(called):
        raise ProgramError(
            f"{name}: a value is named by letters, digits and _, a letter first, no keyword of Python; got {called!r}"
        )
    if called in sizes:
        raise ProgramError(f"{name}: {called} is the name of a size, and cannot be that of a value too")
    if called in _TAKEN:
        raise ProgramError(f"{name}: {called} has a meaning in the source of a step; take another name")


def _check_constants(
    name: str, symbols: Iterable[MatrixSymbol], definitions: Iterable[Equation], constants: Sequence[Symbol]
) -> None:
    """Refuse a scalar that is neither a size nor a constant with a value."""
    sizes = {s for symbol in symbols for side in symbol.shape for s in side.free_symbols}
    for d in definitions:
        functions = d.expression.atoms(Elementwise)
        read = {s for e in (d.expression, *(f.function for f in functions)) for s in e.free_symbols}
        scalars = {s for s in read if isinstance(s, Symbol)} - sizes - {*constants}
        for symbol in sorted(scalars, key=str):
            alike = " and write the symbol that it returns" if symbol.name in {s.name for s in constants} else ""
            raise ProgramError(
                f"{name}: {symbol} in {d} has no value: put constant({symbol.name!r}, …) into constants{alike}"
            )


def _equation(name: str, pair: Any) -> Equation:
    try:
        symbol, expression = pair
    except (TypeError, ValueError):
        raise ProgramError(f"{name}: an equation is a pair (symbol, expression), got {pair!r}") from None
    if not isinstance(symbol, MatrixSymbol):
        raise ProgramError(f"{name}: the left side of an equation is a vector or a matrix, got {symbol!r}")
    if not isinstance(expression, MatrixExpr):
        raise ProgramError(
            f"{name}: the right side of {symbol} is an expression of vectors and matrices, got {expression!r}"
        )
    return Equation(symbol, expression)


_KINDS = ("W", "R", "b", "bR", "p", "g", "gR", "k")


def _by_kind(parameters: list[MatrixSymbol]) -> tuple[MatrixSymbol, ...]:
    """Order parameters as they are listed: all W, all R, all b, …, the gates in order within each."""
    kinds = list(dict.fromkeys([*_KINDS, *(p.name.partition("_")[0] for p in parameters)]))
    return tuple(sorted(parameters, key=lambda p: kinds.index(p.name.partition("_")[0])))
