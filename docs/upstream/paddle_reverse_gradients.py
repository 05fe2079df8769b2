"""PaddlePaddle 3.3: with sequence_length and initial states, gradients of nn.LSTM's reverse direction are wrong.

The gradient of the sum of all outputs by weight_hh_l0_reverse, against central differences of the forward pass. It is
as if the reverse direction did not begin at the initial h where a row is shorter than the sequence.
"""

import numpy as np
import paddle

paddle.set_device("cpu")
paddle.set_default_dtype("float64")
paddle.seed(0)
layer = paddle.nn.LSTM(2, 3, direction="bidirect")
x, states = paddle.randn([2, 4, 2]), (paddle.randn([2, 2, 3]), paddle.randn([2, 2, 3]))


def total(lengths):
    y, (h, c) = layer(x, states, paddle.to_tensor(lengths))
    return y.sum() + h.sum() + c.sum()


parameters = dict(layer.named_parameters())
for lengths in ([4, 4], [4, 2]):
    gradients = dict(zip(parameters, paddle.grad(total(lengths), list(parameters.values())), strict=True))
    for name in ("weight_hh_l0", "weight_hh_l0_reverse"):
        parameter, gradient = parameters[name], gradients[name]
        value, wanted = parameter.numpy(), np.zeros(parameter.shape)
        for place in np.ndindex(*value.shape):
            sides = []
            for step in (1e-6, -1e-6):
                moved = value.copy()
                moved[place] += step
                parameter.set_value(paddle.to_tensor(moved))
                sides.append(float(total(lengths)))
            wanted[place] = (sides[0] - sides[1]) / 2e-6
        parameter.set_value(paddle.to_tensor(value))
        print(f"lengths {lengths}, {name}: off by up to {np.abs(gradient.numpy() - wanted).max():.1e}")
