"""Recurrent cells beside the LSTM: the plain RNN, the GRU and its relatives, and cells whose state is gated alone.

Gates read x and h' by separate matrices W_g and R_g. The update gate is u (z is the concatenation elsewhere), the reset
gate r, the candidate h̃ with parameters W_h, R_h, b_h.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from sympy import MatrixSymbol, Symbol

from lstm_spec.spec.define import define_cell
from lstm_spec.spec.elementwise import elementwise
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.gates import Maps, activated, blend
from lstm_spec.spec.operators import add, apply, divide, hadamard, matmul, matrix, size, vector
from lstm_spec.spec.options import OptionError, one_of, positive
from lstm_spec.spec.program import Program, constant

_SQUARE = MappingProxyType({"n": "m"})


def _symbols(n: Any) -> tuple[MatrixSymbol, MatrixSymbol, MatrixSymbol, MatrixSymbol]:
    """Return x, h', h and h̃."""
    m = size("m")
    return vector("x", n), vector("h_prev", m), vector("h", m), vector("h_tilde", m)


def rnn(
    *, activation: Any = "tanh", biases: Literal[0, 1, 2] = 1, clip: float | None = None, name: str = "rnn"
) -> Program:
    """Return the plain recurrent cell (Elman 1990).

    activation: a name, a SymPy Function or a Lambda; biases: none, one or two; clip: to which ±limit its pre-activation
    is clipped. Raises OptionError.

    >>> print(*rnn(), sep="; ")
    a_h = W_h x + R_h h' + b_h; h = tanh(a_h)
    """
    one_of("biases", biases, (0, 1, 2))
    x, h_prev, h, _ = _symbols(size("n"))
    terms = Maps(x, h_prev, biases=biases).terms("h", size("m"))
    constants, limit = _limit(clip)
    equations = activated(h, "h", activation, terms, limit)
    return define_cell(name, inputs=x, states=[(h_prev, h)], equations=equations, constants=constants)


def _limit(clip: float | None) -> tuple[tuple[tuple[Symbol, Any], ...], Symbol | None]:
    """Return a clip limit as the constants of a cell and as the symbol that stands for it."""
    if clip is None:
        return (), None
    positive("clip", clip)
    named = constant("limit_a", clip)
    return (named,), named[0]


def gru(
    *,
    reset_after: bool = False,
    biases: Literal[0, 1, 2] | None = None,
    activations: Mapping[str, Any] | None = None,
    clip: float | None = None,
    name: str = "gru",
) -> Program:
    """Return the gated recurrent unit (Cho et al. 2014; here u = 1 keeps the state, as frameworks have it).

    reset_after: whether r scales R_h h' + bR_h, as in the first version of the paper and in cuDNN, PyTorch and Keras,
    or h' itself, as in its last version. biases: none, one, or two per gate; by default two with reset_after, else one.
    activations: by gate letter u, r, h. clip: to which ±limit every pre-activation is clipped. Raises OptionError.

    >>> print(gru()["a_h"], gru(reset_after=True)["a_h"], gru()["h"], sep="; ")
    a_h = W_h x + R_h (r∘h') + b_h; a_h = W_h x + b_h + r∘(R_h h' + bR_h); h = (1 − u)∘h̃ + u∘h'
    """
    one_of("biases", biases, (None, 0, 1, 2))
    squash = _squash(activations, u="sigmoid", r="sigmoid", h="tanh")
    m = size("m")
    x, h_prev, h, h_tilde = _symbols(size("n"))
    u, r = vector("u", m), vector("r", m)
    count = (2 if reset_after else 1) if biases is None else biases
    maps = Maps(x, h_prev, biases=count)
    if reset_after:
        own, *recurrent = maps.offsets("h", m) or [None]
        inner = add(maps.from_h("h", m), *recurrent)
        candidate = [maps.from_x("h", m), *([own] if own is not None else []), hadamard(r, inner)]
    else:
        candidate = Maps(x, hadamard(r, h_prev), biases=count).terms("h", m)
    constants, limit = _limit(clip)
    return define_cell(
        name,
        inputs=x,
        states=[(h_prev, h)],
        equations=[
            *activated(u, "u", squash["u"], maps.terms("u", m), limit),
            *activated(r, "r", squash["r"], maps.terms("r", m), limit),
            *activated(h_tilde, "h", squash["h"], candidate, limit),
            Equation(h, blend(u, h_tilde, h_prev)),
        ],
        constants=constants,
    )


def mgu(*, activations: Mapping[str, Any] | None = None, name: str = "mgu") -> Program:
    """Return the minimal gated unit, whose forget gate is also its reset gate (Zhou et al. 2016).

    activations: by gate letter f, h.

    >>> print(mgu()["a_h"], mgu()["h"], sep="; ")
    a_h = W_h x + R_h (f∘h') + b_h; h = (1 − f)∘h' + f∘h̃
    """
    squash = _squash(activations, f="sigmoid", h="tanh")
    m = size("m")
    x, h_prev, h, h_tilde = _symbols(size("n"))
    f = vector("f", m)
    return define_cell(
        name,
        inputs=x,
        states=[(h_prev, h)],
        equations=[
            *activated(f, "f", squash["f"], Maps(x, h_prev).terms("f", m)),
            *activated(h_tilde, "h", squash["h"], Maps(x, hadamard(f, h_prev)).terms("h", m)),
            Equation(h, blend(f, h_prev, h_tilde)),
        ],
    )


