"""Targets that do on a valid case what the contract does not allow, each with what is said of it."""

import sys

import numpy as np

from tests.faulty import correct


def batch_first(params, x, h0, c0):
    y, h, c = correct(params, x, h0, c0)
    return y.swapaxes(0, 1).copy(), h, c


def only_the_last_step(params, x, h0, c0):
    y, h, c = correct(params, x, h0, c0)
    return y[-1], h, c


def every_state(params, x, h0, c0):
    y, _, c = correct(params, x, h0, c0)
    return y, y, c


def float32_out(params, x, h0, c0):
    return tuple(a.astype(np.float32) for a in correct(params, x, h0, c0))


def complex_out(params, x, h0, c0):
    return tuple(a.astype(complex) for a in correct(params, x, h0, c0))


def nothing(params, x, h0, c0):
    return None


def y_alone(params, x, h0, c0):
    return correct(params, x, h0, c0)[0]


def states_in_a_tuple(params, x, h0, c0):
    y, h, c = correct(params, x, h0, c0)
    return y, (h, c)


def four_values(params, x, h0, c0):
    return (*correct(params, x, h0, c0), None)


def a_generator(params, x, h0, c0):
    yield from correct(params, x, h0, c0)


def raises(params, x, h0, c0):
    raise RuntimeError("no luck\nwhatever I tried")


def raises_without_words(params, x, h0, c0):
    raise MemoryError


def exits(params, x, h0, c0):
    sys.exit(0)


def raises_what_is_no_exception(params, x, h0, c0):
    raise GeneratorExit("odd")


def calls_itself(params, x, h0, c0):
    return calls_itself(params, x, h0, c0)


def takes_two_arguments(params, x):
    return x


def objects(params, x, h0, c0):
    return tuple(a.astype(object) for a in correct(params, x, h0, c0))


def strings(params, x, h0, c0):
    return np.full(x.shape, "a"), h0, c0


def lists(params, x, h0, c0):
    return tuple(a.tolist() for a in correct(params, x, h0, c0))


def ragged(params, x, h0, c0):
    return [[1.0], [1.0, 2.0]], h0, c0


def numbers(params, x, h0, c0):
    return np.float64(1), h0, c0


def empty(params, x, h0, c0):
    return np.empty((0,)), h0, c0


def nan(params, x, h0, c0):
    return tuple(a * np.nan for a in correct(params, x, h0, c0))


def infinite(params, x, h0, c0):
    return tuple(a + np.inf for a in correct(params, x, h0, c0))


def writes_into_h0(params, x, h0, c0):
    y, h, c = correct(params, x, h0, c0)
    h0[...] = h
    return y, h0, c


def empties_the_dict(params, x, h0, c0):
    outputs = correct(params, x, h0, c0)
    params.clear()
    return outputs


def replaces_a_parameter(params, x, h0, c0):
    params["W_f"] = params["W_f"].copy()
    return correct(params, x, h0, c0)


def changes_its_argument_later():
    kept = []

    def forward(params, x, h0, c0):
        for array in kept:
            array *= 0.5
        kept[:] = [x]
        return correct(params, x, h0, c0)

    return forward


SAID = {
    batch_first: "y has shape (2, 3, 1); expected (3, 2, 1), (T, B, m) (batch first?)",
    only_the_last_step: "y has shape (2, 1); expected (3, 2, 1), (T, B, m) (only the last step?)",
    every_state: "h has shape (3, 2, 1); expected (2, 1), (B, m) (the states of every step?)",
    float32_out: "y is float32; expected float64, the dtype of the arguments",
    complex_out: "y is complex128; expected float64, the dtype of the arguments",
    nothing: "forward returned None; expected a tuple (y, h, c)",
    y_alone: "forward returned ndarray of shape (3, 2, 1); expected a tuple (y, h, c)",
    states_in_a_tuple: "forward returned 2 values; expected 3: (y, h, c)",
    four_values: "forward returned 4 values; expected 3: (y, h, c)",
    a_generator: "forward returned generator; expected a tuple (y, h, c)",
    raises: "forward raised RuntimeError: no luck at misbehaving.py:{line} on a valid case",
    raises_without_words: "forward raised MemoryError at misbehaving.py:{line} on a valid case",
    exits: "forward raised SystemExit: 0 at misbehaving.py:{line} on a valid case",
    raises_what_is_no_exception: "forward raised GeneratorExit: odd at misbehaving.py:{line} on a valid case",
    calls_itself: "forward raised RecursionError: maximum recursion depth exceeded at misbehaving.py:{line} on a valid",
    takes_two_arguments: "forward raised TypeError: takes_two_arguments() takes 2 positional arguments but 4 were given"
    " on a valid case",
    objects: "y is object; expected float64, the dtype of the arguments",
    strings: "y is <U1; expected float64, the dtype of the arguments",
    lists: "y is list; expected a NumPy array of float64",
    ragged: "y is list; expected a NumPy array of float64",
    numbers: "y has shape (); expected (3, 2, 1), (T, B, m)",
    empty: "y has shape (0,); expected (3, 2, 1), (T, B, m)",
    nan: "y at step 0, row 0, unit 0: expected 0, got nan, error inf",
    infinite: "y at step 0, row 0, unit 0: expected 0, got inf, error inf",
    writes_into_h0: "forward changed its argument h0 in place",
    empties_the_dict: "forward changed its argument params in place",
    replaces_a_parameter: "forward changed its argument params in place",
    changes_its_argument_later(): "forward changed its argument x in place",
}
