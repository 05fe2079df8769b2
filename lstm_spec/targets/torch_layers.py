"""PyTorch's recurrent modules with all that they offer: layers, directions, projections, packed lengths."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

from lstm_spec.spec.program import Program
from lstm_spec.spec.recurrent import rnn as rnn_cell
from lstm_spec.targets.contract import Target
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.torch import _threads, _torch


def gru() -> Target:
    """Return ``torch.nn.GRU``, one layer and one direction; raises TargetError without PyTorch."""
    return replace(module("GRU"), name="torch-gru")


def rnn() -> Target:
    """Return ``torch.nn.RNN``, one layer and one direction; raises TargetError without PyTorch."""
    return replace(module("RNN"), name="torch-rnn")


def stack() -> Target:
    """Return ``torch.nn.LSTM`` with two layers, both directions and packed rows; raises TargetError without PyTorch."""
    return replace(module("LSTM", layers=2, bidirectional=True, lengths=True), name="torch-stack")


@dataclass(frozen=True)
class _Module:
    """One of PyTorch's modules: its options, the cell that it claims to be, its layout, and its sizes by the states."""

    cls: str
    options: Mapping[str, Any]
    spec: str | Program
    layout: str
    sizes: Callable[..., dict[str, int]]
    possible: Callable[[Mapping[str, int]], bool] = lambda sizes: True


def _hidden(h: Any, *others: Any) -> dict[str, int]:
    return {"hidden_size": h.shape[-1]}


_MODULES: Mapping[str, _Module] = MappingProxyType(
    {
        "LSTM": _Module("LSTM", {}, "lstm", "pytorch", _hidden),
        "LSTMP": _Module(
            "LSTM",
            {},
            "lstmp",
            "pytorch",
            lambda h, c: {"hidden_size": c.shape[-1], "proj_size": h.shape[-1]},
            # PyTorch refuses any other projection.
            lambda sizes: sizes["q"] < sizes["m"],
        ),
        "GRU": _Module("GRU", {}, "gru_reset_after", "pytorch_gru", _hidden),
        "RNN": _Module("RNN", {}, "rnn", "pytorch_rnn", _hidden),
        "RNN relu": _Module("RNN", {"nonlinearity": "relu"}, rnn_cell(activation="relu"), "pytorch_rnn", _hidden),
    }
)


def module(
    kind: Literal["LSTM", "LSTMP", "GRU", "RNN", "RNN relu"],
    *,
    layers: int = 1,
    bidirectional: bool = False,
    batch_first: bool = False,
    lengths: bool = False,
) -> Target:
    """Return one of PyTorch's recurrent modules as a target.

    kind: nn.LSTM, the same with ``proj_size``, nn.GRU, or nn.RNN with tanh or relu. layers, bidirectional, batch_first:
    as PyTorch has them; lengths: whether rows end at lengths of their own, in a packed sequence, past which y is zero.
    Raises TargetError without PyTorch.
    """
    torch, found = _torch(), _MODULES[kind]
    packing = torch.nn.utils.rnn

    @lru_cache(maxsize=64)
    def made(n: int, dtype: Any, **sizes: int) -> Any:
        return getattr(torch.nn, found.cls)(
            input_size=n,
            num_layers=layers,
            bidirectional=bidirectional,
            batch_first=batch_first,
            dtype=dtype,
            **found.options,
            **sizes,
        )

    def network_of(params: Mapping[str, Any], x: Any, states: tuple[Any, ...]) -> Any:
        network = made(x.shape[-1], x.dtype, **found.sizes(*states))
        with torch.no_grad():
            for name, own in network.named_parameters():
                own.copy_(params[name])
        return network

    def run(network: Any, x: Any, states: tuple[Any, ...], ends: Any) -> tuple[Any, ...]:
        given = states if len(states) > 1 else states[0]
        if ends is None:
            y, final = network(x, given)
        else:
            packed = packing.pack_padded_sequence(x, ends, batch_first=batch_first, enforce_sorted=False)
            y, final = network(packed, given)
            y, _ = packing.pad_packed_sequence(y, batch_first=batch_first, total_length=x.shape[int(batch_first)])
        return (y, *final) if isinstance(final, tuple) else (y, final)

    def forward(params: Mapping[str, Any], x: Any, *states: Any, lengths: Any = None) -> tuple[Any, ...]:
        with torch.no_grad(), _threads(torch, x, states[0]):
            return run(network_of(params, x, states), x, states, lengths)

    def recorded(params: Mapping[str, Any], x: Any, states: tuple[Any, ...], ends: Any) -> tuple[dict[str, Any], Any]:
        """Run forward with gradients recorded, and return what they are taken of beside the outputs."""
        network = network_of(params, x, states)
        given = [value.clone().requires_grad_() for value in (x, *states)]
        leaves = {**dict(network.named_parameters()), **{f"given {k}": value for k, value in enumerate(given)}}
        with _threads(torch, x, states[0]):
            return leaves, run(network, given[0], tuple(given[1:]), ends)

    def differentiated(params: Mapping[str, Any], x: Any, *states: Any, lengths: Any = None) -> tuple[Any, ...]:
        return recorded(params, x, states, lengths)[1]

    def backward(params: Mapping[str, Any], x: Any, *rest: Any, lengths: Any = None) -> tuple[Any, ...]:
        count = (len(rest) - 1) // 2
        leaves, outputs = recorded(params, x, rest[:count], lengths)
        with _threads(torch, x, rest[0]):
            gradients = dict(zip(leaves, torch.autograd.grad(outputs, leaves.values(), rest[count:]), strict=True))
        given = [gradients.pop(f"given {k}") for k in range(1 + count)]
        return (gradients, *given)

    axes = "BTI DBI" if batch_first else "TBI DBI"
    return Target(
        name=f"torch {kind}",
        forward=forward,
        backward=backward,
        differentiated=differentiated,
        spec=found.spec,
        layers=layers,
        bidirectional=bidirectional,
        layout=replace(find_layout(found.layout), axes=axes),
        dtypes=("float64", "float32"),
        arrays="torch",
        past_length="zero" if lengths else None,
        possible=found.possible,
        versions={"torch": torch.__version__},
    )
