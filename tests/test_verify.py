"""The verdict: every planted fault is found and shown small, nothing correct is accused, and the rest is said."""

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings

import lstm_spec as ls
from lstm_spec.spec.elementwise import FunctionError
from lstm_spec.spec.functions import sigmoid
from lstm_spec.spec.inference import infer_dimensions
from lstm_spec.spec.operators import apply, size, vector
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.packing import LayoutError
from lstm_spec.verify.asking import PROFILES, Asking
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.cut import cuts
from lstm_spec.verify.fit import UsageError, subject_of
from lstm_spec.verify.plain import simplicity
from lstm_spec.verify.verdict import MOST_INCONCLUSIVE
from tests import faulty

# What the report says of each fault: the check that finds it, and where.
TOLD = {
    "gates_permuted": ("step", "c at row 0, unit 0: expected"),
    "forget_bias_missing": ("step", "c at row 0, unit 0: expected 0.731058579, got 0.5, error"),
    "no_output_tanh": ("step", "y at step 0, row 0, unit 0: expected"),
    "previous_cell_in_output": ("step", "y at step 0, row 0, unit 0: expected"),
    "sigmoid_candidate": ("step", "c at row 0, unit 0: expected 0, got 0.25, error 0.25"),
    "hard_sigmoid_gates": ("step", "expected"),
    "initial_state_ignored": ("step", "expected"),
    "states_swapped": ("step", "expected"),
    "rows_mixed": ("step", "expected"),
    "last_step_dropped": ("step", "y at step 0, row 0, unit 0: expected"),
    "weight_slightly_off": ("step", "expected"),
    "input_changed": ("inputs", "forward changed its argument x in place"),
    "nan_for_large": ("step", "got nan, error inf"),
}


def quick(target, **options):
    return ls.verify(target, profile="quick", **options)


def test_every_fault_is_told():
    assert list(TOLD) == [fault.__name__ for fault in faulty.FAULTS]


@pytest.mark.parametrize("fault", faulty.FAULTS, ids=lambda f: f.__name__)
def test_a_planted_fault_is_found_and_its_case_is_small(fault):
    report = quick(fault)
    assert report.verdict == "discrepancy"
    assert report.exit_status == 1
    check, words = TOLD[fault.__name__]
    found = next(c for c in report.checks if c.status == "discrepancy")
    assert found.id == check
    assert words in found.message
    case = report.finding.case
    assert case.T <= 3
    assert max(case.x.shape[-1], case.states[0].shape[-1]) <= 3
    with np.errstate(all="ignore"):
        outputs = fault({k: v.copy() for k, v in case.params.items()}, case.x.copy(), *(s.copy() for s in case.states))
    right = faulty.correct(case.params, case.x, *case.states)
    if report.finding.deviation is not None:
        assert any((got != wanted).any() for got, wanted in zip(outputs, right, strict=True))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_the_plain_cell_is_verified(dtype):
    report = quick(faulty.correct, dtypes=(dtype,), seed=7)
    assert report.verdict == "verified", str(report)
    assert all(c.worst is None or c.worst.ratio <= 1 for c in report.checks)


def test_a_weight_that_is_slightly_off_is_seen_in_float32():
    report = quick(faulty.weight_slightly_off, dtypes=("float32",))
    assert report.verdict == "discrepancy"
    assert report.finding.case.dtype == np.float32


def test_what_depends_on_a_failed_check_is_blocked():
    statuses = {c.id: c.status for c in quick(faulty.gates_permuted).checks}
    assert statuses["signature"] == "verified"
    assert statuses["sequence"] == statuses["carry"] == "blocked"
    assert statuses["gradients"] == "not_claimed"


def without_seconds(report):
    told = report.to_dict()
    assert told.pop("seconds") >= 0
    return json.dumps(told)


@pytest.mark.parametrize("fault", [faulty.correct, faulty.rows_mixed], ids=lambda f: f.__name__)
def test_the_same_seed_gives_the_same_report(fault):
    """Whatever profile of Hypothesis the user has loaded."""
    first = without_seconds(quick(fault, seed=3))
    settings.register_profile("theirs", derandomize=True, max_examples=3)
    settings.load_profile("theirs")
    try:
        assert without_seconds(quick(fault, seed=3)) == first
    finally:
        settings.load_profile("house")


