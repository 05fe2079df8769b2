"""Weights go from one library to another and back to the last bit, and each library computes the same with its own."""

import os
from dataclasses import replace

import numpy as np
import pytest

import lstm_spec as ls
from lstm_spec.report.conversion import conversion_lines
from lstm_spec.targets.convert import convert, translate
from lstm_spec.targets.equivalents import ConvertError
from lstm_spec.targets.held import Held
from lstm_spec.targets.layouts import LAYOUTS
from lstm_spec.targets.originals import ORIGINALS, cells_of, original, usual_cell
from lstm_spec.targets.packing import LayoutError
from lstm_spec.targets.saved import read_saved
from lstm_spec.verify import conversion

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("DEV", "PYTHON")
SIZES = {"n": 3, "m": 4, "q": 2}
REFUSALS = (ConvertError, LayoutError)


def saved(layout, spec, *, dtype="float32", seed=0, grid=False, **sizes):
    """Return arrays as a layout has them, with two biases of which one is zero where there are two."""
    rng, held = np.random.default_rng(seed), Held(layout, spec)
    shapes = held.shapes({s.name: (SIZES | sizes)[s.name] for s in spec.sizes})
    # What a library adds to a bias is added without rounding to numbers on a grid.
    draw = (lambda shape: rng.integers(-64, 64, size=shape) / 64) if grid else lambda shape: rng.normal(size=shape)
    arrays = {name: draw(shape).astype(dtype) for name, shape in shapes.items()}
    for array in () if grid else arrays.values():
        array.flat[0] = -0.0
    return arrays


def one_bias(arrays, layout, spec, sizes=None):
    """Return the same arrays with a second bias of zero."""
    held, sizes = Held(layout, spec), {s.name: (SIZES | (sizes or {}))[s.name] for s in spec.sizes}
    params = held.unpack(arrays, sizes)
    return held.pack({name: np.zeros_like(p) if "bR_" in name else p for name, p in params.items()})


def equal(one, other):
    return one.keys() == other.keys() and all(
        one[k].dtype == other[k].dtype and one[k].shape == other[k].shape and one[k].tobytes() == other[k].tobytes()
        for k in one
    )


def names(layout):
    return {cell.name for cell in cells_of(layout)}


def holdable(layout, dtype, grid):
    """Yield the cells that a layout has a place for, each with arrays in it."""
    for cell in cells_of(layout):
        try:
            yield cell, one_bias(saved(layout, cell, dtype=dtype, grid=grid), layout, cell)
        except LayoutError:
            assert not original(layout) or layout.forget_offset


@pytest.mark.parametrize("here", LAYOUTS)
def test_every_pair_makes_the_round_trip_to_the_last_bit(here):
    source, dtypes = LAYOUTS[here], ("float32", "float64")
    drawn = {(d, grid): list(holdable(source, d, grid)) for d in dtypes for grid in (False, True)}
    for k, target in enumerate(LAYOUTS.values()):
        gone_to = set()
        grid = bool(source.forget_offset or target.forget_offset)
        for cell, arrays in drawn[dtypes[k % 2], grid]:
            if original(target) and cell.name not in names(target):
                with pytest.raises(REFUSALS):
                    convert(arrays, source=source, target=target, spec=cell)
                continue
            try:
                gone = convert(arrays, source=source, target=target, spec=cell)
            except LayoutError:
                assert not original(target)
                continue
            back = translate(gone.target, source).arrays
            common = {name: a for name, a in arrays.items() if name in back}
            assert equal({name: back[name] for name in common}, common), (cell.name, gone.notes)
            assert not any(np.any(a) for of in (arrays, back) for name, a in of.items() if name not in common)
            gone_to.add(cell.name)
        assert gone_to >= names(source) & names(target) or not (original(source) and original(target))


def stack(name="lstm", biases=2, **options):
    return ls.layers(usual_cell(name, biases), **options)


