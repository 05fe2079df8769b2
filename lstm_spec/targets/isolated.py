"""A target in Python that runs in a process of its own: whatever it does to that process is a finding, and no more.

What has a name is loaded by it there. What has none, such as an object, runs in a copy of this process.
"""

import importlib.machinery
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any
from weakref import WeakSet

from lstm_spec.targets.calls import Arguments, MisbehaviourError, Past, Remote, Results
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.origin import origin_of
from lstm_spec.targets.process import Limits, Process, UnreadableError, fork, shown, spawn
from lstm_spec.targets.python import target_of
from lstm_spec.targets.service import Service, starting
from lstm_spec.targets.worker import Here, packed, serve, streams, unpacked

STARTING = Limits(start=120.0)
"""How many seconds a process has until it can load a target; what loading takes is the target's own time."""


def isolated(
    value: Any, *, layout: str | Layout | None = None, like: str | None = None, limits: Limits | None = None
) -> Target:
    """Return a target that runs in a process of its own.

    value, layout, like: what ``load`` or ``target_of`` takes; limits: what it may take.
    Raises TargetError as they do, for one that dies or hangs while it is loaded, and for an object without a name where
    the system cannot copy a process.
    """
    limits = limits or Limits()
    name = value if isinstance(value, str) else _name_of(value)
    if name is not None:
        begin = partial(_spawned, name, layout, like, limits)
    else:
        target = target_of(value, layout=layout, like=like)
        if not hasattr(os, "fork"):
            raise TargetError(
                f"{target.name} has no name by which another process could load it, and this system cannot copy a"
                " process; put it into a file and name it file.py:attribute"
            )
        begin = partial(fork, lambda: serve(target, streams()), limits)
    called = name if isinstance(value, str) or name is None else value.__name__
    return _Isolated(called or target.name, begin, limits).target()


def _name_of(value: Any) -> str | None:
    """Return the name by which another process finds a function or a class, or None for what it would not find."""
    origin = origin_of(value, "")
    module = "__main__" if origin is None else origin.name.partition(":")[0]
    importable = module != "__main__" and importlib.machinery.PathFinder.find_spec(module.partition(".")[0])
    return origin.name if origin and importable else None


def _spawned(name: str, layout: str | Layout | None, like: str | None, limits: Limits) -> Process:
    """Start a process and have it load a target."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    # Not with -m: what is pickled there has to have the name that it has here.
    serving = "from lstm_spec.targets.worker import main; main()"
    process = spawn([sys.executable, "-c", serving], limits, environment=environment)
    with starting(process, f"{name} cannot be loaded", "a process has not started in", STARTING) as deadline:
        _answer(process, deadline)
    process.send(packed((name, layout, like)))
    return process


@dataclass(frozen=True, eq=False)
class _PastCall:
    """A call that was made in the other process, which is asked about it."""

    ask: Callable[[int, str], Any]
    number: int

    def overwritten(self) -> bool:
        return bool(self.ask(self.number, "overwritten"))

    def changed(self) -> str | None:
        return self.ask(self.number, "changed")


class _Isolated:
    """The functions of a target in another process."""

    def __init__(self, name: str, begin: Callable[[], Process], limits: Limits) -> None:
        self._name = name
        self._begin = begin
        self._limits = limits
        self._service = Service(self._start, limits)
        self._said: dict[str, Any] = {}
        self._numbers = count()
        # The other process keeps the arrays of a call as long as somebody here may ask about it.
        self._calls: WeakSet[_PastCall] = WeakSet()

    def target(self) -> Target:
        """Start the process and return the target as it describes itself."""
        self._service.start()
        functions = {
            "forward": Remote(partial(self._perform, "forward")),
            "backward": Remote(partial(self._perform, "backward")),
            "differentiated": Remote(partial(self._perform, "differentiated")),
            "possible": self._possible,
        }
        said: dict[str, Any] = {k: functions[k] if isinstance(v, Here) else v for k, v in self._said.items()}
        # The other process does one thing at a time, so that what threads do to each other would not show.
        return replace(Target(**said), name=self._name, release=self._service.end, reentrant=False)

    def _start(self) -> Process:
        process = self._begin()
        begun, late = f"{self._name} cannot be loaded", f"{self._name} is not loaded after"
        with starting(process, begun, late, self._limits) as deadline:
            kind, what = _answer(process, deadline)
            if kind == "refused":
                raise TargetError(what)
        self._said = what
        return process

    def _perform(self, method: str, arguments: Arguments, names: tuple[str, ...]) -> tuple[Past, Results]:
        past = _PastCall(partial(self._about, method), next(self._numbers))
        self._calls.add(past)
        wanted = {call.number for call in self._calls}
        request = ("perform", past.number, wanted, method, arguments, names)
        return past, self._asked(method, request)

    def _about(self, method: str, number: int, question: str) -> Any:
        return self._asked(method, ("past", number, question))

    def _possible(self, sizes: Any) -> bool:
        return bool(self._asked("possible", ("possible", dict(sizes))))

    def _asked(self, what: str, request: tuple[Any, ...]) -> Any:
        kind, answer = self._service.ask(what, packed(request), _answer)
        if kind == "refused":
            raise TargetError(answer)
        if kind == "misbehaved":
            raise MisbehaviourError(answer)
        return answer


def _answer(process: Process, deadline: float) -> Any:
    try:
        return unpacked(lambda size: process.take(size, deadline))
    except ValueError as error:
        raise UnreadableError(f"{shown(error.args[0])}, which is no answer of ours,") from None
