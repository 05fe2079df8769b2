"""The how-to for pictures: its commands write what they say, and it tells of every view and format."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main
from lstm_spec.draw.picture import VIEWS
from lstm_spec.draw.render import FORMATS

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "pictures.md").read_text(encoding="utf-8")
WRITING, REFUSED = re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = re.findall(r"\$ lstm-spec (.*)\n", WRITING)


def run(command):
    return CliRunner().invoke(main, shlex.split(command))


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_write_pictures(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my_cell.py").write_text("from lstm_spec import lstm\n\ncell = lstm(peepholes='o')\n", encoding="utf-8")
    result = run(command)
    (name,) = re.findall(r"-o (\S+)", command)
    if result.exit_code and name.endswith(FORMATS) and "needs Graphviz" in result.output:
        pytest.skip("no Graphviz here")
    assert result.exit_code == 0, result.output
    assert Path(name).stat().st_size > 1000


def test_what_is_refused_says_so():
    command, said = REFUSED.removeprefix("$ lstm-spec ").split("\n", 1)
    result = run(command)
    assert result.exit_code == 2
    assert result.stderr == said


def test_page_tells_every_view_and_format():
    assert set(re.findall(r"`(\w+)`", PAGE.partition("| view |")[2].partition("\n\n")[0])) == set(VIEWS)
    for suffix in ("svg", "gv", "tex", *FORMATS):
        assert f"`.{suffix}`" in PAGE
