"""Sizes come back from any sufficient set of arrays; a set that contradicts itself or says too little is explained."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_spec.spec.cells import lstm
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.inference import infer_dimensions
from tests.tables import plain_rnn

CELLS = {
    "lstm": lstm(),
    "peephole": lstm(peepholes="fio"),
    "separate": lstm(concat=None, biases=2),
    "cifg": lstm(coupled="f=1-i", concat="hx"),
    "rnn": plain_rnn(),
}
PLAIN = CELLS["lstm"]
ALIASES = {"h_prev": "h0", "c_prev": "c0", "h": "y"}


def arrays_of(cell, values, leading):
    """Return the shape of every array that one may give, by the name that one gives it."""
    shapes = {}
    for name, symbol in cell.symbols.items():
        rows, columns = (int(side.subs({s: values[s.name] for s in cell.sizes})) for side in symbol.shape)
        own = (rows,) if symbol.shape[1] == 1 else (rows, columns)
        shapes[name] = own if name in cell.shared else (*leading, *own)
        if name in ALIASES:
            shapes[ALIASES[name]] = shapes[name]
    return shapes


def tells(cell, names):
    """Return whether these arrays determine n and m: the rank of what their axes say about them."""
    rows = [
        (side.coeff(n), side.coeff(m))
        for name in names
        for side in cell.symbols[next((k for k, v in ALIASES.items() if v == name), name)].shape
        for n, m in [cell.sizes]
        if not side.is_number
    ]
    return any(a * d != b * c for a, b in rows for c, d in rows)


sizes_drawn = st.integers(1, 300)
leading_axes = st.sampled_from([(), (4,), (7, 4)])


@given(st.data(), st.sampled_from(list(CELLS)), sizes_drawn, sizes_drawn, leading_axes)
def test_sizes_come_back_from_any_sufficient_set_and_only_from_those(data, key, n, m, leading):
    cell, values = CELLS[key], {"n": n, "m": m}
    shapes = arrays_of(cell, values, leading)
    names = data.draw(st.lists(st.sampled_from(sorted(shapes)), unique=True, max_size=4))
    given_shapes = {name: shapes[name] for name in names}
    if tells(cell, names):
        assert infer_dimensions(cell, given_shapes) == values
    else:
        with pytest.raises(DimensionError, match=r"cannot be told from .*; what tells: "):
            infer_dimensions(cell, given_shapes)


@given(st.data(), st.sampled_from(list(CELLS)), sizes_drawn, sizes_drawn, st.integers(1, 9))
def test_one_axis_that_is_off_is_noticed_and_its_array_is_named(data, key, n, m, off):
    """Everything else given three times over, so that there is no doubt who is wrong."""
    cell = CELLS[key]
    shapes = arrays_of(cell, {"n": n, "m": m}, (5, 3))
    culprit = data.draw(st.sampled_from(sorted(shapes)))
    *before, last = shapes[culprit]
    wrong = {**shapes, culprit: (*before, last + off)}
    with pytest.raises(DimensionError) as error:
        infer_dimensions(cell, wrong)
    own = next((k for k, v in ALIASES.items() if v == culprit), culprit)
    symbol = {"h_prev": "h'", "c_prev": "c'", "c_tilde": "c̃"}.get(own, own)
    assert symbol in str(error.value)
    assert f"{last + off}" in str(error.value)
    assert f"m={m} from" in str(error.value)


def test_the_aliases_of_states_and_sequence():
    assert infer_dimensions(PLAIN, {"x": (20, 8, 32), "y": (20, 8, 70)}) == {"n": 32, "m": 70}
    assert infer_dimensions(PLAIN, {"x": (32,), "c0": (8, 70)}) == {"n": 32, "m": 70}
    assert infer_dimensions(PLAIN, {"z": (102,), "c": (70,)}) == {"n": 32, "m": 70}


W = (70, 102)
CONTRADICTIONS = (
    (
        "lstm",
        {"x": (20, 8, 32), "W_f": W, "W_o": (70, 101)},
        "W_o is 70×101 but z has 102 rows (n=32 from x, m=70 from W_f), in a_o = W_o z + b_o",
    ),
    (
        "lstm",
        {"W_f": W, "x": (20, 8, 33)},
        "z has 102 rows but [x; h'] has 103 rows (n=32 from W_f, m=70 from W_f; x is 33), in z = [x; h']",
    ),
    (
        "lstm",
        {"W_f": W, "W_i": (71, 102)},
        "W_i z has 71 rows but b_i has 70 rows (n=32 from W_f, m=70 from W_f), in a_i = W_i z + b_i",
    ),
    (
        "lstm",
        {"b_f": (70,), "W_f": (71, 102)},
        "W_f z has 71 rows but b_f has 70 rows (n=32 from W_f, m=70 from b_f), in a_f = W_f z + b_f",
    ),
    (
        "lstm",
        {"h0": (8, 70), "c0": (8, 71)},
        "f has 70 rows but c' has 71 rows (m=70 from h0; c0 is 71), in c = f∘c' + i∘c̃",
    ),
    (
        "lstm",
        {"x": (2, 3, 5), "z": (2, 3, 4)},
        "z has 4 rows but [x; h'] has m+5 rows, which no sizes satisfy (n=5 from x), in z = [x; h']",
    ),
    (
        "peephole",
        {"p_f": (71,), "W_f": W},
        "W_f z has 70 rows but b_f has 71 rows (n=31 from W_f, m=71 from p_f), in a_f = W_f z + b_f + p_f∘c'",
    ),
    (
        "separate",
        {"W_f": (70, 32), "R_f": (71, 70)},
        "W_f x has 70 rows but R_f h' has 71 rows (n=32 from W_f, m=70 from W_f), in a_f = W_f x + R_f h' + b_f + bR_f",
    ),
    # One value under two names.
    (
        "lstm",
        {"W_f": W, "h0": (8, 70), "h_prev": (8, 71)},
        "z has 102 rows but [x; h'] has 103 rows (n=32 from W_f, m=70 from W_f; h' is 71), in z = [x; h']",
    ),
    (
        "lstm",
        {"x": (5, 2, 32), "y": (5, 2, 70), "h": (2, 71)},
        "h has 71 rows but o∘tanh(c) has 70 rows (n=32 from x, m=70 from y), in h = o∘tanh(c)",
    ),
    # A single array that no sizes fit, and two pairs that disagree.
    ("lstm", {"W_f": (70, 60)}, "n would be -10, which is no size of lstm (m=70 from W_f, n+m=60 from W_f)"),
    ("lstm", {"W_f": (70, 70)}, "n would be 0, which is no size of lstm (m=70 from W_f, n+m=70 from W_f)"),
    ("lstm", {"b_f": (3,), "b_i": (3,), "b_c": (4,), "b_o": (4,), "x": (2,)}, "b_o"),
)


@pytest.mark.parametrize(("key", "shapes", "message"), CONTRADICTIONS, ids=str)
def test_two_facts_that_collide_are_named_with_the_equation(key, shapes, message):
    with pytest.raises(DimensionError) as error:
        infer_dimensions(CELLS[key], shapes)
    assert message in str(error.value)


MISSING = (
    ({}, "n and m cannot be told from nothing; what tells: x, h', c', W_f, W_i, W_c, W_o, b_f, b_i, b_c, b_o"),
    ({"x": (3, 4, 32)}, "m cannot be told from x; what tells: h', c', W_f, W_i, W_c, W_o, b_f, b_i, b_c, b_o"),
    ({"h0": (8, 70)}, "n cannot be told from h0; what tells: x, W_f, W_i, W_c, W_o"),
    ({"b_f": (70,), "c": (70,)}, "n cannot be told from b_f, c; what tells: x, W_f, W_i, W_c, W_o"),
    ({"z": (102,)}, "n and m cannot be told from z; what tells: x, h',"),
)


@pytest.mark.parametrize(("shapes", "message"), MISSING, ids=str)
def test_what_is_missing_is_said(shapes, message):
    with pytest.raises(DimensionError) as error:
        infer_dimensions(PLAIN, shapes)
    assert str(error.value).startswith(message)


FORMS = (
    ({"W_f": (70,)}, "W_f needs 2 axes (m×(n+m)), got shape (70,)"),
    ({"W_f": (1, 70, 102)}, "W_f needs 2 axes (m×(n+m)), got shape (1, 70, 102)"),
    ({"b_f": (70, 1)}, "b_f needs 1 axis (m), got shape (70, 1)"),
    ({"x": ()}, "x needs 1 axis (n), got shape ()"),
    ({"W_f": (0, 3)}, "the shape of W_f must hold positive integers, got (0, 3)"),
    ({"W_f": (2.0, 3)}, "the shape of W_f must hold positive integers, got (2.0, 3)"),
    ({"W_f": (True, 3)}, "the shape of W_f must hold positive integers, got (True, 3)"),
    ({"weights": (3, 4)}, "lstm has no value named weights; it has x, h_prev, c_prev, W_f,"),
    ({"W_g": (3, 4)}, "lstm has no value named W_g; did you mean W_"),
    ({"p_f": (70,)}, "lstm has no value named p_f; did you mean b_f?"),
)


@pytest.mark.parametrize(("shapes", "message"), FORMS, ids=str)
def test_what_is_no_array_of_the_cell_is_said(shapes, message):
    with pytest.raises(DimensionError) as error:
        infer_dimensions(PLAIN, shapes)
    assert str(error.value).startswith(message)


def test_no_law_fails_for_being_slow():
    """On a machine that does other things as well, an example may take any time."""
    assert settings().deadline is None
