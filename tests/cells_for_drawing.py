"""Cells that the drawing has to cope with, written as somebody might write their own."""

from sympy import MatrixSymbol

from lstm_spec import Equation, Program, check_cell
from lstm_spec.spec.operators import add, affine, apply, concat, hadamard, matmul, matrix, one_minus, size, vector

n, m, q = size("n"), size("m"), size("q")
x, h, h_prev, c, c_prev = (vector(name, n if name == "x" else m) for name in ("x", "h", "h_prev", "c", "c_prev"))


def _cell(
    name: str, inputs: tuple[MatrixSymbol, ...], states: list, *equations: tuple[MatrixSymbol, object]
) -> Program:
    definitions = tuple(Equation(symbol, expression) for symbol, expression in equations)
    given = {s.name for s in inputs} | {before.name for before, _ in states} | {d.name for d in definitions}
    read = {s for d in definitions for s in d.expression.atoms(MatrixSymbol) if s.name not in given}
    parameters = tuple(sorted(read, key=lambda s: s.name))
    outputs = tuple(after.name for _, after in states)
    return check_cell(Program(name, inputs, tuple(states), parameters, definitions, outputs))


def _gate(letter: str, value: str, function: str, *arguments, rows=m):
    """a_g = W_g v (+ R_g w + …) + b_g and g = function(a_g)."""
    kernels = [matrix(f"{k}_{letter}", rows, v.shape[0]) for k, v in zip("WRV", arguments, strict=False)]
    a = vector(f"a_{letter}", rows)
    terms = [*(matmul(k, v) for k, v in zip(kernels, arguments, strict=False)), vector(f"b_{letter}", rows)]
    return (a, add(*terms)), (vector(value, rows), apply(function, a))


def gru() -> Program:
    z, s, u, r = vector("z", n + m), vector("s", n + m), vector("u", m), vector("r", m)
    h_tilde = vector("h_tilde", m)
    return _cell(
        "gru", (x,), [(h_prev, h)],
        (z, concat(x, h_prev)),
        *_gate("u", "u", "sigmoid", z),
        *_gate("r", "r", "sigmoid", z),
        (s, concat(x, hadamard(r, h_prev))),
        *_gate("h", "h_tilde", "tanh", s),
        (h, add(hadamard(one_minus(u), h_prev), hadamard(u, h_tilde))),
    )  # fmt: skip


def gru_reset_after() -> Program:
    z, u, r, h_tilde, a = vector("z", n + m), vector("u", m), vector("r", m), vector("h_tilde", m), vector("a_h", m)
    inner = affine(matrix("R_h", m, m), h_prev, vector("bR_h", m))
    return _cell(
        "gru_v1", (x,), [(h_prev, h)],
        (z, concat(x, h_prev)),
        *_gate("u", "u", "sigmoid", z),
        *_gate("r", "r", "sigmoid", z),
        (a, add(matmul(matrix("W_h", m, n), x), vector("b_h", m), hadamard(r, inner))),
        (h_tilde, apply("tanh", a)),
        (h, add(hadamard(u, h_prev), hadamard(one_minus(u), h_tilde))),
    )  # fmt: skip


def mgu() -> Program:
    z, s, f, h_tilde = vector("z", n + m), vector("s", n + m), vector("f", m), vector("h_tilde", m)
    return _cell(
        "mgu", (x,), [(h_prev, h)],
        (z, concat(x, h_prev)),
        *_gate("f", "f", "sigmoid", z),
        (s, concat(x, hadamard(f, h_prev))),
        *_gate("h", "h_tilde", "tanh", s),
        (h, add(hadamard(one_minus(f), h_prev), hadamard(f, h_tilde))),
    )  # fmt: skip


def rnn() -> Program:
    z = vector("z", n + m)
    return _cell("rnn", (x,), [(h_prev, h)], (z, concat(x, h_prev)), *_gate("h", "h", "tanh", z))


