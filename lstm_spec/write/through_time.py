"""Backpropagation through time as it is set: its sections, each under its heading."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from sympy import MatrixSymbol

from lstm_spec.calculus.bptt import Section, ThroughTime
from lstm_spec.spec.formula import Setting
from lstm_spec.spec.notations import Notation
from lstm_spec.spec.scalars import WriteError
from lstm_spec.spec.typeset import Tree
from lstm_spec.write.formulas import Line, check_distinct, equation_lines, setting_of


@dataclass(frozen=True)
class Passage:
    """A heading of words and formulas, and the equations under it."""

    heading: tuple[str | Tree, ...]
    lines: list[Line]


def passages(through_time: ThroughTime, *, notation: Notation, only: Collection[str] | None) -> list[Passage]:
    """Return what to print: the steps, the sums, and the two ends.

    only: the names to print, of all sections. Raises WriteError for a name that no equation defines, NotationError
    where two symbols would look alike.
    """
    recurrence = through_time.recurrence
    ends = {s.name for s in (*through_time.external, *(d.symbol for d in through_time.first))}
    setting = replace(setting_of(recurrence, notation), ends=frozenset(ends))
    check_distinct(recurrence, setting)
    sections = list(through_time.sections())
    if only is not None:
        sections = [_restricted(section, only) for section in sections]
        known = list(dict.fromkeys(d.name for section in through_time.sections() for d in section.equations))
        for name in only:
            if name not in known:
                raise WriteError(f"{recurrence.name} defines no {name}; it defines {', '.join(known)}")
    return [_passage(section, through_time, setting) for section in sections if section.equations]


def _restricted(section: Section, only: Collection[str]) -> Section:
    return replace(section, equations=tuple(d for d in section.equations if d.name in only))


def _passage(section: Section, through_time: ThroughTime, setting: Setting) -> Passage:
    at_step = replace(setting, now=section.step)
    heading = tuple(at_step.symbol(p.name) if isinstance(p, MatrixSymbol) else p for p in section.heading)
    return Passage(heading, equation_lines(through_time.recurrence, section.equations, at_step))
