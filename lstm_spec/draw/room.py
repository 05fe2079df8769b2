"""How much room a cell is tried with, and how much more its labels need."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from lstm_spec.draw.label import Lack
from lstm_spec.draw.lattice import STEP


@dataclass(frozen=True)
class Room:
    """How a cell is tried: slack: extra lattice lines between bands and columns; layers: the order of the learned
    layers, () for that of the equations; columns: extra lines left of each column, from the left."""

    slack: int = 0
    layers: tuple[str, ...] = ()
    columns: tuple[int, ...] = ()


def wider(room: Room, columns: Sequence[int], lacks: Sequence[Lack]) -> Room:
    """Return a room with the columns as far apart as labels need that found no place. columns: their centres."""
    extra = list(room.columns or (0,) * len(columns))
    grown = [0] * len(extra)
    for lack in lacks:
        right = sum(x * STEP <= lack.x for x in columns)
        if right < len(extra):
            grown[right] = max(grown[right], ceil(lack.points / STEP))
    return replace(room, columns=tuple(lines + grown[k] for k, lines in enumerate(extra))) if any(grown) else room
