"""The targets that come with the package: the hand-written NumPy layer, and the specification run by itself."""

from lstm_spec.compute import layer
from lstm_spec.compute.compile import run
from lstm_spec.spec.cells import lstm
from lstm_spec.targets.contract import Target

_FORMATS = ("float64", "float32")


def numpy_layer() -> Target:
    """Return the NumPy layer that is written by hand for speed."""
    return Target(name="numpy", forward=layer.forward, backward=layer.backward, dtypes=_FORMATS)


def compiled_spec() -> Target:
    """Return the equations themselves, compiled to NumPy and run step by step."""
    cell = lstm()
    return Target(name="spec", forward=lambda params, x, *states: run(cell, params, x, *states), dtypes=_FORMATS)
