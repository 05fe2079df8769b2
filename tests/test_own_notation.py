"""The how-to for a notation of one's own: its file, read as it is printed, gives what is printed under it."""

import re
from pathlib import Path

from click.testing import CliRunner

from lstm_spec.cli import main
from lstm_spec.spec.notations import NOTATIONS, notation

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "your-own-notation.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL))


def test_the_file_gives_the_formulas(tmp_path, monkeypatch):
    (tmp_path / "paper.toml").write_text(BLOCKS["toml"], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    arguments = BLOCKS["console"].removeprefix("$ lstm-spec ").split()
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == BLOCKS["text"]
    assert notation("paper.toml").symbols["f"] == r"\phi"


def test_the_page_tells_every_key_and_every_base():
    for key in ("base", "product", "matmul", "separator", "time", "[symbols]", "[gates]"):
        assert f"\n- `{key}`: " in PAGE
    for name in NOTATIONS:
        assert f'`"{name}"`' in PAGE
