"""The table of every dimension of a Program, symbolic and numeric side by side, with the number of entries."""

from dataclasses import dataclass
from typing import Any

from lstm_spec.spec.notation import shape_text, size_text, symbol_text
from lstm_spec.spec.program import Program, cell_of
from lstm_spec.spec.sizes import evaluate_shape


@dataclass(frozen=True)
class Row:
    """One named value: its role, its equation if it is computed, its shape in symbols and in numbers, its entries.

    actual is None where a size was not given; entries is symbolic there.
    """

    name: str
    role: str
    equation: str
    shape: tuple[Any, Any]
    actual: tuple[int, int] | None
    entries: Any

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The row as text: symbol, role, shape in symbols, shape in numbers, entries."""
        actual = shape_text(self.actual) if self.actual else ""
        entries = f"{self.entries:,}" if isinstance(self.entries, int) else size_text(self.entries)
        return symbol_text(self.name), self.role, shape_text(self.shape), actual, entries


HEADINGS = ("symbol", "role", "shape", "actual", "entries")


def dimension_table(program: Program, **sizes: int) -> tuple[Row, ...]:
    """Return a row for every named value: inputs, previous states, parameters, then what is computed, in order.

    sizes: n=, m=, …; what is not given stays symbolic. Raises ProgramError for a size that does not exist.

    >>> from lstm_spec.spec.cells import lstm
    >>> [row.cells for row in dimension_table(lstm(), n=32, m=70) if row.name in ("z", "W_f")]
    [('W_f', 'parameter', 'm×(n+m)', '70×102', '7,140'), ('z', 'value', 'n+m', '102', '102')]
    """
    values = cell_of(program, "dimension_table").check_sizes(sizes)
    equations = {d.name: str(d) for d in program}
    rows = []
    for name, symbol in program.symbols.items():
        rows_, columns = evaluate_shape(symbol.shape, values)
        numeric = isinstance(rows_, int) and isinstance(columns, int)
        rows.append(
            Row(
                name=name,
                role=_role(program, name),
                equation=equations.get(name, ""),
                shape=symbol.shape,
                actual=(rows_, columns) if numeric else None,
                entries=rows_ * columns,
            )
        )
    return tuple(rows)


def _role(program: Program, name: str) -> str:
    if name in {s.name for s in program.inputs}:
        return "input"
    if name in {before.name for before, _ in program.recurrence}:
        return "previous state"
    if name in program.fixed:
        return "fixed parameter"
    if name in {p.name for p in program.parameters}:
        return "parameter"
    return "state" if name in program.states else "value"
