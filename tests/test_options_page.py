"""The page of options: every row of it is what the cell with that option says."""

import inspect
import re
from pathlib import Path

import pytest

import lstm_spec as ls
from lstm_spec.report.show import count_formula

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "options.md").read_text(encoding="utf-8")
OPTIONS = re.findall(r"^\| `(\w+=.*?)` \| .* \| `(.*?)` \|$", PAGE, flags=re.MULTILINE)
GREFF = re.findall(r"^\| ([A-Z]+) \| `(ls\.lstm\(.*?\))` \| `(.*?)` \|$", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize(("option", "equation"), OPTIONS)
def test_an_option_gives_the_equation_beside_it(option, equation):
    assert equation in map(str, eval(f"ls.lstm({option})", {"ls": ls}))


def test_every_option_has_a_row():
    named = {option.partition("=")[0] for option, _ in OPTIONS}
    assert named == set(inspect.signature(ls.lstm).parameters) - {"name", "eps"}


@pytest.mark.parametrize(("name", "call", "count"), GREFF)
def test_the_variants_of_greff_are_changes_of_the_cell_with_peepholes(name, call, count):
    cell = eval(call, {"ls": ls})
    assert count_formula(cell) == count
    peepholes = {p.name for p in cell.parameters if p.name.startswith("p_")}
    gates = {d.name[2] for d in cell if d.name in ("a_f", "a_i", "a_o")}
    assert peepholes == ({f"p_{gate}" for gate in gates} if name != "NP" else set())
    assert {proof.status for proof in ls.prove(cell, only=["dc_prev"])} == {"proved"}


def test_all_eight_are_there():
    assert [name for name, _, _ in GREFF] == ["NIG", "NFG", "NOG", "NIAF", "NOAF", "NP", "CIFG", "FGR"]
