"""tinygrad 0.14: the gradient of tanh(1 + tanh(x)) is NaN where the inner tanh saturates; it should be 0.

DEV=PYTHON python tinygrad_saturated.py
"""

import numpy as np
from tinygrad import Tensor

for value in (-10.0, -30.0, -50.0, -100.0):
    x = Tensor(np.array([value], np.float32))
    (gradient,) = (x.tanh() + 1).tanh().sum().gradient(x)
    print(f"x = {value:g}: {gradient.numpy()[0]}")
