"""Keras 3.15: layers with dtype="float64" compute in float32 inside, on the backends numpy, torch and jax.

`keras.ops.matmul` (numpy, torch) and `keras.ops.tanh` (numpy, jax) of float64 tensors return float32; a layer casts its
results to float64 at the end. KERAS_BACKEND=numpy python keras_float64.py
"""

import keras
import numpy as np

if keras.backend.backend() == "jax":
    import jax

    jax.config.update("jax_enable_x64", True)

x = keras.ops.convert_to_tensor(np.linspace(-1, 1, 9).reshape(3, 3), dtype="float64")
for name, result in (("matmul", keras.ops.matmul(x, x)), ("tanh", keras.ops.tanh(x))):
    print(keras.backend.backend(), name, "of float64 is", keras.backend.standardize_dtype(result.dtype))
