"""Cotangents of a sequence, and the loss whose gradients they ask for."""

import numpy as np

from lstm_spec import run
from lstm_spec.compute.complex_step import complex_step as complex_step_gradient
from lstm_spec.compute.gradients import gradients as derived_gradient

__all__ = ["complex_step_gradient", "derived_gradient", "loss", "random_cotangents"]


def random_cotangents(y, states, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(y.shape), tuple(rng.standard_normal(s.shape) for s in states)


def loss(cell, params, x, states, dy, dstates):
    y, *last = run(cell, params, x, *states)
    return (y * dy).sum() + sum((s * d).sum() for s, d in zip(last, dstates, strict=True))
