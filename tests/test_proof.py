"""Proofs hold for what is right and fall, with numbers, for what is not."""

import json
from dataclasses import replace
from itertools import islice

import pytest
from click.testing import CliRunner
from sympy import (
    HadamardProduct,
    IndexedBase,
    Integer,
    KroneckerDelta,
    MatAdd,
    MatMul,
    Matrix,
    MatrixSymbol,
    Piecewise,
    Rational,
    Sum,
    Symbol,
    Transpose,
    tanh,
)
from sympy.matrices.expressions.slice import MatrixSlice

from lstm_spec import backward, cell, cells, lstm, proofs, prove, theorems
from lstm_spec.calculus.chain import Chain
from lstm_spec.calculus.collapse import normal
from lstm_spec.calculus.identities import compare, slope_proofs
from lstm_spec.calculus.indices import never_equal, never_negative
from lstm_spec.calculus.proof import number_of_proofs
from lstm_spec.calculus.scalars import given, written
from lstm_spec.calculus.theorems import _permutation, _sign_flip, _two_biases
from lstm_spec.cli import main
from lstm_spec.spec.define import define_cell
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.elementwise import ACTIVATIONS, elementwise
from lstm_spec.spec.equation import ProgramError
from lstm_spec.spec.functions import SLOTS, Defined, maximum, quotient, sigmoid
from lstm_spec.spec.operators import Elementwise, add, apply, hadamard, matmul, matrix, rows, scale, size, vector
from tests.programs import gru, layer_norm, packed, rnn, tied

N, M = size("n"), size("m")
CELLS = {
    "vanilla": lstm(),
    "peephole": lstm(peepholes="fio", concat=None),
    "cifg": lstm(coupled="f=1-i"),
}


# All of the vanilla cell's formulas are among those of the peephole cell.
MUTATED = [pytest.param("vanilla", marks=pytest.mark.catalogue), "peephole", "cifg"]


@pytest.mark.parametrize("name", CELLS)
def test_every_formula_is_proved(name):
    found = prove(CELLS[name])
    assert {p.name: p.status for p in found if p.status != "proved"} == {}
    back = backward(CELLS[name])
    assert {f"d{s.name}" for s in CELLS[name].leaves} <= {p.name for p in found}
    assert {d.name for d in back.derived} <= {p.name for p in found}
    assert len(found) == number_of_proofs(CELLS[name])
    assert "through time" in {p.name for p in found}
    assert all(p.witness is None for p in found)


@pytest.mark.parametrize("make", [rnn, gru, packed, tied])
def test_programs_that_are_no_lstm_are_proved(make):
    cell = make()
    names = [d.name for d in backward(cell).derived if not d.name.endswith("_rows")]
    assert {p.name: p.status for p in prove(cell, only=names)} == dict.fromkeys(names, "proved")


@pytest.mark.catalogue
@pytest.mark.parametrize("name", sorted(cells()))
def test_every_formula_of_every_cell_is_proved(name):
    assert {p.name: p.status for p in prove(cell(name)) if p.status != "proved"} == {}


@pytest.mark.parametrize("name", ["clipped", "zoneout", "minlstm", "layer_norm_gate"])
def test_cells_with_constants_quotients_and_roots_are_proved(name):
    assert {p.name: p.status for p in prove(cell(name)) if p.status != "proved"} == {}


def chained():
    """One square W three times over: every sum and every index has the same range."""
    x, h_prev, h, g1, g2 = (vector(name, M) for name in ("x", "h_prev", "h", "g1", "g2"))
    W = matrix("W", M, M)
    equations = [
        (g1, apply("tanh", matmul(W, add(x, h_prev)))),
        (g2, apply("tanh", matmul(W, matmul(W, g1)))),
        (h, apply("tanh", matmul(W, g2))),
    ]
    return define_cell("chained", inputs=x, states=[(h_prev, h)], equations=equations)


NESTED = {
    "chained": chained(),
    "deep": lstm(deep={"f": (3, 3), "o": (2,)}),
}


@pytest.mark.parametrize("name", NESTED)
def test_nested_products_are_proved(name):
    assert {p.name: p.status for p in prove(NESTED[name]) if p.status != "proved"} == {}


