"""One line, one meaning: two different expressions are never written alike, in any format."""

import itertools

import pytest
from sympy import Lambda, MatAdd, MatMul, MatPow, MatrixSymbol, OneMatrix, Rational, Symbol, Transpose, sqrt

import lstm_spec as ls
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.formula import Setting
from lstm_spec.spec.functions import magnitude, maximum, sigmoid
from lstm_spec.spec.notations import NOTATIONS
from lstm_spec.spec.operators import (
    Elementwise,
    add,
    apply,
    concat,
    divide,
    hadamard,
    matmul,
    matrix,
    ones,
    rows,
    scale,
    size,
    subtract,
    transpose,
    vector,
)
from lstm_spec.spec.program import Program
from lstm_spec.spec.scalars import WriteError
from lstm_spec.spec.typeset import plain
from lstm_spec.write.latex import latex
from lstm_spec.write.mathml import mathml
from tests.formats import read_latex, read_mathml
from tests.written import CELLS, line

S = Symbol("s", real=True)


def canonical(e):
    """Return an expression without what writing leaves out: nested sums, and the product under a minus."""
    if isinstance(e, MatrixSymbol | OneMatrix | Lambda) or not e.args:
        return e
    args = [canonical(a) for a in e.args]
    if isinstance(e, Elementwise):
        return Elementwise(*args)
    if isinstance(e, Transpose):
        return args[0] if isinstance(args[0], OneMatrix) else Transpose(args[0])
    if isinstance(e, MatMul) and args[0] == -1 and isinstance(args[1], MatMul):
        args = [-1, *args[1].args]
    if isinstance(e, MatAdd):
        args = [term for a in args for term in (a.args if isinstance(a, MatAdd) else [a])]
    return e.func(*args, evaluate=False)


def grown(expressions):
    m = size("m")
    unary = [f(a) for a in expressions for f in (lambda a: scale(-1, a), lambda a: scale(2, a), transpose)]
    unary += [apply(name, a) for a in expressions for name in ("sigmoid", "tanh")]
    binary = [f(a, b) for a, b in itertools.product(expressions, repeat=2) for f in (add, hadamard, matmul, divide)]
    assert all(e.shape == (m, m) for e in unary + binary)
    return [*expressions, *unary, *binary]


def collisions(written):
    """Return pairs of expressions with different meanings that are written alike; written: pairs (text, expression)."""
    seen, found = {}, []
    for text, e in written:
        if canonical(seen.setdefault(text, e)) != canonical(e):
            found.append((text, seen[text], e))
    return found


@pytest.fixture(scope="module")
def expressions():
    m = size("m")
    found = grown(grown([matrix("h_prev", m, m), ones(m, m)]))
    assert len(found) > 3_000
    return found


@pytest.mark.parametrize("name", ["design", "colah", "greff"])
def test_two_different_expressions_are_never_written_alike(expressions, name):
    setting = Setting(NOTATIONS[name].in_type())
    trees = [(setting.write(e).tree, e) for e in expressions]
    for emit in (plain, latex, mathml):
        assert collisions((emit(tree), e) for tree, e in trees) == [], emit.__name__


def test_the_search_for_collisions_finds_a_writer_without_brackets(expressions):
    setting = Setting(NOTATIONS["design"])
    bare = ((plain(setting.write(e).tree).replace("(", "").replace(")", ""), e) for e in expressions)
    assert len(collisions(bare)) > 100


def one_equation(expression, *parameters):
    m = size("m")
    y = MatrixSymbol("y", *expression.shape)
    x = vector("x", m)
    given = [s for s in expression.atoms(MatrixSymbol) if s not in (x, *parameters)]
    return Program("one", (x, *given), (), parameters, (Equation(y, expression),), ("y",))


def test_brackets_signs_and_fractions():
    m = size("m")
    a, b, c = vector("a", m), vector("b", m), vector("c", m)
    table = {
        "a − (b + c)": subtract(a, add(b, c)),
        "a − b": subtract(a, b),
        "−a + b": add(scale(-1, a), b),
        "a∘(b + c)": hadamard(a, add(b, c)),
        "−a∘b": scale(-1, hadamard(a, b)),
        "(−a)∘b": hadamard(scale(-1, a), b),
        "2 (a + b)": scale(2, add(a, b)),
        "a∘(b/c)": hadamard(a, divide(b, c)),
        "(a∘b)/c": divide(hadamard(a, b), c),
        "3 + a": add(scale(3, ones(m)), a),
        "(1/2) a": scale(sqrt(4) ** -1, a),
        "|a|": apply(magnitude, a),
        "√(a)": apply(Lambda((S,), sqrt(S)), a),
        "𝟏ᵀ a": matmul(ones(1, m), a),
        "max(a, b)": apply(maximum, a, b),
        "[a; b][m:2m]": rows(concat(a, b), m, 2 * m),
    }
    for expected, expression in table.items():
        assert line(one_equation(expression), "y") == f"y = {expected}"
        read_latex(ls.write(one_equation(expression), format="latex"))
        read_mathml(ls.write(one_equation(expression), format="mathml"))
    assert r"(a_t\circ b_t)" not in ls.write(one_equation(divide(hadamard(a, b), c)), format="latex")


def test_what_has_no_rule_is_refused_in_a_sentence():
    m = size("m")
    with pytest.raises(
        WriteError, match=r"^W\*\*2 is no operator of a Program: MatPow has no rule for how it is written$"
    ):
        Setting().write(MatPow(matrix("W", m, m), 2))


def test_a_function_of_ones_own_is_written_out():
    cell = CELLS["vanilla"]
    table = {
        sigmoid(2 * S): "σ(2 a_f)",
        2 * sigmoid(S) - 1: "2 σ(a_f) − 1",
        -(S**2) / 3: "−(1/3) a_f²",
        1 / sqrt(S**2 + Rational(1, 10)): "1/√(a_f² + 1/10)",
        (1 - S) * S: "a_f∘(1 − a_f)",
    }
    for function, expected in table.items():
        changed = cell.with_equation("f", apply(Lambda((S,), function), cell.symbols["a_f"]))
        assert line(changed, "f") == f"f = {expected}"
