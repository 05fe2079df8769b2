"""Networks of every kind, random arguments for them, and the unrolled Program as their oracle."""

import numpy as np

import lstm_spec as ls
from lstm_spec.calculus.adjoint import backward
from lstm_spec.compute.compile import compile_program
from lstm_spec.compute.runner import runner
from lstm_spec.spec.layer import Layer
from lstm_spec.spec.layers import layers
from lstm_spec.spec.network import Network
from lstm_spec.spec.sizes import evaluate_shape
from lstm_spec.spec.unroll import unroll

SIZES = {"n": 3, "m": 4, "q": 2}


def mixed(**options):
    """Different cells and sizes, merged in different ways."""
    stack = (
        Layer(cell=ls.cell("peephole"), direction="both", sizes={"m": "m0"}, reverse_sizes={"m": 2}),
        Layer(cell=ls.cell("gru"), direction="both", merge="average"),
        Layer(cell=ls.cell("lstmp"), direction="reverse", sizes={"q": "m"}, residual=True),
    )
    return Network(name="mixed", layers=stack, **options)


NETWORKS = {
    "one layer": layers(),
    "reverse": layers("rnn", direction="reverse"),
    "go_backwards": layers("peephole", direction="go_backwards"),
    "two layers": layers(count=2),
    "three layers, residual": layers("cifg", count=3, residual=True),
    "sizes of their own": layers(hidden=(5, "m", 2)),
    "projected, bidirectional": layers("lstmp", count=2, bidirectional=True),
    "sum": layers("gru_reset_after", count=2, bidirectional=True, merge="sum"),
    "multiply": layers(bidirectional=True, merge="multiply"),
    "average": layers("rnn", count=2, bidirectional=True, merge="average", residual=True),
    "last": layers(count=2, bidirectional=True, outputs="last"),
    "mixed": mixed(),
}


def with_lengths(network, past_length):
    return Network(
        name=network.name,
        layers=network.layers,
        n=network.n,
        outputs=network.outputs,
        past_length=past_length,
        initial=network.initial,
    )


def sizes_of(network):
    return {s.name: SIZES.get(s.name, 3) for s in network.sizes}


def arguments(network, *, T, B, seed=0, dtype="float64"):
    """Return params, x, and the initial states as they are passed."""
    rng = np.random.default_rng(seed)
    sizes = sizes_of(network)
    values = network.check_sizes(sizes)
    params = {
        name: 0.7 * rng.standard_normal(shape).astype(dtype) for name, shape in network.dimensions(**sizes).items()
    }
    x = rng.standard_normal((T, B, evaluate_shape(network.inputs[0].shape, values)[0])).astype(dtype)
    flat = [rng.standard_normal((B, evaluate_shape(b.shape, values)[0])).astype(dtype) for b, _ in network.recurrence]
    return params, x, runner(network).stacked(flat)


def cotangents(network, outputs, seed=1):
    """Return cotangents of y and of every final state."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(value.shape) for value in outputs]


def flat(network, stacks):
    return runner(network)._flat(stacks)


def alive(lengths, T):
    return [(t < lengths).astype(float)[:, None] for t in range(T)]


def unrolled_forward(network, params, x, *states, lengths=None):
    """The same by the Program of all steps: y and the final states pass by pass."""
    program = unroll(network, len(x))
    given = [*x, *(alive(lengths, len(x)) if network.past_length else ())]
    out = compile_program(program)(params, *given, *flat(network, states))
    count = len(out) - len(network.states)
    return (out[0] if network.outputs == "last" else np.stack(out[:count])), out[count:]


def unrolled_backward(network, params, x, *rest, lengths=None):
    """The same by the backward pass of that Program: gradients by name, of x, and of the initial states."""
    kinds = len(network.stacks)
    states, dy, dstates = rest[:kinds], rest[kinds], rest[kinds + 1 :]
    program = unroll(network, len(x))
    given = [*x, *(alive(lengths, len(x)) if network.past_length else ())]
    back = backward(program)
    external = [dy] if network.outputs == "last" else [*dy]
    out = compile_program(back)(params, *given, *external, *flat(network, states), *flat(network, dstates))
    T, inputs = len(x), len(given)
    named = dict(zip((p.name for p in program.parameters), out[inputs + len(network.states) :], strict=True))
    return named, np.stack(out[:T]), out[inputs : inputs + len(network.states)]
