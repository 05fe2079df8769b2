"""Asking the question of a stored report again: its numbers as they stand there, never drawn anew."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstm_spec.compute.formats import dtype_of
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.targets.command import Command
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.onnx_file import nodes
from lstm_spec.verify.cases import Array, Case, shapes_of, sizes_of
from lstm_spec.verify.checks import examine
from lstm_spec.verify.fit import check_known, limits_of, runs_apart, subject_of
from lstm_spec.verify.prepare import every_check
from lstm_spec.verify.subject import Subject
from lstm_spec.verify.verdict import SCHEMA


class ReplayError(ValueError):
    """A report that cannot be replayed; the message says why, in one sentence."""


@dataclass(frozen=True)
class Replay:
    """What came of a stored counterexample.

    target: what was asked; check: by which check; reproduced: whether it fails still; message: what is wrong, or that
    nothing is.
    """

    target: str
    check: str
    reproduced: bool
    message: str

    @property
    def exit_status(self) -> int:
        """The exit status of the command line: 1 reproduced, 0 gone."""
        return int(self.reproduced)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        status = "reproduced" if self.reproduced else "gone"
        return {"status": status, "target": self.target, "check": self.check, "message": self.message}


def replay(
    report: str | Path | Mapping[str, Any],
    *,
    target: Any = None,
    spec: str | Program | Network | None = None,
    layout: str | Layout | None = None,
) -> Replay:
    """Ask the counterexample of a report again.

    report: the JSON file that ``lstm-spec verify --json`` has written, or what is in it. target, spec, layout: in place
    of those that the report names. A program that a file names is not run: it is anybody's, and has to be given as a
    ``Command``. Raises ReplayError for what is no report or has no counterexample, and what ``verify`` raises for a
    target that cannot be used.
    """
    whole, where = (report, "the report") if isinstance(report, Mapping) else (_loaded(Path(report)), str(report))
    told = _failing_node(whole)
    found = _counterexample(told, where)
    given = _given(told, where)
    command = given.get("command")
    if command is not None and target is None and not isinstance(report, Mapping):
        raise ReplayError(f"{where} is about the program {command!r}, which is run only if you name it as the command")
    named = _named(given, where) if command is None else Command(command)
    chosen = named if target is None else target
    if chosen is None:
        raise ReplayError(f"{where} is about {told.get('target')}, to which no name leads; give a target")
    wanted = given.get("layout") if layout is None and target is None else layout
    subject = subject_of(
        chosen,
        given.get("spec") if spec is None else spec,
        Layout(**wanted) if isinstance(wanted, Mapping) else wanted,
        like=given.get("like") if target is None else None,
        accuracy=_accuracy(told),
        limits=limits_of(bool(given.get("isolate")) or runs_apart(chosen), None, None),
    )
    if subject.cell.name != told.get("spec"):
        raise ReplayError(f"{where} is about {told.get('spec')}, not {subject.cell.name}; give its cell as spec")
    return _asked(subject, str(found.get("check")), _case(found, subject.cell, where))


def _failing_node(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return of a report about a model that of the first node with a counterexample, any other report as it is."""
    every = told.get("nodes")
    parts = [node for node in every if isinstance(node, Mapping)] if isinstance(every, list) else []
    return next((node for node in parts if node.get("counterexample")), parts[0] if parts else told)


def _named(given: Mapping[str, Any], where: str) -> Any:
    """Return the name of a target as a report has it, or the node of a model that it is."""
    name, node = given.get("target"), given.get("node")
    if node is None or name is None:
        return name
    every = nodes(name, node["runtime"], chosen=node["readings"])
    if node["number"] >= len(every):
        there = f"{len(every)} recurrent node{'s' * (len(every) > 1)}"
        raise ReplayError(f"{where} is about node {node['number']} of {name}, which has {there}")
    found = every[node["number"]]
    if found.target is None:
        raise ReplayError(f"{where} is about {found.name} in {name}, which cannot be run: {found.reason}")
    return found.target


def _asked(subject: Subject, name: str, case: Case) -> Replay:
    every = {check.id: check for check in every_check(subject)}
    check_known("check", name, every)
    check = every[name]
    if check.gradients and subject.target.backward is None and not name.startswith("law_"):
        raise ReplayError(f"{subject.target.name} offers no backward, which {name} asks")
    try:
        outcome = examine(check, subject, case, subject.contracts[str(case.dtype)])
    finally:
        subject.target.release()
    if outcome.finding is None:
        return Replay(subject.target.name, name, False, "the stored case passes")
    return Replay(subject.target.name, name, True, outcome.finding.message)


