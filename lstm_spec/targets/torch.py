"""PyTorch's recurrent modules with all that they offer, and whatever stands in for one behind the same interface."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from lstm_spec.spec.cells import lstm
from lstm_spec.spec.program import Program
from lstm_spec.spec.recurrent import gru, rnn
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.example import example
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.modules import failing_as, kind_of, kinds, required
from lstm_spec.targets.recorded import Passes, Pull

_CELLS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"LSTM": ("lstm", "pytorch"), "GRU": ("gru_reset_after", "pytorch_gru"), "RNN": ("rnn", "pytorch_rnn")}
)
"""The cell and the layout of each of PyTorch's recurrent modules."""

_WITHOUT_BIASES: Mapping[str, Callable[[], Program]] = MappingProxyType(
    {
        "lstm": partial(lstm, biases=0),
        "lstmp": partial(lstm, biases=0, projection=True),
        "gru_reset_after": partial(gru, biases=0, reset_after=True),
        "rnn": partial(rnn, biases=0),
    }
)

_SIZES: Mapping[str, str] = MappingProxyType({"n": "input_size", "m": "hidden_size", "q": "proj_size"})


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module of ``torch.nn`` by its name and the arguments of its constructor, as PyTorch has them.

    kind: "LSTM", "GRU" or "RNN", which run over a sequence, or one of their cells, "LSTMCell", …, stepped over it.
    input_size, hidden_size: where there is no other size. proj_size: a number, or True for a projection of any size.
    lengths: whether rows end at lengths of their own, in a packed sequence, past which y is zero.
    """

    kind: str
    input_size: int | None = None
    hidden_size: int | None = None
    num_layers: int = kinds(1, *_CELLS)
    bidirectional: bool = kinds(False, *_CELLS)
    batch_first: bool = kinds(False, *_CELLS)
    bias: bool = True
    nonlinearity: str = kinds("tanh", "RNN", "RNNCell")
    proj_size: int | bool = kinds(False, "LSTM")
    lengths: bool = kinds(False, *_CELLS)
    device: str = "cpu"

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a module, or of what makes one; by default that of PyTorch's own.

        made: a module, or a class or function called as ``torch.nn.LSTM`` is. Raises TargetError without PyTorch, and
        for what does not have the parameters of PyTorch's module by name.
        """
        torch = required("torch", "PyTorch", "torch")
        if isinstance(made, torch.nn.Module):
            said, dtypes = self._said_by(made, name), (str(next(made.parameters()).dtype).removeprefix("torch."),)
            return _target(torch, said, lambda sizes, dtype: made, name, dtypes)
        make = getattr(torch.nn, self.kind) if made is None else made

        def build(sizes: Mapping[str, int], dtype: Any) -> Any:
            extra = {"proj_size": sizes["q"]} if "q" in sizes else {}
            module = make(sizes["n"], sizes["m"], **self.options, **extra)
            if not isinstance(module, torch.nn.Module):
                raise TargetError(f"{name} makes {kind_of(module)}; expected a torch.nn.Module")
            return module.to(device=self.device, dtype=dtype)

        return _target(torch, self, build, name, ("float64", "float32"))

    @property
    def stepped(self) -> bool:
        """Whether it is a cell, which somebody else steps over a sequence."""
        return self.kind.endswith("Cell")

    @property
    def spec(self) -> str | Program:
        """The cell that it computes."""
        name = "lstmp" if self.proj_size else _CELLS[self.kind.removesuffix("Cell")][0]
        if self.nonlinearity != "tanh":
            return rnn(activation=self.nonlinearity, biases=1 if self.bias else 0)
        return name if self.bias else _WITHOUT_BIASES[name]()

    @property
    def layout(self) -> Layout:
        """How it holds its parameters; those of a cell go by the same names without a layer."""
        found = find_layout(_CELLS[self.kind.removesuffix("Cell")][1])
        if self.stepped:
            return replace(found, names={role: name.split("_l{")[0] for role, name in found.names.items()})
        return replace(found, axes="BTI DBI" if self.batch_first else "TBI DBI")

    @property
    def sizes(self) -> tuple[dict[str, int], ...] | None:
        """The sizes that it can have, by the specification's names; None for any."""
        given = {name: getattr(self, argument) for name, argument in _SIZES.items() if getattr(self, argument)}
        return ({name: int(size) for name, size in given.items()},) if {"n", "m"} <= given.keys() else None

    def possible(self, sizes: Mapping[str, int]) -> bool:
        """Tell whether it can have these sizes; PyTorch refuses a projection that makes nothing smaller."""
        return (self.sizes is None or sizes in self.sizes) and ("q" not in sizes or sizes["q"] < sizes["m"])

    @property
    def options(self) -> dict[str, Any]:
        """What the constructor is given beside sizes: whatever is not as PyTorch has it by default."""
        theirs = ("num_layers", "bidirectional", "batch_first", "bias", "nonlinearity")
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name in theirs and self._differs(f)}

    def _differs(self, field: Any) -> bool:
        return bool(getattr(self, field.name) != field.default)

    def versions(self, torch: Any) -> dict[str, str]:
        """Return the versions of what computes: on a CUDA device those of CUDA and cuDNN too, and how products are."""
        found = {"torch": str(torch.__version__)}
        if not self.device.startswith("cuda"):
            return found
        # A cell is products and elementwise functions; only a layer is cuDNN's.
        kernels = torch.backends.cuda.matmul if self.stepped else torch.backends.cudnn
        found |= {} if self.stepped else {"cudnn": str(torch.backends.cudnn.version())}
        products = "TF32" if kernels.allow_tf32 else "float32"
        return found | {"cuda": f"{torch.version.cuda}, products of float32 in {products}"}

    def run(self, torch: Any, network: Any, x: Any, *rest: Any) -> tuple[Any, ...]:
        """Run a module over x, or step it, from states to lengths, and return y and the final states."""
        *states, lengths = rest
        given = tuple(states) if len(states) > 1 else states[0]
        if self.stepped:
            steps = []
            for x_t in x:
                given = network(x_t, given)
                steps.append(given[0] if isinstance(given, tuple) else given)
            y, final = torch.stack(steps), given
        elif lengths is None:
            y, final = network(x, given)
        else:
            packing, first = torch.nn.utils.rnn, self.batch_first
            packed = packing.pack_padded_sequence(x, lengths.cpu(), batch_first=first, enforce_sorted=False)
            y, final = network(packed, given)
            y, _ = packing.pad_packed_sequence(y, batch_first=first, total_length=x.shape[int(first)])
        return (y, *final) if isinstance(final, tuple | list) else (y, final)

    def _said_by(self, made: Any, name: str) -> "Module":
        """Return the module with what an instance says of itself in its attributes."""
        ours = ("kind", "lengths", "device")
        said = {f.name: getattr(made, f.name) for f in fields(self) if f.name not in ours and hasattr(made, f.name)}
        found = replace(self, **said, device=str(next(made.parameters()).device))
        if found.sizes is None:
            raise TargetError(
                f"{name} does not say its sizes; give it attributes input_size and hidden_size, or give its class"
            )
        return found