def test_another_seed_asks_other_cases():
    asked = {seed: [] for seed in (0, 1)}
    for seed, cases in asked.items():

        def forward(params, x, h0, c0, cases=cases):
            cases.append(x.tobytes())
            return faulty.correct(params, x, h0, c0)

        quick(forward, seed=seed, checks=["sequence"])
    # The simplest case of all and a few more may be common to both.
    assert len(set(asked[0]) & set(asked[1])) < len(asked[0]) / 2


def test_the_report_as_json_has_what_others_rely_on():
    told = json.loads(json.dumps(quick(faulty.gates_permuted).to_dict()))
    assert told["verdict"] == "discrepancy"
    assert (told["target"], told["spec"], told["seed"]) == ("gates_permuted", "lstm", 0)
    assert {"lstm_spec", "python", "numpy", "sympy", "hypothesis"} <= set(told["versions"])
    for check in told["checks"]:
        assert {"id", "status", "clause", "cases", "worst", "message"} <= set(check)
    step = next(check for check in told["checks"] if check["id"] == "step")
    assert step["worst"]["error"] > step["worst"]["allowed"] > 0
    assert isinstance(told["diagnosis"], list)
    counterexample = told["counterexample"]
    assert float.fromhex(counterexample["states"]["c0"][0][0]) == 1
    assert counterexample["deviation"]["output"] == "c"


def test_only_the_checks_that_are_asked_for():
    ids = [c.id for c in quick("numpy", checks=["step", "inputs"]).checks]
    assert ids == ["step", "inputs"]
    ids = [c.id for c in quick(faulty.correct, skip=["batch", "carry"]).checks if not c.id.startswith("law_")]
    assert ids == ["signature", "step", "sequence", "inputs", "repeat", "weights", "views", "poison", "gradients"]


def test_what_is_required_but_not_claimed_is_a_discrepancy():
    report = quick(faulty.correct, checks=["signature"], require=["gradients"])
    assert report.verdict == "discrepancy"
    assert report.checks[-1].message == "the target offers no backward, but gradients are required"


def test_nothing_but_what_is_not_claimed_is_inconclusive():
    report = quick(faulty.correct, checks=["gradient_step"])
    assert (report.verdict, report.exit_status, report.cases) == ("inconclusive", 3, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checks": ["stp"]}, 'there is no check "stp"; did you mean step?'),
        ({"skip": ["zebra"]}, f'there is no check "zebra"; there is {", ".join(c.id for c in CHECKS)}'),
        ({"checks": []}, "no check is left to ask; the checks are signature, step"),
        ({"checks": ["step"], "skip": ["step"]}, "no check is left to ask"),
        ({"profile": "quik"}, 'there is no profile "quik"; did you mean quick?'),
        ({"profile": "x"}, 'there is no profile "x"; there is quick, standard, deep'),
        ({"dtypes": ["float65"]}, 'there is no format "float65"; did you mean float64?'),
        ({"dtypes": []}, "no format is left to check; there is float64, float32, float16, bfloat16"),
        ({"require": ["gradient"]}, 'there is no capability "gradient"; did you mean gradients?'),
    ],
    ids=str,
)
def test_an_option_that_does_not_exist_is_answered_with_the_closest(options, message):
    with pytest.raises(UsageError) as error:
        ls.verify("numpy", **options)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"layout": "pytorch"}, TargetError, "numpy is built in and says its own layout; leave --layout out"),
        ({"spec": "cifg"}, TargetError, "numpy is built in; its parameters are not those of cifg; they differ in W_"),
        ({"spec": "lstmm"}, ValueError, 'there is no cell "lstmm"; did you mean lstm?'),
        ({"spec": "nowhere.py:cell"}, TargetError, "there is no file nowhere.py"),
    ],
    ids=str,
)
def test_what_does_not_fit_a_built_in_target_is_said_in_one_sentence(options, kind, message):
    with pytest.raises(kind) as error:
        ls.verify("numpy", **options)
    assert str(error.value).startswith(message)


