"""The page about cases says what there is; every regime gives valid numbers, and those that its name promises."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import lstm_spec as ls
from lstm_spec.cli import main
from lstm_spec.verify.cases import seeded_case
from lstm_spec.verify.regimes import REGIMES

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "what-is-asked.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL))


def test_the_page_gives_every_regime_its_reason():
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", PAGE, flags=re.MULTILINE)[1:]
    assert dict(rows) == {name: regime.reason for name, regime in REGIMES.items()}


def test_the_page_shows_what_the_command_prints():
    result = CliRunner().invoke(main, BLOCKS["console"].removeprefix("$ lstm-spec ").split())
    assert result.exit_code == 0, result.output
    # How near to the bound the numbers come depends on the kernels of the machine.
    assert re.sub(r"0\.0\d+", "", result.stdout) == re.sub(r"0\.0\d+", "", BLOCKS["text"])


def test_the_state_machine_of_the_page_is_one(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_lstm.py").write_text(
        "from lstm_spec.compute.layer import forward\n\n\nclass Session:\n"
        "    def forward(self, params, x, h0, c0):\n        return forward(params, x, h0, c0)\n"
    )
    namespace = {}
    exec(BLOCKS["python"], namespace)
    assert hasattr(namespace["TestSession"], "runTest")


def case_of(regime, seed=0, dtype="float64", gradients=True):
    sizes = {"n": 7, "m": 8}
    return seeded_case(ls.lstm(), dtype, sizes=sizes, T=6, B=5, regime=regime, seed=seed, gradients=gradients)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("regime", REGIMES)
def test_every_regime_has_finite_numbers_of_every_format(regime, dtype):
    for seed in range(5):
        assert all(np.isfinite(a).all() for a in case_of(regime, seed, dtype).arrays)


def test_regimes_have_what_they_are_called():
    assert {float(v) for v in np.unique(case_of("one-hot").x)} == {0.0, 1.0}
    assert case_of("one-hot").x.sum(axis=-1).max() == 1
    assert any(not np.any(a) for a in case_of("zeros").arrays)
    for dtype, tiny in (("float64", 2.0**-1022), ("float32", 2.0**-126), ("float16", 2.0**-14)):
        x = np.abs(case_of("subnormal", dtype=dtype).x.astype(float))
        assert ((x > 0) & (x < tiny)).any()
    assert max(np.abs(a).max() for a in case_of("extreme").arrays) > 1e3
    assert np.abs(case_of("remembering").states[1]).max() > 50


def test_sizes_that_are_equal_are_among_the_cases():
    seen = set()

    def forward(params, x, h0, c0):
        seen.add((x.shape[-1] == h0.shape[-1], len(x) == 1, x.shape[1] == 1))
        return ls.run(ls.lstm(), params, x, h0, c0)

    ls.verify(forward, profile="quick", checks=["step", "sequence"])
    assert [set(of_one) for of_one in zip(*seen, strict=True)] == [{True, False}] * 3, "n = m, T = 1, B = 1"
