"""Files to start from: an adapter that puts somebody's LSTM into the form of a target, and a test that verifies it."""

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any

from lstm_spec.report.module_start import module_start
from lstm_spec.report.own_code import METHODS, OwnCode
from lstm_spec.spec.cells import lstm
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.layouts import layout
from lstm_spec.targets.modules import find_attribute
from lstm_spec.targets.origin import Origin

ADAPTER, TEST = "lstm_adapter.py", "test_lstm.py"

_FORM = '''\
    """Run the LSTM over x (T, B, n) from h0 and c0 (B, m); returns y (T, B, m), h and c (B, m).

    params: W_f, W_i, W_c, W_o (m, n+m) over [x; h], input first, and b_f, b_i, b_c, b_o (m,).
    """
'''
_TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "nothing": f'''\
"""How lstm_spec calls your LSTM."""

import numpy as np


def forward(params, x, h0, c0):
{_FORM}    y = np.zeros((*x.shape[:2], h0.shape[-1]), x.dtype)
    # Call yours here. This one returns zeros, and is found out.
    return y, h0, c0
''',
        "function": f'''\
"""How lstm_spec calls $name. Change the call where it takes or returns them otherwise."""

$imports


def forward(params, x, h0, c0):
{_FORM}    return target(params, x, h0, c0)
''',
        "torch": '''\
"""How lstm_spec calls $name, a module of PyTorch."""

import torch
$imports

# What PyTorch calls its parameters, and what they are called here: gates i, f, g, o below each other.
NAMES = {
$names}


class Adapter:
    arrays = "torch"
    layout = "pytorch"
    dtypes = ("float64", "float32")

    def forward(self, params, x, h0, c0):
        with torch.no_grad():
            return run(made(params, x, h0), x, h0, c0)

    def backward(self, params, x, h0, c0, *cotangents):
        module = made(params, x, h0)
        given = [a.clone().requires_grad_() for a in (x, h0, c0)]
        leaves = [*(module.get_parameter(NAMES[name]) for name in params), *given]
        *gradients, dx, dh0, dc0 = torch.autograd.grad(run(module, *given), leaves, cotangents)
        return dict(zip(params, gradients)), dx, dh0, dc0


def made(params, x, h0):
    """Return the module with these parameters: (input size, hidden size) is how it is made."""
    module = target(x.shape[-1], h0.shape[-1]).to(x.dtype)
    with torch.no_grad():
        for name, value in params.items():
            module.get_parameter(NAMES[name]).copy_(value)
    return module


def run(module, x, h0, c0):
    """Call the module as one calls torch.nn.LSTM: x is (T, B, n), states have an axis of layers."""
    y, (h, c) = module(x, (h0[None], c0[None]))
    return y, h[0], c[0]
''',
        "keras": '''\
"""How lstm_spec calls $name, a layer as Keras has them."""

import numpy as np
$imports


class Adapter:
    layout = "keras"
    dtypes = ("float32",)

    def forward(self, params, x, h0, c0):
        """Call the layer as one calls keras.layers.LSTM: x is (B, T, n), the weights are kernel, recurrent, bias."""
        layer = target(h0.shape[-1], return_sequences=True, return_state=True)
        layer.build(x.shape)
        layer.set_weights(list(params.values()))
        y, h, c = layer(x, initial_state=[h0, c0])
        return np.asarray(y), np.asarray(h), np.asarray(c)
''',
    }
)
_TEST = """\
import lstm_spec as ls


@ls.parametrize("$target", profile="quick")
def test_lstm(lstm_check):
    lstm_check()
"""


@dataclass(frozen=True)
class Start:
    """The files to start from: their texts by name, how the target is called in them, and what is to be looked at."""

    files: Mapping[str, str]
    target: str
    advice: str

    def write(self, folder: Path) -> None:
        """Write the files; raises TargetError where one is there already, and writes nothing then."""
        for name in self.files:
            if (folder / name).exists():
                raise TargetError(f"{folder / name} is there already and is not written over; name another --folder")
        try:
            for name, text in self.files.items():
                (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise TargetError(f"cannot write into {folder}: {error.strerror}") from None


def start(name: str | None) -> Start:
    """Return the files to start from for what a user names, ``package.module:attribute`` or ``file.py:attribute``.

    Without a name, they are for an LSTM that is still to come. Raises TargetError where there is no such thing.
    """
    if name is None:
        return _started("nothing", "forward", "put the call of your LSTM into forward")
    place, _, path = name.rpartition(":")
    if not place or not path:
        raise TargetError(f"{name} names no class or function; name it package.module:attribute or file.py:attribute")
    value = find_attribute(place, path)
    if not callable(value) and not any(hasattr(value, method) for method in METHODS):
        raise TargetError(f"{name} is {type(value).__name__}, neither a class nor a function")
    kind = _kind(value)
    own = OwnCode(value, getattr(inspect.unwrap(value), "__globals__", {}))
    if kind == "function" and not (own.is_standard and own.backward_beside is None):
        adapter = own.source(_imports(place, path, name), name)
        return _files(adapter, "Adapter", "see that yours is called as it is, and put in what fill_in asks for")
    if kind == "torch":
        made = own.made_of_sizes
        found = module_start(own.make, name=name, imports=_imports(place, path, name), sizes=made)
        if found is not None:
            return _files(found.text, "Adapter", found.advice)
    words = {"name": name, "imports": _imports(place, path, name), "names": _names(value) if kind == "torch" else ""}
    advice = {
        "function": "see that forward calls yours with what it takes",
        "torch": "see that NAMES pairs the parameters rightly, and that run calls the module as it is called",
        "keras": "see that the weights are in the order of Keras, and that the layer is called as it is",
    }
    return _started(kind, "forward" if kind == "function" else "Adapter", advice[kind], words)


def _started(kind: str, attribute: str, advice: str, words: Mapping[str, str] = MappingProxyType({})) -> Start:
    return _files(Template(_TEMPLATES[kind]).substitute(words), attribute, advice)


def _files(adapter: str, attribute: str, advice: str) -> Start:
    target = f"{ADAPTER}:{attribute}"
    return Start({ADAPTER: adapter, TEST: Template(_TEST).substitute(target=target)}, target, advice)


def _kind(value: Any) -> str:
    """Tell whose class it is by its bases and methods; nothing is imported that was not."""
    bases = {f"{base.__module__}.{base.__qualname__}" for base in getattr(value, "__mro__", ())}
    if "torch.nn.modules.module.Module" in bases:
        return "torch"
    return "keras" if isinstance(value, type) and hasattr(value, "set_weights") else "function"


def _imports(place: str, path: str, name: str) -> str:
    head, *rest = path.split(".")
    if not place.endswith(".py") and "/" not in place and not rest:
        return f"from {place} import {head} as target"
    if Path(place).name == place and Path(place).stem.isidentifier() and not rest:
        return f"from {Path(place).stem} import {head} as target"
    return "\n".join(line for line in Origin(name, "function").lines if line)


def _names(module: Any) -> str:
    """Return lines that pair PyTorch's names with a module's own, by shape and by what the names have in common."""
    packed = layout("pytorch").shapes(lstm().dimensions(n=2, m=3))
    try:
        own = {name: tuple(p.shape) for name, p in module(2, 3).named_parameters()}
    except Exception:
        own = {}
    lines = []
    for name, shape in packed.items():
        alike = [other for other, theirs in own.items() if theirs == shape]
        near = difflib.get_close_matches(name, alike, n=1, cutoff=0.0) or [name]
        own.pop(near[0], None)
        lines.append(f'    "{name}": "{near[0]}",\n')
    return "".join(lines)
