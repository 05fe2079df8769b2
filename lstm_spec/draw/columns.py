"""Which band and which column each operation of a cell goes to, read off its role; no coordinates yet.

Bands from the top: the main rail, functions of a rail value, rails that share factors with it, other pointwise
operations, rails of their own, learned layers (those that feed only another layer below it), the bus with the
concatenations.
"""

from dataclasses import dataclass, field

from lstm_spec.draw.graph import POINTWISE, Graph, Op

Band = tuple[str, int]
POINT: Band = ("point", 0)
FUNCTION: Band = ("function", 0)
BUS: Band = ("bus", 0)
WIDEST = 7
"""How many pointwise operations stand in one band before they are stacked."""


def rail_band(number: int) -> Band:
    """Return the band of a rail, 0 the main one."""
    return "rail", number


def bus_band(level: int) -> Band:
    """Return the band of what comes before the gates, 0 the lowest."""
    return "bus", level


def layer_band(depth: int) -> Band:
    """Return the band of layers that are ``depth`` layers away from the last one of their chain."""
    return "layer", depth


@dataclass
class Columns:
    """The places taken so far: an ordered list of columns, and the column and band of every operation."""

    graph: Graph
    order: list[int] = field(default_factory=list)
    place: dict[str, tuple[int, Band]] = field(default_factory=dict)

    def index(self, id: str) -> int:
        """Return the position of an operation's column from the left, −1 for what enters from outside."""
        return self.order.index(self.place[id][0]) if id in self.place else -1

    def band(self, id: str) -> Band | None:
        """Return the band of an operation, None for what enters from outside."""
        return self.place[id][1] if id in self.place else None

    def insert(self, position: int) -> int:
        """Make a new column at a position and return it."""
        column = len(self.order)
        self.order.insert(position, column)
        return column

    def taken(self, column: int, band: Band) -> bool:
        """Tell whether a place is taken, by an operation or by the straight way up from a layer to the rail."""
        if any(p == (column, band) for p in self.place.values()):
            return True
        return band == POINT and any(
            c == column and b[0] == "layer" and self._rises(id) for id, (c, b) in self.place.items()
        )

    def _rises(self, id: str) -> bool:
        on_rails = {op for rail in self.graph.rails for op in rail}
        return any(reader.id in on_rails for reader in self.graph.readers(id))

    def settle(self, id: str, band: Band, wanted: int, least: int = -1) -> None:
        """Place an operation in the column at position ``wanted`` if free and right of ``least``, else after."""
        if wanted > least and wanted >= 0 and not self.taken(self.order[wanted], band):
            self.place[id] = (self.order[wanted], band)
        elif wanted > least and wanted >= 0 and (higher := self._above(id, self.order[wanted], band)):
            self.place[id] = (self.order[wanted], higher)
        else:
            self.place[id] = (self.insert(max(wanted, least) + 1), band)

    def _above(self, id: str, column: int, band: Band) -> Band | None:
        """Return the place above the operand of a pointwise operation that stands in the column, if it is free."""
        operands = self.graph.by_id[id].operands
        levels = [self.place[o][1] for o in operands if o in self.place and self.place[o][0] == column]
        points = [level for level in levels if level[0] == "point"]
        if not self._is_tall() or band != POINT or not points or self._pierced(column, max(points)):
            return None
        higher = ("point", max(points)[1] + 1)
        return None if self.taken(column, higher) else higher

    def _is_tall(self) -> bool:
        """Tell whether there is so much between the layers and the rail that a single band would get too wide."""
        rails = {id for rail in self.graph.rails for id in rail}
        return sum(op.kind in POINTWISE and op.id not in rails for op in self.graph.ops) > WIDEST

    def _pierced(self, column: int, band: Band) -> bool:
        """Tell whether what stands there goes straight up to a rail."""
        return any(place == (column, band) and self._rises(id) for id, place in self.place.items())


def arrange(graph: Graph, layers: tuple[str, ...] = ()) -> Columns:
    """Return the columns of a cell. layers: learned layers in the order to try, () for that of the equations."""
    columns = Columns(graph)
    for op in _ordered(graph, layers):
        if op.id not in columns.place and not _waits(graph, op):
            _place(columns, op)
    for op in graph.ops:
        if op.id not in columns.place:
            columns.settle(op.id, POINT, len(columns.order) - 1)
    return columns


def _ordered(graph: Graph, layers: tuple[str, ...]) -> list[Op]:
    """Return the operations with the given layers in their new order and everything as early as it can be."""
    if not layers:
        return list(graph.ops)
    pending, done, ordered = list(graph.ops), set[str](), list[Op]()
    queue = list(layers)
    while pending:
        ready = [o for o in pending if not any(p in graph.by_id and p not in done for p in o.operands)]
        free = [o for o in ready if o.id not in queue] or [o for o in ready if o.id == queue[0]] or ready
        op = free[0]
        pending.remove(op)
        done.add(op.id)
        ordered.append(op)
        if op.id in queue:
            queue.remove(op.id)
    return ordered


