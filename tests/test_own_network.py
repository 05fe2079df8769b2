"""The how-to for a network, run as it is printed."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "your-own-network.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
*PYTHON, TARGET = (body for kind, body in BLOCKS if kind == "python")
PRINTED = [body for kind, body in BLOCKS if kind == "text"]
(VERIFY,) = (body.removeprefix("$ lstm-spec ").split() for kind, body in BLOCKS if kind == "console")


def test_what_it_prints_is_what_is_printed(capsys):
    names = {}
    for code, printed in zip(PYTHON, PRINTED, strict=True):
        exec(code, names)
        assert capsys.readouterr().out == printed


@pytest.mark.parametrize(("given", "verdict"), [("final += states", "VERIFIED"), ("final += states[::-1]", "DISCREP")])
def test_its_target_is_verified(tmp_path, monkeypatch, given, verdict):
    pytest.importorskip("torch")
    (tmp_path / "stack.py").write_text(TARGET.replace("final += states", given), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    verified = CliRunner().invoke(main, [*VERIFY, "--checks", "signature,step"])
    assert verdict in verified.output
