"""Holds what the further views say against the Program: dimensions, one unit, networks of whole cells, dots and lines.

As in the audit nothing of the drawer is used: what is drawn is read from the SVG, what has to be there is taken from
the equations of the Program and from the network that the specification makes of it.
"""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from sympy import BlockMatrix, HadamardProduct, Integer, MatAdd, MatMul, MatrixSymbol, cancel
from sympy.matrices.expressions.slice import MatrixSlice

import lstm_spec as ls
from lstm_spec.spec.equation import names_in
from lstm_spec.spec.names import shape_text, size_text
from lstm_spec.spec.operators import Elementwise
from lstm_spec.spec.sizes import evaluate_shape, total_entries
from lstm_spec.spec.typeset import plain
from tests import picture_audit as audit

WORDS = ("no", "one", "two", "three", "four", "five", "six")


def content_faults(d, view: str, program, sizes, layers: int = 2, steps: int | None = None) -> list[str]:
    """What a view says otherwise than the Program, for the views of this module."""
    if view == "dimensions":
        return dimensions_faults(d, program, sizes)
    if view == "unit":
        return unit_faults(d, program, sizes)
    if view == "network":
        return network_faults(d, program, sizes)
    if view in ("unrolled", "stacked", "bidirectional"):
        return layers_faults(d, view, program, sizes, 1 if view == "unrolled" else layers, steps)
    return []


def _written(program, name: str) -> str:
    return audit.squeeze(plain(audit.setting_of(program).symbol(name)))


def _shape(program, name: str, values) -> str:
    return shape_text(evaluate_shape(program.symbols[name].shape, values))


def _number(count) -> str:
    return f"{count:,}" if isinstance(count, int) else size_text(count)


def _labels(d) -> list[tuple[str, str]]:
    """What a label belongs to, and what it says."""
    groups = [g for g in d.root.iter(f"{audit.SVG}g") if (g.get("class") or "") == "label"]
    return [(g.get("data-of") or "", "".join(g.itertext())) for g in groups]


def _differ(what: str, wanted: Counter, got: Counter) -> list[str]:
    return [] if wanted == got else [f"{what} differ: {audit.difference(wanted, got)}"]


def _uses(program) -> Counter:
    """Every reading of a per-row value by an equation, and everything that leaves a step."""
    shared = audit.parameters_of(program)
    rows = [d for d in program if d.name not in shared]
    uses = Counter((name, d.name) for d in rows for name in audit.occurrences(d.expression) if name not in shared)
    return uses + Counter((name, f"{name}-out") for name in {*program.states, *program.outputs})


# --- dimensions -------------------------------------------------------------------------------------------------------


def dimensions_faults(d, program, sizes) -> list[str]:
    """A box for every equation, its shapes those of the operands; a wire for every use, with its dimension."""
    values, shared = program.check_sizes(sizes), audit.parameters_of(program)
    rows = [e for e in program if e.name not in shared]
    uses = _uses(program)
    faults = _differ("edges", uses, audit.drawn_edges(d))
    boxes = Counter(n.equation for n in d.nodes.values() if n.equation)
    faults += _differ("boxes", Counter(e.name for e in rows), boxes)
    for e in rows:
        for node in (n for n in d.nodes.values() if n.equation == e.name):
            faults += _box_faults(node, e, program, values)
    labelled = dict(_labels(d))
    for name in {source for source, _ in uses}:
        if labelled.get(name, "").strip() != _shape(program, name, values):
            faults.append(f"the wire of {name} says {labelled.get(name)!r}, not {_shape(program, name, values)}")
    return faults + _count_faults(d, program.parameter_count(**sizes))


def _box_faults(node, e, program, values) -> list[str]:
    head, formula, shapes = (text for text, _ in node.texts)
    faults = []
    if audit.squeeze(head) != _written(program, e.name) + audit.squeeze(_shape(program, e.name, values)):
        faults.append(f"the box of {e.name} is headed {head!r}")
    faults += [
        f"the box of {e.name} does not name {name}"
        for name in names_in(e.expression)
        if _written(program, name) not in audit.squeeze(formula)
    ]
    wanted = [re.sub(r"[()]", "", shape_text(evaluate_shape(leaf, values))) for leaf in leaves(e.expression)]
    got = [re.sub(r"[()\[\]]", "", part) for part in re.split(r" [·∘+−/] |[;,] ", shapes.lstrip("−"))]
    if wanted != got:
        faults.append(f"the box of {e.name} has the shapes {got}, its operands have {wanted}")
    return [*faults, *([] if str(e) in node.title.split("\n") else [f"no box says {e}"])]


