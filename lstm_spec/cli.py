"""The commands, and nothing but: each reads its options, calls one function of the package, and prints."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Somebody's LSTM": ("verify",),
    "The mathematics": ("show", "derive", "prove", "draw"),
    "Work around it": ("selftest",),
}


class Grouped(click.Group):
    """A group of commands whose help lists them by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings."""
        for heading, names in GROUPS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(heading):
                formatter.write_dl([(name, c.get_short_help_str(80)) for name, c in commands if c is not None])


@click.group(cls=Grouped, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lstm_spec", prog_name="lstm-spec")
def main() -> None:
    """Check, derive, print and draw LSTMs from one symbolic specification."""


def _sentences(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what a user can mend into one sentence on stderr and exit status 2."""

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ValueError as error:
            if not type(error).__module__.startswith("lstm_spec."):
                raise
            click.echo(f"lstm-spec: {error}", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("lstm-spec: interrupted", err=True)
            sys.exit(130)

    return guarded


def _cell(name: str) -> Any:
    """Return the cell that a user names; a file of theirs may print."""
    from lstm_spec.report.aside import aside
    from lstm_spec.targets.cells import find_cell

    with aside():
        return find_cell(name)


def _numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    for name, meaning in (("q", "projection size"), ("m", "hidden size"), ("n", "input size")):
        function = click.option(f"-{name}", type=click.IntRange(min=1), help=meaning.capitalize() + ".")(function)
    return function


def _names(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(part.strip() for part in value.split(",") if part.strip())


@main.command()
@click.argument("target")
@click.option("--spec", help="The cell to hold it against, a name or file.py:cell; by default what it claims, or lstm.")
@click.option("--layout", help="How it holds parameters and states: a name such as pytorch, or FILE.toml.")
@click.option("--dtype", callback=_names, help="Formats to check, such as float64,float32; by default its own.")
@click.option("--profile", default="standard", show_default=True, help="quick, standard or deep.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed asks the same questions.")
@click.option("--checks", callback=_names, help="Only these checks, by id.")
@click.option("--skip", callback=_names, help="All checks but these.")
@click.option("--require", callback=_names, help="What it must claim, such as gradients.")
@click.option("--json", "json_file", metavar="FILE", help="Write the report there; - is stdout.")
@_sentences
def verify(
    target: str,
    spec: str | None,
    layout: str | None,
    dtype: tuple[str, ...] | None,
    profile: str,
    seed: int,
    checks: tuple[str, ...] | None,
    skip: tuple[str, ...] | None,
    require: tuple[str, ...] | None,
    json_file: str | None,
) -> None:
    """Hold TARGET against the specification.

    TARGET is a built-in name (numpy, torch, torch-gru, torch-stack, …), package.module:attribute, or
    path/to/file.py:attribute: a function forward(params, x, h0, c0) -> (y, h, c), or an object with such a method.

    Exit status: 0 verified, 1 a discrepancy, 2 the target could not be used, 3 inconclusive, 130 interrupted.

    \b
    Example:
      lstm-spec verify my_lstm.py:forward --dtype float32
    """
    from lstm_spec.report.aside import aside
    from lstm_spec.report.console import print_report, terminal
    from lstm_spec.verify.run import verify as run

    _check_place(json_file)
    # Whatever a target prints must not get between the lines of the report.
    with _progress() as progress, aside():
        report = run(
            target,
            spec=spec,
            layout=layout,
            dtypes=dtype,
            profile=profile,
            seed=seed,
            checks=checks,
            skip=skip or (),
            require=require or (),
            progress=progress,
        )
    if json_file != "-":
        with _writing("the output"):
            print_report(report, terminal())
    _write_json(report.to_dict(), json_file)
    sys.exit(report.exit_status)


@main.command()
@click.argument("cell", required=False)
@_numbers
@click.option("--list", "listing", is_flag=True, help="List the catalogue, a line each.")
@click.option("--format", "form", type=click.Choice(["text", "markdown"]), default="text", show_default=True)
@click.option("--notation", default="design", show_default=True, help="Whose symbols: a name, or FILE.toml.")
@click.option("--layers", type=click.IntRange(min=1), help="A network of so many layers, in place of one cell.")
@click.option("--bidirectional", is_flag=True, help="A network whose layers run in both directions.")
@click.option("--json", "json_file", metavar="FILE", help="Write it as JSON; - is stdout.")
@_sentences
def show(
    cell: str | None,
    n: int | None,
    m: int | None,
    q: int | None,
    listing: bool,
    form: str,
    notation: str,
    layers: int | None,
    bidirectional: bool,
    json_file: str | None,
) -> None:
    """Show CELL: its equations, every dimension, its parameters, and what one unit reads.

    CELL is a name of the catalogue or file.py:cell. With --layers or --bidirectional, a network of it: the output shape
    and the parameters of every layer.

    \b
    Example:
      lstm-spec show lstm -n 32 -m 70
    """
    from lstm_spec.report.show import (
        catalogue_lines,
        network_dict,
        network_markdown,
        network_text,
        show_dict,
        show_markdown,
        show_text,
    )
    from lstm_spec.spec.layers import layers as make_layers

    if listing or cell is None:
        click.echo("\n".join(catalogue_lines()))
        return
    program = _cell(cell)
    sizes = {name: value for name, value in (("n", n), ("m", m), ("q", q)) if value is not None}
    if layers is not None or bidirectional:
        network = make_layers(program, count=layers, bidirectional=bidirectional)
        _write_json(network_dict(network, sizes), json_file)
        if json_file != "-":
            click.echo((network_text if form == "text" else network_markdown)(network, sizes), nl=False)
        return
    _write_json(show_dict(program, sizes), json_file)
    if json_file != "-":
        page = show_text if form == "text" else show_markdown
        click.echo(page(program, sizes, notation=notation), nl=False)


@main.command()
@click.argument("cell")
@click.option("--wrt", callback=_names, help="Only what leads to the gradients of these, such as W_f,b_f.")
@click.option("--format", "form", default="text", show_default=True, help="text, latex, markdown, mathml, numpy, …")
@click.option("--notation", default="design", show_default=True, help="Whose symbols: a name, or FILE.toml.")
@click.option("--level", default="matrix", show_default=True, help="matrix, or unit for scalar equations with sums.")
@click.option("--forward", is_flag=True, help="The equations of the cell itself, in place of its backward pass.")
@click.option("--jacobian", metavar="OF,WRT", callback=_names, help="One-step Jacobian, such as c,c_prev.")
@click.option("--through-time", is_flag=True, help="As a recurrence over steps, with its ends.")
@click.option("--window", type=int, help="Truncate backpropagation through time to blocks of this many steps.")
@click.option("-o", "--output", metavar="FILE", help="Write it there, in place of stdout.")
@_sentences
def derive(
    cell: str,
    wrt: tuple[str, ...] | None,
    form: str,
    notation: str,
    level: str,
    forward: bool,
    jacobian: tuple[str, ...] | None,
    through_time: bool,
    window: int | None,
    output: str | None,
) -> None:
    """Derive the formulas of CELL and print them.

    By default these are the adjoints of one step: δv is ∂loss/∂v, ⁺ marks what arrives from the step after, and the
    gradients of parameters are summed over rows and steps.

    \b
    Example:
      lstm-spec derive lstm --wrt W_f,b_f --format latex
    """
    from lstm_spec.report.derive import derived_text

    text = derived_text(
        _cell(cell),
        wrt=wrt,
        form=form,
        notation=notation,
        level=level,
        forward=forward,
        jacobian=jacobian,
        through_time=through_time or window is not None,
        window=window,
    )
    _write_text(text, output)


@main.command()
@click.argument("cell", required=False)
@click.option("--only", callback=_names, help="Only these formulas, such as dW_f,dh_prev.")
@click.option("--theorems", is_flag=True, help="Prove what holds between cells: CIFG, two biases, symmetries, counts.")
@click.option("--json", "json_file", metavar="FILE", help="Write the proofs there; - is stdout.")
@_sentences
def prove(cell: str | None, only: tuple[str, ...] | None, theorems: bool, json_file: str | None) -> None:
    """Prove the gradient formulas of CELL for all sizes, a line each.

    Each formula is written out at an element and compared with SymPy's derivative of the definition by sums.

    Exit status: 0 all proved, 1 one refuted, 3 one undecided, 130 interrupted.

    \b
    Example:
      lstm-spec prove lstm --only dW_f
    """
    from lstm_spec.report.proofs import proof_dict, proof_line, proofs_of, status_of

    if cell is None and not theorems:
        raise click.UsageError("name a CELL, or ask for --theorems")
    if theorems and (cell is not None or only is not None):
        raise click.UsageError("--theorems are between cells, each of its own: name no CELL and no --only with them")
    found = []
    interrupted = False
    total, statements = proofs_of(None if cell is None else _cell(cell), only)
    try:
        with _progress() as progress:
            for proof in statements:
                found.append(proof)
                if json_file != "-":
                    click.echo(proof_line(proof))
                if progress is not None:
                    progress(len(found), total, proof.name)
    except KeyboardInterrupt:
        interrupted = True
    _write_json({"cell": cell, "proofs": [proof_dict(p) for p in found], "interrupted": interrupted}, json_file)
    sys.exit(130 if interrupted else status_of(found))


@main.command()
@click.argument("view", required=False)
@click.argument("cell", required=False, default="lstm")
@_numbers
@click.option("-o", "--output", metavar="FILE", help="Where to; the suffix says how: svg, gv, png, pdf, tex.")
@click.option("--all", "gallery", metavar="DIR", help="Write the whole gallery into a folder.")
@click.option("--theme", default="auto", show_default=True, help="auto, light or dark.")
@click.option("--notation", default="design", show_default=True, help="Whose symbols: a name, or FILE.toml.")
@click.option("--highlight", callback=_names, help="Equations or values to mark, such as f,W_f.")
@click.option("--steps", type=int, help="Steps of an unrolled layer; T of them without it.")
@click.option("--layers", type=int, default=2, show_default=True, help="Layers of a stack.")
@click.option("--unpinned", is_flag=True, help="DOT without positions, for Graphviz to lay out again.")
@_sentences
def draw(
    view: str | None,
    cell: str,
    n: int | None,
    m: int | None,
    q: int | None,
    output: str | None,
    gallery: str | None,
    theme: str,
    notation: str,
    highlight: tuple[str, ...] | None,
    steps: int | None,
    layers: int,
    unpinned: bool,
) -> None:
    """Draw CELL from its equations.

    VIEW is cell, unit, network, unrolled, stacked, bidirectional, backward or dimensions. Without -o the picture goes
    to stdout as SVG.

    \b
    Example:
      lstm-spec draw cell peephole -n 32 -m 70 -o cell.svg
    """
    from lstm_spec.draw.gallery import gallery as write_gallery
    from lstm_spec.draw.picture import draw as make

    if gallery is not None:
        for path in write_gallery(gallery):
            click.echo(str(path))
        return
    if view is None:
        raise click.UsageError("name a VIEW such as cell, or a folder with --all")
    picture = make(
        view,
        _cell(cell),
        theme=theme,  # type: ignore[arg-type]
        notation=notation,
        highlight=highlight or (),
        steps=steps,
        layers=layers,
        n=n,
        m=m,
        q=q,
    )
    if output is None or output == "-":
        click.echo(picture.svg(), nl=False)
    else:
        picture.save(output, pinned=not unpinned)


@main.command()
@click.argument("cell", default="lstm")
@click.option("--profile", default="standard", show_default=True, help="quick, standard or deep.")
@click.option("--dtype", default="float64", show_default=True, help="The format in which the faults are planted.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed asks the same questions.")
@click.option("--kind", "kinds", callback=_names, help="Only these kinds of faults, such as packing,exchange.")
@click.option("--json", "json_file", metavar="FILE", help="Write the score there; - is stdout.")
@_sentences
def selftest(
    cell: str, profile: str, dtype: str, seed: int, kinds: tuple[str, ...] | None, json_file: str | None
) -> None:
    """Test the tester: plant every fault of the catalogue in CELL and count those that are found.

    The faults are made from the equations of the cell and of its backward pass, and from what goes wrong around them:
    packing, time, states, rows, precision. Equations that only look otherwise are left out.

    Exit status: 0 all found, 1 one lives, 130 interrupted.

    \b
    Example:
      lstm-spec selftest lstm --profile quick --kind packing
    """
    from lstm_spec.report.selftest import score_lines
    from lstm_spec.verify.fit import check_known
    from lstm_spec.verify.selftest import Score, planted, selftest

    faults = planted(program := _cell(cell), dtype)
    known = list(dict.fromkeys(fault.kind for fault in faults))
    for kind in kinds or ():
        check_known("kind", kind, known)
    chosen = [fault for fault in faults if kinds is None or fault.kind in kinds]
    kills = []
    interrupted = False
    try:
        with _progress() as progress:
            for kill in selftest(program, profile=profile, dtype=dtype, seed=seed, faults=chosen):
                kills.append(kill)
                if progress is not None:
                    progress(len(kills), len(chosen), kill.fault.id)
    except KeyboardInterrupt:
        interrupted = True
    score = Score(program.name, profile, dtype, tuple(kills))
    _write_json({**score.to_dict(), "interrupted": interrupted}, json_file)
    if json_file != "-":
        click.echo("\n".join(score_lines(score)))
    sys.exit(130 if interrupted else int(bool(score.alive)))


def _write_json(value: Mapping[str, Any], place: str | None) -> None:
    if place is not None:
        _write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", place)


def _check_place(place: str | None) -> None:
    """Refuse a place where nothing can be written before a long run rather than after it."""
    if place is not None and not Path(place).absolute().parent.is_dir():
        click.echo(f"lstm-spec: cannot write {place}: there is no folder {Path(place).parent}", err=True)
        sys.exit(2)


def _write_text(text: str, place: str | None) -> None:
    if place is None or place == "-":
        with _writing("the output"):
            click.echo(text, nl=False)
        return
    with _writing(place):
        Path(place).write_text(text, encoding="utf-8")


@contextmanager
def _writing(place: str) -> Iterator[None]:
    """Turn a full disk or a place that cannot be written into one sentence and exit status 2."""
    try:
        yield
    except BrokenPipeError:
        # Nobody reads any more, which click knows how to end.
        raise
    except OSError as error:
        click.echo(f"lstm-spec: cannot write {place}: {error.strerror}", err=True)
        sys.exit(2)


@contextmanager
def _progress() -> Iterator[Callable[[int, int | None, str], None] | None]:
    """Show a bar on stderr while something long runs, where somebody can see it."""
    # There is none where a caller has closed it.
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, what: bar.update(task, completed=done, total=total, description=what)
