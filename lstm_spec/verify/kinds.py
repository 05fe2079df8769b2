"""What kind of discrepancy it is: another function, the right one computed too coarsely, or no answer at all.

A target that raises, hangs, answers in another form or changes its arguments misbehaves, whatever it computes. Between
the others it is told by asking again: one that fails a check, but passes every case of it under a contract that asks
for less, computes the right function to that accuracy; one that fails under all of them computes another.
"""

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

from lstm_spec.compute.accuracy import Accuracy, accuracy
from lstm_spec.compute.contracts import UNITS

SEMANTIC, ACCURACY, MISBEHAVIOUR = "semantic", "accuracy", "misbehaviour"

LOOSE = (1e-5, 1e-3)
"""Absolute errors of elementary functions as tables and short formulas have them."""


def coarser(contract: Accuracy) -> Iterator[tuple[str, Accuracy]]:
    """Yield contracts that promise less than one does, each after what it is called.

    >>> [name for name, _ in coarser(accuracy("float32"))]  # doctest: +NORMALIZE_WHITESPACE
    ['products of inputs in tf32', 'functions good to 1e-05', 'functions good to 0.001', 'float16',
     'products of inputs in bfloat16', 'bfloat16']
    """
    if contract.unit < UNITS["float32"]:
        yield "float32", _of_format("float32", contract)
    yield from _of_products("tf32", contract)
    for error in LOOSE:
        absolute = error / contract.unit
        if absolute > max(a for _, a in contract.functions.values()):
            functions = {name: (k, max(a, absolute)) for name, (k, a) in contract.functions.items() if k or a}
            loose = MappingProxyType({**contract.functions, **functions})
            yield f"functions good to {error:g}", replace(contract, functions=loose)
    for name in ("float16", "bfloat16"):
        if name == "bfloat16":
            yield from _of_products(name, contract)
        if contract.unit < UNITS[name]:
            yield name, _of_format(name, contract)


def _of_format(name: str, contract: Accuracy) -> Accuracy:
    return replace(accuracy(name), format=contract.format)


def _of_products(name: str, contract: Accuracy) -> Iterator[tuple[str, Accuracy]]:
    if max(contract.unit, contract.products) < UNITS[name]:
        yield f"products of inputs in {name}", replace(contract, products=UNITS[name])
