"""Functions as they are written in courses, in NumPy with a cache: one step, run over a sequence, or a sequence."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from lstm_spec.targets.calls import MisbehaviourError
from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.modules import backward_beside, kind_of
from lstm_spec.targets.recorded import Passes, Pull

Params = Mapping[str, Any]
Recorded = tuple[tuple[Any, ...], Pull]

FORMS: Mapping[str, str] = {
    "numpy-rows": "forward(x, prev_h, prev_c, Wx, Wh, b) -> (next_h, next_c, cache)",
    "numpy-columns": "forward(xt, a_prev, c_prev, parameters) -> (a_next, c_next, yt_pred, cache)",
    "numpy-rows-sequence": "forward(x, h0, Wx, Wh, b) -> (h, cache)",
    "numpy-columns-sequence": "forward(x, a0, parameters) -> (a, y, c, caches)",
}
"""What each kind of function takes and returns."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of a batch, all gates packed i, f, o, g in one kernel for x and one for h.

    forward(x, prev_h, prev_c, Wx, Wh, b) -> (next_h, next_c, cache), x: (B, n), h and c: (B, m), Wx: (n, 4m),
    Wh: (m, 4m), b: (4m,); backward(dnext_h, dnext_c, cache) -> (dx, dprev_h, dprev_c, dWx, dWh, db).
    """

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a forward function; raises TargetError for what is none."""
        return _target(self.kind, partial(_stepped, self.step, self.back), made, name)

    @staticmethod
    def step(forward: Any, params: Params, x: Any, h: Any, c: Any) -> tuple[Any, ...]:
        """Run one step; returns h, c and the cache."""
        returned = forward(x, h, c, params["Wx"], params["Wh"], params["b"])
        return _values(returned, "forward", ("next_h", "next_c", "cache"))

    @staticmethod
    def back(backward: Any, dh: Any, dc: Any, cache: Any) -> tuple[dict[str, Any], Any, Any, Any]:
        """Run one step backward; returns the gradients of parameters, x, h and c."""
        names = ("dx", "dprev_h", "dprev_c", "dWx", "dWh", "db")
        dx, dh, dc, *others = _values(backward(dh, dc, cache), "backward", names)
        return dict(zip(("Wx", "Wh", "b"), others, strict=True)), dx, dh, dc


