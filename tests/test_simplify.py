"""The case that a report shows is the simplest that there is, and its Python shows the fault to a fresh interpreter."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.verify import simplify
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.checks import CHECKS
from lstm_spec.verify.cut import cuts
from lstm_spec.verify.plain import digits, simplicity
from lstm_spec.verify.search import Finding
from lstm_spec.verify.selftest import planted
from lstm_spec.verify.simplify import simplest
from tests import faulty
from tests.faulty_layers import stack

ROOT = Path(__file__).parent.parent


def when(shows, *, off=0.25):
    """Return an LSTM that is off by a quarter where x and h0 are like that."""

    def forward(params, x, h0, c0):
        y, h, c = faulty.correct(params, x, h0, c0)
        return (y + np.asarray(off, y.dtype) if shows(x, h0) else y, h, c)

    return forward


def found(target, **options):
    return ls.verify(target, **{"profile": "quick", "diagnose": False, **options}).finding


def sizes(case):
    return (*case.x.shape, case.states[0].shape[-1])


@pytest.mark.parametrize(
    ("shows", "T_B_n_m"),
    [
        (lambda x, h0: True, (1, 1, 1, 1)),
        (lambda x, h0: h0.shape[-1] >= 4, (1, 1, 1, 4)),
        (lambda x, h0: h0.shape[-1] % 8, (1, 1, 1, 1)),
        (lambda x, h0: h0.shape[-1] % 4 == 0, (1, 1, 1, 4)),
        (lambda x, h0: x.shape[-1] > 8, (1, 1, 9, 1)),
        (lambda x, h0: x.shape[-1] == h0.shape[-1] > 1, (1, 1, 2, 2)),
        (lambda x, h0: x.shape[-1] > h0.shape[-1], (1, 1, 2, 1)),
        (lambda x, h0: x.shape[1] >= 5, (1, 5, 1, 1)),
        (lambda x, h0: x.shape[1] == 3, (1, 3, 1, 1)),
        (lambda x, h0: len(x) == 20, (20, 1, 1, 1)),
        (lambda x, h0: len(x) > 8 and h0.shape[-1] > 5, (9, 1, 1, 6)),
    ],
)
def test_a_fault_of_some_sizes_is_shown_by_the_smallest_of_them_and_nothing_else(shows, T_B_n_m):
    case = found(when(shows)).case
    assert sizes(case) == T_B_n_m
    assert not case.numbers.any()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize(
    ("shows", "number", "text"),
    [
        (lambda x: x > 3, 10.0, "10"),
        (lambda x: x < -2.5, -10.0, "-10"),
        (lambda x: (x > 0.37) & (x < 0.39), 0.38, "0.38"),
        (lambda x: (x > 1.115) & (x < 1.14), 1.12, "1.12"),
    ],
    ids=["above", "below", "two digits", "three digits"],
)
def test_a_number_is_as_plain_as_the_fault_allows(shows, number, text, dtype):
    pytest.importorskip("ml_dtypes")
    case = replace(a_case("float64", T=1, B=1, sizes={"n": 1, "m": 1}), seed=None)
    case = case.with_numbers(np.linspace(-20, 20, case.numbers.size)[::-1])
    case = replace(case, x=np.full((1, 1, 1), 9.7654321 if number == 10 else -9.87 if number < 0 else number + 0.00123))
    case = in_format(case, dtype)
    plain = simplest(ls.lstm(), case, simpler_with(case, lambda less: bool(shows(less.x.astype(np.float64)).any())))
    there = plain.numbers[plain.numbers != 0]
    assert there.astype(np.float64) == pytest.approx([number], rel=2**-8)
    assert digits(there[0]) == len(text.strip("-").replace(".", "").strip("0"))
    assert np.array(float(text)).astype(plain.dtype) == there[0]


def a_case(dtype, *, T=3, B=3, sizes=None, gradients=False, seed=1):
    options = {"T": T, "B": B, "regime": "usual", "seed": seed, "gradients": gradients}
    return seeded_case(ls.lstm(), dtype, sizes=sizes or {"n": 3, "m": 3}, **options)


def in_format(case, dtype):
    arrays = {"x": case.x.astype(dtype), "states": tuple(s.astype(dtype) for s in case.states)}
    return replace(case, params={name: p.astype(dtype) for name, p in case.params.items()}, **arrays)


def simpler_with(case, shows):
    """Return what says whether a case is simpler than all before it and still shows something."""
    best = [case]

    def fails(less):
        if simplicity(less) >= simplicity(best[0]) or not shows(less):
            return False
        best[0] = less
        return True

    return fails


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_nothing_makes_the_simplest_case_simpler(dtype):
    """One more round over it finds nothing, and parameters that are fixed stay as they are."""
    case, asked = a_case(dtype, gradients=True), []
    shows = lambda less: less.x.shape[-1] > 1 and np.abs(less.x).max() > 1.5  # noqa: E731
    least = simplest(ls.lstm(), case, simpler_with(case, shows))
    assert (least.T, least.B, least.x.shape[-1]) == (1, 1, 2)
    assert sorted(least.numbers[least.numbers != 0]) in ([2.0], [-2.0])
    assert simplest(ls.lstm(), least, simpler_with(least, lambda less: asked.append(less) or shows(less))) is least
    assert asked
    fixed = simplest(ls.lstm(), case, simpler_with(case, shows), fixed=True)
    assert all(np.array_equal(fixed.params[name], p) for name, p in case.params.items())
    assert (fixed.T, fixed.B) == (1, 1)


def test_one_number_is_found_where_three_would_do_too():
    """None of the three can be left out, so that leaving out alone would end with them."""
    case = a_case("float64", T=1, B=1, sizes={"n": 1, "m": 1})
    shows = lambda less: less.params["b_f"].any() or all(less.params[f"W_{g}"][0, 0] for g in "fio")  # noqa: E731
    three = replace(case, params={**case.params, "b_f": np.zeros(1)})
    least = simplest(ls.lstm(), three, simpler_with(three, shows))
    assert least.params["b_f"] == [1]
    assert np.count_nonzero(least.numbers) == 1


def test_a_limit_that_a_sum_of_many_terms_goes_beyond_is_shown_by_a_large_number():
    case = a_case("float64", T=1, B=1, sizes={"n": 4, "m": 3})
    shows = lambda less: less.x.sum() + np.abs(less.states[0]).sum() > 10  # noqa: E731
    many = replace(case, x=np.full((1, 1, 4), 1.6), states=(np.full((1, 3), 1.7), case.states[1]))
    least = simplest(ls.lstm(), many, simpler_with(many, shows))
    assert sizes(least) == (1, 1, 1, 1)
    assert np.count_nonzero(least.numbers) == 1
    assert max(map(digits, least.numbers)) == 1


def test_a_network_is_cut_in_all_its_layers():
    network = ls.layers(count=2, bidirectional=True)
    target = ls.Target(
        name="stack",
        forward=stack(layers=2, bidirectional=True, fault="reverse not flipped"),
        spec=network,
    )
    case = found(target).case
    assert sizes(case)[1:] == (1, 1, 1)
    assert case.T <= 2
    assert max(map(digits, case.numbers)) <= 1


def test_a_slow_target_is_asked_no_more_when_time_is_out(monkeypatch):
    calls = []

    def slow(params, x, h0, c0):
        calls.append(x)
        return faulty.sigmoid_candidate(params, x, h0, c0)

    monkeypatch.setattr(simplify, "MOST_SECONDS", -1.0)
    assert found(slow, checks=["step"]) is not None
    first = len(calls)
    monkeypatch.undo()
    monkeypatch.setattr(simplify, "MOST_CALLS", 5)
    calls.clear()
    assert found(slow, checks=["step"]) is not None
    assert len(calls) <= first + 5


def test_a_simpler_case_shows_the_same_fault():
    """Not one of another kind, nor what is not a number in place of a wrong one, nor an error by a hair."""
    finding = found(when(lambda x, h0: True))
    wrong = finding.deviation
    off = lambda times: replace(finding, deviation=replace(wrong, got=wrong.expected + times * wrong.allowed))  # noqa: E731
    assert finding.is_like(finding)
    assert finding.is_like(off(1.5))
    assert off(3).is_like(finding)
    assert off(1.5).is_like(off(1.4))
    assert not off(1.5).is_like(finding)
    assert not replace(finding, deviation=replace(wrong, got=np.nan)).is_like(finding)
    assert not Finding("it raised", finding.case, fault="form").is_like(finding)
    assert not Finding("laws differ", finding.case).is_like(finding)


def test_sizes_that_are_equal_become_smaller_together():
    case = a_case("float64", sizes={"n": 4, "m": 4})
    assert {(c.x.shape[-1], c.states[0].shape[-1]) for c in cuts(ls.lstm(), case, "")} >= {(1, 1), (2, 2), (3, 3)}
    assert not list(cuts(ls.lstm(), a_case("float64", sizes={"n": 2, "m": 4}), ""))


@cache
def catalogue():
    return {fault.id: fault for fault in planted(ls.lstm())}


def steps_needed(fault):
    """In how many steps a fault of a period or a window shows at the earliest, as its name says."""
    period = re.search(r"(?:reset|truncated|last)-(\d+)", fault)
    return int(period[1]) + 1 if period else 1


def one_of_every_kind():
    return list({fault.kind: fault.id for fault in catalogue().values() if steps_needed(fault.id) < 20}.values())


FAULTS = """
from lstm_spec import lstm
from lstm_spec.verify.selftest import planted

