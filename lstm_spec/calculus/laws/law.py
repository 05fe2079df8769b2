"""What a law is: a statement about any correct implementation of a cell that needs no oracle.

A law takes a case and the answers of an implementation, and claims that two arrays are equal, or that one is nowhere
above the other. Every answer comes with the error that rounding may have left in it (a ``Measured`` array), and linear
maps carry that along, so a claim holds in floating point up to a derived allowance: |left − right| ≤ the sum of both
errors. Laws that a sane implementation keeps to the last bit are marked ``bitwise``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from lstm_spec.calculus.laws.linear import Array, Linear, Measured, apply, move, transpose
from lstm_spec.spec.program import Program


@dataclass(frozen=True)
class Case:
    """What an implementation is asked.

    leaves: by name the parameters, "x" (T, B, n), and the initial states "h0", "c0", … (B, m). cotangents: of "y"
    (T, B, m) and of every final state by its name. lengths: (B,), the steps of every row, where they differ.
    errors: for some of these names, how far rounding may have moved the numbers from the ones that a law means.
    """

    leaves: Mapping[str, Array]
    cotangents: Mapping[str, Array]
    errors: Mapping[str, Array] = field(default_factory=dict)
    lengths: Array | None = None

    @property
    def x(self) -> Array:
        """The input sequence (T, B, n)."""
        return self.leaves["x"]

    def put(self, **arrays: Any) -> "Case":
        """Return the case with other arrays, in the format of the case, without errors of their own."""
        cast = {name: np.asarray(a, self.x.dtype) for name, a in arrays.items()}
        leaves = {**self.leaves, **{name: a for name, a in cast.items() if name in self.leaves}}
        cotangents = {**self.cotangents, **{name: a for name, a in cast.items() if name in self.cotangents}}
        return replace(self, leaves=leaves, cotangents=cotangents)

    def part(self, steps: slice = slice(None), rows: slice | list[int] = slice(None)) -> "Case":
        """Return the case with some steps and rows only."""

        def cut(name: str, a: Array) -> Array:
            return a[steps][:, rows] if name in ("x", "y") else a[rows]

        own = {name: cut(name, a) if name == "x" or name in self.states else a for name, a in self.leaves.items()}
        return replace(self, leaves=own, cotangents={name: cut(name, a) for name, a in self.cotangents.items()})

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the initial states among the leaves."""
        return tuple(f"{name}0" for name in self.cotangents if name != "y")

    @property
    def params(self) -> Mapping[str, Array]:
        """The parameters by name."""
        return {name: a for name, a in self.leaves.items() if name != "x" and name not in self.states}


Answer = Mapping[str, Measured]


@dataclass(frozen=True)
class Answers:
    """An implementation as a law sees it.

    forward: what it returns for a case, "y" and the final states by name; backward: its gradients by the names of the
    leaves, for the cotangents of the case; None where it offers none. along: the derivative of what forward returns
    along a direction (leaves by name), None where the implementation cannot be asked for it. truncated: its gradients
    when no adjoint passes the ends of blocks of so many steps, likewise.
    """

    forward: Callable[[Case], Answer]
    backward: Callable[[Case], Answer] | None = None
    along: Callable[[Case, Mapping[str, Array]], Answer] | None = None
    truncated: Callable[[Case, int], Answer] | None = None


@dataclass(frozen=True)
class Claim:
    """One array that a law says is equal to another one, or nowhere above it, up to their errors."""

    name: str
    left: Measured
    right: Measured
    relation: Literal["=", "≤"] = "="

    @property
    def allowed(self) -> Array:
        """How far the two sides may be apart, or the left one above the right one."""
        return self.left.error + self.right.error

    @property
    def apart(self) -> Array:
        """How far they are, NaN where a number is none."""
        difference = self.left.value - self.right.value
        return np.abs(difference) if self.relation == "=" else np.maximum(difference, 0.0)

    @property
    def holds(self) -> bool:
        """Whether every entry is within what is allowed."""
        return bool(np.all(self.apart <= self.allowed))


Ask = Callable[[Any], Answers]
"""What gives the answers of an implementation of a cell, or of a network."""

Claims = Callable[[Program, Case, Ask], Iterator[Claim]]


