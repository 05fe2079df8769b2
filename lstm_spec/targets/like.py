"""Targets by the interface that they have, that of an original: ``torch.nn.LSTM``, ``keras.layers.LSTM``, …"""

import ast
import difflib
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.modules import find_attribute

LIKE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            (f"torch.nn.{kind}{cell}" for kind in ("LSTM", "GRU", "RNN") for cell in ("", "Cell")),
            "lstm_spec.targets.torch:Module",
        ),
        **dict.fromkeys(
            (f"keras.layers.{kind}{cell}" for kind in ("LSTM", "GRU", "SimpleRNN") for cell in ("", "Cell")),
            "lstm_spec.targets.keras:Layer",
        ),
        "keras.layers.Bidirectional": "lstm_spec.targets.keras:Layer",
        "flax.linen.LSTMCell": "lstm_spec.targets.jax_layers:Linen",
        "flax.linen.OptimizedLSTMCell": "lstm_spec.targets.jax_layers:Linen",
        "flax.nnx.LSTMCell": "lstm_spec.targets.jax_layers:Nnx",
        "flax.nnx.OptimizedLSTMCell": "lstm_spec.targets.jax_layers:Nnx",
        "equinox.nn.LSTMCell": "lstm_spec.targets.jax_layers:Equinox",
        "haiku.LSTM": "lstm_spec.targets.jax_layers:Haiku",
        "mlx.nn.LSTM": "lstm_spec.targets.mlx:Layer",
        "tinygrad.nn.LSTMCell": "lstm_spec.targets.tinygrad:Cell",
        "paddle.nn.LSTM": "lstm_spec.targets.paddle:Layer",
        "numpy-rows": "lstm_spec.targets.signatures:Rows",
        "numpy-rows-sequence": "lstm_spec.targets.signatures:RowsSequence",
        "numpy-columns": "lstm_spec.targets.signatures:Columns",
        "numpy-columns-sequence": "lstm_spec.targets.signatures:ColumnsSequence",
        **dict.fromkeys((f"onnx.{kind}" for kind in ("LSTM", "GRU", "RNN")), "lstm_spec.targets.onnx:Node"),
    }
)
"""The originals, each with the class that knows its interface.

That is a dataclass with the arguments of the original's constructor, those that only some kinds have made by
``modules.kinds``; with ``kind``, the last part of its name; and with a method ``target(made, name)``, where ``made`` is
what stands in for the original, or None for the original itself.
"""


def like(original: str, made: Any = None, *, name: str | None = None) -> Target:
    """Return the target of what has the interface of an original, by default of the original itself.

    original: one of ``LIKE``, with arguments of its constructor in brackets where they are not the usual ones, as in
    ``torch.nn.LSTM(batch_first=True)``. made: a class, a function that makes one, or an instance. name: what the
    target is called, by default the original. Raises TargetError in one sentence.
    """
    target: Target = interface(original).target(made, original if name is None else name)
    return target


def interface(original: str) -> Any:
    """Return what knows the interface of an original, with its arguments; raises TargetError in one sentence."""
    known, given = _read(original)
    knowing: Any = find_attribute(*LIKE[known].split(":"))
    kind = known.rpartition(".")[2]
    taken = [f.name for f in fields(knowing) if f.name != "kind" and kind in f.metadata.get("kinds", (kind,))]
    for key in given:
        if key not in taken:
            raise TargetError(f"{known} has no argument {key} that is known here; there is {', '.join(taken)}")
    try:
        return knowing(kind=kind, **given)
    except ValueError as error:
        raise TargetError(f"{original}: {error}") from error


def _read(original: str) -> tuple[str, dict[str, Any]]:
    """Return the name of an original and the arguments in brackets after it."""
    name, bracket, _ = original.partition("(")
    if name not in LIKE:
        close = difflib.get_close_matches(name, LIKE, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(LIKE)}"
        raise TargetError(f'nothing is known to be like "{name}"; {hint}')
    if not bracket:
        return name, {}
    try:
        call = ast.parse(original, mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError
        return name, {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError):
        wanted = f"{name}(argument=value), with numbers, texts, True or False"
        raise TargetError(f"cannot read {original}; expected {wanted}") from None
