"""Notations: what each one writes, that none writes two values alike, and files that say one."""

import unicodedata
from dataclasses import replace

import pytest
from sympy import MatPow

import lstm_spec as ls
from lstm_spec.spec.notation import parse_name, symbol_text, text
from lstm_spec.spec.notations import NOTATIONS, Notation, NotationError, notation
from lstm_spec.spec.operators import matrix
from lstm_spec.spec.symbols import GREEK, Symbol, SymbolError, parse_symbol
from lstm_spec.spec.typeset import plain
from lstm_spec.write.formulas import check_distinct, setting_of
from lstm_spec.write.latex import latex
from tests.tables import OPTIONS


def written(program, name, *only):
    return ls.write(program, notation=name, only=only or None).splitlines()


def marked(*lines):
    """Return lines with every accent as a character of its own, as they are written."""
    return [unicodedata.normalize("NFD", line) for line in lines]


# What each one writes


def test_greff_in_his_own_letters():
    assert written(ls.lstm(peepholes="fio", concat=None), "greff") == marked(
        "f̄^t = W_f x^t + R_f y^{t−1} + b_f + p_f⊙c^{t−1}",
        "f^t = σ(f̄^t)",
        "ī^t = W_i x^t + R_i y^{t−1} + b_i + p_i⊙c^{t−1}",
        "i^t = σ(ī^t)",
        "z̄^t = W_z x^t + R_z y^{t−1} + b_z",
        "z^t = tanh(z̄^t)",
        "c^t = f^t⊙c^{t−1} + i^t⊙z^t",
        "ō^t = W_o x^t + R_o y^{t−1} + b_o + p_o⊙c^t",
        "o^t = σ(ō^t)",
        "y^t = o^t⊙tanh(c^t)",
    )


def test_greff_calls_the_block_input_z_so_the_concatenation_has_another_letter():
    assert written(ls.lstm(), "greff", "z", "c_tilde") == ["ξ^t = [x^t; y^{t−1}]", "z^t = tanh(z̄^t)"]


def test_greff_calls_the_external_adjoint_delta():
    assert written(ls.backward(ls.lstm()), "greff", "dh") == ["δy^t = Δ^t + δy^{t,+}"]


def test_colah_in_his_own_letters():
    cell = ls.lstm(concat="hx")
    assert written(cell, "colah", "z", "a_c", "c_tilde", "c") == [
        "z_t = [h_{t−1}, x_t]",
        "a_{C,t} = W_C·z_t + b_C",
        "C̃_t = tanh(a_{C,t})",
        "C_t = f_t∗C_{t−1} + i_t∗C̃_t",
    ]


def test_pytorch_splits_kernels_and_biases_by_where_they_act():
    cell = ls.lstm(concat=None, biases=2)
    assert written(cell, "pytorch", "a_f", "a_c", "c") == [
        "a_{f,t} = W_if x_t + W_hf h_{t−1} + b_if + b_hf",
        "a_{g,t} = W_ig x_t + W_hg h_{t−1} + b_ig + b_hg",
        "c_t = f_t⊙c_{t−1} + i_t⊙g_t",
    ]
    assert written(ls.lstm(), "pytorch", "a_c") == ["a_{g,t} = W_g z_t + b_g"]


def test_keras_names_its_kernels():
    (line,) = written(ls.lstm(concat=None), "keras", "a_f")
    assert line == "a_{f,t} = kernel_f x_t + recurrent_kernel_f h_{t−1} + bias_f"
    assert r"\mathrm{recurrent\_kernel}_f" in ls.write(ls.lstm(concat=None), format="latex", notation="keras")


def test_time_goes_where_one_asks():
    cell = ls.lstm()
    assert ls.write(cell, only=["c"], time="subscript") == "c_t = f_t∘c_{t−1} + i_t∘c̃_t\n"
    assert ls.write(cell, only=["c"], time="superscript") == "c^t = f^t∘c^{t−1} + i^t∘c̃^t\n"
    assert ls.write(cell, only=["c"], notation="colah", time="prime") == "C = f∗C' + i∗C̃\n"


def test_what_arrives_from_the_step_after_is_marked_and_no_value_of_that_step():
    back = ls.backward(ls.lstm())
    assert ls.write(back, only=["dh", "dc_prev"], time="subscript").splitlines() == [
        "δh_t = δy_t + δh_t⁺",
        "δc_{t−1}⁺ = δc_t∘f_t",
    ]


# None writes two values alike


CELLS = [ls.lstm(**options) for options in OPTIONS if "activations" not in options]
PROGRAMS = [program for cell in CELLS[::2] for program in (cell, ls.backward(cell))] + CELLS[1::2]
PROGRAMS += [program for name in ls.cells() for program in (ls.cell(name), ls.backward(ls.cell(name)))]
PROGRAMS += [ls.backward(ls.backward(ls.lstm(peepholes="fio"))), ls.forward_mode(ls.lstm(concat=None, biases=2))]


