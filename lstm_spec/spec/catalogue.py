"""The named cells: each a line, a source, and the options that make it."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from sympy import Lambda

from lstm_spec.spec.cells import lstm
from lstm_spec.spec.functions import SLOTS, sigmoid
from lstm_spec.spec.operators import size
from lstm_spec.spec.options import OptionError
from lstm_spec.spec.program import Program
from lstm_spec.spec.recurrent import gru, mgu, minlstm, mut, rnn, sru
from lstm_spec.spec.xlstm import slstm


@dataclass(frozen=True)
class Entry:
    """One named cell: what it is in a line, where it was published, and how it is made."""

    line: str
    source: str
    make: Callable[[], Program]


_GREFF = "Greff et al. 2017"
_PLAIN = f"{_GREFF}, there with peepholes"
_MUT = "Józefowicz, Zaremba & Sutskever 2015"
_S = SLOTS[0]
_SQUASH_1997 = MappingProxyType({"c": Lambda((_S,), 4 * sigmoid(_S) - 2), "h": Lambda((_S,), 2 * sigmoid(_S) - 1)})

CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {
        "lstm": Entry(
            "LSTM with a forget gate, the layer of today's frameworks",
            "Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000",
            lstm,
        ),
        "np": Entry("no peepholes: the same cell by its name among Greff's variants", _GREFF, lstm),
        "peephole": Entry(
            "LSTM whose gates see the cell state",
            f"Gers & Schmidhuber 2000; {_GREFF}",
            lambda: lstm(peepholes="fio"),
        ),
        "lstm_1997": Entry(
            "the first LSTM: no forget gate, candidate 4σ − 2, output 2σ − 1",
            "Hochreiter & Schmidhuber 1997; the squashings as commonly reported",
            lambda: lstm(fixed="f", activations=_SQUASH_1997),
        ),
        "nig": Entry("no input gate, i = 1", _PLAIN, lambda: lstm(fixed="i")),
        "nfg": Entry("no forget gate, f = 1", _PLAIN, lambda: lstm(fixed="f")),
        "nog": Entry("no output gate, o = 1", _PLAIN, lambda: lstm(fixed="o")),
        "niaf": Entry("no input activation function, c̃ = a_c", _PLAIN, lambda: lstm(activations={"c": "identity"})),
        "noaf": Entry("no output activation function, h = o∘c", _PLAIN, lambda: lstm(activations={"h": "identity"})),
        "cifg": Entry(
            "coupled input and forget gate, f = 1 − i",
            f"{_PLAIN}; ONNX Runtime input_forget",
            lambda: lstm(coupled="f=1-i"),
        ),
        "cifg_i": Entry(
            "coupled input and forget gate the other way round, i = 1 − f",
            "TensorFlow Lite; OpenVINO",
            lambda: lstm(coupled="i=1-f"),
        ),
        "fgr": Entry(
            "full gate recurrence: gates also read all gates of the step before",
            _PLAIN,
            lambda: lstm(gate_recurrence=True),
        ),
        "lstmp": Entry(
            "LSTM with a projected state, h = W_p (o∘tanh(c))",
            "Sak, Senior & Beaufays 2014",
            lambda: lstm(projection=True),
        ),
        "lstmp_peephole": Entry(
            "LSTM with a projected state and peepholes",
            "Sak, Senior & Beaufays 2014, equations 1–7",
            lambda: lstm(projection=True, peepholes="fio"),
        ),
        "layer_norm": Entry(
            "layer-normalised LSTM: W x, R h' over all gates together, and c",
            "Ba, Kiros & Hinton 2016, with the authors' code",
            lambda: lstm(layer_norm="joint"),
        ),
        "layer_norm_gate": Entry(
            "layer-normalised LSTM: W x + R h' gate by gate",
            "TensorFlow Lite",
            lambda: lstm(layer_norm="gate", eps=1e-8),
        ),
        "clipped": Entry(
            "LSTM with pre-activations, cell state and projection clipped",
            "ONNX clip; TensorFlow Lite cell_clip, proj_clip",
            lambda: lstm(projection=True, clip={"a": 3.0, "c": 3.0, "p": 1.0}),
        ),
        "zoneout": Entry(
            "zoneout at test time: a share of c' and h' is kept",
            "Krueger et al. 2017",
            lambda: lstm(zoneout={"c": 0.5, "h": 0.05}),
        ),
        "dropout": Entry(
            "variational dropout: x and h' through masks that hold for all steps",
            "Gal & Ghahramani 2016",
            lambda: lstm(masks="xh"),
        ),
        "deep": Entry(
            "LSTM whose gates are networks with one hidden layer of 64",
            "after Pascanu et al. 2014",
            lambda: lstm(deep=dict.fromkeys("fico", (64,))),
        ),
        "rnn": Entry("plain recurrent cell, h = tanh(a)", "Elman 1990", rnn),
        "gru": Entry("gated recurrent unit, r scales h'", "Cho et al. 2014, version 3", gru),
        "gru_reset_after": Entry(
            "gated recurrent unit, r scales R_h h' + bR_h: the layer of cuDNN, PyTorch, Keras",
            "Cho et al. 2014, version 1",
            lambda: gru(reset_after=True),
        ),
        "mgu": Entry("minimal gated unit, the forget gate resets too", "Zhou et al. 2016", mgu),
        "mut1": Entry("mutated GRU 1, for n = m only", _MUT, lambda: mut(1, n=size("m"))),
        "mut2": Entry("mutated GRU 2, for n = m only", _MUT, lambda: mut(2, n=size("m"))),
        "mut3": Entry("mutated GRU 3", _MUT, lambda: mut(3)),
        "sru": Entry(
            "simple recurrent unit, for n = m only", "Lei et al. 2018, equations 1–4", lambda: sru(n=size("m"))
        ),
        "minlstm": Entry("minimal LSTM, gates of x alone that sum to one", "Feng et al. 2024", minlstm),
        "slstm": Entry("sLSTM with its stabiliser, one head", "Beck et al. 2024, equations 8–17", slstm),
    }
)


def cells() -> tuple[str, ...]:
    """Return the names of the catalogue."""
    return tuple(CATALOGUE)


@lru_cache(maxsize=256)
def cell(name: str) -> Program:
    """Return a cell of the catalogue by name, the same object every time.

    Raises OptionError for a name that the catalogue does not have, with the closest one.

    >>> print(cell("cifg")["f"])
    f = 1 − i
    """
    if str(name).endswith(".py"):
        raise OptionError(f"{name} is a file: name the cell in it too, as {name}:NAME")
    if not isinstance(name, str):
        raise OptionError(f"a cell of the catalogue is asked for by its name, such as ls.cell('lstm'), got {name!r}")
    if name not in CATALOGUE:
        close = difflib.get_close_matches(name.lower(), CATALOGUE, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(CATALOGUE)}"
        raise OptionError(f'there is no cell "{name}"; {hint}')
    return replace(CATALOGUE[name].make(), name=name, source=CATALOGUE[name].source)
