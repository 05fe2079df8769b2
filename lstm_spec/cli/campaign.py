"""The commands for campaigns."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lstm_spec.cli.common import check_place, progress_bar, sentences, write_json, write_text

if TYPE_CHECKING:
    from concurrent.futures import Executor


@click.group()
def campaign() -> None:
    """Verify many targets, and keep every finding.

    \b
    Example:
      lstm-spec campaign run nightly.toml
    """


@campaign.command()
@click.argument("file")
@click.option("--findings", metavar="FILE", help="Where findings are kept; by default beside the campaign, .sqlite.")
@click.option("--workers", type=click.IntRange(min=1), help="How many at once; by default as many as there are cores.")
@click.option("--scheduler", metavar="ADDRESS", help="Run on the workers of this Dask scheduler, in place of here.")
@sentences
def run(file: str, findings: str | None, workers: int | None, scheduler: str | None) -> None:
    """Run what is left of the campaign in FILE.

    FILE is TOML: tables [[jobs]] with a target, or a list of them, and options of `lstm-spec verify` by their names;
    a list of values stands for a job with each. What was interrupted goes on where it stopped.

    Exit status: 0 all verified, 1 a discrepancy or an error, 2 an unusable file, 3 inconclusive, 130 interrupted.

    \b
    Example:
      lstm-spec campaign run nightly.toml --workers 4
    """
    from pathlib import Path

    from lstm_spec.report.campaign import status_lines
    from lstm_spec.verify.campaign import read_campaign, run_campaign
    from lstm_spec.verify.findings import Findings

    check_place(findings)
    asked = read_campaign(file)
    kept = Findings(findings or Path(file).with_suffix(".sqlite"))
    at_once = workers or os.cpu_count() or 1
    with _executor(at_once, scheduler) as executor, progress_bar() as progress:
        complete = run_campaign(asked, kept, executor, at_once=at_once, progress=progress)
    click.echo("\n".join(status_lines(kept)))
    verdicts = {row.verdict for row in kept.rows()}
    if not complete:
        sys.exit(130)
    sys.exit(1 if verdicts & {"discrepancy", "error"} else 3 if "inconclusive" in verdicts else 0)


@contextmanager
def _executor(at_once: int, scheduler: str | None) -> Iterator["Executor"]:
    if scheduler is None:
        from concurrent.futures import ThreadPoolExecutor

        # Threads only wait here: every job has a process of its own.
        with ThreadPoolExecutor(at_once) as executor:
            yield executor
        return
    try:
        from distributed import Client
    except ImportError:
        click.echo("lstm-spec: --scheduler needs Dask: pip install 'lstm_spec[dask]'", err=True)
        sys.exit(2)
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        click.echo(f"lstm-spec: there is no Dask scheduler at {scheduler}: {error}", err=True)
        sys.exit(2)
    with client, client.get_executor(pure=False) as executor:
        yield executor


@campaign.command()
@click.argument("findings")
@click.option("--json", "json_file", metavar="FILE", help="Write it there; - is stdout.")
@sentences
def status(findings: str, json_file: str | None) -> None:
    """Say how far a campaign has come, and what it found.

    \b
    Example:
      lstm-spec campaign status nightly.sqlite
    """
    from lstm_spec.report.campaign import status_dict, status_lines
    from lstm_spec.verify.findings import Findings

    kept = Findings.existing(findings)
    write_json(status_dict(kept), json_file)
    if json_file != "-":
        click.echo("\n".join(status_lines(kept)))


@campaign.command()
@click.argument("findings")
@click.argument("target", required=False)
@sentences
def show(findings: str, target: str | None) -> None:
    """List what was found, a line for every check that is not verified; of one TARGET, for every check.

    \b
    Example:
      lstm-spec campaign show nightly.sqlite torch
    """
    from lstm_spec.report.campaign import finding_lines
    from lstm_spec.verify.findings import Findings

    click.echo("\n".join(finding_lines(Findings.existing(findings), target)))


@campaign.command()
@click.argument("before")
@click.argument("after")
@click.option("--json", "json_file", metavar="FILE", help="Write it there; - is stdout.")
@sentences
def compare(before: str, after: str, json_file: str | None) -> None:
    """Say what got better or worse from one campaign's findings to another's.

    Exit status: 0 nothing got worse, 1 something did.

    \b
    Example:
      lstm-spec campaign compare torch-2.12.sqlite torch-2.13.sqlite
    """
    from lstm_spec.report.campaign import change_dict, change_lines
    from lstm_spec.verify.findings import Findings, compare_findings

    changes = compare_findings(Findings.existing(before), Findings.existing(after))
    write_json({"changes": [change_dict(c) for c in changes]}, json_file)
    if json_file != "-":
        click.echo("\n".join(change_lines(changes)))
    sys.exit(int(any(c.direction == "worse" for c in changes)))


@campaign.command()
@click.argument("findings")
@click.option("--json", "json_file", metavar="FILE", help="Every report whole.")
@click.option("--csv", "csv_file", metavar="FILE", help="A row for every check.")
@click.option("--markdown", "markdown_file", metavar="FILE", help="A table of targets and checks.")
@click.option("--html", "html_file", metavar="FILE", help="A page of them that needs nothing else.")
@sentences
def export(
    findings: str, json_file: str | None, csv_file: str | None, markdown_file: str | None, html_file: str | None
) -> None:
    """Write findings in other forms; - is stdout.

    \b
    Example:
      lstm-spec campaign export nightly.sqlite --markdown table.md
    """
    from lstm_spec.report.campaign import csv_text, markdown_text
    from lstm_spec.report.overview import overview
    from lstm_spec.verify.findings import Findings

    kept = Findings.existing(findings)
    if not (json_file or csv_file or markdown_file or html_file):
        raise click.UsageError("name a form: --json, --csv, --markdown or --html")
    for place in (json_file, csv_file, markdown_file, html_file):
        check_place(place)
    write_json({"jobs": kept.reports()}, json_file)
    for place, make in ((csv_file, csv_text), (markdown_file, markdown_text), (html_file, overview)):
        if place is not None:
            write_text(make(kept), place)
