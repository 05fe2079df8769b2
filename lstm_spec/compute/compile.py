"""From a Program to a NumPy function, by way of source that one can print and read."""

import linecache
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_spec.spec.program import Program
from lstm_spec.write.dialects import ANALYTIC, NUMPY
from lstm_spec.write.source import source

Array = NDArray[Any]
Params = Mapping[str, Array]


@lru_cache(maxsize=1024)
def compile_program(
    program: Program, returns: tuple[str, ...] | None = None, *, analytic: bool = False
) -> Callable[..., Any]:
    """Return ``step(params, x, *states)`` for a Program, compiled from its NumPy source.

    Rows are batched: x (B, n), states (B, m); any float dtype. returns: the names of the values that the function
    returns, by default the Program's outputs; analytic: with functions continued from the real line to complex numbers.

    >>> from lstm_spec.spec.cells import lstm
    >>> step = compile_program(lstm(), ("z", "h"))
    >>> params = {name: np.zeros(shape) for name, shape in lstm().dimensions(n=2, m=3).items()}
    >>> z, h = step(params, np.ones((1, 2)), np.zeros((1, 3)), np.ones((1, 3)))
    >>> z.shape, h.round(3)
    ((1, 5), array([[0.231, 0.231, 0.231]]))
    """
    code = source(program, dialect=ANALYTIC if analytic else NUMPY, returns=returns)
    filename = f"<{program.name} as NumPy, {abs(hash((program, returns, analytic))):x}>"
    # Tracebacks and inspect.getsource find generated code only through linecache.
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {}
    exec(compile(code, filename, "exec"), namespace)
    return namespace["step"]


def run(program: Program, params: Params, x: Array, *states: Array) -> tuple[Array, ...]:
    """Run a cell over a sequence: the reference for what a layer returns.

    params: arrays by name, with the shapes of ``program.dimensions``; x: (T, B, n); states: initial states, each
    (B, m), in the order of ``program.states``; complex where x is. Returns (y, *states): y (T, B, m) holds the first
    state of every step.
    """
    step = compile_program(program, program.states, analytic=np.iscomplexobj(x))
    y = []
    current: tuple[Array, ...] = states
    for x_t in x:
        after = step(params, x_t, *current)
        current = after if isinstance(after, tuple) else (after,)
        y.append(current[0])
    return (np.stack(y), *current)
