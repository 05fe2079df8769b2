"""Another process, asked over its standard input and output, with a deadline for every answer.

What dies, hangs, or answers what cannot be read is ended, and started again when it is next asked. Threads read and
write, so that neither side can block the other, on any system.
"""

import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from lstm_spec.targets import launch
from lstm_spec.targets.contract import TargetError

CHUNK = 1 << 16
KEPT = 1 << 24
"""How many bytes of what a process writes are kept before it has to wait until somebody reads them."""

GRACE = 1.0
"""How many seconds a process has to end by itself."""


GB = 10**9


@dataclass(frozen=True)
class Limits:
    """What a target in a process of its own may take: seconds a call, and bytes of memory beyond what it starts with.

    start: how many seconds it has until it can be asked. Memory is limited where the system can do so.
    """

    timeout: float = 60.0
    memory: int = 8 * GB
    start: float = 60.0


def limited(timeout: float | None = None, memory: float | None = None) -> Limits:
    """Return limits in seconds and GB, those that are usual where none are given; raises TargetError."""
    for name, value in {"timeout": timeout, "memory": memory}.items():
        if value is not None and not (isinstance(value, int | float) and 0 < value < math.inf):
            raise TargetError(f"{name} is a positive number, got {value!r}")
    usual = Limits()
    seconds = usual.timeout if timeout is None else timeout
    most = usual.memory if memory is None else int(memory * GB)
    return Limits(seconds, most, max(seconds, usual.start))


class EndedError(Exception):
    """A process that is no longer there to answer; the message is what became of it, such as "died of SIGSEGV"."""


class UnreadableError(Exception):
    """An answer that cannot be read; the message says what it is instead."""


SHOWN = 60
"""How many characters are shown of what should not have come."""