every = {fault.id: fault for fault in planted(lstm())}
"""
MINE = """
from catalogue_of_faults import every

class Mine:
    forward = staticmethod(every["{fault}"].forward)
    {backward}
"""
BACKWARD = 'backward = staticmethod(every["{fault}"].backward)'
PASTED = """
import json
import sys

for fault, snippet in json.load(sys.stdin).items():
    try:
        exec(snippet, {})
    except AssertionError:
        continue
    print(fault)
"""


def shown(fault, folder):
    """Return what is reported of a fault of the catalogue in a file of its own."""
    module = f"fault_{len(list(folder.glob('*.py')))}.py"
    backward = BACKWARD.format(fault=fault) if catalogue()[fault].in_gradients_only else ""
    (folder / module).write_text(MINE.format(fault=fault, backward=backward))
    checks = [check.id for check in CHECKS if check.gradients == bool(backward)]
    return ls.verify(f"{module}:Mine", profile="quick", checks=checks, diagnose=False)


def check_counterexamples(faults, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    (folder / "catalogue_of_faults.py").write_text(FAULTS)
    reports = {fault: shown(fault, folder) for fault in faults}
    monkeypatch.delitem(sys.modules, "catalogue_of_faults", raising=False)
    failing = {fault: report.failing for fault, report in reports.items() if report.failing}
    missed = sorted(reports.keys() - failing.keys())
    # What needs more steps than the sequences of this profile have is not found.
    assert [fault for fault in missed if steps_needed(fault) < 20] == []
    for fault, check in failing.items():
        case = check.finding.case
        T, B, n, m = sizes(case)
        assert max(3, steps_needed(fault)) >= T, fault
        assert max(n, m) <= 3, fault
        assert B <= 2, fault
        assert max(map(digits, case.numbers)) <= 3, fault
        assert "ls.replay" not in check.snippet, fault
    snippets = json.dumps({fault: check.snippet for fault, check in failing.items()})
    environment = {"PYTHONPATH": f"{ROOT}:{folder}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PASTED], input=snippets, text=True, capture_output=True, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == []


def test_a_fault_of_every_kind_has_a_small_case_whose_python_shows_it(tmp_path, monkeypatch):
    assert len(one_of_every_kind()) >= 28
    check_counterexamples(one_of_every_kind(), tmp_path, monkeypatch)


@pytest.mark.catalogue
def test_every_fault_of_the_catalogue_has(tmp_path, monkeypatch):
    check_counterexamples(catalogue(), tmp_path, monkeypatch)