def leaves(e) -> list:
    """The shapes of the matrices that an expression is written with, from left to right."""
    inner = e.blocks if isinstance(e, BlockMatrix) else e.arguments if isinstance(e, Elementwise) else e.args
    if isinstance(e, BlockMatrix | Elementwise | MatAdd | MatMul | HadamardProduct):
        return [shape for part in inner if getattr(part, "is_Matrix", False) for shape in leaves(part)]
    return [e.shape]


def _count_faults(d, count) -> list[str]:
    said = f"{_number(count)} parameters"
    stated = re.search(rf"(?<![\d,\w)]){re.escape(said)}", d.text)
    return [] if stated else [f"the picture does not state {said}"]


# --- one unit ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    """One unit of a layer: the scalars that it reads, which neurons see which vectors whole, and what it gives away."""

    scalars: Counter
    seen: set
    given: set
    neurons: Counter


def unit_of(program) -> Unit:
    """The unit as its scalar equations have it: a product with a parameter matrix sees all entries of a vector."""
    shared, within = audit.parameters_of(program), audit.absorbed(program)
    units = program.symbols[program.states[-1]].shape[0]
    readings = {}
    for e in (e for e in program if e.name not in shared):
        own, whole = readings.setdefault(within.get(e.name, e.name), ([], []))
        for name, operand in _readings(e.expression, shared):
            (whole if operand is not None else own).append(name if operand is None else operand)
    maps = Counter({e.name: _maps(e.expression, shared) for e in program if e.name not in shared})
    learned = {within.get(name, name) for name, count in maps.items() if count}
    stacked = {e.name for e in program if isinstance(e.expression, BlockMatrix)}
    leaving = {*program.outputs, *program.states}
    mixed = {operand.name for _, whole in readings.values() for operand in whole if isinstance(operand, MatrixSymbol)}
    for e in program:
        if e.name in mixed & stacked:
            parts = {name for name, _ in _parts(e.expression, e.name, program)} & learned - {*within.values()}
            mixed |= {name for name in parts if not _kernels(program[name].expression, shared)}
    single = {name for reader, (own, _) in readings.items() if reader not in stacked for name in own}
    hidden = {name for name in learned & mixed if name not in single | leaving}
    ours = {n for n in readings if program.symbols[n].shape[0] == units and n not in stacked | hidden}
    scalars, seen, given = Counter(), set(), set()
    for target, (own, whole) in readings.items():
        parts = [p for operand in whole for p in _parts(operand, target, program)]
        scalars += Counter((n, target) for n in own if target in ours and within.get(n) != target)
        for name, operand in parts:
            if name.endswith("."):
                inner = name.removesuffix(".")
                scalars |= Counter((n, inner) for n, _ in _readings(operand, shared))
                given.add(inner)
            elif name in ours:
                given.add(name)
            if target in ours:
                seen.add((name, target))
    for inner, outer in within.items():
        maps[outer] += maps.pop(inner)
    neurons = Counter({name: count for name, count in maps.items() if name in ours and count})
    return Unit(scalars, seen, given | (leaving & ours), neurons)


def _readings(e, shared) -> list:
    """(name, None) of what is read entry by entry, (name, operand) of what a parameter matrix is multiplied by."""
    if isinstance(e, MatMul) and names_in(e.args[-2]) and names_in(e.args[-2]) <= shared:
        return [("", e.args[-1])]
    if isinstance(e, MatrixSymbol):
        return [] if e.name in shared else [(e.name, None)]
    if isinstance(e, MatrixSlice):
        return _readings(e.parent, shared)
    inner = e.blocks if isinstance(e, BlockMatrix) else e.arguments if isinstance(e, Elementwise) else e.args
    return [r for part in inner if getattr(part, "is_Matrix", False) for r in _readings(part, shared)]


