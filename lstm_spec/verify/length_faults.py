"""The faults of implementations whose rows end at lengths of their own: lengths ignored, in part or altogether."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.compute.lengths import alive
from lstm_spec.spec.network import Network
from lstm_spec.verify.hypotheses import Forward, Wrap
from lstm_spec.verify.network_hypotheses import NetworkHypothesis

Named = Iterator[tuple[str, str, Callable[[Forward], Forward]]]


def length_faults(network: Network) -> tuple[NetworkHypothesis, ...]:
    """Return what may go wrong with the lengths of rows; nothing where the specification has none.

    >>> from lstm_spec.spec.layers import layers
    >>> length_faults(layers(past_length="zero"))[0].sentence
    "y repeats the last output past a row's length"
    """
    if network.past_length is None:
        return ()
    around = (
        NetworkHypothesis(name, "lengths", sentence, network, wraps=(Wrap(forward=wrap),))
        for name, sentence, wrap in _of_lengths(network)
    )
    return (*_padding(network), *around)


def _of_lengths(network: Network) -> Named:
    yield "lengths-ignored", "the lengths are ignored: every row runs to the last step", _regardless

    def states_regardless(forward: Forward) -> Forward:
        def run(*given: Any, lengths: Any = None) -> tuple[Array, ...]:
            return forward(*given, lengths=lengths)[0], *forward(*given)[1:]

        return run

    what = "the final states are those of the last step, not of each row's own end"
    yield "final-states-at-last-step", what, states_regardless

    def y_regardless(forward: Forward) -> Forward:
        def run(*given: Any, lengths: Any = None) -> tuple[Array, ...]:
            return forward(*given)[0], *forward(*given, lengths=lengths)[1:]

        return run

    yield "y-runs-on", "y goes on past a row's length", y_regardless
    if len(network.layers) == 1 and any(p.reverse for p in network.every_pass):
        what = "the reverse direction begins at the last step, not at each row's own end"
        yield "reverse-from-last-step", what, _reverse_regardless(network)
    shorter = lambda f: lambda *given, lengths=None: f(*given, lengths=np.maximum(lengths - 1, 1))  # noqa: E731
    yield "lengths-short", "every row ends a step before its length", shorter
    longer = lambda f: lambda p, x, *s, lengths=None: f(p, x, *s, lengths=np.minimum(lengths + 1, len(x)))  # noqa: E731
    yield "lengths-long", "every row ends a step after its length", longer
    sort = lambda f: lambda *given, lengths=None: f(*given, lengths=np.sort(lengths)[::-1])  # noqa: E731
    yield "lengths-sorted", "the lengths are sorted, the longest first, and the rows are not", sort


def _regardless(forward: Forward) -> Forward:
    return lambda *given, lengths=None: forward(*given)


def _reverse_regardless(network: Network) -> Callable[[Forward], Forward]:
    """Make a decorator in which lengths hold for the forward direction alone."""
    names = network.states
    reverse = {name for p in network.every_pass if p.reverse for name in p.states}

    def decorator(forward: Forward) -> Forward:
        def run(*given: Any, lengths: Any = None) -> tuple[Array, ...]:
            (y, *own), (regardless, *others) = forward(*given, lengths=lengths), forward(*given)
            final = [b if name in reverse else a for name, a, b in zip(names, own, others, strict=True)]
            start = 0 if len(network.every_pass) == 1 else own[0].shape[-1]
            late = regardless[..., start:]
            if network.past_length == "zero":
                late = np.where(alive(lengths, len(y)), late, 0)
            return np.concatenate([y[..., :start], late], axis=-1), *final

        return run

    return decorator


PADDING: Mapping[str, str] = MappingProxyType(
    {
        "zero": "y is zero past a row's length",
        "repeat": "y repeats the last output past a row's length",
        "freeze": "y holds the last state past a row's length",
    }
)


def _padding(network: Network) -> Iterator[NetworkHypothesis]:
    """What another implementation may well put past a row's length."""
    for kind, sentence in PADDING.items():
        if network.past_length != kind:
            changed = replace(network, past_length=kind)  # type: ignore[arg-type]
            yield NetworkHypothesis(f"past-length-{kind}", "padding", sentence, network, changed=changed)
