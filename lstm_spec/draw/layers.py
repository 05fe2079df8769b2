"""The views over time: unrolled, stacked layers, both directions."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from lstm_spec.draw.blocks import SHOWN, Board, Row, above, below, grid, rows_of, steps_shown
from lstm_spec.draw.lattice import NORTH, Port, Sink, Spot
from lstm_spec.draw.scene import Scene
from lstm_spec.draw.text import Text, Typesetter, plain, with_shape
from lstm_spec.draw.words import display_name, number_text
from lstm_spec.spec.notation import size_text
from lstm_spec.spec.program import Program

MOST_TERMS = 2
"""How many equal numbers of parameters are added one by one; more are multiplied."""


def layers_scene(
    program: Program, setter: Typesetter, sizes: Mapping[Any, int], *, layers: int, steps: int | None
) -> Scene:
    """Return a cell unrolled over time, in one layer or several on top of each other."""
    board = Board(program, setter, sizes)
    rows = rows_of(board, layers, both=False)
    shown = steps_shown(steps, SHOWN if layers == 1 else SHOWN - 1)
    _, half = grid(board, rows, shown, pitch=17, rise=14)
    output = program.states[0]
    for step in (s for s in shown if s != "…"):
        column = board.spots[f"layer1-{step}"].x
        source = _input(board, step, column, -half - 6)
        wire = with_shape((), board.shape(program.inputs[0].name))
        for row in rows:
            cell = board.spots[f"{row.id}-{step}"]
            value = f"{source}-in" if row is rows[0] else f"{output}-{row.id}-{step}-in"
            leaving = None if row is rows[0] else above(board.spots[source])
            board.net(value, source, Sink(cell.id, port=below(cell)), text=wire, port=leaving)
            source = cell.id
            wire = with_shape(board.symbol(output, step, row.mark) if row is not rows[-1] else (), board.shape(output))
        end, top = f"{output}-{step}-top", board.spots[source].y
        board.terminal(end, board.symbol(output, step, rows[-1].mark), column, top + half + 6, "north")
        board.net(f"{output}-{step}", source, Sink(end), text=wire, port=above(board.spots[source]))
    name = display_name(program.name)
    title = f"{name} unrolled over time" if layers == 1 else f"{layers} {name} layers on top of each other"
    return board.scene("stacked" if layers > 1 else "unrolled", title, title, _shared(rows))


def bidirectional_scene(program: Program, setter: Typesetter, sizes: Mapping[Any, int], *, steps: int | None) -> Scene:
    """Return a layer that runs in both directions, its outputs concatenated at every step."""
    board = Board(program, setter, sizes)
    rows = rows_of(board, 1, both=True)
    shown = steps_shown(steps, SHOWN - 1)
    rise = 14
    _, half = grid(board, rows, shown, pitch=23, rise=rise)
    output = program.states[0]
    size = board.shape(output)
    doubled = (size[0] + size[0], 1)
    for step in (s for s in shown if s != "…"):
        ahead, back = board.spots[f"forward-{step}"], board.spots[f"backward-{step}"]
        middle = (ahead.x + back.x) // 2
        source = _input(board, step, middle, -half - 6)
        wire = with_shape((), board.shape(program.inputs[0].name))
        board.net(f"{source}-in", source, Sink(ahead.id, port=below(ahead)), Sink(back.id, port=below(back)), text=wire)
        bar = Spot(f"y-{step}", middle, rise + half + 4, 5, 1, "free")
        board.spots[bar.id] = bar
        board.nodes[bar.id] = ("concat", (), f"y = [{output}→; {output}←]")
        for row, cell, dx in ((rows[0], ahead, ahead.x - middle), (rows[1], back, back.x - middle)):
            port = Port((bar.x + dx, bar.y - 1), NORTH)
            text = with_shape(board.symbol(output, step, row.mark), size)
            board.net(f"{output}-{row.id}-{step}", cell.id, Sink(bar.id, port=port), text=text, port=above(cell))
        end = f"y-{step}-top"
        board.terminal(end, board.symbol("y", step), bar.x, bar.y + 6, "north")
        board.net(f"y-{step}-out", bar.id, Sink(end), text=with_shape((), doubled), port=above(bar))
    name = display_name(program.name)
    title = f"bidirectional {name}: {size_text(doubled[0])} outputs at every step"
    return board.scene("bidirectional", title, title, _shared(rows))


def _input(board: Board, step: str, x: int, y: int) -> str:
    name = board.program.inputs[0].name
    board.terminal(f"{name}-{step}", board.symbol(name, step), x, y, "north")
    return f"{name}-{step}"


def _shared(rows: Sequence[Row]) -> list[Text]:
    """Say how many parameters there are, and that every step uses the same."""
    alike = [(count, sum(row.omits or 1 for row in same)) for count, same in groupby(rows, lambda row: row.parameters)]
    products = [count * many for count, many in alike]
    total = sum(products[1:], start=products[0])
    total = total.factor() if hasattr(total, "factor") else total
    terms = [_times(number_text(count), many) for count, many in alike]
    parts = "" if len(rows) == 1 else f" = {' + '.join(terms)}"
    return [plain(f"{number_text(total)} parameters{parts}, the same at every step", dim=True)]


def _times(count: str, many: int) -> str:
    """Return equal numbers of parameters together, in parentheses if one is a sum outside of any."""
    if many <= MOST_TERMS:
        return " + ".join([count] * many)
    return f"{many} · ({count})" if re.search(r"[+−]", re.sub(r"\(.*?\)", "", count)) else f"{many} · {count}"
