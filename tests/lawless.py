"""Targets that do to the process they run in what no contract foresees, each with what is said of it."""

import ctypes
import os
import sys
import time

import numpy as np

from tests.faulty import correct

kept = []


def sleeps(params, x, h0, c0):
    while True:
        time.sleep(3600)


def aborts(params, x, h0, c0):
    os.abort()


def reads_nowhere(params, x, h0, c0):
    ctypes.string_at(0)


def leaves(params, x, h0, c0):
    os._exit(3)


def takes_everything(params, x, h0, c0):
    return np.ones(50 * 10**9 // 8)


def writes_where_we_do(params, x, h0, c0):
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"hello\n" * 10)
        except OSError:
            continue
    return correct(params, x, h0, c0)


def interrupts(params, x, h0, c0):
    raise KeyboardInterrupt


def writes_to_its_inputs(params, x, h0, c0):
    x *= 2
    return correct(params, x / 2, h0, c0)


def returns_what_changes_later(params, x, h0, c0):
    outputs = correct(params, x, h0, c0)
    for array in kept:
        array += 1
    kept[:] = outputs
    return outputs


def counts(params, x, h0, c0):
    kept.append(x)
    y, h, c = correct(params, x, h0, c0)
    return y, h, c + len(kept) * 1e-6


def prints(params, x, h0, c0):
    print("what a target prints")
    print('{"id": 0}', file=sys.stderr)
    os.write(1, b"\x00lstm\xff")
    return correct(params, x, h0, c0)


SAID = {
    sleeps: "forward did not return within 1 s on a valid case",
    aborts: "forward died of SIGABRT on a valid case",
    reads_nowhere: "forward died of SIGSEGV on a valid case",
    leaves: "forward ended with exit status 3 on a valid case",
    takes_everything: "forward raised MemoryError: Unable to allocate 46.6 GiB",
    interrupts: "forward raised KeyboardInterrupt on a valid case",
    writes_to_its_inputs: "forward changed its argument x in place",
    returns_what_changes_later: "forward returned an array that its next call wrote over",
    counts: "c at row 0, unit 0: expected 0, got ",
}


def sleeps_at_times(params, x, h0, c0):
    if len(x) == 1:
        sleeps(params, x, h0, c0)
    return correct(params, x, h0, c0)
