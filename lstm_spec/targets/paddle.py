"""PaddlePaddle's LSTM with layers, directions and lengths, and what stands in for it behind the same interface."""

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
    """The layer ``paddle.nn.LSTM``, with arguments of its constructor; lengths: whether rows end at their own."""

    kind: str
    num_layers: int = 1
    direction: str = "forward"
    lengths: bool = False

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a class of layers, by default PaddlePaddle's; raises TargetError without it."""
        paddle = required("paddle", "PaddlePaddle", "paddle")
        cls = getattr(paddle.nn, self.kind) if made is None else made

        def make(n: int, m: int, dtype: str) -> Run:
            usual = paddle.get_default_dtype()
            paddle.set_default_dtype(dtype)
            try:
                return _Layer(cls(n, m, num_layers=self.num_layers, direction=self.direction))
            finally:
                paddle.set_default_dtype(usual)

        return _framework(paddle).target(
            name,
            make,
            layers=self.num_layers,
            bidirectional=self.direction in ("bidirect", "bidirectional"),
            layout=find_layout("paddle"),
            dtypes=("float64", "float32"),
            past_length="zero" if self.lengths else None,
        )


@dataclass(frozen=True)
class _Layer:
    """A layer as a function that first sets its parameters, since their gradients are only to be had of themselves."""

    layer: Any

    @property
    def own(self) -> dict[str, Any]:
        return dict(self.layer.named_parameters())

    def __call__(self, params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
        *states, lengths = rest
        for name, parameter in self.own.items():
            parameter.set_value(params[name])
        y, final = self.layer(x, tuple(states), lengths)
        return (y, *final)


def _framework(paddle: Any) -> Framework:
    def gradients(run: Any) -> Both:
        def both(params: Any, given: Any, lengths: Any, cotangents: Any) -> Any:
            for value in given:
                value.stop_gradient = False
            outputs, own = run(params, *given, lengths), run.own
            found = paddle.grad(list(outputs), [*own.values(), *given], list(cotangents))
            return outputs, (dict(zip(own, found, strict=False)), *found[len(own) :])

        return both

    return Framework(
        versions={"paddlepaddle": paddle.__version__},
        take=paddle.to_tensor,
        give=lambda value: np.array(value.numpy()),
        gradients=gradients,
    )
