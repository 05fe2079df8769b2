"""What a target is: a function with the form of the specification, and what it says of itself.

A target is any callable ``forward(params, x, *states) -> (y, *states)`` or an object with such a method. Optional
attributes say which specification it claims, in which layout it takes parameters, in which formats it computes and
whose arrays it takes. Whatever it does on a valid case that the contract does not allow is a ``MisbehaviourError``,
said in one sentence; it is a finding about the target, not an error of the verifier.
"""

import sysconfig
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.arrays import ARRAYS, from_numpy, is_array, to_numpy
from lstm_spec.targets.held import Held
from lstm_spec.targets.layout import Layout

Array = NDArray[Any]


class TargetError(ValueError):
    """A target that cannot be loaded or used; the message is one sentence with the remedy."""


class MisbehaviourError(Exception):
    """What a target did on a valid case that the contract does not allow, in one sentence."""


@dataclass(frozen=True)
class Target:
    """Somebody's LSTM as the verifier sees it.

    name: how the user called it. forward, backward: the callables; backward is None where no gradients are offered.
    differentiated: the forward pass as backward runs it, with the form of forward, where that may round otherwise (a
    framework may take another kernel when it records for gradients); None says that it is forward itself.
    spec: the cell or network it claims to be, a cell by name too; layers, bidirectional: that it is a network of such
    cells. layout: how it holds parameters, states and sequence. dtypes: the formats it computes in, the most exact
    first. arrays: "numpy", "torch" or "jax". weights: fixed parameters that it cannot change, by the specification's
    names. past_length: what y holds past a row's length, where it takes ``lengths``. possible: whether it can have
    given sizes, {"n": …, "m": …}; by default all. sizes: those to ask for, where others are impossible or dear, with
    numbers of steps "T" and of rows "B" where these matter too. versions: of the packages it is made of.
    """

    name: str
    forward: Callable[..., Any]
    backward: Callable[..., Any] | None = None
    differentiated: Callable[..., Any] | None = None
    spec: str | Program | Network = "lstm"
    layers: int = 1
    bidirectional: bool = False
    layout: Layout = field(default_factory=Layout)
    dtypes: tuple[str, ...] = ("float64",)
    arrays: str = "numpy"
    weights: Mapping[str, Array] | None = None
    past_length: str | None = None
    possible: Callable[[Mapping[str, int]], bool] = lambda sizes: True
    sizes: tuple[Mapping[str, int], ...] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outputs:
    """What one call returned, in the specification's own terms: y (T, B, m) and every final state (B, m) by name."""

    y: Array
    states: Mapping[str, Array]


@dataclass(frozen=True)
class Gradients:
    """What a backward pass returned, in the specification's own terms: by parameter, "x", and "h0", "c0", …"""

    values: Mapping[str, Array]


@dataclass(frozen=True)
class Call:
    """The arguments of one call as the target received them, to see at any time whether it has changed them.

    names, before, given: of every array its name, a copy, and itself; params, held: the dict of parameters that the
    target was given, and a copy of that dict; arrays: whose arrays they are; returned: of every result that is an array
    itself and a copy.
    """

    names: tuple[str, ...]
    before: tuple[Array, ...]
    given: tuple[Any, ...]
    params: Mapping[str, Any]
    held: Mapping[str, Any]
    arrays: str
    returned: tuple[tuple[Any, Array], ...] = ()

    def overwritten(self) -> bool:
        """Tell whether the target has written over a result of this call by now."""
        return any(before.tobytes() != _bytes(result, self.arrays) for result, before in self.returned)

    def changed(self) -> str | None:
        """Return the name of the first argument that the target has changed in place by now, or None."""
        for name, before, given in zip(self.names, self.before, self.given, strict=True):
            if before.tobytes() != _bytes(given, self.arrays):
                return name
        same = self.params.keys() == self.held.keys() and all(self.params[k] is v for k, v in self.held.items())
        return None if same else "params"


def _bytes(value: Any, arrays: str) -> bytes:
    return np.ascontiguousarray(to_numpy(value, arrays)).tobytes()