def test_a_function_of_ones_own_may_have_the_name_of_a_built_in_target():
    def torch(params, x, h0, c0):
        raise RuntimeError("asked")

    assert "RuntimeError: asked" in quick(torch, spec="cifg").finding.message


def test_a_layout_that_cannot_hold_the_cell_is_said_before_anything_is_asked():
    def forward(*arguments):
        raise AssertionError("nothing is asked")

    with pytest.raises(LayoutError, match="the layout pytorch has the states h, c, but the cell has h"):
        ls.verify(forward, spec="gru", layout="pytorch")


def test_a_function_without_rules_is_said_where_it_is_given():
    """ζ(2 + σ(a)): SymPy knows it, but no rule says how far off it may be."""
    from sympy import Lambda, Symbol, zeta

    s = Symbol("s", real=True)
    with pytest.raises(FunctionError, match="zeta"):
        apply(Lambda((s,), zeta(2 + sigmoid(s))), vector("a", size("m")))


def test_what_files_hold_does_not_change_what_is_asked(tmp_path, monkeypatch):
    """Hypothesis mixes numbers of the user's own files into what it draws, so that a seed would mean little."""
    before = quick(faulty.correct).checks
    (tmp_path / "full_of_numbers.py").write_text(f"NUMBERS = {list(range(10**6, 10**6 + 900))}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("full_of_numbers")
    after = quick(faulty.correct).checks
    assert [(c.id, c.worst, c.spread) for c in after] == [(c.id, c.worst, c.spread) for c in before]


def interrupted_after(calls):
    """A correct target that somebody stops while it computes."""
    left = iter(range(calls))

    def forward(params, x, h0, c0):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return faulty.correct(params, x, h0, c0)

    return forward


@pytest.mark.parametrize("calls", [0, 5, 12, 30, 100])
def test_an_interrupted_run_keeps_what_it_knows_and_is_never_verified(calls):
    report = quick(interrupted_after(calls))
    assert report.interrupted
    assert (report.verdict, report.exit_status) == ("inconclusive", 130)
    assert report.cases == calls
    *before, last = [c for c in report.checks if c.id != "gradients"]
    assert all(c.status == "verified" for c in before)
    assert (last.status, last.message) == ("inconclusive", "interrupted")


def test_an_interruption_does_not_hide_a_fault():
    calls = []

    def forward(params, x, h0, c0):
        calls.append(1)
        if len(calls) > 60:
            raise KeyboardInterrupt
        return faulty.gates_permuted(params, x, h0, c0)

    report = quick(forward)
    assert (report.verdict, report.exit_status) == ("discrepancy", 130)
    assert report.finding is not None


def test_where_nothing_can_be_told_the_verdict_is_inconclusive():
    """Numbers that overflow in float16: whatever comes is nobody's fault, and is not passed over in silence."""
    weights = {name: np.full(shape, 6e4) for name, shape in ls.lstm().dimensions(n=3, m=2).items()}

    class Huge:
        dtypes = ("float16",)

        def forward(self, params, x, h0, c0):
            return np.full((*x.shape[:2], 2), np.nan, x.dtype), np.full_like(h0, np.nan), np.full_like(c0, np.nan)

    Huge.weights = weights
    report = quick(Huge, checks=["step"])
    assert (report.verdict, report.exit_status) == ("inconclusive", 3)
    assert report.checks[0].inconclusive == report.cases == 60
    assert report.to_dict()["checks"][0]["inconclusive"] == 60
    assert report.checks[0].message == "every case was too ill-conditioned to tell"


def test_a_check_most_of_whose_cases_cannot_tell_is_inconclusive():
    """Although what the others tell agrees."""
    asking = Asking(subject_of(faulty.correct, None, None), PROFILES["quick"], ("float64",), 0, CHECKS)
    step = next(check for check in CHECKS if check.id == "step")

    def unsure(subject, case, contract):
        outcome = step.examine(subject, case, contract)
        return replace(outcome, comparison=replace(outcome.comparison, conclusive=case.regime == "wide range"))

    result = asking.result_of(replace(step, examine=unsure))
    assert 0 < result.cases - result.inconclusive < (1 - MOST_INCONCLUSIVE) * result.cases
    assert result.status == "inconclusive"
    assert result.message == f"{result.inconclusive} of {result.cases} cases were too ill-conditioned to tell"


def test_a_seeded_case_is_always_the_same():
    options = {"sizes": {"n": 2, "m": 3}, "T": 2, "B": 1, "regime": "usual", "seed": 5}
    first, second = (seeded_case(ls.lstm(), "float32", **options) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first.arrays, second.arrays, strict=True))
    assert {a.dtype for a in first.arrays} == {np.dtype("float32")}