def test_algebra_alone_proves_no_wrong_formula_of_nested_products():
    """The numbers that refute are left out here: a captured index would make two different sums equal."""
    nested = NESTED["chained"]
    back = backward(nested)
    formulas = {v.name: back[f"d{v.name}"] for v in nested.symbols.values() if f"d{v.name}" in {d.name for d in back}}
    for value, d in formulas.items():
        for what, wrong in mutations(d):
            try:
                mutant = back.with_equation(d.name, wrong)
            except DimensionError:
                continue
            chain = Chain(nested, mutant, {**formulas, value: mutant[d.name]})
            chain.known = dict.fromkeys(set(formulas) - {value}, True)
            chain.forms = chain.forms[:1]
            assert wrong == d.expression or not chain.holds(value), f"{d.name}: {what}"


def test_a_wrong_formula_of_nested_products_is_refuted():
    nested = NESTED["deep"]
    back = backward(nested)
    for name in ("dz_f2", "dz_f1", "dW_f1", "dW_f2"):
        mutant = back.with_equation(name, scale(2, back[name].expression))
        (proof,) = prove(nested, formulas=mutant, only=[name])
        assert proof.status == "refuted", name
    swapped = back.with_equation("dz_f1", back["dz_f1"].expression.xreplace({back["z_f2"].symbol: back["z_f1"].symbol}))
    assert [p.status for p in prove(nested, formulas=swapped, only=["dz_f1"])] == ["refuted"]


def test_a_sum_put_into_a_sum_keeps_its_own_index():
    x, W = vector("x", M), matrix("W", M, M)

    def entry(symbol, i, j):
        return written(matmul(W, W, x), given, i, j) if symbol.name == "g" else given(symbol, i, j)

    twice = written(matmul(W, vector("g", M)), entry, P, 0)
    once = written(matmul(W, W, W, x), given, P, 0)
    squares = written(matmul(W, hadamard(x, vector("g", M))), entry, P, 0)
    assert normal(twice - once, {P: M}) == 0
    assert normal(twice - squares, {P: M}) != 0
    three = {M: 3}
    w = [[Rational(7 * r + 3 * c + 1, 10) for c in range(3)] for r in range(3)]
    v = [Rational(k + 2, 7) for k in range(3)]
    numbers = {IndexedBase("W")[r, c]: w[r][c] for r in range(3) for c in range(3)}
    numbers |= {IndexedBase("x")[k, 0]: v[k] for k in range(3)}
    expected = (Matrix(w) ** 3 * Matrix(v))[1]
    assert twice.subs(three).doit().subs(P, 1).xreplace(numbers) == expected
    assert normal(twice, {P: M}).subs(three).doit().subs(P, 1).xreplace(numbers) == expected


def test_a_formula_stands_only_if_those_that_it_uses_do():
    cell = CELLS["vanilla"]
    back = backward(cell)
    formulas = {v.name: back[f"d{v.name}"] for v in cell.symbols.values() if f"d{v.name}" in {d.name for d in back}}
    assert Chain(cell, back, formulas).holds("W_f")
    wrong = back.with_equation("dc", add(*back["dc"].expression.args[1:]))
    assert not Chain(cell, wrong, {**formulas, "c": wrong["dc"]}).holds("W_f")
    assert Chain(cell, wrong, {**formulas, "c": wrong["dc"]}).holds("W_o")
    missing = {name: d for name, d in formulas.items() if name != "c"}
    assert not Chain(cell, back, missing).holds("W_f")


def test_a_formula_that_goes_another_way_is_proved():
    """Adjoints written out in one formula, and σ(a_f) said for f."""
    cell = CELLS["vanilla"]
    back = backward(cell)
    f, a_f = back["f"].symbol, back["a_f"].symbol
    written_out = back["da_f"].expression.xreplace({back["df"].symbol: back["df"].expression})
    by_input = written_out.xreplace({f: apply("sigmoid", a_f)})
    for expression in (written_out, by_input):
        (proof,) = prove(cell, formulas=back.with_equation("da_f", expression), only=["da_f"])
        assert proof.status == "proved"


def test_layer_norm_is_proved_for_one_step_and_all_sizes():
    cell = layer_norm()
    assert {p.status for p in prove(cell, only=["dvar", "dv", "da", "dW", "dg"])} == {"proved"}