@dataclass(frozen=True, kw_only=True)
class RowsSequence:
    """A sequence of rows, packed as in ``Rows``; c begins at zero and is not returned.

    forward(x, h0, Wx, Wh, b) -> (h, cache), x: (B, T, n), h0: (B, m), h: (B, T, m); backward(dh, cache) ->
    (dx, dh0, dWx, dWh, db).
    """

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a forward function; raises TargetError for what is none."""
        return _target(self.kind, self.record, made, name, initial=("h",), final=(), axes="BTI")

    @staticmethod
    def record(forward: Any, backward: Any, params: Params, x: Any, h0: Any) -> Recorded:
        """Run a sequence; returns y, and what pulls its cotangent back."""
        returned = forward(x, h0, params["Wx"], params["Wh"], params["b"])
        h, cache = _values(returned, "forward", ("h", "cache"))

        def pull(cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
            names = ("dx", "dh0", "dWx", "dWh", "db")
            dx, dh0, *others = _values(backward(cotangents[0], cache), "backward", names)
            return dict(zip(("Wx", "Wh", "b"), others, strict=True)), dx, dh0

        return (h,), pull


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Columns of a batch, one matrix and one bias per gate, over h above x, in a dictionary.

    forward(xt, a_prev, c_prev, parameters) -> (a_next, c_next, yt_pred, cache), xt: (n, B), a and c: (m, B),
    parameters: Wf, Wi, Wc, Wo (m, m+n), bf, bi, bc, bo (m, 1), and Wy (1, m), by (1, 1) of a prediction that nobody
    looks at; backward(da_next, dc_next, cache) -> a dictionary of dxt, da_prev, dc_prev, dWf, dbf, ….
    """

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a forward function; raises TargetError for what is none."""
        return _target(self.kind, partial(_stepped, self.step, self.back), made, name)

    @staticmethod
    def step(forward: Any, params: Params, x: Any, h: Any, c: Any) -> tuple[Any, ...]:
        """Run one step; returns h, c and the cache."""
        returned = forward(x.T, h.T, c.T, _in_columns(params, h))
        h, c, _, cache = _values(returned, "forward", ("a_next", "c_next", "yt_pred", "cache"))
        return _turned(h, "a_next"), _turned(c, "c_next"), cache

    @staticmethod
    def back(backward: Any, dh: Any, dc: Any, cache: Any) -> tuple[dict[str, Any], Any, Any, Any]:
        """Run one step backward; returns the gradients of parameters, x, h and c."""
        found = backward(dh.T, dc.T, cache)
        dparams = _gradients(found, ("dxt", "da_prev", "dc_prev"))
        return dparams, *(_turned(found[key], key) for key in ("dxt", "da_prev", "dc_prev"))


@dataclass(frozen=True, kw_only=True)
class ColumnsSequence:
    """A sequence of columns, with the parameters of ``Columns``; c begins at zero.

    forward(x, a0, parameters) -> (a, y, c, caches), x: (n, B, T), a0: (m, B), a and c: (m, B, T), y a prediction that
    nobody looks at; backward(da, caches) -> a dictionary of dx, da0, dWf, dbf, …, for a cotangent of every a.
    """

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a forward function; raises TargetError for what is none."""
        return _target(self.kind, self.record, made, name, initial=("h",), cotangents=())

    @staticmethod
    def record(forward: Any, backward: Any, params: Params, x: Any, h0: Any) -> Recorded:
        """Run a sequence; returns y and the final states, and what pulls the cotangent of y back."""
        returned = forward(x.transpose(2, 1, 0), h0.T, _in_columns(params, h0))
        a, _, c, caches = _values(returned, "forward", ("a", "y", "c", "caches"))
        h, c = (_turned(array, name, axes=3) for name, array in (("a", a), ("c", c)))

        def pull(cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
            found = backward(cotangents[0].transpose(2, 1, 0), caches)
            dparams = _gradients(found, ("dx", "da0"))
            return dparams, _turned(found["dx"], "dx", axes=3), _turned(found["da0"], "da0")

        return (h, h[-1], c[-1]), pull


def _in_columns(params: Params, h: Any) -> dict[str, Any]:
    """Return parameters with biases as columns, and those of a prediction of one number; h: (B, m)."""
    held = {key: p if p.ndim == 2 else p[:, None] for key, p in params.items()}
    return {**held, "Wy": np.zeros((1, h.shape[-1]), h.dtype), "by": np.zeros((1, 1), h.dtype)}


def _gradients(found: Any, others: Sequence[str]) -> dict[str, Any]:
    """Return the gradients of parameters from a dictionary that has to hold others too; raises MisbehaviourError."""
    wanted = (*others, *(f"d{kind}{gate}" for kind in "Wb" for gate in "fico"))
    if not isinstance(found, Mapping):
        raise MisbehaviourError(f"backward returned {kind_of(found)}; expected a dictionary of {', '.join(wanted)}")
    if missing := [key for key in wanted if key not in found]:
        raise MisbehaviourError(f"the gradients lack {', '.join(missing)}; expected {', '.join(wanted)}")
    weights = {f"W{gate}": found[f"dW{gate}"] for gate in "fico"}
    return weights | {f"b{gate}": _column(found[f"db{gate}"], f"db{gate}") for gate in "fico"}


def _column(array: Any, name: str) -> Any:
    if np.ndim(array) != 2 or np.shape(array)[1] != 1:
        raise MisbehaviourError(f"{name} has shape {np.shape(array)}; expected a column (m, 1)")
    return array[:, 0]


def _turned(array: Any, name: str, *, axes: int = 2) -> Any:
    """Return an array with its axes in reverse order, columns as rows; raises MisbehaviourError for another number."""
    if not isinstance(array, np.ndarray) or array.ndim != axes:
        held = f"has shape {np.shape(array)}" if isinstance(array, np.ndarray) else f"is {kind_of(array)}"
        raise MisbehaviourError(f"{name} {held}; expected an array of {axes} axes, rows of the batch the second one")
    return array.transpose()


def _values(returned: Any, what: str, names: tuple[str, ...]) -> tuple[Any, ...]:
    """Return what a function returned; raises MisbehaviourError where that are not so many values."""
    if not isinstance(returned, tuple | list) or len(returned) != len(names):
        count = f"{len(returned)} values" if isinstance(returned, tuple | list) else kind_of(returned)
        raise MisbehaviourError(f"{what} returned {count}; expected {len(names)}: ({', '.join(names)})")
    return tuple(returned)


def _stepped(
    step: Callable[..., Any],
    back: Callable[..., Any],
    forward: Any,
    backward: Any,
    params: Params,
    x: Any,
    h: Any,
    c: Any,
) -> Recorded:
    """Run a step over a sequence; returns y and the final states, and what pulls their cotangents back."""
    hidden, caches = [], []
    for x_t in x:
        h, c, cache = step(forward, params, x_t, h, c)
        hidden.append(h)
        caches.append(cache)

    def pull(cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
        dy, dh, dc = cotangents
        total = {key: np.zeros_like(p) for key, p in params.items()}
        dx = []
        for dy_t, cache in zip(dy[::-1], caches[::-1], strict=True):
            own, dx_t, dh, dc = back(backward, dh + dy_t, dc, cache)
            total = {key: total[key] + own[key] for key in total}
            dx.append(dx_t)
        return (total, np.stack(dx[::-1]), dh, dc)

    return (np.stack(hidden), h, c), pull


def _target(
    kind: str,
    record: Callable[..., Recorded],
    forward: Any,
    name: str,
    *,
    axes: str = "TBI",
    initial: tuple[str, ...] = ("h", "c"),
    final: tuple[str, ...] = ("h", "c"),
    cotangents: tuple[str, ...] | None = None,
) -> Target:
    """Return the target of a function of a kind, which ``record`` runs; initial, final, cotangents: as it has them."""
    if not callable(forward):
        what = "needs a function of this form" if forward is None else f"takes a function, got {kind_of(forward)}"
        raise TargetError(f"{kind} {what}, as in file.py:lstm_step_forward")
    _check_takes(forward, kind, name)
    backward = backward_beside(forward)
    run = partial(record, forward, backward)
    passes = Passes(
        run=lambda *given: run(*given[:-1])[0],
        record=None if backward is None else lambda *given: run(*given[:-1]),
        states=len(initial),
    )
    return Target(
        name=name,
        forward=passes.forward,
        differentiated=passes.differentiated,
        backward=passes.backward,
        layout=replace(find_layout(kind.removesuffix("-sequence").replace("-", "_")), axes=axes),
        initial=initial,
        final=final,
        cotangents=cotangents,
    )


def _check_takes(forward: Any, kind: str, name: str) -> None:
    """Raise TargetError for a function that does not take as many arguments as its kind is given."""
    if _takes(forward, kind):
        return
    fitting = [other for other in FORMS if _takes(forward, other)]
    hint = f"; it may be {fitting[0]}" if fitting else ""
    raise TargetError(f"{name} takes {inspect.signature(forward)}; {kind} is {FORMS[kind]}{hint}")


def _takes(forward: Any, kind: str) -> bool:
    count = FORMS[kind].partition(")")[0].count(",") + 1
    try:
        inspect.signature(forward).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        # What is written in C does not say what it takes.
        return True
    return True
