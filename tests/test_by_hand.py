"""What is written wrong by hand is called by its name first, or by none."""

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.compile import run
from lstm_spec.targets.contract import Target
from lstm_spec.verify.activation_curves import curves
from lstm_spec.verify.activation_faults import wrong_curves
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.explain import explain
from lstm_spec.verify.search import Finding
from lstm_spec.verify.subject import Subject
from lstm_spec.verify.where import place
from tests import by_hand as hand
from tests import by_hand_gradients as back
from tests.by_hand_gradients import backward

GRADIENTS = {
    "the backward pass takes the initial c for zero": backward(stored=back.initial_memory_zero),
    "the backward pass takes the initial h for zero": backward(stored=back.initial_h_zero),
    "the backward pass takes the initial states for zero": backward(stored=back.initial_states_zero),
    "no gradient leaves the last step through c": backward(carry=back.last_step_keeps_c),
    "f is that of the step after, zero after the last, in δc' = δc∘f": backward(carry=back.carry_next),
    "f is that of the step after, its own at the last step": backward(carry=back.carry_next_own),
    "f is that of the step before, at the first step that of the last": backward(carry=back.carry_before),
    "f is that of the step before, its own at the first step": backward(carry=back.carry_before_own),
    "δc⁺ is multiplied by f of the step that it arrives at": backward(
        local=back.arriving_by_own, carry=back.forget_elsewhere
    ),
    "z is that of the step after, its own at the last step": backward(stored=back.next_z),
    "the factor f is missing in δc' = δc∘f": backward(carry=back.forget_elsewhere),
    "c stands wherever the spec has tanh(c), in δc": backward(local=back.square_of_c),
    "h stands wherever the spec has tanh(c), in δc": backward(local=back.square_of_h),
    "tanh(c') stands wherever the spec has tanh(c), in δc": backward(local=back.tanh_of_before),
    "i stands wherever the spec has f, in δa_f": backward(local=back.slope_of_another_gate),
    "tanh(c̃) stands wherever the spec has c̃, in δa_c": backward(local=back.slope_of_c_in_candidate),
    "the factor tanh(c) is missing in δc": backward(local=back.tanh_squared_forgotten),
    "the gradients of the parameters hold the last row only": backward(sums=back.last_row),
    "the gradients of the parameters hold the first step only": backward(sums=back.first_step),
    "the gradients of b_f, b_i, b_c and b_o are means over the rows": backward(end=back.averaged(vectors=True)),
    "the gradients of the parameters are means over the rows and steps": backward(end=back.averaged((0, 1))),
    "all gradients are divided by the number of rows": backward(end=back.averaged(everything=True)),
    "the gradients of the parameters are clipped to ±0.3": backward(end=back.clipped(0.3)),
    "all gradients are clipped to ±0.5": backward(end=back.all_clipped(0.5)),
    "the gradients of the parameters are scaled together to a norm of at most 0.7": backward(end=back.global_norm(0.7)),
    "the gradients of the parameters are scaled together to a norm of at most 0.9, 1e-06 being added": backward(
        end=back.global_norm(0.9, 1e-6)
    ),
    "the gradients of the parameters are each scaled to a norm of at most 0.25": backward(end=back.norm_of_each(0.25)),
    "all gradients are scaled together to a norm of at most 1": backward(end=back.norm_of_all(1.0)),
    "0.0003 times the parameter itself is added to the gradients of the parameters": backward(
        end=back.weight_decay(3e-4)
    ),
    "0.03 times the parameter itself is added to the gradients of W_f, W_i, W_c and W_o": backward(
        end=back.weight_decay(0.03, kernels=True)
    ),
    "0.001 times the sign of the parameter itself": backward(end=back.plus_l1),
    "the loop of the backward pass runs forward in time": backward(loop=iter),
    "1 − o∘o stands where the spec has 1 − o, in δa_o": backward(local=back.slope_of_tanh(whole=False)),
    "δo∘(1 − o∘o) stands where the spec has δo∘o∘(1 − o), in δa_o": backward(local=back.slope_of_tanh(whole=True)),
    "the gradient of b_f is summed over the units too": backward(end=back.summed_over_units("b_f")),
    "the gradient of the initial h is the cotangent of y at the first step": back.first_cotangent_returned(backward()),
    "the gradient of W_f holds the first step only": back.assigned("W_f"),
    "δz is stacked as (h', x) and divided as (x, h')": backward(
        divided=lambda dz, n: (dz[:, n : 2 * n], np.roll(dz, -n, axis=1)[:, n:])
    ),
    "δz is stacked as (x, h') and divided as (h', x)": backward(divided=lambda dz, n: (dz[:, -n:], dz[:, :-n])),
    "the backward pass stacks the adjoints of the gates in the order f, i, o, c̃ where": backward(
        local=back.stacked("fioc")
    ),
    "the gradients of W_o and b_o are multiplied by 3": backward(end=back.scaled(3.0, "W_o", "b_o")),
}


