"""The accuracy contract: how exact each operation of an implementation is allowed to be called.

An allowed error is derived from a contract, never tuned. The defaults hold for every correct implementation that we
ran: any order of summation, fused or not, with elementary functions good to a few units in the last place. A kernel
that is coarser on purpose (a table, an approximate tanh) is checked under a contract of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

REFERENCE_UNIT = 2.0**-53
"""The unit roundoff of the float64 reference itself; its own error is part of every bound."""

_FUNCTIONS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "tanh": (8.0, 4.0),
        "sigmoid": (4.0, 4.0),
        "hard_sigmoid": (2.0, 4.0),
        "softplus": (8.0, 4.0),
        "elu": (8.0, 8.0),
        "softsign": (4.0, 2.0),
        "exp": (8.0, 0.0),
        "log": (8.0, 4.0),
        "sqrt": (4.0, 0.0),
        "sin": (4.0, 4.0),
        "cos": (4.0, 4.0),
        "atan": (4.0, 4.0),
        "erf": (4.0, 4.0),
        "relu": (0.0, 0.0),
        "leaky_relu": (2.0, 0.0),
        "thresholded_relu": (0.0, 0.0),
        "identity": (0.0, 0.0),
        "step": (0.0, 0.0),
        "magnitude": (0.0, 0.0),
        # The limits themselves are rounded to the format.
        "clip": (1.0, 0.0),
    }
)
_USUAL = max(max(accuracies) for accuracies in _FUNCTIONS.values())
_COARSE: Mapping[str, tuple[float, float]] = MappingProxyType({**_FUNCTIONS, "tanh": (1.0, 2.0), "sigmoid": (3.0, 2.0)})


class AccuracyError(ValueError):
    """A format, a function or an operator for which nothing says how exact it has to be."""


@dataclass(frozen=True)
class Accuracy:
    """What an implementation promises about its arithmetic.

    format: the name of its floating-point format. unit: its unit roundoff u. accumulation: the unit roundoff in which
    it sums products. tiny: its smallest normal number; anything below may be flushed. largest: its largest number; what
    may exceed it has no bound. partials: how many partial results of one sum are rounded to the format. functions: by
    name (k, a): an elementary function is within k units in the last place plus a·u of its exact value. The absolute
    part is there because σ in use has no relative accuracy far out in its left tail. products: the unit roundoff to
    which the inputs of a product are rounded before, 0 where they are not.
    """

    format: str
    unit: float
    accumulation: float
    tiny: float
    largest: float
    partials: int = 0
    functions: Mapping[str, tuple[float, float]] = field(default_factory=lambda: _FUNCTIONS, hash=False)
    products: float = 0.0

    @property
    def resolution(self) -> float:
        """The unit roundoff of a format that would be about as coarse with functions good to a few units.

        >>> accuracy("float32").resolution == accuracy("float32").unit
        True
        """
        functions = (max(accuracies) * self.unit / _USUAL for accuracies in self.functions.values())
        return max(self.unit, self.accumulation, self.products, *functions)

    def function(self, name: str) -> tuple[float, float]:
        """Return (k, a) of an elementary function; raises AccuracyError for one that the contract does not name."""
        if name not in self.functions:
            raise AccuracyError(f"the accuracy contract for {self.format} says nothing of {name}; add it to functions")
        return self.functions[name]


_CONTRACTS = MappingProxyType(
    {
        "float64": Accuracy("float64", 2.0**-53, 2.0**-53, 2.0**-1022, 2.0**1023),
        "float32": Accuracy("float32", 2.0**-24, 2.0**-24, 2.0**-126, 2.0**127),
        "float16": Accuracy("float16", 2.0**-11, 2.0**-24, 2.0**-14, 2.0**15, partials=4, functions=_COARSE),
        "bfloat16": Accuracy("bfloat16", 2.0**-8, 2.0**-24, 2.0**-126, 2.0**127, partials=4, functions=_COARSE),
    }
)


FORMATS = tuple(_CONTRACTS)
"""The floating-point formats that have a contract, the most exact first."""


def accuracy(dtype: str) -> Accuracy:
    """Return the default contract of a floating-point format: float64, float32, float16 or bfloat16.

    Raises AccuracyError for any other format.

    >>> accuracy("float32").unit == 2.0**-24
    True
    """
    if dtype not in FORMATS:
        raise AccuracyError(f"there is no accuracy contract for {dtype}; there is one for {', '.join(FORMATS)}")
    return _CONTRACTS[dtype]
