"""The equations of a Program as typeset lines: which ones, at which level, in which notation."""

from collections.abc import Iterable, Iterator
from typing import Any

from sympy import BlockMatrix, HadamardProduct, Integer, MatAdd, MatMul, MatrixSymbol, Symbol, evaluate
from sympy.matrices.expressions.matexpr import MatrixElement

from lstm_spec.spec import typeset as ts
from lstm_spec.spec.elements import element, unit_row
from lstm_spec.spec.equation import Equation, names_in
from lstm_spec.spec.formula import Setting
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.notations import Notation, NotationError
from lstm_spec.spec.program import Program, names_of
from lstm_spec.spec.scalars import SUM, Piece, Scalars, WriteError, size_tree
from lstm_spec.spec.typeset import Tree, plain, row

Line = tuple[Tree, Tree]

_INDICES = tuple(Symbol(letter, integer=True, nonnegative=True) for letter in ("j", "l", "p", "r", "s", "v"))


def lines(program: Program, *, notation: Notation, level: str, only: Iterable[str] | None) -> list[Line]:
    """Return the left and right side of each equation to print.

    program: of a backward one only the adjoints are printed; level: "matrix" or "unit"; only: the names to print.
    Raises WriteError for a name that nothing defines, NotationError where two symbols would look alike.
    """
    setting = setting_of(program, notation)
    check_distinct(program, setting)
    chosen = chosen_equations(program, only)
    if level == "matrix":
        return equation_lines(program, chosen, setting)
    if level == "unit":
        return list(_unit_lines(program, chosen if only is not None else _without_inlined(program, chosen), setting))
    raise WriteError(f'level is one of "matrix", "unit", got {level!r}')


def setting_of(program: Program, notation: Notation) -> Setting:
    """Return how the symbols of a Program are set in a notation."""
    return Setting(notation, program.shared, frozenset(program.symbols), frozenset(_arriving(program)))


def _arriving(program: Program) -> Iterator[str]:
    """Yield the adjoints that pass from step to step: part of ∂loss/∂h at their step, which is why they are marked."""
    if program.derivation == "backward":
        yield from (s.name for pair in program.carried for s in pair)
        yield from (s.name for s in program.inputs if parse_name(s.name).adjoint and parse_name(s.name).time)
    if program.origin is not None:
        yield from _arriving(program.origin)


def check_distinct(program: Program, setting: Setting) -> None:
    """Refuse a notation that writes two symbols of a Program alike; raises NotationError that names them."""
    written: dict[str, str] = {}
    for name in program.symbols:
        look = plain(setting.symbol(name))
        if look in written:
            raise NotationError(
                f"notation {setting.notation.name} writes both {written[look]} and {name} of {program.name} as {look}; "
                "give one of them another symbol"
            )
        written[look] = name


def chosen_equations(program: Program, only: Iterable[str] | None) -> list[Equation]:
    """Return the equations to print: those named, or the adjoints of a backward Program, or all."""
    if only is None:
        return list(program.derived)
    known = {d.name: d for d in program}
    names = names_of(only)
    for name in names:
        if name not in known:
            raise WriteError(f"{program.name} defines no {name}; it defines {', '.join(known)}")
    return [known[name] for name in names]


def equation_lines(program: Program, chosen: Iterable[Equation], setting: Setting) -> list[Line]:
    """Return equations over the values of a Program for whole layer vectors."""
    return [(setting.symbol(d.name), _right(program, d, setting.write(d.expression), setting)) for d in chosen]


def _right(program: Program, d: Equation, value: Piece, setting: Setting) -> Tree:
    """Return the right side; what is per row on a shared left side is summed over rows and steps."""
    if not d.shared or names_in(d.expression) <= program.shared:
        return value.tree
    return row(ts.Total(ts.Letter(setting.now)), value.at_least(SUM + 1))


def _unit_lines(program: Program, chosen: list[Equation], setting: Setting) -> Iterator[Line]:
    inlined = _concatenations(program)
    scalars = Scalars(entry=lambda e: _entry(e, setting))
    for d in chosen:
        is_matrix = d.symbol.shape[1] != 1
        column, bound = (_INDICES[0], _INDICES[1:]) if is_matrix else (Integer(0), _INDICES)
        # SymPy would sort the terms of a sum and the factors of a product; they stay as written.
        with evaluate(False):
            value = element(_inline(d.expression, inlined), unit_row(d.symbol), column, bound=bound)
        at = MatrixElement(d.symbol, unit_row(d.symbol), column)
        yield _entry(at, setting), _right(program, d, scalars.write(value), setting)


def _concatenations(program: Program) -> dict[Any, Any]:
    return {d.symbol: d.expression for d in program if isinstance(d.expression, BlockMatrix)}


def _without_inlined(program: Program, chosen: list[Equation]) -> list[Equation]:
    """Leave out the concatenations that are only multiplied: they belong to no unit, and the sums name their parts."""
    inlined = _concatenations(program)
    read = {name for d in chosen for name in names_in(_inline(d.expression, inlined))}
    return [d for d in chosen if d.symbol not in inlined or d.name in read]


def _inline(e: Any, inlined: dict[Any, Any]) -> Any:
    """Put a concatenation where it is multiplied from the left, so that it becomes one sum per part."""
    if isinstance(e, MatrixSymbol) or not e.args:
        return e
    args = [_inline(a, inlined) for a in e.args]
    if isinstance(e, MatMul) and args[-1] in inlined:
        args[-1] = inlined[args[-1]]
    if all(a is b for a, b in zip(args, e.args, strict=True)):
        return e
    return e.func(*args, evaluate=False) if isinstance(e, MatMul | MatAdd | HadamardProduct) else e.func(*args)


def _entry(e: MatrixElement, setting: Setting) -> Tree:
    own = (size_tree(e.i),) if e.parent.shape[1] == 1 else (size_tree(e.i), size_tree(e.j))
    return setting.symbol(e.parent.name, index=own)
