"""The report on a model for a terminal: a line about the whole, then node by node."""

from rich.console import Console
from rich.text import Text

from lstm_spec.report.console import print_report
from lstm_spec.verify.models import ModelReport


def print_model(report: ModelReport, console: Console) -> None:
    """Print what was found out about the recurrent nodes of a model."""
    checked = [found for found in report.found if found.report is not None]
    nodes = f"{len(checked)} of {len(report.found)} recurrent node{'' if len(report.found) == 1 else 's'} checked"
    head = f"{report.verdict.upper()}  {report.model} in {report.runtime}: {nodes}"
    console.print(Text(head, "bold"), soft_wrap=True)
    for found in report.found:
        console.print(Text(f"\nnode {found.node.name}", "bold"), soft_wrap=True)
        if found.report is None:
            console.print(Text(f"NOT TESTABLE  {found.node.kind}: {found.node.reason}"), soft_wrap=True)
        else:
            print_report(found.report, console)
