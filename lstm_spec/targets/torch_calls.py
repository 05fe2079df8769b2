"""How somebody's module of PyTorch is called, found out by calling it with arrays whose sizes all differ."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any

from lstm_spec.targets.contract import Target

SIZES: Mapping[str, int] = MappingProxyType({"n": 2, "m": 3})
_STEPS, _ROWS = 5, 7

_SEQUENCES = ("x", "x.swapaxes(0, 1)")
_STATES = ("({h}, {c})", "{h}, {c}")
_HELD: Mapping[str, str] = MappingProxyType({"": "", "[None]": "[0]"})
"""What makes of a state (B, m) what a module takes, and of what it returns a state again."""

_RESULTS = ("y, (h, c)", "y, h, c")
_STEP = "h, c = module(x_t, {states})"


@dataclass(frozen=True)
class Called:
    """The call of a module: lines of Python that take ``module``, x (T, B, n), h0 and c0, and return y, h and c."""

    lines: tuple[str, ...]

    @property
    def function(self) -> Callable[..., Any]:
        """The lines as a function of module, x, h0 and c0."""
        import torch

        names: dict[str, Any] = {"torch": torch}
        exec("\n".join(["def run(module, x, h0, c0):", *(f"    {line}" for line in self.lines)]), names)
        found: Callable[..., Any] = names["run"]
        return found


def called(module: Any) -> Called | None:
    """Return how a module, made for ``SIZES``, is called as an LSTM; None where no usual way returns what one does."""
    import torch

    x, h0 = torch.zeros(_STEPS, _ROWS, SIZES["n"]), torch.zeros(_ROWS, SIZES["m"])
    wanted = [(_STEPS, _ROWS, SIZES["m"]), (_ROWS, SIZES["m"]), (_ROWS, SIZES["m"])]
    for way in _ways():
        with suppress(Exception), torch.no_grad():
            if [tuple(a.shape) for a in way.function(module, x, h0, h0)] == wanted:
                return way
    return None


def _ways() -> Iterator[Called]:
    for x, states, held, results in product(_SEQUENCES, _STATES, _HELD, _RESULTS):
        given = states.format(h=f"h0{held}", c=f"c0{held}")
        y = x.replace("x", "y", 1)
        back = _HELD[held]
        yield Called((f"{results} = module({x}, {given})", f"return {y}, h{back}, c{back}"))
    for states in _STATES:
        step = _STEP.format(states=states.format(h="h", c="c"))
        loop = ("y, h, c = [], h0, c0", "for x_t in x:", f"    {step}", "    y.append(h)")
        yield Called((*loop, "return torch.stack(y), h, c"))


def target_called(make: Callable[[int, int], Any], way: Called) -> Target:
    """Return the target of a module, given how it is made for n and m, and called; its own parameters by name."""
    import torch

    run = way.function
    shapes = {name: tuple(p.shape) for name, p in make(*SIZES.values()).named_parameters()}

    def forward(params: Mapping[str, Any], x: Any, h0: Any, c0: Any) -> Any:
        module = make(x.shape[-1], h0.shape[-1]).to(x.dtype)
        with torch.no_grad():
            for name, value in params.items():
                module.get_parameter(name).copy_(value)
            return run(module, x, h0, c0)

    return Target("module", forward, arrays="torch", shapes=shapes)
