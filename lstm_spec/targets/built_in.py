"""The names of the targets that come with the package; nothing is imported to know them."""

from collections.abc import Mapping
from types import MappingProxyType

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "numpy": "lstm_spec.targets.reference:numpy_layer",
        "spec": "lstm_spec.targets.reference:compiled_spec",
        "torch": "torch.nn.LSTM",
        "torch-cell": "torch.nn.LSTMCell",
        "torch-gru": "torch.nn.GRU",
        "torch-rnn": "torch.nn.RNN",
        "torch-stack": "torch.nn.LSTM(num_layers=2, bidirectional=True, lengths=True)",
        "onnxruntime": "onnx.LSTM",
        "onnx-reference": "onnx.LSTM(runtime='reference')",
        "onnx-openvino": "onnx.LSTM(runtime='openvino')",
        "keras": "keras.layers.LSTM(lengths=True)",
        "keras-cell": "keras.layers.LSTMCell",
        "keras-bidirectional": "keras.layers.Bidirectional(lengths=True)",
        "keras-gru": "keras.layers.GRU(lengths=True)",
        "flax": "flax.linen.LSTMCell",
        "flax-optimized": "flax.linen.OptimizedLSTMCell",
        "flax-nnx": "flax.nnx.LSTMCell",
        "flax-nnx-optimized": "flax.nnx.OptimizedLSTMCell",
        "equinox": "equinox.nn.LSTMCell",
        "haiku": "haiku.LSTM",
        "mlx": "mlx.nn.LSTM",
        "tinygrad": "tinygrad.nn.LSTMCell",
        "paddle": "paddle.nn.LSTM(lengths=True)",
        "openvino": "lstm_spec.targets.openvino:sequence",
    }
)
"""The targets that come with the package: functions that make one, and classes of frameworks with their arguments."""
