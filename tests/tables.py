"""The tables that the tests of every room share: cells by option, and random arguments for any cell."""

import itertools

import numpy as np
from sympy import Function

from lstm_spec.spec.equation import Equation
from lstm_spec.spec.operators import add, apply, concat, hadamard, matmul, matrix, size, vector
from lstm_spec.spec.program import Program, check_cell
from lstm_spec.spec.sizes import evaluate_shape

_ACTIVATIONS = (
    {},
    {"activations": {"f": "hard_sigmoid", "i": "hard_sigmoid_onnx", "o": "softsign"}},
    {"activations": {"c": "relu", "h": "identity"}},
    {"activations": {"c": "softplus", "h": "softsign"}},
)


def _without_coupled(activations, coupled):
    """Leave out the activation of the gate that a coupling computes."""
    kept = {gate: name for gate, name in activations.get("activations", {}).items() if gate != (coupled or " ")[0]}
    return {"activations": kept} if kept else {}


OPTIONS = [
    {**row, **_without_coupled(activations, row["coupled"])}
    for row in (
        {"peepholes": peepholes, "coupled": coupled, "concat": concat, "biases": biases}
        for peepholes, coupled, concat, biases in itertools.product(
            ("", "fio", "o"), (None, "f=1-i", "i=1-f"), ("xh", "hx", None), (0, 1, 2)
        )
        if not (coupled and peepholes == "fio")
    )
    for activations in (_ACTIVATIONS if row["biases"] == 1 and row["concat"] == "xh" else _ACTIVATIONS[:1])
]


SIZES = {"n": 2, "m": 3, "q": 2}


def sizes_of(cell, **sizes):
    """Return the sizes that a cell has, those given and small odd ones else."""
    return {s.name: {**SIZES, **sizes}[s.name] for s in cell.sizes}


def random_case(cell, *, T, B, seed, scale=1.0, dtype="float64", **sizes):
    """Return (params, x, states) with distinct nonzero numbers, as a layer takes them."""
    rng = np.random.default_rng(seed)
    own = sizes_of(cell, **sizes)
    params = {name: scale * rng.standard_normal(shape) for name, shape in cell.dimensions(**own).items()}
    values = cell.check_sizes(own)
    x = rng.standard_normal((T, B, evaluate_shape(cell.inputs[0].shape, values)[0]))
    states = tuple(rng.standard_normal((B, evaluate_shape(before.shape, values)[0])) for before, _ in cell.recurrence)
    cast = {name: a.astype(dtype) for name, a in params.items()}
    return cast, x.astype(dtype), tuple(s.astype(dtype) for s in states)


def plain_rnn(*, diagonal=False):
    """Return h = tanh(W z + b), or with ``diagonal`` h = tanh(W x + u∘h' + b), in which no unit sees another."""
    n, m = size("n"), size("m")
    x, h_prev, h, a, b, u = vector("x", n), *(vector(name, m) for name in ("h_prev", "h", "a", "b", "u"))
    W, z = matrix("W", m, n if diagonal else n + m), vector("z", n + m)
    if diagonal:
        definitions = (Equation(a, add(matmul(W, x), hadamard(u, h_prev), b)),)
    else:
        definitions = (Equation(z, concat(x, h_prev)), Equation(a, add(matmul(W, z), b)))
    return check_cell(
        Program(
            name="diagonal" if diagonal else "rnn",
            inputs=(x,),
            recurrence=((h_prev, h),),
            parameters=(W, u, b) if diagonal else (W, b),
            definitions=(*definitions, Equation(h, apply("tanh", a))),
            outputs=("h",),
        )
    )


class cube(Function):  # noqa: N801
    """A function of one's own, with nothing but its derivative."""

    nargs = 1

    def fdiff(self, argindex=1):
        return 3 * self.args[0] ** 2
