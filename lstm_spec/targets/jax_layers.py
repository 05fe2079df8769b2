"""Cells of libraries on JAX, run over a sequence as each library does it, and what stands in for one of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lstm_spec.targets import frameworks
from lstm_spec.targets.contract import Target
from lstm_spec.targets.frameworks import Run
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.modules import required


@dataclass(frozen=True, kw_only=True)
class Linen:
    """A cell of ``flax.linen``, "LSTMCell" or "OptimizedLSTMCell", in its ``RNN``."""

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a class of cells, by default Flax's own; raises TargetError without Flax."""
        linen = required("flax.linen", "Flax", "flax")
        unflatten = required("flax.traverse_util", "Flax", "flax").unflatten_dict
        cls = getattr(linen, self.kind) if made is None else made

        def make(n: int, m: int, dtype: str) -> Run:
            layer = linen.RNN(cls(m, param_dtype=dtype), return_carry=True, name="layer")

            def run(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
                *carry, lengths = rest
                own = unflatten({("cell", *key.split("/")): p for key, p in params.items()})
                final, y = layer.apply({"params": own}, x, initial_carry=tuple(carry), seq_lengths=lengths)
                return (y, *final)

            return run

        return _target(name, make, "flax", layout="flax", past_length="any")


@dataclass(frozen=True, kw_only=True)
class Nnx:
    """A cell of ``flax.nnx``, "LSTMCell" or "OptimizedLSTMCell", in its ``RNN``."""

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a class of cells, by default Flax's own; raises TargetError without Flax."""
        nnx = required("flax.nnx", "Flax", "flax")
        cls = getattr(nnx, self.kind) if made is None else made

        def make(n: int, m: int, dtype: str) -> Run:
            layer = nnx.eval_shape(
                lambda: nnx.RNN(cls(n, m, param_dtype=dtype, rngs=nnx.Rngs(0)), return_carry=True, rngs=nnx.Rngs(0))
            )
            graph, own, others = nnx.split(layer, nnx.Param, ...)

            def run(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
                *carry, lengths = rest
                given = {("cell", *_python_names(key)): p for key, p in params.items()}
                held = nnx.from_flat_state((path, leaf.replace(given[path])) for path, leaf in nnx.to_flat_state(own))
                final, y = nnx.merge(graph, held, others)(x, initial_carry=tuple(carry), seq_lengths=lengths)
                return (y, *final)

            return run

        layout = "flax_optimized" if self.kind == "OptimizedLSTMCell" else "flax"
        return _target(name, make, "flax", layout=layout, past_length="any")


def _python_names(key: str) -> list[str]:
    """Return a name of Flax's linen as attributes, of which none can be called ``if``."""
    return [f"{part}_" if part == "if" else part for part in key.split("/")]


@dataclass(frozen=True, kw_only=True)
class Equinox:
    """A cell of ``equinox.nn``, "LSTMCell", mapped over rows and scanned over steps."""

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a class of cells, by default Equinox's own; raises TargetError without Equinox."""
        equinox, jax = required("equinox", "Equinox", "equinox"), required("jax", "JAX", "jax")
        cls = getattr(equinox.nn, self.kind) if made is None else made

        def make(n: int, m: int, dtype: str) -> Run:
            blank = equinox.filter_eval_shape(cls, n, m, dtype=jax.numpy.dtype(dtype), key=jax.random.key(0))

            def run(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
                *states, _ = rest
                cell = equinox.tree_at(lambda c: [getattr(c, key) for key in params], blank, list(params.values()))

                def step(state: Any, x_t: Any) -> tuple[Any, Any]:
                    state = jax.vmap(cell)(x_t, state)
                    return state, state[0]

                final, y = jax.lax.scan(step, tuple(states), x)
                return (y, *final)

            return run

        return _target(name, make, "equinox", layout="equinox", axes="TBI")


@dataclass(frozen=True, kw_only=True)
class Haiku:
    """A core of ``haiku``, "LSTM", in its ``dynamic_unroll``."""

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a class of cores, by default Haiku's own; raises TargetError without Haiku."""
        haiku = required("haiku", "Haiku", "haiku")
        cls = getattr(haiku, self.kind) if made is None else made

        def make(n: int, m: int, dtype: str) -> Run:
            unrolled = haiku.without_apply_rng(
                haiku.transform(lambda x, state: haiku.dynamic_unroll(cls(m, name="lstm"), x, state))
            )

            def run(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
                *states, _ = rest
                own: dict[str, dict[str, Any]] = {}
                for key, p in params.items():
                    module, _, parameter = key.rpartition("/")
                    own.setdefault(module, {})[parameter] = p
                y, final = unrolled.apply(own, x, haiku.LSTMState(*states))
                return (y, *final)

            return run

        return _target(name, make, "haiku", layout="haiku")


def _target(name: str, make: Any, package: str, *, layout: str, axes: str | None = None, **about: Any) -> Target:
    jax = frameworks.jax()
    held = find_layout(layout)
    return jax.target(
        name,
        make,
        layout=held if axes is None else replace(held, axes=axes),
        dtypes=("float64", "float32"),
        versions={package: required(package, package, package).__version__, **jax.versions},
        **about,
    )
