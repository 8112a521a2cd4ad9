"""A convolution whose kernel has spectral norm 1 (Miyato et al. 2018)."""

from __future__ import annotations

import keras
from keras import ops

_EPSILON = 1e-12


@keras.saving.register_keras_serializable("mgtl_tf")
class SpectralConv2D(keras.layers.Conv2D):
    """Keras' Conv2D with kernel / sigma in place of its kernel.

    sigma = u^T W v is the largest singular value of the kernel as a matrix
    W [filters, the rest], by power iteration: v = W^T u / |W^T u|, u = W v /
    |W v|, one a training call, u kept from call to call. The weight that is
    learnt is the kernel itself, and the gradient passes through sigma (u and v
    count as constants), as in PyTorch: Keras' own SpectralNormalization
    overwrites the kernel. In evaluation u stays, and v is taken of it.

    Args:
        filters, kernel_size, strides, use_bias, ...: of keras.layers.Conv2D.
        reflect: whether the input is padded by its own mirror image, by half
            the kernel on all sides, in place of `padding`.

    Call arguments:
        inputs: [B, H, W, C].
        training: whether u is moved.

    Output:
        as of keras.layers.Conv2D; with `reflect` as of SAME.
    """

    def __init__(
        self, filters, kernel_size, strides=1, reflect=False, **kwargs
    ):
        padding = kwargs.pop("padding", "valid")
        super().__init__(
            filters,
            kernel_size,
            strides,
            "valid" if reflect else padding,
            **kwargs,
        )
        self.reflect = reflect

    def build(self, input_shape):
        batch, *sides, channels = input_shape
        more = [2 * (side // 2) * self.reflect for side in self.kernel_size]
        sides = [n + m for n, m in zip(sides, more, strict=True)]
        super().build((batch, *sides, channels))
        self.direction = self.add_weight(
            name="direction",
            shape=(self.filters,),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
        )

    def add_weight(self, *args, **kwargs):
        """As any layer's; no policy rounds it before sigma is known."""
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def save_own_variables(self, store):
        """All three; Keras' convolutions know only kernel and bias."""
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        """What `save_own_variables` wrote."""
        keras.layers.Layer.load_own_variables(self, store)

    def normalized_kernel(self, training=None):
        """kernel / sigma, float32; while training u takes a step."""
        kernel = ops.cast(self.kernel, "float32")
        matrix = ops.transpose(ops.reshape(kernel, (-1, self.filters)))
        fixed = ops.stop_gradient(matrix)
        left = _unit(ops.cast(self.direction, "float32"))
        right = _unit(ops.matmul(left, fixed))
        if training:
            left = _unit(ops.matmul(fixed, right))
            self.direction.assign(left)
        sigma = ops.sum(left * ops.matmul(matrix, right))
        return kernel / ops.maximum(sigma, _EPSILON)

    def call(self, inputs, training=None):
        if self.reflect:
            around = [(side // 2, side // 2) for side in self.kernel_size]
            inputs = ops.pad(inputs, [(0, 0), *around, (0, 0)], "reflect")
        kernel = ops.cast(self.normalized_kernel(training), inputs.dtype)
        found = self.convolution_op(inputs, kernel)
        if self.use_bias:
            found = found + ops.cast(self.bias, found.dtype)
        return self.activation(found)

    def compute_output_shape(self, input_shape):
        if not self.reflect:
            return super().compute_output_shape(input_shape)
        batch, *sides, _ = input_shape
        sides = [-(-n // s) for n, s in zip(sides, self.strides, strict=True)]
        return (batch, *sides, self.filters)

    def get_config(self):
        return {**super().get_config(), "reflect": self.reflect}


def _unit(vector):
    norm = ops.sqrt(ops.sum(ops.square(vector)))
    return ops.stop_gradient(vector / ops.maximum(norm, _EPSILON))
