"""Arrays as Python source, in the words of the library whose they are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.compute.formats import STORED

Array = NDArray[Any]


@dataclass(frozen=True)
class Literals:
    """How arrays of one library are written: "numpy", "torch" or "jax"."""

    kind: str

    @property
    def module(self) -> str:
        """What the functions that make its arrays are found in."""
        return {"numpy": "np", "torch": "torch", "jax": "jnp"}[self.kind]

    @property
    def type(self) -> str:
        """What its arrays are."""
        return {"numpy": "np.ndarray", "torch": "torch.Tensor", "jax": "jnp.ndarray"}[self.kind]

    def dtype(self, dtype: np.dtype[Any]) -> str:
        """Return the name of a format."""
        owner = "ml_dtypes" if self.kind == "numpy" and dtype.name == STORED else self.module
        return f"{owner}.{dtype.name}"

    def array(self, array: Array) -> str:
        """Return an array, to its last bit.

        >>> Literals("numpy").array(np.array([[0.5, -1.0]]))
        'np.array([[0.5, -1.0]])'
        >>> Literals("torch").array(np.zeros((2, 3), "float32"))
        'torch.zeros((2, 3), dtype=torch.float32)'
        """
        usual = self.kind == "numpy" and array.dtype.name in ("float64", "int64")
        dtype = "" if usual else f", dtype={self.dtype(array.dtype)}"
        if array.dtype.kind != "i" and not array.any() and not np.signbit(array).any():
            return f"{self.module}.zeros({array.shape}{dtype})"
        return f"{self.module}.{'tensor' if self.kind == 'torch' else 'array'}({_nested(array)}{dtype})"

    def imports(self, text: str) -> list[str]:
        """Return the imports that a text needs."""
        known = {
            "jnp.": "import jax.numpy as jnp",
            "ml_dtypes.": "import ml_dtypes",
            "np.": "import numpy as np",
            "torch.": "import torch",
        }
        return [line for mark, line in known.items() if any(word.startswith(mark) for word in _words(text))]


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c in "._" else " " for c in text).split()


def _nested(array: Any) -> str:
    if np.ndim(array):
        return f"[{', '.join(map(_nested, array))}]"
    text = shortest(array)
    return text if np.isfinite(array) else f'float("{text}")'


def shortest(number: Any) -> str:
    """Return a number in the fewest digits that give it again in its own format, which are fewer than a float's.

    >>> [shortest(number) for number in np.float32([0.1, 1, 1 / 3])]
    ['0.1', '1.0', '0.33333334']
    """
    if number.dtype.name != STORED or not np.isfinite(number):
        return str(number)
    texts = (f"{float(number):.{count}g}" for count in range(1, 10))
    return next(text for text in texts if number.dtype.type(np.float32(text)) == number)
