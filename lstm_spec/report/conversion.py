"""A conversion of weights for a terminal, and as JSON."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from lstm_spec.targets.convert import Converted
from lstm_spec.targets.weights import Weights, shape_of
from lstm_spec.verify.conversion import Agreement, Side
from lstm_spec.verify.verdict import INCONCLUSIVE, VERIFIED


def conversion_lines(found: Converted, checked: Agreement | None) -> Iterator[str]:
    """Yield what was converted into what, what is to be said of it, and whether both sides compute the same."""
    sizes = ", ".join(f"{name}={size}" for name, size in found.source.sizes.items())
    yield f"{found.source.spec.name}, {sizes}, {np.result_type(*found.source.arrays.values())}"
    for weights in (found.source, found.target):
        yield f"  {weights.layout.name}: {_arrays(weights)}"
    yield from (f"Note: {note}" for note in found.notes)
    if checked is None:
        return
    yield ""
    yield from (_side(side) for side in (checked.source, checked.target))
    if checked.changed:
        yield f"These parameters are not those of the source: {', '.join(checked.changed)}"
    if checked.status == VERIFIED:
        what = f"both compute {found.source.spec.name} with these weights"
        yield f"VERIFIED  {what}; their outputs differ by {checked.apart:.1g} at most"
    elif checked.status == INCONCLUSIVE:
        yield "INCONCLUSIVE  with these weights rounding alone may change the outputs so much that a run tells little"
    else:
        yield "DISCREPANCY  the two sides do not compute the same"


def conversion_dict(found: Converted, checked: Agreement | None) -> dict[str, Any]:
    """Return the same as JSON takes it."""
    return {
        "spec": found.source.spec.name,
        "sizes": dict(found.source.sizes),
        "source": _told(found.source),
        "target": _told(found.target),
        "notes": list(found.notes),
        "check": None if checked is None else checked.to_dict(),
    }


def _told(weights: Weights) -> dict[str, Any]:
    arrays = {weights.prefix + name: list(a.shape) for name, a in weights.arrays.items()}
    return {"layout": weights.layout.name, "arrays": arrays}


def _arrays(weights: Weights) -> str:
    return ", ".join(f"{weights.prefix}{name} {shape_of(a)}" for name, a in weights.arrays.items())


def _side(side: Side) -> str:
    ran = side.library.partition("(")[0] if side.library else "the equations in NumPy"
    why = f", since {side.reason}" if side.reason else ""
    where = f"; {side.message}" if side.ratio > 1 else ""
    return f"{side.layout}: {ran}{why}: error/allowed {side.ratio:.2g}{where}"
