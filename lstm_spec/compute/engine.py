"""One cell over a sequence, forward and back: the hand-written layer where it covers the cell, else compiled steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sympy import BlockMatrix, HadamardProduct, MatrixSymbol

from lstm_spec.calculus.adjoint import backward
from lstm_spec.compute.compile import compile_program
from lstm_spec.compute.layer import Layer, numpy_layer
from lstm_spec.compute.layer_activations import ACTIVATIONS
from lstm_spec.compute.layer_parameters import DEFAULT_ACTIVATIONS
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.elementwise import elementwise
from lstm_spec.spec.equation import names_in
from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.options import OptionError
from lstm_spec.spec.program import Program

Array = NDArray[Any]
Params = Mapping[str, Array]


@dataclass(frozen=True)
class Pull:
    """What cotangents of the outputs come back as: by parameter, of x, and of every initial state.

    All are arrays, or all are values with bounds. shown: of a single cell, what the equations say of adjoints that were
    given.
    """

    params: dict[str, Any]
    x: Any
    states: tuple[Any, ...]
    shown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """What a run over a sequence gave, and how to go back through it.

    y: (T, B, m), the first state of every step; states: the final ones, each (B, m); pull: takes the cotangents of y
    and of the final states, or is None where the run kept nothing. All are arrays, or all are values with bounds.
    """

    y: Any
    states: tuple[Any, ...]
    pull: Callable[..., Pull] | None


def trace(cell: Program, params: Params, x: Array, states: tuple[Array, ...], *, keep: bool) -> Trace:
    """Run a cell over x (T, B, n) from initial states, each (B, m); with ``keep`` it can be taken back."""
    layer = fast_layer(cell) if x.dtype.kind == "f" else None
    return _stepped(cell, params, x, states, keep) if layer is None else _fast(layer, params, x, states, keep)


def _fast(layer: Layer, params: Params, x: Array, states: tuple[Array, ...], keep: bool) -> Trace:
    (T, B, n), (q, m) = x.shape, (s.shape[-1] for s in states)
    workspace = layer.workspace(T=T, B=B, n=n, m=m, q=q, dtype=x.dtype, backward=keep)
    y, *final = workspace.forward(params, x, *states)

    def pull(dy: Array, *dstates: Array) -> Pull:
        dparams, dx, *initial = workspace.backward(dy, *dstates)
        return Pull(dparams, dx, tuple(initial))

    return Trace(y, tuple(final), pull if keep else None)


def _stepped(cell: Program, params: Params, x: Array, states: tuple[Array, ...], keep: bool) -> Trace:
    analytic = np.iscomplexobj(x)
    step = compile_program(cell, cell.states, analytic=analytic)
    current, history, y = states, [states], []
    for x_t in x:
        after = step(params, x_t, *current)
        current = after if isinstance(after, tuple) else (after,)
        history.append(current)
        y.append(current[0])

    def pull(dy: Array, *dstates: Array) -> Pull:
        back = compile_program(backward(cell), analytic=analytic)
        dx, total = np.zeros_like(x), {name: np.zeros_like(p) for name, p in params.items()}
        arriving = dstates
        for t in reversed(range(len(x))):
            dx[t], *rest = back(params, x[t], dy[t], *history[t], *arriving)
            # What nothing depends on is a plain 0.
            arriving = tuple(np.broadcast_to(d, s.shape) for d, s in zip(rest, states, strict=False))
            for p, d in zip(cell.parameters, rest[len(states) :], strict=True):
                total[p.name] += d
        return Pull(total, dx, arriving)

    rows = np.stack(y) if y else np.zeros((0, *states[0].shape), x.dtype)
    return Trace(rows, current, pull if keep else None)


@lru_cache(maxsize=256)
def fast_layer(cell: Program) -> Layer | None:
    """Return the hand-written layer that computes a cell, or None where there is none.

    Options are read off the cell's parameters and equations; whether they are right is decided by the equations that
    they make, which have to be the cell's own.

    >>> fast_layer(lstm(peepholes="o", concat=None)).options.peepholes, fast_layer(lstm(masks="x"))
    ('o', None)
    """
    names = {p.name for p in cell.parameters}
    defined = {d.name: d.expression for d in cell}
    if not {"a_c", "c", "h", "o"} <= defined.keys():
        return None
    activations = {key: function for key in DEFAULT_ACTIVATIONS if (function := _activation(defined, key))}
    limits = {name: float(value) for s, value in cell.constants if (name := s.name.removeprefix("limit_")) != s.name}
    options: dict[str, Any] = {
        "peepholes": "".join(gate for gate in "fio" if f"p_{gate}" in names),
        "coupled": None if {"a_f", "a_i"} <= defined.keys() else "f=1-i" if "a_i" in defined else "i=1-f",
        "concat": _order(cell),
        "biases": sum(any(name.startswith(f"{b}_") for name in names) for b in ("b", "bR")),
        "projection": "W_p" in names,
        "activations": activations,
        "clip": limits,
    }
    try:
        made = lstm(**options)
        layer = numpy_layer(**options)
    except (OptionError, ValueError):
        return None
    same = made.definitions == cell.definitions and made.recurrence == cell.recurrence
    return layer if same and made.constants == cell.constants else None


def _order(cell: Program) -> str | None:
    joined = next((d.expression for d in cell if isinstance(d.expression, BlockMatrix)), None)
    return None if joined is None else "xh" if parts_of(joined)[0] in cell.inputs else "hx"


_VALUES = {"f": "f", "i": "i", "c": "c_tilde", "o": "o", "h": "h"}


def _activation(defined: Mapping[str, Any], key: str) -> str | None:
    """Return the name of the activation of a gate or of the output, None where it is the usual one or unknown."""
    e = defined.get("h_tilde" if key == "h" and "h_tilde" in defined else _VALUES[key])
    if key == "h" and isinstance(e, HadamardProduct):
        e = e.args[-1]
    if isinstance(e, MatrixSymbol):
        return "identity"
    if not isinstance(e, Elementwise) or len(names_in(e)) != 1:
        return None
    if e.application is not None and e.application[0] == "clip":
        return "identity"
    known = [name for name in ACTIVATIONS if elementwise(name, 1) == e.function]
    return known[0] if known and known[0] != DEFAULT_ACTIVATIONS[key] else None
