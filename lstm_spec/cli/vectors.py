"""The command for test vectors."""

import sys
from typing import Any

import click

from lstm_spec.cli.common import cell_named, check_folder, check_place, progress_bar, sentences, write_json, writing


class _WriteUnlessNamed(click.Group):
    """A group in which the first word is a folder to write to, unless it is a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command in front that is meant where none is named."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["write", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_WriteUnlessNamed)
def vectors() -> None:
    """Write test vectors for people who cannot run Python there, or check results against them.

    `vectors OUT` writes, with the options of `vectors write`.

    \b
    Examples:
      lstm-spec vectors golden --spec lstm --layout onnx --dtype float32
      lstm-spec vectors check golden results.npz
    """


@vectors.command()
@click.argument("out")
@click.option("--spec", default="lstm", show_default=True, help="The cell, a name or file.py:cell.")
@click.option("--layout", default="canonical", show_default=True, help="How arrays are held: a name, or FILE.toml.")
@click.option("--dtype", default="float64", show_default=True, help="float64, float32 or float16.")
@click.option("--past-length", help="Rows with lengths too; y past them is zero, repeat, freeze or any.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed, the same files.")
@sentences
def write(out: str, spec: str, layout: str, dtype: str, past_length: str | None, seed: int) -> None:
    """Write vectors of a cell into the folder OUT: .npz, .json, a C header, and a manifest.

    Each has inputs, weights, expected outputs and gradients, and the allowed error of every number. They are chosen so
    that they tell the faults of the catalogue from the specification; the manifest says how many.

    \b
    Example:
      lstm-spec vectors golden --spec peephole --dtype float32
    """
    from lstm_spec.targets.layouts import layout as find_layout
    from lstm_spec.verify.vector_files import write_vectors
    from lstm_spec.verify.vectors import vectors as choose

    cell, held = cell_named(spec), find_layout(layout)
    check_folder(out)
    with progress_bar() as progress:
        found = choose(
            cell,
            layout=held,
            dtype=dtype,
            past_length=past_length,
            seed=seed,
            progress=progress,
        )
    with writing(out):
        files = write_vectors(found, out)
    for path in files:
        click.echo(path)
    seen = found.faults - len(found.alive)
    click.echo(
        f"{len(found.vectors)} vectors, which see {seen:,} of {found.faults:,} planted faults ({found.share:.1%})"
    )


@vectors.command()
@click.argument("folder")
@click.argument("results")
@click.option("--json", "json_file", metavar="FILE", help="Write what was found there; - is stdout.")
@sentences
def check(folder: str, results: str, json_file: str | None) -> None:
    """Hold RESULTS, computed elsewhere, against the vectors in FOLDER.

    RESULTS is an .npz file with arrays such as v01/y, or a JSON file {"v01": {"y": …}}. Outputs that are not in it are
    not claimed, but y has to be.

    Exit status: 0 all within the allowed error, 1 a discrepancy, 2 a file cannot be used.

    \b
    Example:
      lstm-spec vectors check golden results.json
    """
    from lstm_spec.report.vectors import check_lines
    from lstm_spec.verify.vector_files import check_results

    check_place(json_file)
    checked = check_results(folder, results)
    failed = any(c.status == "discrepancy" for c in checked)
    outcome: dict[str, Any] = {"verdict": "discrepancy" if failed else "verified"}
    write_json({**outcome, "outputs": [c.to_dict() for c in checked]}, json_file)
    if json_file != "-":
        click.echo("\n".join(check_lines(checked)))
    sys.exit(int(failed))