def call_forward(
    target: Target,
    cell: Program | Network,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    *,
    method: Literal["forward", "differentiated"] = "forward",
    lengths: Array | None = None,
) -> tuple[Outputs, Call]:
    """Call a target's forward pass and return what it gave in the specification's layout.

    params: by the specification's names and shapes; x: (T, B, n); states: each (B, m), in the order of ``cell.states``;
    method: "differentiated" for the forward pass as backward runs it, where the target has one; lengths: (B,), the
    steps of every row, where the target takes them. Everything is copied before, so a target cannot change the caller's
    arrays. Raises MisbehaviourError for an exception in the target, and for values of the wrong kind, number, shape or
    dtype.
    """
    arguments = _forward_arguments(target, cell, params, x, states, lengths)
    call, returned = _called(target, method, arguments)
    return _read(returned, target, method, cell, x, states), call


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
) -> tuple[Gradients, Call]:
    """Call a target's backward pass and return its gradients in the specification's layout.

    params, x, states, lengths: as for ``call_forward``; dy: (T, B, m), the cotangent of y; dstates: those of the final
    states. Raises MisbehaviourError as ``call_forward`` does.
    """
    held = Held(target.layout, cell)
    arguments = _forward_arguments(target, cell, params, x, states, lengths)
    final = zip(held.states, held.to_states(dstates), strict=True)
    cotangents = [("dy", held.to_y(dy)), *((f"d{name}", d) for name, d in final)]
    call, returned = _called(target, "backward", replace(arguments, rest=[*arguments.rest, *cotangents]))
    return _read_gradients(returned, target, cell, params, arguments), call


@dataclass(frozen=True)
class _Arguments:
    """The arguments of a call in the target's layout: parameters by name, then the rest in order, with names.

    lengths: passed as a keyword, where there are any.
    """

    params: Mapping[str, Array]
    rest: list[tuple[str, Array]]
    lengths: Array | None = None


def _forward_arguments(
    target: Target,
    cell: Program | Network,
    params: Mapping[str, Array],
    x: Array,
    states: tuple[Array, ...],
    lengths: Array | None,
) -> _Arguments:
    held = Held(target.layout, cell)
    initial = zip(held.states, held.to_states(states), strict=True)
    rest = [("x", target.layout.to_x(x)), *((f"{name}0", s) for name, s in initial)]
    return _Arguments(held.pack(params), rest, lengths)


def _called(target: Target, method: str, arguments: _Arguments) -> tuple[Call, Any]:
    named = (*arguments.params.items(), *arguments.rest)
    before = tuple(np.array(a, copy=True, order="C") for _, a in named)
    given = tuple(from_numpy(a.copy(), target.arrays) for a in before)
    k = len(arguments.params)
    params = dict(zip(arguments.params, given[:k], strict=True))
    held, lengths = dict(params), arguments.lengths
    keywords = {} if lengths is None else {"lengths": from_numpy(lengths.copy(), target.arrays)}
    returned = _call(target, method, params, *given[k:], **keywords)
    results = tuple(_copied(returned, target.arrays))
    return Call(tuple(name for name, _ in named), before, given, params, held, target.arrays, results), returned


def _copied(returned: Any, arrays: str) -> Iterator[tuple[Any, Array]]:
    """Yield the results that are arrays, each with a copy; what else comes is for those who read them to refuse."""
    for value in returned if isinstance(returned, tuple | list) else ():
        with suppress(Exception):
            yield value, np.array(to_numpy(value, arrays), order="C")


def _call(target: Target, method: str, *arguments: Any, **keywords: Any) -> Any:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return getattr(target, method)(*arguments, **keywords)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # Not only an Exception: sys.exit() in a target would end the verifier with a status of the target's choice.
        raise MisbehaviourError(f"{method} raised {exception_text(error)}{raised_at(error)} on a valid case") from error


def exception_text(error: BaseException) -> str:
    """Return an exception as its type and the first line of its message."""
    message = str(error).strip().splitlines()
    return f"{type(error).__name__}: {message[0]}" if message else type(error).__name__


def raised_at(error: BaseException) -> str:
    """Return where a user's code raised an exception, " at file.py:12"; nothing where the call itself failed.

    Of the code of Python and of installed packages there is more to say only where none of the user's own has run.
    """
    here = Path(__file__).parent
    places = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    theirs = [(file, line) for file, line in places if file.is_file() and file.parent != here]
    own = [(file, line) for file, line in theirs if not any(map(file.is_relative_to, _INSTALLED))]
    return f" at {(own or theirs)[-1][0].name}:{(own or theirs)[-1][1]}" if theirs else ""


_INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))


def _read(
    returned: Any, target: Target, method: str, cell: Program | Network, x: Array, states: tuple[Array, ...]
) -> Outputs:
    own = Held(target.layout, cell)
    names = ("y", *own.states)
    values = _tuple_of(returned, method, names)
    arrays = [_array(v, name, x.dtype, target) for v, name in zip(values, names, strict=True)]
    y_shape = own.y_shape(x, states)
    sizes = (*x.shape[:2], y_shape[-1])
    _check_shape(
        "y", arrays[0], own.to_y(np.zeros(y_shape)).shape, "(T, B, m)" if len(y_shape) == 3 else "(B, m)", sizes
    )
    for array, given, name in zip(arrays[1:], own.to_states(states), names[1:], strict=True):
        _check_shape(name, array, given.shape, "(B, m)", sizes)
    final = own.from_states(tuple(arrays[1:]))
    return Outputs(own.from_y(arrays[0]), dict(zip(cell.states, final, strict=True)))


def _read_gradients(
    returned: Any, target: Target, cell: Program | Network, params: Mapping[str, Array], arguments: _Arguments
) -> Gradients:
    own = Held(target.layout, cell)
    names = ("dparams", *(f"d{name}" for name, _ in arguments.rest))
    dparams, *others = _tuple_of(returned, "backward", names)
    if not isinstance(dparams, Mapping):
        raise MisbehaviourError(f"dparams is {_kind(dparams)}; expected a dict with the keys of params")
    if missing := [key for key in arguments.params if key not in dparams]:
        raise MisbehaviourError(f"dparams lacks {', '.join(missing)}; expected the keys of params")
    if extra := [key for key in dparams if key not in arguments.params]:
        raise MisbehaviourError(f"dparams has {', '.join(map(str, extra))}, which params has not")
    dtype = arguments.rest[0][1].dtype
    gradients = {}
    for name, given in (*arguments.params.items(), *arguments.rest):
        value = dparams[name] if name in arguments.params else others[names.index(f"d{name}") - 1]
        array = _array(value, f"d{name}", dtype, target)
        if array.shape != given.shape:
            raise MisbehaviourError(f"d{name} has shape {array.shape}; expected {given.shape}, that of {name}")
        gradients[name] = array
    packed = {name: gradients[name] for name in arguments.params}
    unpacked = own.unpack_gradients(packed, params)
    initial = own.from_states(tuple(gradients[name] for name, _ in arguments.rest[1:]))
    states = {f"{name}0": d for name, d in zip(cell.states, initial, strict=True)}
    return Gradients({**unpacked, "x": target.layout.from_x(gradients["x"]), **states})


def _tuple_of(returned: Any, method: str, names: tuple[str, ...]) -> tuple[Any, ...]:
    wanted = f"({', '.join(names)})"
    if not isinstance(returned, tuple | list):
        raise MisbehaviourError(f"{method} returned {_kind(returned)}; expected a tuple {wanted}")
    if len(returned) != len(names):
        raise MisbehaviourError(f"{method} returned {len(returned)} values; expected {len(names)}: {wanted}")
    return tuple(returned)


def _kind(value: Any) -> str:
    if value is None:
        return "None"
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__}" + (f" of shape {tuple(shape)}" if isinstance(shape, tuple) else "")


def _array(value: Any, name: str, dtype: np.dtype[Any], target: Target) -> Array:
    if not is_array(value, target.arrays):
        other = next((kind for kind in ARRAYS if kind != target.arrays and is_array(value, kind)), None)
        remedy = f'; a target that returns these says so by arrays = "{other}"' if other else ""
        raise MisbehaviourError(f"{name} is {_kind(value)}; expected {ARRAYS[target.arrays]} of {dtype}{remedy}")
    try:
        array = np.array(to_numpy(value, target.arrays))
    except Exception as error:
        raise MisbehaviourError(f"{name} cannot be read as an array: {exception_text(error)}") from None
    if array.dtype != dtype:
        raise MisbehaviourError(f"{name} is {array.dtype}; expected {dtype}, the dtype of the arguments")
    return array


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