def told(target, *, gradients=False, n=2):
    """Return what is said of a target after it has failed on a general case."""
    cell, contract = ls.lstm(), accuracy("float64")
    subject = Subject(target, cell)
    sizes = {"n": n, "m": 3}
    case = seeded_case(cell, "float64", sizes=sizes, T=6, B=3, regime="weights x3", seed=7, gradients=gradients)
    if gradients:
        given = subject.call_differentiated(case), subject.call_backward(case)[0]
        comparison = subject.compare_gradients(case, *given, contract)
    else:
        comparison = subject.compare(case, subject.call(case)[0], contract)
    assert not comparison.agrees
    return explain(subject, Finding("it deviates", case, comparison.worst))


def some(table, every=4):
    """Return the names of a table as parameters, of which only so many are asked in the quick suite."""
    return [pytest.param(n, marks=[pytest.mark.catalogue] if k % every else []) for k, n in enumerate(table)]


@pytest.mark.parametrize("sentence", some(GRADIENTS))
def test_a_wrong_backward_pass_is_named_first(sentence):
    found = told(back.target("by hand", GRADIENTS[sentence]), gradients=True)
    assert found[0].sentence.startswith(sentence)


def test_the_backward_pass_by_hand_is_right_where_nothing_is_planted():
    target = Target(name="right", forward=back.plain, backward=backward())
    with pytest.raises(AssertionError):
        told(target, gradients=True)


FORWARD = {
    "f, i and o are a softmax over these gates": hand.of_gates(hand.softmax_over_gates),
    "f, i and o are each a softmax over the units": hand.with_gate(lambda a: hand.softmax(a, -1)),
    "c is kept after tanh: c = tanh(f∘c' + i∘c̃), h = o∘c": hand.of_gates(hand.tanh_of_c_kept),
    "tanh(f∘c' + i∘c̃) stands for the whole right side of c": hand.of_gates(hand.tanh_of_c_twice),
    "h is written unit by unit": hand.looped(hand.unit_by_unit),
    "a_o reads h of its own step, computed with the old h' first": hand.looped(hand.output_gate_from_new_h),
    "every step reads h of two steps before": hand.two_steps_ago,
    "x is added to y where both have one size": hand.residual,
    "f is 1 − i": hand.of_gates(hand.coupled),
    "σ(σ(a)) stands where the spec has sigmoid": hand.of_gates(hand.sigmoid_twice),
    "a forget offset of 1 is added": hand.of_gates(hand.forget_bias_twice),
}


@pytest.mark.parametrize("sentence", some(FORWARD, every=1))
def test_a_wrong_forward_pass_is_named_first(sentence):
    n = 3 if "x is added" in sentence else 2
    found = told(Target(name="by hand", forward=FORWARD[sentence]), n=n)
    assert found[0].sentence.startswith(sentence)


