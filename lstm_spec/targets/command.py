"""A program in any language as a target: it reads requests and writes answers, a line each."""

import shlex
import shutil
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

from lstm_spec.targets import protocol
from lstm_spec.targets.calls import Arguments, Call, Past, Remote, Results
from lstm_spec.targets.claims import claimed
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.held import Held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.origin import Origin
from lstm_spec.targets.process import Limits, Process, spawn
from lstm_spec.targets.python import target_of
from lstm_spec.targets.service import Service, starting

APART = Call((), (), (), {}, {}, "numpy")
"""A call of a program: it shares no memory with us, so it can change nothing."""


@dataclass(frozen=True)
class Command:
    """A program that can be verified.

    text: the program with its arguments, as in a shell, though none is asked.
    """

    text: str

    def target(self, *, layout: str | Layout | None = None, limits: Limits | None = None) -> Target:
        """Start the program and return the target that it says it is.

        layout: overrides what it says; limits: what it may take. Raises TargetError for a program that there is not, or
        that does not say what it should.
        """
        return _Running(self.text, limits or Limits()).target(layout)


class _Running:
    """A program, and the requests to it."""

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._words = _words(text)
        self._limits = limits
        self._service = Service(self._start, limits)
        self._numbers = count()
        self._claims: dict[str, Any] = {}

    def target(self, layout: str | Layout | None) -> Target:
        """Start the program and return the target that it says it is."""
        self._service.start()
        claims = dict(self._claims)
        self._encoding, gradients = claims.pop("encoding"), claims.pop("gradients")
        forward, backward = (partial(self._perform, method) for method in ("forward", "backward"))
        said = target_of(SimpleNamespace(**claims, forward=forward), name=self._text, layout=layout)
        states = Held(said.layout, claimed(said)).states
        return replace(
            said,
            forward=Remote(forward, states),
            backward=Remote(backward, states) if gradients else None,
            release=self._service.end,
            origin=Origin(self._text, "command"),
        )

    def _start(self) -> Process:
        process = spawn(self._words, self._limits)
        number = next(self._numbers)
        begun, late = f"{self._text} cannot be used", f"{self._text} has not answered hello after"
        with starting(process, begun, late, self._limits) as deadline:
            process.send(protocol.line(protocol.hello(number)))
            answer = protocol.answer_in(process.line(protocol.MOST, deadline), number)
            self._claims = protocol.claims_in(answer, self._text)
        return process

    def _perform(self, method: str, arguments: Arguments, names: tuple[str, ...]) -> tuple[Past, Results]:
        number = next(self._numbers)
        asked = protocol.line(protocol.request(number, method, arguments, self._encoding))
        answer = self._service.ask(
            method, asked, lambda process, deadline: protocol.answer_in(process.line(protocol.MOST, deadline), number)
        )
        return APART, protocol.results_in(answer, method, arguments, names)


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise TargetError(f"{text} cannot be read as a command: {error}") from None
    if not words:
        raise TargetError("the command is empty; give a program, such as ./my_lstm")
    if shutil.which(words[0]) is None:
        raise TargetError(f"there is no program {words[0]} that can be run; give its path, such as ./my_lstm")
    return words
