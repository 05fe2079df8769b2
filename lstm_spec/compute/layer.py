"""The hand-written LSTM layer in NumPy, forward and backward: the built-in target ``numpy``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_spec.compute.layer_backward import Backward
from lstm_spec.compute.layer_forward import Forward, Sizes
from lstm_spec.compute.layer_parameters import Options

Array = npt.NDArray[Any]


class Workspace:
    """The buffers of a layer for one set of sizes, to run it often without laying them out again.

    What it is given it never changes, and what it returns is new: results stay valid after the next run. A
    workspace is for one thread at a time.
    """

    def __init__(self, options: Options, sizes: Sizes, *, backward: bool) -> None:
        self.sizes = sizes
        self._shapes = options.shapes(sizes.n, sizes.m, sizes.q)
        self._forward = Forward(options, sizes, keep=backward)
        self._backward = Backward(self._forward) if backward else None
        self._ran = False

    def forward(self, params: Mapping[str, Array], x: Array, h0: Array, c0: Array) -> tuple[Array, Array, Array]:
        """Run the layer over a sequence; arguments, returns and errors as `Layer.forward`."""
        T, B, n, m, q = self.sizes.T, self.sizes.B, self.sizes.n, self.sizes.m, self.sizes.q
        params = self._checked_parameters(params)
        x, h0, c0 = (self._checked(*v) for v in (("x", x, (T, B, n)), ("h0", h0, (B, q)), ("c0", c0, (B, m))))
        self._ran = True
        return self._forward.run(params, x, h0, c0)

    def backward(self, dy: Array, dh: Array, dc: Array) -> tuple[dict[str, Array], Array, Array, Array]:
        """Take the cotangents back through the sequence that `forward` ran last.

        Arguments, returns and errors are those of `Layer.backward`; raises RuntimeError where there is no such
        sequence.
        """
        T, B, m, q = self.sizes.T, self.sizes.B, self.sizes.m, self.sizes.q
        if self._backward is None or not self._ran:
            raise RuntimeError("backward needs a forward pass in a workspace that was made with backward=True")
        dy, dh, dc = (self._checked(*v) for v in (("dy", dy, (T, B, q)), ("dh", dh, (B, q)), ("dc", dc, (B, m))))
        return self._backward.run(dy, dh, dc)

    def _checked_parameters(self, params: Mapping[str, Array]) -> dict[str, Array]:
        if params.keys() != self._shapes.keys():
            wrong = ", ".join(sorted(params.keys() ^ self._shapes.keys()))
            raise ValueError(
                f"params must have the keys {list(self._shapes)}, got {list(params)}; they differ in {wrong}"
            )
        return {name: self._checked(name, params[name], shape) for name, shape in self._shapes.items()}

    def _checked(self, name: str, value: Array, shape: tuple[int, ...]) -> Array:
        value = np.asarray(value)
        if value.shape != shape:
            raise ValueError(f"{name} must have the shape {shape}, got {value.shape}")
        if value.dtype != self.sizes.dtype:
            raise ValueError(f"{name} must have the dtype {self.sizes.dtype}, got {value.dtype}")
        return value


@dataclass(frozen=True)
class Layer:
    """An LSTM layer with the options it was made with; it holds no weights and no buffers."""

    options: Options

    def workspace(
        self, *, T: int, B: int, n: int, m: int, q: int | None = None, dtype: npt.DTypeLike, backward: bool = True
    ) -> Workspace:
        """Buffers for sequences of T steps, batch B, input size n, hidden size m and, with a projection, size q of h.

        Without ``backward`` they keep one step instead of all of them.
        """
        return Workspace(self.options, Sizes(T, B, n, m, m if q is None else q, np.dtype(dtype)), backward=backward)

    def forward(self, params: Mapping[str, Array], x: Array, h0: Array, c0: Array) -> tuple[Array, Array, Array]:
        """Run the layer over a sequence.

        Arguments
        ---------
        params: the parameters by name, `W_f` (m,n+m), `b_f` (m,), `p_f` (m,), …, as the options have them.
        x: inputs (T,B,n), of any floating-point dtype, which all other arrays must share.
        h0, c0: initial hidden and cell state (B,m); with a projection h0 is (B,q).

        Returns
        -------
        y (T,B,m), and the final states h (B,m) and c (B,m); with a projection y and h have size q.

        Raises
        ------
        ValueError
            for a parameter that is missing or unknown, a wrong shape, or a wrong dtype.

        Source: Greff et al., "LSTM: A Search Space Odyssey" (2017), equations of section II.
        """
        return _workspace_for(self.options, x, h0, c0, backward=False).forward(params, x, h0, c0)

    def backward(
        self,
        params: Mapping[str, Array],
        x: Array,
        h0: Array,
        c0: Array,
        dy: Array,
        dh: Array,
        dc: Array,
    ) -> tuple[dict[str, Array], Array, Array, Array]:
        """Take the cotangents of all three outputs back to everything that went in.

        Arguments
        ---------
        params, x, h0, c0: as for `forward`.
        dy: cotangent of y (T,B,m), without what flows through h.
        dh, dc: cotangents of the final states h and c (B,m).

        Returns
        -------
        dparams with the names and shapes of params, dx (T,B,n), dh0 (B,m) and dc0 (B,m).

        Raises
        ------
        ValueError
            as `forward`.

        Source: Greff et al. (2017), section III, with the terms of h0, c0 and of the final states, which the
        printed sums leave out.
        """
        workspace = _workspace_for(self.options, x, h0, c0, backward=True)
        workspace.forward(params, x, h0, c0)
        return workspace.backward(dy, dh, dc)


def numpy_layer(
    *,
    peepholes: str = "",
    coupled: str | None = None,
    concat: str | None = "xh",
    biases: int = 1,
    projection: bool = False,
    activations: Mapping[str, str] | None = None,
    clip: Mapping[str, float] | None = None,
) -> Layer:
    """Make an LSTM layer.

    Arguments
    ---------
    peepholes: the gates among "fio" that see the cell state: f and i see c_{t-1}, o sees c_t.
    coupled: None, "f=1-i" or "i=1-f"; the coupled gate has no parameters.
    concat: order of the concatenation, "xh" or "hx", or None for separate W_f (m,n) and R_f (m,m).
    biases: 0, 1 or 2 per gate; the second is called bR_f, ….
    projection: whether h = W_p (o∘tanh(c)) with W_p (q,m).
    activations: names by gate "f", "i", "c", "o", and by "h" for the output squash: sigmoid, tanh,
        hard_sigmoid (clip(a/6+0.5, 0, 1)), hard_sigmoid_onnx (clip(0.2a+0.5, 0, 1)), relu, identity,
        softsign, softplus.
    clip: limits ±limit by what they hold: "a" for every pre-activation, "c" for the new cell state, "p" for the
        projection; nothing flows back where the value was cut off.

    Returns
    -------
    an object with ``forward``, ``backward`` and ``workspace``.

    Raises
    ------
    ValueError
        for a value that is not in the table of its option.
    """
    return Layer(
        Options(
            peepholes=peepholes,
            coupled=coupled,
            concat=concat,
            biases=biases,
            projection=projection,
            activations=dict(activations or {}),
            clip=dict(clip or {}),
        )
    )


def _workspace_for(options: Options, x: Array, h0: Array, c0: Array, *, backward: bool) -> Workspace:
    x, h0, c0 = np.asarray(x), np.asarray(h0), np.asarray(c0)
    if x.ndim != 3:
        raise ValueError(f"x must have the shape (T, B, n), got {x.shape}")
    if h0.ndim != 2:
        raise ValueError(f"h0 must have the shape (B, m), got {h0.shape}")
    if options.projection and c0.ndim != 2:
        raise ValueError(f"c0 must have the shape (B, m), got {c0.shape}")
    if x.dtype.kind != "f":
        raise ValueError(f"x must have a floating-point dtype, got {x.dtype}")
    (T, B, n), q = x.shape, h0.shape[1]
    m = c0.shape[1] if options.projection else q
    return Workspace(options, Sizes(T, B, n, m, q, x.dtype), backward=backward)


_vanilla = numpy_layer()
forward = _vanilla.forward
backward = _vanilla.backward
