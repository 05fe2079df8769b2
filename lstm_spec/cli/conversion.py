"""The command that converts weights from one library's layout and file to another's."""

import sys

import click

from lstm_spec.cli.common import cell_named, check_place, sentences, with_sizes, write_json, writing


@click.command()
@click.argument("file")
@click.option(
    "--to", "target", required=True, help="Whose weights they are to be: torch, keras, onnx, …, or FILE.toml."
)
@click.option("--from", "source", help="Whose weights they are; by default whose names and shapes they have.")
@click.option("-o", "--output", metavar="FILE", help="Where they go, in the format of its ending; else nowhere.")
@click.option("--spec", help="The cell, a name or file.py:cell; by default the one that the weights fit.")
@click.option("--prefix", help="What stands before the names, such as encoder.lstm., or the name of a model's node.")
@click.option("--to-prefix", default="", help="What is to stand before the new names.")
@click.option("--check/--no-check", default=True, show_default=True, help="Run both sides on the same input.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which input that is.")
@click.option("--json", "json_file", metavar="FILE", help="Write what was found there; - is stdout.")
@with_sizes
@sentences
def convert(
    file: str,
    target: str,
    source: str | None,
    output: str | None,
    spec: str | None,
    prefix: str | None,
    to_prefix: str,
    check: bool,
    seed: int,
    json_file: str | None,
    **sizes: int | None,
) -> None:
    """Convert the weights in FILE from one library to another.

    Files are .npz, .safetensors, PyTorch's .pt and .pth, Keras's .weights.h5 and .keras, and .onnx, a model with a
    recurrent node for each layer, of which --prefix names one to be read. Layers and directions are read off the names.
    Then each library runs its own arrays, and what it returns is held against the equations; where one is not
    installed, the equations are computed in its place. Nothing is written where they disagree. Nothing in a file is
    run: of a pickle only tensors are read.

    Exit status: 0 converted, 1 both sides do not compute the same, 2 the weights cannot be converted, 3 converted, but
    a run of such weights tells little.

    \b
    Example:
      lstm-spec convert lstm.pt --from torch --to keras -o lstm.weights.h5
    """
    from pathlib import Path

    from lstm_spec.report.aside import aside
    from lstm_spec.report.conversion import conversion_dict, conversion_lines
    from lstm_spec.targets.convert import convert as converted
    from lstm_spec.targets.weight_files import check_weights, save_weights
    from lstm_spec.verify.conversion import agreement

    check_place(output)
    check_place(json_file)
    if output is not None and Path(output).exists() and Path(output).samefile(file):
        raise click.UsageError(f"{output} is the file that is read; write to another")
    found = converted(
        file,
        target=target,
        source=source,
        spec=None if spec is None else cell_named(spec),
        prefix=prefix,
        target_prefix=to_prefix,
        sizes={name: size for name, size in sizes.items() if size is not None},
    )
    if output is not None:
        check_weights(output, found)
    checked = None
    if check:
        with aside():
            checked = agreement(found, seed=seed)
    write_json(conversion_dict(found, checked), json_file)
    if json_file != "-":
        click.echo("\n".join(conversion_lines(found, checked)))
    disagree = checked is not None and checked.exit_status == 1
    if output is not None and not disagree:
        with writing(output):
            save_weights(output, found)
    sys.exit(0 if checked is None else checked.exit_status)
