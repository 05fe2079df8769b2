"""The specification that a target claims: a cell, or a network of cells."""

from collections.abc import Iterable
from dataclasses import replace

from lstm_spec.spec.layers import layers
from lstm_spec.spec.network import PAST_LENGTH, Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.targets.cells import find_spec
from lstm_spec.targets.contract import Target, TargetError, ends


def claimed(target: Target, spec: str | Program | Network | None = None) -> Program | Network:
    """Return what a target is held against: ``spec`` if it is given, else what it says, as many layers of it as it has.

    Raises OptionError for a cell that does not exist, TargetError for claims that do not go together.
    """
    found = target.spec if spec is None else spec
    if isinstance(found, str):
        found = find_spec(found)
    if isinstance(target.layers, bool) or not isinstance(target.layers, int) or target.layers < 1:
        raise TargetError(f"{target.name}.layers is a positive number, got {target.layers!r}")
    if target.past_length not in PAST_LENGTH:
        kinds = ", ".join(map(str, PAST_LENGTH[1:]))
        raise TargetError(f"{target.name}.past_length is one of {kinds}, got {target.past_length!r}")
    if target.layers > 1 or target.bidirectional:
        if isinstance(found, Network):
            raise TargetError(
                f"{target.name} claims a network as spec, and layers or bidirectional besides; leave them out"
            )
        found = layers(found, count=target.layers, bidirectional=target.bidirectional)
    if target.past_length is not None:
        found = replace(network_of(found), past_length=target.past_length)  # type: ignore[arg-type]
    for key in ("initial", "final", "cotangents"):
        _check_states(target, key, ends(target, found).every)
    return found


def _check_states(target: Target, key: str, states: Iterable[str]) -> None:
    named = getattr(target, key)
    if named is not None and not (isinstance(named, tuple | list) and set(named) <= set(states)):
        raise TargetError(f"{target.name}.{key} is a tuple of some of the states {', '.join(states)}, got {named!r}")