@pytest.mark.parametrize("name", NOTATIONS)
@pytest.mark.parametrize("time", [None, "prime", "subscript", "superscript"])
def test_no_notation_writes_two_values_alike(name, time):
    for program in PROGRAMS:
        chosen = replace(notation(name), time=time) if time else notation(name).in_type()
        setting = setting_of(program, chosen)
        check_distinct(program, setting)
        looks = [latex(setting.symbol(symbol)) for symbol in program.symbols]
        assert len(set(looks)) == len(looks), program.name


def test_two_values_written_alike_are_refused_by_name():
    careless = replace(NOTATIONS["greff"], name="careless", symbols={**NOTATIONS["greff"].symbols, "z": "z"})
    with pytest.raises(NotationError, match=r"^notation careless writes both z and c_tilde of lstm as z\^t; give one"):
        ls.write(ls.lstm(), notation=careless)


def test_a_notation_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(NotationError, match=r'^there is no notation "gref", .* or FILE.toml; did you mean "greff"\?$'):
        notation("gref")


# Files


def saved(folder, content):
    path = folder / "house.toml"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_file_renames_and_starts_from_another(tmp_path):
    path = saved(
        tmp_path,
        """
        base = "pytorch"
        product = "∘"
        time = "prime"
        [symbols]
        x = '\\mathbf{x}'
        c = "s"
        "a_*" = '\\hat{*}'
        [gates]
        o = "q"
        """,
    )
    cell = ls.lstm()
    assert written(cell, path, "z", "a_o", "c") == marked("z = [x; h']", "q̂ = W_q z + b_q", "s = f∘s' + i∘g")
    assert r"[\mathbf{x}; h']" in ls.write(cell, format="latex", notation=str(path))
    assert notation(path).name == "house"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("product = 'x'", r"product: expected one of \"∘\", \"⊙\", \"∗\", \"\*\", got 'x'"),
        ("time = 3", 'time: expected one of "prime", "subscript", "superscript", got 3'),
        ("base = 'gref'", "base: expected one of \"design\", .*, got 'gref'"),
        ("symbol = 1", "symbol is no key of a notation, expected one of base, product"),
        ("symbols = 1", "symbols: expected a table of names, got 1"),
        ("[symbols]\nc = 2", 'symbols.c: expected text such as "W", got 2'),
        ("[symbols]\nc = '\\frac{c}'", r"symbols.c: expected a symbol such as .*, got '\\\\frac\{c\}'"),
        ("[symbols", "no TOML, "),
    ],
)
def test_a_file_that_says_no_notation_is_refused_with_file_key_and_what_was_expected(tmp_path, content, sentence):
    with pytest.raises(NotationError, match=rf"house\.toml: {sentence}") as caught:
        notation(saved(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(NotationError, match=r"gone\.toml: cannot be read as a notation"):
        notation(tmp_path / "gone.toml")


# Symbols


@pytest.mark.parametrize(
    ("source", "symbol"),
    [
        ("W", Symbol("W")),
        ("W_{if}", Symbol("W", ("if",))),
        ("b_{R,f}", Symbol("b", ("R", "f"))),
        (r"\tilde C", Symbol("C", accent="tilde")),
        ("c̃", Symbol("c", accent="tilde")),
        (r"\bar{z}_1", Symbol("z", ("1",), accent="bar")),
        (r"\mathbf{x}", Symbol("x", style="bold")),
        (r"\sigma^2", Symbol("σ", superscript=("2",))),
        ("Δ", Symbol("Δ")),
        ("recurrent_kernel_{f}", Symbol("recurrent_kernel", ("f",), style="upright")),
    ],
)
def test_a_symbol_is_read_from_text_or_a_little_latex(source, symbol):
    assert parse_symbol(source) == symbol


@pytest.mark.parametrize("source", ["", "W_", "{W", "W}", r"\frac", "W_a_b", "1", "h'", "a+b", r"\tilde", "W_{a,}"])
def test_what_is_no_symbol_is_refused(source):
    with pytest.raises(SymbolError, match="expected a symbol such as"):
        parse_symbol(source)


def test_greek_letters_by_name_and_words_stand_upright():
    assert plain(Notation("own").symbol("mu_f").tree()) == "μ_f"
    assert latex(Notation("own").symbol("gain_f").tree()) == r"\mathrm{gain}_f"
    assert len(GREEK) == 32


@pytest.mark.parametrize(
    ("name", "expected"),
    [("W1_f", "W_{1,f}"), ("dh_prev", "δh'"), ("d2dW_f", "δ²δW_f"), ("c_tilde_dot", "c̃̇"), ("da_f_next", "δa_f⁺")],
)
def test_names_become_symbols(name, expected):
    assert symbol_text(name) == expected


def test_the_stem_is_the_name_of_the_value():
    for name in ("h", "h_prev", "dh_next", "d2dh_prev", "h_dot_prev"):
        assert parse_name(name).stem == "h"
    assert parse_name("dW_f").stem == "W_f"
    assert parse_name("dc_tilde").stem == "c_tilde"


def test_messages_show_what_has_no_rule_as_it_is():
    assert text(MatPow(matrix("A", 3, 3), 2)) == "A**2"
