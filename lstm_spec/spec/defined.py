"""Whether every name of a Program is given or defined, once, before it is used, and with one shape."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lstm_spec.spec.dimensions import Shape
from lstm_spec.spec.equation import Equation, ProgramError, matrices_in
from lstm_spec.spec.notation import shape_text, symbol_text

if TYPE_CHECKING:
    from lstm_spec.spec.program import Program


def check_names(program: "Program") -> None:
    """Raise ProgramError for a name that is undefined, defined twice, in a circle, or of two shapes."""
    defined_later = {d.name: d for d in program.definitions}
    shapes = {s.name: s.shape for s in (*(d.symbol for d in program.definitions), *program.leaves)}
    seen: dict[str, str] = {}
    for symbol in program.leaves:
        _claim(seen, symbol.name, "given", program)
    for d in program.definitions:
        for name in sorted(d.uses - seen.keys()):
            raise ProgramError(f"{program.name}: {_missing(name, d, defined_later)}")
        _check_one_shape(program, shapes, d.expression, d)
        _claim(seen, d.name, "defined", program)
    for name in (*program.outputs, *program.states):
        if name not in seen:
            raise ProgramError(f"{program.name}: output {symbol_text(name)} is defined by no equation")
    for _, after in program.recurrence:
        _check_one_shape(program, shapes, after, "the recurrence")


def _claim(seen: dict[str, str], name: str, how: str, program: "Program") -> None:
    if name in seen:
        raise ProgramError(f"{program.name}: {symbol_text(name)} is {how} although it is already {seen[name]}")
    seen[name] = how


def _missing(name: str, d: Equation, later: Mapping[str, Equation]) -> str:
    if name not in later:
        return f"{symbol_text(name)} is used in {d} but is neither given nor defined"
    cycle = _path(name, d.name, later)
    if cycle:
        return f"the equations go in a circle: {' → '.join(symbol_text(n) for n in (d.name, *cycle))}"
    return f"{symbol_text(name)} is used in {d} before it is defined; put {later[name]} first"


def _path(start: str, goal: str, later: Mapping[str, Equation]) -> tuple[str, ...]:
    """Return the names from ``start`` to ``goal`` along what each equation uses, or () if there is no such way."""
    ways: list[tuple[str, ...]] = [(start,)]
    visited = {start}
    while ways:
        way = ways.pop()
        if way[-1] == goal:
            return way
        following: Iterable[str] = later[way[-1]].uses if way[-1] in later else ()
        for name in sorted(set(following) - visited):
            visited.add(name)
            ways.append((*way, name))
    return ()


def _check_one_shape(program: "Program", shapes: Mapping[str, Shape], expression: Any, where: object) -> None:
    """Refuse two symbols of one name with different shapes, which SymPy takes for two unrelated matrices."""
    for s in matrices_in(expression):
        if s.shape != shapes[s.name]:
            listed = f"{shape_text(s.shape)} in {where} and {shape_text(shapes[s.name])} elsewhere"
            raise ProgramError(f"{program.name}: {symbol_text(s.name)} has two shapes, {listed}")
