"""The commands for work around it."""

import sys

import click

from lstm_spec.cli.common import cell_named, check_place, listed, progress_bar, sentences, write_json


@click.command()
@click.argument("cell", default="lstm")
@click.option("--profile", default="standard", show_default=True, help="quick, standard or deep.")
@click.option("--dtype", default="float64", show_default=True, help="The format in which the faults are planted.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed asks the same questions.")
@click.option("--kind", "kinds", callback=listed, help="Only these kinds of faults, such as packing,exchange.")
@click.option("--json", "json_file", metavar="FILE", help="Write the score there; - is stdout.")
@sentences
def selftest(
    cell: str, profile: str, dtype: str, seed: int, kinds: tuple[str, ...] | None, json_file: str | None
) -> None:
    """Test the tester: plant faults in CELL and count those that are found.

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

    check_place(json_file)
    faults = planted(program := cell_named(cell), dtype)
    known = list(dict.fromkeys(fault.kind for fault in faults))
    for kind in kinds or ():
        check_known("kind", kind, known)
    chosen = [fault for fault in faults if kinds is None or fault.kind in kinds]
    kills = []
    interrupted = False
    try:
        with progress_bar() as progress:
            for kill in selftest(program, profile=profile, dtype=dtype, seed=seed, faults=chosen):
                kills.append(kill)
                if progress is not None:
                    progress(len(kills), len(chosen), kill.fault.id)
    except KeyboardInterrupt:
        interrupted = True
    score = Score(program.name, profile, dtype, tuple(kills))
    write_json({**score.to_dict(), "interrupted": interrupted}, json_file)
    if json_file != "-":
        click.echo("\n".join(score_lines(score)))
    sys.exit(130 if interrupted else int(bool(score.alive)))


@click.command()
@click.option("--json", "json_file", metavar="FILE", help="Write it there; - is stdout.")
@sentences
def doctor(json_file: str | None) -> None:
    """Say what is installed, and what is missing for which command, with the line that gets it.

    Only the core is needed by every command; the rest are extras. Nothing is imported to look.

    Exit status: 0 the core is complete, 1 something of it is missing or too old.

    \b
    Example:
      lstm-spec doctor
    """
    from lstm_spec.report.doctor import doctor_dict, doctor_lines
    from lstm_spec.targets.installed import CORE, parts

    found = parts()
    write_json(doctor_dict(found), json_file)
    if json_file != "-":
        click.echo("\n".join(doctor_lines(found)))
    sys.exit(int(any(part.name == CORE and part.status != "ok" for part in found)))
