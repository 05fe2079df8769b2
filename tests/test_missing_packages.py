"""Where the package of a target is missing, one sentence says how to get it."""

import sys

import pytest
from click.testing import CliRunner

from lstm_spec.cli import main

TARGETS = {
    "keras": ("Keras", "keras", "keras"),
    "flax": ("Flax", "flax", "flax"),
    "flax-nnx": ("Flax", "flax", "flax"),
    "equinox": ("Equinox", "equinox", "equinox"),
    "haiku": ("Haiku", "haiku", "haiku"),
    "mlx": ("MLX", "mlx", "mlx"),
    "tinygrad": ("tinygrad", "tinygrad", "tinygrad"),
    "openvino": ("OpenVINO", "openvino", "openvino"),
    "paddle": ("PaddlePaddle", "paddle", "paddle"),
}


@pytest.mark.parametrize("target", TARGETS)
def test_without_its_package_one_sentence_says_how_to_get_it(target, monkeypatch):
    called, package, extra = TARGETS[target]
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    # None there makes an import fail as that of a missing package does.
    monkeypatch.setitem(sys.modules, package, None)
    result = CliRunner().invoke(main, ["verify", target])
    assert (result.exit_code, result.stdout) == (2, "")
    assert (
        result.stderr == f"lstm-spec: this target needs {called}; install it with: pip install 'lstm_spec[{extra}]'\n"
    )
