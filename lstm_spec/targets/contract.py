"""What a target is: a function with the form of the specification, and what it says of itself.

A target is any callable ``forward(params, x, *states) -> (y, *states)`` or an object with such a method. Optional
attributes say which specification it claims, in which layout it takes parameters, in which formats it computes and
whose arrays it takes. Whatever it does on a valid case that the contract does not allow is a ``MisbehaviourError``,
said in one sentence; it is a finding about the target, not an error of the verifier.

Of a network the states are arrays (L·D, B, m), h then c, over layers and in them directions. Where layers differ in
size, every state is an array (B, m) of its own, in the order of the network's ``states``: l0.h, l0.c, l1.h, …. Where
initial states are zero or learned, no states are passed, and ``backward`` returns none; the final ones and their
cotangents stay. Learned ones are among the parameters, by names such as l0.h0 of shape (m,).

A target may take some of the initial states, return some of the final ones, and take cotangents of some. What it does
not take is zero in every case that it is asked, and not passed to it; what it does not return is not looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.arrays import has_float64
from lstm_spec.targets.calls import Arguments, Function, MisbehaviourError, Past, Remote, perform
from lstm_spec.targets.held import held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.origin import Origin

Array = NDArray[Any]


class TargetError(ValueError):
    """A target that cannot be loaded or used; the message is one sentence with the remedy."""


@dataclass(frozen=True)
class Target:
    """Somebody's LSTM as the verifier sees it.

    name: how the user called it. forward, backward: the callables; backward is None where no gradients are offered.
    differentiated: the forward pass as backward runs it, with the form of forward, where that may round otherwise (a
    framework may take another kernel when it records for gradients); None says that it is forward itself.
    spec: the cell or network it claims to be, a cell by name too; layers, bidirectional: that it is a network of such
    cells. layout: how it holds parameters, states and sequence. dtypes: the formats it computes in, the most exact
    first. arrays: "numpy", "torch" or "jax". weights: fixed parameters that it cannot change, by the specification's
    names. past_length: what y holds past a row's length, where it takes ``lengths``. origin: how Python gets at it,
    None where no name leads there. possible: whether it can have given sizes, {"n": …, "m": …}; by default all. sizes:
    those to ask for, where others are impossible or dear, with numbers of steps "T" and of rows "B" where these matter
    too. shapes: of its parameters by name at some sizes, where its layout is to be identified. initial: the initial
    states that it takes, by name, by default all; final: those that it returns in the end, by default all; cotangents:
    those final states of which backward takes the cotangent, by default all that it returns. versions: of the packages
    it is made of. release: called when a verification is over, to end a process that the target runs in; the
    next call starts another. reentrant: whether several threads may call it at once.
    """

    name: str
    forward: Function
    backward: Function | None = None
    differentiated: Function | None = None
    spec: str | Program | Network = "lstm"
    layers: int = 1
    bidirectional: bool = False
    layout: Layout = field(default_factory=Layout)
    dtypes: tuple[str, ...] = ("float64",)
    arrays: str = "numpy"
    weights: Mapping[str, Array] | None = None
    past_length: str | None = None
    origin: Origin | None = field(default=None, compare=False)
    possible: Callable[[Mapping[str, int]], bool] = lambda sizes: True
    sizes: tuple[Mapping[str, int], ...] | None = None
    shapes: Mapping[str, tuple[int, ...]] | None = None
    initial: tuple[str, ...] | None = None
    final: tuple[str, ...] | None = None
    cotangents: tuple[str, ...] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    release: Callable[[], None] = lambda: None
    reentrant: bool = False


@dataclass(frozen=True)
class Ends:
    """The arrays of states that go over the ends of a sequence, by the names and in the order of ``Held.states``.

    every: all that there are; initial: those that are passed; final: those that are returned; cotangents: those whose
    cotangents are passed.
    """

    every: tuple[str, ...]
    initial: tuple[str, ...]
    final: tuple[str, ...]
    cotangents: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether all states are taken and returned, so that a sequence may be cut anywhere."""
        return self.initial == self.final == self.every


