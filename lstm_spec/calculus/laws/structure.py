"""What the laws read off the equations of a cell: the axes of its parameters, what reads a value, its carousel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import BlockMatrix, HadamardProduct, MatAdd, MatMul, MatrixSymbol, OneMatrix, Symbol

from lstm_spec.calculus.laws.linear import Array, Term, same
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.inference import infer_dimensions
from lstm_spec.spec.operators import Elementwise, parts_of
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import array_shape

Axis = tuple[Any, ...]
"""The sizes that follow each other along an axis: (n, m) for the columns of a matrix that reads [x; h']."""


@lru_cache(maxsize=256)
def axes(cell: Program) -> Mapping[str, tuple[Axis, ...]]:
    """Return the axes of every leaf by name, of x and the initial states that of their entries only.

    >>> from lstm_spec.spec.cells import lstm
    >>> axes(lstm())["W_f"], axes(lstm())["h0"]
    (((m,), (n, m)), ((m,),))
    """
    joined = {d.symbol.shape[0]: tuple(p.shape[0] for p in parts_of(d.expression)) for d in cell if _joins(d)}
    shapes = {p.name: array_shape(p.shape) for p in cell.parameters}
    shapes |= {given.name: given.shape[:1] for given in cell.inputs}
    shapes |= {f"{after.name}0": before.shape[:1] for before, after in cell.recurrence}
    return {name: tuple(joined.get(side, (side,)) for side in shape) for name, shape in shapes.items()}


def _joins(d: Equation) -> bool:
    return isinstance(d.expression, BlockMatrix)


def sizes_of(cell: Program, leaves: Mapping[str, Array]) -> dict[Any, int]:
    """Return the sizes of a case by symbol."""
    shapes = {p.name: leaves[p.name].shape for p in cell.parameters} | {"x": leaves["x"].shape}
    shapes |= {before.name: leaves[f"{after.name}0"].shape for before, after in cell.recurrence}
    found = infer_dimensions(cell, shapes)
    return {s: found[s.name] for s in cell.sizes}


def block(axis: Axis, sizes: Mapping[Any, int], position: int) -> slice:
    """Return the place of one block along an axis."""
    lengths = [int(side.subs(sizes)) if isinstance(side, Symbol) else int(side) for side in axis]
    return slice(sum(lengths[:position]), sum(lengths[: position + 1]))


def state_sizes(cell: Program) -> set[Any]:
    """Return the sizes of the states."""
    return {before.shape[0] for before, _ in cell.recurrence}


def length_of(axis: Axis, sizes: Mapping[Any, int]) -> int:
    """Return how many entries an axis has."""
    return block(axis, sizes, len(axis) - 1).stop


def diagonal(axis: Axis, sizes: Mapping[Any, int], matrices: Mapping[Any, Array]) -> Array:
    """Return the block-diagonal matrix of an axis; a size without a matrix of its own keeps its place."""
    blocks = [matrices.get(side, np.eye(int(side.subs(sizes)))) for side in axis]
    whole = np.zeros((sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)))
    row = column = 0
    for b in blocks:
        whole[row : row + len(b), column : column + b.shape[1]] = b
        row, column = row + len(b), column + b.shape[1]
    return whole


Matrices = Mapping[Any, Array]


def change(
    cell: Program, sizes: Mapping[Any, int], rows: Matrices, columns: Matrices | None = None
) -> dict[str, tuple[Term, ...]]:
    """Return the linear map of the leaves when every value of a size is multiplied by a matrix.

    rows: by size the matrix M that values, biases and the rows of weights are multiplied by; columns: N for the columns
    of weights, W → M W Nᵀ, by default M, which is right where Mᵀ M = I.
    """
    columns = rows if columns is None else columns
    found: dict[str, tuple[Term, ...]] = {}
    for name, own in axes(cell).items():
        lead = "tb" if name == "x" else "b" if name not in {p.name for p in cell.parameters} else ""
        matrices = [diagonal(axis, sizes, m) for axis, m in zip(own, (rows, columns), strict=False)]
        letters, images = "ij"[: len(own)], "kl"[: len(own)]
        pairs = ",".join(f"{image}{letter}" for image, letter in zip(images, letters, strict=True))
        found[name] = (Term(name, f"{lead}{letters},{pairs}->{lead}{images}", tuple(matrices)),)
    return found


