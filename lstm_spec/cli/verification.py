"""The commands about somebody's LSTM."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from lstm_spec.cli.common import (
    cell_named,
    check_place,
    chosen,
    listed,
    progress_bar,
    sentences,
    write_json,
    write_text,
    writing,
)


@click.command()
@click.argument("target", required=False)
@click.option("--command", metavar="TEXT", help="In place of TARGET: a program that answers JSON lines.")
@click.option("--spec", help="The cell to hold it against, a name or file.py:cell; by default what it claims, or lstm.")
@click.option("--layout", help="How it holds parameters and states: a name such as pytorch, or FILE.toml.")
@click.option("--like", metavar="ORIGINAL", help="The class that it stands in for, such as torch.nn.LSTM.")
@click.option("--accuracy", metavar="FILE", help="How exact it has to be: a TOML file, in place of the default.")
@click.option("--dtype", callback=listed, help="Formats to check, such as float64,float32; by default its own.")
@click.option("--profile", default="standard", show_default=True, help="quick, standard or deep.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed asks the same questions.")
@click.option("--checks", callback=listed, help="Only these checks, by id.")
@click.option("--skip", callback=listed, help="All checks but these.")
@click.option("--require", callback=listed, help="What it must claim, such as gradients.")
@click.option(
    "--known-deviations", metavar="FILE", help="Checks that it is known to fail: a TOML file, or onnxruntime."
)
@click.option("--strict", is_flag=True, help="Fail where a known deviation is stale or has expired.")
@click.option("--runtime", help="What runs an ONNX model: onnxruntime, openvino or reference.")
@click.option("--reading", callback=chosen, help="Of what the operators of ONNX leave open, such as clip=gates.")
@click.option("--isolate", is_flag=True, help="Run it in a process of its own: if that hangs or dies, it is a finding.")
@click.option("--timeout", type=float, metavar="SECONDS", help="How long one isolated call may take; by default 60.")
@click.option("--memory", type=float, metavar="GB", help="How much memory it may take when isolated; by default 8.")
@click.option(
    "--max-seconds", type=float, metavar="SECONDS", help="End then; a run that was cut short is inconclusive."
)
@click.option("--json", "json_file", metavar="FILE", help="Write the report there; - is stdout.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write it there as JUnit's XML; - is stdout.")
@click.option("--html", "html_file", metavar="FILE", help="Write it there as a page that needs nothing else.")
@sentences
def verify(
    target: str | None,
    command: str | None,
    spec: str | None,
    layout: str | None,
    like: str | None,
    accuracy: str | None,
    dtype: tuple[str, ...] | None,
    profile: str,
    seed: int,
    checks: tuple[str, ...] | None,
    skip: tuple[str, ...] | None,
    require: tuple[str, ...] | None,
    known_deviations: str | None,
    strict: bool,
    runtime: str | None,
    reading: dict[str, str] | None,
    isolate: bool,
    timeout: float | None,
    memory: float | None,
    max_seconds: float | None,
    json_file: str | None,
    junit_file: str | None,
    html_file: str | None,
) -> None:
    """Hold TARGET against the specification.

    TARGET is a built-in name (numpy, torch, torch-gru, torch-stack, …), package.module:attribute, or
    path/to/file.py:attribute: a function forward(params, x, h0, c0) -> (y, h, c), or an object with such a method. A
    file that ends in .onnx is a model, whose LSTM, GRU and RNN nodes are checked one by one in a runtime. A program in
    any language is given by --command; docs/protocol.md says what it reads and writes.

    Exit status: 0 verified, 1 a discrepancy, 2 the target could not be used, 3 inconclusive, 130 interrupted.

    \b
    Example:
      lstm-spec verify my_lstm.py:forward --dtype float32
      lstm-spec verify --command "./my_lstm --fast" --max-seconds 60
    """
    from lstm_spec.report.aside import aside
    from lstm_spec.report.console import print_report
    from lstm_spec.report.models import print_model
    from lstm_spec.targets.command import Command
    from lstm_spec.verify.models import verify_model
    from lstm_spec.verify.options import Options
    from lstm_spec.verify.run import verified

    if (target is None) == (command is None):
        raise click.UsageError("give either TARGET or --command")
    places = {"--json": json_file, "--junit": junit_file, "--html": html_file}
    for place in places.values():
        check_place(place)
    if len(out := [name for name, place in places.items() if place == "-"]) > 1:
        raise click.UsageError(f"{' and '.join(out)} cannot both go to stdout: give one of them a file")
    asked: dict[str, Any] = {
        "accuracy": accuracy,
        "dtypes": dtype,
        "profile": profile,
        "seed": seed,
        "checks": checks,
        "skip": skip or (),
        "require": require or (),
        "known_deviations": known_deviations,
        "strict": strict,
        "isolate": isolate,
        "timeout": timeout,
        "memory": memory,
        "max_seconds": max_seconds,
    }
    interface: dict[str, Any] = {"spec": spec, "layout": layout, "like": like}
    if target is not None and target.endswith(".onnx"):
        if given := [name for name, value in interface.items() if value is not None]:
            raise click.UsageError(f"{target} is a model, whose nodes say what they are: leave --{given[0]} out")
        with progress_bar() as progress, aside():
            model = verify_model(target, runtime=runtime or "onnxruntime", readings=reading, progress=progress, **asked)
        sys.exit(_put_out(model, print_model, places))
    if runtime is not None or reading is not None:
        raise click.UsageError("--runtime and --reading are for a model, a file that ends in .onnx")
    # Whatever a target prints must not get between the lines of the report.
    with progress_bar() as progress, aside():
        report = verified(
            target if command is None else Command(command), Options(**interface, **asked, progress=progress)
        )
    sys.exit(_put_out(report, print_report, places))


def _put_out(report: Any, show: Callable[..., None], places: Mapping[str, str | None]) -> int:
    """Print a report where stdout is free, write it in the forms that were named, and return its exit status."""
    from lstm_spec.report.console import terminal
    from lstm_spec.report.junit import junit

    for warning in report.warnings:
        click.echo(f"lstm-spec: warning: {warning}", err=True)
    if "-" not in places.values():
        with writing("the output"):
            show(report, terminal())
    write_json(report.to_dict(), places["--json"])
    if places["--junit"] is not None:
        write_text(junit(report), places["--junit"])
    if places["--html"] is not None:
        from lstm_spec.report.html import html

        write_text(html(report), places["--html"])
    return int(report.exit_status)


@click.command()
@click.argument("check", required=False)
@click.option("--spec", default="lstm", show_default=True, help="The cell, a name or file.py:cell.")
@click.option("--list", "listing", is_flag=True, help="List the checks, a line each.")
@click.option("--json", "json_file", metavar="FILE", help="Write it as JSON; - is stdout.")
@sentences
def explain(check: str | None, spec: str, listing: bool, json_file: str | None) -> None:
    """Say what CHECK asks: its clause of the specification, the equations, what it needs and catches.

    \b
    Example:
      lstm-spec explain gradient_step --spec gru
    """
    from lstm_spec.report.clause import check_named, checks_of, clause_dict, clause_lines, list_lines

    cell = cell_named(spec)
    if listing or check is None:
        write_json({"checks": [clause_dict(c, cell) for c in checks_of(cell).values()]}, json_file)
        lines = list_lines(cell)
    else:
        found = check_named(cell, check)
        write_json(clause_dict(found, cell), json_file)
        lines = clause_lines(found, cell)
    if json_file != "-":
        click.echo("\n".join(lines))


@click.command()
@click.argument("report")
@click.option("--target", help="Whom to ask, in place of whom the report names.")
@click.option("--command", metavar="TEXT", help="A program to ask, as verify takes it; the report's own is not run.")
@click.option("--spec", help="The cell to hold it against, in place of that of the report.")
@click.option("--layout", help="How it holds parameters and states, in place of what the report says.")
@click.option("--json", "json_file", metavar="FILE", help="Write what came of it there; - is stdout.")
@sentences
def replay(
    report: str, target: str | None, command: str | None, spec: str | None, layout: str | None, json_file: str | None
) -> None:
    """Ask the counterexample of REPORT again, with the numbers that are stored in it.

    REPORT is what verify has written with --json.

    Exit status: 1 it is reproduced, 0 it is gone, 2 the report or the target cannot be used.

    \b
    Example:
      lstm-spec replay report.json --target my_lstm.py:mended
    """
    from lstm_spec.report.aside import aside
    from lstm_spec.targets.command import Command
    from lstm_spec.verify.replay import replay as again

    if target is not None and command is not None:
        raise click.UsageError("give either --target or --command")
    check_place(json_file)
    with aside():
        found = again(report, target=target if command is None else Command(command), spec=spec, layout=layout)
    write_json(found.to_dict(), json_file)
    if json_file != "-":
        status = "REPRODUCED" if found.reproduced else "GONE"
        click.echo(f"{status}  {found.target}, {found.check}: {found.message}")
    sys.exit(found.exit_status)


@click.command()
@click.argument("target", required=False)
@click.option("--folder", default=".", show_default=True, help="Where the files go.")
@sentences
def init(target: str | None, folder: str) -> None:
    """Write an adapter and a test file to start from, for TARGET or for an LSTM that is still to come.

    TARGET is package.module:attribute or path/to/file.py:attribute: a function, a module of PyTorch, or a layer as
    Keras has them. Nothing is written over.

    \b
    Example:
      lstm-spec init my_lstm.py:MyLSTM
    """
    from pathlib import Path

    from lstm_spec.report.aside import aside
    from lstm_spec.report.start import start

    with aside():
        files = start(target)
    files.write(Path(folder))
    click.echo(f"Wrote {' and '.join(files.files)}. Next:")
    click.echo(f"  1. {files.advice}")
    click.echo(f"  2. lstm-spec verify {files.target} --profile quick")
    click.echo("  3. pytest test_lstm.py")
