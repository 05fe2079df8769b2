"""A finding as a few lines of Python that show it to whoever pastes them, without us: numbers, calls, an assertion.

What the assertion allows holds for any correct implementation, however it has rounded since the first step: it fails
on the target at fault and passes on a right one.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from lstm_spec.compute.accuracy import Accuracy
from lstm_spec.compute.forced import differentiated_bounds, forced_bounds
from lstm_spec.targets.calls import Arguments
from lstm_spec.targets.contract import forward_arguments, with_cotangents
from lstm_spec.targets.held import Held
from lstm_spec.targets.places import gradient_place, output_place, output_shapes
from lstm_spec.verify.cases import Array, Case
from lstm_spec.verify.compare import Deviation, compare, of
from lstm_spec.verify.literals import Literals
from lstm_spec.verify.search import Finding
from lstm_spec.verify.subject import Question, Subject
from lstm_spec.verify.verdict import Report

Value = TypeVar("Value")

MOST_NUMBERS = 400
"""More numbers than these are read from the report, in place of being printed."""

FROM_REPORT = """\
# It is made again from what --json report.json writes: it is too long to print, or not about the numbers of one call.
import lstm_spec as ls

replayed = ls.replay("report.json"{target})
assert not replayed.reproduced, replayed.message
"""

NO_NAME = "target = ...  # Put it here: it was given as an object, and no name leads there."


def snippet(subject: Subject, finding: Finding, contract: Accuracy) -> str:
    """Return Python that shows a finding about a target, with nothing but the target and whose arrays it takes.

    contract: what the target promises of its arithmetic. A case of many numbers, and what several answers together or
    the memory of arrays show, is made again from the JSON report.
    """
    calls = _calls(finding)
    numbers = sum(a.size for question in calls for a in question.case.arrays)
    if not calls or numbers > MOST_NUMBERS or any(question.memory for question in calls):
        return from_report(subject)
    script = _Script(subject, calls)
    body = list(script.definitions())
    if finding.fault == "value":
        deviation = _deviation(subject, calls, contract)
        if deviation is None:
            return from_report(subject)
        body += script.value(deviation)
    else:
        body += {"changed": script.changed, "overwritten": script.overwritten}.get(finding.fault, script.form)()
    text = "\n".join(body)
    copy = ["from copy import deepcopy"] if "deepcopy(" in text else []
    origin = subject.target.origin
    found = origin.lines if origin else (NO_NAME,)
    imports = [line for line in found if line.startswith("import ")]
    rest = [line for line in found if line not in imports]
    theirs = script.literals.imports(text)
    lines = [f"# {finding.message}", *imports, *copy, *[""] * bool(imports or copy), *theirs, *rest, "", text]
    return "\n".join(lines) + "\n"


def _calls(finding: Finding) -> list[Question]:
    """Return the calls of the function at fault, up to the one that shows it."""
    asked = list(finding.asked)
    while finding.deviation and asked and not _gives(asked[-1], finding.deviation.output):
        asked.pop()
    return [q for q in asked if (q.method == "backward") == (asked[-1].method == "backward")]


def _gives(question: Question, output: str) -> bool:
    if question.method == "backward":
        return output in question.case.exposed or output.removeprefix("d") in question.returned
    return output in question.returned


def from_report(subject: Subject) -> str:
    """Return Python that makes a finding about a target again from the JSON report."""
    origin = subject.target.origin
    # A program is run only where somebody names it.
    named = origin is not None and origin.kind == "command"
    return FROM_REPORT.format(target=f", target=ls.Command({origin.name!r})" if origin and named else "")


def stored_in(report: Report, place: str) -> Report:
    """Return a report whose Python reads it from the file that it is written to, in place of report.json."""
    template = FROM_REPORT.partition("{target}")[0]
    named = template.replace("--json report.json", f"--json {shlex.quote(place)}")
    named = named.replace('"report.json"', json.dumps(place, ensure_ascii=False))
    checks = (replace(check, snippet=check.snippet.replace(template, named)) for check in report.checks)
    return replace(report, checks=tuple(checks))


def _deviation(subject: Subject, calls: list[Question], contract: Accuracy) -> Deviation | None:
    """Return the worst number of the last call beside a free-running reference, None where all could be right.

    Where the same was asked before and gave other numbers, it is one of those: the rest, which may come from calls
    before the first of these, is not made again by them.
    """
    question, cell = calls[-1], subject.cell
    case = question.case
    got = {name: np.asarray(a, np.float64) for name, a in question.returned.items()}
    if question.method == "backward":
        dy, *dstates = case.cotangents
        _, bounds = differentiated_bounds(
            cell, case.params, case.x, case.states, None, dy, tuple(dstates), contract, case.lengths
        )
    else:
        bounds = forced_bounds(cell, case.params, case.x, case.states, None, contract, case.lengths)
    before = next((q.returned for q in reversed(calls[:-1]) if q.case is case and q.method == question.method), {})
    changed = {name: got[name] != before[name] for name in before}
    if any(there.any() for there in changed.values()):
        got |= {name: np.where(there, got[name], bounds[name].value) for name, there in changed.items()}
    mark = "d" if question.method == "backward" else ""
    comparison = compare(_marked(mark, got), _marked(mark, of(bounds, got)), contract)
    return None if comparison.agrees else comparison.worst


def _marked(mark: str, values: Mapping[str, Value]) -> dict[str, Value]:
    return {f"{mark}{name}": value for name, value in values.items()}


class _Script:
    """The calls that show a finding as lines of Python."""

    def __init__(self, subject: Subject, calls: list[Question]) -> None:
        self.subject = subject
        self.calls = calls
        self.literals = Literals(subject.target.arrays)
        self.asked = [self._arguments(question) for question in calls]
        self.backward = calls[-1].method == "backward"
        self._named: dict[str, list[Any]] = {}

    def _arguments(self, question: Question) -> Arguments:
        case, target, cell = question.case, self.subject.target, self.subject.cell
        given = forward_arguments(target, cell, case.params, case.x, case.states, case.lengths)
        if question.method != "backward":
            return given
        dy, *dstates = case.cotangents
        return with_cotangents(target, cell, given, dy, tuple(dstates))

    def definitions(self) -> Iterator[str]:
        """Yield the lines that name every array of every call, what comes again but once."""
        self.given = []
        for asked in self.asked:
            names = []
            key = [(name, a.tobytes(), a.shape) for name, a in asked.params.items()]
            name, new = self._name("params", key)
            if new:
                held = (f"    {_quoted(key)}: {self.literals.array(a)}," for key, a in asked.params.items())
                yield "\n".join([f"{name} = {{", *held, "}"])
            names.append(name)
            for base, array in asked.rest:
                name, new = self._name(base, (array.tobytes(), array.shape))
                if new:
                    yield f"{name} = {self.literals.array(array)}"
                names.append(name)
            keyword = ""
            if asked.lengths is not None:
                name, new = self._name("lengths", (asked.lengths.tobytes(), asked.lengths.shape))
                if new:
                    yield f"{name} = {self.literals.array(asked.lengths)}"
                keyword = f", lengths={name}"
            self.given.append((", ".join(names), keyword))
        yield ""

    def _name(self, base: str, key: Any) -> tuple[str, bool]:
        known = self._named.setdefault(base, [])
        new = key not in known
        if new:
            known.append(key)
        number, name = known.index(key), _variable(base)
        return f"{name}_{number + 1}" if number else name, new

    def _function(self, k: int) -> str:
        origin, method = self.subject.target.origin, self.calls[k].method
        return (origin.forward if origin else "target") if method == "forward" else f"target.{method}"

    def _call(self, k: int, *, copied: bool) -> str:
        function = self._function(k)
        names, keyword = self.given[k]
        return f"{function}(*deepcopy(({names})){keyword})" if copied else f"{function}({names}{keyword})"

    def _before(self) -> list[str]:
        return [self._call(k, copied=True) for k in range(len(self.calls) - 1)]

    @property
    def results(self) -> tuple[str, ...]:
        """What the calls return, by name."""
        if self.backward:
            names = [name for name, _ in self.asked[-1].rest]
            return ("dparams", *(f"d{name}" for name in names[: names.index("dy")]))
        return ("y", *self.subject.ends.final)

    @property
    def _held(self) -> Held:
        return Held(self.subject.target.layout, self.subject.cell)

    def _final(self, case: Case) -> tuple[Array, ...]:
        """Return states of the shapes that the final ones have."""
        return case.states or self._held.blank_states(case.params, case.B)

    def value(self, deviation: Deviation) -> list[str]:
        """Return the lines that hold one number against what it has to be."""
        number = self._number(deviation)
        several, said = len(self.calls) > 1, number.replace('"', "'")
        return [
            *self._before(),
            f"{', '.join(map(_variable, self.results))} = {self._call(-1, copied=several)}",
            f"got, expected, allowed = float({number}), {deviation.expected!r}, {deviation.allowed!r}",
            f'assert abs(got - expected) <= allowed, f"{said} is {{got}}, expected {{expected}}"',
        ]

    def _number(self, deviation: Deviation) -> str:
        case, target, cell = self.calls[-1].case, self.subject.target, self.subject.cell
        index = tuple(deviation.position.values())
        if not self.backward:
            place = output_place(target, cell, case.x, self._final(case), deviation.output, index)
            return f"{_variable(place.result)}[{', '.join(map(str, place.index))}]"
        given = forward_arguments(target, cell, case.params, case.x, case.states, case.lengths)
        name = deviation.output.removeprefix("d")
        place = gradient_place(target, cell, case.params, given, name, index)
        key = place.result.removeprefix("d")
        array = f"dparams[{_quoted(key)}]" if key in given.params else _variable(place.result)
        return f"{array}[{', '.join(map(str, place.index))}]"

    def form(self) -> list[str]:
        """Return the lines that hold what comes against the form of an answer."""
        names, case, params = self.results, self.calls[-1].case, self.given[-1][0].split(", ")[0]
        count = f'assert isinstance(returned, tuple | list) and len(returned) == {len(names)}, "{", ".join(names)}"'
        lines = [*self._before(), f"returned = {self._call(-1, copied=False)}", count]
        if self.backward:
            shapes = {f"d{name}": a.shape for name, a in self.asked[-1].rest[: len(names) - 1]}
            lines += [
                "dparams, *others = returned",
                f'assert set(dparams) == set({params}), f"dparams has {{list(dparams)}}"',
                f"expected = [({params}[k].shape, dparams[k], k) for k in {params}]",
                f"expected += zip({list(shapes.values())}, others, {list(shapes)})",
            ]
        else:
            found = output_shapes(self.subject.target, self.subject.cell, case.x, self._final(case))
            lines.append(f"expected = zip({list(found.values())}, returned, {list(found)})")
        return [
            *lines,
            "for shape, array, name in expected:",
            f'    assert isinstance(array, {self.literals.type}), f"{{name}} is a {{type(array).__name__}}"',
            '    assert tuple(array.shape) == shape, f"{name} has shape {tuple(array.shape)}, expected {shape}"',
            f'    assert array.dtype == {self.literals.dtype(case.dtype)}, f"{{name}} is {{array.dtype}}"',
        ]

    def changed(self) -> list[str]:
        """Return the lines that look at the arguments of the first call after it and after another one."""
        params, *others = self.given[0][0].split(", ")
        return [
            f"held = dict({params})",
            f"numbers = lambda: [a.tolist() for a in (*held.values(), {', '.join(others)})]",
            "before = repr(numbers())",
            *(f"later = deepcopy(({names}))" for names, _ in self.given[1:2]),
            self._call(0, copied=False),
            *(f"{self._function(1)}(*later{keyword})" for _, keyword in self.given[1:2]),
            'assert repr(numbers()) == before, "an argument was changed in place"',
            f"same = {params}.keys() == held.keys() and all({params}[k] is held[k] for k in held)",
            'assert same, "params was changed"',
        ]

    def overwritten(self) -> list[str]:
        """Return the lines that look at what the first call returned after the last."""
        return [
            f"returned = {self._call(0, copied=True)}",
            "before = repr([a.tolist() for a in returned])",
            *(self._call(k, copied=True) for k in range(1, len(self.calls))),
            'assert repr([a.tolist() for a in returned]) == before, "a later call wrote over what the first returned"',
        ]


def _variable(name: str) -> str:
    """Return a name as Python can have it: l0_h0 for the state l0.h0 of a network."""
    return name.replace(".", "_")


def _quoted(text: str) -> str:
    """Return a text as a literal, in the quotes that people use."""
    return json.dumps(text, ensure_ascii=False)
