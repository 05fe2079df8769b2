"""Finding the cell or the network that a user names: one of the catalogue, or ``file.py:cell``."""

from typing import Any

from lstm_spec.spec.catalogue import cell as catalogue_cell
from lstm_spec.spec.network import Network
from lstm_spec.spec.program import Program, check_cell
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.modules import failing_as, find_attribute, kind_of


def find_spec(name: str) -> Program | Network:
    """Return the cell or the network that a user names.

    name: a name of the catalogue, ``package.module:attribute`` or ``path/to/file.py:attribute``; the attribute is a
    Program or a Network, or a function without arguments that returns one. Raises OptionError or TargetError in one
    sentence.
    """
    place, colon, path = name.rpartition(":")
    if not colon:
        return catalogue_cell(name)
    value = find_attribute(place, path, wanted=_may_be_one)
    if callable(value) and not isinstance(value, Program):
        with failing_as(f"{name} cannot be called without arguments: "):
            value = value()
    if isinstance(value, Network):
        return value
    if not isinstance(value, Program):
        raise TargetError(
            f"{name} is {kind_of(value)}, not a Program such as lstm_spec.lstm() makes, or a Network such as "
            "lstm_spec.layers() makes"
        )
    return check_cell(value)


def find_cell(name: str) -> Program:
    """Return the cell that a user names, as ``find_spec`` does; raises TargetError for a network."""
    found = find_spec(name)
    if isinstance(found, Network):
        cells = ", ".join(dict.fromkeys(run.cell.name for run in found.every_pass))
        raise TargetError(
            f"{name} is a network, where one cell is asked for: give a cell of it ({cells}); "
            "show, draw and verify --spec take networks"
        )
    return found


def _may_be_one(value: Any) -> bool:
    return isinstance(value, Program | Network) or (callable(value) and not isinstance(value, type))
