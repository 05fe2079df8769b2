"""How an adapter constructs and calls somebody's own class or function, as far as names and shapes tell it."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from lstm_spec.spec.cells import lstm
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import LAYOUTS
from lstm_spec.targets.modules import backward_beside
from lstm_spec.targets.packing import LayoutError

METHODS = ("forward", "__call__", "call", "run", "predict", "apply", "forward_pass", "step")
"""What a method that runs an LSTM is called, the most likely first."""

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "params": "params parameters weights",
        "x": "x xs input inputs sequence seq",
        "h0": "h h0 hprev initialh inith h0prev",
        "c0": "c c0 cprev initialc initc",
        "(h0, c0)": "hx state states initialstate initialstates initstate hidden",
        "x.shape[-1]": "n ninput nin nx din inputsize inputdim infeatures inputfeatures inputunits",
        "h0.shape[-1]": "m nhidden nh na units numunits hiddensize hiddendim hiddenunits hiddenfeatures",
        "x.dtype": "dtype",
        "dy": "dy dys dout doutput gradoutput gradoutputs grady",
        "dh": "dh dhn dhnext gradh",
        "dc": "dc dcn dcnext gradc",
    }
)
_EXPRESSIONS = {name: expression for expression, names in _NAMES.items() for name in names.split()}
_WEIGHT = re.compile(r"(w|u|r|b|kernel|recurrent|bias|weight)\w{0,24}")
_SIZES = {"n": 2, "m": 3}


def _plain(name: str) -> str:
    return name.lower().replace("_", "").removesuffix("l0")


def _last(place: str) -> str:
    """Return the last name of an expression such as .weights["b"], plain."""
    return _plain(re.findall(r"\w+", place)[-1])


@dataclass(frozen=True)
class OwnCode:
    """A class, an object or a function of somebody's, and the module that it is in."""

    value: Any
    module: Mapping[str, Any]

    @property
    def is_class(self) -> bool:
        """Whether it has to be constructed first."""
        return isinstance(self.value, type)

    @property
    def is_function(self) -> bool:
        """Whether it is called itself."""
        return inspect.isroutine(self.value)

    @property
    def is_standard(self) -> bool:
        """Whether it is a function that takes what a target takes, whatever it calls it."""
        required = [p.name for p in _parameters(self.value) if p.default is p.empty]
        weights = [name for name in required if _WEIGHT.fullmatch(_plain(name)) and _plain(name) not in _EXPRESSIONS]
        return self.is_function and not weights and len(required) in (0, 4)

    @cached_property
    def layout(self) -> Layout | None:
        """The layout in which it holds its weights, by their names, or by their shapes in one that was made."""
        names = [name for name in self._taken if _WEIGHT.fullmatch(_plain(name)) and _plain(name) not in _EXPRESSIONS]
        shapes = {name: a.shape for name, a in self._held.items()}
        for layout in LAYOUTS.values():
            own = _shapes(layout)
            if own and {_plain(n) for n in own} == {_plain(n) for n in names}:
                return layout
        alike = [own for own in LAYOUTS.values() if shapes and sorted(shapes.values()) == sorted(_shapes(own).values())]
        called = {_last(place) for place in shapes}

        def likeness(layout: Layout) -> tuple[int, bool]:
            return len(called & {_plain(key) for key in _shapes(layout)}), layout.axes.startswith("TB")

        return max(alike, key=likeness, default=None)

    @cached_property
    def _taken(self) -> tuple[str, ...]:
        return tuple(p.name for p in _parameters(self.value) if p.default is p.empty)

    @cached_property
    def _held(self) -> Mapping[str, Any]:
        """The arrays of an object made with n=2 and m=3, by the expressions that reach them; none where it fails."""
        made = self.value
        if self.is_function:
            return {}
        if self.is_class:
            sizes = {"x.shape[-1]": _SIZES["n"], "h0.shape[-1]": _SIZES["m"], "x.dtype": "float64"}
            try:
                made = self.value(*(sizes[_EXPRESSIONS[_plain(name)]] for name in self._taken))
            except Exception:
                return {}
        return dict(_arrays(getattr(made, "__dict__", {})))

    @property
    def made_of_sizes(self) -> str:
        """How a class is made of x and h0: by the names of what it requires, else of n and m in this order."""
        given = [_EXPRESSIONS.get(_plain(name), "") for name in self._taken]
        sizes = ["x.shape[-1]", "h0.shape[-1]"]
        return ", ".join(given if sorted(given) == sorted(sizes) else sizes)

    def make(self, n: int, m: int) -> Any:
        """Make an object of a class for an input and a hidden size, as ``made_of_sizes`` says."""
        sizes = (n, m) if self.made_of_sizes.startswith("x") else (m, n)
        return self.value(*sizes)

    @property
    def _method(self) -> str | None:
        return next((name for name in METHODS if _defines(self.value, name)), None)

    @property
    def backward_beside(self) -> str | None:
        """The name of a backward pass in the module of a function, None where there is none."""
        found = backward_beside(self.value) if self.is_function else None
        return next((name for name, value in self.module.items() if inspect.isroutine(found) and value is found), None)

    def source(self, imports: str, name: str) -> str:
        """Return the text of an adapter. imports: lines that find it as ``target``; name: how the user calls it."""
        held = {} if self.layout is None else _shapes(self.layout)
        lines = [
            f'"""How lstm_spec calls {name}. What it could not know is marked with fill_in."""',
            "",
            imports,
            "",
            "",
        ]
        lines += ["class Adapter:"]
        if self.layout is not None:
            lines += [
                f"    # {'; '.join(f'{key} {_symbolic(shape)}' for key, shape in held.items())}; gates {self._gates}.",
                "    # Where yours are held otherwise, name another layout, or leave it to `lstm-spec identify`.",
                f'    layout = "{self.layout.name}"',
                "",
            ]
        lines += ["    def forward(self, params, x, h0, c0):"]
        if not self.layout:
            lines += ["        # params: W_f, W_i, W_c, W_o (m, n+m) over [x; h], and b_f, b_i, b_c, b_o (m,)."]
        lines += [*self._made(), f"        # It has to return y {self._y}, h and c (B, m)."]
        lines += [f"        return {self._call()}", *self._backward(), *_FILL_IN]
        return "\n".join(lines) + "\n"

    @property
    def _gates(self) -> str:
        return ", ".join(() if self.layout is None else self.layout.gates)

    @property
    def _y(self) -> str:
        by_rows = self.layout is not None and self.layout.axes.startswith("B")
        return "(B, T, m)" if by_rows else "(T, B, m)"

    def _made(self) -> Iterator[str]:
        """Yield lines that construct it with the weights."""
        if self.is_function:
            return
        given = self._given(self._taken, "the constructor") if self.is_class else ""
        yield f"        own = target({given})" if self.is_class else "        own = target"
        if self.layout is not None and self._held:
            shapes = _shapes(self.layout)
            for place, array in self._held.items():
                alike = [key for key, shape in shapes.items() if shape == array.shape]
                near = next((key for key in alike if _plain(key) == _last(place)), alike[0])
                shapes.pop(near)
                yield f'        own{place} = params["{near}"]'
        elif not any(_EXPRESSIONS.get(_plain(n)) == "params" or _WEIGHT.fullmatch(_plain(n)) for n in self._taken):
            yield '        fill_in("how your object gets the weights in params")'

    def _call(self) -> str:
        if self.is_function:
            return f"target({self._given(self._taken, 'your function')})"
        if self._method is None:
            return 'fill_in("which method of own runs it")'
        names = _used(_parameters(getattr(self.value, self._method)), self.is_class)
        called = "own" if self._method == "__call__" else f"own.{self._method}"
        return f"{called}({self._given(names, self._method)})"

    def _backward(self) -> Iterator[str]:
        """Yield a backward pass where there is one, of the class or beside the function."""
        found = self.backward_beside
        if not (found or _defines(self.value, "backward")):
            return
        yield ""
        yield "    def backward(self, params, x, h0, c0, dy, dh, dc):"
        function = self.module[found] if found else self.value.backward
        names = _used(_parameters(function), self.is_class) or ["dy", "dh", "dc"]
        if found:
            yield f"        backward = target.__globals__[{found!r}]".replace("'", '"')
            called = "backward"
        else:
            yield from self._made()
            if self._method is not None:
                yield f"        {self._call()}"
            called = "own.backward"
        yield "        # It has to return the gradients of params by their names, and then dx, dh0, dc0."
        yield f"        return {called}({self._given(names, 'backward')})"

    def _given(self, names: Iterable[str], whose: str) -> str:
        held = {} if self.layout is None else {_plain(key): key for key in _shapes(self.layout)}
        return ", ".join(_expression(name, held, whose) for name in names)


