"""The commands, and nothing but: each reads its options, calls one function of the package, and prints."""

import click

from lstm_spec.cli.around import doctor, selftest
from lstm_spec.cli.campaign import campaign
from lstm_spec.cli.common import speak_utf8
from lstm_spec.cli.conformance import conformance
from lstm_spec.cli.conversion import convert
from lstm_spec.cli.diagnosis import diagnose, identify
from lstm_spec.cli.mathematics import derive, draw, prove, show
from lstm_spec.cli.vectors import vectors
from lstm_spec.cli.verification import explain, init, replay, verify

GROUPS = {
    "Somebody's LSTM": (verify, diagnose, identify, replay, explain, init),
    "The mathematics": (show, derive, prove, draw),
    "Work around it": (convert, vectors, campaign, conformance, selftest, doctor),
}


class Grouped(click.Group):
    """A group of commands whose help lists them by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings."""
        for heading, commands in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(str(c.name), c.get_short_help_str(80)) for c in commands])


@click.group(cls=Grouped, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lstm_spec", prog_name="lstm-spec")
def main() -> None:
    """Check, derive, print and draw LSTMs from one symbolic specification."""
    speak_utf8()


for _commands in GROUPS.values():
    for _command in _commands:
        main.add_command(_command)