def lstm_1997() -> Program:
    z, i, g, o = vector("z", n + m), vector("i", m), vector("c_tilde", m), vector("o", m)
    return _cell(
        "lstm_1997", (x,), [(h_prev, h), (c_prev, c)],
        (z, concat(x, h_prev)),
        *_gate("i", "i", "sigmoid", z),
        *_gate("c", "c_tilde", "tanh", z),
        (c, add(c_prev, hadamard(i, g))),
        *_gate("o", "o", "sigmoid", z),
        (h, hadamard(o, apply("tanh", c))),
    )  # fmt: skip


def lstmp() -> Program:
    hp, hn, z = vector("h_prev", q), vector("h", q), vector("z", n + q)
    f, i, g, o, raw = (vector(name, m) for name in ("f", "i", "c_tilde", "o", "m"))
    return _cell(
        "lstmp", (x,), [(hp, hn), (c_prev, c)],
        (z, concat(x, hp)),
        *_gate("f", "f", "sigmoid", z),
        *_gate("i", "i", "sigmoid", z),
        *_gate("c", "c_tilde", "tanh", z),
        (c, add(hadamard(f, c_prev), hadamard(i, g))),
        *_gate("o", "o", "sigmoid", z),
        (raw, hadamard(o, apply("tanh", c))),
        (hn, matmul(matrix("W_p", q, m), raw)),
    )  # fmt: skip


def deep() -> Program:
    z, f, i, g, o = vector("z", n + m), *(vector(name, m) for name in ("f", "i", "c_tilde", "o"))
    hidden = vector("f1", 64)
    return _cell(
        "deep_lstm", (x,), [(h_prev, h), (c_prev, c)],
        (z, concat(x, h_prev)),
        *_gate("f1", "f1", "tanh", z, rows=64),
        *_gate("f", "f", "sigmoid", hidden),
        *_gate("i", "i", "sigmoid", z),
        *_gate("c", "c_tilde", "tanh", z),
        (c, add(hadamard(f, c_prev), hadamard(i, g))),
        *_gate("o", "o", "sigmoid", z),
        (h, hadamard(o, apply("tanh", c))),
    )  # fmt: skip


def two_hidden_layers() -> Program:
    """An LSTM whose forget gate has two hidden layers."""
    z, f, i, g, o = vector("z", n + m), *(vector(name, m) for name in ("f", "i", "c_tilde", "o"))
    first, second = vector("f1", 64), vector("f2", 32)
    return _cell(
        "two_hidden_layers", (x,), [(h_prev, h), (c_prev, c)],
        (z, concat(x, h_prev)),
        *_gate("f1", "f1", "tanh", z, rows=64),
        *_gate("f2", "f2", "relu", first, rows=32),
        *_gate("f", "f", "sigmoid", second),
        *_gate("i", "i", "sigmoid", z),
        *_gate("c", "c_tilde", "tanh", z),
        (c, add(hadamard(f, c_prev), hadamard(i, g))),
        *_gate("o", "o", "sigmoid", z),
        (h, hadamard(o, apply("tanh", c))),
    )  # fmt: skip


def two_memories() -> Program:
    """A slow and a fast memory behind one output gate."""
    z, f, i, g, o = vector("z", n + m), *(vector(name, m) for name in ("f", "i", "c_tilde", "o"))
    r, k, d, d_prev = vector("r", m), vector("k", m), vector("d", m), vector("d_prev", m)
    return _cell(
        "two_memories", (x,), [(h_prev, h), (c_prev, c), (d_prev, d)],
        (z, concat(x, h_prev)),
        *_gate("f", "f", "sigmoid", z),
        *_gate("i", "i", "sigmoid", z),
        *_gate("c", "c_tilde", "tanh", z),
        (c, add(hadamard(f, c_prev), hadamard(i, g))),
        *_gate("r", "r", "sigmoid", z),
        *_gate("k", "k", "tanh", z),
        (d, add(hadamard(r, d_prev), hadamard(one_minus(r), k))),
        *_gate("o", "o", "sigmoid", z),
        (h, hadamard(o, apply("tanh", add(c, d)))),
    )  # fmt: skip


