"""Whose weights a layout holds: which cells that library computes, and what runs them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from lstm_spec.spec.cells import lstm
from lstm_spec.spec.network import Network
from lstm_spec.spec.onnx import OF_LAYERS
from lstm_spec.spec.program import Program
from lstm_spec.spec.recurrent import gru, rnn
from lstm_spec.targets.layout import Layout

Biases = Literal[0, 1, 2]

_MAKE: Mapping[str, Callable[[Biases], Program]] = MappingProxyType(
    {
        "lstm": lambda k: lstm(biases=k),
        "peephole": lambda k: lstm(biases=k, peepholes="fio", name="peephole"),
        "lstmp": lambda k: lstm(biases=k, projection=True, name="lstmp"),
        "lstmp_peephole": lambda k: lstm(biases=k, projection=True, peepholes="fio", name="lstmp_peephole"),
        "cifg": lambda k: lstm(biases=k, coupled="f=1-i", name="cifg"),
        "cifg_i": lambda k: lstm(biases=k, coupled="i=1-f", name="cifg_i"),
        "gru_reset_after": lambda k: gru(reset_after=True, biases=k, name="gru_reset_after"),
        "gru": lambda k: gru(biases=k),
        "rnn": lambda k: rnn(biases=k),
    }
)
"""The cells whose weights people save, each by its number of biases per gate."""


@lru_cache(maxsize=64)
def usual_cell(name: str, biases: Biases) -> Program:
    """Return one of the cells whose weights people save, with none, one or two biases per gate."""
    return _MAKE[name](biases)


@dataclass(frozen=True)
class Original:
    """The library that a layout is of.

    cells: the cells that it computes, by name. target: it as ``python.load`` takes it, with arguments in braces for
    what a network is. networks: whether that is of any number of layers that are alike, in the same directions, or of
    one layer forwards.
    """

    cells: tuple[str, ...]
    target: str
    networks: bool = False

    def called(self, network: Network, dtype: str) -> str:
        """Return the library's own for a network in a format, as ``python.load`` takes it."""
        first = network.layers[0]
        own = {p.name[:2] for p in first.cell.parameters}
        given = [name for name, role in (("B", "b_"), ("P", "p_")) if role in own]
        return self.target.format(
            layers=len(network.layers),
            both=first.direction == "both",
            direction="bidirect" if first.direction == "both" else "forward",
            onnx=OF_LAYERS.get(first.direction),
            projection="W_p" in {p.name for p in first.cell.parameters},
            reset=int(first.cell.name == "gru_reset_after"),
            inputs=(*given, *(f"initial_{state}" for state in first.cell.states)),
            # ONNX Runtime has the operators in float32 alone.
            runtime="reference" if dtype == "float64" else "onnxruntime",
        )


_NODE = "layers={layers}, direction='{onnx}', inputs={inputs}, runtime='{runtime}'"
ORIGINALS: Mapping[str, Original] = MappingProxyType(
    {
        "pytorch": Original(
            ("lstm", "lstmp"),
            "torch.nn.LSTM(num_layers={layers}, bidirectional={both}, proj_size={projection})",
            networks=True,
        ),
        "pytorch_gru": Original(
            ("gru_reset_after",), "torch.nn.GRU(num_layers={layers}, bidirectional={both})", networks=True
        ),
        "pytorch_rnn": Original(("rnn",), "torch.nn.RNN(num_layers={layers}, bidirectional={both})", networks=True),
        "pytorch_cell": Original(("lstm",), "torch.nn.LSTMCell"),
        "pytorch_gru_cell": Original(("gru_reset_after",), "torch.nn.GRUCell"),
        "pytorch_rnn_cell": Original(("rnn",), "torch.nn.RNNCell"),
        "keras": Original(("lstm",), "keras.layers.LSTM"),
        "keras_gru": Original(("gru_reset_after",), "keras.layers.GRU"),
        "keras_rnn": Original(("rnn",), "keras.layers.SimpleRNN"),
        "flax": Original(("lstm",), "flax.linen.LSTMCell"),
        "flax_optimized": Original(("lstm",), "flax.nnx.OptimizedLSTMCell"),
        "equinox": Original(("lstm",), "equinox.nn.LSTMCell"),
        "haiku": Original(("lstm",), "haiku.LSTM"),
        "onnx": Original(("lstm", "peephole"), f"onnx.LSTM({_NODE})", networks=True),
        "onnx_gru": Original(
            ("gru", "gru_reset_after"), f"onnx.GRU({_NODE}, linear_before_reset={{reset}})", networks=True
        ),
        "onnx_rnn": Original(("rnn",), f"onnx.RNN({_NODE})", networks=True),
        "openvino": Original(("lstm",), "openvino"),
        "mlx": Original(("lstm",), "mlx.nn.LSTM"),
        "tinygrad": Original(("lstm",), "tinygrad.nn.LSTMCell"),
        "paddle": Original(("lstm",), "paddle.nn.LSTM(num_layers={layers}, direction='{direction}')", networks=True),
    }
)
"""The libraries by the name of the layout; of others it is not known what they compute."""


def original(layout: Layout) -> Original | None:
    """Return the library that a layout is of, None for one that somebody has described."""
    return ORIGINALS.get(layout.name)


def biases_of(layout: Layout) -> Biases | None:
    """Return how many biases per gate a layout holds, None for as many as the cell has."""
    return 2 if layout.biases == "concatenated" else layout.biases


def cells_of(layout: Layout) -> tuple[Program, ...]:
    """Return the cells of which a layout may hold the weights, with its own number of biases or without any."""
    library, count = original(layout), biases_of(layout)
    names = library.cells if library else tuple(_MAKE)
    counts: tuple[Biases, ...] = (1, 2, 0) if count is None else (count, 0) if count else (0,)
    return tuple(usual_cell(name, k) for k in counts for name in names)
