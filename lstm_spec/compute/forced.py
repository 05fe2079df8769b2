"""Allowed errors through time, without the growth that makes bounds of a free-running recurrence useless.

After one full call of an implementation, the reference takes at step t the state that the implementation itself
returned for step t−1. A state that is returned at every step is then exact by definition, and no error is multiplied by
the recurrent weights; states that are not returned (the cell state) stay in the reference, where the error of c is only
multiplied by the forget gate. The backward pass runs on the same forward values, its adjoints carried in the reference;
where an implementation shows the adjoints of its pre-activations, those are taken from it in the same way.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from lstm_spec.compute.accuracy import Accuracy, accuracy
from lstm_spec.compute.bounded import bounded
from lstm_spec.compute.engine import Trace
from lstm_spec.compute.lengths import alive
from lstm_spec.compute.network import run_network
from lstm_spec.compute.rounding import OUTWARD, Array, Bounded
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.inference import infer_dimensions
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program


def error_bound(
    cell: Program | Network,
    params: Mapping[str, Array],
    x: Array,
    *states: Array,
    y: Array,
    dtype: str | Accuracy = "float64",
    lengths: Array | None = None,
) -> dict[str, Bounded]:
    """Return what a correct implementation may return: the value and the allowed error of every output.

    cell: the specification, a cell or a network; params: arrays by name; x: (T, B, n); states: initial states, each
    (B, m), those of a network in the order of its ``states``; y: (T, B, m), the sequence that the implementation
    returned; dtype: the format it computes in, or its accuracy contract; lengths: (B,) where rows have them. Returns
    "y" and every final state by name, each with ``.value`` and ``.error``. Raises AccuracyError for a format without a
    contract, and for an operator or function without an error rule; DimensionError for arrays that do not belong
    together.

    >>> from lstm_spec.compute.layer import forward
    >>> from lstm_spec.spec.cells import lstm
    >>> params = {name: np.ones(shape, "float32") for name, shape in lstm().dimensions(n=2, m=3).items()}
    >>> x, h0, c0 = (np.ones(shape, "float32") for shape in ((4, 1, 2), (1, 3), (1, 3)))
    >>> y, h, c = forward(params, x, h0, c0)
    >>> bound = error_bound(lstm(), params, x, h0, c0, y=y, dtype="float32")
    >>> bool((abs(y - bound["y"].value) <= bound["y"].error).all()), bool(bound["c"].error.max() < 1e-4)
    (True, True)
    """
    contract = accuracy(dtype) if isinstance(dtype, str) else dtype
    if isinstance(cell, Program):
        _check_arrays(cell, params, x, states, y)
    return forced_bounds(cell, params, x, states, y, contract, lengths)


def _check_arrays(cell: Program, params: Mapping[str, Array], x: Array, states: tuple[Array, ...], y: Array) -> None:
    names = [p.name for p in cell.parameters]
    if set(params) != set(names):
        raise DimensionError(f"the parameters of {cell.name} are {', '.join(names)}; got {', '.join(params) or 'none'}")
    if len(states) != len(cell.states):
        wanted = ", ".join(f"{name}0" for name in cell.states)
        raise DimensionError(f"{cell.name} has {len(cell.states)} initial states, {wanted}; got {len(states)}")
    given = {**params, "x": x, **{f"{name}0": s for name, s in zip(cell.states, states, strict=True)}}
    infer_dimensions(cell, {name: np.shape(value) for name, value in given.items()})
    wanted_y = (*np.shape(x)[:2], np.shape(states[0])[-1])
    if np.shape(y) != wanted_y:
        origin = f"(T, B, m) as x and {cell.states[0]}0 have them"
        raise DimensionError(f"y has shape {np.shape(y)}; expected {wanted_y}, {origin}")


def forced_bounds(
    cell: Program | Network,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    y: Array | None,
    contract: Accuracy,
    lengths: Array | None = None,
) -> dict[str, Bounded]:
    """Return what a correct implementation may return, given the first state that this one returned at every step.

    Arguments, returns and errors as ``error_bound``. Without y, where nobody has returned anything yet, every error is
    carried on from step to step. Of a network only the top layer is returned, and only where
    nothing is merged into it or added to it; the layers below run free, and their error is that of the next one's x.
    """
    network = network_of(cell)
    with np.errstate(all="ignore"):
        run = _run(network, params, x, states, y, contract, lengths)
    return _returned(network, run, x, lengths)


def _returned(network: Network, run: Trace, x: Array, lengths: Array | None) -> dict[str, Bounded]:
    y = run.y
    if lengths is not None and network.free_padding:
        y = Bounded(y.value, np.where(alive(lengths, len(x)), y.errors, np.inf))
    return outward({"y": y, **dict(zip(network.states, run.states, strict=True))})


def backward_bounds(
    cell: Program | Network,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    y: Array,
    dy: Array,
    dstates: tuple[Array, ...],
    contract: Accuracy,
    lengths: Array | None = None,
    *,
    shown: Mapping[str, Bounded] = MappingProxyType({}),
) -> dict[str, Bounded]:
    """Return the gradients that a correct implementation may return, by the names of what they belong to.

    params, x, states, y, lengths: as for ``error_bound``; dy: (T, B, m), the cotangent of y; dstates: those of the
    final states; shown: of a single cell, adjoints (T, B, m) of computed values by name, such as "da_f", as the
    implementation showed them, each with how far from that it may be what the implementation went on with. Returns the
    bounds for every parameter by its name, for "x", for every initial state ("h0", "c0", …), and for what is shown.
    Raises AccuracyError for an operator or function without an error rule.
    """
    return differentiated_bounds(cell, params, x, states, y, dy, dstates, contract, lengths, shown=shown)[1]


def differentiated_bounds(
    cell: Program | Network,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    y: Array | None,
    dy: Array,
    dstates: tuple[Array, ...],
    contract: Accuracy,
    lengths: Array | None = None,
    *,
    shown: Mapping[str, Bounded] = MappingProxyType({}),
) -> tuple[dict[str, Bounded], dict[str, Bounded]]:
    """Return what a forward pass and the backward pass that ran on it may return: both bounds at the price of one.

    Arguments and errors as ``backward_bounds``; returns what ``forced_bounds`` does, and what ``backward_bounds`` does.
    Without y, where nobody has returned anything yet, every error is carried on from step to step.
    """
    network = network_of(cell)
    with np.errstate(all="ignore"):
        run = _run(network, params, x, states, y, contract, lengths, shown)
        assert run.pull is not None
        back = run.pull(*(_exact(d) for d in (dy, *dstates)))
    given = network.states if network.initial == "given" else ()
    initial = {f"{name}0": d for name, d in zip(given, back.states, strict=True)}
    gradients = outward({**back.params, "x": back.x, **initial, **back.shown})
    return _returned(network, run, x, lengths), gradients


def _run(
    network: Network,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    y: Array | None,
    contract: Accuracy,
    lengths: Array | None,
    shown: Mapping[str, Bounded] = MappingProxyType({}),
) -> Trace:
    given = {name: _exact(p) for name, p in params.items()}
    initial = tuple(_exact(s) for s in states)
    returned = None if y is None else np.asarray(y, np.float64)
    return run_network(network, given, _exact(x), initial, lengths, bounded(contract, shown), returned)


def _exact(a: Array) -> Bounded:
    return Bounded(np.asarray(a, np.float64))


def outward(bounds: Mapping[str, Bounded]) -> dict[str, Bounded]:
    """Return bounds widened by what computing them has rounded away."""
    return {name: Bounded(b.value, b.errors * OUTWARD) for name, b in bounds.items()}
