"""The targets that come with the package: the hand-written NumPy layer, and the specification run by itself."""

from collections.abc import Callable
from typing import Any

from lstm_spec.compute import layer
from lstm_spec.compute.answers import canonical
from lstm_spec.compute.formats import widened
from lstm_spec.compute.runner import runner
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.contract import Target

SPEC = "spec"
"""The target that computes whatever cell it is held against."""

_FORMATS = ("float64", "float32")


def numpy_layer() -> Target:
    """Return the NumPy layer that is written by hand for speed."""
    forward, backward = widened(layer.forward), widened(layer.backward)
    return Target(name="numpy", forward=forward, backward=backward, dtypes=_FORMATS, reentrant=True)


def compiled_spec(spec: Program | Network | None = None) -> Target:
    """Return the equations of a cell or network themselves, compiled to NumPy and run, by default those of lstm."""
    spec = lstm() if spec is None else spec
    forward, backward = canonical(spec) if isinstance(spec, Program) else _run(spec)
    return Target(name=SPEC, forward=forward, backward=backward, spec=spec, dtypes=_FORMATS, reentrant=True)


def _run(network: Network) -> tuple[Callable[..., Any], Callable[..., Any]]:
    run = runner(network)
    return widened(run.forward), widened(run.backward)
