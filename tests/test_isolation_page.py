"""The how-to for targets that crash, run as it is printed."""

import re
from pathlib import Path

from click.testing import CliRunner

from lstm_spec.cli import main
from tests.test_readme import without_rounding

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "isolation.md").read_text(encoding="utf-8")
TARGET, COMMAND, OUTPUT = re.findall(r"```\w+\n(.*?)```", PAGE, flags=re.DOTALL)


def test_what_is_printed_comes_out(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(TARGET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    result = CliRunner().invoke(main, COMMAND.removeprefix("$ lstm-spec ").split())
    assert result.exit_code == 1
    # Python that shows it comes last, and is no news here.
    shown = result.stdout.partition("\nPython that shows it\n")[0] + "\n"
    assert without_rounding(shown) == without_rounding(OUTPUT)
