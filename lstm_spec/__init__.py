"""The executable specification of the LSTM.

The names below are loaded on first use, so that ``import lstm_spec`` costs next to nothing and needs
neither SymPy nor any framework until one of them is asked for.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstm_spec.calculus.adjoint import backward, forward_mode
    from lstm_spec.calculus.bptt import bptt
    from lstm_spec.calculus.jacobian import jacobian
    from lstm_spec.calculus.proof import proofs, prove
    from lstm_spec.calculus.theorems import theorems
    from lstm_spec.compute.compile import compile_program, run
    from lstm_spec.compute.forced import error_bound
    from lstm_spec.compute.runner import Runner, runner
    from lstm_spec.draw.picture import DrawError, Picture, draw
    from lstm_spec.spec.catalogue import cell, cells
    from lstm_spec.spec.cells import OptionError, lstm
    from lstm_spec.spec.define import define_cell
    from lstm_spec.spec.dimensions import DimensionError
    from lstm_spec.spec.elements import unit_view
    from lstm_spec.spec.equation import Equation, ProgramError
    from lstm_spec.spec.inference import infer_dimensions
    from lstm_spec.spec.layer import Layer
    from lstm_spec.spec.layers import layers
    from lstm_spec.spec.network import Network
    from lstm_spec.spec.notations import NotationError
    from lstm_spec.spec.program import Program, check_cell
    from lstm_spec.spec.scalars import WriteError
    from lstm_spec.spec.summary import summary
    from lstm_spec.spec.table import dimension_table
    from lstm_spec.spec.unroll import recurrence, unroll
    from lstm_spec.targets.command import Command
    from lstm_spec.targets.contract import Target, TargetError
    from lstm_spec.targets.convert import Converted, convert
    from lstm_spec.targets.equivalents import ConvertError
    from lstm_spec.targets.layout import Layout
    from lstm_spec.targets.packing import LayoutError
    from lstm_spec.targets.reading import FileError
    from lstm_spec.targets.weight_files import save_weights
    from lstm_spec.verify import strategies
    from lstm_spec.verify.conversion import agreement
    from lstm_spec.verify.deviations import KnownDeviation
    from lstm_spec.verify.items import parametrize
    from lstm_spec.verify.recorded import diagnose
    from lstm_spec.verify.replay import Replay, ReplayError, replay
    from lstm_spec.verify.run import assert_conforms, verify
    from lstm_spec.write.write import write

__version__ = "0.1.0"

_HOMES = {
    "lstm_spec.draw.picture": ("DrawError", "Picture", "draw"),
    "lstm_spec.calculus.adjoint": ("backward", "forward_mode"),
    "lstm_spec.calculus.bptt": ("bptt",),
    "lstm_spec.calculus.jacobian": ("jacobian",),
    "lstm_spec.calculus.proof": ("proofs", "prove"),
    "lstm_spec.calculus.theorems": ("theorems",),
    "lstm_spec.compute.compile": ("compile_program", "run"),
    "lstm_spec.compute.forced": ("error_bound",),
    "lstm_spec.compute.runner": ("Runner", "runner"),
    "lstm_spec.spec.catalogue": ("cell", "cells"),
    "lstm_spec.spec.cells": ("lstm", "OptionError"),
    "lstm_spec.spec.define": ("define_cell",),
    "lstm_spec.spec.dimensions": ("DimensionError",),
    "lstm_spec.spec.elements": ("unit_view",),
    "lstm_spec.spec.equation": ("Equation", "ProgramError"),
    "lstm_spec.spec.inference": ("infer_dimensions",),
    "lstm_spec.spec.layer": ("Layer",),
    "lstm_spec.spec.layers": ("layers",),
    "lstm_spec.spec.network": ("Network",),
    "lstm_spec.spec.notations": ("NotationError",),
    "lstm_spec.spec.program": ("Program", "check_cell"),
    "lstm_spec.spec.scalars": ("WriteError",),
    "lstm_spec.spec.summary": ("summary",),
    "lstm_spec.spec.table": ("dimension_table",),
    "lstm_spec.spec.unroll": ("recurrence", "unroll"),
    "lstm_spec.targets.command": ("Command",),
    "lstm_spec.targets.contract": ("Target", "TargetError"),
    "lstm_spec.targets.convert": ("Converted", "convert"),
    "lstm_spec.targets.equivalents": ("ConvertError",),
    "lstm_spec.targets.layout": ("Layout",),
    "lstm_spec.targets.packing": ("LayoutError",),
    "lstm_spec.targets.reading": ("FileError",),
    "lstm_spec.targets.weight_files": ("save_weights",),
    "lstm_spec.verify.conversion": ("agreement",),
    "lstm_spec.verify.deviations": ("KnownDeviation",),
    "lstm_spec.verify.items": ("parametrize",),
    "lstm_spec.verify.replay": ("Replay", "ReplayError", "replay"),
    "lstm_spec.verify.recorded": ("diagnose",),
    "lstm_spec.verify.run": ("assert_conforms", "verify"),
    "lstm_spec.write.write": ("write",),
}
_ROOMS = {"strategies": "lstm_spec.verify.strategies"}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Command",
    "ConvertError",
    "Converted",
    "DimensionError",
    "DrawError",
    "Equation",
    "FileError",
    "KnownDeviation",
    "Layer",
    "Layout",
    "LayoutError",
    "Network",
    "NotationError",
    "OptionError",
    "Picture",
    "Program",
    "ProgramError",
    "Replay",
    "ReplayError",
    "Runner",
    "Target",
    "TargetError",
    "WriteError",
    "agreement",
    "assert_conforms",
    "backward",
    "bptt",
    "cell",
    "cells",
    "check_cell",
    "compile_program",
    "convert",
    "define_cell",
    "diagnose",
    "dimension_table",
    "draw",
    "error_bound",
    "forward_mode",
    "infer_dimensions",
    "jacobian",
    "layers",
    "lstm",
    "parametrize",
    "proofs",
    "prove",
    "recurrence",
    "replay",
    "run",
    "runner",
    "save_weights",
    "strategies",
    "summary",
    "theorems",
    "unit_view",
    "unroll",
    "verify",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(_ROOMS[name])
    if name not in _HOME_OF:
        raise AttributeError(f"module 'lstm_spec' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF, *_ROOMS])


class _House(ModuleType):
    """The package, in which a function such as ``write`` is not hidden by the room of the same name."""

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds every room that is entered, so lstm_spec.write would turn from a function to a module.
        if not (name in _HOME_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _House
