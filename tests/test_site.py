"""The pages of the site that are made from the code."""

import sys
from pathlib import Path

import pytest

import lstm_spec as ls
from lstm_spec.cli import GROUPS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def pages():
    sys.path.insert(0, str(ROOT / "docs" / "generate"))
    try:
        import mathematics
        import reference

        yield mathematics, reference
    finally:
        sys.path.remove(str(ROOT / "docs" / "generate"))
        for name in ("mathematics", "reference"):
            sys.modules.pop(name, None)


def test_every_public_name_is_described(pages):
    text = pages[1].python()
    assert [name for name in ls.__all__ if f"\n### {name}\n" not in text] == []
    assert "def verify(\n" in text
    assert "#### Program.dimensions" in text


def test_every_command_is_described_as_its_help_says(pages):
    text = pages[1].commands()
    for command in (command for group in GROUPS.values() for command in group):
        assert f"\n### {command.name}\n" in text
        assert f"Usage: lstm-spec {command.name}" in text
    assert "### vectors check" in text


def test_a_docstring_keeps_its_code_and_loses_no_star(pages):
    said = pages[1].prose("Take ``f(*x)``, *states and a_[0].\n\n>>> 1 + 1\n2")
    assert said == "Take `f(*x)`, \\*states and a\\_\\[0\\].\n\n```pycon\n>>> 1 + 1\n2\n```"


def test_a_page_of_a_cell_has_its_picture_its_parameters_and_its_proofs(pages):
    cell = ls.cell("minlstm")
    text = pages[0].cell_page(cell, prove=True)
    assert "../diagrams/cell_minlstm.svg" in text
    assert all(f"| {name} | parameter |" in text for name in cell.dimensions(n=2, m=3))
    assert text.count("| proved |") == len(ls.prove(cell))


def test_every_cell_has_a_picture_for_its_page():
    assert [name for name in ls.cells() if not (ROOT / "diagrams" / f"cell_{name}.svg").is_file()] == []
