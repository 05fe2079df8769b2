"""What ``derive`` prints: the cell, its backward pass, a Jacobian, or the recurrence through time."""

from collections.abc import Collection, Iterable, Sequence

from lstm_spec.calculus.adjoint import adjoint_symbol, backward
from lstm_spec.calculus.bptt import ThroughTime, bptt
from lstm_spec.calculus.jacobian import jacobian as jacobian_of
from lstm_spec.spec.equation import ProgramError
from lstm_spec.spec.program import Program
from lstm_spec.write.write import write


def derived_text(
    cell: Program,
    *,
    wrt: Sequence[str] | None = None,
    form: str = "text",
    notation: str = "design",
    level: str = "matrix",
    forward: bool = False,
    jacobian: Sequence[str] | None = None,
    through_time: bool = False,
    window: int | None = None,
) -> str:
    """Return the formulas of a cell in a format.

    wrt: names of parameters, inputs or previous states; only what leads to their gradients is returned. forward: the
    equations of the cell itself. jacobian: (of, with respect to), names of a state and of a previous state or an input.
    through_time: as a recurrence with its ends, in a format that is no source; window: the length of the blocks of
    truncated backpropagation. Raises ProgramError for a name that the cell does not have.

    >>> from lstm_spec.spec.cells import lstm
    >>> print(derived_text(lstm(), wrt=["b_o"]), end="")
    δh = δy + δh⁺
    δo = δh∘tanh(c)
    δa_o = δo∘o∘(1 − o)
    δb_o = Σ_t δa_o
    """
    if through_time:
        if forward or jacobian is not None:
            other = "the equations of the cell itself" if forward else "a Jacobian of one step"
            raise ProgramError(f"backpropagation through time and {other} are two things: derive one after the other")
        found = bptt(cell, window=window)
        names = None if wrt is None else _leading_through_time(found, cell, wrt)
        return write(found, format=form, notation=notation, level=level, only=names)
    if forward and jacobian is not None:
        raise ProgramError("the equations of the cell itself and a Jacobian are two things: derive one after the other")
    if wrt is not None and (forward or jacobian is not None):
        other = "the equations of the cell itself have none" if forward else "a Jacobian names its own, as c,c_prev"
        raise ProgramError(f"wrt chooses gradients of a backward pass, and {other}: leave it out")
    if forward:
        program, only = cell, None
    elif jacobian is not None:
        if len(jacobian) != 2:
            raise ProgramError(f"a Jacobian is named by two names such as c,c_prev, got {','.join(jacobian)}")
        program, only = jacobian_of(cell, of=jacobian[:1], wrt=jacobian[1:]), None
    else:
        program = backward(cell)
        only = None if wrt is None else leading_to(program, [_adjoint(cell, name) for name in wrt])
    return write(program, format=form, notation=notation, level=level, only=only)


def leading_to(program: Program, names: Iterable[str]) -> list[str]:
    """Return the names of the derived equations that some of them depend on, in order; through the step after too."""
    uses: dict[str, Collection[str]] = {d.name: d.uses for d in program.derived}
    if program.derivation == "bptt":
        uses |= {after.name: (now.name,) for after, now in program.carried}
    wanted: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in uses and name not in wanted:
            wanted.add(name)
            pending.extend(uses[name])
    return [d.name for d in program.derived if d.name in wanted]


def _leading_through_time(found: ThroughTime, cell: Program, wrt: Iterable[str]) -> list[str]:
    """Return the names of the equations that lead to some gradients; those of the states before are of step 0."""
    before = dict(zip((s.name for s, _ in cell.recurrence), found.first, strict=True))
    names = {name: _adjoint(cell, name) for name in wrt}
    first = [before[name] for name in names if name in before]
    inner = [adjoint for name, adjoint in names.items() if name not in before]
    return [*leading_to(found.recurrence, [*inner, *(n for d in first for n in d.uses)]), *(d.name for d in first)]


def _adjoint(cell: Program, name: str) -> str:
    known = {s.name: s for s in cell.leaves}
    if name not in known:
        raise ProgramError(f"{cell.name} has no {name} to differentiate by; it has {', '.join(known)}")
    return str(adjoint_symbol(cell, known[name]).name)
