"""``python -m lstm_spec`` is ``lstm-spec``."""

from lstm_spec.cli import main

main(prog_name="lstm-spec")
