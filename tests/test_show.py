"""The page of a cell says what the textbooks say, number for number."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main
from lstm_spec.report.show import catalogue_lines, count_formula, layer_sentences, show_dict, show_markdown, show_text
from lstm_spec.spec.catalogue import CATALOGUE, cell, cells
from lstm_spec.spec.cells import OptionError, lstm
from lstm_spec.spec.table import dimension_table
from tests.tables import plain_rnn, sizes_of

SIZES = {"n": 32, "m": 70}
KERNELS, BIASES = ("W_f", "W_i", "W_c", "W_o"), ("b_f", "b_i", "b_c", "b_o")


def shown(*arguments):
    """Return what ``lstm-spec show`` prints."""
    result = CliRunner().invoke(main, ["show", *arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def rows_of(page):
    """Return the rows of the table of dimensions of a text page, by symbol."""
    table = page.split("entries\n")[1].split("\n\n")[0]
    return {cells[0]: cells[1:] for cells in (re.split(r"\s{2,}", line.strip()) for line in table.splitlines())}


def test_the_first_source_text_number_for_number():
    """Input 32, 70 units: the concatenation has 102 entries, each matrix is 70×102, each bias 70, 28,840 in all."""
    page = shown("lstm", "-n", "32", "-m", "70")
    table = rows_of(page)
    assert table["x"] == ["input", "n", "32", "32"]
    assert table["z"] == ["value", "n+m", "102", "102"]
    for name in KERNELS:
        assert table[name] == ["parameter", "m×(n+m)", "70×102", "7,140"]
    for name in BIASES:
        assert table[name] == ["parameter", "m", "70", "70"]
    for name in ("h'", "c'"):
        assert table[name] == ["previous state", "m", "70", "70"]
    for name in ("c", "h"):
        assert table[name] == ["state", "m", "70", "70"]
    for name in ("f", "i", "o"):
        assert table[name] == ["value", "m", "70", "70"]
    assert "Parameters: 4m(n+m+1) = 28,840\n" in page


def test_the_second_source_text_symbol_for_symbol():
    """The four matrices are m×(n+m), the biases have m entries, whatever the numbers are."""
    page = shown("lstm")
    table = rows_of(page)
    assert {name: cells[1] for name, cells in table.items() if cells[0] == "parameter"} == {
        **dict.fromkeys(KERNELS, "m×(n+m)"),
        **dict.fromkeys(BIASES, "m"),
    }
    assert "Parameters: 4m(n+m+1)\n" in page
    for equation in (
        "z = [x; h']",
        "f = σ(a_f)",
        "a_f = W_f z + b_f",
        "c = f∘c' + i∘c̃",
        "c̃ = tanh(a_c)",
        "h = o∘tanh(c)",
    ):
        assert f"\n  {equation}\n" in page


def test_neuron_or_layer_is_answered_by_the_page():
    page = shown("lstm", "-n", "32", "-m", "70")
    assert page.endswith(
        "A neuron or a layer? A layer: every line of the picture carries a whole vector, x 32, h' 70, c' 70, h 70,"
        " c 70.\n"
        "Unit k of it reads all 32 entries of x, all 70 entries of h' and only its own entry of c'.\n"
        "So a lone unit cannot be unrolled over time: its next step needs h' of all units.\n"
    )
    assert "  c_k = f_k c_k' + i_k c̃_k\n" in page


def test_a_cell_of_independent_units_is_said_to_be_one():
    diagonal = plain_rnn(diagonal=True)
    *_, last = layer_sentences(diagonal, dimension_table(diagonal))
    assert last == "So a lone unit can be unrolled over time: it needs no other unit's state."
    *_, last = layer_sentences(plain_rnn(), dimension_table(plain_rnn()))
    assert last == "So a lone unit cannot be unrolled over time: its next step needs h' of all units."


def test_one_size_alone_leaves_the_rest_symbolic():
    page = shown("lstm", "-n", "32")
    assert rows_of(page)["x"] == ["input", "n", "32", "32"]
    assert rows_of(page)["W_f"] == ["parameter", "m×(n+m)", "m(m+32)"]
    assert "Parameters: 4m(n+m+1)\n" in page


def test_markdown_has_the_same_table():
    page = shown("lstm", "-n", "32", "-m", "70", "--format", "markdown")
    assert page == show_markdown(cell("lstm"), SIZES)
    assert page.startswith("# lstm\n\nHochreiter & Schmidhuber 1997")
    for row in dimension_table(cell("lstm"), **SIZES):
        assert f"| {' | '.join(row.cells[1:])} |\n" in page
    assert "| $c_{t-1}$ | previous state | m | 70 | 70 |" in page
    assert "its next step needs $h_{t-1}$ of all units" in page
    assert r"c_t &= f_t\circ c_{t-1} + i_t\circ \tilde{c}_t" in page
    assert "Parameters: 4m(n+m+1) = 28,840" in page
    assert page.count("$$") == 4


def test_json_has_the_numbers():
    page = json.loads(shown("lstm", "-n", "32", "-m", "70", "--json", "-"))
    by_name = {row["name"]: row for row in page["dimensions"]}
    assert page["cell"] == "lstm"
    assert page["sizes"] == SIZES
    assert page["parameters"] == {"formula": "4m(n+m+1)", "count": 28_840}
    assert by_name["z"]["actual"] == [102, 1]
    for name in KERNELS:
        assert (by_name[name]["shape"], by_name[name]["actual"], by_name[name]["entries"]) == (
            ["m", "n+m"],
            [70, 102],
            7140,
        )
    for name in BIASES:
        assert (by_name[name]["shape"], by_name[name]["actual"]) == (["m", "1"], [70, 1])
    assert page["unit_reads"] == {"x": "all", "h_prev": "all", "c_prev": "own"}
    assert page["equations"][0] == "z = [x; h']"


def test_a_page_has_one_notation():
    page = shown("lstm", "--notation", "greff", "-n", "32", "-m", "70")
    assert "Equations of one step, for whole layer vectors\n" in page
    assert rows_of(page)["y^{t−1}"] == ["previous state", "m", "70", "70"]
    assert rows_of(page)["W_z"][0] == "parameter"
    assert "Unit k of it reads all 32 entries of x^t, all 70 entries of y^{t−1} and" in page
    assert "'" not in page
    assert "'" in shown("lstm").split("\n", 3)[2]
    refused = CliRunner().invoke(main, ["show", "lstm", "--layers", "2", "--notation", "greff"])
    assert refused.exit_code == 2
    assert "a network is shown in the design's notation" in refused.stderr


def test_the_shapes_of_a_network_have_their_brackets():
    assert "l0.W_f     m×(n+m)\n" in shown("lstm", "--layers", "2")
    assert "l0.W_f     70×(q+32)\n" in shown("lstmp", "--layers", "2", "-n", "32", "-m", "70")


def test_the_parameters_of_the_layers_add_up_in_json():
    page = json.loads(shown("lstm", "--layers", "2", "-n", "32", "-m", "70", "--json", "-"))
    assert page["parameters"] == sum(layer["parameters"] for layer in page["layers"])
    assert page["output"] == ["T", "B", 70]


def test_constants_are_told():
    assert "\nConstants: eps = 1e-05\n" in show_text(lstm(layer_norm="joint"), {})
    clipped = lstm(clip={"c": 3.0}, zoneout={"h": 0.05})
    assert "Constants: " in show_markdown(clipped, {})
    assert sorted(show_dict(clipped, {})["constants"].values()) == [0.05, 3.0]
    assert "Constants" not in show_text(lstm(), {})


def test_the_catalogue_goes_to_json():
    listed = json.loads(shown("--list", "--json", "-"))["cells"]
    assert [entry["name"] for entry in listed] == list(cells())
    assert listed[0]["parameters"] == "4m(n+m+1)"


def test_json_without_sizes_is_symbolic():
    page = show_dict(lstm(), {})
    assert page["parameters"] == {"formula": "4m(n+m+1)", "count": None}
    assert next(row for row in page["dimensions"] if row["name"] == "W_f")["actual"] is None


def test_json_goes_to_a_file_beside_the_page(tmp_path):
    place = tmp_path / "cell.json"
    page = shown("lstm", "--json", str(place))
    assert json.loads(place.read_text(encoding="utf-8"))["cell"] == "lstm"
    assert page == show_text(cell("lstm"), {})


@pytest.mark.parametrize("name", cells())
def test_every_cell_of_the_catalogue_has_a_page(name):
    program = cell(name)
    sizes = sizes_of(program, **SIZES)
    page = show_text(program, sizes)
    assert page.startswith(f"{name}: {CATALOGUE[name].source}\n")
    for definition in program:
        assert f"  {definition}\n" in page
    count = program.parameter_count(**sizes)
    assert f"Parameters: {count_formula(program)} = {count:,}\n" in page
    assert sum(row.entries for row in dimension_table(program, **sizes) if row.role == "parameter") == count


def test_the_catalogue_is_listed_with_its_counts_and_sources():
    lines = shown("--list").splitlines()
    assert lines == catalogue_lines() == shown().splitlines()
    assert lines[0].split() == ["cell", "what", "it", "is", "parameters", "source"]
    assert [line.split()[0] for line in lines[1:]] == list(cells())
    lstm_line = next(line for line in lines if line.startswith("lstm "))
    assert re.search(r"\s{2,}4m\(n\+m\+1\)\s{2,}Hochreiter & Schmidhuber 1997", lstm_line)


def test_the_variant_without_an_output_activation_is_a_cell_of_its_own():
    """The second source text ends with h as the product of o and the cell state; that is NOAF, not the LSTM."""
    readme = " ".join((Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8").split())
    assert (
        "h_t as the product of o_t and the cell state, without tanh: that is another cell, `lstm-spec show noaf`"
        in readme
    )
    assert "h = o∘c" in CATALOGUE["noaf"].line
    assert "tanh" not in str(cell("noaf")["h"])
    assert str(lstm()["h"]) == "h = o∘tanh(c)"


def test_a_cell_that_does_not_exist_is_named_with_the_closest():
    with pytest.raises(OptionError, match=r'there is no cell "peephol"; did you mean peephole\?'):
        cell("peephol")
    with pytest.raises(OptionError, match='there is no cell "zzz"; there are lstm, np, peephole,'):
        cell("zzz")


def test_more_layers_than_anybody_reads_are_refused():
    refused = CliRunner().invoke(main, ["show", "lstm", "-n", "32", "-m", "70", "--layers", "9999999"])
    assert refused.exit_code == 2
    assert "9999999 is not in the range 1<=x<=1000" in refused.stderr


@pytest.mark.parametrize("name", ["lstmp", "lstmp_peephole"])
def test_with_a_projection_units_of_c_and_of_h_are_told_apart(name):
    _, of_h, of_c, _ = layer_sentences(cell(name), dimension_table(cell(name)))
    assert of_h == "Unit k of h reads all n entries of x, all q entries of h' and all m entries of c'."
    assert of_c == "Unit k of c reads all n entries of x, all q entries of h' and only its own entry of c'."
