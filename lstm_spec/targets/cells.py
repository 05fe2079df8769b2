"""Finding the cell that a user names: one of the catalogue, or ``file.py:cell``."""

from lstm_spec.spec.catalogue import cell as catalogue_cell
from lstm_spec.spec.program import Program, check_cell
from lstm_spec.targets.contract import TargetError
from lstm_spec.targets.modules import failing_as, find_attribute, kind_of


def find_cell(name: str) -> Program:
    """Return the cell that a user names.

    name: a name of the catalogue, ``package.module:attribute`` or ``path/to/file.py:attribute``; the attribute is a
    Program, or a function without arguments that returns one. Raises OptionError or TargetError in one sentence.
    """
    place, colon, path = name.rpartition(":")
    if not colon:
        return catalogue_cell(name)
    value = find_attribute(place, path)
    if callable(value) and not isinstance(value, Program):
        with failing_as(f"{name} cannot be called without arguments: "):
            value = value()
    if not isinstance(value, Program):
        raise TargetError(f"{name} is {kind_of(value)}, not a Program such as lstm_spec.lstm() makes")
    return check_cell(value)