def changed_outputs(cell: Program, sizes: Mapping[Any, int], rows: Matrices) -> dict[str, tuple[Term, ...]]:
    """Return the same for the outputs: y and the final states."""
    own = {after.name: (after.shape[0],) for _, after in cell.recurrence}
    found = {"y": (Term("y", "tbi,ki->tbk", (diagonal(own[cell.states[0]], sizes, rows),)),)}
    return found | {s: (Term(s, "bi,ki->bk", (diagonal(axis, sizes, rows),)),) for s, axis in own.items()}


def unchanged(cell: Program) -> dict[str, tuple[Term, ...]]:
    """Return the identity of the leaves."""
    names = {p.name for p in cell.parameters}
    return {
        name: same(name, len(own) if name in names else 3 if name == "x" else 2) for name, own in axes(cell).items()
    }


@dataclass(frozen=True)
class Product:
    """A weight that reads a value: the columns of ``weight`` in block ``position`` meet it.

    biases: the parameters that are added to the product, one for each row.
    """

    weight: str
    position: int
    biases: tuple[str, ...]

    def columns(self, cell: Program, sizes: Mapping[Any, int]) -> slice:
        """Return the columns that read the value."""
        return block(axes(cell)[self.weight][1], sizes, self.position)


@lru_cache(maxsize=1024)
def products(cell: Program, value: MatrixSymbol) -> tuple[Product, ...] | None:
    """Return the products that read a value, None if anything else reads it too.

    >>> from lstm_spec.spec.cells import lstm
    >>> products(lstm(), lstm().inputs[0])[0]
    Product(weight='W_f', position=0, biases=('b_f',))
    """
    found: list[Product] = []
    for d in cell:
        for parent, ancestor in _parents(d.expression, value):
            if isinstance(parent, BlockMatrix) and parent == d.expression:
                through = products(cell, d.symbol)
                if through is None:
                    return None
                position = parts_of(parent).index(value)
                found += [Product(p.weight, position, p.biases) for p in through]
            elif isinstance(parent, MatMul) and len(parent.args) == 2 and parent.args[0] in cell.parameters:
                found.append(Product(parent.args[0].name, 0, _biases(cell, ancestor)))
            else:
                return None
    return tuple(found)


def _parents(e: Any, value: MatrixSymbol, ancestor: Any = None) -> Iterator[tuple[Any, Any]]:
    """Yield the nodes that hold a value, each with the one above it."""
    arguments = parts_of(e) if isinstance(e, BlockMatrix) else e.arguments if isinstance(e, Elementwise) else e.args
    for a in arguments:
        if a == value:
            yield e, ancestor
        elif getattr(a, "is_Matrix", False) and not isinstance(a, MatrixSymbol):
            yield from _parents(a, value, e)


def _biases(cell: Program, total: Any) -> tuple[str, ...]:
    if not isinstance(total, MatAdd):
        return ()
    return tuple(t.name for t in total.args if t in cell.parameters)


@dataclass(frozen=True)
class Gate:
    """A gate: its value, its pre-activation, the weights of its map, its biases, its peephole and its function."""

    value: str
    total: str
    weights: tuple[str, ...]
    biases: tuple[str, ...]
    peephole: str | None
    squash: str


@dataclass(frozen=True)
class Carousel:
    """The constant error carousel c = f∘c' + i∘c̃ and the output h = o∘squash(c).

    values: the names of f, i and c̃. A gate is None where it is no function of an affine map, as one that is fixed or
    coupled.
    """

    values: tuple[str, str, str]
    f: Gate | None
    i: Gate | None
    candidate: Gate | None
    o: Gate | None
    squash: str | None


