"""MLX's LSTM, and what stands in for it behind the same interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_spec.targets.contract import Target
from lstm_spec.targets.frameworks import Both, Framework, Run
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.modules import required


@dataclass(frozen=True, kw_only=True)
class Layer:
    """The layer ``mlx.nn.LSTM``, which returns h and c of every step."""

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a class of layers, by default MLX's own; raises TargetError without MLX."""
        mx, nn = required("mlx.core", "MLX", "mlx"), required("mlx.nn", "MLX", "mlx")
        cls = getattr(nn, self.kind) if made is None else made

        def make(n: int, m: int, dtype: str) -> Run:
            layer = cls(n, m)

            def run(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
                *states, _ = rest
                layer.update(dict(params))
                every_h, every_c = layer(x, *states)
                return every_h, every_h[:, -1], every_c[:, -1]

            return run

        # Its graphics processors have no float64.
        exact = ("float64",) if mx.default_device() == mx.Device(mx.cpu) else ()
        return _framework(mx).target(name, make, layout=find_layout("mlx"), dtypes=(*exact, "float32"))


def _framework(mx: Any) -> Framework:
    def gradients(run: Run) -> Both:
        def both(params: Any, given: Any, lengths: Any, cotangents: Any) -> Any:
            names = list(params)

            def function(*flat: Any) -> list[Any]:
                return list(run(dict(zip(names, flat, strict=False)), *flat[len(names) :], lengths))

            outputs, found = mx.vjp(function, [*params.values(), *given], list(cotangents))
            return outputs, (dict(zip(names, found, strict=False)), *found[len(names) :])

        return both

    return Framework(
        versions={"mlx": mx.__version__},
        take=lambda array: mx.array(array, dtype=getattr(mx, str(array.dtype))),
        give=np.array,
        gradients=gradients,
    )
