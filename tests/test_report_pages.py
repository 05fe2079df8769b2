"""The how-to pages about reports and known deviations, run as they are printed."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main

PAGES = Path(__file__).parent.parent / "docs" / "how-to"


def blocks(name, kind):
    return re.findall(rf"```{kind}\n(.*?)```", (PAGES / name).read_text(encoding="utf-8"), flags=re.S)


def command(text):
    return CliRunner().invoke(main, text.removeprefix("$ lstm-spec ").split())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(PAGES.parent.parent)
    return tmp_path


def test_known_deviations(folder, capsys):
    (folder / "my_lstm.py").write_text("from tests.faulty import input_changed as forward\n")
    first, second = blocks("known-deviations.md", "toml")
    (folder / "known.toml").write_text(first)
    result = command(blocks("known-deviations.md", "console")[0])
    assert result.exit_code == 0, result.output
    assert "KNOWN DEVIATION" in result.output
    (folder / "known.toml").write_text(second)
    (folder / "my_lstm.py").write_text("from tests.faulty import sigmoid_candidate as forward\n")
    assert command(blocks("known-deviations.md", "console")[0]).exit_code == 1
    (folder / "my_lstm.py").write_text("from tests.faulty import input_changed as forward\n")
    exec(blocks("known-deviations.md", "python")[0], {})
    assert capsys.readouterr().out == blocks("known-deviations.md", "text")[0]


def test_reports(folder):
    (folder / "my_lstm.py").write_text("from tests.faulty import correct as mended\nfrom tests.faulty import *\n")
    with (folder / "my_lstm.py").open("a") as file:
        file.write("forward = sigmoid_candidate\n")
    verify, explain, replay = blocks("reports.md", "console")
    assert command(verify).exit_code == 1
    assert (folder / "junit.xml").is_file()
    assert "h = (1 − u)∘h̃ + u∘h'" in command(explain).output
    assert command(replay).output == blocks("reports.md", "text")[0]
