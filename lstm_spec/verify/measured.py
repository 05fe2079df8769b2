"""Faults with a number in them that nobody can list: a clip, a norm, a decay, a factor, read off what came.

Each reader takes the right gradients beside those that came, and says which number would explain them; whether it does
is then found out as for any hypothesis.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_spec.compute.compile import Array
from lstm_spec.spec.names import parse_name
from lstm_spec.spec.network import Network
from lstm_spec.spec.notation import symbol_text
from lstm_spec.spec.program import Program
from lstm_spec.verify.hypotheses import Backward, Hypothesis, Wrap
from lstm_spec.verify.network_hypotheses import NetworkHypothesis

Named = Mapping[str, Array]
Change = Callable[[Named, Named], Named]
"""What a fault makes of gradients by name, given the parameters."""

SAFE = 1e-6
"""What is added to a norm before it divides, in PyTorch and elsewhere."""

DECAYS = (1e-4, 1e-2)
"""The usual rates of weight decay."""

CLOSE = 1e-9
"""Up to which share of itself a number that was read twice is the same."""


def measured_gradients(
    cell: Program | Network, right: Named, got: Named, params: Named
) -> Iterator[Hypothesis | NetworkHypothesis]:
    """Yield what may have been done to gradients, with the number read off one observation.

    right, got: gradients by the names of what they belong to, the right ones and those that came; params: by name.

    >>> from lstm_spec.spec.cells import lstm
    >>> right = {"b_f": np.array([3.0, 4.0]), "x": np.ones(1)}
    >>> found = measured_gradients(lstm(), right, {**right, "b_f": right["b_f"] / 5}, {"b_f": np.ones(2)})
    >>> "the gradient of b_f is multiplied by 0.2" in [h.sentence for h in found]
    True
    """
    own = [p.name for p in cell.parameters if p.name in got]
    vectors = [name for name in own if np.ndim(right[name]) == 1]
    kernels = [name for name in own if name not in vectors]
    groups = {
        "parameters": ("the gradients of the parameters", own),
        "all": ("all gradients", list(got)),
        "kernels": (f"the gradients of {_listed(kernels)}", kernels),
        "vectors": (f"the gradients of {_listed(vectors)}", vectors),
    }
    for gate in dict.fromkeys(parse_name(name).subscript for name in own):
        names = [name for name in own if parse_name(name).subscript == gate]
        groups[f"gate-{gate}"] = (f"the gradients of {_listed(names)}", names)
    groups = {key: group for key, group in groups.items() if len(group[1]) > 1}
    groups |= {name: (f"the gradient of {_listed([name])}", [name]) for name in got}
    for key, (of, names) in groups.items():
        for kind, sentence, change in _read(of, names, right, got, params):
            about = (f"{key}-{kind}", "measured", sentence)
            wraps = _around(cell, names, change)
            if isinstance(cell, Program):
                yield Hypothesis(*about, cell, wraps=wraps)
            else:
                yield NetworkHypothesis(*about, cell, wraps=wraps)


def limited_gradients(cell: Program, limits: Sequence[int]) -> Iterator[Hypothesis]:
    """Yield what is usually done to gradients between their computation and a step of learning.

    limits: of norms and of values.
    """
    own = [p.name for p in cell.parameters]
    every = [*own, "x", *(f"{s}0" for s in cell.states)]
    of = "the gradients of the parameters are"
    for limit in limits:
        what = f"to a norm of at most {limit}"
        yield changed(cell, f"norm-{limit}", f"{of} scaled together {what}", own, normed(limit))
        added = f", {SAFE:g} being added to the norm before"
        yield changed(cell, f"norm-{limit}-safe", f"{of} scaled together {what}{added}", own, normed(limit, SAFE))
        yield changed(cell, f"norms-{limit}", f"{of} each scaled {what}", own, each_normed(limit))
        yield changed(cell, f"all-norm-{limit}", f"all gradients are scaled together {what}", every, normed(limit))
        yield changed(cell, f"all-clipped-{limit}", f"all gradients are clipped to ±{limit}", every, clipped(limit))
    for rate in DECAYS:
        sentence = (
            f"{rate:g} times the parameter itself is added to the gradients of the parameters, as weight decay would"
        )
        yield changed(cell, f"decay-{rate:g}", sentence, own, decayed(rate))


def _listed(names: Sequence[str]) -> str:
    known = [f"the initial {symbol_text(n[:-1])}" if n.endswith("0") else symbol_text(n) for n in names]
    if len(names) > 6:
        return f"the {len(names)} parameters {known[0]} to {known[-1]}"
    return " and ".join(", ".join(part) for part in (known[:-1], known[-1:]) if part)


def changed(cell: Program, name: str, sentence: str, names: Sequence[str], change: Change) -> Hypothesis:
    """Return the hypothesis that something is done to some gradients, once they are computed."""
    return Hypothesis(name, "measured", sentence, cell, wraps=_around(cell, names, change))


def clipped(limit: float) -> Change:
    """Return what clips gradients by value."""
    return lambda gradients, params: {k: np.clip(d, -limit, limit) for k, d in gradients.items()}


def normed(limit: float, eps: float = 0.0) -> Change:
    """Return what scales gradients to a norm that they have together; eps is added to the norm before it divides."""
    return lambda gradients, params: _scaled(gradients, limit, eps)


def each_normed(limit: float, eps: float = 0.0) -> Change:
    """Return what scales every gradient to a norm of its own."""
    return lambda gradients, params: {n: _scaled({n: d}, limit, eps)[n] for n, d in gradients.items()}


def decayed(rate: float, term: Callable[[Array], Array] = np.positive) -> Change:
    """Return what adds so much of the parameter itself to its gradient, or of a function of it."""
    return lambda gradients, params: {k: d + rate * term(params[k]) for k, d in gradients.items()}


def _read(of: str, names: Sequence[str], right: Named, got: Named, params: Named) -> Iterator[tuple[str, str, Change]]:
    before, after = (np.concatenate([np.ravel(a[n]) for n in names]) for a in (right, got))
    are = "is" if len(names) == 1 else "are"
    if (factor := _same(after, before)) is not None and factor not in (0, 1, -1):
        yield "scaled", f"{of} {are} multiplied by {factor:.6g}", lambda g, p: {k: factor * d for k, d in g.items()}
        yield from _norms(f"{of} {are} scaled{' together' * (are == 'are')}", names, right, got)
    if (limit := float(np.abs(after).max(initial=0))) < np.abs(before).max(initial=0):
        yield "clipped", f"{of} {are} clipped to ±{limit:.6g}", clipped(limit)
    if len(names) > 1:
        yield from _norms_of_each(f"{of} are each scaled", names, right, got)
    if {*names} <= params.keys():
        weights = np.concatenate([np.ravel(params[n]) for n in names])
        for kind, words, term in (("decay", "", np.positive), ("sign", "the sign of ", np.sign)):
            if (rate := _same(after - before, term(weights))) is not None and rate != 0:
                why = "weight decay" if kind == "decay" else "a penalty of absolute values"
                sentence = f"{rate:.6g} times {words}the parameter itself is added to {of}, as {why} would"
                yield kind, sentence, decayed(rate, term)


def _same(first: Array, second: Array) -> float | None:
    """Return by what all numbers of the second have to be multiplied to make the first, None where nothing does."""
    there = np.abs(second) > 1e-3 * np.abs(second).max(initial=0)
    if not there.any():
        return None
    with np.errstate(all="ignore"):
        factors = first[there] / second[there]
    middle = float(np.median(factors))
    same = np.isfinite(middle) and np.abs(first - middle * second).max() <= CLOSE * np.abs(first).max(initial=1e-300)
    return middle if same else None


def _norms(what: str, names: Sequence[str], right: Named, got: Named) -> Iterator[tuple[str, str, Change]]:
    """The whole scaled to a norm."""
    norm, was = _norm(got[n] for n in names), _norm(right[n] for n in names)
    for kind, eps, words in _SAFETY if norm < was else ():
        limit = norm * (was + eps) / was
        yield f"norm{kind}", f"{what} to a norm of at most {limit:.6g}{words}", normed(limit, eps)


def _norms_of_each(what: str, names: Sequence[str], right: Named, got: Named) -> Iterator[tuple[str, str, Change]]:
    """Every gradient scaled to a norm of its own."""
    reached = [(_norm([got[n]]), _norm([right[n]])) for n in names]
    cut = [(norm, was) for norm, was in reached if norm < was * (1 - CLOSE)]
    for kind, eps, words in _SAFETY if cut else ():
        limit = float(np.median([norm * (was + eps) / was for norm, was in cut]))
        yield f"norms{kind}", f"{what} to a norm of at most {limit:.6g}{words}", each_normed(limit, eps)


_SAFETY = (("", 0.0, ""), ("-safe", SAFE, f", {SAFE:g} being added to the norm before"))


def _norm(arrays: Any) -> float:
    return float(np.sqrt(sum(np.sum(np.square(a)) for a in arrays)))


def _scaled(gradients: Named, limit: float, eps: float) -> Named:
    factor = min(1.0, limit / max(_norm(gradients.values()) + eps, 1e-300))
    return {k: factor * d for k, d in gradients.items()}


def _around(cell: Program | Network, names: Sequence[str], change: Change) -> tuple[Wrap, ...]:
    """Return what is done around a backward pass from what happens to some gradients by name."""
    states = [f"{s}0" for s in cell.states]

    def decorator(pull: Backward) -> Backward:
        def changed(params: Named, *rest: Any, **rows: Any) -> tuple[Any, ...]:
            dparams, dx, *dstates = pull(params, *rest, **rows)
            # Of states that nobody gives there is no gradient.
            own = dict(zip(states if dstates else (), dstates, strict=True))
            every = {**dparams, "x": dx, **own}
            found = {**every, **change({n: every[n] for n in names}, params)}
            return {n: found[n] for n in dparams}, found["x"], *(found[s] for s in own)

        return changed

    return (Wrap(backward=decorator),)
