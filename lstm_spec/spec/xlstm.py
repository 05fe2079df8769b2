"""The sLSTM: exponential gates, a normaliser ν, and a stabiliser s that keeps the exponentials in range."""

from typing import Literal

from lstm_spec.spec.define import define_cell
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.functions import maximum
from lstm_spec.spec.gates import Maps, activated
from lstm_spec.spec.operators import add, apply, divide, hadamard, scale, size, subtract, vector
from lstm_spec.spec.options import one_of
from lstm_spec.spec.program import Program


def slstm(*, forget: Literal["sigmoid", "exp"] = "sigmoid", name: str = "slstm") -> Program:
    """Return the sLSTM with one head (Beck et al. 2024, equations 8–17).

    forget: the forget gate without stabiliser, σ(a_f) or exp(a_f). l_f is its logarithm; s is the running maximum by
    which both exponents are lowered, which changes c and ν by one factor and h not at all. Raises OptionError.

    >>> for equation in list(slstm())[4:10]:
    ...     print(equation)
    l_f = −softplus(−a_f)
    s = max(l_f + s', a_i)
    f = exp(l_f + s' − s)
    i = exp(a_i − s)
    c = f∘c' + i∘c̃
    ν = f∘ν' + i
    """
    one_of("forget", forget, ("sigmoid", "exp"))
    m = size("m")
    x, a_f, a_i, l_f = vector("x", size("n")), vector("a_f", m), vector("a_i", m), vector("l_f", m)
    f, i, c_tilde, o = (vector(letter, m) for letter in ("f", "i", "c_tilde", "o"))
    h, c, nu, s = (vector(letter, m) for letter in ("h", "c", "nu", "s"))
    h_prev, c_prev, nu_prev, s_prev = (vector(f"{letter}_prev", m) for letter in ("h", "c", "nu", "s"))
    maps = Maps(x, h_prev)
    # −softplus(−a) and not log(σ(a)), which is −∞ where σ rounds to 0.
    logarithm = scale(-1, apply("softplus", scale(-1, a_f)))
    lowered = a_f if forget == "exp" else l_f
    return define_cell(
        name,
        inputs=x,
        states=[(h_prev, h), (c_prev, c), (nu_prev, nu), (s_prev, s)],
        equations=[
            Equation(a_f, add(*maps.terms("f", m))),
            Equation(a_i, add(*maps.terms("i", m))),
            *activated(c_tilde, "c", "tanh", maps.terms("c", m)),
            *([] if forget == "exp" else [Equation(l_f, logarithm)]),
            Equation(s, apply(maximum, add(lowered, s_prev), a_i)),
            Equation(f, apply("exp", subtract(add(lowered, s_prev), s))),
            Equation(i, apply("exp", subtract(a_i, s))),
            Equation(c, add(hadamard(f, c_prev), hadamard(i, c_tilde))),
            Equation(nu, add(hadamard(f, nu_prev), i)),
            *activated(o, "o", "sigmoid", maps.terms("o", m)),
            Equation(h, hadamard(o, divide(c, nu))),
        ],
    )
