"""Running saved weights in the library that they are of: its own layer, given its own arrays as they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lstm_spec.compute.accuracy import AccuracyError
from lstm_spec.compute.formats import in_format
from lstm_spec.compute.network import plain, run_network
from lstm_spec.spec.network import Network, network_of
from lstm_spec.targets.calls import Arguments, perform
from lstm_spec.targets.claims import claimed
from lstm_spec.targets.contract import Outputs, Target, TargetError, read_outputs
from lstm_spec.targets.equivalents import ConvertError, in_library
from lstm_spec.targets.held import held
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.originals import Original, original
from lstm_spec.targets.packing import Array
from lstm_spec.targets.python import load
from lstm_spec.targets.weights import Spec, Weights

WIDER: Mapping[str, str] = {"float16": "float32", "bfloat16": "float32"}
"""The format in which weights are run that a library does not compute in, and which holds them exactly."""


@dataclass(frozen=True)
class Ran:
    """What came of running weights over a sequence.

    dtype: the format in which they ran; library: what ran them, as ``python.load`` takes it, or None where the
    equations were computed in its place, reason being why; versions: of its packages.
    """

    outputs: Outputs
    dtype: str
    library: str | None = None
    reason: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def run_weights(weights: Weights, x: Array, states: tuple[Array, ...]) -> Ran:
    """Run weights over x (T, B, n), from initial states pass by pass, in the library that they are of.

    Where that is not known or not installed, or does not have their format, the equations are computed with the
    parameters that they stand for. Raises MisbehaviourError where the library cannot run these arrays.
    """
    network, library = network_of(weights.spec), original(weights.layout)
    dtype = str(np.result_type(*weights.arrays.values()))
    try:
        return _in_library(weights, network, _known(library, network, weights), dtype, x, states)
    except (TargetError, AccuracyError, ConvertError) as error:
        # In a format so coarse that nothing could be told, the equations are not computed either.
        ran = WIDER.get(dtype, dtype)
        given = tuple(state.astype(ran) for state in states)
        run = run_network(network, in_format(weights.params, ran), x.astype(ran), given, None, plain(keep=False))
        outputs = Outputs(run.y, dict(zip(network.states, run.states, strict=True)))
        return Ran(outputs, ran, reason=str(error))


def _known(library: Original | None, network: Network, weights: Weights) -> Original:
    if weights.layout == Layout():
        raise TargetError("this layout is the specification's own")
    if library is None:
        raise TargetError(f"it is not known what computes with weights in the layout {weights.layout.name}")
    if any(layer.residual or layer.merge != "concatenate" for layer in network.layers):
        raise TargetError(f"{network.name} is no stack of layers as {weights.layout.name} has it")
    return library


def _in_library(
    weights: Weights, network: Network, library: Original, dtype: str, x: Array, states: tuple[Array, ...]
) -> Ran:
    theirs = network_of(in_library(weights, weights.layout))
    at_once = library.networks and _alike(theirs)
    name = library.called(theirs if at_once else network_of(theirs.every_pass[0].cell), dtype)
    target = load(name)
    ran = dtype if dtype in target.dtypes else WIDER.get(dtype, dtype)
    if ran not in target.dtypes:
        raise TargetError(f"{weights.layout.name} does not compute in {dtype}")
    own = replace(weights, arrays=in_format(weights.arrays, ran))
    x, states = x.astype(ran), tuple(state.astype(ran) for state in states)
    if at_once:
        outputs = _call(target, weights.spec, own.arrays, weights.sizes, x, states)
    else:
        outputs = _passes(target, own, x, states)
    return Ran(outputs, ran, library=name, versions=target.versions)


def _alike(network: Network) -> bool:
    """Tell whether all layers have the same sizes, and run in the same directions."""
    return len({layer.direction for layer in network.layers}) == 1 and network.stacks.keys() <= {
        *network.layers[0].cell.states
    }


def _passes(target: Target, weights: Weights, x: Array, states: tuple[Array, ...]) -> Outputs:
    """Run a library's layer of one direction for every layer and direction, each on what the ones below gave."""
    network, own = network_of(weights.spec), held(weights.layout, weights.spec)
    given, final = dict(zip(network.states, states, strict=True)), dict[str, Array]()
    values = network.check_sizes(weights.sizes)
    for passes in network.passes:
        outputs = []
        for one in passes:
            arrays, sizes = own.of_pass(weights.arrays, one, weights.sizes), one.own_sizes(values)
            initial = tuple(given[name] for name in one.states)
            ran = _call(target, one.cell, arrays, sizes, x[::-1] if one.reverse else x, initial)
            outputs.append(ran.y[::-1] if one.reverse else ran.y)
            final |= dict(zip(one.states, ran.states.values(), strict=True))
        x = np.concatenate(outputs, axis=-1)
    return Outputs(x, final)


def _call(
    target: Target,
    spec: Spec,
    arrays: Mapping[str, Array],
    sizes: Mapping[str, int],
    x: Array,
    states: tuple[Array, ...],
) -> Outputs:
    """Call a target with arrays as they are; biases that the library has and these are without are 0."""
    own = held(target.layout, spec)
    wanted = held(target.layout, claimed(target)).shapes(sizes)
    blank = {name: np.zeros(shape, x.dtype) for name, shape in wanted.items()}
    rest = [("x", target.layout.to_x(x)), *zip((f"{s}0" for s in own.states), own.to_states(states), strict=True)]
    _, results = perform(
        target.forward, "forward", Arguments({**blank, **arrays}, rest), ("y", *own.states), arrays=target.arrays
    )
    return read_outputs(results, target, spec, x, states)
