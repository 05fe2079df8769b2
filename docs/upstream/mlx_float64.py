"""MLX 0.32 on the CPU: exp and sigmoid of float64 arrays have the accuracy of float32."""

import mlx.core as mx
import numpy as np

x = np.linspace(-3, 3, 6)
given = mx.array(x, dtype=mx.float64)
for name, exact in (("exp", np.exp(x)), ("sigmoid", 1 / (1 + np.exp(-x))), ("tanh", np.tanh(x))):
    error = np.abs(np.array(getattr(mx, name)(given)) / exact - 1)
    print(f"{name}: largest relative error {error.max():.1e}")
