"""Cases in which a target shows its adjoints: an identity in the weights of inputs that are zero.

The gradient of x is Σ W_gᵀ δa_g. Where some features of x are 0 and their columns of W_g are those of the identity for
one gate and 0 for the others, the forward pass does not see them, and their entries of the gradient are the adjoints
δa_g that the target itself computed, exact in any order of summation. The reference takes them at every step in place
of its own, as it takes h on the way forward; then no error is multiplied by the recurrent weights on the way back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sympy import BlockMatrix, MatMul, MatrixSymbol, Transpose

from lstm_spec.calculus.adjoint import adjoint_symbol, backward
from lstm_spec.spec.inference import infer_dimensions
from lstm_spec.spec.operators import parts_of
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

if TYPE_CHECKING:
    from lstm_spec.verify.cases import Case


@dataclass(frozen=True)
class Kernel:
    """A parameter that multiplies x: the adjoint of its product, and what stands before x in its columns."""

    parameter: MatrixSymbol
    adjoint: str
    before: tuple[Any, ...]


@lru_cache(maxsize=256)
def kernels(cell: Program) -> tuple[Kernel, ...]:
    """Return the parameters that multiply x.

    There are none where features cannot be added to x: where there are as many as units, or x is used otherwise too.

    >>> from lstm_spec.spec.cells import lstm
    >>> [(kernel.parameter, kernel.adjoint) for kernel in kernels(lstm(coupled="f=1-i"))]
    [(W_i, 'da_i'), (W_c, 'da_c'), (W_o, 'da_o')]
    """
    width = cell.inputs[0].shape[0]
    if not width.is_Symbol or any(width in before.shape for before, _ in cell.recurrence):
        return ()
    widened = [p for p in cell.parameters if any(width in side.free_symbols for side in p.shape)]
    found = [_kernel(cell, p) for p in widened]
    return tuple(k for k in found if k) if all(found) else ()


def _kernel(cell: Program, parameter: MatrixSymbol) -> Kernel | None:
    """Read off δW = δa vᵀ what W multiplies, if that is x alone or x among others."""
    product = backward(cell)[adjoint_symbol(cell, parameter).name].expression
    match product:
        case MatMul(args=(MatrixSymbol() as adjoint, Transpose(arg=MatrixSymbol() as seen))):
            whole = seen if seen in cell.leaves else cell[seen.name].expression
        case _:
            return None
    parts = parts_of(whole) if isinstance(whole, BlockMatrix) else (whole,)
    x = cell.inputs[0]
    return Kernel(parameter, adjoint.name, tuple(parts[: parts.index(x)])) if x in parts else None


def _place(kernel: Kernel, values: Mapping[Any, int], features: slice) -> slice:
    """Return the columns of a kernel that multiply some features of x."""
    before = sum(evaluate_shape(part.shape, values)[0] for part in kernel.before)
    return slice(before + features.start, before + features.stop)


def still_shown(cell: Program, case: "Case") -> dict[str, slice]:
    """Return what of ``case.exposed`` its weights still show, after somebody may have changed them."""
    return {adjoint: features for adjoint, features in case.exposed.items() if _is_shown(cell, case, adjoint, features)}


def _is_shown(cell: Program, case: "Case", adjoint: str, features: slice) -> bool:
    values = cell.check_sizes(infer_dimensions(cell, {name: p.shape for name, p in case.params.items()}))
    blocks = [(k.adjoint, case.params[k.parameter.name][:, _place(k, values, features)]) for k in kernels(cell)]
    own, *others = [b for name, b in blocks if name == adjoint] + [b for name, b in blocks if name != adjoint]
    return np.array_equal(own, np.eye(len(own))) and not any(b.any() for b in others)


def showing(cell: Program, case: "Case") -> dict[str, Any]:
    """Return by parameter a mask of the entries that make a case show adjoints; none where it shows nothing."""
    if not case.exposed:
        return {}
    first = min(features.start for features in case.exposed.values())
    values = cell.check_sizes(infer_dimensions(cell, {name: p.shape for name, p in case.params.items()}))
    found = {k.parameter.name: np.zeros(case.params[k.parameter.name].shape, bool) for k in kernels(cell)}
    for kernel in kernels(cell):
        found[kernel.parameter.name][:, _place(kernel, values, slice(first, case.x.shape[-1]))] = True
    return found


def expose(cell: Program, case: "Case", sizes: Mapping[str, int]) -> "Case":
    """Return a case with the features added that show adjoints; ``exposed`` says which, by their columns of x.

    sizes: of the cell, by name. The forward pass gives what it gave; without kernels the case stays as it is.
    """
    T, B, n = case.x.shape
    values = cell.check_sizes(sizes)
    heights = {k.adjoint: evaluate_shape(k.parameter.shape, values)[0] for k in kernels(cell)}
    exposed, end = {}, n
    for adjoint, height in heights.items():
        exposed[adjoint] = slice(end, end := end + height)
    params, seen = dict(case.params), set()
    for kernel in kernels(cell):
        added = np.zeros((heights[kernel.adjoint], end - n), case.dtype)
        if kernel.adjoint not in seen:
            place = exposed[kernel.adjoint]
            added[:, place.start - n : place.stop - n] = np.eye(len(added), dtype=case.dtype)
            seen.add(kernel.adjoint)
        at = _place(kernel, values, slice(n, n)).start
        whole = params[kernel.parameter.name]
        params[kernel.parameter.name] = np.concatenate([whole[:, :at], added, whole[:, at:]], axis=1)
    x = np.concatenate([case.x, np.zeros((T, B, end - n), case.dtype)], axis=-1)
    return replace(case, params=params, x=x, exposed=exposed)