def shown(value: Any) -> str:
    """Return the beginning of what came, bytes or a value of JSON, for a sentence.

    >>> print(shown(b"hello, world"), shown({"id": 3}))
    'hello, world' {"id": 3}
    """
    if isinstance(value, bytes):
        text = value[: 4 * SHOWN].decode("utf-8", "replace").strip()
        return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")
    text = json.dumps(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


class Child(Protocol):
    """A child process; ``subprocess.Popen`` is one."""

    pid: int

    def poll(self) -> int | None:
        """Return its exit status, the negative number of the signal that it died of, or None while it runs."""


class Process:
    """A child process with what goes in and comes out.

    child: the process; stdin, stdout: the descriptors of our ends of its standard input and output, which are then the
    Process's own.
    """

    def __init__(self, child: Child, stdin: int, stdout: int) -> None:
        self._child = child
        self._inbox = _Inbox()
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # The threads hold only what they need: a Process that nobody holds any more ends its child.
        for work, arguments in ((_collect, (stdout, self._inbox)), (_deliver, (stdin, self._outbox))):
            threading.Thread(target=work, args=arguments, daemon=True).start()
        self._kill = weakref.finalize(self, _kill, child)

    def send(self, data: bytes) -> None:
        """Send something, without waiting until it has been read."""
        self._outbox.put(data)

    def take(self, size: int, deadline: float) -> bytes:
        """Return the next bytes that it writes; raises EndedError, or TimeoutError past ``deadline`` of the clock."""
        taken = bytearray()
        while len(taken) < size:
            taken += self._inbox.take(size - len(taken), deadline) or self._ended()
        return bytes(taken)

    def line(self, most: int, deadline: float) -> bytes:
        """Return the next line that it writes, without its end; raises UnreadableError for one of over ``most`` bytes.

        Raises EndedError and TimeoutError as ``take`` does.
        """
        found = bytearray()
        while not found.endswith(b"\n"):
            if len(found) > most:
                raise UnreadableError(f"a line of more than {most:,} bytes")
            found += self._inbox.take(min(KEPT, most + 1), deadline, until=b"\n") or self._ended()
        return bytes(found[:-1])

    @property
    def unread(self) -> bytes:
        """What it has written and nobody has read yet."""
        return self._inbox.peek()

    @property
    def over(self) -> bool:
        """Whether nothing more can come."""
        return self._inbox.closed

    def how(self) -> str:
        """Say how it ended, giving it a moment to."""
        status = _wait(self._child, GRACE)
        if status is None:
            return "closed its standard output"
        if status >= 0:
            return f"ended with exit status {status}"
        name = signal.Signals(-status).name
        return f"died of {name}" + (", as where memory runs out" if name == "SIGKILL" else "")

    def end(self, *, grace: float = 0.0) -> None:
        """End the process, after a time in which it may do so by itself since nothing more comes in."""
        self._outbox.put(None)
        if grace:
            _wait(self._child, grace)
        self._kill()
        self._inbox.close()

    def _ended(self) -> NoReturn:
        raise EndedError(self.how())


class _Inbox:
    """What a process has written and nobody has read yet, filled by one thread and emptied by another."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._change = threading.Condition()
        self.closed = False

    def add(self, data: bytes) -> bool:
        """Add something once there is room, and tell whether anybody still wants it."""
        with self._change:
            self._change.wait_for(lambda: self.closed or len(self._bytes) < KEPT)
            self._bytes += data
            self._change.notify_all()
            return not self.closed

    def close(self) -> None:
        """Say that nothing more comes, or that nobody wants it."""
        with self._change:
            self.closed = True
            self._change.notify_all()

    def peek(self) -> bytes:
        """Return what is there, and leave it."""
        with self._change:
            return bytes(self._bytes)

    def take(self, most: int, deadline: float, *, until: bytes = b"") -> bytes:
        """Wait for something and take it, up to the end of ``until``; nothing is what has been closed."""
        with self._change:
            if not self._change.wait_for(lambda: self._bytes or self.closed, deadline - time.monotonic()):
                raise TimeoutError
            at = self._bytes.find(until) if until else -1
            size = min(most, at + len(until)) if at >= 0 else most
            taken = bytes(self._bytes[:size])
            del self._bytes[:size]
            self._change.notify_all()
            return taken


def _collect(stdout: int, inbox: _Inbox) -> None:
    with os.fdopen(stdout, "rb", 0) as source, suppress(OSError):
        while (data := source.read(CHUNK)) and inbox.add(data):
            pass
    inbox.close()


def _deliver(stdin: int, outbox: "queue.SimpleQueue[bytes | None]") -> None:
    # One that no longer reads shows by what comes back, or does not.
    with suppress(OSError), os.fdopen(stdin, "wb", 0) as sink:
        while (data := outbox.get()) is not None:
            view = memoryview(data)
            while view:
                view = view[sink.write(view) :]


def _wait(child: Child, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    pause = 0.0005
    while (status := child.poll()) is None and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    return status


def _kill(child: Child) -> None:
    """Kill a child with what it has started itself, and wait until it is gone."""
    for kill in (getattr(os, "killpg", None), os.kill):
        # A child that has just been made has no group of its own yet.
        with suppress(ProcessLookupError, PermissionError):
            if kill and (kill is not os.kill or child.poll() is None):
                kill(child.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    _wait(child, GRACE)


def spawn(command: Sequence[str], limits: Limits, *, environment: dict[str, str] | None = None) -> Process:
    """Start a command; environment: variables in place of our own. Raises OSError where it cannot be started."""
    if os.name == "posix":
        command = [sys.executable, "-I", "-S", str(Path(launch.__file__)), str(limits.memory), str(_tied()), *command]
    (theirs_in, stdin), (stdout, theirs_out) = os.pipe(), os.pipe()
    try:
        child = subprocess.Popen(
            command, stdin=theirs_in, stdout=theirs_out, env=environment, start_new_session=os.name == "posix"
        )
    except OSError:
        os.close(stdin)
        os.close(stdout)
        raise
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    return Process(child, stdin, stdout)


def _tied() -> bool:
    """Whether what is started here may end with this thread, since that is the last to end."""
    return threading.current_thread() is threading.main_thread()


@dataclass
class _Forked:
    """A copy of this process."""

    pid: int
    status: int | None = None

    def poll(self) -> int | None:
        if self.status is None:
            with suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status


def fork(run: Callable[[], None], limits: Limits) -> Process:
    """Start a copy of this process that does one thing, with its standard input and output ours to write and read."""
    (theirs_in, stdin), (stdout, theirs_out), tied = os.pipe(), os.pipe(), _tied()
    with warnings.catch_warnings():
        # Other threads do not go on in the copy; those of ours only read and write.
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid:
        os.close(theirs_in)
        os.close(theirs_out)
        return Process(_Forked(pid), stdin, stdout)
    status = 1
    try:
        os.setsid()
        os.close(stdin)
        os.close(stdout)
        os.dup2(theirs_in, 0)
        os.dup2(theirs_out, 1)
        launch.restrict(limits.memory, tied=tied)
        run()
        status = 0
    finally:
        # Whatever this process would do at its end is for the one that it is a copy of.
        os._exit(status)
