"""Finding what a user names, ``package.module:attribute`` or ``file.py:attribute``; running their code to get it."""

import difflib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from types import ModuleType
from typing import Any

from lstm_spec.targets.calls import exception_text, raised_at
from lstm_spec.targets.contract import TargetError


@contextmanager
def failing_as(beginning: str, end: str = "") -> Iterator[None]:
    """Turn whatever a user's code raises, sys.exit() included, into a TargetError of one sentence."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise TargetError(f"{beginning}{exception_text(error)}{raised_at(error)}{end}") from error


def required(package: str, called: str, extra: str, *, otherwise: str = "", who: str = "this target") -> Any:
    """Return a package; raises TargetError with the extra that installs it, or ``otherwise`` if another lacks.

    who: what needs it, in words.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        if error.name is not None and f"{package}.".startswith(f"{error.name}."):
            remedy = f"install it with: pip install 'lstm_spec[{extra}]'"
            raise TargetError(f"{who} needs {called}; {remedy}") from error
        if isinstance(error, ModuleNotFoundError) and error.name is not None:
            beneath = error.name.partition(".")[0]
            raise TargetError(f"{called} needs {beneath}; install it with: pip install {beneath}{otherwise}") from error
        raise TargetError(f"importing {package} failed with {exception_text(error)}{otherwise}") from error


def find_attribute(place: str, path: str, *, wanted: Callable[[Any], bool] | None = None) -> Any:
    """Return an attribute of a module, given by its name or by its file.

    wanted: what an attribute is that may be meant, by default a target. Raises TargetError, in one sentence with the
    closest match of these, when there is no such file, module or attribute, or when importing it fails.
    """
    module = _file_module(place) if place.endswith(".py") or "/" in place else _named_module(place)
    value: Any = module
    for part in path.split("."):
        with failing_as(f"{place}:{path} cannot be read: "):
            found = hasattr(value, part)
        if not found:
            close = difflib.get_close_matches(part, _public(value, wanted or _may_be_target), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise TargetError(f"{place} has no {path}{hint}")
        value = getattr(value, part)
    return value


def backward_beside(forward: Any) -> Any:
    """Return the backward pass that stands beside a function in its module, by its name; None where there is none.

    Beside ``lstm_forward`` that is ``lstm_backward``, and so it is beside ``lstm``.
    """
    name = getattr(forward, "__name__", "")
    called = name.replace("forward", "backward") if "forward" in name else f"{name}_backward"
    return getattr(inspect.unwrap(forward), "__globals__", {}).get(called)


def kinds(default: Any, *names: str) -> Any:
    """Return the field of an interface for an argument that only originals of some kinds have."""
    return field(default=default, metadata={"kinds": names})


def _public(value: Any, wanted: Callable[[Any], bool]) -> list[str]:
    """Return the names of what may be meant: of a module nothing that it has imported whole."""
    loaded = vars(value) if isinstance(value, ModuleType) else {}
    return [name for name in dir(value) if not name.startswith("_") and (name not in loaded or wanted(loaded[name]))]


def _may_be_target(value: Any) -> bool:
    return not isinstance(value, ModuleType) and (callable(value) or hasattr(type(value), "forward"))


def _named_module(place: str) -> ModuleType:
    # What a user has beside them is meant to be found, as `python -m` finds it.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    with failing_as(f"importing {place} failed with "):
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if not error.name or not f"{place}.".startswith(f"{error.name}."):
                raise
            missing = error.name
    raise TargetError(f"there is no module {missing}{_close_module(missing)}")


def _close_module(name: str) -> str:
    candidates = {*sys.modules, *(p.stem for p in Path.cwd().glob("*.py"))}
    close = difflib.get_close_matches(name, [c for c in candidates if not c.startswith("_")], n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _file_module(place: str) -> ModuleType:
    path = Path(place).expanduser()
    if path.is_dir():
        raise TargetError(f"{place} is a folder, expected a file of Python")
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.py") if p.is_file()] if path.parent.is_dir() else []
        close = difflib.get_close_matches(path.name, siblings, n=1)
        hint = f"; did you mean {path.parent / close[0]}?" if close else ""
        raise TargetError(f"there is no file {place}{hint}")
    # Registered, since dataclasses look their module up; under a name of ours, since a file may be called torch.py.
    name = f"lstm_spec_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{place} is no Python file; name it file.py:attribute")
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    loader: Callable[[ModuleType], None] = spec.loader.exec_module
    with failing_as(f"importing {place} failed with "):
        loader(module)
    return module


def kind_of(value: Any) -> str:
    """Return what a value is, with its article."""
    article = "an" if type(value).__name__[0] in "aeiou" else "a"
    return "None" if value is None else f"{article} {type(value).__name__}"
