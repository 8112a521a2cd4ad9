"""Local response normalisation, as AlexNet has it after its first layers."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class LocalResponseNormalization(ConfiguredLayer):
    """Every number divided by what its neighbouring channels answer.

    y_c = x_c / (1 + alpha / n * sum of x_k^2)^beta, k over the n channels
    around c, those that there are; alpha is divided by n, as Caffe does
    (Krizhevsky et al. 2012).

    Args:
        size: n, odd.
        alpha, beta: as in the formula.

    Call arguments:
        features: [B, h, w, C].

    Output:
        [B, h, w, C].
    """

    def __init__(self, size=5, alpha=1e-4, beta=0.75, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.alpha = alpha
        self.beta = beta

    def call(self, features):
        single = ops.cast(features, "float32")
        radius, channels = self.size // 2, features.shape[-1]
        around = [(0, 0)] * 3 + [(radius, radius)]
        squares = ops.pad(ops.square(single), around)
        total = sum(squares[..., k : k + channels] for k in range(self.size))
        scale = ops.power(1.0 + self.alpha / self.size * total, self.beta)
        return ops.cast(single / scale, self.compute_dtype)
