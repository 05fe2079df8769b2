"""The layers of a network in a table: what each gives, and how many parameters it has."""

from dataclasses import dataclass
from typing import Any

from sympy import S

from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.notation import size_text
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape, total_entries


@dataclass(frozen=True)
class SummaryRow:
    """One layer, or the whole: its name, what it is, the shape of its output, its number of parameters."""

    name: str
    kind: str
    output: tuple[Any, ...]
    parameters: Any

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row as text."""
        shape = ", ".join(size_text(side) for side in self.output)
        count = f"{self.parameters:,}" if isinstance(self.parameters, int) else size_text(self.parameters)
        return self.name, self.kind, f"({shape})" if shape else "", count


SUMMARY_HEADINGS = ("layer", "what it is", "output shape", "parameters")


def summary(network: Network | Program, **sizes: int) -> tuple[SummaryRow, ...]:
    """Return a row for x, for every layer, and for the whole network; what is not given stays symbolic.

    A cell is the network of one layer.

    >>> from lstm_spec.spec.layers import layers
    >>> for row in summary(layers(bidirectional=True), n=32, m=70):
    ...     print(row.cells)
    ('x', 'input', '(T, B, 32)', '0')
    ('l0', 'bidirectional lstm, concatenate', '(T, B, 140)', '57,680')
    ('y', 'output', '(T, B, 140)', '57,680')
    """
    network = network_of(network, "summary")
    values = network.check_sizes(sizes)
    widths = [evaluate_shape((width, S.One), values)[0] for width in network.widths]
    rows = [SummaryRow("x", "input", ("T", "B", widths[0]), 0)]
    for index, passes in enumerate(network.passes):
        top = index == len(network.layers) - 1
        own = [run.symbol(p).shape for run in passes for p in run.cell.counted]
        keys = {f"{run.key}{name}0" for run in passes for name in run.cell.states}
        own += [p.shape for p in network.learned if p.name in keys]
        shape = ("B", widths[-1]) if top and network.outputs == "last" else ("T", "B", widths[index + 1])
        rows.append(SummaryRow(f"l{index}", _kind(network, index), shape, total_entries(own, values)))
    return (*rows, SummaryRow("y", "output", rows[-1].output, network.parameter_count(**sizes)))


def _kind(network: Network, index: int) -> str:
    layer = network.layers[index]
    parts = [f"bidirectional {layer.cell.name}" if layer.direction == "both" else layer.cell.name]
    parts += [layer.merge] if layer.direction == "both" else []
    parts += [layer.direction] if layer.direction in ("reverse", "go_backwards") else []
    parts += ["residual"] * layer.residual
    if network.outputs == "last" and index == len(network.layers) - 1:
        parts.append("last step")
    return ", ".join(parts)
