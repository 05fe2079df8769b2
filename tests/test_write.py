"""Every format: golden lines, LaTeX that compiles, MathML that is well formed, and the function itself."""

import os
import subprocess
import sys

import pytest

import lstm_spec as ls
from lstm_spec.calculus.jacobian import jacobian
from lstm_spec.spec.notations import NOTATIONS
from lstm_spec.spec.scalars import WriteError
from lstm_spec.write.latex import latex
from tests.formats import HAS_LATEX, compile_latex, read_latex, read_mathml
from tests.written import CELLS, PROGRAMS, line

EVERY = [
    (program, format, notation, level)
    for program in PROGRAMS
    for format in ("text", "latex", "markdown", "mathml")
    for notation in NOTATIONS
    for level in ("matrix", "unit")
]


# Golden lines


def test_the_vanilla_cell_as_text():
    assert ls.write(CELLS["vanilla"]).splitlines() == [
        "z = [x; h']",
        "a_f = W_f z + b_f",
        "f = σ(a_f)",
        "a_i = W_i z + b_i",
        "i = σ(a_i)",
        "a_c = W_c z + b_c",
        "c̃ = tanh(a_c)",
        "c = f∘c' + i∘c̃",
        "a_o = W_o z + b_o",
        "o = σ(a_o)",
        "h = o∘tanh(c)",
    ]


def test_the_peephole_cell_in_latex():
    written = ls.write(CELLS["peephole"], format="latex", only=["z", "a_f", "c_tilde", "c", "a_o", "h"])
    assert written.splitlines() == [
        r"\begin{align}",
        r"z_t &= [x_t; h_{t-1}] \\",
        r"a_{f,t} &= W_f\, z_t + b_f + p_f\circ c_{t-1} \\",
        r"\tilde{c}_t &= \tanh(a_{c,t}) \\",
        r"c_t &= f_t\circ c_{t-1} + i_t\circ \tilde{c}_t \\",
        r"a_{o,t} &= W_o\, z_t + b_o + p_o\circ c_t \\",
        r"h_t &= o_t\circ \tanh(c_t)",
        r"\end{align}",
    ]


def test_the_coupled_gate_in_markdown_with_primes():
    written = ls.write(CELLS["cifg"], format="markdown", only=["f", "c"], time="prime")
    assert written.splitlines() == [
        "$$",
        r"\begin{aligned}",
        r"f &= 1 - i \\",
        r"c &= f\circ c' + i\circ \tilde{c}",
        r"\end{aligned}",
        "$$",
    ]


def test_the_backward_pass_prints_its_adjoints_only():
    back = PROGRAMS["peephole backward"]
    written = ls.write(back).splitlines()
    assert written[:4] == [
        "δh = δy + δh⁺",
        "δo = δh∘tanh(c)",
        "δa_o = δo∘o∘(1 − o)",
        "δc = δh∘o∘(1 − tanh(c)∘tanh(c)) + p_o∘δa_o + δc⁺",
    ]
    assert "δW_f = Σ_t δa_f zᵀ" in written
    assert "δp_o = Σ_t c∘δa_o" in written
    assert len(written) == len(back.derived)
    assert line(back, "c") == "c = f∘c' + i∘c̃"
    assert line(back, "dh_prev", format="latex", notation="pytorch").splitlines()[1] == (
        r"\delta h_{t-1}^+ &= \delta z_t[n{:}n+m]"
    )


def test_a_sum_over_steps_takes_brackets_around_a_sum_of_terms():
    second = PROGRAMS["second order"]
    assert line(second, "d2W_f") == "δ²W_f = Σ_t (δ²a_f zᵀ + δa_f δ²δzᵀ)"
    assert line(PROGRAMS["vanilla backward"], "db_f", format="latex").splitlines()[1] == (
        r"\delta b_f &= \sum_t \delta a_{f,t}"
    )


def test_the_unit_level_has_explicit_sums_in_the_order_of_the_matrix_level():
    assert line(CELLS["peephole"], "a_f", level="unit") == (
        "a_{f,k} = Σ_{j=0}^{n−1} W_{f,k,j} x_j + Σ_{j=0}^{m−1} W_{f,k,n+j} h_j' + b_{f,k} + p_{f,k} c_k'"
    )
    assert line(CELLS["vanilla"], "h", level="unit", format="latex").splitlines()[1] == (
        r"h_{t,k} &= o_{t,k}\, \tanh(c_{t,k})"
    )
    back = PROGRAMS["vanilla backward"]
    assert line(back, "dW_f", level="unit") == "δW_{f,k,j} = Σ_t δa_{f,k} z_j"
    assert line(back, "dh_prev", level="unit") == "δh_k' = δz_{n+k}"
    assert "z_k" not in ls.write(CELLS["vanilla"], level="unit")


