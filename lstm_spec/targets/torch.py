"""PyTorch's own LSTM, as a layer (``nn.LSTM``) and stepped by hand (``nn.LSTMCell``)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.layouts import layout as find_layout


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise TargetError("this target needs PyTorch; install it with: pip install 'lstm_spec[torch]'") from error
    return torch


def layer() -> Target:
    """Return ``torch.nn.LSTM``, one layer and one direction; raises TargetError without PyTorch."""
    return _target("torch", "LSTM", _run_layer)


def cell() -> Target:
    """Return ``torch.nn.LSTMCell``, stepped over the sequence; raises TargetError without PyTorch."""
    return _target("torch-cell", "LSTMCell", _run_cell)


def _target(name: str, module: str, run: Callable[..., Any]) -> Target:
    torch = _torch()

    @lru_cache(maxsize=64)
    def made(n: int, m: int, dtype: Any) -> Any:
        return getattr(torch.nn, module)(n, m, dtype=dtype)

    def network_of(params: Mapping[str, Any], x: Any, h0: Any) -> Any:
        network = made(x.shape[-1], h0.shape[-1], x.dtype)
        with torch.no_grad():
            for own, given in zip(network.parameters(), _ordered(params), strict=True):
                own.copy_(params[given])
        return network

    def forward(params: Mapping[str, Any], x: Any, h0: Any, c0: Any) -> tuple[Any, Any, Any]:
        with torch.no_grad(), _threads(torch, x, h0):
            return run(torch, network_of(params, x, h0), x, h0, c0)

    def differentiated(params: Mapping[str, Any], x: Any, h0: Any, c0: Any) -> tuple[Any, Any, Any]:
        return recorded(params, x, h0, c0)[1]

    def recorded(params: Mapping[str, Any], *given: Any) -> tuple[list[Any], tuple[Any, Any, Any]]:
        """Run forward with gradients recorded, and return what they are taken of beside the outputs."""
        network = network_of(params, *given[:2])
        leaves = [value.clone().requires_grad_() for value in given]
        with _threads(torch, *given[:2]):
            return [*network.parameters(), *leaves], run(torch, network, *leaves)

    def backward(params: Mapping[str, Any], x: Any, h0: Any, c0: Any, *cotangents: Any) -> tuple[Any, Any, Any, Any]:
        leaves, outputs = recorded(params, x, h0, c0)
        with _threads(torch, x, h0):
            gradients = torch.autograd.grad(outputs, leaves, cotangents)
        return (dict(zip(_ordered(params), gradients, strict=False)), *gradients[-3:])

    return Target(
        name=name,
        forward=forward,
        backward=backward,
        differentiated=differentiated,
        layout=find_layout("pytorch"),
        dtypes=("float64", "float32"),
        arrays="torch",
        versions={"torch": torch.__version__},
    )


def _ordered(params: Mapping[str, Any]) -> list[str]:
    """Return the names of W_ih, W_hh, b_ih, b_hh, the order in which a module registers them."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [key for kind in kinds for key in params if kind in key]


@contextmanager
def _threads(torch: Any, x: Any, h0: Any) -> Iterator[None]:
    """Keep small products on one thread: they gain nothing from more, and lose much on a busy machine."""
    before = torch.get_num_threads()
    small = x.shape[1] * h0.shape[-1] * (x.shape[-1] + h0.shape[-1]) < 2**16
    if small and before > 1:
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
    else:
        yield


def _run_layer(torch: Any, network: Any, x: Any, h0: Any, c0: Any) -> tuple[Any, Any, Any]:
    y, (h, c) = network(x, (h0[None], c0[None]))
    return y, h[0], c[0]


def _run_cell(torch: Any, network: Any, x: Any, h0: Any, c0: Any) -> tuple[Any, Any, Any]:
    steps, h, c = [], h0, c0
    for x_t in x:
        h, c = network(x_t, (h, c))
        steps.append(h)
    return torch.stack(steps), h, c