STACKS = {
    "two layers": {"count": 2},
    "both directions": {"bidirectional": True},
    "two layers in both directions": {"count": 2, "bidirectional": True},
    "layers of two sizes": {"hidden": ["m0", "m1"]},
}


@pytest.mark.parametrize("there", ["pytorch", "keras", "flax", "haiku", "onnx", "openvino", "paddle", "numpy_rows"])
@pytest.mark.parametrize("options", STACKS.values(), ids=STACKS)
def test_layers_and_directions_make_the_round_trip(options, there):
    source, spec, sizes = LAYOUTS["canonical"], stack(biases=1, **options), {"m0": 4, "m1": 5}
    arrays = saved(source, spec, grid=True, **sizes)
    if "hidden" in options and LAYOUTS[there].by_layer:
        with pytest.raises(ConvertError, match="has one hidden size for all layers, got 4, 5"):
            convert(arrays, source=source, target=LAYOUTS[there])
        return
    gone = convert(arrays, source=source, target=LAYOUTS[there])
    assert read_saved(gone.arrays, source=LAYOUTS[there]).sizes == gone.source.sizes
    back = convert(gone.arrays, source=LAYOUTS[there], target="canonical").arrays
    assert equal({name: back[name] for name in arrays}, arrays)
    assert not any(np.any(a) for name, a in back.items() if name not in arrays)


PACKAGES = {
    "pytorch": "torch",
    "keras": "keras",
    "flax": "flax",
    "equinox": "equinox",
    "haiku": "haiku",
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "mlx": "mlx",
    "tinygrad": "tinygrad",
}
"""The libraries that run what is converted, each by its layout; the rest of the table is in the catalogue."""


def agreed(found):
    checked = conversion.agreement(found)
    assert checked.status == "verified", checked
    assert checked.apart < 2e-6
    return checked


@pytest.mark.parametrize("there", PACKAGES)
def test_what_is_converted_gives_the_same_in_its_own_library(there):
    pytest.importorskip("torch")
    pytest.importorskip(PACKAGES[there])
    found = convert(saved(LAYOUTS["pytorch"], usual_cell("lstm", 2)), source="torch", target=there)
    checked = agreed(found)
    assert checked.source.library.startswith("torch.nn.LSTM")
    assert checked.target.library, checked.target.reason
    assert checked.target.versions


@pytest.mark.catalogue
@pytest.mark.parametrize("there", ORIGINALS)
@pytest.mark.parametrize("here", ORIGINALS)
def test_every_pair_gives_the_same_in_both_libraries(here, there):
    for cell in cells_of(LAYOUTS[here]):
        if cell.name in names(LAYOUTS[there]) and cell in dict(holdable(LAYOUTS[here], "float32", False)):
            arrays = saved(LAYOUTS[here], cell)
            agreed(convert(arrays, source=LAYOUTS[here], target=LAYOUTS[there], spec=cell))


WHOLE = [("pytorch", "keras"), ("pytorch", "onnx"), ("onnx", "pytorch"), ("keras", "openvino")]


@pytest.mark.parametrize(("here", "there"), WHOLE)
def test_layers_in_both_directions_give_the_same(here, there):
    for name in ("torch", "keras", "onnxruntime", "openvino"):
        pytest.importorskip(name)
    count = 1 if LAYOUTS[here].biases == 1 else 2
    arrays = saved(LAYOUTS[here], stack(biases=count, count=2, bidirectional=True))
    checked = agreed(convert(arrays, source=here, target=there))
    assert checked.source.library
    assert checked.target.library


KINDS = [("pytorch_gru", "keras", "gru_reset_after"), ("keras_gru", "onnx", "gru_reset_after")]
KINDS += [
    ("pytorch_rnn", "keras", "rnn"),
    ("pytorch", "canonical", "lstmp"),
    ("pytorch_gru_cell", "torch", "gru_reset_after"),
]


