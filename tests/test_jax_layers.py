"""Cells of libraries on JAX are verified, and what stands in for one of them is found where it differs."""

import importlib.util
from dataclasses import replace

import pytest

import lstm_spec as ls
from lstm_spec.targets.like import like
from lstm_spec.targets.python import load
from tests.one_case import agrees

pytest.importorskip("jax")

PACKAGES = {
    "flax": "flax",
    "flax-optimized": "flax",
    "flax-nnx": "flax",
    "flax-nnx-optimized": "flax",
    "equinox": "equinox",
    "haiku": "haiku",
}


@pytest.mark.parametrize("name", PACKAGES)
def test_its_cells_are_verified(name):
    if importlib.util.find_spec(PACKAGES[name]) is None:
        pytest.skip(f"{PACKAGES[name]} is not installed")
    target = load(name)
    assert agrees(target)
    assert agrees(target, lengths=[3, 2], gradients=False) or target.past_length is None
    assert {PACKAGES[name], "jax"} <= target.versions.keys()


def test_it_is_asked_few_shapes():
    pytest.importorskip("equinox")
    target, seen = load("equinox"), set()

    def forward(params, x, *states):
        seen.add((*x.shape, states[0].shape[-1]))
        return target.forward(params, x, *states)

    alone = replace(target, forward=forward, backward=None, differentiated=None)
    report = ls.verify(alone, profile="quick", dtypes=["float32"], checks=["signature", "step", "sequence"])
    assert report.verdict == "verified", str(report)
    assert seen <= {(T, 2, n, m) for n, m in ((2, 3), (5, 17)) for T in (1, 2, 3, 8)}


def test_an_offset_that_is_not_the_originals_is_found():
    haiku = pytest.importorskip("haiku")

    class Plain(haiku.RNNCore):
        """A core without Haiku's 1 at the forget gate."""

        def __init__(self, m, name=None):
            super().__init__(name=name)
            self.m = m

        def __call__(self, x, state):
            import jax

            joined = jax.numpy.concatenate([x, state.hidden], axis=-1)
            i, g, f, o = jax.numpy.split(haiku.Linear(4 * self.m, name="linear")(joined), 4, axis=-1)
            c = jax.nn.sigmoid(f) * state.cell + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
            h = jax.nn.sigmoid(o) * jax.numpy.tanh(c)
            return h, haiku.LSTMState(h, c)

        def initial_state(self, batch_size):
            raise NotImplementedError

    assert not agrees(like("haiku.LSTM", Plain), gradients=False)