def _loaded(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ReplayError(f"{path} is no JSON: {error}") from None
    if not isinstance(told, Mapping):
        raise ReplayError(f"{path} is no report; `lstm-spec verify --json FILE` writes one")
    return told


def _counterexample(told: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    if "schema" not in told or "verdict" not in told:
        raise ReplayError(f"{where} is no report; `lstm-spec verify --json FILE` writes one")
    if told["schema"] != SCHEMA:
        raise ReplayError(f"{where} has the form of version {told['schema']}, not {SCHEMA}; make it anew")
    found = told.get("counterexample")
    if found is None:
        raise ReplayError(f"{where} says {told['verdict']} and has no counterexample to replay")
    if not isinstance(found, Mapping):
        raise ReplayError(f"{where}: counterexample is an object, got {found!r:.40}")
    return found


def _given(told: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return how the target of a report was named."""
    given = told.get("given") or {}
    texts = ("target", "command", "spec", "like")
    right = isinstance(given, Mapping) and all(isinstance(given.get(key), str | None) for key in texts)
    if not right or not isinstance(given.get("layout"), str | Mapping | None) or not _is_node(given.get("node")):
        raise ReplayError(f"{where}: given is not how verify names a target")
    return given


def _is_node(node: Any) -> bool:
    """Tell whether it says where a node is, or nothing."""
    if not isinstance(node, Mapping):
        return node is None
    number, readings = node.get("number"), node.get("readings")
    counted = isinstance(number, int) and not isinstance(number, bool) and number >= 0
    return counted and isinstance(node.get("runtime"), str) and isinstance(readings, Mapping)


def _accuracy(told: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the contract under which a target failed, None for the default one."""
    accuracy = told.get("accuracy")
    declared = isinstance(accuracy, Mapping) and accuracy.get("origin", "default") != "default"
    return accuracy.get("formats") if declared and isinstance(accuracy, Mapping) else None


def _case(found: Mapping[str, Any], cell: Program | Network, where: str) -> Case:
    """Return the case of a counterexample, its numbers to the last bit; raises ReplayError for one that is none."""
    begun = cell.states if network_of(cell).initial == "given" else ()
    try:
        dtype = dtype_of(found["dtype"])
        params = {name: _array(p, dtype) for name, p in found["params"].items()}
        lengths = found.get("lengths")
        case = Case(
            params=params,
            x=_array(found["x"], dtype),
            states=tuple(_array(found["states"][f"{name}0"], dtype) for name in begun),
            regime=str(found.get("regime", "")),
            seed=found.get("seed"),
            cotangents=tuple(_array(d, dtype) for d in found.get("cotangents", {}).values()),
            state_names=cell.states,
            lengths=None if lengths is None else np.asarray(lengths, np.int64),
            exposed={name: slice(*ends) for name, ends in found.get("exposed", {}).items()},
        )
        shapes = shapes_of(cell, sizes_of(cell, params), case.T, case.B, gradients=bool(case.cotangents))
        wanted = [*shapes.params.items(), ("x", shapes.x), *zip(begun, shapes.states, strict=True)]
        wanted += zip(("dy", *cell.states), shapes.cotangents, strict=False)
        held = [*params.items(), ("x", case.x), *zip(begun, case.states, strict=True)]
        held += zip(("dy", *cell.states), case.cotangents, strict=False)
        fits = {(name, a.shape) for name, a in held} == {(name, tuple(shape)) for name, shape in wanted}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        detail = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ReplayError(f"{where}: the counterexample cannot be read: {detail}") from None
    if not fits:
        raise ReplayError(f"{where}: the arrays of the counterexample have not the shapes that {cell.name} has")
    return case


def _array(nested: Any, dtype: np.dtype[Any]) -> Array:
    """Return an array from nested lists of hexadecimal floats."""

    def numbers(part: Any) -> Any:
        return [numbers(p) for p in part] if isinstance(part, list) else float.fromhex(part)

    return np.array(numbers(nested), np.float64).astype(dtype)
