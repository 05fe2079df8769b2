"""tinygrad's LSTM cell, stepped over a sequence, and what stands in for it behind the same interface."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from lstm_spec.targets.contract import Target
from lstm_spec.targets.frameworks import Both, Framework, Run
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.modules import failing_as, required


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The cell ``tinygrad.nn.LSTMCell``."""

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a class of cells, by default tinygrad's own; raises TargetError without tinygrad."""
        tinygrad, nn = required("tinygrad", "tinygrad", "tinygrad"), required("tinygrad.nn", "tinygrad", "tinygrad")
        cls = getattr(nn, self.kind) if made is None else made
        with failing_as("tinygrad cannot compute here: ", "; DEV=PYTHON lets it run without a compiler"):
            tinygrad.Tensor([1.0]).add(1).numpy()

        def make(n: int, m: int, dtype: str) -> Run:
            cell = cls(n, m)

            def run(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
                *states, _ = rest
                for key, value in params.items():
                    setattr(cell, key, value)
                steps = []
                for t in range(x.shape[0]):
                    states = cell(x[t], tuple(states))
                    steps.append(states[0])
                return (steps[0].stack(*steps[1:]), *states)

            return run

        held = replace(find_layout("tinygrad"), axes="TBI")
        return _framework(tinygrad).target(name, make, layout=held, dtypes=("float64", "float32"))


def _framework(tinygrad: Any) -> Framework:
    def gradients(run: Run) -> Both:
        def both(params: Any, given: Any, lengths: Any, cotangents: Any) -> Any:
            outputs = run(params, *given, lengths)
            products = [(output * d).sum() for output, d in zip(outputs, cotangents, strict=True)]
            found = sum(products[1:], products[0]).gradient(*params.values(), *given)
            return outputs, (dict(zip(params, found, strict=False)), *found[len(params) :])

        return both

    return Framework(
        versions={"tinygrad": version("tinygrad")},
        take=tinygrad.Tensor,
        give=lambda value: value.numpy(),
        gradients=gradients,
        # Every operation of a new shape is scheduled and compiled anew, and few of them run at any speed.
        shapes=tuple({"T": T, "B": 2, "n": 2, "m": 3} for T in (1, 2, 3)),
    )
