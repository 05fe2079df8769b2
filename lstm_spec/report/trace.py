"""A trace for a terminal: numbers where they are few, and the worst of them where they are many."""

from collections.abc import Iterator
from itertools import groupby

from lstm_spec.spec.notation import symbol_text
from lstm_spec.verify.cases import Array
from lstm_spec.verify.trace import Trace, Value

FEW = 8
"""Up to how many numbers of a row, and how many of them in all rows, are printed one by one."""


def trace_lines(trace: Trace) -> Iterator[str]:
    """Yield the values of a run, a step after the other, up to the one after the first that deviates."""
    first = trace.first
    yield f"Read as {trace.spec} in the layout {trace.layout}; {trace.axes}"
    if first is not None:
        row, unit = first.at
        name = symbol_text(first.name)
        yield f"The first that deviates: {name} at step {first.step}, row {row}, unit {unit}{_numbers_of(first)}"
    elif any(v.recorded is not None for v in trace.values):
        yield "Nothing that was recorded deviates."
    last = max(v.step for v in trace.values)
    for step, values in groupby(trace.values, key=lambda v: v.step):
        if first is not None and step > first.step + 1:
            yield f"… {last - first.step - 1} more step{'' if last - first.step == 2 else 's'}"
            return
        yield f"step {step}"
        own = list(values)
        width = max(len(symbol_text(v.name)) for v in own)
        for value in own:
            name = symbol_text(value.name)
            mark = "  <- the first that deviates" if value is first else "  <- deviates" if value.differs else ""
            # A combining tilde takes no place of its own.
            yield f"  {name}{' ' * (width - len(name) + name.count(chr(0x303)))}  {_shown(value)}{mark}"


def _numbers_of(value: Value) -> str:
    assert value.recorded is not None
    return f": {value.value[value.at]:.6g}, recorded {value.recorded[value.at]:.6g}"


def _shown(value: Value) -> str:
    rows, size = value.value.shape
    if size <= FEW and rows * size <= 2 * FEW:
        beside = "" if value.recorded is None else f"  recorded {_row(value.recorded)}"
        return f"{_row(value.value)}{beside}"
    low, high = value.value.min(), value.value.max()
    summary = f"{rows}×{size} from {low:.4g} to {high:.4g}"
    if value.recorded is None:
        return summary
    row, unit = value.at
    return f"{summary}; furthest at row {row}, unit {unit}{_numbers_of(value)}"


def _row(array: Array) -> str:
    return " | ".join(" ".join(f"{number:.4g}" for number in row) for row in array)