def mutations(equation):
    """Yield (what was done, the wrong expression) for one formula."""
    e = equation.expression
    yield "sign", scale(-1, e)
    yield "factor 2", scale(2, e)
    yield "factor 1/2", scale(Rational(1, 2), e)
    if isinstance(e, MatAdd):
        for k in range(len(e.args)):
            rest = [a for j, a in enumerate(e.args) if j != k]
            yield f"term {k} dropped", add(*rest)
            yield f"sign of term {k}", add(*(scale(-1, a) if j == k else a for j, a in enumerate(e.args)))
    if isinstance(e, HadamardProduct):
        for k in range(len(e.args)):
            yield f"factor {k} dropped", hadamard(*(a for j, a in enumerate(e.args) if j != k))
            yield f"factor {k} twice", hadamard(*e.args, e.args[k])
    for part in sorted(e.atoms(Transpose), key=str):
        yield f"{part} not transposed", e.xreplace({part: part.arg})
    for part in sorted((s for s in e.atoms(MatrixSymbol) if s.shape[0] == s.shape[1]), key=str):
        if Transpose(part) not in e.atoms(Transpose):
            yield f"{part} transposed", e.xreplace({part: Transpose(part)})
    if isinstance(e, MatMul):
        yield "product transposed", Transpose(e)
    if isinstance(e, MatrixSlice):
        start, stop, _ = e.rowslice
        yield "rows from the start", rows(e.parent, 0, stop - start)
        yield "rows from the end", rows(e.parent, e.parent.shape[0] - (stop - start), e.parent.shape[0])
    for part in sorted(e.atoms(Elementwise), key=str):
        yield f"σ for {part}", e.xreplace({part: Elementwise("sigmoid", *part.arguments)})
        yield f"{part} left out", e.xreplace({part: part.arguments[0]})


def exchanges(back, equation):
    """Yield a formula with one value exchanged for another of its shape: of its kind, or forward for backward."""
    before = back.definitions[: back.definitions.index(equation)]
    known = {s.name: s for s in (*back.leaves, *(d.symbol for d in before))}
    for used in sorted(equation.uses):
        adjoint = used.startswith("d")
        others = [
            s
            for s in known.values()
            if s.shape == known[used].shape and s.name.startswith("d") == adjoint and s.name != used
        ]
        for other in others[:2]:
            yield f"{other} for {used}", equation.expression.xreplace({known[used]: other})
        opposite = known.get(used[1:] if adjoint else f"d{used}")
        if opposite is not None:
            yield f"{opposite} for {used}", equation.expression.xreplace({known[used]: opposite})


def equivalents(equation):
    """Yield (why it is no mutation, the same formula in another form)."""
    e = equation.expression
    if isinstance(e, MatAdd):
        yield "addition commutes", add(*reversed(e.args))
    if isinstance(e, HadamardProduct):
        yield "∘ commutes", hadamard(*reversed(e.args))
    if isinstance(e, MatMul):
        yield "(A B)ᵀᵀ = A B", Transpose(Transpose(e))
    yield "half of it twice", add(scale(Rational(1, 2), e), scale(Rational(1, 2), e))


@pytest.mark.parametrize("name", MUTATED)
def test_mutations_that_change_nothing_are_proved_and_not_refuted(name):
    cell = CELLS[name]
    back = backward(cell)
    for equation in back.derived:
        for why, same in equivalents(equation):
            (proof,) = prove(cell, formulas=back.with_equation(equation.name, same), only=[equation.name])
            assert proof.status == "proved", f"{equation.name}: {why}"


@pytest.mark.parametrize("name", MUTATED)
def test_every_mutation_of_every_formula_is_refuted_by_numbers(name):
    cell = CELLS[name]
    back = backward(cell)
    tried, misfits = 0, 0
    for equation in back.derived:
        for what, wrong in (*mutations(equation), *exchanges(back, equation)):
            if wrong == equation.expression:
                continue
            try:
                mutant = back.with_equation(equation.name, wrong)
            except DimensionError:
                misfits += 1
                continue
            (proof,) = prove(cell, formulas=mutant, only=[equation.name])
            assert proof.status == "refuted", f"{equation.name}: {what}"
            assert abs(proof.witness.formula - proof.witness.derivative) > 1e-6, f"{equation.name}: {what}"
            assert set(proof.witness.point) >= {s.name for s in cell.leaves}
            tried += 1
    assert tried > 5 * len(back.derived)
    assert misfits >= 4  # da_f zᵀ transposed does not fit: the shapes refute it


