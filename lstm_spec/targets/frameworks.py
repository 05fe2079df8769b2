"""Frameworks that compute with functions of arrays: how each takes NumPy's arrays, gives them, and differentiates."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from lstm_spec.targets.contract import Target
from lstm_spec.targets.modules import required

Run = Callable[..., tuple[Any, ...]]
"""A function (params, x, *states, lengths) -> (y, *states) of a framework's own arrays; lengths may be None."""

Both = Callable[[Mapping[str, Any], Sequence[Any], Any, Sequence[Any]], tuple[Sequence[Any], Sequence[Any]]]
"""Takes params, (x, *states), lengths and cotangents; returns (y, *states) and (dparams, dx, *dstates)."""


@dataclass(frozen=True)
class Framework:
    """A framework.

    versions: by package. take, give: from NumPy's arrays and back. gradients: makes, of a function that runs, one that
    differentiates it too; None where the framework cannot. compiled: makes what is called in its place to run it alone.
    around: a context in which all of it is done. shapes: those to ask for where every other one is compiled anew.
    """

    versions: Mapping[str, str]
    take: Callable[[Any], Any]
    give: Callable[[Any], Any] = np.asarray
    gradients: Callable[[Run], Both] | None = None
    compiled: Callable[[Run], Run] = lambda run: run
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    shapes: tuple[Mapping[str, int], ...] | None = None

    def target(self, name: str, make: Callable[[int, int, str], Run], **about: Any) -> Target:
        """Return a target in NumPy's arrays.

        make: called with n, m and a format, returns the function that runs; about: what else a Target says of itself.
        """
        differentiate, names = self.gradients, ("differentiated", "backward")

        @lru_cache(maxsize=64)
        def made(n: int, m: int, dtype: str) -> tuple[Run, Both | None]:
            run = make(n, m, dtype)
            return self.compiled(run), None if differentiate is None else differentiate(run)

        def passes(given: Sequence[Any]) -> tuple[Run, Any]:
            return made(given[0].shape[-1], given[1].shape[-1], str(given[0].dtype))

        def forward(params: Mapping[str, Any], *given: Any, lengths: Any = None) -> tuple[Any, ...]:
            with self.around():
                run, _ = passes(given)
                return self._given(run(self._named(params), *self._taken(given), self._ends(lengths)))

        def differentiated(params: Mapping[str, Any], *given: Any, lengths: Any = None) -> tuple[Any, ...]:
            nothing = [np.zeros_like(output) for output in forward(params, *given, lengths=lengths)]
            with self.around():
                _, both = passes(given)
                taken = (self._named(params), self._taken(given), self._ends(lengths), self._taken(nothing))
                return self._given(both(*taken)[0])

        def backward(params: Mapping[str, Any], *rest: Any, lengths: Any = None) -> tuple[Any, ...]:
            given, cotangents = rest[: len(rest) // 2], rest[len(rest) // 2 :]
            with self.around():
                _, both = passes(given)
                taken = (self._named(params), self._taken(given), self._ends(lengths), self._taken(cotangents))
                dparams, *others = both(*taken)[1]
                return ({key: self.give(d) for key, d in dparams.items()}, *self._given(others))

        offered = {} if differentiate is None else dict(zip(names, (differentiated, backward), strict=True))
        return Target(name=name, forward=forward, **{"versions": self.versions, **offered, **self._shaped, **about})

    @property
    def _shaped(self) -> dict[str, Any]:
        if self.shapes is None:
            return {}
        sizes = [{key: size for key, size in shape.items() if key not in "TB"} for shape in self.shapes]
        return {"sizes": self.shapes, "possible": lambda asked: asked in sizes}

    def _taken(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(map(self.take, arrays))

    def _given(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(map(self.give, arrays))

    def _named(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {key: self.take(p) for key, p in params.items()}

    def _ends(self, lengths: Any) -> Any:
        return None if lengths is None else self.take(lengths)


COMPILED: tuple[Mapping[str, int], ...] = tuple(
    {"T": T, "B": 2, "n": n, "m": m} for n, m, steps in ((2, 3, (1, 2, 3)), (5, 17, (1, 2, 8))) for T in steps
)
"""Shapes for what compiles every shape anew: few, and such that half a sequence or one row alone is another of them."""


def jax() -> Framework:
    """Return JAX, compiled, with its own float64; raises TargetError without it."""
    jax = required("jax", "JAX", "jax")

    def gradients(run: Run) -> Both:
        def both(params: Any, given: Any, lengths: Any, cotangents: Any) -> Any:
            outputs, pull = jax.vjp(lambda params, *given: tuple(run(params, *given, lengths)), params, *given)
            return outputs, pull(tuple(cotangents))

        return jax.jit(both)

    return Framework(
        versions={"jax": jax.__version__},
        take=jax.numpy.asarray,
        gradients=gradients,
        compiled=jax.jit,
        around=lambda: jax.enable_x64(True),
        shapes=COMPILED,
    )


def torch() -> Framework:
    """Return PyTorch; raises TargetError without it."""
    torch = required("torch", "PyTorch", "torch")

    def gradients(run: Run) -> Both:
        def both(params: Any, given: Any, lengths: Any, cotangents: Any) -> Any:
            leaves = [value.clone().requires_grad_() for value in (*params.values(), *given)]
            count = len(params)
            outputs = run(dict(zip(params, leaves, strict=False)), *leaves[count:], lengths)
            found = torch.autograd.grad(outputs, leaves, cotangents, allow_unused=True, materialize_grads=True)
            return outputs, (dict(zip(params, found, strict=False)), *found[count:])

        return both

    return Framework(
        versions={"torch": torch.__version__},
        take=torch.from_numpy,
        give=lambda value: value.detach().cpu().numpy(),
        gradients=gradients,
    )


def tensorflow() -> Framework:
    """Return TensorFlow, run eagerly; raises TargetError without it."""
    tensorflow = required("tensorflow", "TensorFlow", "tensorflow")

    def gradients(run: Run) -> Both:
        def both(params: Any, given: Any, lengths: Any, cotangents: Any) -> Any:
            leaves = [*params.values(), *given]
            with tensorflow.GradientTape() as tape:
                tape.watch(leaves)
                outputs = run(params, *given, lengths)
            zero = tensorflow.UnconnectedGradients.ZERO
            found = tape.gradient(outputs, leaves, list(cotangents), unconnected_gradients=zero)
            return outputs, (dict(zip(params, found, strict=False)), *found[len(params) :])

        return both

    return Framework(
        versions={"tensorflow": tensorflow.__version__},
        take=tensorflow.convert_to_tensor,
        give=lambda value: value.numpy(),
        gradients=gradients,
    )


def numpy() -> Framework:
    """Return NumPy, which has no gradients."""
    return Framework(versions={"numpy": np.__version__}, take=lambda array: array)
