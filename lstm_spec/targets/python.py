"""The target that a user names or gives, and what it says of itself."""

import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import FORMATS
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program
from lstm_spec.targets.arrays import ARRAYS, is_array, to_numpy
from lstm_spec.targets.built_in import BUILT_IN
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.library import is_library, library
from lstm_spec.targets.like import LIKE
from lstm_spec.targets.like import like as find_like
from lstm_spec.targets.modules import backward_beside, failing_as, find_attribute, kind_of
from lstm_spec.targets.origin import Origin, origin_of
from lstm_spec.targets.packing import LayoutError


def load(name: str, *, layout: str | Layout | None = None, like: str | None = None) -> Target:
    """Return the target that a user names.

    name: a built-in name, an original with its arguments as ``like.like`` takes it, ``package.module:attribute``,
    ``path/to/file.py:attribute`` or ``library.so:function``. layout: overrides what the target says of itself. like:
    the original whose interface it has, see ``like.like``. Raises TargetError when there is none, in one sentence with
    the closest name.
    """
    if name in BUILT_IN or name.partition("(")[0] in LIKE:
        if layout is not None:
            raise TargetError(f"{name} is built in and says its own layout; leave --layout out")
        if like is not None:
            raise TargetError(f"{name} is built in and is like nothing else; leave --like out")
        made = BUILT_IN.get(name, name)
        known = made.partition("(")[0] in LIKE
        found = find_like(made, name=name) if known else find_attribute(*made.split(":"))()
        return replace(found, origin=Origin(name, "load"))
    place, _, path = name.rpartition(":")
    if name.endswith(".py") or is_library(name):
        raise TargetError(f"{name} is a file; name the function or object in it too, as in {name}:forward")
    if not place or not path:
        close = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"built in are {', '.join(BUILT_IN)};"
        raise TargetError(
            f'there is no target "{name}"; {hint} your own is named package.module:attribute or file.py:attribute'
        )
    if is_library(place):
        if like is not None:
            raise TargetError(f"{name} is a function in C and is like no class; leave --like out")
        found = library(place, path, layout=_layout(layout or "canonical", name))
        return replace(found, origin=Origin(name, "load"))
    return target_of(find_attribute(place, path), name=name, layout=layout, like=like)


def target_of(value: Any, *, name: str = "", layout: str | Layout | None = None, like: str | None = None) -> Target:
    """Return a Target for a callable, or for an object with a ``forward`` method; a Target stays what it is.

    A function called ``lstm``, or ``lstm_forward``, has for its gradients the function ``lstm_backward`` that stands
    beside it, if that takes as many arguments as it would be given.

    name: how the user calls it. layout: overrides what the target says of itself. like: the original whose interface
    it has instead. Raises TargetError when it is neither, or when what it says of itself makes no sense.
    """
    if like is not None:
        found = find_like(like, value, name=name or getattr(value, "__name__", type(value).__name__))
        found = replace(found, origin=Origin(name, "load", like) if name else None)
        return found if layout is None else replace(found, layout=_layout(layout, found.name))
    if isinstance(value, Target):
        found = value if layout is None else replace(value, layout=_layout(layout, value.name))
        return replace(found, origin=Origin(name, "load")) if name else found
    name = name or getattr(value, "__name__", type(value).__name__)
    owner = _instance(value, name) if isinstance(value, type) else value
    said = _Said(name, owner)
    forward = said.of("forward", owner)
    if not callable(forward):
        if forward is owner:
            raise TargetError(f"{name} is {kind_of(value)}, neither callable nor an object with a forward method")
        raise TargetError(f"{name}.forward is {kind_of(forward)}, not callable")
    arrays = _arrays(said)
    return Target(
        name=name,
        forward=forward,
        backward=said.function("backward", "leave it out if there are no gradients") or _beside(value),
        differentiated=said.function("differentiated", "leave it out if backward runs forward itself"),
        spec=said.kind("spec", str | Program | Network, "lstm"),
        layers=said.kind("layers", int, 1),
        bidirectional=said.kind("bidirectional", bool, False),
        past_length=said.kind("past_length", str, None),
        reentrant=said.kind("reentrant", bool, False),
        layout=_layout(said.of("layout", "canonical") if layout is None else layout, name),
        initial=said.kind("initial", tuple, None),
        final=said.kind("final", tuple, None),
        cotangents=said.kind("cotangents", tuple, None),
        dtypes=_dtypes(said),
        arrays=arrays,
        weights=_weights(said, arrays),
        origin=origin_of(value, name),
        shapes=_shapes(said),
        versions=_versions(said),
    )