def mut(variant: Literal[1, 2, 3], *, n: Any = None, name: str | None = None) -> Program:
    """Return one of the three cells that an evolutionary search found (Józefowicz, Zaremba & Sutskever 2015).

    variant: 1, 2 or 3. n: the input size, by default the symbol n; MUT1 adds tanh(x) to a vector of size m and MUT2
    adds x to one, so they exist only for n = m: ``mut(1, n=size("m"))`` says so and keeps why. Their z is called u
    here. Raises OptionError for another variant, DimensionError where n is not m but has to be.

    >>> mut(2)
    Traceback (most recent call last):
    lstm_spec.spec.dimensions.DimensionError: x has n rows but R_r h' has m rows, which holds only if n = m, in
    a_r = x + R_r h' + b_r
    """
    one_of("variant", variant, (1, 2, 3))
    m = size("m")
    x, h_prev, h, h_tilde = _symbols(size("n") if n in (None, m) else n)
    u, r = vector("u", m), vector("r", m)
    maps, reset = Maps(x, h_prev), Maps(x, hadamard(r, h_prev))
    update = {
        1: [maps.from_x("u", m), *maps.offsets("u", m)],
        2: maps.terms("u", m),
        3: Maps(x, apply("tanh", h_prev)).terms("u", m),
    }
    resetting = maps.terms("r", m) if variant != 2 else [x, maps.from_h("r", m), *maps.offsets("r", m)]
    from_x = apply("tanh", x) if variant == 1 else maps.from_x("h", m)
    return define_cell(
        name or f"mut{variant}",
        inputs=x,
        states=[(h_prev, h)],
        equations=[
            *activated(u, "u", "sigmoid", update[variant]),
            *activated(r, "r", "sigmoid", resetting),
            *activated(h_tilde, "h", "tanh", [reset.from_h("h", m), from_x, *maps.offsets("h", m)]),
            Equation(h, blend(u, h_prev, h_tilde)),
        ],
        same=_SQUARE if n == m else None,
    )


def sru(*, n: Any = None, name: str = "sru") -> Program:
    """Return the simple recurrent unit (Lei et al. 2018, equations 1–4).

    n: the input size, by default the symbol n; the highway (1 − r)∘x needs n = m, which ``sru(n=size("m"))`` says.
    Nothing reads h', which is a state only because it is what a layer returns. Raises DimensionError where n is not m.

    >>> print(sru(n=size("m"))["c"], sru(n=size("m"))["h"], sep="; ")
    c = (1 − f)∘(W_c x) + f∘c'; h = (1 − r)∘x + r∘c
    """
    m = size("m")
    x, h_prev, h, _ = _symbols(size("n") if n in (None, m) else n)
    c_prev, c, f, r = vector("c_prev", m), vector("c", m), vector("f", m), vector("r", m)
    maps = Maps(x, h_prev)

    def gate(value: MatrixSymbol, letter: str) -> list[Equation]:
        seen = hadamard(vector(f"p_{letter}", m), c_prev)
        return activated(value, letter, "sigmoid", [maps.from_x(letter, m), seen, *maps.offsets(letter, m)])

    return define_cell(
        name,
        inputs=x,
        states=[(h_prev, h), (c_prev, c)],
        equations=[
            *gate(f, "f"),
            Equation(c, blend(f, matmul(matrix("W_c", m, x.shape[0]), x), c_prev)),
            *gate(r, "r"),
            Equation(h, blend(r, x, c)),
        ],
        same=_SQUARE if n == m else None,
    )


def minlstm(*, biases: Literal[0, 1] = 0, name: str = "minlstm") -> Program:
    """Return the minimal LSTM, whose gates do not read h' and sum to one (Feng et al. 2024).

    biases: none, or one per gate. Raises OptionError.

    >>> print(*list(minlstm())[4:], sep="; ")
    f̃ = f/(f + i); ĩ = i/(f + i); h̃ = W_h x; h = f̃∘h' + ĩ∘h̃
    """
    one_of("biases", biases, (0, 1))
    m = size("m")
    x, h_prev, h, h_tilde = _symbols(size("n"))
    f, i, f_tilde, i_tilde = (vector(letter, m) for letter in ("f", "i", "f_tilde", "i_tilde"))
    maps = Maps(x, h_prev, biases=biases)

    def terms(letter: str) -> list[Any]:
        return [maps.from_x(letter, m), *maps.offsets(letter, m)]

    return define_cell(
        name,
        inputs=x,
        states=[(h_prev, h)],
        equations=[
            *activated(f, "f", "sigmoid", terms("f")),
            *activated(i, "i", "sigmoid", terms("i")),
            Equation(f_tilde, divide(f, add(f, i))),
            Equation(i_tilde, divide(i, add(f, i))),
            Equation(h_tilde, add(*terms("h"))),
            Equation(h, add(hadamard(f_tilde, h_prev), hadamard(i_tilde, h_tilde))),
        ],
    )


def _squash(activations: Mapping[str, Any] | None, **defaults: str) -> dict[str, Any]:
    for key, function in (activations or {}).items():
        if key not in defaults:
            raise OptionError(f"activations has the keys {', '.join(defaults)}, got {key!r}")
        elementwise(function)
    return {**defaults, **(activations or {})}
