"""ONNX models to verify, and the same ones spoilt by chance.

``python -m tests.onnx_models FOLDER SEED COUNT`` writes COUNT spoilt models into a folder, the same for a seed.
"""

import sys
from pathlib import Path

import numpy as np

from lstm_spec.spec.onnx import INPUTS, Operator
from lstm_spec.targets.onnx_model import input_names, shapes, single_node

EVERY = Operator(direction="bidirectional", inputs=frozenset(INPUTS))


def weights(operator, *, n=3, m=2, seed=0):
    rng = np.random.default_rng(seed)
    of = shapes(operator, n, m)
    return {k: (0.5 * rng.normal(size=of[k])).astype("f4") for k in "WRBP" if k in input_names(operator)}


def model(operator=EVERY, *, n=3, m=2, seed=0):
    """Return a model of one node with weights, as a protocol buffer."""
    import onnx

    return onnx.load_from_string(single_node(operator, n, m, "float32", weights(operator, n=n, m=m, seed=seed)))


def spoilt(good, rng):
    """Return the bytes of a model with one mistake: cut, bits turned, bytes put in or left out, or a field changed."""
    import onnx

    data = bytearray(good)
    kind = rng.integers(6)
    at = int(rng.integers(len(data)))
    if kind == 0:
        return bytes(data[:at])
    if kind == 1:
        for k in rng.integers(len(data), size=4):
            data[k] ^= 1 << int(rng.integers(8))
        return bytes(data)
    if kind == 2:
        return bytes(data[:at] + rng.bytes(int(rng.integers(1, 64))) + data[at:])
    if kind == 3:
        return bytes(data[:at] + data[at + int(rng.integers(1, 64)) :])
    changed = onnx.load_from_string(good)
    tensor = changed.graph.initializer[int(rng.integers(len(changed.graph.initializer)))]
    if kind == 4:
        tensor.dims[int(rng.integers(len(tensor.dims)))] = int(rng.choice([0, -1, 7, 2**31, 2**62]))
    else:
        tensor.raw_data = tensor.raw_data[: int(rng.integers(len(tensor.raw_data)))]
    return changed.SerializeToString()


if __name__ == "__main__":
    folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    generator = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    whole = model().SerializeToString()
    for number in range(count):
        (folder / f"{seed}_{number}.onnx").write_bytes(spoilt(whole, generator))