def _maps(e, shared) -> int:
    """How many sums of an expression apply parameters, one within another counted by itself."""
    found, inner = 0, [e]
    if isinstance(e, BlockMatrix | Elementwise):
        inner = list(e.blocks if isinstance(e, BlockMatrix) else e.arguments)
        return sum(_maps(part, shared) for part in inner)
    if isinstance(e, MatrixSymbol | MatrixSlice):
        return int(bool(names_in(e) & shared))
    for term in e.args if isinstance(e, MatAdd) else [e]:
        factors = (
            [f for f in term.args if getattr(f, "is_Matrix", False)] if not isinstance(term, MatrixSymbol) else [term]
        )
        own = [f for f in factors if names_in(f) and names_in(f) <= shared]
        found = found or int(bool(own))
        inner += [f for f in factors if f not in own and f is not term]
    return found + sum(_maps(f, shared) for f in inner[1:])


def _parts(operand, target: str, program) -> list:
    """The vectors of a concatenation by name; what has no name is named after its equation, with a dot."""
    if isinstance(operand, MatrixSymbol):
        made = {e.name: e for e in program}.get(operand.name)
        if made is not None and isinstance(made.expression, BlockMatrix):
            return [p for part in made.expression.blocks for p in _parts(part, made.name, program)]
        return [(operand.name, operand)]
    if isinstance(operand, BlockMatrix):
        return [p for part in operand.blocks for p in _parts(part, target, program)]
    return [(f"{target}.", operand)]


def unit_faults(d, program, sizes) -> list[str]:
    """Operations and neurons of one unit, the entries that it sees, and its share of the parameters."""
    unit, values = unit_of(program), program.check_sizes(sizes)
    inner = [w for w in d.wires if d.nodes[w.source].kind != "entry"]
    return [
        *_scalar_faults(d, unit, inner),
        *_fan_faults(d, unit, program, values),
        *_share_faults(d, unit, program, sizes),
    ]


def _scalar_faults(d, unit: Unit, inner) -> list[str]:
    drawn, leaving = Counter(), set()
    for w in inner:
        source, target = d.nodes[w.source], d.nodes[w.target]
        if not target.equation:
            leaving.add(source.equation)
        elif (a := source.equation or source.id) != target.equation:
            drawn[a, target.equation] += 1
    faults = _differ("scalar edges", unit.scalars, drawn)
    faults += _differ("given away", Counter(unit.given), Counter(leaving))
    neurons = [n.equation for n in d.nodes.values() if n.kind == "neuron"]
    return faults + _differ("neurons", unit.neurons, Counter(neurons))


def _fan_faults(d, unit: Unit, program, values) -> list[str]:
    def vector(entry: str) -> str:
        name = entry.rpartition("-")[0]
        return f"{d.nodes[name].equation}." if "." in name else name

    entries = [n.id for n in d.nodes.values() if n.kind == "entry"]
    lines = Counter((w.source, d.nodes[w.target].equation) for w in d.wires if w.source in entries)
    wanted = Counter((e, target) for e in entries for name, target in unit.seen if name == vector(e))
    faults = _differ("lines of weights", wanted, lines)
    faults += _differ("vectors seen", Counter({name for name, _ in unit.seen}), Counter(set(map(vector, entries))))
    whole = {name for name, how in ls.unit_view(program).reads.items() if how == "all"}
    given = {s.name for s in (*program.inputs, *(before for before, _ in program.recurrence))}
    seen = {n for name, _ in unit.seen for n in ([name] if not name.endswith(".") else [])}
    faults += [f"{name} is not seen whole" for name in seen & given - whole]
    notes = [audit.squeeze(text) for _, text in _labels(d)]
    for name in seen:
        size = size_text(evaluate_shape(program.symbols[name].shape, values)[0])
        said = re.compile(rf"{re.escape(_written(program, name))}:(all)?{re.escape(size)}[a-z]+")
        if not any(said.fullmatch(note) for note in notes):
            faults.append(f"no note says that {name} has {size} entries")
        last = size_text(evaluate_shape(program.symbols[name].shape, values)[0] - 1)
        drawn = [n for n in d.nodes if n.rpartition("-")[0] == name]
        # Of few entries the last may be the unit's own.
        if f"{name}-{last}" not in drawn and str(len(drawn)) != size:
            faults.append(f"the last entry of {name}, {last}, is not drawn")
    faults += [
        f"the scalar {of} says {text!r}"
        for of, text in _labels(d)
        if of in program.symbols and not re.search(r"(^|\s)1$", text)
    ]
    return faults


