"""Somebody's ONNX model, verified node by node."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lstm_spec.targets.onnx_file import Node, nodes
from lstm_spec.verify.asking import Progress
from lstm_spec.verify.deadline import Deadline
from lstm_spec.verify.fit import deadline_in
from lstm_spec.verify.options import Options, options_of
from lstm_spec.verify.run import verified
from lstm_spec.verify.verdict import DISCREPANCY, INCONCLUSIVE, VERIFIED, Report

NOT_TESTABLE = "not_testable"


@dataclass(frozen=True)
class Found:
    """What was found out about one recurrent node: a report, or why there is none."""

    node: Node
    report: Report | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        about = {"name": self.node.name, "operator": self.node.kind}
        if self.report is None:
            return {**about, "verdict": NOT_TESTABLE, "message": self.node.reason}
        return {**about, **self.report.to_dict()}


@dataclass(frozen=True)
class ModelReport:
    """What a verification found out about the recurrent nodes of a model in a runtime."""

    model: str
    runtime: str
    found: tuple[Found, ...]

    @property
    def verdict(self) -> str:
        """The verdict: "verified" where every node is, "discrepancy" where one has one, else "inconclusive"."""
        verdicts = {INCONCLUSIVE if f.report is None else f.report.verdict for f in self.found}
        if DISCREPANCY in verdicts:
            return DISCREPANCY
        return VERIFIED if verdicts == {VERIFIED} else INCONCLUSIVE

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said of what is declared as known, of all nodes."""
        return tuple(dict.fromkeys(w for f in self.found if f.report is not None for w in f.report.warnings))

    @property
    def exit_status(self) -> int:
        """The exit status of the command line: that of the verdict, or 130 where somebody has interrupted."""
        if any(f.report is not None and f.report.interrupted for f in self.found):
            return 130
        return {VERIFIED: 0, DISCREPANCY: 1, INCONCLUSIVE: 3}[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON takes it."""
        every = [found.to_dict() for found in self.found]
        return {"verdict": self.verdict, "model": self.model, "runtime": self.runtime, "nodes": every}


def verify_model(
    path: str | Path,
    *,
    runtime: str = "onnxruntime",
    readings: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    max_seconds: float | None = None,
    **options: Any,
) -> ModelReport:
    """Hold every LSTM, GRU and RNN of an ONNX model in a runtime against the text of the operator.

    path: of the model, whose weights are taken as they are; nothing in it is run but the recurrent nodes, each alone.
    runtime: "onnxruntime", "openvino" or "reference". readings: of what the text leaves open, where not the default.
    max_seconds: for all nodes together. progress, options: as for ``verify``. Raises TargetError for a file that is no
    model or has no such node.
    """
    every, asked = nodes(path, runtime, chosen=readings), options_of("verify_model", options | {"progress": progress})
    deadline = deadline_in(max_seconds)
    return ModelReport(str(path), runtime, tuple(_verified(every, deadline, asked)))


def _verified(every: tuple[Node, ...], deadline: Deadline, options: Options) -> Iterator[Found]:
    for node in every:
        report = None if node.target is None else verified(node.target, replace(options, max_seconds=deadline.left))
        yield Found(node, report)
        if report is not None and report.interrupted:
            return