def _target(
    torch: Any, module: Module, build: Callable[[Mapping[str, int], Any], Any], name: str, dtypes: tuple[str, ...]
) -> Target:
    @lru_cache(maxsize=64)
    def built(dtype: Any, **sizes: int) -> Any:
        return build(sizes, dtype)

    def loaded(params: Mapping[str, Any], x: Any, states: tuple[Any, ...]) -> Any:
        sizes = {"n": x.shape[-1], "m": states[-1].shape[-1]} | ({"q": states[0].shape[-1]} if module.proj_size else {})
        network = built(x.dtype, **sizes)
        network.load_state_dict(params, strict=False)
        return network

    def run(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[Any, ...]:
        *states, lengths = rest
        with torch.no_grad(), _threads(torch, x, states[0]):
            given = [value.to(module.device) for value in (x, *states)]
            return module.run(torch, loaded(params, x, tuple(states)), *given, lengths)

    def record(params: Mapping[str, Any], x: Any, *rest: Any) -> tuple[tuple[Any, ...], Pull]:
        *states, lengths = rest
        network = loaded(params, x, tuple(states))
        own = dict(network.named_parameters())
        given = [value.to(module.device).clone().requires_grad_() for value in (x, *states)]
        with _threads(torch, x, states[0]):
            outputs = module.run(torch, network, *given, lengths)

        def pull(cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
            # An output that was cut off has no gradient, which is for the checks to find.
            pairs = [(v, d.to(module.device)) for v, d in zip(outputs, cotangents, strict=True) if v.requires_grad]
            through, arriving = zip(*pairs, strict=True)
            with _threads(torch, x, states[0]):
                found = torch.autograd.grad(
                    through, [*own.values(), *given], arriving, allow_unused=True, materialize_grads=True
                )
            return (dict(zip(own, found, strict=False)), *found[len(own) :])

        return outputs, pull

    passes = Passes(run, record)
    target = Target(
        name=name,
        forward=passes.forward,
        differentiated=passes.differentiated,
        backward=passes.backward,
        spec=module.spec,
        layers=module.num_layers,
        bidirectional=module.bidirectional,
        layout=module.layout,
        dtypes=dtypes,
        arrays="torch",
        past_length="zero" if module.lengths else None,
        possible=module.possible,
        sizes=module.sizes,
        versions=module.versions(torch),
    )
    params, given = example(target)
    with failing_as(f"{name} cannot be made as torch.nn.{module.kind} is: "):
        network = loaded({}, given[0], given[1:])
    own = {key: value.shape for key, value in network.named_parameters()}
    if own != {key: value.shape for key, value in params.items()}:
        raise TargetError(f"{name} has the parameters {_listed(own)}; torch.nn.{module.kind} has {_listed(params)}")
    with suppress(Exception):
        # What fails here is found, and told, by the checks.
        if not any(output.requires_grad for output in record(params, *given, None)[0]):
            return replace(target, differentiated=None, backward=None)
    return target


def _listed(arrays: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {tuple(getattr(a, 'shape', a))}" for name, a in arrays.items())


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
