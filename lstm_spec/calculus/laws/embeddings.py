"""Laws 13–19: variants that are the LSTM in disguise, or that another variant contains.

The other cell is made from the equations of the variant: a gate gets parameters of its own, a projection or a peephole
is left out. The gradients of the variant are those of the other cell under the transpose of the embedding (law 19).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import HadamardProduct, Integer, MatAdd, MatMul, MatrixSymbol, Symbol

from lstm_spec.calculus.laws.law import Ask, Case, Claim, Claims, Law, Twin
from lstm_spec.calculus.laws.linear import Array, Measured, Term
from lstm_spec.calculus.laws.structure import (
    Gate,
    carousel,
    change,
    changed_outputs,
    complement,
    gate,
    is_one,
    sizes_of,
    unchanged,
)
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.operators import add, apply, hadamard, matmul
from lstm_spec.spec.program import Program
from lstm_spec.spec.sizes import evaluate_shape

SATURATED = 40.0
"""A bias at which σ is 1 in every format."""


def _gate_value(cell: Program, name: str) -> Gate | None:
    return gate(cell, name) if name in {d.name for d in cell} else None


def _renamed(parameter: str, letter: str) -> str:
    return f"{parameter.rpartition('_')[0]}_{letter}"


def _with_own_gate(cell: Program, name: str, like: Gate) -> Program:
    """Return the cell with a gate that has parameters of its own, in the form of those of another gate."""
    letter = name.removesuffix("_tilde")
    own = {s: MatrixSymbol(_renamed(s.name, letter), *s.shape) for s in cell.parameters if s.name in _parameters(like)}
    total = Equation(MatrixSymbol(f"a_{letter}", *cell[name].symbol.shape), _affine(cell, like).xreplace(own))
    value = Equation(cell[name].symbol, apply("sigmoid", total.symbol))
    definitions = [e for d in cell for e in ((total, value) if d.name == name else (d,))]
    return replace(cell, parameters=(*cell.parameters, *own.values()), definitions=tuple(definitions))


def _parameters(like: Gate) -> tuple[str, ...]:
    return (*like.weights, *like.biases)


def _affine(cell: Program, like: Gate) -> Any:
    total = cell[like.total].expression
    terms = total.args if isinstance(total, MatAdd) else (total,)
    return add(*(t for t in terms if not isinstance(t, HadamardProduct)))


# Law 13: a coupled gate.


@lru_cache(maxsize=256)
def _coupled(cell: Program) -> tuple[str, Gate] | None:
    """Return the gate that is one minus another one, and that other one, where it is σ of an affine map."""
    for d in cell:
        other = complement(cell, d.name)
        free = _gate_value(cell, other) if other else None
        if free and free.squash == "sigmoid" and free.peephole is None:
            return d.name, free
    return None


def _opposite(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    found = _coupled(cell)
    assert found is not None
    name, free = found
    leaves = unchanged(cell)
    for parameter in _parameters(free):
        letters = "ij"[: case.leaves[parameter].ndim]
        leaves[_renamed(parameter, name)] = (Term(parameter, f"{letters},->{letters}", (np.array(-1.0),)),)
    yield from Twin(leaves, other=_with_own_gate(cell, name, free)).claims(cell, case, ask)


# Law 14: a gate that is fixed at 1.


@lru_cache(maxsize=256)
def _fixed(cell: Program) -> tuple[str, Gate] | None:
    ones = [d.name for d in cell if is_one(cell, d.name)]
    models = [g for d in cell if (g := gate(cell, d.name)) and g.biases and g.weights]
    return (ones[0], models[0]) if ones and models else None


def _saturated(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    found = _fixed(cell)
    assert found is not None
    name, model = found
    bias, *others = (_renamed(p, name) for p in (*model.biases, *model.weights))
    shapes = dict(zip((bias, *others), (case.leaves[p].shape for p in (*model.biases, *model.weights)), strict=True))
    constant = {p: np.full(shape, SATURATED * (p == bias)) for p, shape in shapes.items()}
    yield from Twin(unchanged(cell), constant, other=_with_own_gate(cell, name, model)).claims(cell, case, ask)


# Law 15: a projection.


@lru_cache(maxsize=256)
def _projection(cell: Program) -> Equation | None:
    """Return the equation of a projection: a weight with rows of another size than any gate has."""
    for d in cell:
        e = d.expression
        if not (isinstance(e, MatMul) and len(e.args) == 2 and e.args[0] in cell.parameters):
            continue
        q, m = e.args[0].shape
        if (
            q == cell.recurrence[0][0].shape[0]
            and m in [before.shape[0] for before, _ in cell.recurrence[1:]]
            and q != m
        ):
            return d
    return None


@lru_cache(maxsize=64)
def _unprojected(cell: Program) -> Program:
    """Return the cell without its projection: what it read is what comes out, and q is m."""
    d = _projection(cell)
    assert d is not None
    P, v = d.expression.args
    same = {P.shape[0]: P.shape[1]}
    return replace(
        cell,
        recurrence=tuple((a.xreplace(same), b.xreplace(same)) for a, b in cell.recurrence),
        parameters=tuple(p.xreplace(same) for p in cell.parameters if p != P),
        definitions=tuple(
            Equation(e.symbol.xreplace(same), v if e.name == d.name else e.expression.xreplace(same), e.shared)
            for e in cell
        ),
    )


def _identity_projection(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    d, bare = _projection(cell), _unprojected(cell)
    assert d is not None
    P = d.expression.args[0]
    own = _recast(cell, case, bare)
    m = own.leaves["c0"].shape[-1]
    yield from Twin(unchanged(bare), {P.name: np.eye(m)}, other=cell).claims(bare, own, ask)


def _recast(cell: Program, case: Case, other: Program) -> Case:
    """Return the case for a cell with some of the leaves, in other shapes where it has other sizes."""
    values = {s: k for s, k in sizes_of(cell, case.leaves).items() if s in other.sizes}
    states = {f"{after.name}0": after for _, after in other.recurrence}
    kept = {p.name: np.resize(case.leaves[p.name], _shape(p, values)) for p in other.parameters}
    kept |= {"x": case.x, **{name: _resized(case.leaves[name], s, values) for name, s in states.items()}}
    cotangents = {"y": other.recurrence[0][1], **{after.name: after for _, after in other.recurrence}}
    return Case(kept, {name: _resized(case.cotangents[name], s, values) for name, s in cotangents.items()})


def _shape(p: MatrixSymbol, values: Mapping[Any, int]) -> tuple[int, ...]:
    shape = evaluate_shape(p.shape, values)
    return shape[:1] if p.shape[1] == 1 else shape


def _resized(a: Array, symbol: MatrixSymbol, values: Mapping[Any, int]) -> Array:
    return np.resize(a, (*a.shape[:-1], evaluate_shape(symbol.shape, values)[0]))


def _product_of_weights(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """LSTMP(R, P) is P·LSTM(R P), from r0 = P m0 = 0."""
    d, bare = _projection(cell), _unprojected(cell)
    assert d is not None
    weight = d.expression.args[0]
    sizes, P = sizes_of(cell, case.leaves), case.leaves[weight.name]
    q, m = weight.shape
    zero = np.zeros((case.x.shape[1], sizes[m]))
    leaves = change(cell, sizes, {}, {q: P.T})
    leaves = {name: t for name, t in leaves.items() if name not in (weight.name, "h0")}
    seen = changed_outputs(cell, sizes, {})
    other_seen = {**seen, "y": (Term("y", "tbi,ki->tbk", (P,)),), "h": (Term("h", "bi,ki->bk", (P,)),)}
    twin = Twin(leaves, {"h0": zero}, seen=seen, other_seen=other_seen, other=bare)
    yield from twin.claims(cell, case.put(h0=np.zeros_like(case.leaves["h0"])), ask)


# Law 16: peepholes of zero.


@lru_cache(maxsize=256)
def peepholes(cell: Program) -> tuple[HadamardProduct, ...]:
    """Return the terms p∘c of sums."""
    states = {s for pair in cell.recurrence for s in pair}
    terms = (t for d in cell for total in d.expression.atoms(MatAdd) for t in total.args)
    found = {
        t for t in terms if isinstance(t, HadamardProduct) and t.args[0] in cell.parameters and t.args[1] in states
    }
    return tuple(sorted(found, key=str))


@lru_cache(maxsize=64)
def _blind(cell: Program) -> Program:
    """Return the cell without peepholes."""
    gone = set(peepholes(cell))

    def changed(e: Any) -> Any:
        sums = {t: add(*(a for a in t.args if a not in gone)) for t in e.atoms(MatAdd) if gone & set(t.args)}
        return e.xreplace(sums)

    names = {t.args[0] for t in gone}
    return replace(
        cell,
        parameters=tuple(p for p in cell.parameters if p not in names),
        definitions=tuple(replace(d, expression=changed(d.expression)) for d in cell),
    )


def _no_peepholes(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    bare = _blind(cell)
    zeros = {t.args[0].name: np.zeros_like(case.leaves[t.args[0].name]) for t in peepholes(cell)}
    yield from Twin(unchanged(bare), zeros, other=cell).claims(bare, _recast(cell, case, bare), ask)


# Law 17: the two versions of the GRU.


@lru_cache(maxsize=256)
def _reset_after(cell: Program) -> tuple[Any, MatrixSymbol, MatrixSymbol | None] | None:
    """Return the term r∘(R h' + b), its R and its b."""
    for d in cell:
        for t in d.expression.atoms(HadamardProduct):
            inner = t.args[-1]
            terms = list(inner.args) if isinstance(inner, MatAdd) else [inner]
            product = terms[0]
            if isinstance(product, MatMul) and len(product.args) == 2 and product.args[0] in cell.parameters:
                return t, product.args[0], terms[1] if len(terms) == 2 else None
    return None


def _diagonal_reset(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    """r∘(R h' + 0) is R (r∘h') where R is diagonal."""
    found = _reset_after(cell)
    assert found is not None
    term, R, bias = found
    r, inner = term.args[0], term.args[-1]
    product = inner.args[0] if isinstance(inner, MatAdd) else inner
    before = {term: matmul(R, hadamard(r, product.args[-1]))}
    other = replace(
        cell,
        parameters=tuple(p for p in cell.parameters if p != bias),
        definitions=tuple(replace(d, expression=d.expression.xreplace(before)) for d in cell),
    )
    own = _recast(cell, case, other)
    own = own.put(**{R.name: np.diag(np.diag(own.leaves[R.name]))})
    constant = {} if bias is None else {bias.name: np.zeros_like(case.leaves[bias.name])}
    for claim in Twin(unchanged(other), constant, other=cell).claims(other, own, ask):
        # Off the diagonal the gradients differ: the law holds along diagonal matrices only.
        on = (slice(None),) if claim.name != f"d{R.name}" else np.diag_indices(len(own.leaves[R.name]))
        yield replace(claim, left=claim.left[on], right=claim.right[on])


# Law 18: zoneout.


@lru_cache(maxsize=256)
def _zoned(cell: Program) -> Mapping[str, tuple[Symbol, Any]]:
    """Return by state the share that is kept, and the value that the rest comes from."""
    found = {}
    for before, after in cell.recurrence:
        total = cell[after.name].expression
        if not (isinstance(total, MatAdd) and len(total.args) == 2 and all(isinstance(t, MatMul) for t in total.args)):
            continue
        (share, kept), (rest, new) = (t.args for t in total.args)
        if kept == before and share in dict(cell.constants) and rest == 1 - share:
            found[after.name] = (share, new)
    return found


def _with_shares(cell: Program, share: int) -> Program:
    shares = {s for s, _ in _zoned(cell).values()}
    return replace(cell, constants=tuple((s, Integer(share) if s in shares else v) for s, v in cell.constants))


def _zoned_out_never(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    new = {name: value for name, (_, value) in _zoned(cell).items()}
    plain = replace(cell, definitions=tuple(replace(d, expression=new.get(d.name, d.expression)) for d in cell))
    yield from Twin(unchanged(cell), other=plain).claims(_with_shares(cell, 0), case, ask)


def _zoned_out_always(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
    frozen, zoned = _with_shares(cell, 1), _zoned(cell)
    answer = ask(frozen).forward(case)
    for name in zoned:
        yield Claim(name, answer[name], Measured.exact(case.leaves[f"{name}0"]))
    backward = ask(frozen).backward
    if backward is None or len(zoned) < len(cell.recurrence):
        return
    for name, gradient in backward(case).items():
        if name not in case.states:
            yield Claim(f"d{name}", gradient, Measured.exact(np.zeros_like(gradient.value)))
    for name in cell.states[1:]:
        yield Claim(f"d{name}0", backward(case)[f"{name}0"], Measured.exact(case.cotangents[name]))


# Law 19, of every embedding at once.


def _of_gradients(claims: Claims) -> Claims:
    def only(cell: Program, case: Case, ask: Ask) -> Iterator[Claim]:
        yield from (claim for claim in claims(cell, case, ask) if claim.name.startswith("d"))

    return only


_GREFF = "Greff et al. 2017"

_EMBEDDINGS: tuple[Law, ...] = (
    Law("coupled", 13, "1 − σ(a) is a gate with the opposite parameters", lambda c: _coupled(c) is not None, _opposite,
        source=_GREFF, alone=False),
    Law("fixed", 14, "a gate that is 1 is one whose bias saturates it", lambda c: _fixed(c) is not None, _saturated,
        source=_GREFF, alone=False),
    Law("identity_projection", 15, "a projection by the identity changes nothing",
        lambda c: _projection(c) is not None, _identity_projection, alone=False),
    Law("projection", 15, "LSTMP(R, P) is P·LSTM(R P)", lambda c: _linear_output(c), _product_of_weights,
        source="Sak, Senior & Beaufays 2014", alone=False),
    Law("no_peepholes", 16, "peepholes of zero are none", lambda c: bool(peepholes(c)), _no_peepholes, alone=False),
    Law("diagonal_reset", 17, "r∘(R h') is R (r∘h') for diagonal R", lambda c: _reset_after(c) is not None,
        _diagonal_reset, source="Cho et al. 2014, versions 1 and 3", alone=False),
    Law("no_zoneout", 18, "keeping nothing is the cell without zoneout", lambda c: bool(_zoned(c)), _zoned_out_never,
        source="Krueger et al. 2017", alone=False),
    Law("full_zoneout", 18, "keeping everything freezes the state", lambda c: bool(_zoned(c)), _zoned_out_always,
        source="Krueger et al. 2017", alone=False),
)  # fmt: skip


def _linear_output(cell: Program) -> bool:
    d = _projection(cell)
    return d is not None and d.symbol == cell.recurrence[0][1] and carousel(_unprojected(cell)) is not None


EMBEDDINGS: tuple[Law, ...] = (
    *_EMBEDDINGS,
    *(
        replace(
            law,
            id=f"gradient_of_{law.id}",
            number=19,
            statement="a variant's gradient is (Dφ)ᵀ times that of the cell that φ embeds it in",
            claims=_of_gradients(law.claims),
            gradients=True,
        )
        for law in _EMBEDDINGS
        if law.id in ("coupled", "projection")
    ),
)
"""Laws 13–19."""
