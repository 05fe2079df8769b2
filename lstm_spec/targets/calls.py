"""One call of a target: what it was given, what it gave, and whether it kept its hands off the rest.

Whatever it does on a valid case that the contract does not allow is a ``MisbehaviourError``, said in one sentence; it
is a finding about the target, not an error of the verifier.
"""

import sysconfig
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lstm_spec.targets.arrays import ARRAYS, from_numpy, is_array, to_numpy

Array = NDArray[Any]


class MisbehaviourError(Exception):
    """What a target did on a valid case that the contract does not allow, in one sentence.

    hung: whether it is that it did not return, so that to ask again would cost as much time.
    """

    hung = False


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call in the target's layout: parameters by name, then the rest in order, with names.

    lengths: passed as a keyword, where there are any. memory: how the arrays lie in memory, where that is not as usual:
    one of ``MEMORIES``.
    """

    params: Mapping[str, Array]
    rest: list[tuple[str, Array]]
    lengths: Array | None = None
    memory: str = ""


MEMORIES: Mapping[str, str] = MappingProxyType(
    {
        "fortran": "arrays in Fortran order",
        "strided": "every second entry of larger arrays",
        "read_only": "read-only arrays",
    }
)
"""The ways in which an array may lie in memory other than the usual one, each with what the arguments are then."""


def _laid_out(array: Array, memory: str, arrays: str) -> Array:
    """Return a copy of an array that lies in memory in a given way; "" is C order, contiguous, to be written to."""
    if memory == "strided":
        wide = np.repeat(array, 2, axis=-1)
        return wide[..., ::2]
    copy = np.array(array, order="F" if memory == "fortran" else "C")
    # PyTorch knows no tensor that cannot be written to.
    copy.flags.writeable = memory != "read_only" or arrays != "numpy"
    return copy


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


class Past(Protocol):
    """A call that was made and can still be asked about, as ``Call`` can."""

    def overwritten(self) -> bool:
        """Tell whether the target has written over a result of the call by now."""

    def changed(self) -> str | None:
        """Return the name of the first argument that the target has changed in place by now, or None."""


Results = dict[str, Array]


@dataclass(frozen=True)
class Remote:
    """A function of a target that runs in another process.

    perform: makes one call there, as the function ``perform`` does here; NumPy arrays go in and come out. states: their
    names in the target's order, where whoever calls it directly cannot give them.
    """

    perform: Callable[[Arguments, tuple[str, ...]], tuple[Past, Results]]
    states: tuple[str, ...] = ()

    def __call__(self, params: Mapping[str, Array], x: Array, *rest: Array, lengths: Array | None = None) -> Any:
        """Call it as a target in Python is called; with cotangents too, it is a backward pass."""
        initial = [f"{name}0" for name in self.states]
        backward = len(rest) > len(initial)
        names = ["x", *initial, *(["dy", *(f"d{name}" for name in self.states)] if backward else [])]
        returned = ("dparams", "dx", *(f"d{name}" for name in initial)) if backward else ("y", *self.states)
        _, found = self.perform(Arguments(params, list(zip(names, (x, *rest), strict=True)), lengths), returned)
        dparams = {name: found.pop(f"d{name}") for name in params} if backward else {}
        return (dparams, *found.values()) if backward else tuple(found.values())


Function = Callable[..., Any] | Remote


def perform(
    function: Function, method: str, arguments: Arguments, names: tuple[str, ...], *, arrays: str = "numpy"
) -> tuple[Past, Results]:
    """Make one call, and return it with its results as NumPy arrays by name.

    function: of a target, which calls it ``method``; arguments: in the target's layout; names: of the values that it
    has to return; arrays: whose arrays it takes and returns. Where the names begin with "dparams", that is a dict with
    the keys of the parameters, and what is in it is named dW_f for W_f. Raises MisbehaviourError for an exception in
    the target, and for values of the wrong kind, number or dtype.
    """
    if isinstance(function, Remote):
        return function.perform(arguments, names)
    call, returned = _called(function, method, arguments, arrays)
    return call, _results(returned, method, arguments, names, arrays)


def _called(function: Callable[..., Any], method: str, arguments: Arguments, arrays: str) -> tuple[Call, Any]:
    named = (*arguments.params.items(), *arguments.rest)
    before = tuple(np.array(a, copy=True, order="C") for _, a in named)
    given = tuple(from_numpy(_laid_out(a, arguments.memory, arrays), arrays) for a in before)
    k = len(arguments.params)
    params = dict(zip(arguments.params, given[:k], strict=True))
    held, lengths = dict(params), arguments.lengths
    keywords = {} if lengths is None else {"lengths": from_numpy(lengths.copy(), arrays)}
    returned = _call(function, method, params, *given[k:], **keywords)
    results = tuple(_copied(returned, arrays))
    return Call(tuple(name for name, _ in named), before, given, params, held, arrays, results), returned


def _copied(returned: Any, arrays: str) -> Iterator[tuple[Any, Array]]:
    """Yield the results that are arrays, each with a copy; what else comes is for those who read them to refuse."""
    for value in returned if isinstance(returned, tuple | list) else ():
        with suppress(Exception):
            yield value, np.array(to_numpy(value, arrays), order="C")


def _call(function: Callable[..., Any], method: str, *arguments: Any, **keywords: Any) -> Any:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return function(*arguments, **keywords)
    except (KeyboardInterrupt, MisbehaviourError):
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
    own = [(file, line) for file, line in theirs if not _is_installed(file)]
    return f" at {(own or theirs)[-1][0].name}:{(own or theirs)[-1][1]}" if theirs else ""


def _is_installed(file: Path) -> bool:
    # Packages also lie where the configuration of Python does not say: those of Debian, of another environment.
    return not {"site-packages", "dist-packages"}.isdisjoint(file.parts) or file.is_relative_to(_STDLIB)


_STDLIB = sysconfig.get_path("stdlib")


def _results(returned: Any, method: str, arguments: Arguments, names: tuple[str, ...], arrays: str) -> Results:
    values = dict(zip(names, _tuple_of(returned, method, names), strict=True))
    if "dparams" in values:
        dparams = values.pop("dparams")
        _check_keys(dparams, arguments.params)
        values = {f"d{name}": dparams[name] for name in arguments.params} | values
    dtype = arguments.rest[0][1].dtype
    return {name: _array(value, name, dtype, arrays) for name, value in values.items()}


def _check_keys(dparams: Any, params: Mapping[str, Array]) -> None:
    if not isinstance(dparams, Mapping):
        raise MisbehaviourError(f"dparams is {_kind(dparams)}; expected a dict with the keys of params")
    if missing := [key for key in params if key not in dparams]:
        raise MisbehaviourError(f"dparams lacks {', '.join(missing)}; expected the keys of params")
    if extra := [key for key in dparams if key not in params]:
        raise MisbehaviourError(f"dparams has {', '.join(map(str, extra))}, which params has not")


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


def _array(value: Any, name: str, dtype: np.dtype[Any], arrays: str) -> Array:
    if not is_array(value, arrays):
        other = next((kind for kind in ARRAYS if kind != arrays and is_array(value, kind)), None)
        remedy = f'; a target that returns these says so by arrays = "{other}"' if other else ""
        raise MisbehaviourError(f"{name} is {_kind(value)}; expected {ARRAYS[arrays]} of {dtype}{remedy}")
    try:
        array = np.array(to_numpy(value, arrays))
    except Exception as error:
        raise MisbehaviourError(f"{name} cannot be read as an array: {exception_text(error)}") from None
    if array.dtype != dtype:
        raise MisbehaviourError(f"{name} is {array.dtype}; expected {dtype}, the dtype of the arguments")
    return array