sigmoid, table = hand.sigmoid, hand.table
ACTIVATIONS = {
    "σ is read from a table of 257 entries from −8 to 8, 1/16 apart, with straight lines between them, in f, i and o; "
    "and tanh is read from a table of 257 entries from −4 to 4, 1/32 apart, with straight lines": hand.with_gate(
        table(sigmoid, 257, 8, lines=True),
        candidate=table(np.tanh, 257, 4, lines=True),
        squash=table(np.tanh, 257, 4, lines=True),
    ),
    "σ is read from a table of 129 entries from −6 to 6, 0.09375 apart, of which the nearest entry is taken, "
    "and 0 or 1 beyond it, in f, i and o": hand.with_gate(table(sigmoid, 129, 6, ends=(0, 1))),
    "tanh is read from a table of 33 entries from −4 to 4, 1/4 apart, of which the nearest entry is taken, "
    "in tanh(c)": hand.with_gate(sigmoid, squash=table(np.tanh, 33, 4)),
    "σ is put together of straight lines that meet at −5, −2.375, −1, 1, 2.375, 5": hand.with_gate(hand.four_segments),
    "σ is computed roughly, off by up to 0.01, most at −0.04, in f, i and o; all else agrees": hand.with_gate(
        lambda a: 1 / (1 + hand.quick_exponential(np.clip(-a, -700, 700)))
    ),
    "1/(1 + (1 − a/1024)^1024) stands where the spec has sigmoid": hand.with_gate(
        lambda a: 1 / (1 + (1 - a / 1024) ** 1024)
    ),
    "1.7159 tanh(2a/3) stands where the spec has tanh, in c̃": hand.of_gates(hand.scaled_tanh),
    "σ(a + 2.5) stands where the spec has sigmoid, in f": hand.offset(2.5),
    "0.99 σ(a) stands where the spec has sigmoid, in f": hand.of_gates(hand.leaky),
    "σ(0.5 a) stands where the spec has sigmoid, in f, i and o": hand.of_gates(hand.temperature),
}


@pytest.mark.parametrize("sentence", some(ACTIVATIONS, every=2))
def test_an_activation_that_is_another_is_read_off(sentence):
    found = told(Target(name="by hand", forward=ACTIVATIONS[sentence]))
    assert found[0].sentence.startswith(sentence)


@pytest.mark.parametrize("name", ["peephole", "cifg", "gru", "lstmp"])
def test_the_curves_of_a_right_cell_are_right(name):
    cell = ls.cell(name)

    def answer(case):
        return dict(zip(("y", *cell.states), run(cell, case.params, case.x, *case.states), strict=True))

    found = curves(cell, answer)
    assert len(found) >= 2
    assert not wrong_curves(found, accuracy("float64").unit)


def test_fixed_point_is_told_by_its_last_bit():
    (found,) = told(Target(name="by hand", forward=hand.fixed_point(8)))
    assert found.sentence.startswith("every number that comes is a multiple of 2^−8")
    (found,) = told(Target(name="by hand", forward=hand.looped(hand.sums_in_float16)))
    assert found.id == "accuracy-of-float16"


def test_nothing_is_said_of_an_activation_that_is_no_such_thing():
    assert told(Target(name="by hand", forward=hand.with_gate(lambda a: np.sin(a) ** 2))) == ()


@pytest.mark.parametrize(
    ("forward", "sentence"),
    [
        (hand.looped(hand.tile_edge), "only what belongs to unit 32 is wrong, of 33; units 0 to 31 are right"),
        (hand.rows_beyond(4), "only what belongs to rows 4 to 5 is wrong, of 6; rows 0 to 3 are right"),
        (hand.dropped_after(64), "only what belongs to steps 64 to 69 is wrong, of 70; steps 0 to 63 are right"),
        (hand.plain, None),
        (hand.of_gates(hand.tanh_of_c_kept), None),
    ],
)
def test_what_is_wrong_from_somewhere_on_is_told_where(forward, sentence):
    def y(case):
        return forward(case.params, case.x, *case.states)[0]

    found = place(ls.lstm(), y, "float64", accuracy("float64"))
    assert (found and found.sentence) == sentence
