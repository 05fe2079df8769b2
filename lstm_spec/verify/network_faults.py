"""The faults of networks: directions and layers taken for each other, outputs put together wrongly."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.compute.engine import Trace
from lstm_spec.compute.lengths import alive, flip
from lstm_spec.compute.network import Wiring, plain, run_network
from lstm_spec.spec.network import Network
from lstm_spec.spec.passes import Pass
from lstm_spec.verify.hypotheses import Forward, Wrap
from lstm_spec.verify.network_hypotheses import NetworkHypothesis

Params = Mapping[str, Array]
Named = Iterator[tuple[str, str, Callable[[Forward], Forward]]]


def network_faults(network: Network) -> tuple[NetworkHypothesis, ...]:
    """Return the faults that the layers and directions of a network leave room for.

    >>> from lstm_spec.spec.layers import layers
    >>> network_faults(layers(bidirectional=True))[1].sentence
    'the reverse direction runs forward'
    """
    groups = (_of_directions, _of_layers, _of_initial)
    around = [
        NetworkHypothesis(name, group.__name__.removeprefix("_of_"), sentence, network, wraps=(Wrap(forward=wrap),))
        for group in groups
        for name, sentence, wrap in group(network)
        # What begins from states of its own is given none that could be mistaken.
        if network.initial == "given" or not name.startswith(_OF_GIVEN)
    ]
    return (*_wirings(network), *_reading(network), *around, *_merged(network))


_OF_GIVEN = ("initial-", "direction-first", "y-of-layer-")
"""What the names of faults begin with that take the initial states as they are given."""


def _given(change: Callable[..., tuple[Any, ...]]) -> Callable[[Forward], Forward]:
    """Make a decorator from what happens to (params, x, *states)."""
    return lambda forward: lambda *given, **rows: forward(*change(*given), **rows)


def _results(change: Callable[..., tuple[Any, ...]]) -> Callable[[Forward], Forward]:
    """Make a decorator from what happens to (y, *states)."""
    return lambda forward: lambda *given, **rows: change(*forward(*given, **rows))


def _weights(sources: Mapping[str, str]) -> Callable[[Forward], Forward]:
    """Make a decorator that takes the parameters of passes, by what is before their names, for those of others."""

    def change(params: Params, *rest: Any) -> tuple[Any, ...]:
        taken = {}
        for name in params:
            key, dot, own = name.rpartition(".")
            other = params[sources.get(key + dot, key + dot) + own]
            # The lowest layer reads x, and its weights are of another size unless x has as many features.
            taken[name] = other if other.shape == params[name].shape else params[name]
        return (taken, *rest)

    return _given(change)


def _exchanged(names: tuple[str, ...], sources: Mapping[str, str]) -> Callable[..., tuple[Array, ...]]:
    """Return what takes the states of passes for those of others."""

    def change(*states: Array) -> tuple[Array, ...]:
        by_name = dict(zip(names, states, strict=True))
        keys = (name.rpartition(".") for name in names)
        return tuple(by_name[sources.get(key + dot, key + dot) + own] for key, dot, own in keys)

    return change


def _both(network: Network) -> list[tuple[Pass, Pass]]:
    return [(p[0], p[1]) for p in network.passes if len(p) == 2]


def _of_directions(network: Network) -> Named:
    pairs = _both(network)
    if not pairs:
        return
    turned = {a.key: b.key for forth, back in pairs for a, b in ((forth, back), (back, forth))}
    if all(forth.sizes == back.sizes for forth, back in pairs):
        yield "directions-swapped", "the weights of the two directions are taken for each other", _weights(turned)
        for which, kept in (("forward", 0), ("reverse", 1)):
            what = f"both directions have the weights of the {which} one"
            yield f"weights-{which}-only", what, _weights({pair[1 - kept].key: pair[kept].key for pair in pairs})
        change = _exchanged(network.states, turned)
        what = "the initial states of the two directions are taken for each other"
        yield "initial-directions-swapped", what, _given(lambda p, x, *s: (p, x, *change(*s)))
        what = "the final states of the two directions are returned in each other's place"
        yield "final-directions-swapped", what, _results(lambda y, *s: (y, *change(*s)))


def _wirings(network: Network) -> Iterator[NetworkHypothesis]:
    """Passes that run or are put together in another way, in every layer."""
    if not any(p.reverse for p in network.every_pass):
        return

    def misaligned(run: Any, p: Pass, x: Array, lengths: Any) -> Trace:
        trace = run(p, x, lengths)
        return replace(trace, y=flip(trace.y, lengths)) if p.reverse else trace

    def at_last_step(run: Any, p: Pass, x: Array, lengths: Any) -> Trace:
        trace = run(p, x, lengths)
        ends = np.full(x.shape[1], len(x)) if lengths is None else np.maximum(lengths, 1)
        end = trace.y[ends - 1, np.arange(x.shape[1])]
        return replace(trace, states=(end, *trace.states[1:])) if p.reverse else trace

    def regardless(run: Any, p: Pass, x: Array, lengths: Any) -> Trace:
        if lengths is None or not p.reverse:
            return run(p, x, lengths)
        # What the layer below has not computed is zero.
        return run(p, x if p in network.passes[0] else np.where(alive(lengths, len(x)), x, 0), None)

    known = {
        "reverse-not-aligned": (
            "the reverse half of y is in the order in which it is computed: it is not turned back in time",
            Wiring(around=misaligned),
        ),
        "reverse-runs-forward": (
            "the reverse direction runs forward",
            Wiring(around=lambda run, p, x, lengths: run(replace(p, reverse=False), x, lengths)),
        ),
        "reverse-final-at-last-step": (
            "the final h of a reverse direction is its output at the last step, where that direction begins",
            Wiring(around=at_last_step),
        ),
        "y-halves-swapped": ("y holds the reverse direction first", Wiring(parts=lambda parts: parts[::-1])),
    }
    if network.past_length is not None:
        known["reverse-from-last-step"] = (
            "the reverse direction begins at the last step, not at each row's own end",
            Wiring(around=regardless),
        )
    for name, (sentence, wiring) in known.items():
        yield NetworkHypothesis(name, "directions", sentence, network, wiring=wiring)


def _reading(network: Network) -> Iterator[NetworkHypothesis]:
    """Layers that read x in place of what is below them; where it has another size they read as usual."""
    if len(network.layers) > 1:
        sentence = "every layer reads x, where the spec has the output of the layer below"
        wiring = Wiring(reads=lambda layer, x, below: x if x.shape == below.shape else below)
        yield NetworkHypothesis("layers-read-x", "layers", sentence, network, wiring=wiring)


def _of_layers(network: Network) -> Named:
    passes = network.passes
    for a, b in combinations(range(len(passes)), 2):
        own, other = passes[a], passes[b]
        if len(own) == len(other) and all(map(_alike, own, other)):
            sources = {p.key: q.key for p, q in (*zip(own, other, strict=True), *zip(other, own, strict=True))}
            what = f"the weights of layers {a} and {b} are taken for each other"
            yield f"layers-{a}-{b}", what, _weights(sources)
            change = _exchanged(network.states, sources)
            what = f"the initial states of layers {a} and {b} are taken for each other"
            yield f"initial-layers-{a}-{b}", what, _given(lambda p, x, *s, change=change: (p, x, *change(*s)))
            what = f"the final states of layers {a} and {b} are returned in each other's place"
            yield f"final-layers-{a}-{b}", what, _results(lambda y, *s, change=change: (y, *change(*s)))
    for count in range(1, len(passes)):
        if network.widths[count] == network.widths[-1]:
            what = f"y is that of layer {count - 1}, where the top layer is {len(passes) - 1}"
            yield f"y-of-layer-{count - 1}", what, _lower(network, count)
    even = all(_alike(network.every_pass[0], p) for p in network.every_pass)
    if even and len(passes) > 1 and all(len(p) == 2 for p in passes):
        # What should be layer before direction is taken as direction before layer.
        every = network.every_pass
        keys = [p.key for p in (*every[::2], *every[1::2])]
        order = dict(zip((p.key for p in every), keys, strict=True))
        back = {b: a for a, b in order.items()}
        taken, returned = _exchanged(network.states, back), _exchanged(network.states, order)
        what = "the states go direction before layer where they go layer before direction"
        yield (
            "direction-first",
            what,
            lambda f: _results(lambda y, *s: (y, *returned(*s)))(_given(lambda p, x, *s: (p, x, *taken(*s)))(f)),
        )
        what = "the initial states go direction before layer where they go layer before direction"
        yield "initial-direction-first", what, _given(lambda p, x, *s: (p, x, *taken(*s)))
        what = "the final states go direction before layer where they go layer before direction"
        yield "final-direction-first", what, _results(lambda y, *s: (y, *returned(*s)))


def _alike(one: Pass, other: Pass) -> bool:
    """Tell whether two passes have states of the same sizes."""
    return [one.shape(after) for _, after in one.cell.recurrence] == [
        other.shape(after) for _, after in other.cell.recurrence
    ]


def _lower(network: Network, count: int) -> Callable[[Forward], Forward]:
    """Make a decorator that returns y of a lower layer with the states of all."""
    below = replace(network, layers=network.layers[:count])

    def decorator(forward: Forward) -> Forward:
        def run(params: Params, x: Array, *states: Array, lengths: Any = None) -> tuple[Array, ...]:
            _, *final = forward(params, x, *states, lengths=lengths)
            renamed = _as_alone(below, params)
            y = run_network(below, renamed, x, states[: len(below.states)], lengths, plain(keep=False)).y
            return y, *final

        return run

    return decorator


def _as_alone(network: Network, params: Params) -> Params:
    """Return parameters by the names of a network of the lowest layers: a single pass has none before its names."""
    return {p.key + name: params[(p.key or "l0.") + name] for p in network.every_pass for name in _own_names(p)}


def _own_names(p: Pass) -> list[str]:
    return [parameter.name for parameter in p.cell.parameters]


def _of_initial(network: Network) -> Named:
    for kind, names in network.stacks.items():
        places = [network.states.index(name) for name in names]
        zero = lambda p, x, *s, at=places: (p, x, *(0 * v if k in at else v for k, v in enumerate(s)))  # noqa: E731
        yield f"initial-{kind}-ignored", f"the initial {kind} is ignored", _given(zero)
        lost = lambda y, *s, at=places: (y, *(0 * v if k in at else v for k, v in enumerate(s)))  # noqa: E731
        yield f"final-{kind}-zero", f"the final {kind} is zero", _results(lost)
    yield (
        "initial-states-ignored",
        "the initial states are ignored",
        _given(lambda p, x, *s: (p, x, *(0 * v for v in s))),
    )
    kinds = list(network.stacks.values())
    if len(kinds) == 2 and all(
        a.shape == b.shape for run in network.every_pass for (a, _), (b, _) in [run.cell.recurrence]
    ):
        other = dict(zip((*kinds[0], *kinds[1]), (*kinds[1], *kinds[0]), strict=True))

        def swapped(*states: Array) -> tuple[Array, ...]:
            by_name = dict(zip(network.states, states, strict=True))
            return tuple(by_name[other[name]] for name in network.states)

        first, second = network.stacks
        what = f"the initial {first} and {second} are taken for each other"
        yield "initial-states-swapped", what, _given(lambda p, x, *s: (p, x, *swapped(*s)))
        what = f"the final {first} and {second} are returned in each other's place"
        yield "final-states-swapped", what, _results(lambda y, *s: (y, *swapped(*s)))


def _merged(network: Network) -> Iterator[NetworkHypothesis]:
    """Directions put together in another way, inputs added or not."""
    top = network.layers[-1]
    for merge in ("sum", "multiply", "average"):
        if top.direction == "both" and top.merge not in ("concatenate", merge):
            changed = replace(network, layers=(*network.layers[:-1], replace(top, merge=merge)))
            what = f"the directions are put together by {merge}, not by {top.merge}"
            yield NetworkHypothesis(f"merge-{merge}", "directions", what, network, changed=changed)
    fits = [k > 0 and a == b for k, (a, b) in enumerate(zip(network.widths, network.widths[1:], strict=False))]
    if any(fits):
        flipped = tuple(
            replace(layer, residual=not layer.residual) if fit else layer
            for layer, fit in zip(network.layers, fits, strict=True)
        )
        what = "every layer but the first adds its input to its output"
        what = "no layer adds its input to its output, as the spec does" if top.residual else f"{what}, unlike the spec"
        yield NetworkHypothesis("residual", "layers", what, network, changed=replace(network, layers=flipped))
