"""The adapter of somebody's module of PyTorch: how it is called, and in which layout it holds its parameters."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from lstm_spec.spec.cells import lstm
from lstm_spec.targets.candidates import candidates
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.torch_calls import SIZES, called, target_called
from lstm_spec.verify.identify import identify

_USUAL = "ifco"
"""The order of packed gates that is guessed."""

_TEXT = '''\
"""How lstm_spec calls {name}, a module of PyTorch."""

import torch
{imports}

import lstm_spec as ls


class Adapter:
    arrays = "torch"
    dtypes = ("float64", "float32")
    # {said}
    layout = {layout}

    def forward(self, params, x, h0, c0):
        with torch.no_grad():
            return run(made(params, x, h0), x, h0, c0)

    def backward(self, params, x, h0, c0, *cotangents):
        module = made(params, x, h0)
        given = [a.clone().requires_grad_() for a in (x, h0, c0)]
        leaves = [*(module.get_parameter(name) for name in params), *given]
        *gradients, dx, dh0, dc0 = torch.autograd.grad(run(module, *given), leaves, cotangents)
        return dict(zip(params, gradients)), dx, dh0, dc0


def made(params, x, h0):
    """Return the module with these parameters, by its own names."""
    module = target({sizes}).to(x.dtype)
    with torch.no_grad():
        for name, value in params.items():
            module.get_parameter(name).copy_(value)
    return module


def run(module, x, h0, c0):
    """Call the module with x (T, B, n), h0 and c0 (B, m); returns y (T, B, m), h and c (B, m)."""
{lines}
'''


@dataclass(frozen=True)
class ModuleStart:
    """An adapter of a module: its text, and what is to be looked at."""

    text: str
    advice: str


def module_start(make: Callable[[int, int], Any], *, name: str, imports: str, sizes: str) -> ModuleStart | None:
    """Return the adapter of a module; None where it is called in no usual way, or holds something else beside an LSTM.

    make: makes it for n and m; name: how the user calls it; imports: lines that find it as ``target``; sizes: how it is
    made of x and h0.
    """
    try:
        module = make(*SIZES.values())
        way = called(module)
    except Exception:
        return None
    if way is None:
        return None
    target = target_called(make, way)
    every = candidates(lstm(), SIZES, target.shapes or {})
    likely = next((replace(one, states="hc") for one in every if one.gates in ("", _USUAL)), None)
    if likely is None:
        return None
    found = identify(target).layout
    said = "Found out by running it." if found else "A guess: with no order of the gates does it compute an LSTM."
    advice = (
        "see how it is made and called" if found else "see how it is made, called, and in which order its gates are"
    )
    lines = "\n".join(f"    {line}" for line in way.lines)
    layout = _written(found or likely)
    return ModuleStart(
        _TEXT.format(name=name, imports=imports, sizes=sizes, said=said, layout=layout, lines=lines), advice
    )


def _written(layout: Layout) -> str:
    """Return a layout as Python makes it, what is as by default left out."""
    usual = Layout()
    given = {f.name: getattr(layout, f.name) for f in fields(Layout) if f.name != "name"}
    words = [f"{key}={_text(value)}" for key, value in given.items() if value != getattr(usual, key)]
    inner = "".join(f"        {word},\n" for word in words)
    return f"ls.Layout(\n{inner}    )"


def _text(value: Any) -> str:
    plain = dict(value) if hasattr(value, "items") else value
    return repr(plain).replace("'", '"')
