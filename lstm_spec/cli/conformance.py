"""The command that makes the table of conformance."""

import sys
from os.path import relpath
from pathlib import Path

import click

from lstm_spec.cli.common import check_folder, check_place, progress_bar, sentences, write_json, write_text


@click.command()
@click.option("--only", metavar="TEXT", help="Only implementations with this in their name.")
@click.option("--table", "title", metavar="TEXT", help="Only tables with this in their title.")
@click.option("--profile", default="quick", show_default=True, help="quick, standard or deep.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed asks the same questions.")
@click.option(
    "-o",
    "--output",
    "outputs",
    metavar="FILE",
    multiple=True,
    help="Write the page there: .md or .html, or both in turn; by default Markdown to stdout.",
)
@click.option("--json", "json_file", metavar="FILE", help="Write what was found out there; - is stdout.")
@click.option("--scripts", metavar="DIR", help="Write a script for every discrepancy there, to be sent upstream.")
@sentences
def conformance(
    only: str | None,
    title: str | None,
    profile: str,
    seed: int,
    outputs: tuple[str, ...],
    json_file: str | None,
    scripts: str | None,
) -> None:
    """Make the table of conformance: implementations and their features, each verified, or what is wrong with it.

    What is not installed is left out. Every target runs in a process of its own.

    Exit status: 0 when it is made, whatever it says; 2 where it cannot be; 130 interrupted, with what is known so far.

    \b
    Example:
      lstm-spec conformance --only onnx -o conformance.html -o conformance.md
    """
    from datetime import UTC, datetime

    from lstm_spec import __version__
    from lstm_spec.report.conformance import Filled, as_dict, html, markdown
    from lstm_spec.verify.conformance import Cell, chosen_tables
    from lstm_spec.verify.conformance import conformance as made
    from lstm_spec.verify.upstream import script_of

    chosen = chosen_tables(only, title)
    for place in (*outputs, json_file):
        check_place(place)
    check_folder(scripts)
    about = {"date": datetime.now(UTC).date().isoformat(), "version": __version__}
    filled, interrupted = [], False
    with progress_bar() as progress:
        for table in chosen:
            cells: list[Cell] = []
            try:
                for cell in made(table, profile=profile, seed=seed, only=only, tick=progress):
                    cells.append(cell)
            except KeyboardInterrupt:
                interrupted = True
            if cells:
                filled.append(Filled(table, tuple(cells)))
            if interrupted:
                break
    write_json(as_dict(filled, **about), json_file)
    for output in outputs or ([None] if json_file != "-" else []):
        beside = Path(relpath(scripts, Path(output).parent)).as_posix() if scripts and output else None
        page = html if str(output).endswith(".html") else markdown
        write_text(page(filled, scripts=beside, **about), output)
    if scripts is not None:
        kept = {name for table in chosen for row in table.rows for name in row.scripts.values()}
        for cell in (cell for one in filled for cell in one.cells if cell.script not in kept):
            if (text := script_of(cell)) is not None:
                write_text(text, str(Path(scripts) / cell.script))
    sys.exit(130 if interrupted else 0)
