"""A target beside its specification: calling it on cases, and holding what it returns against the equations."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.contracts import Contracts, contracts
from lstm_spec.compute.forced import differentiated_bounds, forced_bounds
from lstm_spec.compute.lengths import alive
from lstm_spec.compute.rounding import Bounded
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.targets.calls import Past
from lstm_spec.targets.contract import Ends, Gradients, Outputs, Target, call_backward, call_forward, ends
from lstm_spec.targets.held import held
from lstm_spec.verify import exposed
from lstm_spec.verify.cases import Array, Case
from lstm_spec.verify.compare import Comparison, compare, of
from lstm_spec.verify.deadline import NEVER, Deadline

Method = Literal["forward", "differentiated"]


@dataclass(frozen=True)
class Question:
    """One call of a target: which of its functions, on which case, and what came.

    returned: in the specification's terms, outputs by name or gradients by what they belong to; empty where what came
    was no answer. memory: how the arrays lay, "" for as usual.
    """

    method: Method | Literal["backward"]
    case: Case
    returned: Mapping[str, Array]
    memory: str = ""


@dataclass(frozen=True)
class Subject:
    """A target with the specification that it is held against.

    asked: takes every call as it is made, where somebody wants to make them again. contracts: how exact it has to be,
    by format. deadline: after which it is called no more.
    """

    target: Target
    cell: Program | Network
    asked: list[Question] | None = None
    contracts: Contracts = field(default_factory=contracts)
    deadline: Deadline = NEVER

    @property
    def ends(self) -> Ends:
        """Which states the target takes and returns."""
        return ends(self.target, self.cell)

    @property
    def begun(self) -> tuple[str, ...]:
        """The states of every pass whose initial values the target takes."""
        return self._passes(self.ends.initial)

    @property
    def returned(self) -> tuple[str, ...]:
        """What a forward pass returns: y, and states of every pass."""
        return ("y", *self._passes(self.ends.final))

    def _passes(self, names: tuple[str, ...]) -> tuple[str, ...]:
        stacks = network_of(self.cell).stacks
        return tuple(state for name in names for state in stacks[name])

    def taken(self, case: Case) -> Case:
        """Return a case with nothing but zero in what the target does not take: initial states, cotangents.

        Where no other cotangent is left, y has one at its last step.
        """
        if self.target.initial is self.target.final is self.target.cotangents is None:
            return case
        states = case.states and self._kept(case.states, self.ends.initial)
        if not case.cotangents:
            return replace(case, states=states)
        dy, *dstates = case.cotangents
        kept = self._kept(tuple(dstates), self.ends.cotangents)
        if not any(d.any() for d in (dy, *kept)):
            dy = dy.copy()
            last = dy[-1] if dy.ndim == 3 else dy
            last += next((d for d in dstates if d.any() and d.shape == last.shape), 0)
        return replace(case, states=states, cotangents=(dy, *kept))

    def _kept(self, arrays: tuple[Array, ...], names: Collection[str]) -> tuple[Array, ...]:
        """Return arrays of every state, those that are not of these names zero."""
        own = held(self.target.layout, self.cell)
        packed = zip(own.states, own.to_states(arrays), strict=True)
        return own.from_states(tuple(a if name in names else np.zeros_like(a) for name, a in packed))

    def call(self, case: Case, *, memory: str = "") -> tuple[Outputs, Past]:
        """Call the target's forward pass on a case, its arrays in a given memory; raises MisbehaviourError."""
        return self._forward("forward", case, memory)

    def compare(self, case: Case, outputs: Outputs, contract: Accuracy) -> Comparison:
        """Hold what one call returned against the specification, h taken from the target at every step."""
        allowed = forced_bounds(self.cell, case.params, case.x, case.states, outputs.y, contract, case.lengths)
        return self._compare_outputs(case, outputs, allowed, contract)

    def _compare_outputs(
        self, case: Case, outputs: Outputs, allowed: Mapping[str, Bounded], contract: Accuracy
    ) -> Comparison:
        y, bound = outputs.y, allowed["y"]
        if case.lengths is not None and network_of(self.cell).free_padding:
            # What may be anything is left out on both sides, or every such case would be one that cannot tell.
            lasting = alive(case.lengths, case.T)
            y = np.where(lasting, y, 0)
            bound = Bounded(np.where(lasting, bound.value, 0), np.where(lasting, bound.errors, 0))
        got = {"y": y, **outputs.states}
        return compare(got, of({**allowed, "y": bound}, got), contract)

    def call_differentiated(self, case: Case) -> Outputs:
        """Call the forward pass as the target's backward pass runs it; raises MisbehaviourError."""
        method: Method = "differentiated" if self.target.differentiated else "forward"
        return self._forward(method, case)[0]

    def call_backward(self, case: Case) -> tuple[Gradients, Past]:
        """Call the target's backward pass on a case; raises MisbehaviourError."""
        dy, *dstates = case.cotangents
        given = (case.params, case.x, case.states, dy, tuple(dstates))
        with self._recorded("backward", case) as returned:
            gradients, call = call_backward(self.target, self.cell, *given, lengths=case.lengths)
            returned |= gradients.values
        return gradients, call

    def _forward(self, method: Method, case: Case, memory: str = "") -> tuple[Outputs, Past]:
        given = (self.target, self.cell, case.params, case.x, case.states)
        with self._recorded(method, case, memory) as returned:
            outputs, call = call_forward(*given, method=method, lengths=case.lengths, memory=memory)
            returned |= {"y": outputs.y, **outputs.states}
        return outputs, call

    @contextmanager
    def _recorded(
        self, method: Method | Literal["backward"], case: Case, memory: str = ""
    ) -> Iterator[dict[str, Array]]:
        """Take down a call, whatever becomes of it; raises OutOfTime where it is too late for one."""
        self.deadline.check()
        returned: dict[str, Array] = {}
        try:
            yield returned
        finally:
            if self.asked is not None:
                self.asked.append(Question(method, case, returned, memory))

    def compare_gradients(self, case: Case, outputs: Outputs, gradients: Gradients, contract: Accuracy) -> Comparison:
        """Hold gradients against the backward pass of the specification, on the h that backward ran on.

        outputs: of the forward pass that backward ran; where they are wrong themselves, they are what is compared.
        """
        dy, *dstates = case.cotangents
        features = exposed.still_shown(self.cell, case) if isinstance(self.cell, Program) else {}
        shown = {adjoint: gradients.values["x"][..., place] for adjoint, place in features.items()}

        def allowed(seen: Mapping[str, Bounded]) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
            given = (case.params, case.x, case.states, outputs.y, dy, tuple(dstates))
            return differentiated_bounds(self.cell, *given, contract, case.lengths, shown=seen)

        returned, bounds = allowed({name: Bounded(np.asarray(a, np.float64)) for name, a in shown.items()})
        forward = self._compare_outputs(case, outputs, returned, contract)
        if not forward.agrees:
            return forward
        got = {f"d{name}": gradient for name, gradient in gradients.values.items()} | shown
        matrices = [f"d{p.name}" for p in self.cell.parameters if case.params[p.name].ndim == 2]
        scale = _size(case.cotangents)
        comparison = compare(got, of(_named(bounds, shown), got), contract, matrices, scale=scale)
        if comparison.agrees or not shown:
            return comparison
        # A compiler may compute an adjoint twice, rounded otherwise: once for what it shows, and once to go on with.
        doubt = {name: Bounded(np.asarray(a, np.float64), 2 * bounds[name].errors) for name, a in shown.items()}
        return compare(got, of(_named(allowed(doubt)[1], shown), got), contract, matrices, scale=scale)


def _size(arrays: Iterable[Array]) -> float:
    """Return the usual size of the numbers in some arrays that are not zero; 1 if there are none."""
    numbers = np.concatenate([np.asarray(a, np.float64).ravel() for a in arrays])
    there = numbers[numbers != 0]
    return float(np.sqrt(np.mean(there**2))) if there.size else 1.0


def _named(bounds: Mapping[str, Bounded], shown: Collection[str]) -> dict[str, Bounded]:
    """Name gradients as such: dW_f by W_f; what is shown is an adjoint already."""
    return {name if name in shown else f"d{name}": bounded for name, bounded in bounds.items()}