@dataclass(frozen=True)
class Law:
    """A law.

    id: its stable name; number: its place in the list of laws; statement: what it says; source: who said it first, or
    what it follows from. holds_for: whether it says something about a cell, read off the equations. claims: takes the
    cell, a case and ``ask``, which gives the answers of an implementation of a cell, and yields what has to hold; most
    laws ask about the cell itself only (``alone``), the others hold two cells together. gradients: whether it is about
    the backward pass alone. bitwise: whether a sane implementation keeps it to the last bit.
    """

    id: str
    number: int
    statement: str
    holds_for: Callable[[Program], bool]
    claims: Claims
    source: str = "follows from the equations"
    alone: bool = True
    gradients: bool = False
    bitwise: bool = False


@dataclass(frozen=True)
class Twin:
    """Two questions that have one answer: θ asked of a cell, and φ(θ) of the same or of another one.

    leaves: φ, linear, from the leaves of the cell to those of the other one; constant: what it adds. seen: what of the
    cell's outputs both have, mapped to common names; other_seen: the same for the other one; by default everything.
    """

    leaves: Linear
    constant: Mapping[str, Array] = field(default_factory=dict)
    seen: Linear | None = None
    other_seen: Linear | None = None
    other: Program | None = None

    def claims(self, cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
        """Yield the claims about values, and by the transpose of φ those about gradients."""
        own, others = ask(cell), ask(self.other or cell)
        common = self._common(case)
        twin, first = self._questions(cell, case, common)
        left, right = apply_to(self.seen, own.forward(case)), apply_to(self.other_seen, others.forward(twin))
        for name in common:
            yield Claim(name, left[name], right[name])
        if own.backward is None or others.backward is None:
            return
        back = transpose(self.leaves)
        gradients = apply(back, others.backward(twin))
        for name, gradient in own.backward(first).items():
            if name in gradients:
                yield Claim(f"d{name}", gradient, gradients[name])

    def _common(self, case: Case) -> dict[str, Array]:
        """Return the cotangents of what both have."""
        if self.seen is None:
            return dict(case.cotangents)
        return move(self.seen, case.cotangents)[0]

    def _questions(self, cell: Program, case: Case, common: Mapping[str, Array]) -> tuple[Case, Case]:
        """Return the other question, and the cell's own, with the cotangents that belong together."""
        images, errors = move(self.leaves, case.leaves, self.constant)
        theirs, off = (dict(common), {}) if self.other_seen is None else move(transpose(self.other_seen), common)
        mine, own_off = (dict(common), {}) if self.seen is None else move(transpose(self.seen), common)
        theirs, mine = _complete(theirs, self.other or cell, images), _complete(mine, cell, case.leaves)
        return Case(images, theirs, {**errors, **off}), replace(
            case, cotangents=mine, errors={**case.errors, **own_off}
        )


def _complete(cotangents: Mapping[str, Array], cell: Program, leaves: Mapping[str, Array]) -> dict[str, Array]:
    """Return cotangents of every output, zero for those that nothing is said of."""
    states = {s: cotangents.get(s, np.zeros_like(leaves[f"{s}0"])) for s in cell.states}
    return {"y": cotangents["y"], **states}


def apply_to(linear: Linear | None, answer: Answer) -> Answer:
    """Return the image of an answer; None is the identity."""
    return answer if linear is None else apply(linear, answer)


Errors = Callable[[Case], Mapping[str, Array]]


def answers(
    cell: Program,
    forward: Callable[..., Any],
    backward: Callable[..., Any] | None = None,
    *,
    errors: Errors,
    gradient_errors: Errors,
) -> Answers:
    """Return functions of the canonical form as a law sees them.

    forward: ``forward(params, x, *states) -> (y, *states)``; backward: ``backward(params, x, *states, dy, *dstates) ->
    (dparams, dx, *dstates0)``. errors, gradient_errors: for a case, how far rounding may take every output and every
    gradient of a correct implementation.
    """
    initial = [f"{s}0" for s in cell.states]

    def arguments(case: Case) -> list[Any]:
        return [case.params, case.x, *(case.leaves[name] for name in initial)]

    def asked(case: Case) -> Answer:
        returned = dict(zip(("y", *cell.states), forward(*arguments(case)), strict=True))
        return _measured(returned, errors(case))

    def asked_back(case: Case) -> Answer:
        assert backward is not None
        dparams, *others = backward(*arguments(case), *(case.cotangents[name] for name in ("y", *cell.states)))
        returned = {**dparams, **dict(zip(("x", *initial), others, strict=True))}
        return _measured(returned, gradient_errors(case))

    return Answers(asked, asked_back if backward else None)


def _measured(returned: Mapping[str, Array], errors: Mapping[str, Array]) -> Answer:
    return {name: Measured(np.asarray(a, np.float64), errors[name]) for name, a in returned.items()}