def ends(target: Target, cell: Program | Network) -> Ends:
    """Return which states a target takes and returns, of the cell or network that it is held against."""
    own = held(target.layout, cell)
    begun = own.states if own.network.initial == "given" else ()

    def among(names: tuple[str, ...], said: tuple[str, ...] | None) -> tuple[str, ...]:
        return names if said is None else tuple(name for name in names if name in said)

    final = among(own.states, target.final)
    pulled = final if target.cotangents is None else among(own.states, target.cotangents)
    return Ends(own.states, among(begun, target.initial), final, pulled)


@dataclass(frozen=True)
class Outputs:
    """What one call returned, in the specification's own terms: y (T, B, m) and final states (B, m) by name."""

    y: Array
    states: Mapping[str, Array]


@dataclass(frozen=True)
class Gradients:
    """What a backward pass returned, in the specification's own terms: by parameter, "x", and "h0", "c0", …"""

    values: Mapping[str, Array]


def check_format(target: Target, dtype: str) -> None:
    """Raise TargetError for a format that the library whose arrays a target takes is not set to.

    Of a target in another process only that one knows.
    """
    if dtype == "float64" and not isinstance(target.forward, Remote) and not has_float64(target.arrays):
        raise TargetError(
            f"{target.name}: JAX computes in float32 until it is told otherwise;"
            ' call jax.config.update("jax_enable_x64", True) in the file of the target, or ask for float32'
        )


def call_forward(
    target: Target,
    cell: Program | Network,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    *,
    method: Literal["forward", "differentiated"] = "forward",
    lengths: Array | None = None,
    memory: str = "",
) -> tuple[Outputs, Past]:
    """Call a target's forward pass and return what it gave in the specification's layout.

    params: by the specification's names and shapes; x: (T, B, n); states: each (B, m), in the order of ``cell.states``,
    none where the network has its own; method: "differentiated" for the forward pass as backward runs it, where the
    target has one; lengths: (B,), the steps of every row, where the target takes them; memory: how the target's arrays
    lie, where that is one of ``MEMORIES``. Everything is copied before, so a target cannot change the caller's arrays.
    Raises MisbehaviourError for an exception in the target, and for values of the wrong kind, number, shape or dtype.
    """
    arguments = replace(forward_arguments(target, cell, params, x, states, lengths), memory=memory)
    own, names = held(target.layout, cell), ("y", *ends(target, cell).final)
    call, results = perform(getattr(target, method), method, arguments, names, arrays=target.arrays)
    return read_outputs(results, target, cell, x, states or own.blank_states(params, x.shape[1])), call


def call_backward(
    target: Target,
    cell: Program | Network,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    dy: Array,
    dstates: tuple[Array, ...],
    *,
    lengths: Array | None = None,
) -> tuple[Gradients, Past]:
    """Call a target's backward pass and return its gradients in the specification's layout.

    params, x, states, lengths: as for ``call_forward``; dy: (T, B, m), the cotangent of y; dstates: those of the final
    states. Raises MisbehaviourError as ``call_forward`` does.
    """
    arguments = forward_arguments(target, cell, params, x, states, lengths)
    asked = with_cotangents(target, cell, arguments, dy, dstates)
    names = ("dparams", *(f"d{name}" for name, _ in arguments.rest))
    assert target.backward is not None
    call, results = perform(target.backward, "backward", asked, names, arrays=target.arrays)
    return read_gradients(results, target, cell, params, arguments), call


def forward_arguments(
    target: Target,
    cell: Program | Network,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    lengths: Array | None,
) -> Arguments:
    """Return the arguments of a forward pass, given as ``call_forward`` takes them, as a target takes them."""
    own = held(target.layout, cell)
    initial = dict(zip(own.states, own.to_states(states), strict=True)) if states else {}
    taken = ends(target, cell).initial
    rest = [("x", target.layout.to_x(x)), *((f"{name}0", initial[name]) for name in taken)]
    return Arguments(own.pack(params), rest, lengths)