def _beside(value: Any) -> Callable[..., Any] | None:
    """Return the backward pass that stands beside a function in its module, None where there is none that fits."""
    found = backward_beside(value) if inspect.isfunction(value) else None
    if not inspect.isfunction(found):
        return None
    # For (params, x, *states) there are (params, x, *states, dy, *dstates).
    given = 2 * len(_required(value)) - 1
    try:
        inspect.signature(found).bind(*range(given))
    except TypeError:
        return None
    return found


def _required(function: Callable[..., Any]) -> list[inspect.Parameter]:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    every = inspect.signature(function).parameters.values()
    return [p for p in every if p.kind in positional and p.default is inspect.Parameter.empty]


@dataclass(frozen=True)
class _Said:
    """What a user's object says of itself in its attributes."""

    name: str
    owner: Any

    def of(self, key: str, default: Any) -> Any:
        """Return an attribute, or the default; reading it runs the user's code, which may fail."""
        with failing_as(f"{self.name}.{key} cannot be read: "):
            return getattr(self.owner, key, default)

    def kind(self, key: str, kind: Any, default: Any) -> Any:
        """Return an attribute of a type, or the default."""
        value = self.of(key, default)
        if value is not default and not isinstance(value, kind):
            wanted = getattr(kind, "__name__", "cell, a network or the name of a cell").lower()
            raise TargetError(f"{self.name}.{key} must be a {wanted}, got {value!r}")
        return value

    def function(self, key: str, remedy: str) -> Callable[..., Any] | None:
        """Return a function that may be left out."""
        value = self.of(key, None)
        if value is not None and not callable(value):
            raise TargetError(f"{self.name}.{key} is {kind_of(value)}, not callable; {remedy}")
        return value


def _instance(value: type, name: str) -> Any:
    if not hasattr(value, "forward"):
        raise TargetError(f"{name} is a class without a forward method; give an instance, a function or such a class")
    with failing_as(f"{name} is a class that cannot be made without arguments (", "); give an instance"):
        return value()


def _layout(given: Any, name: str) -> Layout:
    try:
        return find_layout(given)
    except LayoutError as error:
        raise TargetError(f"{name}: {error}") from error


def _dtypes(said: _Said) -> tuple[str, ...]:
    value = said.of("dtypes", ("float64",))
    named = (value,) if isinstance(value, str) else value
    if not isinstance(named, tuple | list) or not named or any(dtype not in FORMATS for dtype in named):
        raise TargetError(f"{said.name}.dtypes must be a tuple of {', '.join(FORMATS)}, got {value!r}")
    return tuple(named)


def _arrays(said: _Said) -> str:
    value = said.kind("arrays", str, "numpy")
    if value not in ARRAYS:
        raise TargetError(f"{said.name}.arrays is {value!r}; it is one of {', '.join(ARRAYS)}")
    with failing_as(f'{said.name}.arrays is "{value}", but importing that failed with '):
        importlib.import_module(value)
    return value


def _weights(said: _Said, arrays: str) -> Mapping[str, Any] | None:
    value = said.kind("weights", Mapping, None)
    if value is None:
        return None
    weights = {}
    for key, given in value.items():
        with failing_as(f"{said.name}.weights[{key!r}] is no array of numbers: "):
            weights[key] = np.asarray(to_numpy(given, arrays) if is_array(given, arrays) else given, np.float64)
        if not np.isfinite(weights[key]).all():
            raise TargetError(f"{said.name}.weights[{key!r}] holds NaN or infinity")
    return weights


def _shapes(said: _Said) -> Mapping[str, tuple[int, ...]] | None:
    value = said.kind("shapes", Mapping, None)
    if value is None:
        return None
    for key, shape in value.items():
        if not (isinstance(shape, tuple | list) and all(isinstance(side, int) and side > 0 for side in shape)):
            raise TargetError(f"{said.name}.shapes[{key!r}] must be a shape such as (16, 3), got {shape!r}")
    return {str(key): tuple(shape) for key, shape in value.items()}


def _versions(said: _Said) -> Mapping[str, str]:
    value = said.kind("versions", Mapping, {})
    return {str(package): str(version) for package, version in value.items()}