def _share_faults(d, unit: Unit, program, sizes) -> list[str]:
    values = program.check_sizes(sizes)
    hidden, total = program.symbols[program.states[-1]].shape[0], program.parameter_count()
    units = size_text(hidden.subs(dict(values)))
    count = sum(unit.neurons.values())
    word = WORDS[count] if count < len(WORDS) else str(count)
    faults = _count_faults(d, program.parameter_count(**sizes))
    if f"unit k of {units}: {word} neuron{'s' * (count != 1)}" not in d.text:
        faults.append(f"the picture does not say that it is one of {units} units with {word} neurons")
    each = cancel(total / hidden)
    said = re.search(r"(\S+) parameters per unit, in (\S+) units?", d.text)
    if each.as_numer_denom()[1].free_symbols:
        return faults + (["no unit has a share of its own"] if said else [])
    value = each.subs(dict(values))
    share = _number(int(value) if value.is_number else value)
    if said is None or said.groups() != (share, units):
        faults.append(f"each of {units} units has {share} parameters, the picture says {said and said[0]}")
    return faults


# --- whole cells ------------------------------------------------------------------------------------------------------


@dataclass
class Joined:
    """What joins whole cells: the wires, the dimension of each, what the ends are called, what the cells say."""

    wires: Counter
    shapes: dict
    names: dict
    cells: dict

    def chain(self, name: str, shape, *nodes: str) -> None:
        """Add the wires from node to node, that all carry a vector of one name and shape."""
        for way in pairwise(nodes):
            self.wires[way] += 1
            self.shapes[*way, name] = shape


def layers_faults(d, view: str, program, sizes, layers: int, steps: int | None) -> list[str]:
    """Cells for the drawn steps, joined as the network has it; sizes at every wire and in every cell; counts."""
    both, values = view == "bidirectional", program.check_sizes(sizes)
    network = ls.layers(program, count=1 if both else layers, bidirectional=both)
    end = "T" if steps is None else str(steps)
    shown = _drawn(d, rf"{program.inputs[0].name}-(\w+)")
    faults = [] if (shown[0], shown[-1]) == ("1", end) else [f"the steps are {shown}, not 1 to {end}"]
    wanted = (
        _both_ways(network, program, shown) if both else _on_top(network, program, shown, _drawn(d, r"layer(\d+)-1"))
    )
    faults += _differ("edges", wanted.wires, Counter((w.source, w.target) for w in d.wires))
    for id, said in wanted.names.items():
        if id not in d.nodes or audit.squeeze(d.nodes[id].text) != said:
            faults.append(f"{id} should be called {said}, not {d.nodes[id].text if id in d.nodes else None}")
    for id, (shape, count) in wanted.cells.items():
        sizes_said = "→".join(shape_text(evaluate_shape(_column_of(size), values)) for size in shape)
        counted = _number(run_count(count, values))
        texts = [text for text, _ in d.nodes[id].texts] if id in d.nodes else []
        if texts[1:] != [sizes_said] or d.nodes[id].title != f"{counted} parameters":
            faults.append(f"{id} says {texts}, not {sizes_said}, of {counted} parameters")
    faults += _differ("cells", Counter(list(wanted.cells)), Counter(n.id for n in d.nodes.values() if n.kind == "cell"))
    return [*faults, *_wire_faults(d, wanted, values), *_sum_faults(d, network, sizes)]


def _drawn(d, pattern: str) -> list[str]:
    """What of the ids of nodes a pattern captures, in the order of the drawing."""
    return [found[1] for id in d.nodes if (found := re.fullmatch(pattern, id))]


def _with_gaps(shown: list[str], gap: str) -> list[str]:
    """The steps or layers that are drawn, with a gap wherever they do not follow upon each other."""
    found = shown[:1]
    for one, other in pairwise(shown):
        found += [other] if other.isdigit() and int(one) + 1 == int(other) else [gap, other]
    return found


def run_count(run, values):
    """The parameters of one pass of a network."""
    return total_entries([run.shape(p) for p in run.cell.counted], values)


