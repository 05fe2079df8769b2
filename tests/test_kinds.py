"""A wrong function is told from the right one computed too coarsely, by asking again under laxer contracts."""

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.compute.accuracy import FORMATS, accuracy
from lstm_spec.compute.layer import backward, forward
from lstm_spec.report.html import html
from lstm_spec.report.junit import junit
from lstm_spec.report.schema import report_schema
from lstm_spec.verify.kinds import coarser
from tests import faulty, misbehaving
from tests.test_contracts import rounded_products

SEMANTIC = [f for f in faulty.FAULTS if f not in (faulty.weight_slightly_off, faulty.input_changed)]


def quick(target, **options):
    return ls.verify(target, profile="quick", diagnose=False, **options)


@pytest.mark.parametrize("fault", SEMANTIC, ids=lambda f: f.__name__)
def test_a_wrong_function_is_semantic(fault):
    report = quick(fault)
    assert report.kind == "semantic"
    assert {c.kind for c in report.checks if c.finding} == {"semantic"}
    assert report.to_dict()["kind"] == "semantic"


@pytest.mark.parametrize(
    "target",
    [
        misbehaving.raises,
        misbehaving.batch_first,
        misbehaving.float32_out,
        misbehaving.nothing,
        misbehaving.writes_into_h0,
        faulty.input_changed,
    ],
    ids=lambda f: f.__name__,
)
def test_no_answer_is_a_kind_of_its_own_wherever_it_is_told(target):
    report = quick(target)
    assert report.kind == "misbehaviour"
    told = report.to_dict()
    jsonschema.validate(told, report_schema())
    assert {told["kind"], *(c["kind"] for c in told["checks"] if c["status"] == "discrepancy")} == {"misbehaviour"}
    assert "(MISBEHAVIOUR)" in html(report)
    assert 'type="misbehaviour"' in junit(report)


def inside(dtype):
    """The layer computed in a lower precision than that of its interface, as gradients are too."""

    def low(a):
        return {name: p.astype(dtype) for name, p in a.items()} if isinstance(a, dict) else a.astype(dtype)

    def back(a, wide):
        return {name: p.astype(wide) for name, p in a.items()} if isinstance(a, dict) else a.astype(wide)

    class Inside:
        dtypes = ("float64",)

        def forward(self, params, x, h0, c0):
            return tuple(back(a, x.dtype) for a in forward(*map(low, (params, x, h0, c0))))

        def backward(self, params, x, *others):
            return tuple(back(a, x.dtype) for a in backward(*map(low, (params, x, *others))))

    return Inside


@pytest.mark.parametrize("checks", [["step"], ["gradient_step"]], ids=str)
def test_a_lower_precision_inside_is_accuracy(checks):
    report = quick(inside(np.float32), checks=checks)
    assert report.verdict == "discrepancy"
    assert (report.kind, report.checks[0].within) == ("accuracy", "float32")
    assert report.to_dict()["checks"][0]["kind"] == "accuracy"


def test_rounded_inputs_of_products_are_accuracy():
    report = quick(rounded_products(11), dtypes=["float32"], checks=["step"])
    assert (report.kind, report.checks[0].within) == ("accuracy", "products of inputs in tf32")


def test_what_is_coarse_in_one_place_and_wrong_in_another_is_semantic():
    def both(params, x, h0, c0):
        y, h, c = inside(np.float32)().forward(params, x, h0, c0)
        return y, h, c + (len(x) > 4)

    report = quick(both, checks=["step", "sequence"])
    assert {c.id: c.kind for c in report.checks if c.finding} == {"step": "accuracy"}
    assert quick(both, checks=["sequence"]).kind == "semantic"


def test_what_is_right_has_no_kind():
    report = quick(faulty.correct, checks=["step"])
    assert report.kind == ""
    assert report.to_dict()["kind"] is None


@pytest.mark.parametrize("dtype", FORMATS)
def test_every_coarser_contract_promises_less(dtype):
    own = accuracy(dtype)
    for name, contract in coarser(own):
        assert contract.resolution > own.resolution, name
        assert contract.format == dtype
    assert [name for name, _ in coarser(accuracy("bfloat16"))] == []


def test_the_command_says_the_kind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "low.py").write_text(
        "import numpy as np\nfrom lstm_spec.compute.layer import forward as f\n\n\ndef forward(params, x, h0, c0):\n"
        '    low = f({k: p.astype("f4") for k, p in params.items()}, *(a.astype("f4") for a in (x, h0, c0)))\n'
        "    return tuple(a.astype(x.dtype) for a in low)\n"
    )
    result = CliRunner().invoke(main, ["verify", "low.py:forward", "--profile", "quick", "--checks", "step"])
    assert result.exit_code == 1
    assert result.stdout.startswith(
        "DISCREPANCY (ACCURACY)  low.py:forward computes lstm too coarsely, as with float32:"
    )