def with_cotangents(
    target: Target, cell: Program | Network, forward: Arguments, dy: Array, dstates: tuple[Array, ...]
) -> Arguments:
    """Return the arguments of a backward pass: those of its forward pass, dy (T, B, m), and those of final states.

    dstates: one for every state, of which the target is given those that it takes.
    """
    own = held(target.layout, cell)
    final = dict(zip(own.states, own.to_states(dstates), strict=True))
    taken = [(f"d{name}", final[name]) for name in ends(target, cell).cotangents]
    return replace(forward, rest=[*forward.rest, ("dy", own.to_y(dy)), *taken])


def read_outputs(
    results: Mapping[str, Array], target: Target, cell: Program | Network, x: Array, states: tuple[Array, ...]
) -> Outputs:
    """Read what a forward pass returned for x (T, B, n), by name; raises MisbehaviourError.

    states: of the shapes that the final ones have to have, each (B, m).
    """
    own = held(target.layout, cell)
    y_shape = own.y_shape(x, states)
    sizes = (*x.shape[:2], y_shape[-1])
    held_shape = own.to_y(np.zeros(y_shape)).shape
    _check_shape("y", results["y"], held_shape, _axes_of_y(target) if len(y_shape) == 3 else "(B, m)", sizes)
    final = ends(target, cell).final
    for name, given in zip(own.states, own.to_states(states), strict=True):
        if name in final:
            _check_shape(name, results[name], given.shape, "(B, m)", sizes)
    return Outputs(own.from_y(results["y"]), own.from_some({name: results[name] for name in final}))


def read_gradients(
    results: Mapping[str, Array],
    target: Target,
    cell: Program | Network,
    params: Mapping[str, Array],
    arguments: Arguments,
) -> Gradients:
    """Read what a backward pass returned, by name, for the arguments of its forward pass, which hold ``params``.

    Raises MisbehaviourError for a shape that is not that of the argument.
    """
    own = held(target.layout, cell)
    gradients = {}
    for name, given in (*arguments.params.items(), *arguments.rest):
        gradients[name] = array = results[f"d{name}"]
        if array.shape != given.shape:
            raise MisbehaviourError(f"d{name} has shape {array.shape}; expected {given.shape}, that of {name}")
    packed = {name: gradients[name] for name in arguments.params}
    unpacked = own.unpack_gradients(packed, params)
    initial = own.from_some({name: gradients[f"{name}0"] for name in ends(target, cell).initial})
    states = {f"{name}0": d for name, d in initial.items()}
    return Gradients({**unpacked, "x": target.layout.from_x(gradients["x"]), **states})


def _axes_of_y(target: Target) -> str:
    """Return the axes of y as the target has them, such as "(B, T, m)"."""
    return f"({', '.join('m' if axis == 'I' else axis for axis in target.layout.axes.split()[0])})"


def _check_shape(name: str, array: Array, wanted: tuple[int, ...], meaning: str, y: tuple[int, int, int]) -> None:
    if array.shape == wanted:
        return
    usual = meaning if len(wanted) == len(y if name == "y" else y[1:]) else "in the declared layout"
    hint = _hint(name, array.shape, y)
    raise MisbehaviourError(
        f"{name} has shape {array.shape}; expected {wanted}, {usual}{f' ({hint}?)' if hint else ''}"
    )


def _hint(name: str, shape: tuple[int, ...], y: tuple[int, int, int]) -> str:
    """Guess what a wrong shape means."""
    T, B, m = y
    known = {
        "y": {
            (B, T, m): "batch first",
            (T, m, B): "features before rows",
            (B, m): "only the last step",
            (T - 1, B, m): "the last step dropped",
            (T + 1, B, m): "the initial state included",
            (T, B, 1, m): "an axis of directions",
            (T, 1, B, m): "an axis of directions",
            (T, m): "no batch axis",
        },
        "state": {
            (1, B, m): "an axis of layers",
            (T, B, m): "the states of every step",
            (m, B): "features before rows",
            (m,): "no batch axis",
        },
    }
    return known["y" if name == "y" else "state"].get(tuple(shape), "")
