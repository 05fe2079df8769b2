"""Finding the target that a user names: a built-in one, ``package.module:attribute``, or ``file.py:attribute``."""

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from lstm_spec.targets.arrays import KINDS
from lstm_spec.targets.contract import Target, TargetError, exception_text
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.packing import LayoutError

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "numpy": "lstm_spec.targets.reference:numpy_layer",
        "spec": "lstm_spec.targets.reference:compiled_spec",
        "torch": "lstm_spec.targets.torch:layer",
        "torch-cell": "lstm_spec.targets.torch:cell",
    }
)
"""The targets that come with the package, each a function that makes a Target."""


def load(name: str, *, layout: str | Layout | None = None) -> Target:
    """Return the target that a user names.

    name: a built-in name, ``package.module:attribute`` or ``path/to/file.py:attribute``. layout: overrides what the
    target says of itself. Raises TargetError when there is none, in one sentence with the closest name.
    """
    if name in BUILT_IN:
        return find_attribute(*BUILT_IN[name].split(":"))()
    place, colon, path = name.rpartition(":")
    if not colon or not path:
        close = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"built in are {', '.join(BUILT_IN)};"
        raise TargetError(
            f'there is no target "{name}"; {hint} your own is named package.module:attribute or file.py:attribute'
        )
    return target_of(find_attribute(place, path), name=name, layout=layout)


def target_of(value: Any, *, name: str = "", layout: str | Layout | None = None) -> Target:
    """Return a Target for a callable, or for an object with a ``forward`` method.

    Raises TargetError when it is neither, or when what it says of itself makes no sense.
    """
    if isinstance(value, Target):
        return value
    name = name or getattr(value, "__name__", type(value).__name__)
    owner = _instance(value, name) if isinstance(value, type) else value
    forward = getattr(owner, "forward", owner)
    if not callable(forward):
        raise TargetError(f"{name} is {_kind(value)}, neither callable nor an object with a forward method")
    return Target(
        name=name,
        forward=forward,
        backward=_optional(owner, "backward", "leave it out if there are no gradients", name),
        differentiated=_optional(owner, "differentiated", "leave it out if backward runs forward itself", name),
        spec=_declared(owner, "spec", str, "lstm", name),
        layout=_layout(layout if layout is not None else getattr(owner, "layout", "canonical"), name),
        dtypes=_dtypes(owner, name),
        arrays=_arrays(owner, name),
        weights=_declared(owner, "weights", Mapping, None, name),
    )


def _instance(value: type, name: str) -> Any:
    if not hasattr(value, "forward"):
        raise TargetError(f"{name} is a class without a forward method; give an instance, a function or such a class")
    try:
        return value()
    except Exception as error:
        raise TargetError(
            f"{name} is a class that cannot be made without arguments ({exception_text(error)}); give an instance"
        ) from error


def _kind(value: Any) -> str:
    article = "an" if type(value).__name__[0] in "aeiou" else "a"
    return "None" if value is None else f"{article} {type(value).__name__}"


def _optional(owner: Any, key: str, remedy: str, name: str) -> Callable[..., Any] | None:
    value = getattr(owner, key, None)
    if value is not None and not callable(value):
        raise TargetError(f"{name}.{key} is {_kind(value)}, not callable; {remedy}")
    return value


def _declared(owner: Any, key: str, kind: type, default: Any, name: str) -> Any:
    value = getattr(owner, key, default)
    if value is not default and not isinstance(value, kind):
        raise TargetError(f"{name}.{key} must be a {kind.__name__.lower()}, got {value!r}")
    return value


def _layout(given: Any, name: str) -> Layout:
    try:
        return find_layout(given)
    except LayoutError as error:
        raise TargetError(f"{name}: {error}") from error


def _dtypes(owner: Any, name: str) -> tuple[str, ...]:
    value = getattr(owner, "dtypes", ("float64",))
    value = (value,) if isinstance(value, str) else tuple(value)
    known = ("float64", "float32", "float16", "bfloat16")
    for dtype in value:
        if dtype not in known:
            raise TargetError(f"{name}.dtypes names {dtype!r}; the formats are {', '.join(known)}")
    if not value:
        raise TargetError(f"{name}.dtypes is empty; name at least one of {', '.join(known)}")
    return value


def _arrays(owner: Any, name: str) -> str:
    value = getattr(owner, "arrays", "numpy")
    if value not in KINDS:
        raise TargetError(f"{name}.arrays is {value!r}; it is one of {', '.join(KINDS)}")
    return value


def find_attribute(place: str, path: str) -> Any:
    """Return an attribute of a module, given by its name or by its file.

    Raises TargetError, in one sentence with the closest match, when there is no such file, module or attribute, or when
    importing it fails.
    """
    module = _file_module(place) if place.endswith(".py") or "/" in place else _named_module(place)
    value: Any = module
    for part in path.split("."):
        if not hasattr(value, part):
            public = [a for a in dir(value) if not a.startswith("_")]
            close = difflib.get_close_matches(part, public, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise TargetError(f"{place} has no {path}{hint}")
        value = getattr(value, part)
    return value


def _named_module(place: str) -> ModuleType:
    # What a user has beside them is meant to be found, as `python -m` finds it.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(error.name + ".")):
            raise TargetError(f"there is no module {error.name}{_close_module(error.name)}") from error
        raise TargetError(_import_failed(place, error)) from error
    except Exception as error:
        raise TargetError(_import_failed(place, error)) from error


def _close_module(name: str) -> str:
    candidates = {*sys.modules, *(p.stem for p in Path.cwd().glob("*.py"))}
    close = difflib.get_close_matches(name, [c for c in candidates if not c.startswith("_")], n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _file_module(place: str) -> ModuleType:
    path = Path(place).expanduser()
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        close = difflib.get_close_matches(path.name, siblings, n=1)
        hint = f"; did you mean {path.parent / close[0]}?" if close else ""
        raise TargetError(f"there is no file {place}{hint}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{place} is no Python file; name it file.py:attribute")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    loader: Callable[[ModuleType], None] = spec.loader.exec_module
    try:
        loader(module)
    except Exception as error:
        raise TargetError(_import_failed(place, error)) from error
    return module


def _import_failed(place: str, error: BaseException) -> str:
    return f"importing {place} failed with {exception_text(error)}"
