"""The faults of implementations whose rows end at lengths of their own: lengths ignored, in part or altogether."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.compute.engine import Trace
from lstm_spec.compute.lengths import alive
from lstm_spec.compute.network import Wiring
from lstm_spec.spec.network import Network
from lstm_spec.spec.passes import Pass
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
        NetworkHypothesis(name, "lengths", sentence, network, wraps=(Wrap(forward=_where_given(wrap)),))
        for name, sentence, wrap in _of_lengths(network)
    )
    return (*_padding(network), *around)


def _where_given(wrap: Callable[[Forward], Forward]) -> Callable[[Forward], Forward]:
    """Leave calls alone in which no row ends before the others."""

    def decorator(forward: Forward) -> Forward:
        inner = wrap(forward)
        return lambda *given, lengths=None: (forward if lengths is None else inner)(*given, **_rows(lengths))

    return decorator


def _rows(lengths: Any) -> dict[str, Any]:
    return {} if lengths is None else {"lengths": lengths}


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
    shorter = lambda f: lambda *given, lengths=None: f(*given, lengths=np.maximum(lengths - 1, 1))  # noqa: E731
    yield "lengths-short", "every row ends a step before its length", shorter
    longer = lambda f: lambda p, x, *s, lengths=None: f(p, x, *s, lengths=np.minimum(lengths + 1, len(x)))  # noqa: E731
    yield "lengths-long", "every row ends a step after its length", longer
    sort = lambda f: lambda *given, lengths=None: f(*given, lengths=np.sort(lengths)[::-1])  # noqa: E731
    yield "lengths-sorted", "the lengths are sorted, the longest first, and the rows are not", sort


def _regardless(forward: Forward) -> Forward:
    return lambda *given, lengths=None: forward(*given)


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
    if any(p.reverse for p in network.every_pass):
        held = replace(network, past_length="freeze")
        sentence = "y holds the final state of each direction past a row's length"
        wiring = Wiring(around=_held)
        yield NetworkHypothesis("past-length-final", "padding", sentence, network, changed=held, wiring=wiring)


def _held(run: Callable[..., Trace], p: Pass, x: Array, lengths: Any) -> Trace:
    trace = run(p, x, lengths)
    return trace if lengths is None else replace(trace, y=np.where(alive(lengths, len(x)), trace.y, trace.states[0]))