@lru_cache(maxsize=256)
def carousel(cell: Program) -> Carousel | None:
    """Return the carousel of a cell, None if its cell state c is computed in another way."""
    if cell.states[:2] != ("h", "c"):
        return None
    c_prev = cell.recurrence[1][0]
    update = cell["c"].expression
    if not (isinstance(update, MatAdd) and [type(t) for t in update.args] == [HadamardProduct] * 2):
        return None
    (f, kept), (i, candidate) = (t.args for t in update.args)
    if kept != c_prev or not all(isinstance(v, MatrixSymbol) for v in (f, i, candidate)):
        return None
    o, squash = _output(cell)
    names = (f.name, i.name, candidate.name)
    own_f, own_i, own_candidate = (gate(cell, name) for name in names)
    return Carousel(names, own_f, own_i, own_candidate, gate(cell, o.name) if o is not None else None, squash)


def is_one(cell: Program, name: str) -> bool:
    """Tell whether a value is 1 by definition."""
    return name in {d.name for d in cell} and isinstance(cell[name].expression, OneMatrix)


def complement(cell: Program, name: str) -> str | None:
    """Return what a value is one minus of, None if it is not."""
    total = cell[name].expression if name in {d.name for d in cell} else None
    if not (isinstance(total, MatAdd) and len(total.args) == 2 and isinstance(total.args[0], OneMatrix)):
        return None
    other = total.args[1]
    plain = isinstance(other, MatMul) and other.args[0] == -1 and isinstance(other.args[-1], MatrixSymbol)
    return other.args[-1].name if plain else None


def _output(cell: Program) -> tuple[Any, str | None]:
    out = cell["h"].expression
    if isinstance(out, HadamardProduct) and len(out.args) == 2:
        o, seen = out.args
        if seen == cell["c"].symbol:
            return o, "identity"
        if isinstance(seen, Elementwise) and seen.arguments == (cell["c"].symbol,):
            return o, named(seen)
    return None, None


def named(e: Elementwise) -> str | None:
    """Return the name of an elementwise function without constants."""
    application = e.application
    return application[0] if application and not application[1] else None


@lru_cache(maxsize=1024)
def gate(cell: Program, name: str) -> Gate | None:
    """Return a value as a gate, None where it is no function of an affine map."""
    squashed = cell[name].expression
    if not isinstance(squashed, Elementwise) or named(squashed) is None or squashed.arguments[0] not in _computed(cell):
        return None
    total = cell[squashed.arguments[0].name].expression
    terms = total.args if isinstance(total, MatAdd) else (total,)
    weights = [t for t in terms if isinstance(t, MatMul) and len(t.args) == 2 and t.args[0] in cell.parameters]
    biases = [t for t in terms if t in cell.parameters]
    seen = {s for pair in cell.recurrence[1:] for s in pair}
    peepholes = [
        t for t in terms if isinstance(t, HadamardProduct) and t.args[0] in cell.parameters and t.args[1] in seen
    ]
    if len(weights) + len(biases) + len(peepholes) < len(terms) or len(peepholes) > 1:
        return None
    return Gate(
        value=name,
        total=squashed.arguments[0].name,
        weights=tuple(t.args[0].name for t in weights),
        biases=tuple(b.name for b in biases),
        peephole=peepholes[0].args[0].name if peepholes else None,
        squash=str(named(squashed)),
    )


def _computed(cell: Program) -> set[Any]:
    return {d.symbol for d in cell}


def averages(cell: Program) -> tuple[Any, ...]:
    """Return the sizes over which some equation sums the entries of a value, as layer normalisation does."""
    sums = {m for d in cell for m in d.expression.atoms(OneMatrix) if m.shape[0] == 1 and m.shape[1] != 1}
    return tuple({s for m in sums for s in m.shape[1].free_symbols})
