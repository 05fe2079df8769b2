"""Keras 3.15 on torch: an unrolled layer that goes backwards cannot take a mask.

`torch.flip(mask_list, dims=mask_list.shape)` is called with a tuple of tensors. KERAS_BACKEND=torch python ….py
"""

import keras
import numpy as np

layer = keras.layers.LSTM(3, unroll=True, go_backwards=True)
x, mask = np.ones((1, 4, 2), np.float32), np.array([[True, True, True, False]])
try:
    layer(x, mask=mask)
    print("no error")
except AttributeError as error:
    print("AttributeError:", error)
