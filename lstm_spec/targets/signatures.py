"""Functions of one step as they are written in courses, in NumPy with a cache, run over a sequence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_spec.targets.contract import Target, TargetError
from lstm_spec.targets.layouts import layout as find_layout
from lstm_spec.targets.modules import backward_beside, kind_of
from lstm_spec.targets.recorded import Passes, Pull


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of a batch, all gates packed i, f, o, g in one kernel for x and one for h.

    forward(x, prev_h, prev_c, Wx, Wh, b) -> (next_h, next_c, cache), x: (B, n), h and c: (B, m), Wx: (n, 4m),
    Wh: (m, 4m), b: (4m,); backward(dnext_h, dnext_c, cache) -> (dx, dprev_h, dprev_c, dWx, dWh, db).
    """

    kind: str

    def target(self, made: Any, name: str) -> Target:
        """Return the target of a forward function; raises TargetError for what is none."""
        return _target(self.kind, self.step, self.back, made, name)

    @staticmethod
    def step(forward: Any, params: Mapping[str, Any], x: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
        """Run one step; returns h, c and the cache."""
        h, c, cache = forward(x, h, c, params["Wx"], params["Wh"], params["b"])
        return h, c, cache

    @staticmethod
    def back(backward: Any, dh: Any, dc: Any, cache: Any) -> tuple[dict[str, Any], Any, Any, Any]:
        """Run one step backward; returns the gradients of parameters, x, h and c."""
        dx, dh, dc, *others = backward(dh, dc, cache)
        return dict(zip(("Wx", "Wh", "b"), others, strict=True)), dx, dh, dc


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
        return _target(self.kind, self.step, self.back, made, name)

    @staticmethod
    def step(forward: Any, params: Mapping[str, Any], x: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
        """Run one step; returns h, c and the cache."""
        held = {key: p if p.ndim == 2 else p[:, None] for key, p in params.items()}
        prediction = {"Wy": np.zeros((1, h.shape[-1]), h.dtype), "by": np.zeros((1, 1), h.dtype)}
        h, c, _, cache = forward(x.T, h.T, c.T, {**held, **prediction})
        return h.T, c.T, cache

    @staticmethod
    def back(backward: Any, dh: Any, dc: Any, cache: Any) -> tuple[dict[str, Any], Any, Any, Any]:
        """Run one step backward; returns the gradients of parameters, x, h and c."""
        found = backward(dh.T, dc.T, cache)
        dparams = {f"W{gate}": found[f"dW{gate}"] for gate in "fico"}
        dparams |= {f"b{gate}": found[f"db{gate}"][:, 0] for gate in "fico"}
        return dparams, found["dxt"].T, found["da_prev"].T, found["dc_prev"].T


def _target(kind: str, step: Callable[..., Any], back: Callable[..., Any], forward: Any, name: str) -> Target:
    if not callable(forward):
        what = "needs a function of this form" if forward is None else f"takes a function, got {kind_of(forward)}"
        raise TargetError(f"{kind} {what}, as in file.py:lstm_step_forward")
    backward = backward_beside(forward)

    def unrolled(params: Mapping[str, Any], x: Any, h: Any, c: Any) -> tuple[tuple[Any, Any, Any], list[Any]]:
        hidden, caches = [], []
        for x_t in x:
            h, c, cache = step(forward, params, x_t, h, c)
            hidden.append(h)
            caches.append(cache)
        return (np.stack(hidden), h, c), caches

    def run(params: Mapping[str, Any], x: Any, h: Any, c: Any, lengths: Any) -> tuple[Any, ...]:
        return unrolled(params, x, h, c)[0]

    def record(params: Mapping[str, Any], x: Any, h: Any, c: Any, lengths: Any) -> tuple[tuple[Any, ...], Pull]:
        outputs, caches = unrolled(params, x, h, c)

        def pull(cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
            dy, dh, dc = cotangents
            total = {key: np.zeros_like(p) for key, p in params.items()}
            dx = []
            for dy_t, cache in zip(dy[::-1], caches[::-1], strict=True):
                own, dx_t, dh, dc = back(backward, dh + dy_t, dc, cache)
                total = {key: total[key] + own[key] for key in total}
                dx.append(dx_t)
            return (total, np.stack(dx[::-1]), dh, dc)

        return outputs, pull

    passes = Passes(run, None if backward is None else record)
    return Target(
        name=name,
        forward=passes.forward,
        differentiated=passes.differentiated,
        backward=passes.backward,
        layout=find_layout(kind.replace("-", "_")),
    )
