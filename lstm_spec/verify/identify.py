"""Finding the layout of an implementation that takes packed weights: its answers, held against all that they may mean.

It is called with random numbers in its own arrays, once for every order of axes that it takes. What the arrays hold is
then tried out without it: every layout with arrays of these names and shapes says what the parameters would be, and the
equations what would come of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.compile import run
from lstm_spec.spec.cells import lstm
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape
from lstm_spec.targets.arrays import from_numpy, is_array, to_numpy
from lstm_spec.targets.candidates import candidates
from lstm_spec.targets.cells import find_cell
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.held import concat_of
from lstm_spec.targets.layout import Layout
from lstm_spec.targets.layouts import LAYOUTS
from lstm_spec.targets.packing import Array, LayoutError, Shape
from lstm_spec.verify.diagnose import distance

IDENTIFIED, AMBIGUOUS, UNKNOWN = "identified", "ambiguous", "unknown"

SIZES: Mapping[str, int] = {"n": 2, "m": 3, "q": 2}
T, B = 5, 4
"""How long and how wide the questions are; no two sizes are the same, so that a shape says what its axes are."""

_X_AXES = ("TBI", "BTI", "TI", "BI", "I")
_STATE_AXES = ("BI", "DBI", "BDI", "I")


@dataclass(frozen=True)
class Identified:
    """What was found out about a target's layout.

    status: "identified", "ambiguous" where several layouts give the same numbers, or "unknown". layout: the first that
    fits; others: in what the others differ from it; notes: what does not matter, or why nothing was found; tried: how
    many layouts were held against the answers.
    """

    status: str
    spec: str
    layout: Layout | None
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tried: int = 0

    @property
    def exit_status(self) -> int:
        """The exit status of the command line: 0 identified, 1 unknown, 3 ambiguous."""
        return {IDENTIFIED: 0, UNKNOWN: 1, AMBIGUOUS: 3}[self.status]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "status": self.status,
            "spec": self.spec,
            "layout": None if self.layout is None else self.layout.to_toml(),
            "others": list(self.others),
            "notes": list(self.notes),
            "tried": self.tried,
        }


@dataclass(frozen=True)
class _Answer:
    """What a target answered to one question: the axes in which it was asked and answered, and the numbers.

    arrays: the parameters as it was given them; x: (T, B, n); given: the states in the target's order, each (B, m);
    returned: y and the states in the order in which they came.
    """

    axes: str
    arrays: Mapping[str, Array]
    x: Array
    given: tuple[Array, ...]
    returned: tuple[Array, ...]


def identify(
    target: Target, *, shapes: Mapping[str, Shape] | None = None, spec: str | Program | None = None
) -> Identified:
    """Find the layout in which a target takes its parameters, states and sequence.

    target: one whose own layout is not known. shapes: the names and shapes of its parameters at some sizes, by default
    those that it says itself; without them the known layouts are tried. spec: the cell that it computes, by default
    what it says, an LSTM, or one with peepholes, as the shapes have it. Raises TargetError where it cannot be called in
    any way.

    >>> from lstm_spec.targets.layouts import layout
    >>> keras = layout("keras")
    >>> def forward(params, x, h0, c0):
    ...     own = keras.unpack(params, lstm().dimensions(n=x.shape[-1], m=h0.shape[-1]))
    ...     y, h, c = run(lstm(), own, x.swapaxes(0, 1), h0, c0)
    ...     return y.swapaxes(0, 1), h, c
    >>> shapes = {"kernel": (2, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
    >>> identify(Target("mine", forward), shapes=shapes).layout == keras
    True
    """
    cells = _cells(target, spec)
    shapes = target.shapes if shapes is None else shapes
    if shapes is None:
        return _among_known(target, cells)
    for cell in cells:
        for sizes in _sizes(cell, shapes):
            layouts = list(candidates(cell, sizes, shapes))
            if layouts:
                answers = list(_answers(target, cell, sizes, shapes))
                found = _matching(cell, sizes, layouts, answers, _limit(target))
                if found:
                    return _told(cell, found, len(layouts))
                if answers:
                    why = "no layout with arrays of these names and shapes gives its numbers"
                    hint = "it may be no such cell, or hold its parameters in a way that no layout can say"
                    return Identified(UNKNOWN, cell.name, None, notes=(f"{why}: {hint}",), tried=len(layouts))
    listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    raise TargetError(
        f"{target.name} was given arrays of the shapes {listed}, but there is no layout with these, or it refuses them;"
        " give the names and shapes that it takes at some sizes n and m, different ones"
    )


def _cells(target: Target, spec: str | Program | None) -> list[Program]:
    said = target.spec if spec is None else spec
    if isinstance(said, Program):
        return [said]
    if said != "lstm":
        return [find_cell(str(said))]
    return [lstm(), lstm(peepholes="fio", name="peephole"), lstm(biases=0), lstm(projection=True, name="lstmp")]


def _limit(target: Target) -> float:
    return accuracy(target.dtypes[0]).unit ** (2 / 3)


def _sizes(cell: Program, shapes: Mapping[str, Shape]) -> Iterator[dict[str, int]]:
    """Yield the sizes that shapes may be of."""
    sides = {side for shape in shapes.values() for side in shape}
    parts = sorted({side // k for side in sides for k in (1, 2, 3, 4, 6, 8) if side % k == 0 and side})
    sums = sorted({a - b for a in sides for b in parts if a > b} | set(parts))
    names = [s.name for s in cell.sizes]
    for m in parts:
        for n in sums if "n" in names else [0]:
            for q in parts if "q" in names else [0]:
                yield {name: size for name, size in (("n", n), ("m", m), ("q", q)) if name in names}


def _answers(target: Target, cell: Program, sizes: Mapping[str, int], shapes: Mapping[str, Shape]) -> Iterator[_Answer]:
    """Ask in every order of axes that the target takes, and yield what it says."""
    rng = np.random.default_rng(0)
    arrays = {name: rng.uniform(-1, 1, shape).astype(target.dtypes[0]) for name, shape in shapes.items()}
    values, widths = cell.check_sizes(sizes), _widths(cell, sizes)
    for x_axes in _X_AXES:
        steps, rows = T if "T" in x_axes else 1, B if "B" in x_axes else 1
        x = rng.standard_normal((steps, rows, evaluate_shape(cell.inputs[0].shape, values)[0]))
        x = x.astype(target.dtypes[0])
        states = tuple(rng.uniform(-1, 1, (rows, width)).astype(target.dtypes[0]) for width in widths)
        for state_axes in _STATE_AXES:
            if ("B" in state_axes) != (rows > 1):
                continue
            # States of one size look alike, so that their order shows in what comes of them alone.
            for order in {tuple(widths[k] for k in p): p for p in permutations(range(len(states)))}.values():
                given = tuple(states[k] for k in order)
                answer = _asked(target, arrays, x, given, widths[0], x_axes, state_axes)
                if answer is not None:
                    yield answer


def _widths(cell: Program, sizes: Mapping[str, int]) -> list[int]:
    values = cell.check_sizes(sizes)
    return [evaluate_shape(before.shape, values)[0] for before, _ in cell.recurrence]


def _asked(
    target: Target,
    arrays: Mapping[str, Array],
    x: Array,
    given: tuple[Array, ...],
    width: int,
    x_axes: str,
    state_axes: str,
) -> _Answer | None:
    """Ask one question in some axes; None where the target refuses them or answers in others."""
    handed = [from_numpy(_placed(a, "BI", state_axes), target.arrays) for a in given]
    params = {name: from_numpy(a.copy(), target.arrays) for name, a in arrays.items()}
    try:
        with np.errstate(all="ignore"):
            assert callable(target.forward)
            came = target.forward(params, from_numpy(_placed(x, "TBI", x_axes), target.arrays), *handed)
            if not isinstance(came, tuple | list) or not all(is_array(v, target.arrays) for v in came):
                return None
            y, *final = (np.asarray(to_numpy(v, target.arrays), np.float64) for v in came)
    except KeyboardInterrupt:
        raise
    except BaseException:
        # What a target refuses is how it says that its axes are others; what it raises is its own affair.
        return None
    y_axes = _axes_of(y.shape, {"T": x.shape[0], "B": x.shape[1]}, width, x_axes)
    if y_axes is None or y_axes.replace("D", "") != x_axes or len(final) != len(given):
        return None
    if [f.shape for f in final] != [_placed(g, "BI", state_axes).shape for g in given]:
        return None
    axes = y_axes if state_axes == y_axes.replace("T", "") else f"{y_axes} {state_axes}"
    returned = (_unplaced(y, y_axes), *(_unplaced(f, state_axes)[0] for f in final))
    return _Answer(axes, arrays, x, given, returned)


def _placed(array: Array, axes: str, wanted: str) -> Array:
    lengths = dict(zip(axes, array.shape, strict=True))
    order = [axes.index(a) for a in wanted if a in axes]
    rest = [k for k in range(len(axes)) if k not in order]
    return np.ascontiguousarray(array.transpose(rest + order)).reshape([lengths.get(a, 1) for a in wanted])


def _unplaced(array: Array, axes: str) -> Array:
    return _placed(array, axes, "TBI")


def _axes_of(shape: tuple[int, ...], lengths: Mapping[str, int], width: int, x_axes: str) -> str | None:
    """Return the axes of an output by its shape, with an axis of one direction where there is one more."""
    letters = [a for a in x_axes if a != "I"]
    for order in dict.fromkeys((*permutations([*letters, "I"]), *permutations([*letters, "D", "I"]))):
        if tuple({**lengths, "I": width, "D": 1}[a] for a in order) == shape:
            return "".join(order)
    return None


def _matching(
    cell: Program, sizes: Mapping[str, int], layouts: Sequence[Layout], answers: Sequence[_Answer], limit: float
) -> list[Layout]:
    """Return the layouts that give the first answers to which any does."""
    dimensions = cell.dimensions(**sizes)
    widths = _widths(cell, sizes)
    for answer in answers:
        states = [s.astype(np.float64) for s in answer.given]
        found = []
        stacked = "D" in answer.axes.split()[0]
        for layout in layouts:
            # An axis of directions is in the arrays as it is in y.
            if ("D" in layout.axes) != stacked:
                continue
            try:
                params = layout.unpack({n: a.astype(np.float64) for n, a in answer.arrays.items()}, dimensions,
                                       concat=concat_of(cell))  # fmt: skip
            except LayoutError:
                continue
            for order in permutations(cell.states):
                by_name = dict(zip(order, states, strict=True))
                came = dict(zip(("y", *order), answer.returned, strict=True))
                if [by_name[name].shape[-1] for name in cell.states] != widths:
                    continue
                with np.errstate(all="ignore"):
                    y, *final = run(cell, params, answer.x.astype(np.float64), *(by_name[name] for name in cell.states))
                if distance({"y": y, **dict(zip(cell.states, final, strict=True))}, came) <= limit:
                    found.append(replace(layout, axes=answer.axes, states="".join(order)))
        if found:
            return found
    return []


def _told(cell: Program, found: list[Layout], tried: int) -> Identified:
    """Say which layout it is; two biases that add up are no two layouts."""
    first, *others = found
    notes = []
    if any(_biases_exchanged(first, other) for other in others):
        notes.append(f"{first.names['b']} and {first.names['bR']} are added up, so which is which does not matter")
    differing = [other for other in others if not _biases_exchanged(first, other)]
    differences = tuple(dict.fromkeys(_difference(first, other) for other in differing))
    return Identified(AMBIGUOUS if differences else IDENTIFIED, cell.name, first, differences, tuple(notes), tried)


def _biases_exchanged(first: Layout, other: Layout) -> bool:
    if not {"b", "bR"} <= first.names.keys():
        return False
    turned = {**first.names, "b": first.names["bR"], "bR": first.names["b"]}
    return replace(first, names=turned) == other


def _difference(first: Layout, other: Layout) -> str:
    """Say in what another layout differs, as its TOML has it."""
    own = set(first.to_toml().splitlines())
    return "; ".join(line for line in other.to_toml().splitlines() if line and line not in own)


def _among_known(target: Target, cells: Sequence[Program]) -> Identified:
    """Try the known layouts, each with arrays of its own names."""
    tried = 0
    for cell in cells:
        sizes = {s.name: SIZES.get(s.name, 2) for s in cell.sizes}
        found = []
        for known in LAYOUTS.values():
            try:
                shapes = known.at(0, False).shapes(cell.dimensions(**sizes), concat=concat_of(cell))
            except LayoutError:
                continue
            tried += 1
            layouts = [replace(known.at(0, False), states=None, axes="TDBI" if "D" in known.axes.split()[0] else "TBI")]
            found += _matching(cell, sizes, layouts, list(_answers(target, cell, sizes, shapes)), _limit(target))
        if found:
            return _told(cell, list(dict.fromkeys(found)), tried)
    why = "it takes its parameters in none of the known layouts; say in an attribute `shapes` what arrays it takes"
    return Identified(UNKNOWN, cells[0].name, None, notes=(why,), tried=tried)
