"""What the commands share: options, errors as sentences, files, and progress."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click


def speak_utf8() -> None:
    """Write UTF-8 where the letters of the formulas have no place, as in a pipe on Windows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and not _speaks("δ∘Σ→", stream.encoding):
            stream.reconfigure(encoding="utf-8")


def _speaks(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def sentences(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what a user can mend into one sentence on stderr and exit status 2, and so a fault of this package itself.

    A traceback would end with status 1, which says that a target is wrong; it goes into a file.
    """

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if isinstance(error, ValueError) and type(error).__module__.startswith("lstm_spec."):
                click.echo(f"lstm-spec: {error}", err=True)
            else:
                click.echo(f"lstm-spec: {_unexpected(error)}", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("lstm-spec: interrupted", err=True)
            sys.exit(130)

    return guarded


def _unexpected(error: Exception) -> str:
    """Return a sentence for what nobody foresaw, with the file that says where it was."""
    from tempfile import NamedTemporaryFile
    from traceback import format_exception

    said = " ".join(str(error).split())
    sentence = f"unexpected {type(error).__name__}{f': {said}' if said else ''}, a fault of lstm-spec and no verdict"
    with suppress(OSError), NamedTemporaryFile(prefix="lstm-spec-", suffix=".txt", delete=False) as file:
        file.write("".join(format_exception(error)).encode())
        return f"{sentence}; please report it with {file.name}"
    return sentence


def cell_named(name: str) -> Any:
    """Return the cell that a user names; a file of theirs may print."""
    from lstm_spec.report.aside import aside
    from lstm_spec.targets.cells import find_cell

    with aside():
        return find_cell(name)


def spec_named(name: str) -> Any:
    """Return the cell or the network that a user names."""
    from lstm_spec.report.aside import aside
    from lstm_spec.targets.cells import find_spec

    with aside():
        return find_spec(name)


def with_sizes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options -n, -m and -q."""
    for name, meaning in (("q", "projection size"), ("m", "hidden size"), ("n", "input size")):
        function = click.option(f"-{name}", type=click.IntRange(min=1), help=meaning.capitalize() + ".")(function)
    return function


def listed(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Read an option that takes several names, with commas between them."""
    if value is None:
        return None
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    if not names:
        raise click.BadParameter("it names nothing: give names with commas between them", ctx, parameter)
    return names


def chosen(ctx: click.Context, parameter: click.Parameter, value: str | None) -> dict[str, str] | None:
    """Read an option that takes answers to several questions, name=answer with commas between them."""
    pairs = listed(ctx, parameter, value)
    if pairs is None:
        return None
    # An answer may have a = of its own: coupling=i=1-f.
    answers = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(answers.values()):
        raise click.BadParameter("it is name=answer, with commas between several", ctx, parameter)
    return answers


def write_json(value: Mapping[str, Any], place: str | None) -> None:
    """Write a value as JSON, to stdout for "-"; nothing where no place is given."""
    if place is not None:
        write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", place)


def check_place(place: str | None) -> None:
    """Refuse a place where nothing can be written before a long run rather than after it."""
    if place is not None and not Path(place).absolute().parent.is_dir():
        click.echo(f"lstm-spec: cannot write {place}: there is no folder {Path(place).parent}", err=True)
        sys.exit(2)
    if place is not None and Path(place).is_dir():
        click.echo(f"lstm-spec: cannot write {place}: it is a folder", err=True)
        sys.exit(2)


def check_folder(place: str | None) -> None:
    """Make a folder to write into before a long run; one sentence and exit status 2 where there can be none."""
    if place is None:
        return
    folder = Path(place)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        files = [f"{path} is a file, expected a folder" for path in (folder, *folder.parents) if path.is_file()]
        why = files[0] if files else error.strerror
        click.echo(f"lstm-spec: cannot write into {place}: {why}", err=True)
        sys.exit(2)


def write_text(text: str, place: str | None) -> None:
    """Write a text to a file, or to stdout for "-" and where no place is given."""
    if place is None or place == "-":
        with writing("the output"):
            click.echo(text, nl=False)
        return
    with writing(place):
        Path(place).write_text(text, encoding="utf-8")


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Turn a full disk or a place that cannot be written into one sentence and exit status 2."""
    try:
        yield
        # There is none where a caller has closed it.
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads any more; the exit status is still for somebody to see.
        _write_nowhere()
    except OSError as error:
        click.echo(f"lstm-spec: cannot write {place}: {error.strerror}", err=True)
        _write_nowhere()
        sys.exit(2)


def _write_nowhere() -> None:
    """Give up stdout: what could not be written would be tried again, and complained of, when the interpreter ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int | None, str], None] | None]:
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
