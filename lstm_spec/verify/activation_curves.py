"""The activations of a target as curves: what each one gives, point by point, whatever it is.

One of them at a time is driven through its range while what surrounds it is set so that it shows: other gates at zero,
or far out, where approximations are right or nearly so. Its value is then read off a state that it enters linearly.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np
from sympy import BlockMatrix, MatMul, MatrixSymbol

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.compile import Array, compile_program
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.operators import parts_of
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import array_shape, evaluate_shape
from lstm_spec.verify.cases import Case
from lstm_spec.verify.function_rewrites import activation_of
from lstm_spec.verify.places import places, with_others

FAR = 40.0
"""A pre-activation at which σ and tanh are at their ends."""

REACH, POINTS = 12.0, 4801
"""How far an activation is driven, and at how many points."""

SHOWS = 0.4
"""How much of a change of an activation has to be left where it is read off."""

EXACT: Mapping[str, Callable[[Array], Array]] = {"sigmoid": lambda a: 0.5 * (1 + np.tanh(0.5 * a)), "tanh": np.tanh}
"""The activations whose curves are read, as they should be."""


@dataclass(frozen=True)
class Curve:
    """What an activation of a target gives.

    value: what is computed, such as "f"; number: its place among the activations of the cell; activation: the name of
    what it should be; equation: where it stands, and place: as what; at, got: the arguments, ascending, and what came;
    unit: the unit roundoff of the format in which it came.
    """

    value: str
    number: int
    activation: str
    equation: str
    place: Any
    at: Array
    got: Array
    unit: float = 2.0**-53

    @property
    def even(self) -> "Curve":
        """The curve without its ends far out: its arguments are evenly spaced."""
        return replace(self, at=self.at[2:-2], got=self.got[2:-2])

    @property
    def off(self) -> Array:
        """How far it is from what it should be."""
        return np.abs(self.got - EXACT[self.activation](self.at))


Answer = Callable[[Case], Mapping[str, Array]]


def curves(cell: Program, answer: Answer, *, dtype: Any = np.float64) -> tuple[Curve, ...]:
    """Return the curves of the activations of a cell that can be driven.

    answer: what a target returns for a case, by the names of the states.

    >>> from lstm_spec.compute.compile import run
    >>> from lstm_spec.spec.cells import lstm
    >>> def right(case):
    ...     return dict(zip(("y", "h", "c"), run(lstm(), case.params, case.x, *case.states), strict=True))
    >>> [(curve.value, bool(curve.off.max() < 1e-14)) for curve in curves(lstm(), right)]
    [('f', True), ('i', True), ('c_tilde', True), ('o', True), ('tanh(c)', True)]
    """
    runs = {
        k: run for k, driven in enumerate(_opened(cell)[1]) if (run := _driven(cell, driven, answer, np.dtype(dtype)))
    }
    ways = [_read(cell, runs, order) for order in (lambda k: runs[k].setting.far, lambda k: not runs[k].setting.far)]
    return min(ways, key=_discord)


def _discord(found: Sequence[Curve]) -> float:
    """Tell how far the curves of one activation are from each other, which they should not be in any way."""
    pairs = [(a, b) for a, b in combinations(found, 2) if a.activation == b.activation]
    return sum(float(np.median(np.abs(np.interp(b.at, a.at, a.got) - b.got))) for a, b in pairs)


@dataclass(frozen=True)
class _Activation:
    """An activation of a cell: its value as an input, its name, its argument, and where it stands."""

    value: MatrixSymbol
    name: str
    argument: MatrixSymbol
    equation: str
    place: Any


@lru_cache(maxsize=64)
def _opened(cell: Program) -> tuple[Program, tuple[_Activation, ...]]:
    """Return a cell with the values of its activations as inputs, and these."""
    found: list[_Activation] = []
    definitions: list[Equation] = []
    for equation in cell:
        wrong = equation.expression
        for part, _ in places(equation.expression):
            name = activation_of(part)
            if name in EXACT and isinstance(part.arguments[0], MatrixSymbol):
                value = MatrixSymbol(f"driven{len(found)}", *part.shape)
                found.append(_Activation(value, str(name), part.arguments[0], equation.name, part))
                wrong = with_others(wrong, {part: value})
        definitions.append(replace(equation, expression=wrong))
    inputs = (*cell.inputs, *(a.value for a in found))
    return replace(cell, inputs=inputs, definitions=tuple(definitions)), tuple(found)


@dataclass(frozen=True)
class _Setting:
    """How an activation is made to show: biases by name, states by position, and the state in which it shows."""

    biases: Mapping[str, float]
    states: tuple[float, ...]
    seen: int = 0

    @property
    def far(self) -> bool:
        """Whether it takes what is far out for what it should be there."""
        return any(abs(level) == FAR for level in (*self.biases.values(), *self.states))


@dataclass(frozen=True)
class _Run:
    """What came in a setting: the case, the arguments of the driven activation, and the state in which it shows."""

    setting: _Setting
    case: Case
    at: Array
    shown: Array


def _driven(cell: Program, driven: _Activation, answer: Answer, dtype: np.dtype[Any]) -> _Run | None:
    drive = _drive(cell, driven.argument)
    setting = None if drive is None else _setting(cell, driven, drive)
    if drive is None or setting is None:
        return None
    points = np.concatenate([[-FAR, -FAR / 2], np.linspace(-REACH, REACH, POINTS), [FAR / 2, FAR]]).astype(dtype)
    case = _case(cell, setting, drive, points)
    returned = answer(case)
    # A state that is an argument itself was returned as it is.
    at = np.asarray(returned[cell.states[drive]])[:, 0] if isinstance(drive, int) else points
    shown = np.asarray(returned[cell.states[setting.seen]])[:, 0]
    return _Run(setting, case, at.astype(np.float64), shown.astype(np.float64))


def _read(cell: Program, runs: Mapping[int, _Run], order: Callable[[int], Any]) -> tuple[Curve, ...]:
    """Return the curves, each read with those before it in an order in place of what should be there."""
    program, activations = _opened(cell)
    found: dict[int, Curve] = {}
    for k in sorted(runs, key=order):
        run, driven = runs[k], activations[k]
        given = [_value(cell, other, run.case, found.get(j)) for j, other in enumerate(activations)]
        base, full = (
            _outputs(program, run.case, [np.full_like(v, level) if j == k else v for j, v in enumerate(given)])
            for level in (0.0, 1.0)
        )
        low, high = base[run.setting.seen][:, 0], full[run.setting.seen][:, 0]
        with np.errstate(all="ignore"):
            got = (run.shown - low) / (high - low)
        ascending = np.argsort(run.at, kind="stable")
        alone = cell[driven.equation].expression == driven.place
        value = driven.equation if alone else f"{driven.name}({driven.argument.name})"
        at = run.at[ascending]
        found[k] = Curve(
            value, k, driven.name, driven.equation, driven.place, at, got[ascending], _unit(run.case.dtype)
        )
    return tuple(found[k] for k in sorted(found))


def _unit(dtype: np.dtype[Any]) -> float:
    return accuracy(dtype.name).unit


def _value(cell: Program, activation: _Activation, case: Case, known: Curve | None) -> Array:
    """Return what an activation gives in a case, by its curve where that is known."""
    argument = compile_program(cell, (activation.argument.name,))(
        _wide(case), case.x[0].astype(np.float64), *_states(case)
    )
    if known is None:
        return EXACT[activation.name](argument)
    return np.interp(argument, known.at, known.got)


def _argument(cell: Program, activation: _Activation, case: Case) -> Array:
    value = compile_program(cell, (activation.argument.name,))
    return np.asarray(value(_wide(case), case.x[0].astype(np.float64), *_states(case)))


def _outputs(program: Program, case: Case, values: Sequence[Array]) -> tuple[Array, ...]:
    step = compile_program(program, program.states)
    found = step(_wide(case), case.x[0].astype(np.float64), *values, *_states(case))
    return found if isinstance(found, tuple) else (found,)


def _wide(case: Case) -> dict[str, Array]:
    return {name: p.astype(np.float64) for name, p in case.params.items()}


def _states(case: Case) -> list[Array]:
    return [s.astype(np.float64) for s in case.states]


def with_functions(cell: Program, functions: Mapping[int, Callable[[Array], Array]]) -> Callable[..., Any]:
    """Return the forward pass of a cell in which some activations, by their numbers, are other functions."""
    program, activations = _opened(cell)

    def forward(params: Mapping[str, Array], x: Array, *states: Array) -> tuple[Array, ...]:
        y = []
        for x_t in x:
            values: list[Array] = [np.zeros(())] * len(activations)
            for k, own in enumerate(activations):
                argument = compile_program(program, (own.argument.name,))(params, x_t, *values, *states)
                values[k] = functions.get(k, EXACT[own.name])(argument)
            after = compile_program(program, program.states)(params, x_t, *values, *states)
            states = after if isinstance(after, tuple) else (after,)
            y.append(states[0])
        return np.stack(y), *states

    return forward


def _drive(cell: Program, argument: MatrixSymbol) -> tuple[str, int] | int | None:
    """Return what moves an argument: the kernel of x in it and its column, or the position of the state that it is."""
    for k, (_, after) in enumerate(cell.recurrence):
        if after == argument:
            return k
    if argument in cell.leaves:
        return None
    x = cell.inputs[0]
    joined = {d.symbol: parts_of(d.expression) for d in cell if isinstance(d.expression, BlockMatrix)}
    for part, _ in places(cell[argument.name].expression):
        match part:
            case MatMul(args=(MatrixSymbol() as kernel, MatrixSymbol() as seen)) if kernel in cell.parameters:
                parts = joined.get(seen, [seen])
                if x in parts:
                    return kernel.name, parts.index(x)
    return None


@lru_cache(maxsize=256)
def _setting(cell: Program, driven: _Activation, drive: tuple[str, int] | int) -> _Setting | None:
    """Return the plainest setting in which an activation shows, with the fewest others that may be wrong."""
    names = [b for d in cell if d.symbol != driven.argument and (b := _bias(cell, d)) is not None]
    levels = [(1.0,) if k == drive else (0.0, 1.0, FAR) for k in range(len(cell.states))]
    found = (
        (doubtful, sum(map(abs, (*biases, *states))), replace(setting, seen=seen))
        for biases in product((0.0, FAR, -FAR), repeat=len(names))
        for states in product(*levels)
        for setting in (_Setting(dict(zip(names, biases, strict=True)), states),)
        for seen, doubtful in _showing(cell, driven, _case(cell, setting, drive, np.zeros(1)))
    )
    return min(found, key=lambda one: one[:2], default=(0, 0.0, None))[2]


def _showing(cell: Program, driven: _Activation, case: Case) -> Iterator[tuple[int, int]]:
    """Yield in which states an activation shows, each with how many others have a say there that may be wrong."""
    program, activations = _opened(cell)
    own = activations.index(driven)
    arguments = [_argument(cell, other, case).item() for other in activations]
    given = [EXACT[a.name](np.full((1, 1), at)) for a, at in zip(activations, arguments, strict=True)]

    def outputs(**others: float) -> Array:
        values = [np.full((1, 1), others.get(str(j), v.item())) for j, v in enumerate(given)]
        return np.concatenate([np.ravel(a) for a in _outputs(program, case, values)])

    low, high = outputs(**{str(own): 0.0}), outputs(**{str(own): 1.0})
    doubtful = np.zeros(len(low), int)
    for j, at in enumerate(arguments):
        if j != own and 0 < abs(at) < FAR / 2:
            doubtful += outputs(**{str(own): 1.0, str(j): given[j].item() + 0.1}) != high
    for seen in np.flatnonzero(np.abs(high - low) > SHOWS):
        yield int(seen), int(doubtful[seen])


def _bias(cell: Program, equation: Equation) -> str | None:
    """Return the first bias that is added in an equation."""
    terms = (p for p in equation.expression.args if isinstance(p, MatrixSymbol) and p in cell.parameters)
    return next((p.name for p in terms if p.shape[1] == 1), None)


def _case(cell: Program, setting: _Setting, drive: tuple[str, int] | int, points: Array) -> Case:
    """Return a case of one step and one unit, with a row for every point."""
    sizes = dict.fromkeys(cell.sizes, 1)
    axes = {p.name: len(array_shape(p.shape)) for p in cell.parameters}
    shapes = {p.name: evaluate_shape(p.shape, sizes)[: axes[p.name]] for p in cell.parameters}
    params = {name: np.full(shape, setting.biases.get(name, 0.0), points.dtype) for name, shape in shapes.items()}
    states = [np.full((len(points), 1), level, points.dtype) for level in setting.states]
    x = np.zeros((1, len(points), 1), points.dtype)
    if isinstance(drive, int):
        states[drive] = points[:, None].copy()
    else:
        kernel, column = drive
        params[kernel][:, column] = 1
        x[0, :, 0] = points
    return Case(params=params, x=x, states=tuple(states), regime="probing", state_names=cell.states)
