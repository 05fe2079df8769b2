"""Networks as data: sizes, counts, names, what is refused; and the Program that T steps of one unroll to."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.spec.equation import ProgramError
from lstm_spec.spec.layer import DIRECTIONS, MERGES, Layer
from lstm_spec.spec.layers import layers
from lstm_spec.spec.lengths import held
from lstm_spec.spec.network import PAST_LENGTH, Network
from lstm_spec.spec.options import OptionError
from lstm_spec.spec.summary import summary
from lstm_spec.spec.unroll import recurrence, unroll

COUNTS = [
    ({"bidirectional": True}, 57_680),
    ({"cell": ls.lstm(biases=2), "bidirectional": True}, 58_240),
    ({}, 28_840),
    ({"count": 2}, 28_840 + 4 * 70 * (140 + 1)),
    ({"count": 2, "bidirectional": True}, 57_680 + 2 * 4 * 70 * (210 + 1)),
    ({"count": 2, "bidirectional": True, "merge": "sum"}, 57_680 + 2 * 4 * 70 * (140 + 1)),
    ({"hidden": (70, 40)}, 28_840 + 4 * 40 * (110 + 1)),
    ({"initial": "learned", "bidirectional": True}, 57_680 + 4 * 70),
]


@pytest.mark.parametrize(("options", "count"), COUNTS)
def test_parameter_counts(options, count):
    network = layers(**options)
    sizes = {s.name: {"n": 32, "m": 70}[s.name] for s in network.sizes}
    assert network.parameter_count(**sizes) == count
    assert network.parameter_count().subs({s: sizes[s.name] for s in network.sizes}) == count
    shapes = network.dimensions(**sizes)
    assert sum(a * (b[0] if b else 1) for a, *b in shapes.values()) == count
    assert summary(network, **sizes)[-1].parameters == count
    assert sum(row.parameters for row in summary(network, **sizes)[:-1]) == count


def test_masks_are_not_counted():
    network, sizes = layers("dropout", count=2, bidirectional=True), {"n": 32, "m": 70}
    assert network.parameter_count(**sizes) == layers(count=2, bidirectional=True).parameter_count(**sizes)
    assert summary(network, **sizes)[-1].parameters == sum(row.parameters for row in summary(network, **sizes)[:-1])
    for program in (unroll(network, 2), unroll(replace(network, past_length="zero"), 2)):
        assert program.parameter_count(**sizes) == network.parameter_count(**sizes)
    assert "l1r.k_x" in network.dimensions()


def test_the_worked_example_has_140_outputs():
    row = summary(layers(bidirectional=True), n=32, m=70)[1]
    assert row.output == ("T", "B", 140)
    assert row.parameters == 57_680
    assert summary(layers(bidirectional=True, outputs="last"), n=32, m=70)[1].output == ("B", 140)


def test_names_are_layer_before_direction():
    network = layers(count=2, bidirectional=True)
    assert network.states == tuple(f"{key}.{s}" for key in ("l0", "l0r", "l1", "l1r") for s in "hc")
    assert network.stacks == {s: tuple(f"{key}.{s}" for key in ("l0", "l0r", "l1", "l1r")) for s in "hc"}
    assert {"l0.W_f", "l0r.b_o", "l1r.W_c"} <= network.dimensions().keys()
    assert layers("lstm", direction="reverse").dimensions() == ls.lstm().dimensions()
    assert layers().states == ls.lstm().states


def test_a_projected_layer_hands_on_its_projection():
    network = layers("lstmp", count=2)
    shapes = network.dimensions(n=5, m=4, q=3)
    assert (shapes["l0.W_f"], shapes["l1.W_f"], shapes["l1.W_p"]) == ((4, 8), (4, 6), (3, 4))


def test_a_hidden_size_of_one_leaves_matrices_matrices():
    assert layers("gru", hidden=(1, 1)).dimensions(n=1)["l1.R_u"] == (1, 1)


REFUSED = [
    (lambda: layers(residual=True), "h has m rows but x has n rows, which holds only if n = m, in y"),
    (lambda: layers(hidden=(4, 5), residual=True), "has 5 rows but y^l0 has 4 rows, in y"),
    (
        lambda: Network(
            name="uneven", layers=(Layer(cell=ls.lstm(), direction="both", merge="sum", reverse_sizes={"m": "k"}),)
        ),
        "h^l0 has m rows but h^l0r has k rows, which holds only if m = k",
    ),
    (lambda: layers("sru", count=2, bidirectional=True), "sru in l1 works only with n = m, since"),
    (lambda: layers(count=0), "count is a positive number of layers, got 0"),
    (lambda: layers(count=2, hidden=(3,)), "hidden has 1 sizes for 2 layers"),
    (lambda: layers(bidirectional=True, direction="reverse"), "both directions, got direction='reverse' as well"),
    (lambda: layers(past_length="keep"), "past_length"),
    (lambda: layers(merge="mean"), "merge"),
    (lambda: layers(hidden=(0,)), "a size is a positive integer or a name such as m0, got 0"),
    (lambda: layers(count=2, residual=True, outputs="last"), "leave out residual on top"),
    (lambda: layers(count=2, direction="go_backwards", past_length="zero"), "use reverse there"),
    (lambda: Network(name="empty", layers=()), "empty needs at least one layer"),
    (lambda: Layer(cell=held(ls.lstm())), "a layer reads one sequence, but lstm with lengths has 2 inputs"),
    (lambda: Network(name="x", layers=(Layer(cell=ls.lstm(), sizes={"q": 3}),)), "lstm has no size q; its sizes are"),
    (lambda: layers().dimensions(k=3), "lstm has no size k; its sizes are n, m"),
    (lambda: unroll(ls.lstm(), 0), "T is a positive number of steps, got 0"),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED)
def test_what_does_not_fit_is_refused_in_one_sentence(make, sentence):
    with pytest.raises((ls.DimensionError, OptionError, ProgramError)) as caught:
        make()
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("past_length", PAST_LENGTH)
def test_an_unrolled_network_shares_parameters_and_is_a_program(direction, past_length):
    layer = Layer(cell=ls.cell("gru"), direction=direction)
    program = unroll(Network(name="one", layers=(layer,), past_length=past_length), 3)
    network = Network(name="one", layers=(layer,))
    assert [p.name for p in program.parameters] == [p.name for p in network.parameters]
    assert program.dimensions() == network.dimensions()
    assert len(program.inputs) == (3 if past_length is None else 6)
    assert program.outputs[:3] == ("y_1", "y_2", "y_3")
    # A forward value of one step reads nothing of a later one, a reverse value nothing of an earlier one.
    first = program["a_u_1" if direction == "forward" else "l0r.a_u_3" if direction == "both" else "a_u_3"]
    assert {name.rpartition("_")[2] for name in first.uses if "_" in name and name[-1].isdigit()} <= (
        {"0", "1"} if direction == "forward" else {"3", "4"}
    )


@pytest.mark.parametrize("merge", MERGES)
def test_unrolled_programs_have_formulas_source_and_gradients(merge):
    program = unroll(layers("lstm", count=2, bidirectional=True, merge=merge), 2)
    assert "def step(params, x_1, x_2, l0_h_0" in ls.write(program, format="numpy")
    assert ls.write(program, format="latex")
    back = ls.backward(program)
    assert {"dl0.W_f", "dx_1", "dl1r.h_3"} <= set(back.outputs)


def test_constants_of_different_layers_do_not_meet():
    cells = (ls.lstm(clip={"c": 1.0}), ls.lstm(clip={"c": 2.0}))
    program = unroll(Network(name="clipped", layers=tuple(Layer(cell=c) for c in cells)), 1)
    assert [(s.name, float(v)) for s, v in program.constants] == [("limit_c_l0", 1.0), ("limit_c_l1", 2.0)]


def test_many_to_one_takes_each_direction_at_its_own_end():
    program = unroll(layers("rnn", bidirectional=True, outputs="last"), 3)
    assert str(program["y"]) == "y = [h_3^l0; h_1^l0r]"
    assert program.outputs[0] == "y"


def test_going_backwards_gives_the_outputs_in_the_order_computed():
    program = unroll(layers("rnn", direction="go_backwards"), 3)
    assert [str(program[f"y_{t}"]) for t in (1, 2, 3)] == ["y_1 = h_3", "y_2 = h_2", "y_3 = h_1"]


@pytest.mark.parametrize(
    ("past_length", "sentence"),
    [("zero", "where y is 0"), ("repeat", "the last output"), ("freeze", "is held"), ("any", "anything")],
)
def test_the_recurrence_says_what_happens_past_a_length(past_length, sentence):
    assert sentence in recurrence(layers(past_length=past_length))


def test_a_cell_that_has_a_k_cannot_have_lengths():
    cell = ls.define_cell(
        "with k",
        inputs=ls.lstm().inputs,
        states=[(before, after) for before, after in ls.cell("rnn").recurrence],
        equations=[(d.symbol, d.expression) for d in held(ls.cell("rnn")).definitions],
    )
    with pytest.raises(ProgramError, match="already has a value named k, which lengths need"):
        held(cell)


def test_the_command_shows_a_network():
    result = CliRunner().invoke(main, ["show", "lstm", "-n", "32", "-m", "70", "--bidirectional"])
    assert result.exit_code == 0
    assert "(T, B, 140)   57,680" in result.output
    assert "l0r.W_f    70×102" in result.output
    page = CliRunner().invoke(main, ["show", "gru", "--layers", "2", "--format", "markdown"]).output
    assert "| l1 | gru | (T, B, m) |" in page
    as_json = CliRunner().invoke(main, ["show", "lstm", "-n", "32", "--layers", "2", "--json", "-"]).output
    assert '"2-layer lstm"' in as_json
    assert '"l1.W_f": [' in as_json