def test_a_wrong_formula_refutes_what_is_computed_from_it_and_the_induction():
    cell = CELLS["cifg"]
    back = backward(cell)
    mutant = back.with_equation("dc", add(*back["dc"].expression.args[1:]))
    found = {p.name: p for p in prove(cell, formulas=mutant)}
    assert found["dh"].status == "proved"
    assert found["dW_o"].status == "proved"
    for name in ("dc", "di", "dW_i", "dx", "dc_prev", "through time", "sequence, T=3"):
        assert found[name].status == "refuted", name
        assert found[name].witness is not None, name
    assert "the derivative is" in str(found["dW_i"])


def test_an_error_that_only_time_shows_is_found_by_the_explicit_sequence():
    cell = CELLS["cifg"]
    back = backward(cell)
    mutant = back.with_equation("dc_prev", scale(0, back["dc_prev"].expression))
    found = {p.name: p.status for p in prove(cell, formulas=mutant)}
    assert found["dW_c"] == "proved"
    assert found["dc_prev"] == found["sequence, T=3"] == "refuted"


def test_what_the_algebra_cannot_see_is_undecided_not_refuted():
    """σ written as a tanh has the same values; the normal form does not know."""
    cell = CELLS["vanilla"]
    back = backward(cell)
    o, a_o = back["o"].symbol, back["a_o"].symbol
    by_tanh = Elementwise(elementwise("sigmoid").func(SLOTS[:1], (1 + tanh(SLOTS[0] / 2)) / 2), a_o)
    mutant = back.with_equation("da_o", back["da_o"].expression.xreplace({o: by_tanh}))
    (proof,) = prove(cell, formulas=mutant, only=["da_o"])
    assert (proof.status, proof.witness) == ("undecided", None)


def test_proofs_come_one_by_one_and_report_progress():
    assert len(list(islice(proofs(CELLS["vanilla"]), 3))) == 3
    seen = []
    prove(CELLS["vanilla"], only=["dh", "do"], progress=seen.append)
    assert [p.name for p in seen] == ["dh", "do"]
    assert all(p.seconds > 0 for p in seen)
    with pytest.raises(ProgramError, match="no formula for dW_x"):
        prove(CELLS["vanilla"], only=["dW_x"])


FUNCTIONS = [*ACTIVATIONS.values(), elementwise(quotient, 2), elementwise(maximum, 2)]


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
def test_the_slope_of_every_activation_is_that_of_its_definition(function):
    assert [p.status for p in slope_proofs([function])] == ["proved"] * len(function.variables)


def test_a_wrong_slope_is_refuted():
    class wrong(Defined):  # noqa: N801
        nargs = 1

        @staticmethod
        def definition(x):
            return sigmoid.definition(x)

        def fdiff(self, argindex=1):
            return self * (1 + self)

    (proof,) = slope_proofs([elementwise(wrong)])
    assert proof.status == "refuted"
    assert set(proof.witness) == {"s"}


def test_identities_are_decided():
    s = SLOTS[0]
    assert compare(sigmoid(-s), 1 - sigmoid(s), [s])[0] == "proved"
    assert compare(tanh(s), 2 * sigmoid(2 * s) - 1, [s])[0] == "proved"
    assert compare(sigmoid(s) * sigmoid(-s), sigmoid(s) * (1 - sigmoid(s)), [s])[0] == "proved"
    status, witness = compare(sigmoid(s), (1 + tanh(s)) / 2, [s])
    assert status == "refuted"
    assert "s" in witness


def test_the_theorems_are_proved():
    found = list(theorems())
    assert {p.name: p.status for p in found if p.status != "proved"} == {}
    assert len(found) == 10


@pytest.mark.parametrize("make", [_sign_flip, _permutation, _two_biases])
def test_a_wrong_theorem_is_not_proved(make):
    right = make()
    assert right.proof().status == "proved"
    assert replace(right, base=lambda symbol, i, j: 2 * right.base(symbol, i, j)).proof().status != "proved"
    assert replace(right, claimed=lambda name, e: -right.claimed(name, e)).proof().status != "proved"