@pytest.mark.parametrize(("here", "there", "cell"), KINDS)
def test_other_cells_give_the_same(here, there, cell):
    for name in ("torch", "keras", "onnxruntime"):
        pytest.importorskip(name)
    arrays = saved(LAYOUTS[here], usual_cell(cell, 2))
    found = convert(arrays, source=here, target=there)
    assert found.source.spec.name == cell
    agreed(found)


def test_numbers_that_a_library_does_not_compute_in_are_run_as_it_can():
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    cell = usual_cell("lstm", 2)
    half = agreed_loosely(convert(saved(LAYOUTS["pytorch"], cell, dtype="float16"), source="torch", target="onnx"))
    assert half.source.library
    assert half.target.library
    double = convert(saved(LAYOUTS["pytorch"], cell, dtype="float64"), source="torch", target="openvino")
    checked = agreed(double)
    assert checked.target.library is None
    assert checked.target.reason == "openvino does not compute in float64"


def agreed_loosely(found):
    checked = conversion.agreement(found)
    assert checked.status == "verified", checked
    return checked


def test_bfloat16_is_kept_and_run_in_float32():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    pytest.importorskip("torch")
    arrays = {k: a.astype(bfloat16) for k, a in saved(LAYOUTS["pytorch"], usual_cell("lstm", 2)).items()}
    found = convert(arrays, source="torch", target="canonical")
    assert {a.dtype for a in found.arrays.values()} == {np.dtype(bfloat16)}
    assert agreed_loosely(found).source.library


def test_a_library_that_is_missing_is_said_to_be(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "mlx.core", None)
    found = convert(saved(LAYOUTS["mlx"], usual_cell("lstm", 1)), source="mlx", target="canonical")
    checked = agreed(found)
    assert checked.source.library is None
    assert "install it with: pip install 'lstm_spec[mlx]'" in checked.source.reason


FAULTS = {
    "gates in another order": {"gates": "icfo"},
    "not transposed": {"transposed": False},
    "an offset that is none": {"forget_offset": 1.0},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_layout_that_is_wrong_is_noticed(fault):
    pytest.importorskip("keras")
    wrong = replace(LAYOUTS["keras"], **FAULTS[fault])
    sizes = {"n": 4} if fault == "not transposed" else {}
    arrays = saved(LAYOUTS["canonical"], usual_cell("lstm", 1), **sizes)
    for source, target, given in (
        ("canonical", wrong, arrays),
        (wrong, "canonical", saved(LAYOUTS["keras"], usual_cell("lstm", 1), **sizes)),
    ):
        if fault == "not transposed" and source is wrong:
            continue
        checked = conversion.agreement(convert(given, source=source, target=target))
        assert checked.status == "discrepancy", checked
        assert max(checked.source.ratio, checked.target.ratio) > 100


def test_weights_of_which_a_run_tells_nothing_are_said_to_be_such(monkeypatch):
    usual = conversion.compare
    monkeypatch.setattr(conversion, "compare", lambda *given: replace(usual(*given), conclusive=False))
    found = convert(saved(LAYOUTS["mlx"], usual_cell("lstm", 1)), source="mlx", target="canonical")
    checked = conversion.agreement(found)
    assert (checked.status, checked.exit_status) == ("inconclusive", 3)
    assert any(line.startswith("INCONCLUSIVE  with these weights") for line in conversion_lines(found, checked))


def test_parameters_that_are_exchanged_on_the_way_are_noticed():
    found = convert(saved(LAYOUTS["canonical"], usual_cell("lstm", 1)), source="canonical", target="numpy_rows")
    params = dict(found.target.params)
    params["W_f"], params["W_o"] = params["W_o"], params["W_f"]
    wrong = replace(found, target=replace(found.target, params=params))
    checked = conversion.agreement(wrong)
    assert (checked.status, set(checked.changed)) == ("discrepancy", {"W_f", "R_f", "W_o", "R_o"})
    near = {**found.target.params, "b_f": found.target.params["b_f"] * np.float32(1 + 1e-5)}
    assert conversion.agreement(replace(found, target=replace(found.target, params=near))).changed == ("b_f",)
