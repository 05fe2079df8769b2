"""The commands that say what is wrong with somebody's LSTM, and how it holds its parameters."""

import sys
from typing import Any

import click

from lstm_spec.cli.common import check_place, progress_bar, sentences, write_json, write_text


@click.command()
@click.argument("target", required=False)
@click.option("--weights", metavar="W.npz", help="The weights by name, such as a state_dict saved by numpy.savez.")
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
    from lstm_spec.verify.files import read_array, read_arrays
    from lstm_spec.verify.recorded import diagnose as run

    weights = read_arrays(files.pop("weights"))
    arrays: dict[str, Any] = {name: read_array(path) for name, path in files.items() if path is not None}
    found = run(weights=weights, layout=layout, spec=spec, **arrays)
    if json_file != "-":
        write_text("\n".join(recorded_lines(found)) + "\n", None)
    write_json(found.to_dict(), json_file)
    sys.exit(found.exit_status)


def _of_values(layout: str | None, spec: str | None, json_file: str | None, files: dict[str, str | None]) -> None:
    from lstm_spec.report.trace import trace_lines
    from lstm_spec.verify.files import read_array, read_arrays
    from lstm_spec.verify.trace import trace

    named = {name: path for name, path in files.items() if path is not None}
    if missing := [name for name in ("weights", "x") if name not in named]:
        raise click.UsageError(f"a trace is of a run with --weights and --x; --{missing[0]} is missing")
    if other := sorted(named.keys() - {"weights", "x", "recorded", "got", "h0", "c0"}):
        raise click.UsageError(f"--{other[0].replace('_', '-')} says nothing to a trace; give it with --recorded")
    several: dict[str, Any] = {name: read_arrays(named.pop(name)) for name in ("weights", "recorded") if name in named}
    arrays: dict[str, Any] = {**several, **{name: read_array(path) for name, path in named.items()}}
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
