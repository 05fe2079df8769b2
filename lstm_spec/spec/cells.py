"""The LSTM cell and its options; a variant is another set of options, never a copy.

Gates come in the order f, i, c̃, o; the output gate follows the new cell state because its peephole looks at it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from sympy import MatrixExpr, MatrixSymbol, Symbol

from lstm_spec.spec.define import define_cell
from lstm_spec.spec.equation import Equation
from lstm_spec.spec.gates import Maps, activated, limited, normalised
from lstm_spec.spec.operators import (
    add,
    apply,
    concat,
    hadamard,
    matmul,
    matrix,
    one_minus,
    ones,
    rows,
    scale,
    size,
    vector,
)
from lstm_spec.spec.options import GATES, LstmOptions, OptionError
from lstm_spec.spec.program import Program, constant

__all__ = ["GATES", "OptionError", "lstm"]

_VALUES = {"f": "f", "i": "i", "c": "c_tilde", "o": "o"}


def lstm(
    *,
    peepholes: str = "",
    coupled: Literal["f=1-i", "i=1-f"] | None = None,
    fixed: str = "",
    gate_recurrence: bool = False,
    projection: bool = False,
    layer_norm: Literal["joint", "gate"] | None = None,
    activations: Mapping[str, Any] | None = None,
    clip: Mapping[str, float] | None = None,
    deep: Mapping[str, tuple[int, ...]] | None = None,
    zoneout: Mapping[str, float] | None = None,
    masks: str = "",
    biases: Literal[0, 1, 2] = 1,
    concat: Literal["xh", "hx"] | None = "xh",
    eps: float = 1e-5,
    name: str = "lstm",
) -> Program:
    """Return the LSTM cell with a forget gate (Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000).

    peepholes: the gates that see the cell state, any of "fio"; f and i see c', o sees c (Gers & Schmidhuber 2000).
    coupled: "f=1-i" or "i=1-f" for the coupled input and forget gate (Greff et al. 2017, CIFG); the coupled gate has no
    parameters. fixed: the gates that are 1, any of "fio" (Greff et al. 2017: NFG, NIG, NOG). gate_recurrence: each gate
    also reads all three gates of the step before, which makes f, i and o states (Greff et al. 2017, FGR). projection:
    h = W_p (o∘tanh(c)) with W_p (q, m), so that h and y have size q (Sak, Senior & Beaufays 2014).
    layer_norm: "joint" normalises W x and R h' over all gates together, and c on its way to h (Ba, Kiros & Hinton 2016,
    with one bias for theirs of both products); "gate" normalises each gate's W x + R h' + p∘c' (TensorFlow Lite). Gains
    are g_f, …, for R h' gR_f, …, for c g_h; eps: what is added to the variance.

    activations: by gate letter f, i, c, o, "h" for the squashing of the output, "deep" for that between the layers of a
    deep gate; each a name, a SymPy Function or a Lambda. clip: limits by what is clipped to ±limit: "a" every
    pre-activation, "h" what the squashing of the output reads, "c" the new cell state before anything reads it, "p" the
    projection. deep: by gate letter, the
    widths of the hidden layers of a feed-forward network in place of the gate's affine map; () is the affine map.
    zoneout: by state "c" or "h", the share of the previous state that is kept: the expectation, used at test time, of
    keeping each unit at random (Krueger et al. 2017). masks: "x", "h" or both for k_x∘x and k_h∘h' with masks that hold
    for all steps (Gal & Ghahramani 2016); they are given with the parameters and not counted among them. biases: none,
    one, or two per gate (b_f and bR_f, summed). concat: the order in z, or None for separate matrices W_f (m×n) and
    R_f (m×m); layer_norm and gate_recurrence have them separate in any case.

    Greff et al. change one thing of the cell with peepholes: theirs is ``lstm(fixed="i", peepholes="fo")`` where the
    catalogue's nig, without peepholes, is ``lstm(fixed="i")``.

    Raises OptionError for an option that does not exist or does not go with another one.

    >>> for equation in lstm():
    ...     print(equation)
    z = [x; h']
    a_f = W_f z + b_f
    f = σ(a_f)
    a_i = W_i z + b_i
    i = σ(a_i)
    a_c = W_c z + b_c
    c̃ = tanh(a_c)
    c = f∘c' + i∘c̃
    a_o = W_o z + b_o
    o = σ(a_o)
    h = o∘tanh(c)
    """
    options = LstmOptions(
        peepholes=peepholes,
        coupled=coupled,
        fixed=fixed,
        gate_recurrence=gate_recurrence,
        projection=projection,
        layer_norm=layer_norm,
        activations=activations or {},
        clip=clip or {},
        deep=deep or {},
        zoneout=zoneout or {},
        masks=masks,
        biases=biases,
        concat=concat,
        eps=eps,
    )
    cell = _Lstm(options)
    return define_cell(
        name,
        inputs=cell.x,
        states=cell.states,
        equations=cell.equations(),
        constants=tuple(cell.constants()),
        fixed=tuple(f"k_{letter}" for letter in masks),
    )


@dataclass(frozen=True)
class _Lstm:
    """The equations of an LSTM, option by option."""

    options: LstmOptions

    @cached_property
    def x(self) -> MatrixSymbol:
        return vector("x", size("n"))

    @property
    def m(self) -> Any:
        return size("m")

    @property
    def states(self) -> list[tuple[MatrixSymbol, MatrixSymbol]]:
        k = size("q") if self.options.projection else self.m
        pairs = [(vector("h_prev", k), vector("h", k)), (self.previous("c"), vector("c", self.m))]
        gates = "fio" if self.options.gate_recurrence else ""
        return [*pairs, *((self.previous(gate), self.value(gate)) for gate in gates)]

    @property
    def h_prev(self) -> MatrixSymbol:
        return self.states[0][0]

    @cached_property
    def maps(self) -> Maps:
        x, h_prev = (
            vector(f"{s.name.removesuffix('_prev')}_kept", s.shape[0]) if letter in self.options.masks else s
            for letter, s in (("x", self.x), ("h", self.h_prev))
        )
        return Maps(x, h_prev, self.options.order, self.options.biases)

    def previous(self, state: str) -> MatrixSymbol:
        return vector(f"{state}_prev", self.m)

    def value(self, gate: str) -> MatrixSymbol:
        return vector(_VALUES[gate], self.m)

    def constants(self) -> Iterator[tuple[Symbol, Any]]:
        """Yield the scalars that options bring along: limits, shares, eps."""
        for what, limit in self.options.clip.items():
            yield constant(f"limit_{what}", limit)
        for what, share in self.options.zoneout.items():
            yield constant(f"d_{what}", share)
        if self.options.layer_norm:
            yield constant("eps", self.options.eps)

    def scalar(self, name: str) -> Symbol:
        return next(symbol for symbol, _ in self.constants() if symbol.name == name)

    def equations(self) -> Iterator[Equation]:
        c, f, i = vector("c", self.m), self.value("f"), self.value("i")
        yield from self.masked()
        yield from self.maps.entry
        if self.options.layer_norm == "joint":
            yield from self.joint_norm("x", self.maps.from_x)
            yield from self.joint_norm("h", self.maps.from_h)
        first = [gate for gate in "fi" if gate != self.options.dependent]
        for gate in (*first, *(self.options.dependent or ""), "c"):
            yield from self.gate(gate)
        update = add(hadamard(f, self.previous("c")), hadamard(i, self.value("c")))
        yield from self.state(c, update, self.previous("c"), limit="c")
        yield from self.gate("o")
        yield from self.output()

    def masked(self) -> Iterator[Equation]:
        for letter, read, given in (("x", self.maps.x, self.x), ("h", self.maps.h_prev, self.h_prev)):
            if letter in self.options.masks:
                yield Equation(read, hadamard(vector(f"k_{letter}", given.shape[0]), given))

    def joint_norm(self, label: str, product: Any) -> Iterator[Equation]:
        gates = self.options.gates
        u = vector(f"u_{label}", len(gates) * self.m)
        yield Equation(u, concat(*(product(gate, self.m) for gate in gates)))
        equations, normal = normalised(u, label, self.scalar("eps"))
        yield from equations
        yield Equation(vector(f"r_{label}", u.shape[0]), normal)

    def gate(self, gate: str) -> Iterator[Equation]:
        value, options = self.value(gate), self.options
        if gate in options.fixed:
            yield Equation(value, ones(self.m))
        elif gate == options.dependent:
            yield Equation(value, one_minus(self.value(str(options.free))))
        else:
            equations, terms = self.affine(gate)
            yield from equations
            yield from activated(value, gate, options.squash(gate), terms, self.limit("a"))

    def affine(self, gate: str) -> tuple[list[Equation], list[MatrixExpr]]:
        """Return what a gate's pre-activation is the sum of, and the equations before it."""
        options, maps, m = self.options, self.maps, self.m
        peephole = list(self.peephole(gate))
        if options.layer_norm == "joint":
            at = options.gates.index(gate) * m
            gains = [hadamard(vector(f"{g}_{gate}", m), rows(vector(f"r_{label}", len(options.gates) * m), at, at + m))
                     for g, label in (("g", "x"), ("gR", "h"))]  # fmt: skip
            return [], [*gains, *maps.offsets(gate, m), *peephole]
        if options.layer_norm == "gate":
            u = vector(f"u_{gate}", m)
            equations, normal = normalised(u, gate, self.scalar("eps"))
            sum_ = Equation(u, add(*maps.products(gate, m), *peephole))
            return [sum_, *equations], [hadamard(vector(f"g_{gate}", m), normal), *maps.offsets(gate, m)]
        hidden, terms = maps.network(gate, m, tuple(options.deep.get(gate, ())), options.squash("deep"))
        return hidden, [*terms, *self.recurrent_gates(gate), *peephole]

    def peephole(self, gate: str) -> Iterator[MatrixExpr]:
        if gate in self.options.peepholes:
            yield hadamard(vector(f"p_{gate}", self.m), vector("c", self.m) if gate == "o" else self.previous("c"))

    def recurrent_gates(self, gate: str) -> Iterator[MatrixExpr]:
        if self.options.gate_recurrence and gate != "c":
            for source in "fio":
                yield matmul(matrix(f"R_{source}{gate}", self.m, self.m), self.previous(source))

    def limit(self, what: str) -> Symbol | None:
        return self.scalar(f"limit_{what}") if what in self.options.clip else None

    def state(self, state: MatrixSymbol, new: MatrixExpr, previous: MatrixSymbol, *, limit: str) -> Iterator[Equation]:
        """Yield the equations of a new state, clipped and blended with the previous one where options say so."""
        name, options = state.name, self.options
        changes = (limit in options.clip) + (name in options.zoneout)
        if changes:
            yield Equation(vector(f"{name}_new", state.shape[0]), new)
            new = vector(f"{name}_new", state.shape[0])
        if limit in options.clip:
            new = limited(new, self.limit(limit))
        if name in options.zoneout:
            if limit in options.clip:
                yield Equation(vector(f"{name}_limited", state.shape[0]), new)
                new = vector(f"{name}_limited", state.shape[0])
            share = self.scalar(f"d_{name}")
            new = add(scale(share, previous), scale(1 - share, new))
        yield Equation(state, new)

    def fresh(self, name: str) -> str:
        """Return the name of a new state before zoneout keeps a share of the previous one: what the output sees."""
        if name not in self.options.zoneout:
            return name
        return f"{name}_limited" if name in self.options.clip else f"{name}_new"

    def output(self) -> Iterator[Equation]:
        seen: Any = vector(self.fresh("c"), self.m)
        if self.options.layer_norm == "joint":
            equations, normal = normalised(seen, "c", self.scalar("eps"))
            yield from equations
            gained = hadamard(vector("g_h", self.m), normal)
            seen = vector("a_h", self.m)
            yield Equation(seen, add(gained, vector("b_h", self.m)) if self.options.biases else gained)
        h_prev, h = self.states[0]
        if "h" in self.options.clip:
            seen = limited(seen, self.limit("h"))
        out = hadamard(self.value("o"), apply(self.options.squash("h"), seen))
        if self.options.projection:
            yield Equation(vector("h_tilde", self.m), out)
            out = matmul(matrix("W_p", h.shape[0], self.m), vector("h_tilde", self.m))
        yield from self.state(h, out, h_prev, limit="p")
