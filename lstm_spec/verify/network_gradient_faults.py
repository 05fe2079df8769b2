"""The faults of the backward passes of networks: what goes wrong between layers, directions and their states."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.compute.engine import Pull, Trace
from lstm_spec.compute.lengths import flip
from lstm_spec.compute.network import Wiring
from lstm_spec.spec.network import Network
from lstm_spec.spec.passes import Pass
from lstm_spec.verify.hypotheses import Backward, Wrap
from lstm_spec.verify.network_hypotheses import NetworkHypothesis

Params = Mapping[str, Array]
Named = Iterator[tuple[str, str, Callable[[Backward], Backward]]]
Change = Callable[[Pull], Pull]


def network_gradient_faults(network: Network) -> tuple[NetworkHypothesis, ...]:
    """Return the faults that the backward pass of a network leaves room for, beside those of its cells.

    >>> from lstm_spec.spec.layers import layers
    >>> [h.sentence for h in network_gradient_faults(layers(bidirectional=True))][:2]
    ['the gradient of y is not turned in time for the reverse direction',
     'the gradient of x is not turned back in time by the reverse direction']
    """
    groups = (_of_parameters, _of_cotangents, _of_results)
    around = [
        NetworkHypothesis(name, group.__name__.removeprefix("_of_"), sentence, network, wraps=(Wrap(backward=wrap),))
        for group in groups
        for name, sentence, wrap in group(network)
    ]
    return (*_within(network), *around)


def _within(network: Network) -> Iterator[NetworkHypothesis]:
    """What a pass does with what arrives and with what it hands on."""
    for kind, made in (("directions", _of_directions(network)), ("layers", _between_layers(network))):
        for name, sentence, around in made:
            yield NetworkHypothesis(name, kind, sentence, network, wiring=Wiring(around=around))


Around = Callable[[Callable[..., Trace], Pass, Any, Any], Trace]


def _pulled(
    concerns: Callable[[Pass], bool],
    *,
    given: Callable[..., tuple[Any, ...]] = lambda lengths, *d: d,
    made: Callable[[Any, Pull], Pull] = lambda lengths, back: back,
) -> Around:
    """Return what changes the way back of some passes: what arrives, (dy, *dstates), and what comes of it."""

    def around(run: Callable[..., Trace], p: Pass, x: Any, lengths: Any) -> Trace:
        trace = run(p, x, lengths)
        pull = trace.pull
        if pull is None or not concerns(p):
            return trace
        return replace(trace, pull=lambda *d: made(lengths, pull(*given(lengths, *d))))

    return around


def _among(keys: set[str]) -> Callable[[Pass], bool]:
    return lambda p: p.key in keys


def _turned(lengths: Any, dy: Array, *dstates: Array) -> tuple[Array, ...]:
    return flip(dy, lengths), *dstates


def _handed_on(change: Callable[[Any, Array], Array]) -> Callable[[Any, Pull], Pull]:
    return lambda lengths, back: replace(back, x=change(lengths, back.x))


def _of_directions(network: Network) -> Iterator[tuple[str, str, Around]]:
    def reverse(p: Pass) -> bool:
        return p.reverse

    if not any(map(reverse, network.every_pass)):
        return
    back = _handed_on(lambda lengths, dx: flip(dx, lengths))
    zero = _handed_on(lambda lengths, dx: 0 * dx)
    name, which = "gradient-not-turned", "the reverse direction"
    yield f"y-{name}", f"the gradient of y is not turned in time for {which}", _pulled(reverse, given=_turned)
    yield f"x-{name}", f"the gradient of x is not turned back in time by {which}", _pulled(reverse, made=back)
    what = f"gradients are turned in time neither for {which} nor back"
    yield name, what, _pulled(reverse, given=_turned, made=back)
    if not all(map(reverse, network.every_pass)):
        yield (
            "no-x-gradient-reverse",
            f"what {which} adds to the gradient of what it reads is missing",
            _pulled(reverse, made=zero),
        )
        what = "what the forward direction adds to the gradient of what it reads is missing"
        yield "no-x-gradient-forward", what, _pulled(lambda p: not p.reverse, made=zero)
    lost = _pulled(reverse, given=lambda lengths, dy, *d: (dy, *(0 * v for v in d)))
    yield "reverse-cotangents-ignored", f"the cotangents of the final states of {which} are ignored", lost
    silent = _pulled(reverse, given=lambda lengths, dy, *d: (0 * dy, *d))
    yield "reverse-y-ignored", f"the cotangent of the outputs of {which} is ignored", silent


def _between_layers(network: Network) -> Iterator[tuple[str, str, Around]]:
    passes = network.passes
    zero = _handed_on(lambda lengths, dx: 0 * dx)
    upper = set(range(1, len(passes)))
    for index in upper:
        here = {p.key for p in passes[index]}
        what = f"no gradient passes from layer {index} to the layer below"
        yield f"no-gradient-below-{index}", what, _pulled(_among(here), made=zero)
    if len(upper) > 1:
        every = {p.key for index in upper for p in passes[index]}
        sentence = "no gradient passes from any layer to the one below"
        yield "no-gradient-between-layers", sentence, _pulled(_among(every), made=zero)
    for index in range(len(passes) if upper else 0):
        here = {p.key for p in passes[index]}
        lost = lambda lengths, dy, *d: (dy, *(0 * v for v in d))  # noqa: E731
        what = f"the cotangents of the final states of layer {index} are ignored"
        yield f"cotangents-ignored-{index}", what, _pulled(_among(here), given=lost)


def _with_parameters(change: Callable[[Params], Params]) -> Callable[[Backward], Backward]:
    """Make a decorator from what happens to the gradients of the parameters."""

    def decorator(pull: Backward) -> Backward:
        def changed(*given: Any, **rows: Any) -> tuple[Any, ...]:
            dparams, *others = pull(*given, **rows)
            return change(dparams), *others

        return changed

    return decorator


def _taken_from(sources: Mapping[str, str]) -> Callable[[Params], Params]:
    """Return what gives passes, by what is before the names of their parameters, the gradients of others."""

    def change(dparams: Params) -> Params:
        found = {}
        for name, own in dparams.items():
            key, dot, kind = name.rpartition(".")
            other = dparams.get(sources.get(key + dot, key + dot) + kind, own)
            found[name] = other if other.shape == own.shape else own
        return found

    return change


def _zero(keys: set[str]) -> Callable[[Params], Params]:
    return lambda dparams: {n: 0 * d if n.rpartition(".")[0] + "." in keys else d for n, d in dparams.items()}


def _of_parameters(network: Network) -> Named:
    pairs = [(own[0], own[1]) for own in network.passes if len(own) == 2]
    if pairs:
        there, back = ({a.key: b.key for a, b in pairs}, {b.key: a.key for a, b in pairs})
        what = "the gradients of the weights of the two directions are returned in each other's place"
        yield "direction-gradients-swapped", what, _with_parameters(_taken_from({**there, **back}))
        for which, sources in (("forward", back), ("reverse", there)):
            what = f"the gradients of the weights of both directions are those of the {which} one"
            yield f"{which}-gradients-twice", what, _with_parameters(_taken_from(sources))
        for which, keys in (("forward", set(there)), ("reverse", set(back))):
            what = f"the gradients of the weights of the {which} direction are zero"
            yield f"no-{which}-gradients", what, _with_parameters(_zero(keys))
    for a, b in combinations(range(len(network.passes)), 2):
        own, other = network.passes[a], network.passes[b]
        if len(own) == len(other):
            sources = {p.key: q.key for p, q in (*zip(own, other, strict=True), *zip(other, own, strict=True))}
            what = f"the gradients of the weights of layers {a} and {b} are returned in each other's place"
            yield f"layer-gradients-swapped-{a}-{b}", what, _with_parameters(_taken_from(sources))
    for index, own in enumerate(network.passes if len(network.passes) > 1 else ()):
        what = f"the gradients of the weights of layer {index} are zero"
        yield f"no-gradients-of-layer-{index}", what, _with_parameters(_zero({p.key for p in own}))


def _orders(network: Network) -> Iterator[tuple[str, str, list[int]]]:
    """Yield the ways in which states may be taken for each other, each as the positions that they are taken from."""
    names = network.states
    keys = [name.rpartition(".") for name in names]
    shapes = {after.name: after.shape for _, after in network.recurrence}

    def order(source: Callable[[str, str], str]) -> list[int]:
        return [names.index(source(key + dot, own)) for key, dot, own in keys]

    def fits(found: list[int]) -> bool:
        alike = all(shapes[names[k]] == shapes[name] for k, name in zip(found, names, strict=True))
        return alike and found != list(range(len(names)))

    ways: list[tuple[str, str, Callable[[str, str], str]]] = []
    pairs = [(own[0], own[1]) for own in network.passes if len(own) == 2]
    if pairs:
        turned = {p.key: q.key for a, b in pairs for p, q in ((a, b), (b, a))}
        ways.append(("directions", "of the two directions", _of_others(turned)))
    for a, b in combinations(range(len(network.passes)), 2):
        one, other = network.passes[a], network.passes[b]
        if len(one) == len(other):
            moved = {p.key: q.key for p, q in (*zip(one, other, strict=True), *zip(other, one, strict=True))}
            ways.append((f"layers-{a}-{b}", f"of layers {a} and {b}", _of_others(moved)))
    kinds = list(network.stacks)
    if len(kinds) == 2 and all(f"{key}{dot}{kind}" in names for key, dot, _ in keys for kind in kinds):
        other_kind = dict(zip(kinds, reversed(kinds), strict=True))
        ways.append(("kinds", f"{kinds[0]} and {kinds[1]}", lambda key, own: key + other_kind[own]))
    for name, words, source in ways:
        if fits(found := order(source)):
            yield name, words, found
    every = network.every_pass
    if len(network.passes) > 1 and all(len(own) == 2 for own in network.passes):
        by_direction = [p.key for p in (*every[::2], *every[1::2])]
        back = dict(zip(by_direction, (p.key for p in every), strict=True))
        if fits(found := order(lambda key, own: back[key] + own)):
            yield "direction-first", "", found


def _of_others(keys: Mapping[str, str]) -> Callable[[str, str], str]:
    """Return what names the state of another pass, given what is before its name and the name itself."""
    return lambda key, own: keys.get(key, key) + own


def _of_cotangents(network: Network) -> Named:
    count, given = len(network.states), len(network.states) if network.initial == "given" else 0
    first = 2 + given

    def moved(change: Callable[..., tuple[Any, ...]]) -> Callable[[Backward], Backward]:
        return lambda pull: lambda *g, **rows: pull(*g[:first], *change(*g[first:]), **rows)

    for name, words, order in _orders(network):
        take = lambda dy, *d, order=order: (dy, *(d[k] for k in order))  # noqa: E731
        what = f"the cotangents of the final states {words} are taken for each other"
        yield f"cotangents-{name}", _said(what, words, "the cotangents of the final states"), moved(take)
    yield "dy-ignored", "the cotangent of y is ignored", moved(lambda dy, *d: (0 * dy, *d))
    yield "dy-reversed", "the cotangent of y is read in reversed order of time", moved(lambda dy, *d: (dy[::-1], *d))
    for kind, names in network.stacks.items():
        at = [network.states.index(name) for name in names]
        lost = lambda dy, *d, at=at: (dy, *(0 * v if k in at else v for k, v in enumerate(d)))  # noqa: E731
        yield f"d{kind}-ignored", f"the cotangents of the final {kind} are ignored", moved(lost)
    if len(network.passes[-1]) == 2 and network.layers[-1].merge == "concatenate" and count:
        halves = lambda dy, *d: (np.concatenate(np.split(dy, 2, axis=-1)[::-1], axis=-1), *d)  # noqa: E731
        yield "dy-halves-swapped", "the halves of the cotangent of y are taken for each other", moved(halves)


def _said(what: str, words: str, subject: str) -> str:
    return what if words else f"{subject} go direction before layer where they go layer before direction"


def _of_results(network: Network) -> Named:
    def made(change: Callable[..., tuple[Any, ...]]) -> Callable[[Backward], Backward]:
        return lambda pull: lambda *given, **rows: change(*pull(*given, **rows))

    yield "dx-zero", "the gradient of x is zero", made(lambda dp, dx, *d: (dp, 0 * dx, *d))
    yield "dx-reversed", "the gradient of x is in reversed order of time", made(lambda dp, dx, *d: (dp, dx[::-1], *d))
    negative = lambda dp, dx, *d: ({k: -v for k, v in dp.items()}, -dx, *(-v for v in d))  # noqa: E731
    yield "negative", "all gradients have the wrong sign", made(negative)
    if network.initial != "given":
        return
    for name, words, order in _orders(network):
        back = [order.index(k) for k in range(len(order))]
        moved = lambda dp, dx, *d, order=back: (dp, dx, *(d[k] for k in order))  # noqa: E731
        what = f"the gradients of the initial states {words} are returned in each other's place"
        yield f"initial-gradients-{name}", _said(what, words, "the gradients of the initial states"), made(moved)
    for kind, names in network.stacks.items():
        at = [network.states.index(name) for name in names]
        lost = lambda dp, dx, *d, at=at: (dp, dx, *(0 * v if k in at else v for k, v in enumerate(d)))  # noqa: E731
        yield f"d{kind}0-zero", f"the gradients of the initial {kind} are zero", made(lost)