def test_jacobians_are_written_as_derivatives():
    program = PROGRAMS["jacobian"]
    assert line(jacobian(CELLS["vanilla"]), "J_c_c_prev") == "∂c/∂c' = diag(f)"
    assert line(program, "J_h_c_prev").endswith(" ∂c/∂c'")
    written = line(program, "J_h_h_prev", format="latex").splitlines()[1]
    assert written.startswith(
        r"\frac{\partial h_t}{\partial h_{t-1}} &= \mathrm{diag}(\tanh(c_t)\circ o_t\circ (1 - o_t))\, W_o"
    )
    assert line(program, "J_c_c_prev", level="unit").startswith("∂c_k/∂c_j' = (")


def test_a_concatenation_that_stays_is_written_by_cases():
    assert line(CELLS["vanilla"], "z", level="unit") == "z_k = x_k if k < n, h_{k−n}' otherwise"
    written = line(CELLS["vanilla"], "z", level="unit", format="latex")
    assert r"\begin{cases}x_{t,k} & \text{if } k < n \\ h_{t-1,k-n} & \text{otherwise}\end{cases}" in written


def test_one_equation_in_mathml():
    (row,) = read_mathml(ls.write(CELLS["vanilla"], format="mathml", only=["h"])).iter(
        "{http://www.w3.org/1998/Math/MathML}mtr"
    )
    assert "".join(row.itertext()) == "ht=ot∘tanh(ct)"


# LaTeX and MathML


@pytest.mark.parametrize(("program", "notation", "level"), sorted({(p, n, v) for p, _, n, v in EVERY}))
def test_every_formula_is_readable_latex_and_well_formed_mathml(program, notation, level):
    read_latex(ls.write(PROGRAMS[program], format="latex", notation=notation, level=level))
    read_mathml(ls.write(PROGRAMS[program], format="mathml", notation=notation, level=level))


@pytest.mark.skipif(not HAS_LATEX, reason="no pdflatex; the reader above stands in for it")
def test_every_formula_compiles_with_a_stock_article_class(tmp_path):
    bodies = [ls.write(PROGRAMS[p], format=f, notation=n, level=v) for p, f, n, v in EVERY if f == "latex"]
    assert compile_latex(bodies, tmp_path) == []


@pytest.mark.parametrize(
    "broken",
    [
        r"\begin{align}x &= {y\end{align}",
        r"\begin{align}x_t_t &= y\end{align}",
        r"\begin{align}h'^{\top} &= y^2^2\end{align}",
        r"\begin{align}x &= \unknown y\end{align}",
        r"\begin{align}x &= y\end{gather}",
    ],
)
def test_the_reader_of_latex_refuses_what_latex_refuses(broken, tmp_path):
    with pytest.raises(AssertionError):
        read_latex(broken)
    if HAS_LATEX:
        assert compile_latex([broken], tmp_path) != []


def test_the_reader_of_latex_takes_a_group_after_a_script_for_a_new_base():
    read_latex(ls.write(ls.cell("layer_norm_gate"), format="latex", level="unit"))


@pytest.mark.parametrize(
    "broken", ["<math><mrow></math>", "<math><msub><mi>a</mi></msub></math>", "<math>a</math>", "<math><b>a</b></math>"]
)
def test_the_reader_of_mathml_refuses_what_is_not_mathml(broken):
    with pytest.raises((AssertionError, SyntaxError)):
        read_mathml(broken)


# The function itself


def test_output_is_the_same_in_every_process():
    script = (
        "import hashlib, lstm_spec as ls\n"
        "p = ls.backward(ls.lstm(peepholes='fio', biases=2))\n"
        "texts = [ls.write(q, format=f, notation=n, level=v) for q in (ls.lstm(concat=None), p)\n"
        "    for f in ('text', 'latex', 'mathml') for n in ('greff', 'pytorch') for v in ('matrix', 'unit')]\n"
        "texts += [ls.write(p, format=f) for f in ('numpy', 'torch', 'jax')]\n"
        "texts += [ls.write(ls.backward(ls.cell(name))) for name in ls.cells()[::5]]\n"
        "texts += [str(p) for p in ls.prove(ls.cell('gru'), only=['dR_r', 'dh_prev'])]\n"
        "print(hashlib.sha256('\\0'.join(texts).encode()).hexdigest())\n"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE
        )
        for seed in ("0", "1", "77")
    ]
    digests = [process.communicate()[0] for process in running]
    assert len(set(digests)) == 1
    assert len(digests[0].strip()) == 64


def test_entering_the_room_does_not_hide_the_function():
    import lstm_spec.write.source  # noqa: F401
    from lstm_spec.write import latex as module

    assert callable(ls.write)
    assert module.latex is latex


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"format": "latx"}, r'there is no format "latx", it is one of text, .*jax; did you mean "latex"\?'),
        ({"level": "gate"}, 'level is one of "matrix", "unit", got \'gate\''),
        ({"only": ["g"]}, "lstm defines no g; it defines z, a_f"),
        ({"only": ["g"], "format": "jax"}, "lstm defines no g; it defines z, a_f"),
        ({"time": "index"}, "time is one of prime, subscript, superscript, got 'index'"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused_in_a_sentence(options, sentence):
    with pytest.raises(WriteError, match=sentence):
        ls.write(CELLS["vanilla"], **options)
