"""What differs between array libraries when they write the operators of a Program: data, read by one writer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True)
class Dialect:
    """How one array library writes the operators.

    header: the import; functions: templates by function name, filled with the arguments {0} and {1}, the constants,
    and with {atom}, the first argument in parentheses where it needs them; helpers: the source of functions that a
    template calls and the library lacks, by name; concatenate, total, row_sum, row_mean, repeat, identity, full_like:
    templates of the operators that are calls.
    """

    name: str
    header: str
    functions: Mapping[str, str]
    helpers: Mapping[str, str]
    concatenate: str
    total: str
    row_sum: str
    row_mean: str
    repeat: str
    identity: str
    full_like: str


_SIGMOID = '''def sigmoid(a):
    """The logistic function; neither side overflows, and the left tail keeps its relative accuracy."""
    right = a.real >= 0
    e = np.exp(np.where(right, -a, a))
    return np.where(right, 1, e) / (1 + e)
'''

_SOFTPLUS_NUMPY = '''def softplus(a):
    """log(1 + exp(a)) without overflow, for complex numbers too."""
    right = a.real >= 0
    return np.where(right, a, 0) + np.log1p(np.exp(np.where(right, -a, a)))
'''

_ERF = '''def erf(a):
    """The error function, which NumPy lacks: Python's, number by number."""
    from math import erf as of_one

    return np.vectorize(of_one, otypes=[a.dtype])(a)
'''

NUMPY = Dialect(
    name="numpy",
    header="import numpy as np",
    functions=MappingProxyType(
        {
            "sigmoid": "sigmoid({0})",
            "tanh": "np.tanh({0})",
            "exp": "np.exp({0})",
            "log": "np.log({0})",
            "sqrt": "np.sqrt({0})",
            "sin": "np.sin({0})",
            "cos": "np.cos({0})",
            "atan": "np.arctan({0})",
            "erf": "erf({0})",
            "identity": "{0}",
            "relu": "np.maximum({0}, 0)",
            "leaky_relu": "np.where(np.real({0}) > 0, {0}, {1} * {atom})",
            "thresholded_relu": "np.where(np.real({0}) >= {1}, {0}, 0)",
            "elu": "np.where(np.real({0}) > 0, {0}, {1} * np.expm1(np.minimum({0}, 0)))",
            "step": "np.heaviside(np.real({0}), 0)",
            "Abs": "np.abs({0})",
            "magnitude": "np.abs({0})",
            "softplus": "softplus({0})",
            "softsign": "{atom} / (1 + np.abs({0}))",
            "hard_sigmoid": "np.clip({1} * {atom} + {2}, 0, 1)",
            "clip": "np.clip({0}, {1}, {2})",
            "maximum": "np.maximum({0}, {1})",
            "minimum": "np.minimum({0}, {1})",
        }
    ),
    helpers=MappingProxyType({"sigmoid": _SIGMOID, "softplus": _SOFTPLUS_NUMPY, "erf": _ERF}),
    concatenate="np.concatenate([{parts}], axis={axis})",
    total="np.sum({0}, axis=0)",
    row_sum="np.sum({0}, axis=-1, keepdims=True)",
    row_mean="np.mean({0}, axis=-1, keepdims=True)",
    repeat="np.repeat({0}, {1}, axis=-1)",
    identity="np.eye({0})",
    full_like="np.full_like({0}, {1})",
)

_MODULUS = '''def modulus(a):
    """|a| of the real part, continued to complex numbers near it: a or −a."""
    return np.where(a.real < 0, -a, a)
'''

_ERF_ANALYTIC = '''def erf(a):
    """The error function, continued to complex numbers near the real line, to first order."""
    from math import erf as of_one

    value = np.vectorize(of_one, otypes=[float])(a.real)
    return value + 2j / np.sqrt(np.pi) * np.exp(-a.real * a.real) * a.imag
'''

ANALYTIC = replace(
    NUMPY,
    name="analytic",
    functions=MappingProxyType(
        {
            **NUMPY.functions,
            "Abs": "modulus({0})",
            "magnitude": "modulus({0})",
            "softsign": "{atom} / (1 + modulus({0}))",
        }
    ),
    helpers=MappingProxyType({**NUMPY.helpers, "modulus": _MODULUS, "erf": _ERF_ANALYTIC}),
)
"""NumPy, with every function continued analytically from the real line, for complex steps; no format of its own."""

_UNIT_STEP = '''def unit_step(a):
    """1 where a > 0, else 0."""
    return (a > 0).to(a.dtype)
'''

_SOFTPLUS = '''def softplus(a):
    """log(1 + exp(a)) everywhere; the library's own is the identity from 20 on."""
    return torch.logaddexp(a, torch.zeros_like(a))
'''

TORCH = Dialect(
    name="torch",
    header="import torch",
    functions=MappingProxyType(
        {
            "sigmoid": "torch.sigmoid({0})",
            "tanh": "torch.tanh({0})",
            "exp": "torch.exp({0})",
            "log": "torch.log({0})",
            "sqrt": "torch.sqrt({0})",
            "sin": "torch.sin({0})",
            "cos": "torch.cos({0})",
            "atan": "torch.atan({0})",
            "erf": "torch.erf({0})",
            "identity": "{0}",
            "relu": "torch.relu({0})",
            "leaky_relu": "torch.where({0} > 0, {0}, {1} * {atom})",
            "thresholded_relu": "torch.where({0} >= {1}, {0}, torch.zeros_like({0}))",
            "elu": "torch.where({0} > 0, {0}, {1} * torch.expm1(-torch.relu(-{atom})))",
            "step": "unit_step({0})",
            "Abs": "torch.abs({0})",
            "magnitude": "torch.abs({0})",
            "softplus": "softplus({0})",
            "softsign": "{atom} / (1 + torch.abs({0}))",
            "hard_sigmoid": "torch.clamp({1} * {atom} + {2}, 0, 1)",
            "clip": "torch.clamp({0}, {1}, {2})",
            "maximum": "torch.where({0} > {1}, {0}, {1})",
            "minimum": "torch.where({0} < {1}, {0}, {1})",
        }
    ),
    helpers=MappingProxyType({"unit_step": _UNIT_STEP, "softplus": _SOFTPLUS}),
    concatenate="torch.cat([{parts}], dim={axis})",
    total="torch.sum({0}, dim=0)",
    row_sum="torch.sum({0}, dim=-1, keepdim=True)",
    row_mean="torch.mean({0}, dim=-1, keepdim=True)",
    repeat="torch.repeat_interleave({0}, {1}, dim=-1)",
    identity="torch.eye({0})",
    full_like="torch.full_like({0}, {1})",
)


def _in_jax(template: str) -> str:
    return template.replace("np.", "jnp.")


JAX = replace(
    NUMPY,
    name="jax",
    header="import jax\nimport jax.numpy as jnp",
    functions=MappingProxyType(
        {
            **{name: _in_jax(template) for name, template in NUMPY.functions.items()},
            "sigmoid": "jax.nn.sigmoid({0})",
            "step": "jnp.heaviside({0}, 0)",
            "softplus": "jnp.logaddexp(0, {0})",
            "erf": "jax.lax.erf({0})",
        }
    ),
    helpers=MappingProxyType({}),
    **{
        name: _in_jax(getattr(NUMPY, name))
        for name in ("concatenate", "total", "row_sum", "row_mean", "repeat", "identity", "full_like")
    },
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({d.name: d for d in (NUMPY, TORCH, JAX)})
"""The array libraries by name."""
