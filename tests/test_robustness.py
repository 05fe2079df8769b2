"""Checks of memory, of what is no number, and of threads; each with targets that are right but for that."""

import time

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.targets.calls import MEMORIES
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.fit import UsageError, subject_of
from tests import faulty


def quick(target, *checks, **options):
    return ls.verify(target, profile="quick", checks=checks, diagnose=False, **options)


def by_address(params, x, h0, c0):
    """What passes pointers to C and takes every array for contiguous."""

    def read(a):
        flat = np.lib.stride_tricks.as_strided(a, (a.size,), (a.itemsize,))
        return flat.reshape(a.shape).copy()

    return faulty.correct({k: read(p) for k, p in params.items()}, read(x), read(h0), read(c0))


def restoring(params, x, h0, c0):
    """What scales its input in place, and back."""
    x *= 2
    x /= 2
    return faulty.correct(params, x, h0, c0)


def only_c_order(params, x, h0, c0):
    assert x.flags.c_contiguous, "x has to be contiguous"
    return faulty.correct(params, x, h0, c0)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (by_address, "given every second entry of larger arrays, "),
        (restoring, "forward raised ValueError: output array is read-only"),
        (only_c_order, "forward raised AssertionError: x has to be contiguous"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_arrays_that_lie_otherwise_in_memory_are_asked_for(target, message):
    report = quick(target, "step", "inputs", "views")
    assert {c.id: c.status for c in report.checks if c.id != "gradients"} == {
        "step": "verified",
        "inputs": "verified",
        "views": "discrepancy",
    }
    assert report.finding.message.startswith(message)


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_arrays_are_what_is_said_of_them(memory):
    seen = []

    def forward(params, x, h0, c0):
        seen.append((x, params["W_f"]))
        return faulty.correct(params, x, h0, c0)

    case = seeded_case(ls.lstm(), "float64", sizes={"n": 2, "m": 3}, T=2, B=2, regime="usual", seed=0)
    subject_of(forward, None, None).call(case, memory=memory)
    (x, W) = seen[-1]
    assert np.array_equal(W, case.params["W_f"])
    if memory == "fortran":
        assert W.flags.f_contiguous
    if memory == "strided":
        assert W.strides[-1] == 2 * W.itemsize
    assert x.flags.writeable == (memory != "read_only")


def test_tensors_may_be_strided_and_are_never_read_only():
    torch = pytest.importorskip("torch")
    report = quick("torch", "views")
    assert report.verdict == "verified", str(report)

    class Contiguous:
        arrays = "torch"

        def forward(self, params, x, h0, c0):
            assert x.is_contiguous(), "x has to be contiguous"
            given = {k: p.numpy() for k, p in params.items()}
            return tuple(map(torch.from_numpy, faulty.correct(given, x.numpy(), h0.numpy(), c0.numpy())))

    assert "x has to be contiguous" in quick(Contiguous, "views").finding.message


def spilling(params, x, h0, c0):
    """What adds a sum over the batch times zero, as a mask does that multiplies."""
    y, h, c = faulty.correct(params, x, h0, c0)
    return y + 0 * x.sum(), h, c


def spilling_state(params, x, h0, c0):
    y, h, c = faulty.correct(params, x, h0, c0)
    return y, h, c + 0 * c0.sum()


def early(params, x, h0, c0):
    """What looks at all steps of a row before it begins."""
    y, h, c = faulty.correct(params, x, h0, c0)
    return y + 0 * x.sum(axis=(0, 2))[None, :, None], h, c


@pytest.mark.parametrize(
    ("target", "message"),
    [(spilling, "with nan in row "), (spilling_state, "with nan in row "), (early, "with nan in row ")],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_number_is_seen_where_it_may_not_reach(target, message):
    report = quick(target, "sequence", "batch", "poison")
    assert [c.status for c in report.checks if c.id != "gradients"] == ["verified", "verified", "discrepancy"]
    assert report.finding.message.startswith(message)
    assert "got nan" in report.finding.message


@pytest.mark.parametrize("name", ["numpy", "spec"])
def test_what_is_right_is_right_about_all_of_it(name):
    report = quick(name, "views", "poison", "threads", dtypes=["float64", "float32"])
    assert report.verdict == "verified", str(report)


class Shared:
    """The plain cell with one buffer for all calls, copied out at the end: right, but for one thread at a time."""

    reentrant = True
    buffers = {}  # noqa: RUF012

    def forward(self, params, x, h0, c0):
        buffer = self.buffers.setdefault(x.shape + h0.shape, np.empty_like(x))
        buffer[:] = x
        time.sleep(0.001)
        return faulty.correct(params, buffer.copy(), h0, c0)


def test_a_buffer_that_calls_share_is_seen_by_threads_alone():
    report = quick(Shared, "sequence", "repeat", "threads")
    assert [c.status for c in report.checks if c.id != "gradients"] == ["verified", "verified", "discrepancy"]
    assert report.finding.message.startswith("called from two threads at once, ")


def test_threads_are_asked_of_those_that_claim_them():
    report = quick(faulty.correct, "step", "threads")
    assert {c.id: c.status for c in report.checks}["threads"] == "not_claimed"
    assert "threads" not in {c.id for c in ls.verify(faulty.correct, profile="quick", skip=["sequence"]).checks}
    required = quick(faulty.correct, "step", require=["threads"])
    assert required.verdict == "discrepancy"
    assert required.checks[-1].message == "the target does not say that it is reentrant, but threads are required"
    with pytest.raises(UsageError, match="did you mean threads"):
        quick(faulty.correct, "step", require=["thread"])


def test_a_process_is_asked_one_thing_after_another_and_its_arrays_lie_as_they_are_said_to():
    report = quick("numpy", "views", "threads", isolate=True, dtypes=["float64"])
    assert {c.id: c.status for c in report.checks if c.id != "gradients"} == {
        "views": "verified",
        "threads": "not_claimed",
    }
