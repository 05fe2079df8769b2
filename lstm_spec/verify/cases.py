"""Cases: what a target is asked to compute, drawn by Hypothesis.

Two kinds. *Small* ones take every number from one binary draw mapped to a grid of short decimals, plus a few scattered
special values, so that a counterexample shrinks to one or two simple numbers. *Seeded* ones draw only the structure
(sizes, regime, seed) and take full-significand numbers from a NumPy generator, since numbers on a coarse grid are exact
in low precision and hide what it loses.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from numpy.typing import NDArray

from lstm_spec.compute.accuracy import accuracy
from lstm_spec.compute.formats import dtype_of
from lstm_spec.spec.dimensions import DimensionError
from lstm_spec.spec.inference import infer_dimensions
from lstm_spec.spec.network import Network, network_of
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape
from lstm_spec.spec.unroll import unroll
from lstm_spec.verify.exposed import expose
from lstm_spec.verify.regimes import REGIMES

Array = NDArray[Any]
Index = slice | Array


@dataclass(frozen=True)
class Case:
    """One valid question: parameters by name, x (T, B, n), and initial states (B, m), all in one format.

    There are no states where a network has its own, learned or zero.

    regime: what kind of numbers; seed: of the generator that made them, None for small cases; cotangents: for questions
    about gradients, those of y (T, B, m) and of every final state (B, m); state_names: those of the states, in order;
    lengths: (B,), the steps of every row, where rows have them; exposed: the adjoints that the gradient of x shows, by
    name, with the features in which it does.
    """

    params: Mapping[str, Array]
    x: Array
    states: tuple[Array, ...]
    regime: str
    seed: int | None = None
    cotangents: tuple[Array, ...] = ()
    state_names: tuple[str, ...] = ("h", "c")
    lengths: Array | None = None
    exposed: Mapping[str, slice] = field(default_factory=dict)

    @property
    def T(self) -> int:
        """Steps."""
        return self.x.shape[0]

    @property
    def B(self) -> int:
        """Rows of the batch."""
        return self.x.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The format of every number."""
        return self.x.dtype

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All numbers of the case."""
        return (*self.params.values(), self.x, *self.states, *self.cotangents)

    @property
    def numbers(self) -> Array:
        """All of them in a row, in the order of ``arrays``."""
        return np.concatenate([a.ravel() for a in self.arrays])

    def with_numbers(self, numbers: Array) -> "Case":
        """Return the case with other numbers, in the order of ``arrays``."""
        ends = np.cumsum([a.size for a in self.arrays])
        pieces = [n.reshape(a.shape) for n, a in zip(np.split(numbers, ends[:-1]), self.arrays, strict=True)]
        p = len(self.params)
        s = p + 1 + len(self.states)
        params = dict(zip(self.params, pieces[:p], strict=True))
        return replace(self, params=params, x=pieces[p], states=tuple(pieces[p + 1 : s]), cotangents=tuple(pieces[s:]))

    def part(self, steps: Index, rows: Index = slice(None), states: tuple[Array, ...] | None = None) -> "Case":
        """Return the case with some steps and rows only, from given states or its own."""
        own = self.states if states is None else states
        cotangents = tuple(d[steps, rows] if d.ndim == 3 else d[rows] for d in self.cotangents)
        x, lengths = self.x[steps, rows], None
        if self.lengths is not None:
            kept = np.arange(self.T)[steps][:, None] < self.lengths[rows]
            lengths = np.maximum(kept.sum(axis=0), 1)
        return replace(self, x=x, states=tuple(s[rows] for s in own), cotangents=cotangents, lengths=lengths)

    def with_weights(self, weights: Mapping[str, Array]) -> "Case":
        """Return the case with other parameters."""
        return replace(self, params={name: np.asarray(weights[name], self.dtype) for name in self.params})

    def with_cotangents(self, present: int) -> "Case":
        """Return the case with some cotangents zero, so that each one is seen alone and with others.

        present: a bit for y and for each state; none means all.
        """
        kept = [not present or present >> k & 1 for k in range(len(self.cotangents))]
        return replace(
            self, cotangents=tuple(d if keep else 0 * d for d, keep in zip(self.cotangents, kept, strict=True))
        )


def _by_simplicity(value: float) -> tuple[int, float, bool]:
    return len(f"{abs(value):g}"), abs(value), value < 0


GRID = np.array(sorted((k / 64 for k in range(-128, 128)), key=_by_simplicity))
"""The numbers of small cases: multiples of 1/64 up to 2, the simplest first, so that shrinking makes them simple."""

SPECIAL = (3.0, -3.0, 10.0, -10.0, 40.0, -40.0, 100.0, -100.0, 1000.0, -1000.0, 1e4, -1e4, 1e-3, 1e-6)
"""Values beyond the grid: where functions saturate, where an exponential overflows, and almost nothing."""


@dataclass(frozen=True)
class Shapes:
    """The shapes of a case: of every parameter, of x, of the states, and of the cotangents where there are any."""

    params: Mapping[str, tuple[int, ...]]
    x: tuple[int, int, int]
    states: tuple[tuple[int, int], ...]
    cotangents: tuple[tuple[int, ...], ...] = ()
    state_names: tuple[str, ...] = ("h", "c")

    @property
    def all(self) -> tuple[tuple[int, ...], ...]:
        """Every shape, in the order in which numbers fill them."""
        return (*self.params.values(), self.x, *self.states, *self.cotangents)

    @cached_property
    def count(self) -> int:
        """How many numbers a case has."""
        return sum(prod(shape) for shape in self.all)

    def fill(self, numbers: Array, **about: Any) -> Case:
        """Return the case with these numbers, in order."""
        pieces, at = [], 0
        for shape in self.all:
            length = prod(shape)
            pieces.append(numbers[at : at + length].reshape(shape))
            at += length
        k, s = len(self.params), len(self.params) + 1 + len(self.states)
        params = dict(zip(self.params, pieces[:k], strict=True))
        return Case(
            params=params,
            x=pieces[k],
            states=tuple(pieces[k + 1 : s]),
            cotangents=tuple(pieces[s:]),
            state_names=self.state_names,
            **about,
        )


def shapes_of(cell: Program | Network, sizes: Mapping[str, int], T: int, B: int, *, gradients: bool = False) -> Shapes:
    """Return the shapes of a case of a cell at given sizes, with ``gradients`` those of cotangents too."""
    return _shapes(cell, tuple(sizes.items()), T, B, gradients)


@lru_cache(maxsize=1024)
def _shapes(cell: Program | Network, given: tuple[tuple[str, int], ...], T: int, B: int, gradients: bool) -> Shapes:
    sizes = dict(given)
    values = cell.check_sizes(sizes)
    width = evaluate_shape(cell.inputs[0].shape, values)[0]
    final = tuple((B, evaluate_shape(after.shape, values)[0]) for _, after in cell.recurrence)
    begun = final if network_of(cell).initial == "given" else ()
    y = (B, evaluate_shape(cell.output.shape, values)[0])
    steps = () if isinstance(cell, Network) and cell.outputs == "last" else (T,)
    cotangents = ((*steps, *y), *final) if gradients else ()
    return Shapes(cell.dimensions(**sizes), (T, B, width), begun, cotangents, cell.states)


@st.composite
def small_cases(
    draw: Any,
    cell: Program | Network,
    dtype: str,
    *,
    steps: int = 4,
    rows: int = 3,
    size: int = 4,
    least_steps: int = 1,
    least_rows: int = 1,
    gradients: bool = False,
    lengths: bool = False,
    weights: Mapping[str, Array] | None = None,
    possible: Callable[[Mapping[str, int]], bool] = lambda sizes: True,
    among: Sequence[Mapping[str, int]] | None = None,
) -> Case:
    """Draw a small case on the grid, with up to three special values.

    gradients: whether it has cotangents; lengths: whether rows end before the last step; weights: fixed parameters,
    which fix the sizes too; possible: which sizes there may be; among: those to choose from, in place of any, with
    numbers of steps T and rows B where these are to be chosen too.
    """
    limits = Limits(range(least_steps, steps + 1), range(least_rows, rows + 1), range(1, size + 1), possible, among)
    T, B, sizes = _structure(draw, cell, limits, weights)
    shapes = shapes_of(cell, sizes, T, B, gradients=gradients)
    grid = np.frombuffer(draw(st.binary(min_size=shapes.count, max_size=shapes.count)), np.uint8)
    numbers = GRID[grid]
    places = st.tuples(st.integers(0, shapes.count - 1), st.sampled_from(SPECIAL))
    for place, value in draw(st.lists(places, max_size=3)):
        numbers[place] = value
    case = shapes.fill(_in_range(numbers, dtype), regime="small")
    case = case if weights is None else case.with_weights(weights)
    case = with_lengths(case, cell, _lengths(draw, T, B)) if lengths else case
    return case.with_cotangents(draw(st.integers(0, 7))) if gradients else case


def _in_range(numbers: Array, dtype: str) -> Array:
    """Return numbers in a format, none so large that a product of two leaves it: there nothing is promised."""
    limit = 2.0 ** (np.log2(accuracy(dtype).largest) // 2)
    return np.clip(numbers, -limit, limit).astype(dtype_of(dtype))


def with_lengths(case: Case, cell: Program | Network, lengths: Array) -> Case:
    """Return the case with a length for every row; what has no meaning past it is left out."""
    cotangents = case.cotangents
    if cotangents and network_of(cell).free_padding:
        # What a cotangent of it does is anybody's too.
        lasting = np.arange(case.T)[:, None, None] < lengths[:, None]
        cotangents = (cotangents[0] * lasting, *cotangents[1:])
    return replace(case, lengths=lengths, cotangents=cotangents)


def _lengths(draw: Any, T: int, B: int) -> Array:
    """Draw a length for every row, at least one of them that of the sequence, as a padded batch has it."""
    lengths = np.array(draw(st.lists(st.integers(1, T), min_size=B, max_size=B)))
    lengths[draw(st.integers(0, B - 1))] = T
    return lengths


@dataclass(frozen=True)
class Limits:
    """What a case may be like: steps, rows and sizes from ranges or lists; the rest as for ``small_cases``."""

    steps: Sequence[int]
    rows: Sequence[int]
    sizes: Sequence[int]
    possible: Callable[[Mapping[str, int]], bool]
    among: Sequence[Mapping[str, int]] | None

    @property
    def fitting(self) -> list[dict[str, int]]:
        """Those of ``among`` whose numbers of steps and rows are within the limits; without these, if none is."""
        given = [dict(shape) for shape in self.among or ()]
        within = [
            shape
            for shape in given
            if shape.get("T", self.steps[0]) in self.steps and shape.get("B", self.rows[0]) in self.rows
        ]
        return within or [{key: size for key, size in shape.items() if key not in "TB"} for shape in given]


def _structure(
    draw: Any, cell: Program | Network, limits: Limits, weights: Mapping[str, Array] | None
) -> tuple[int, int, dict[str, int]]:
    """Draw the numbers of steps and rows, and sizes."""
    shape = draw(st.sampled_from(limits.fitting)) if limits.among is not None else {}
    sizes = {key: size for key, size in shape.items() if key not in "TB"}
    T = shape["T"] if "T" in shape else draw(_one_of(limits.steps))
    B = shape["B"] if "B" in shape else draw(_one_of(limits.rows))
    return T, B, fixed_sizes(cell, weights) or sizes or _sizes(draw, cell, limits)


def _one_of(values: Sequence[int]) -> Any:
    return st.integers(values[0], values[-1]) if isinstance(values, range) else st.sampled_from(values)


def _sizes(draw: Any, cell: Program | Network, limits: Limits) -> dict[str, int]:
    for _ in range(10):
        sizes = {s.name: draw(_one_of(limits.sizes)) for s in cell.sizes}
        if limits.possible(sizes):
            return sizes
    return reject()


def fixed_sizes(cell: Program | Network, weights: Mapping[str, Array] | None) -> dict[str, int] | None:
    """Return the sizes of fixed parameters, None without them; raises DimensionError if they contradict."""
    return None if weights is None else sizes_of(cell, weights)


def sizes_of(cell: Program | Network, params: Mapping[str, Array]) -> dict[str, int]:
    """Return the sizes that parameters have; raises DimensionError if they contradict each other."""
    program = cell if isinstance(cell, Program) else _one_step(cell)
    learned = {} if isinstance(cell, Program) else {p.name: params[p.name] for p in cell.learned}
    sizes = infer_dimensions(program, {name: np.shape(p) for name, p in params.items() if name not in learned})
    shapes = cell.dimensions(**sizes) if learned else {}
    for name, p in learned.items():
        if np.shape(p) != shapes[name]:
            raise DimensionError(f"{name} has the shape {np.shape(p)}; expected {shapes[name]}, that of its state")
    return sizes


@lru_cache(maxsize=64)
def _one_step(network: Network) -> Program:
    return unroll(network, 1)


_SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 64, 70)
_STEPS = (1, 2, 3, 5, 8, 20, 50)


@st.composite
def seeded_cases(
    draw: Any,
    cell: Program | Network,
    dtype: str,
    *,
    sizes: tuple[int, ...] = _SIZES,
    steps: tuple[int, ...] = _STEPS,
    rows: int = 5,
    least_rows: int = 1,
    regimes: tuple[str, ...] = tuple(REGIMES),
    gradients: bool = False,
    lengths: bool = False,
    weights: Mapping[str, Array] | None = None,
    possible: Callable[[Mapping[str, int]], bool] = lambda sizes: True,
    among: Sequence[Mapping[str, int]] | None = None,
) -> Case:
    """Draw the structure of a case, whose numbers come from a seeded generator; the rest as for ``small_cases``."""
    limits = Limits(steps, range(least_rows, rows + 1), sizes, possible, among)
    T, B, chosen = _structure(draw, cell, limits, weights)
    regime, seed = draw(st.sampled_from(regimes)), draw(st.integers(0, 2**32 - 1))
    case = seeded_case(cell, dtype, sizes=chosen, T=T, B=B, regime=regime, seed=seed, gradients=gradients)
    if weights is not None:
        case = case.with_weights(weights)
    if lengths:
        return with_lengths(case, cell, _lengths(draw, T, B))
    # A bound on what cannot be seen says little through many steps; some cases stay of the usual shapes all the same.
    shows = weights is None and gradients and seed >> 3 & 3
    if not shows or not isinstance(cell, Program):
        return case
    exposed = expose(cell, case, chosen)
    return exposed if possible(sizes_of(cell, exposed.params)) else case


def seeded_case(
    cell: Program | Network,
    dtype: str,
    *,
    sizes: Mapping[str, int],
    T: int,
    B: int,
    regime: str,
    seed: int,
    gradients: bool = False,
) -> Case:
    """Return the case of a structure and a seed, always the same one; with ``gradients``, with cotangents."""
    shapes = shapes_of(cell, sizes, T, B, gradients=gradients)
    numbers = REGIMES[regime].numbers(np.random.default_rng(seed), shapes)
    case = shapes.fill(_in_range(numbers, dtype), regime=regime, seed=seed)
    return case.with_cotangents(seed % 8) if gradients else case