_FILL_IN = (
    "",
    "",
    "def fill_in(what):",
    '    """Say what only you know; put it in place of every call of this."""',
    '    raise NotImplementedError(f"fill in {what}, in lstm_adapter.py")',
)


def _expression(name: str, held: Mapping[str, str], whose: str) -> str:
    plain = _plain(name)
    if plain in held:
        return f'params["{held[plain]}"]'
    return _EXPRESSIONS.get(plain, f'fill_in("{name}, which {whose} takes")')


def _parameters(function: Any) -> list[inspect.Parameter]:
    """Return what can be given by position; nothing where that cannot be seen."""
    try:
        every = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in every if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _used(parameters: list[inspect.Parameter], unbound: bool) -> list[str]:
    """Return the names to give to a method: what it requires, and states up to the last that it may take."""
    own = parameters[1:] if unbound else parameters
    last = max((k for k, p in enumerate(own, 1) if p.default is p.empty or _plain(p.name) in _STATES), default=0)
    return [p.name for p in own[:last]]


_STATES = frozenset(name for key in ("h0", "c0", "(h0, c0)") for name in _NAMES[key].split())


def _defines(value: Any, name: str) -> bool:
    """Tell whether a class, or that of an object, has a method; every class has a __call__ of its own making."""
    cls = value if isinstance(value, type) else type(value)
    return any(name in vars(base) for base in cls.__mro__)


def _arrays(found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield arrays of two axes or one by the expressions that reach them, those in dictionaries and lists too."""
    for name, value in found.items():
        inner: Iterable[tuple[Any, Any]] = ()
        if isinstance(value, dict):
            inner = value.items()
        elif isinstance(value, list):
            inner = enumerate(value)
        places = [(f".{name}", value), *((f".{name}[{key!r}]".replace("'", '"'), a) for key, a in inner)]
        yield from ((place, a) for place, a in places if len(getattr(a, "shape", ())) in (1, 2))


def _shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    try:
        return {key: tuple(shape) for key, shape in layout.shapes(lstm().dimensions(**_SIZES)).items()}
    except LayoutError:
        return {}


def _symbolic(shape: tuple[int, ...]) -> str:
    names = {2: "n", 3: "m", 5: "n+m", 12: "4m"}
    return f"({', '.join(names.get(size, str(size)) for size in shape)}{',' if len(shape) == 1 else ''})"