def skip() -> Program:
    """An LSTM whose output is added to a map of its input."""
    z, f, i, g, o = vector("z", n + m), *(vector(name, m) for name in ("f", "i", "c_tilde", "o"))
    return _cell(
        "skip", (x,), [(h_prev, h), (c_prev, c)],
        (z, concat(x, h_prev)),
        *_gate("f", "f", "sigmoid", z),
        *_gate("i", "i", "sigmoid", z),
        *_gate("c", "c_tilde", "tanh", z),
        (c, add(hadamard(f, c_prev), hadamard(i, g))),
        *_gate("o", "o", "sigmoid", z),
        (h, add(hadamard(o, apply("tanh", c)), matmul(matrix("W_s", m, n), x))),
    )  # fmt: skip


def sru() -> Program:
    xm, f, r, g = vector("x", m), vector("f", m), vector("r", m), vector("x_tilde", m)

    def gate(k, v):
        a = vector(f"a_{k}", m)
        return (
            a,
            add(matmul(matrix(f"W_{k}", m, m), xm), hadamard(vector(f"v_{k}", m), c_prev), vector(f"b_{k}", m)),
        ), (v, apply("sigmoid", a))

    return _cell(
        "sru", (xm,), [(h_prev, h), (c_prev, c)],
        (g, matmul(matrix("W_x", m, m), xm)),
        *gate("f", f),
        (c, add(hadamard(f, c_prev), hadamard(one_minus(f), g))),
        *gate("r", r),
        (h, add(hadamard(r, c), hadamard(one_minus(r), xm))),
    )  # fmt: skip


CELLS = {
    "own_lstmp": lstmp(),
    "own_gru": gru(),
    "own_gru_reset_after": gru_reset_after(),
    "own_mgu": mgu(),
    "own_rnn": rnn(),
    "own_lstm_1997": lstm_1997(),
    "own_deep": deep(),
    "own_sru": sru(),
    "own_two_hidden_layers": two_hidden_layers(),
    "own_two_memories": two_memories(),
    "own_skip": skip(),
}


def _combined(way: int, u, v, w, before, P):
    if way == 0:
        return add(hadamard(u, before), hadamard(one_minus(u), v))
    if way == 1:
        return hadamard(u, apply("tanh", v))
    if way == 2:
        return add(u, v, w, before)
    return hadamard(add(u, v), add(v, w)) if way == 3 else add(matmul(P, concat(u, v, w)), before)


def random_cell(choose) -> Program:
    """A cell that nobody would think of. choose: takes (least, most) and returns an integer."""
    count = choose(1, 3)
    befores = [vector(f"{name}_prev", m) for name in "hcd"[:count]]
    afters = [vector(name, m) for name in "hcd"[:count]]
    values, equations = list(befores), []
    for k in range(choose(1, 5)):
        a, v = vector(f"a_{k}", m), vector(f"v{k}", m)
        terms = [matmul(matrix(f"W_{k}", m, n), x), *(values[choose(0, len(values) - 1)] for _ in range(choose(0, 3)))]
        equations += [(a, add(*terms, vector(f"b_{k}", m))), (v, apply(("sigmoid", "tanh", "relu")[choose(0, 2)], a))]
        values += [v, a] if choose(0, 3) == 0 else [v]
    for k, after in enumerate(afters):
        u, v, w = (values[choose(0, len(values) - 1)] for _ in range(3))
        made = _combined(choose(0, 4), u, v, w, befores[k], matrix(f"P_{k}", m, 3 * m))
        equations.append((after, made))
        values.append(after)
    read = {s for _, e in equations for s in e.atoms(MatrixSymbol)}
    unread = [v for v in (*befores, *(s for s, _ in equations)) if v not in read and v not in afters]
    last, expression = equations[-1]
    equations[-1] = (last, add(expression, *unread)) if unread else equations[-1]
    return _cell("random", (x,), list(zip(befores, afters, strict=True)), *equations)
