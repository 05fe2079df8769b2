"""Products that keep their factors in the order in which they were given, without nesting and without idle ones.

Derivatives compose products of products. These constructors flatten them, take scalar coefficients to the front and
leave out factors that change nothing; they neither sort nor expand.
"""

from typing import Any

from sympy import BlockMatrix, HadamardProduct, Identity, Integer, MatMul, OneMatrix, Transpose, ZeroMatrix

from lstm_spec.spec.functions import quotient
from lstm_spec.spec.operators import (
    Elementwise,
    concat,
    divide,
    hadamard,
    matmul,
    ones,
    parts_of,
    scale,
    transpose,
    zeros,
)


def split(e: Any) -> tuple[Any, list[Any]]:
    """Return a matrix expression as its scalar coefficient and the factors of the matrix product."""
    if not isinstance(e, MatMul):
        return Integer(1), [e]
    coefficient = Integer(1)
    for a in e.args:
        if not getattr(a, "is_Matrix", False):
            coefficient = coefficient * a
    return coefficient, [a for a in e.args if getattr(a, "is_Matrix", False)]


def product(*factors: Any) -> Any:
    """Return the matrix product of scalars and matrices, the scalars multiplied in front."""
    coefficient: Any = Integer(1)
    matrices: list[Any] = []
    for factor in factors:
        if not getattr(factor, "is_Matrix", False):
            coefficient = coefficient * factor
            continue
        own, parts = split(factor)
        coefficient = coefficient * own
        matrices.extend(parts)
    kept = [a for a in matrices if not isinstance(a, Identity)] or matrices[:1]
    if coefficient == 1:
        return kept[0] if len(kept) == 1 else matmul(*kept)
    return scale(coefficient, kept[0]) if len(kept) == 1 else matmul(coefficient, *kept)


def times(*factors: Any) -> Any:
    """Return the elementwise product: coefficients in front, ones left out, 1/u as division by u."""
    coefficient: Any = Integer(1)
    kept, denominators = [], []
    for factor in factors:
        own, parts = split(factor)
        coefficient = coefficient * own
        rest = product(*parts)
        for f in rest.args if isinstance(rest, HadamardProduct) else (rest,):
            if _is_reciprocal(f):
                denominators.append(f.arguments[1])
            elif not isinstance(f, OneMatrix):
                kept.append(f)
    numerator = hadamard(*kept) if kept else ones(*factors[0].shape)
    return product(coefficient, divide(numerator, times(*denominators)) if denominators else numerator)


def _is_reciprocal(e: Any) -> bool:
    return isinstance(e, Elementwise) and e.function.expr.func is quotient and isinstance(e.arguments[0], OneMatrix)


def transposed(e: Any) -> Any:
    """Return the transpose: of a transpose the matrix itself, of a product the product in reverse."""
    if isinstance(e, Transpose):
        return e.arg
    if isinstance(e, OneMatrix | ZeroMatrix):
        return e.func(e.shape[1], e.shape[0])
    if isinstance(e, MatMul):
        coefficient, parts = split(e)
        return product(coefficient, *(transposed(a) for a in reversed(parts)))
    return e if isinstance(e, Identity) else transpose(e)


def stacked(terms: list[Any]) -> list[Any]:
    """Join terms that fill different rows of one column, so that [u; 0] + [0; v] becomes [u; v].

    The adjoint of a value that is read slice by slice comes as such a sum; every other term is returned as it is, in
    its place, and the joined one in the place of the first.
    """
    filled = [t for t in terms if isinstance(t, BlockMatrix) and any(isinstance(p, ZeroMatrix) for p in parts_of(t))]
    joined = _join([span for t in filled for span in _spans(t)], filled[0].shape) if len(filled) > 1 else None
    if joined is None:
        return terms
    position = terms.index(filled[0])
    return [joined if k == position else t for k, t in enumerate(terms) if k == position or t not in filled]


def _spans(block: BlockMatrix) -> list[tuple[Any, Any]]:
    """Return the row at which each part that is not zero begins, with the part."""
    spans, start = [], Integer(0)
    for part in parts_of(block):
        if not isinstance(part, ZeroMatrix):
            spans.append((start, part))
        start = start + part.shape[0]
    return spans


def _join(spans: list[tuple[Any, Any]], shape: tuple[Any, Any]) -> Any:
    """Stack the parts at their rows with zeros between, or return None where they overlap or cannot be ordered."""
    height, width = shape
    parts: list[Any] = []
    reached: Any = Integer(0)
    open_spans = list(spans)
    while open_spans:
        gaps = {k: start - reached for k, (start, _) in enumerate(open_spans)}
        nearest = [k for k, gap in gaps.items() if all((other - gap).is_nonnegative for other in gaps.values())]
        if len(nearest) != 1 or not gaps[nearest[0]].is_nonnegative:
            return None
        start, part = open_spans.pop(nearest[0])
        parts.extend([zeros(start - reached, width)] if start != reached else [])
        parts.append(part)
        reached = start + part.shape[0]
    return concat(*parts, *([zeros(height - reached, width)] if height != reached else []))