def test_assert_conforms_says_what_is_wrong():
    with pytest.raises(AssertionError, match=r"DISCREPANCY sigmoid_candidate against lstm, .* step: c at row 0"):
        ls.assert_conforms(faulty.sigmoid_candidate)


@pytest.mark.parametrize(
    ("fault", "dtype", "seed"),
    [
        (faulty.nan_for_large, "float64", 1),
        (faulty.weight_slightly_off, "float32", 1),
        (faulty.nan_for_large, "float32", 2),
        (faulty.input_changed, "float64", 3),
        (faulty.rows_mixed, "float64", 0),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_units_and_rows_that_do_not_matter_are_left_out(fault, dtype, seed):
    """Seeds with which Hypothesis alone leaves four units, or a row between two that are mixed."""
    case = quick(fault, dtypes=(dtype,), seed=seed).finding.case
    assert max(*case.x.shape, case.states[0].shape[-1]) <= 2


def test_a_fault_of_large_cases_only_is_shown_by_the_smallest_of_them():
    def forward(params, x, h0, c0):
        y, h, c = faulty.correct(params, x, h0, c0)
        return (y + 1e-3, h, c) if len(x) >= 11 and h0.shape[-1] >= 9 else (y, h, c)

    report = quick(forward)
    assert next(c.id for c in report.checks if c.status == "discrepancy") == "sequence"
    case = report.finding.case
    assert (case.T, case.B, case.x.shape[-1], case.states[0].shape[-1]) == (11, 1, 1, 9)
    assert not any(np.any(array) for array in case.arrays)


@pytest.mark.parametrize("name", ["lstm", "peephole", "cifg", "gru"])
@pytest.mark.parametrize("what", ["B", "T", "n", "m", ""])
def test_every_cut_is_a_valid_case_with_less_in_it(name, what):
    cell = ls.cell(name)
    options = {"T": 3, "B": 3, "regime": "usual", "seed": 1, "gradients": True}
    case = seeded_case(cell, "float32", sizes={s.name: 3 for s in cell.sizes}, **options)
    every = list(cuts(cell, case, what))
    assert every
    for less in every:
        assert simplicity(less) < simplicity(case)
        assert infer_dimensions(cell, {k: p.shape for k, p in less.params.items()} | {"x": less.x.shape})
        assert {a.dtype for a in less.arrays} == {np.dtype("float32")}
        assert [s.shape for s in less.states] == [d.shape for d in less.cotangents[1:]]


def test_a_unit_is_left_out_of_everything_that_has_it():
    """What the rest computes is what it computed before, since the unit's weights to the others were zero."""
    cell = ls.lstm()
    case = seeded_case(cell, "float64", sizes={"n": 2, "m": 3}, T=3, B=2, regime="usual", seed=4)
    for name in ("W_f", "W_i", "W_c", "W_o"):
        case.params[name][[0, 2], 2 + 1] = 0
    before = faulty.correct(case.params, case.x, *case.states)[0][..., [0, 2]]
    narrow = [c for c in cuts(cell, case, "m") if c.states[0].shape[-1] == 2]
    assert any(np.allclose(faulty.correct(c.params, c.x, *c.states)[0], before, rtol=1e-12) for c in narrow)
