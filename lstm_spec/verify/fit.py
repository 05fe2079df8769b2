"""Whether a target, its specification and what a user asks for fit together, found out before anything is asked."""

import difflib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import FORMATS
from lstm_spec.compute.contracts import Contracts, Given, contracts
from lstm_spec.compute.forced import backward_bounds, forced_bounds
from lstm_spec.compute.formats import dtype_of
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.built_in import BUILT_IN
from lstm_spec.targets.calls import Remote
from lstm_spec.targets.claims import claimed
from lstm_spec.targets.command import Command
from lstm_spec.targets.contract import Target, TargetError, check_format
from lstm_spec.targets.held import Held
from lstm_spec.targets.isolated import isolated
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.library import is_library
from lstm_spec.targets.process import Limits, limited
from lstm_spec.targets.python import load, target_of
from lstm_spec.targets.reference import SPEC, compiled_spec
from lstm_spec.verify.cases import fixed_sizes, shapes_of
from lstm_spec.verify.deadline import NEVER, Deadline
from lstm_spec.verify.subject import Subject


class UsageError(ValueError):
    """An option of a verification that does not exist or does not fit the target."""


def subject_of(
    target: Any,
    spec: str | Program | Network | None,
    layout: str | Layout | None,
    *,
    like: str | None = None,
    accuracy: Given = None,
    limits: Limits | None = None,
) -> Subject:
    """Return a target with its specification, whatever fails in every case refused; arguments as for ``verify``.

    limits: what it may take in a process of its own, where it is to run in one.
    """
    exact = contracts(accuracy)
    found = _found(target, layout, like, limits)
    cell = claimed(found, spec)
    if isinstance(target, str) and target == SPEC:
        found.release()
        found = _found(compiled_spec(cell), None, None, limits)
    elif isinstance(target, str) and target in BUILT_IN:
        own = [p.name for p in claimed(found).parameters]
        _check_parameters(found, cell, own, "is built in; its parameters")
    if found.weights is not None:
        _check_parameters(found, cell, found.weights, "has weights that")
    _check_rules(found, cell, exact)
    return Subject(found, cell, contracts=exact)


def _found(target: Any, layout: str | Layout | None, like: str | None, limits: Limits | None) -> Target:
    if isinstance(target, Command):
        if like is not None:
            raise UsageError(f"{target.text} is a program, which is like no class; leave like out")
        return target.target(layout=layout, limits=limits)
    remote = isinstance(target, Target) and isinstance(target.forward, Remote)
    if limits is not None and not remote:
        return isolated(target, layout=layout, like=like, limits=limits)
    return (load if isinstance(target, str) else target_of)(target, layout=layout, like=like)


def _check_parameters(target: Target, cell: Program | Network, names: Iterable[str], what: str) -> None:
    wanted = {p.name for p in cell.parameters}
    if wrong := sorted(map(str, wanted.symmetric_difference(names))):
        raise TargetError(f"{target.name} {what} are not those of {cell.name}; they differ in {', '.join(wrong)}")


def _check_rules(target: Target, cell: Program | Network, exact: Contracts) -> None:
    """Refuse what would fail in every case: fixed weights or a layout that do not fit, a function without rule."""
    try:
        sizes = fixed_sizes(cell, target.weights) or {s.name: 1 for s in cell.sizes}
    except DimensionError as error:
        raise TargetError(f"{target.name}.weights: {error}") from error
    shapes = shapes_of(cell, sizes, 1, 1, gradients=True)
    case = shapes.fill(np.zeros(shapes.count), regime="zero")
    held = Held(target.layout, cell)
    held.pack(case.params)
    held.to_states(case.states or held.blank_states(case.params, 1))
    dy, *dstates = case.cotangents
    forced_bounds(cell, case.params, case.x, case.states, dy, exact["float64"])
    if target.backward is not None:
        backward_bounds(cell, case.params, case.x, case.states, dy, dy, tuple(dstates), exact["float64"])


def runs_apart(target: Any) -> bool:
    """Tell whether a target runs in a process of its own without being asked to."""
    return isinstance(target, Command) or (isinstance(target, str) and is_library(target.rpartition(":")[0]))


def limits_of(isolate: bool, timeout: float | None, memory: float | None) -> Limits | None:
    """Return what a target may take in a process of its own, None where it runs in ours; raises UsageError."""
    for name, value in {"timeout": timeout, "memory": memory}.items():
        if value is not None and not isolate:
            raise UsageError(f"{name} limits a target in a process of its own; add isolate")
    return limited(timeout, memory) if isolate else None


def deadline_in(seconds: float | None) -> Deadline:
    """Return the deadline so many seconds from now, NEVER where none are given; raises UsageError."""
    if seconds is None:
        return NEVER
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise UsageError(f"max_seconds is a number of seconds from 0 on, got {seconds!r}")
    return Deadline.after(seconds)


def check_known(what: str, name: str, names: Iterable[str]) -> None:
    """Raise UsageError for a name that is none of some, with the closest one."""
    known = list(names)
    if name not in known:
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(known)}"
        raise UsageError(f'there is no {what} "{name}"; {hint}')


def formats_of(target: Target, dtypes: Iterable[str] | None) -> tuple[str, ...]:
    """Return the formats to check, by default those of the target; raises UsageError or TargetError."""
    formats = tuple(dict.fromkeys(target.dtypes if dtypes is None else dtypes))
    if not formats:
        raise UsageError(f"no format is left to check; there is {', '.join(FORMATS)}")
    for dtype in formats:
        check_known("format", dtype, FORMATS)
        dtype_of(dtype)
        check_format(target, dtype)
    return formats