def _waits(graph: Graph, op: Op) -> bool:
    """Tell whether an operation takes its place from the one that reads it."""
    readers = graph.readers(op.id)
    if op.kind in ("concat", "constant"):
        return bool(readers)
    if is_hidden(graph, op) or op.id in graph.early:
        return True
    return _looks_at_rail(graph, op) and len(readers) == 1 and _is_point(graph, readers[0])


def is_hidden(graph: Graph, op: Op) -> bool:
    """Tell whether a layer only feeds another layer, as in a deep gate."""
    readers = graph.readers(op.id)
    inner = op.kind == readers[0].kind == "layer" if len(readers) == 1 else False
    return inner and op.id not in graph.leaving and readers[0].id not in graph.early


def _rail_values(graph: Graph) -> set[str]:
    return {v for rail in graph.rails for v in (*rail, graph.rail_start(rail))}


def _looks_at_rail(graph: Graph, op: Op) -> bool:
    inside = _rail_values(graph)
    return op.kind == "function" and op.id not in inside and all(o in inside for o in op.operands)


def _is_point(graph: Graph, op: Op) -> bool:
    return op.kind in POINTWISE and not any(op.id in rail for rail in graph.rails)


def _place(columns: Columns, op: Op) -> None:
    graph = columns.graph
    number = next((k for k, rail in enumerate(graph.rails) if op.id in rail), None)
    if number is not None:
        _place_on_rail(columns, op, number)
    elif op.kind == "layer" and not (_only_leaves(graph, op) and _comes_late(columns, op)):
        columns.place[op.id] = (columns.insert(len(columns.order)), layer_band(0))
    elif op.kind == "layer":
        columns.place[op.id] = (columns.insert(max(columns.index(o) for o in op.operands) + 1), POINT)
    else:
        on_rails = {o for rail in graph.rails for o in rail}
        waiting = [graph.by_id[o] for o in op.operands if o in graph.by_id and o not in columns.place]
        seen = [*op.operands, *(o for w in waiting for o in w.operands)]
        behind = max((columns.index(o) for o in seen if o in on_rails), default=-1)
        columns.settle(op.id, POINT, max((columns.index(o) for o in op.operands), default=-1), behind)
    _place_waiting(columns, op)


def _place_on_rail(columns: Columns, op: Op, number: int) -> None:
    rail = columns.graph.rails[number]
    position = rail.index(op.id)
    before = rail[position - 1] if position else columns.graph.rail_start(rail)
    wanted = max((columns.index(o) for o in op.operands if o != before), default=-1)
    columns.settle(op.id, rail_band(number), wanted, columns.index(before))


def _only_leaves(graph: Graph, op: Op) -> bool:
    return not graph.readers(op.id)


def _comes_late(columns: Columns, op: Op) -> bool:
    """Tell whether a layer reads only what pointwise operations made, as a projection does."""
    bands = [columns.band(o) for o in op.operands]
    return bool(bands) and all(b is not None and b[0] in ("point", "rail", "function") for b in bands)


def _on_bus(columns: Columns, reader: Op, op: Op) -> tuple[int, Band]:
    """Return a place before a reader: a layer stands above one that is there already, as that of the other input."""
    position = columns.index(reader.id)
    band = columns.band(reader.id)
    level = band[1] if band is not None and band[0] == "bus" else 0
    if position and op.kind == "layer":
        column = columns.order[position - 1]
        beside = {name: place[1] for name, place in columns.place.items() if place[0] == column}
        if all(name in columns.graph.early for name in beside):
            return column, bus_band(max(level, 1 + max(b[1] for b in beside.values())))
    return columns.insert(position), bus_band(level)


def _place_waiting(columns: Columns, op: Op, depth: int = 0) -> None:
    """Place what takes its place from this operation: hidden layers below it, a concatenation or function before it."""
    graph = columns.graph
    for name in op.operands:
        operand = graph.by_id.get(name)
        if operand is None or name in columns.place or not _waits(graph, operand):
            continue
        if operand.kind == "layer" and name not in graph.early:
            columns.place[name] = (columns.place[op.id][0], layer_band(depth + 1))
            _place_waiting(columns, operand, depth + 1)
        elif operand.kind == "constant":
            columns.place[name] = (columns.insert(columns.index(op.id)), POINT)
        elif operand.kind in ("concat", "layer"):
            columns.place[name] = _on_bus(columns, op, operand)
            _place_waiting(columns, operand)
        elif not columns.taken(columns.place[op.id][0], FUNCTION):
            columns.place[name] = (columns.place[op.id][0], FUNCTION)
        else:
            columns.place[name] = (columns.insert(columns.index(op.id)), FUNCTION)