def _row(joined: Joined, id: str, mark: str, run, width, program, shown: list[str], back: bool = False) -> None:
    """Join the cells of a layer by their states, and say what they are called and what they say."""
    after = str(int(shown[-1]) + 1) if shown[-1].isdigit() else f"{shown[-1]}+1"
    start, stop = (after, "1") if back else ("0", shown[-1])
    steps = [f"{id}-{step}" for step in _with_gaps(shown, "more")]
    output = run.symbol(run.cell.recurrence[0][1]).shape[0]
    joined.cells |= {f"{id}-{step}": ((width, output), run) for step in shown}
    for _, state in run.cell.recurrence:
        ends = f"{state.name}-{id}-first", f"{state.name}-{id}-last"
        joined.chain(state.name, run.symbol(state).shape, ends[0], *(reversed(steps) if back else steps), ends[1])
        for end, time in zip(ends, (start, stop), strict=True):
            joined.names[end] = _at(program, state.name, time, mark)


def _column_of(size):
    return size, Integer(1)


def _at(program, name: str, time: str, mark: str = "") -> str:
    return re.sub("t$", "", _written(program, name)) + time + mark


def _on_top(network, program, shown: list[str], rows: list[str]) -> Joined:
    """Layers on top of each other; rows: those that are drawn, the others left out."""
    joined = Joined(Counter(), {}, {}, {})
    state, given, count = program.states[0], program.inputs[0].name, len(network.layers)
    for row in rows:
        mark = f"({row})" if count > 1 else ""
        run, width = network.passes[int(row) - 1][0], network.widths[int(row) - 1]
        _row(joined, f"layer{row}", mark, run, width, program, shown)
    for step in shown:
        ids = [f"more-{step}" if row == "more" else f"layer{row}-{step}" for row in _with_gaps(rows, "more")]
        top = f"{state}-{step}-top"
        joined.chain(given, _column_of(network.widths[0]), f"{given}-{step}", ids[0])
        joined.chain(state, _column_of(network.widths[-1]), *ids, top)
        joined.names |= {f"{given}-{step}": _at(program, given, step)}
        joined.names |= {top: _at(program, state, step, f"({count})" if count > 1 else "")}
    return joined


def _both_ways(network, program, shown: list[str]) -> Joined:
    """A layer that runs in both directions, whose outputs are concatenated."""
    joined = Joined(Counter(), {}, {}, {})
    given = program.inputs[0].name
    for run, id, mark in zip(network.passes[0], ("forward", "backward"), "→←", strict=True):
        _row(joined, id, mark, run, network.widths[0], program, shown, id == "backward")
        for step in shown:
            joined.chain(given, _column_of(network.widths[0]), f"{given}-{step}", f"{id}-{step}")
            joined.chain(program.states[0], run.symbol(run.cell.recurrence[0][1]).shape, f"{id}-{step}", f"y-{step}")
    for step in shown:
        joined.chain("y", _column_of(network.widths[-1]), f"y-{step}", f"y-{step}-top")
        joined.names |= {f"{given}-{step}": _at(program, given, step), f"y-{step}-top": f"y{step}"}
    return joined


def _wire_faults(d, wanted: Joined, values) -> list[str]:
    """Every label has the dimension of its wire, and every wire but those after the second of a state has a label."""
    faults, labelled = [], {of for of, _ in _labels(d)}
    for of, text in _labels(d):
        for w in (w for w in d.wires if w.value == of):
            carried = wanted.shapes.get((w.source, w.target, of.partition("-")[0]))
            shape = shape_text(evaluate_shape(carried, values)) if carried else "no wire of this"
            if not re.search(rf"(^|\s){re.escape(shape)}$", text):
                faults.append(f"the wire {w.source} → {w.target} says {text!r}, its dimension is {shape}")
    initial = {w.value for w in d.wires if w.source.endswith("-first")}
    vertical = {w.value for w in d.wires if not re.search("-after-", w.value)}
    return faults + [f"no label says the dimension of {value}" for value in sorted((initial | vertical) - labelled)]


def _sum_faults(d, network, sizes) -> list[str]:
    """The number of parameters is the network's, and so is every term of the sum that it is said to be."""
    values = network.check_sizes(sizes)
    counts = [_number(run_count(run, values)) for run in network.every_pass]
    (said,) = (text for of, text in _labels(d) if of == "parameters")
    total, _, terms = said.removesuffix(", the same at every step").partition(" = ")
    found = []
    for term in terms.split(" + ") if terms else counts:
        many, _, count = term.rpartition(" · ")
        found += [count[1:-1] if count.startswith("(") else count] * int(many or 1)
    faults = [] if len(counts) == 1 or found == counts else [f"{terms} is said, the layers have {Counter(counts)}"]
    wanted = f"{_number(network.parameter_count(**sizes))} parameters"
    return faults if total == wanted else [*faults, f"the picture says {total}, not {wanted}"]


