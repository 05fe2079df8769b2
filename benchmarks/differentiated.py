"""A plain scan in JAX whose gradients JAX takes: a target whose backward pass nobody wrote."""

from functools import cache
from typing import Any

from lstm_spec.targets.contract import Target


@cache
def jax_scan() -> Target:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def layer(params: Any, x: Any, h0: Any, c0: Any) -> Any:
        def step(state: Any, x_t: Any) -> Any:
            h, c = state
            z = jnp.concatenate([x_t, h], axis=-1)
            a = {g: z @ params[f"W_{g}"].T + params[f"b_{g}"] for g in "fico"}
            c = jax.nn.sigmoid(a["f"]) * c + jax.nn.sigmoid(a["i"]) * jnp.tanh(a["c"])
            h = jax.nn.sigmoid(a["o"]) * jnp.tanh(c)
            return (h, c), h

        (h, c), y = jax.lax.scan(step, (h0, c0), x)
        return y, h, c

    @jax.jit
    def both(arguments: Any, cotangents: Any) -> Any:
        outputs, pull = jax.vjp(layer, *arguments)
        return outputs, pull(cotangents)

    def differentiated(params: Any, x: Any, h0: Any, c0: Any) -> Any:
        # The very program that gives the gradients: another one may be fused, and so rounded, otherwise.
        zero = jnp.zeros_like(c0)
        return both((params, x, h0, c0), (jnp.zeros((len(x), *c0.shape), c0.dtype), zero, zero))[0]

    def backward(params: Any, x: Any, h0: Any, c0: Any, *cotangents: Any) -> Any:
        return both((params, x, h0, c0), cotangents)[1]

    return Target(
        name="jax",
        forward=jax.jit(layer),
        backward=backward,
        differentiated=differentiated,
        dtypes=("float64", "float32"),
        arrays="jax",
        versions={"jax": jax.__version__},
    )
