"""A target in a process of its own, seen from within: ``main`` loads one and serves it.

Messages are pickled tuples, each after its length. Both ends run the code of the same user with the same rights: this
keeps faults out, not enemies.
"""

import copyreg
import faulthandler
import io
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, BinaryIO

from lstm_spec.targets.calls import Arguments, MisbehaviourError, Past, exception_text, perform
from lstm_spec.targets.contract import Target, TargetError, check_format
from lstm_spec.targets.python import load

MARK = b"lstm"
"""What every message begins with, so that what a target writes there itself is not taken for one."""

HEAD = len(MARK) + 8


def packed(message: Any) -> bytes:
    """Return a message as bytes."""
    body = io.BytesIO()
    _Pickler(body, protocol=pickle.HIGHEST_PROTOCOL).dump(message)
    return MARK + body.tell().to_bytes(8, "little") + body.getbuffer()


class _Pickler(pickle.Pickler):
    """One that knows tables which cannot be changed, of which networks and layouts have some."""

    dispatch_table = copyreg.dispatch_table | {MappingProxyType: lambda table: (_fixed, (dict(table),))}


def _fixed(table: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(table)


def unpacked(take: Callable[[int], bytes]) -> Any:
    """Return a message of which ``take`` gives the next bytes; raises ValueError with what is none."""
    head = take(HEAD)
    if not head.startswith(MARK):
        raise ValueError(head)
    body = take(int.from_bytes(head[len(MARK) :], "little"))
    try:
        return pickle.loads(body)
    except Exception as error:
        raise ValueError(body) from error


@dataclass(frozen=True)
class Here:
    """A function that stays in the process of its target."""


def described(target: Target) -> dict[str, Any]:
    """Return what a target says of itself, but for what goes without saying, with ``Here`` for every function."""
    said = {f.name: (getattr(target, f.name), f.default) for f in fields(target)}
    return {name: Here() if callable(value) else value for name, (value, usual) in said.items() if value is not usual}


@dataclass(frozen=True)
class Streams:
    """Where requests come from and answers go to, by this process alone."""

    source: BinaryIO
    sink: BinaryIO

    def receive(self) -> Any:
        """Return the next request, None after the last."""
        head = self.source.read(HEAD)
        if len(head) < HEAD:
            return None
        return pickle.loads(self.source.read(int.from_bytes(head[len(MARK) :], "little")))

    def answer(self, kind: str, what: Any = None) -> None:
        """Send an answer."""
        self.sink.write(packed((kind, what)))
        self.sink.flush()


def streams() -> Streams:
    """Keep standard input and output for answers: whatever a target prints goes to stderr, and it can read nothing."""
    kept = Streams(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    # What the process dies of is said by the one that asks; where it died is no news of ours.
    faulthandler.disable()
    return kept


def serve(target: Target, kept: Streams) -> None:
    """Say what a target is, and then do what is asked for, until nothing more comes."""
    try:
        kept.answer("said", described(target))
    except Exception as error:
        what = f"{target.name} cannot say in another process what it is, {exception_text(error)}; leave isolate out"
        kept.answer("refused", what)
    calls: dict[int, Past] = {}
    while (request := kept.receive()) is not None:
        kept.answer(*_answer(target, calls, *request))


def _answer(target: Target, calls: dict[int, Past], kind: str, *rest: Any) -> tuple[str, Any]:
    match kind, rest:
        case "perform", (number, wanted, *call):
            for gone in calls.keys() - wanted:
                del calls[gone]
            return _performed(target, calls, number, *call)
        case "past", (number, question):
            return "returned", getattr(calls[number], question)() if number in calls else None
        case _, arguments:
            return "returned", getattr(target, kind)(*arguments)


def _performed(
    target: Target, calls: dict[int, Past], number: int, method: str, arguments: Arguments, names: tuple[str, ...]
) -> tuple[str, Any]:
    try:
        check_format(target, arguments.rest[0][1].dtype.name)
        calls[number], results = perform(getattr(target, method), method, arguments, names, arrays=target.arrays)
    except TargetError as error:
        return "refused", str(error)
    except MisbehaviourError as misbehaviour:
        return "misbehaved", str(misbehaviour)
    except KeyboardInterrupt:
        return "misbehaved", f"{method} raised KeyboardInterrupt on a valid case"
    return "returned", results


def main() -> None:
    """Load the target that the first request names, and serve it."""
    kept = streams()
    kept.answer("ready")
    name, layout, like = kept.receive()
    try:
        target = load(name, layout=layout, like=like)
    except ValueError as error:
        kept.answer("refused", str(error))
    else:
        serve(target, kept)