# --- dots and lines ---------------------------------------------------------------------------------------------------


def network_faults(d, program, sizes) -> list[str]:
    """Every unit sees all entries, and its output is an entry one step later; sizes and parameters are stated."""
    values = program.check_sizes(sizes)
    given, state = program.inputs[0].name, program.states[0]
    before = next(b.name for b, a in program.recurrence if a.name == state)
    whole = ls.unit_view(program).reads
    seen = [name for name in (given, before) if whole.get(name) == "all" or name == given]
    columns = {name: _column(d, name) for name in (given, before, "unit", "next")}
    faults = [] if columns[before] or before not in seen else [f"{before} is not drawn"]
    wanted = Counter((f"{name}-{k}", f"unit-{u}") for name in seen for k in columns[name] for u in columns["unit"])
    wanted += Counter((f"unit-{u}", f"next-{k}") for u in columns["unit"] for k in columns["next"])
    wanted += Counter((f"unit-{u}", f"{before}-{u}") for u in columns["unit"] if before in seen)
    faults += _differ("lines", wanted, Counter((w.source, w.target) for w in d.wires))
    labelled = dict(_labels(d))
    for name in (*seen, state):
        size = evaluate_shape(program.symbols[name].shape, values)[0]
        said = _written(program, name) + audit.squeeze(size_text(size))
        if audit.squeeze(labelled.get(name, "")) != said:
            faults.append(f"{name} has {size_text(size)} entries, its label says {labelled.get(name)!r}")
        dots = columns["unit" if name == state else name]
        if (dots[0], dots[-1]) != ("0", size_text(size - 1)):
            faults.append(f"the entries of {name} run from {dots[0]} to {dots[-1]}, there are {size_text(size)}")
    return faults + _weights_faults(d, program, sizes)


def _column(d, name: str) -> list[str]:
    return _drawn(d, rf"{name}-([^⋮]+)")


def _weights_faults(d, program, sizes) -> list[str]:
    """The parameters are the cell's, and where lines are said to have weights, each has what the equations give it."""
    faults = _count_faults(d, program.parameter_count(**sizes))
    values = program.check_sizes(sizes)
    units = size_text(evaluate_shape(program.symbols[program.states[-1]].shape, values)[0])
    if not re.search(rf"(?<!\S){re.escape(units)} units?(?!\S)", d.text):
        faults.append(f"the picture does not say {units} units")
    said = re.search(r"(\d+) weights? on every line into the layer(, the others within it)?", d.text)
    if said:
        lines = _lines(program)
        if set(lines.values()) != {int(said[1])}:
            faults.append(f"every line has {said[1]} weights, it says; the equations give {dict(lines)}")
    return faults


def _lines(program) -> Counter:
    """How many matrices with a row for every unit each input and previous state is multiplied by, however masked."""
    shared, units = audit.parameters_of(program), program.symbols[program.states[-1]].shape[0]
    reached = {s.name: {s.name} for s in (*program.inputs, *(before for before, _ in program.recurrence))}
    for e in program:
        whole = isinstance(e.expression, BlockMatrix | MatMul | HadamardProduct) and not _kernels(e.expression, shared)
        reached[e.name] = set().union(*(reached.get(n, ()) for n in names_in(e.expression))) if whole else set()
    kernels = [k for e in program for k in _kernels(e.expression, shared) if k.shape[0] == units]
    return Counter(name for k in kernels for read in names_in(k.args[-1]) for name in reached.get(read, ()))


def _kernels(e, shared) -> list:
    """The products with a parameter matrix in an expression."""
    if isinstance(e, MatMul) and names_in(e.args[-2]) and names_in(e.args[-2]) <= shared:
        return [e]
    inner = e.blocks if isinstance(e, BlockMatrix) else e.arguments if isinstance(e, Elementwise) else e.args
    return [k for part in inner if getattr(part, "is_Matrix", False) for k in _kernels(part, shared)]
