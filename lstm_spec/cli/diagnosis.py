"""The commands that say what is wrong with somebody's LSTM, and how it holds its parameters."""

import sys
from typing import Any

import click

from lstm_spec.cli.common import check_place, progress_bar, sentences, write_json, write_text


@click.command()
@click.argument("target", required=False)
@click.option("--weights", metavar="FILE", help="The weights by name: .npz, .safetensors, .pt, .weights.h5, ….")
@click.option("--x", metavar="X.npy", help="The input, (T, B, n) or (B, T, n).")
@click.option("--got", metavar="Y.npy", help="The output as it came, of every step or of the last one.")
@click.option("--expected", metavar="E.npy", help="The output as it should be, from somewhere else.")
@click.option("--got-h", metavar="H.npy", help="The final h as it came.")
@click.option("--got-c", metavar="C.npy", help="The final c as it came.")
@click.option("--h0", metavar="H0.npy", help="The initial h; zero without it.")
@click.option("--c0", metavar="C0.npy", help="The initial c; zero without it.")
@click.option("--lengths", metavar="L.npy", help="The number of steps of every row, (B,).")
@click.option("--layout", help="Whose weights these are: pytorch, keras, onnx, …, or FILE.toml; by default by name.")
@click.option("--spec", help="The cell, a name or file.py:cell; by default the one that the weights fit.")
@click.option("--trace", "traced", is_flag=True, help="Print every value of the run, beside those of --recorded.")
@click.option("--recorded", metavar="R.npz", help="Values of the run by name, such as a_f or c, for --trace.")
@click.option("--json", "json_file", metavar="FILE", help="Write the diagnosis there; - is stdout.")
@sentences
def diagnose(
    target: str | None, layout: str | None, spec: str | None, traced: bool, json_file: str | None, **files: Any
) -> None:
    """Say what is wrong with TARGET, or with one recorded run.

    TARGET is named as for verify. Without one, weights, input and output of a run come from files, and every fault of
    the catalogue is held against them. Where several give the same numbers, all of them are named. With --trace every
    value of the run is printed, and the first marked that deviates from what was recorded.

    Exit status: 0 nothing is wrong, 1 something is, 2 the files do not make a run.

    \b
    Example:
      lstm-spec diagnose --weights W.npz --x X.npy --got Y.npy --layout pytorch
    """
    check_place(json_file)
    if target is not None:
        if any(value is not None for value in files.values()):
            raise click.UsageError("a TARGET is asked, a recorded run is read from files: give one or the other")
        _of_target(target, layout, spec, json_file)
    if traced or files["recorded"] is not None:
        _of_values(layout, spec, json_file, files)
    files.pop("recorded")
    if missing := [f"--{name}" for name in ("weights", "x", "got") if files[name] is None]:
        raise click.UsageError(
            f"name a TARGET, or a recorded run with --weights, --x and --got; {missing[0]} is missing"
        )
    from lstm_spec.report.recorded import recorded_lines
    from lstm_spec.targets.array_files import read_arrays
    from lstm_spec.targets.numpy_files import read_npy
    from lstm_spec.verify.recorded import diagnose as run

    weights = read_arrays(files.pop("weights"))
    arrays: dict[str, Any] = {name: read_npy(path) for name, path in files.items() if path is not None}
    found = run(weights=weights, layout=layout, spec=spec, **arrays)
    if json_file != "-":
        write_text("\n".join(recorded_lines(found)) + "\n", None)
    write_json(found.to_dict(), json_file)
    sys.exit(found.exit_status)


def _of_values(layout: str | None, spec: str | None, json_file: str | None, files: dict[str, str | None]) -> None:
    from lstm_spec.report.trace import trace_lines
    from lstm_spec.targets.array_files import read_arrays
    from lstm_spec.targets.numpy_files import read_npy
    from lstm_spec.verify.trace import trace

    named = {name: path for name, path in files.items() if path is not None}
    if missing := [name for name in ("weights", "x") if name not in named]:
        raise click.UsageError(f"a trace is of a run with --weights and --x; --{missing[0]} is missing")
    if other := sorted(named.keys() - {"weights", "x", "recorded", "got", "h0", "c0"}):
        raise click.UsageError(f"--{other[0].replace('_', '-')} says nothing to a trace; give it with --recorded")
    several: dict[str, Any] = {name: read_arrays(named.pop(name)) for name in ("weights", "recorded") if name in named}
    arrays: dict[str, Any] = {**several, **{name: read_npy(path) for name, path in named.items()}}
    found = trace(layout=layout, spec=spec, **arrays)
    if json_file != "-":
        write_text("\n".join(trace_lines(found)) + "\n", None)
    write_json(found.to_dict(), json_file)
    sys.exit(found.exit_status)


def _of_target(target: str, layout: str | None, spec: str | None, json_file: str | None) -> None:
    from lstm_spec.report.aside import aside
    from lstm_spec.report.console import diagnosis_lines
    from lstm_spec.verify.run import EXPLAINED, verify

    with progress_bar() as progress, aside():
        checks = ("signature", "inputs", *EXPLAINED)
        report = verify(
            target, spec=spec, layout=layout, profile="quick", checks=checks, first_finding=True, progress=progress
        )
    if json_file != "-":
        told = [f"{c.id}: {c.message}" for c in report.checks if c.finding]
        nothing = [] if report.finding else ["Nothing is wrong, as far as the quick profile can tell."]
        write_text("\n".join([*diagnosis_lines(report), *told, *nothing]) + "\n", None)
    write_json(report.to_dict(), json_file)
    sys.exit(report.exit_status)


@click.command()
@click.argument("target")
@click.option("--weights", metavar="W.npz", help="Parameters as it takes them, for their names and shapes.")
@click.option("--spec", help="The cell that it computes; by default what it claims, or lstm.")
@click.option("-o", "--output", metavar="FILE.toml", help="Write the layout there, for --layout; by default to stdout.")
@click.option("--json", "json_file", metavar="FILE", help="Write what was found there; - is stdout.")
@sentences
def identify(target: str, weights: str | None, spec: str | None, output: str | None, json_file: str | None) -> None:
    """Find out in which layout TARGET takes its parameters, and write it as --layout takes it.

    TARGET is named as for verify: a function forward(params, x, *states), whose params have names and shapes of its
    own. It says what these are in an attribute, as in forward.shapes = {"W": (16, 3), "R": (16, 4), "b": (16,)}, or
    they are read off --weights; without either the known layouts are tried. Different sizes n and m tell more.

    Exit status: 0 identified, 1 no layout fits, 2 the target could not be used, 3 several layouts fit.

    \b
    Example:
      lstm-spec identify mine.py:forward -o mine.toml && lstm-spec verify mine.py:forward --layout mine.toml
    """
    from lstm_spec.report.aside import aside
    from lstm_spec.report.identified import identified_lines
    from lstm_spec.targets.array_files import read_arrays
    from lstm_spec.targets.python import load
    from lstm_spec.verify.identify import identify as find

    check_place(json_file)
    check_place(output)
    shapes = None if weights is None else {name: array.shape for name, array in read_arrays(weights).items()}
    with aside():
        found = find(load(target), shapes=shapes, spec=spec)
    for line in identified_lines(found):
        click.echo(line, err=True)
    if found.layout is not None and json_file != "-":
        write_text(found.layout.to_toml(), output)
    write_json(found.to_dict(), json_file)
    sys.exit(found.exit_status)
