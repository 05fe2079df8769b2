"""A process that is asked one thing after another, and started again where it was lost: every loss is a finding."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from lstm_spec.targets.calls import MisbehaviourError
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.process import GRACE, EndedError, Limits, Process, UnreadableError, shown

T = TypeVar("T")

MOST_HANGS = 3
"""After how many calls that did not return a target is not called any more, since each of them costs its whole time."""


class HungError(MisbehaviourError):
    """A target that did not return in time, or is not called any more because of that."""

    hung = True


class Service:
    """A process behind the functions of a target.

    start: starts it and waits until it can be asked; raises TargetError where that fails. limits: what it may take.
    """

    def __init__(self, start: Callable[[], Process], limits: Limits) -> None:
        self._start = start
        self._limits = limits
        self._process: Process | None = None
        self._hangs = 0
        self._lock = threading.Lock()

    def ask(self, what: str, request: bytes, read: Callable[[Process, float], T]) -> T:
        """Send a request and return what ``read`` makes of the answer, given the process and a deadline.

        what: what is asked, for the sentence. One thing is asked at a time, from whatever thread. Raises
        MisbehaviourError, and ends the process, if it dies, does not answer in time, or answers what cannot be read; a
        MisbehaviourError of ``read`` itself leaves it running.
        """
        with self._lock:
            return self._asked(what, request, read)

    def _asked(self, what: str, request: bytes, read: Callable[[Process, float], T]) -> T:
        process = self._running(what)
        try:
            process.send(request)
            return read(process, time.monotonic() + self._limits.timeout)
        except MisbehaviourError:
            raise
        except BaseException as error:
            self.end(grace=0)
            if isinstance(error, TimeoutError):
                self._hangs += 1
                late = f"{what} did not return within {self._limits.timeout:g} s on a valid case"
                raise HungError(late) from None
            if isinstance(error, EndedError | UnreadableError):
                verb = "answered " if isinstance(error, UnreadableError) else ""
                raise MisbehaviourError(f"{what} {verb}{error} on a valid case") from None
            raise

    def start(self) -> None:
        """Start the process if there is none; raises TargetError where that fails."""
        self._process = self._process or self._start()

    def end(self, *, grace: float = GRACE) -> None:
        """End the process if there is one; a call starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.end(grace=grace)

    def _running(self, what: str) -> Process:
        if self._hangs >= MOST_HANGS:
            raise HungError(f"{what} was not called, since {MOST_HANGS} calls before did not return in time")
        process = self._process
        if process is not None and (process.unread or process.over):
            unasked = process.unread
            said = f"wrote {shown(unasked)}, which nobody asked for," if unasked else process.how()
            self.end(grace=0)
            raise MisbehaviourError(f"the process {said} after its last answer, before {what} was called again")
        try:
            self.start()
        except TargetError as error:
            raise MisbehaviourError(f"{what} could not be called again: {error}") from error
        assert self._process is not None
        return self._process


@contextmanager
def starting(process: Process, begun: str, late: str, limits: Limits) -> Iterator[float]:
    """Give the deadline of the first answer, and end a process that fails to give it with a TargetError.

    begun: the beginning of the sentence, such as "mine.py:f cannot be loaded"; late: where it takes too long.
    """
    try:
        try:
            yield time.monotonic() + limits.start
        except EndedError as error:
            raise TargetError(f"{begun}: its process {error}") from None
        except TimeoutError:
            raise TargetError(f"{late} {limits.start:g} s; give it longer with --timeout") from None
        except UnreadableError as error:
            raise TargetError(f"{begun}: its process wrote {error}".rstrip(",")) from None
    except BaseException:
        process.end()
        raise