P, Q, J, K = (Symbol(name, integer=True, nonnegative=True) for name in "pqjk")
W, X, V = (IndexedBase(name) for name in "WXV")


def test_deltas_collapse_within_the_range_of_the_sum_only():
    ranges = {P: M, Q: N + M}
    assert normal(Sum(KroneckerDelta(J, P) * X[J], (J, 0, M - 1)), ranges) == X[P]
    assert normal(Sum(KroneckerDelta(J + N, Q) * X[J], (J, 0, M - 1)), {Q: N}) == 0
    outside = normal(Sum(KroneckerDelta(J, Q) * X[J], (J, 0, M - 1)), ranges)
    assert outside.has(KroneckerDelta)
    assert normal(Sum(Integer(1), (J, 0, M - 1)), ranges) == M


def test_sums_are_split_where_a_concatenation_ends():
    joined = Piecewise((X[J], J < N), (V[J - N], True))
    split = Sum(W[P, J] * X[J], (J, 0, N - 1)) + Sum(W[P, J + N] * V[J], (J, 0, M - 1))
    assert normal(Sum(W[P, J] * joined, (J, 0, N + M - 1)) - split, {P: M}) == 0
    assert normal(Sum(W[P, J] * joined, (J, 0, N + M - 1)) - 2 * split, {P: M}) != 0


def test_names_and_order_of_summed_indices_do_not_matter():
    first = Sum(Sum(W[J, K] * X[K] * V[J], (K, 0, M - 1)), (J, 0, M - 1))
    second = Sum(V[K] * Sum(X[J] * W[K, J], (J, 0, M - 1)), (K, 0, M - 1))
    assert normal(first - second, {}) == 0
    assert normal(first - second.xreplace({V: X, X: V}), {}) != 0
    inside = tanh(Sum(W[P, J] * X[J], (J, 0, M - 1))) - tanh(Sum(W[P, K] * X[K], (K, 0, M - 1)))
    assert normal(inside, {P: M}) == 0


def test_index_arithmetic_says_only_what_holds_for_all_sizes():
    ranges = {P: M, J: N}
    assert never_negative(M - 1 - P, ranges)
    assert not never_negative(N - 1 - P, ranges)
    assert never_equal(J, P + N, ranges)
    assert not never_equal(J, P, ranges)


# The command


def run_prove(*arguments):
    done = CliRunner().invoke(main, ["prove", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_proves_a_cell_of_a_file(tmp_path):
    (tmp_path / "mine.py").write_text("import lstm_spec as ls\ncell = ls.lstm(peepholes='o', name='mine')\n")
    code, out, _ = run_prove(f"{tmp_path}/mine.py:cell", "--only", "da_o,dp_o")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["proved", "proved"]
    assert "δp_o = Σ c∘δa_o is ∂loss/∂p_o for every n, m" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nosuch"], 'there is no cell "nosuch"'),
        (["lstm", "--only", "dW_x"], "lstm backward has no formula for dW_x; it has dh, do"),
        (["nofile.py:cell"], "there is no file nofile.py"),
        ([], "name a CELL, or ask for --theorems"),
        (["lstm", "--theorems"], "name no CELL"),
        (["--theorems", "--only", "dW_f"], "no --only"),
    ],
)
def test_what_cannot_be_proved_is_a_sentence(arguments, sentence):
    code, out, err = run_prove(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err


def test_json_has_every_proof_with_its_witness():
    code, out, _ = run_prove("lstm", "--only", "da_o", "--json", "-")
    (proof,) = json.loads(out)["proofs"]
    assert (code, proof["name"], proof["status"], proof["witness"]) == (0, "da_o", "proved", None)


def test_an_interruption_leaves_what_is_known(monkeypatch):
    def interrupted(cell, *, only=None):
        yield from islice(proofs(cell, only=only), 2)
        raise KeyboardInterrupt

    monkeypatch.setattr("lstm_spec.report.proofs.proofs", interrupted)
    code, out, _ = run_prove("lstm", "--json", "-")
    found = json.loads(out)
    assert (code, found["interrupted"], len(found["proofs"])) == (130, True, 2)
