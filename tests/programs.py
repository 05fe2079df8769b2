"""Programs that are no LSTM, written with the operators, for the tests of what works on any Program."""

from sympy import Lambda, Rational, Symbol, sqrt, tanh

from lstm_spec.spec.equation import Equation
from lstm_spec.spec.functions import SLOTS, maximum, sigmoid
from lstm_spec.spec.operators import (
    add,
    apply,
    concat,
    divide,
    hadamard,
    matmul,
    matrix,
    one_minus,
    ones,
    rows,
    scale,
    size,
    subtract,
    transpose,
    vector,
)
from lstm_spec.spec.program import Program, constant

N, M = size("n"), size("m")
X, H, H_PREV = vector("x", N), vector("h", M), vector("h_prev", M)


def _cell(name, parameters, *equations, constants=()):
    definitions = tuple(Equation(symbol, expression) for symbol, expression in equations)
    return Program(name, (X,), ((H_PREV, H),), tuple(parameters), definitions, ("h",), constants)


def rnn():
    W, R, b, a = matrix("W", M, N), matrix("R", M, M), vector("b", M), vector("a", M)
    return _cell("rnn", (W, R, b), (a, add(matmul(W, X), matmul(R, H_PREV), b)), (H, apply(tanh, a)))


def gru():
    gates = ("u", "r", "h")
    W = {g: matrix(f"W_{g}", M, N) for g in gates}
    R = {g: matrix(f"R_{g}", M, M) for g in gates}
    b = {g: vector(f"b_{g}", M) for g in gates}
    u, r, candidate = vector("u", M), vector("r", M), vector("h_tilde", M)
    a = {g: vector(f"a_{g}", M) for g in gates}
    return _cell(
        "gru",
        (*W.values(), *R.values(), *b.values()),
        (a["u"], add(matmul(W["u"], X), matmul(R["u"], H_PREV), b["u"])),
        (u, apply(sigmoid, a["u"])),
        (a["r"], add(matmul(W["r"], X), matmul(R["r"], H_PREV), b["r"])),
        (r, apply(sigmoid, a["r"])),
        (a["h"], add(matmul(W["h"], X), matmul(R["h"], hadamard(r, H_PREV)), b["h"])),
        (candidate, apply(tanh, a["h"])),
        (H, add(hadamard(one_minus(u), candidate), hadamard(u, H_PREV))),
    )


def packed():
    """All gates in one product, taken apart again by slices, in an order that is not theirs."""
    W, z = matrix("W", 3 * M, N + M), vector("z", N + M)
    a, f, o, g = vector("a", 3 * M), vector("f", M), vector("o", M), vector("g", M)
    return _cell(
        "packed",
        (W,),
        (z, concat(X, H_PREV)),
        (a, matmul(W, z)),
        (g, apply(tanh, rows(a, 2 * M, 3 * M))),
        (f, apply(sigmoid, rows(a, 0, M))),
        (o, apply(sigmoid, rows(a, M, 2 * M))),
        (H, hadamard(o, add(hadamard(f, H_PREV), g))),
    )


def quotients():
    """Quotients of gates, a maximum, and a function given as a Lambda."""
    s = SLOTS[0]
    W, R = matrix("W", M, N), matrix("R", M, M)
    f, i, e, top = vector("f", M), vector("i", M), vector("e", M), vector("top", M)
    return _cell(
        "quotients",
        (W, R),
        (f, apply("sigmoid", matmul(W, X))),
        (i, apply(Lambda((s,), 4 * sigmoid(s) - Rational(1, 2)), matmul(R, H_PREV))),
        (top, apply(maximum, f, i)),
        (e, divide(f, add(hadamard(i, i), ones(M)))),
        (H, add(hadamard(e, H_PREV), divide(top, apply("exp", f)), scale(Rational(-1, 3), one_minus(e)))),
    )


def layer_norm():
    """A pre-activation with its mean and variance taken out, as products with ones; eps is a constant."""
    eps = Symbol("eps", real=True)
    s = SLOTS[0]
    W, R, gain = matrix("W", M, N), matrix("R", M, M), vector("g", M)
    a, v = vector("a", M), vector("v", M)
    mean, variance, deviation = (matrix(name, 1, 1) for name in ("mu", "var", "sd"))
    return _cell(
        "layer_norm",
        (W, R, gain),
        (a, add(matmul(W, X), matmul(R, H_PREV))),
        (mean, scale(1 / M, matmul(ones(1, M), a))),
        (v, subtract(a, matmul(ones(M), mean))),
        (variance, scale(1 / M, matmul(transpose(v), v))),
        (deviation, apply(Lambda((s,), sqrt(s + eps)), variance)),
        (H, apply(tanh, hadamard(gain, divide(v, matmul(ones(M), deviation))))),
        constants=(constant("eps", Rational(1, 1000)),),
    )


def tied():
    """A parameter that is used by itself and through a value computed from parameters alone."""
    W, g, scaled, a = matrix("W", M, M), matrix("g", M, M), matrix("V", M, M), vector("a", M)
    U = matrix("U", M, N)
    return _cell(
        "tied",
        (W, g, U),
        (scaled, hadamard(W, g)),
        (a, add(matmul(scaled, H_PREV), matmul(W, matmul(U, X)))),
        (H, apply(tanh, a)),
    )


PROGRAMS = (rnn, gru, packed, quotients, layer_norm, tied)
