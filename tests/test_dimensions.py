"""Shapes are checked by algebra: what SymPy lets pass is refused, what only looks unequal passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Inverse

from lstm_spec.spec.dimensions import DimensionError, check_equation, same, walk
from lstm_spec.spec.operators import (
    add,
    apply,
    concat,
    divide,
    eye,
    hadamard,
    matmul,
    matrix,
    ones,
    rows,
    scale,
    size,
    transpose,
    vector,
    zeros,
)

n, m, q = size("n"), size("m"), size("q")
x, h, c, z = vector("x", n), vector("h", m), vector("c", m), vector("z", n + m)
W, R = matrix("W", m, n + m), matrix("R", m, m)


def test_sympy_alone_accepts_a_product_that_does_not_fit():
    assert matmul(R, z).shape == (m, 1)
    assert (R * z).shape == (m, 1)
    assert add(h, z).shape == (m, 1)


FITTING = (
    (matmul(W, z), (m, 1)),
    (matmul(matrix("V", m, m + n), z), (m, 1)),
    (matmul(transpose(W), h), (n + m, 1)),
    (matmul(h, transpose(z)), (m, n + m)),
    (matmul(matrix("V", m, 2 * n + m), concat(x, x, h)), (m, 1)),
    (matmul(matrix("V", q, m), W, z), (q, 1)),
    (add(matmul(W, z), h), (m, 1)),
    (hadamard(h, c, h), (m, 1)),
    (apply("tanh", W), (m, n + m)),
    (divide(h, c), (m, 1)),
    (concat(x, h, c), (n + 2 * m, 1)),
    (rows(z, n, n + m), (m, 1)),
    (scale(-1, h), (m, 1)),
    (matmul(eye(m), h), (m, 1)),
    (matmul(ones(1, m), h), (1, 1)),
    (add(zeros(m), ones(m)), (m, 1)),
)


@pytest.mark.parametrize(("expression", "shape"), FITTING, ids=str)
def test_the_shape_of_what_fits(expression, shape):
    assert all(same(got, wanted) for got, wanted in zip(walk(expression, {}), shape, strict=True))


REFUSED = (
    (h, matmul(R, z), "R is m×m but z has n+m rows, which no sizes satisfy, in h = R z"),
    (h, matmul(matrix("V", m, n), c), "V is m×n but c has m rows, which holds only if n = m, in h = V c"),
    (h, matmul(matrix("V", m, 3), c), "V is m×3 but c has m rows, which holds only if m = 3, in h = V c"),
    (
        h,
        matmul(matrix("V", m, m + 1), c),
        "V is m×(m+1) but c has m rows, which no sizes satisfy, in h = V c",
    ),
    (h, matmul(matrix("V", m, 2 * m), c), "V is m×2m but c has m rows, which no sizes satisfy, in h = V c"),
    (
        h,
        matmul(matrix("V", m, 2 * q), z),
        "V is m×2q but z has n+m rows, which holds only if 2q = n+m, in h = V z",
    ),
    (h, add(c, x), "c has m rows but x has n rows, which holds only if n = m, in h = c + x"),
    (h, hadamard(c, z), "c has m rows but z has n+m rows, which no sizes satisfy, in h = c∘z"),
    (h, divide(c, z), "c has m rows but z has n+m rows, which no sizes satisfy"),
    (h, z, "h has m rows but z has n+m rows, which no sizes satisfy, in h = z"),
    (h, W, "h is m but W is m×(n+m), which no sizes satisfy, in h = W"),
    (h, matmul(transpose(h), c), "h has m rows but hᵀ c has 1 row, which holds only if m = 1"),
    (h, Inverse(R), "Inverse has no rule for its shape"),
)


@pytest.mark.parametrize(("symbol", "expression", "message"), REFUSED, ids=str)
def test_what_does_not_fit_is_refused_with_both_sides_and_the_equation(symbol, expression, message):
    with pytest.raises(DimensionError) as error:
        check_equation(symbol, expression)
    assert message in str(error.value)
    assert f", in {symbol} = " in str(error.value)


def test_actual_shapes_stand_in_for_symbolic_ones():
    check_equation(h, matmul(W, z), {"h": (70, 1), "W": (70, 102), "z": (102, 1)})
    with pytest.raises(DimensionError, match=r"^W is 70×101 but z has 102 rows, in h = W z$"):
        check_equation(h, matmul(W, z), {"h": (70, 1), "W": (70, 101), "z": (102, 1)})


@st.composite
def products(draw):
    """A product of matrices in which each inner size is written as two sums of the same terms in any order."""
    terms = st.lists(st.sampled_from([n, m, q]), min_size=1, max_size=3)
    inner = draw(st.lists(terms, min_size=3, max_size=4))
    shuffled = [draw(st.permutations(side)) for side in inner]
    factors = [matrix(f"M{k}", sum(a), sum(b)) for k, (a, b) in enumerate(zip(shuffled, inner[1:], strict=False))]
    return matmul(*factors), (sum(inner[0]), sum(inner[-1])), factors


@given(products())
def test_a_product_of_matching_sizes_fits_however_they_are_written(product):
    expression, shape, _ = product
    assert walk(expression, {}) == shape


@given(products(), st.data())
def test_a_product_with_one_size_too_many_does_not(product, data):
    _, _, factors = product
    position = data.draw(st.integers(0, len(factors) - 2))
    broken = matrix("broken", factors[position].shape[0], factors[position].shape[1] + 1)
    with pytest.raises(DimensionError, match="broken is"):
        walk(matmul(*factors[:position], broken, *factors[position + 1 :]), {})
