"""The view of dimensions: one box per equation with the arithmetic of its shapes, from left to right."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from sympy import BlockMatrix, HadamardProduct, MatAdd, MatMul

from lstm_spec.draw.cell import DESPERATE
from lstm_spec.draw.compose import kinds_in, labelled, legend, note, text_node, wires_of
from lstm_spec.draw.contract import is_learned, occurrences, parameters_of
from lstm_spec.draw.graph import Graph
from lstm_spec.draw.lattice import STEP, Field, Net, Sink, Spot, names_at_sides
from lstm_spec.draw.place import TERMINAL
from lstm_spec.draw.read import read
from lstm_spec.draw.route import RoutingError, route
from lstm_spec.draw.scene import Flow, Line, Scene
from lstm_spec.draw.text import Typesetter, plain, width, with_shape
from lstm_spec.draw.words import count_text, display_name
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.functions import quotient
from lstm_spec.spec.names import shape_text
from lstm_spec.spec.notation import text
from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

LEGEND = ("layer", "vector", "joint", "state", "value")
NAME, FORMULA = 11.0, 8.5
MOST_SLACK, CLOSE = 7, 4
"""How much extra room is tried, and how many wires may enter a box on neighbouring lines."""

_SUM, _PRODUCT, _HADAMARD, _QUOTIENT = r",|\S[+−]\S", r"[+−,/∘]", r"[+−,/·]", r"[+−,/·∘]"
"""Signs that part an operand from its neighbours unless it stands in brackets."""

FEW, SWEEPS = 2, 2
"""Up to how many crossings boxes stand in the order of the equations, and how often they are put in another."""

WIDEST = 4.3
"""How much wider than high the picture gets before its boxes move apart."""


def flow_scene(program: Program, setter: Typesetter, sizes: Mapping[Any, int]) -> Scene:
    """Return the flow of dimensions through one step of a cell."""
    found: Attempt | None = None
    for slack in (*range(MOST_SLACK), DESPERATE):
        if found is not None and slack == DESPERATE:
            break
        tried = _tried(program, setter, dict(sizes), slack)
        if tried is not None and (found is None or tried.faults < found.faults):
            found = tried
        if found is not None and not found.faults[0]:
            break
    if found is None:
        raise RoutingError(f"{program.name} is too crowded to be drawn")
    return found.scene


@dataclass(frozen=True)
class Attempt:
    """One way to draw the flow, and what is wrong with it: labels without room, then crossings."""

    scene: Scene
    faults: tuple[int, int]


def _tried(program: Program, setter: Typesetter, sizes: dict[Any, int], slack: int) -> Attempt | None:
    """Return the flow in the order of the equations, or, where many wires cross in that, in one with fewer."""
    found: Attempt | None = None
    for sweeps in (0, SWEEPS):
        if found is None or found.faults[1] > FEW:
            try:
                tried = _attempt(program, setter, sizes, slack, sweeps)
            except RoutingError:
                continue
            found = tried if found is None else min(found, tried, key=lambda attempt: attempt.faults)
    return found


def arithmetic(e: Any, sizes: dict[Any, int]) -> str:
    """Return an expression with every matrix replaced by its shape.

    >>> from lstm_spec.spec.cells import lstm
    >>> cell = lstm()
    >>> arithmetic(cell["a_f"].expression, cell.check_sizes({"n": 32, "m": 70}))
    '70×102 · 102 + 70'
    >>> arithmetic(cell["a_f"].expression, {})
    'm×(n+m) · (n+m) + m'
    """
    if isinstance(e, MatAdd):
        signs = ["−" if a.as_coeff_mmul()[0].could_extract_minus_sign() else "+" for a in e.args]
        written = [_bracketed(arithmetic(a, sizes), _SUM) for a in e.args]
        first = "−" if signs[0] == "−" else ""
        return first + written[0] + "".join(f" {s} {w}" for s, w in zip(signs[1:], written[1:], strict=True))
    if isinstance(e, MatMul | HadamardProduct):
        sign, loose = ("·", _PRODUCT) if isinstance(e, MatMul) else ("∘", _HADAMARD)
        factors = [arithmetic(a, sizes) for a in e.args if getattr(a, "is_Matrix", False)]
        return f" {sign} ".join(factors if len(factors) == 1 else [_bracketed(f, loose) for f in factors])
    if isinstance(e, Elementwise):
        arguments = [arithmetic(a, sizes) for a in e.arguments]
        if e.function.expr.func is quotient:
            return " / ".join(_bracketed(a, _QUOTIENT) for a in arguments)
        return ", ".join(arguments)
    if isinstance(e, BlockMatrix):
        return "[" + "; ".join(arithmetic(part, sizes) for part in parts_of(e)) + "]"
    return shape_text(evaluate_shape(e.shape, sizes))


def _bracketed(said: str, loose: str) -> str:
    """Return an operand in parentheses if it has one of the given signs outside of any brackets."""
    bare, depth = "", 0
    for character in said:
        depth += character in "(["
        bare += "" if depth else character
        depth -= character in ")]"
    return f"({said})" if re.search(loose, bare) else said


def _lines(d: Equation, setter: Typesetter, sizes: dict[Any, int]) -> tuple[Line, ...]:
    head = with_shape(setter.symbol(d.name), evaluate_shape(d.symbol.shape, sizes))
    said = arithmetic(d.expression, sizes)
    rows = (setter.formula(d.expression), plain(said, dim=True))
    return (Line(head, NAME), *(Line(row, FORMULA) for row in rows))


def _ranks(program: Program, rows: list[Equation]) -> dict[str, int]:
    """Return how far from the left each value stands: behind everything that it reads."""
    ranks: dict[str, int] = {s.name: 0 for s in program.leaves}
    for d in rows:
        read_ = [ranks[s.name] for s in occurrences(d.expression) if s.name not in parameters_of(program)]
        ranks[d.name] = 1 + max(read_, default=0)
    return ranks


def _attempt(program: Program, setter: Typesetter, sizes: dict[Any, int], slack: int, sweeps: int) -> Attempt:
    rows = [d for d in program if d.name not in parameters_of(program)]
    graph = read(program, setter, sizes)
    rails = {v for rail in graph.rails for v in (rail[-1], graph.rail_start(rail))}
    ranks = _ranks(program, rows)
    lines = {d.name: _lines(d, setter, sizes) for d in rows}
    spots = _place(program, graph, rows, ranks, lines, setter, slack, sweeps)
    nets, flows = _nets(program, rows, rails, spots)
    xs = [x for s in spots.values() for x in (s.x - s.half_width, s.x + s.half_width)]
    ys = [y for s in spots.values() for y in (s.y - s.half_height, s.y + s.half_height)]
    low, high = (min(xs) - 1, min(ys) - 3), (max(xs) + 1, max(ys) + 3)
    field = Field(low, high, texts=names_at_sides(spots.values(), low, high))
    trees = route(field, spots, nets, strict=slack < DESPERATE)
    formulas = {d.name: str(d) for d in rows}
    nodes = []
    for name, spot in spots.items():
        if name in lines:
            learned = is_learned(program[name].expression, parameters_of(program))
            nodes.append(text_node(name, "layer" if learned else "vector", spot, lines[name], name, formulas[name]))
        else:
            line = Line(setter.symbol(name.removesuffix("-out")), TERMINAL)
            nodes.append(text_node(name, "terminal", spot, (line,)))
    drawn = wires_of(trees, {n.id: n for n in nodes}, flows)
    left, right, floor = (
        min(xs) * STEP,
        max(xs) * STEP,
        min([*ys, *(y // STEP for w in drawn.wires for _, y in w.points)]) * STEP,
    )
    said = plain(f"{display_name(program.name)}: {count_text(program, sizes)} parameters", dim=True)
    scene = Scene(
        name=program.name,
        title=f"dimensions in the {display_name(program.name)} cell",
        description="; ".join(f"{text(d.symbol)} = {text(d.expression)}" for d in program),
        nodes=tuple(nodes),
        wires=drawn.wires,
        joints=drawn.joints,
        labels=(note(said, left, floor - 12, 10.0, "parameters"),),
        legend=legend(kinds_in(nodes, drawn, LEGEND), left, floor - 32, right),
    )
    shapes = {name: evaluate_shape(s.shape, sizes) for name, s in program.symbols.items()}
    scene, missing = labelled(scene, [(v, [(with_shape((), shapes[v]),)]) for v in trees])
    return Attempt(scene, (len(missing), sum(len(w.hops) for w in scene.wires)))


def _place(
    program: Program,
    graph: Graph,
    rows: list[Equation],
    ranks: dict[str, int],
    lines: dict[str, tuple[Line, ...]],
    setter: Typesetter,
    slack: int,
    sweeps: int,
) -> dict[str, Spot]:
    """Return a column for every rank, its boxes from top to bottom in the order of the equations."""
    used = {s.name for d in rows for s in occurrences(d.expression)}
    given = [s.name for s in (*program.inputs, *(b for b, _ in program.recurrence)) if s.name in used]
    columns: dict[int, list[str]] = {0: given}
    for d in rows:
        columns.setdefault(ranks[d.name], []).append(d.name)
    last = max(columns) + 1
    columns[last] = [f"{name}-out" for name in dict.fromkeys((*program.states, *program.outputs))]
    columns = _ordered(columns, _uses(program, rows), sweeps)
    sizes = {name: _extent(name, program, lines, setter) for members in columns.values() for name in members}
    wide = sum(2 * max(sizes[name][0] for name in members) + _channel(members) + slack for members in columns.values())
    gaps = {rank: 2 + slack if rank not in (0, last) else 4 + slack for rank in columns}
    high = max(_height(members, sizes, gaps[rank]) for rank, members in columns.items())
    apart = max(0, ceil(wide / WIDEST) - high - 8) // max(1, max(map(len, columns.values())) - 1)
    spots: dict[str, Spot] = {}
    x = 0
    for rank in sorted(columns):
        members, gap = columns[rank], gaps[rank] + apart
        half = max(sizes[name][0] for name in members)
        x += half
        y = _height(members, sizes, gap) // 2
        for name in members:
            own, tall = sizes[name]
            y -= tall
            style: Any = "flow" if name in lines else "east"
            # Names end where their wires begin, and the other way round on the right.
            shift = (half - own) * ((rank == 0) - (rank == last))
            at, reach = (x, half) if name in lines else (x + shift, own)
            spots[name] = Spot(name, at, y, reach, tall, style, _fan(name, program, lines))
            y -= tall + gap
        x += half + _channel(members) + slack
    return spots


def _channel(members: list[str]) -> int:
    """Return how far the next column is: there is a line for each wire that turns between them."""
    return max(5, len(members) + 2)


def _uses(program: Program, rows: list[Equation]) -> list[tuple[str, str]]:
    """Return the pairs of a value and what reads it."""
    shared = parameters_of(program)
    uses = [(s.name, d.name) for d in rows for s in occurrences(d.expression) if s.name not in shared]
    return [*uses, *((name, f"{name}-out") for name in dict.fromkeys((*program.states, *program.outputs)))]


def _ordered(columns: dict[int, list[str]], uses: list[tuple[str, str]], sweeps: int) -> dict[int, list[str]]:
    """Return the columns with each box about as high as those that it reads, then as those that read it, in turns."""
    ordered = dict(columns)
    for sweep in range(sweeps):
        back = bool(sweep % 2)
        for rank in sorted(ordered, reverse=back):
            heights = {name: (k + 0.5) / len(members) for members in ordered.values() for k, name in enumerate(members)}
            means = {name: _mean(name, uses, heights, back) for name in ordered[rank]}
            ordered[rank] = sorted(means, key=means.__getitem__)
    return ordered


def _mean(name: str, uses: list[tuple[str, str]], heights: Mapping[str, float], back: bool) -> float:
    """Return the mean height of what a box reads, or of what reads it; its own where there is none."""
    around = [heights[a if back else b] for b, a in uses if name == (b if back else a)]
    return sum(around) / len(around) if around else heights[name]


def _height(members: list[str], sizes: Mapping[str, tuple[int, int]], gap: int) -> int:
    return sum(2 * sizes[name][1] for name in members) + gap * (len(members) - 1)


def _fan(name: str, program: Program, lines: Mapping[str, Any]) -> int:
    """Return how many wires enter a box."""
    shared = parameters_of(program)
    read_ = [s for s in occurrences(program[name].expression) if s.name not in shared] if name in lines else []
    return max(1, len(read_))


def _fan_room(fan: int) -> int:
    """Return the half height of a box; many wires side by side only find their ways with a line between them."""
    return max(2, fan - 1 if fan > CLOSE else fan // 2)


def _extent(name: str, program: Program, lines: Mapping[str, tuple[Line, ...]], setter: Typesetter) -> tuple[int, int]:
    if name in lines:
        widest = max(line.width for line in lines[name])
        return ceil((widest + 12) / (2 * STEP)), _fan_room(_fan(name, program, lines))
    return max(1, ceil(width(setter.symbol(name.removesuffix("-out")), TERMINAL) / (2 * STEP))), 1


def _nets(
    program: Program, rows: list[Equation], rails: set[str], spots: Mapping[str, Spot]
) -> tuple[list[Net], dict[str, Flow]]:
    """Return one net per value: to every equation that reads it, once per reading, and out of the step.

    What comes from further up enters further up, so that wires into one box do not cross.
    """
    sinks: dict[str, list[Sink]] = {}
    for d in rows:
        read_ = [s.name for s in occurrences(d.expression) if s.name not in parameters_of(program)]
        ports = sorted(spots[d.name].entries(False), key=lambda port: -port.at[1])
        for name, port in zip(sorted(read_, key=lambda n: -spots[n].y), ports, strict=False):
            sinks.setdefault(name, []).append(Sink(d.name, port=port))
    for name in dict.fromkeys((*program.states, *program.outputs)):
        sinks.setdefault(name, []).append(Sink(f"{name}-out"))
    nets = [Net(value, value, tuple(ends)) for value, ends in sinks.items()]
    return nets, {value: "state" if value in rails else "value" for value in sinks}
