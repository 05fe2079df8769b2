"""The targets that come with the package: the hand-written NumPy layer, and the specification run by itself."""

from lstm_spec.compute import layer
from lstm_spec.compute.answers import canonical
from lstm_spec.compute.formats import widened
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.program import Program
from lstm_spec.targets.contract import Target

SPEC = "spec"
"""The target that computes whatever cell it is held against."""

_FORMATS = ("float64", "float32")


def numpy_layer() -> Target:
    """Return the NumPy layer that is written by hand for speed."""
    return Target(name="numpy", forward=widened(layer.forward), backward=widened(layer.backward), dtypes=_FORMATS)


def compiled_spec(cell: Program | None = None) -> Target:
    """Return the equations of a cell themselves, compiled to NumPy and run step by step, by default those of lstm."""
    cell = lstm() if cell is None else cell
    forward, backward = canonical(cell)
    return Target(name=SPEC, forward=forward, backward=backward, spec=cell.name, dtypes=_FORMATS)
