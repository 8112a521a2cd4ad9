"""Images turned, scaled and cropped, each by its own placement."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class TurnedCrop(ConfiguredLayer):
    """Turns an image about its centre, then cuts off a margin on all sides.

    An output point p, from the centre, shows q = R p / s + t of the image,
    R p = (x cos a + y sin a, -x sin a + y cos a): the content turns clockwise
    by a and grows by s. Bilinear; black beyond the border.

    Args:
        margin: pixels cut off each side.

    Call arguments:
        images: [B, H, W, 3].
        placements: [B, 4]: a in radians, log s, and t in pixels, to the right
            and down. Zeros cut off the margins and nothing else.

    Output:
        [B, H - 2 margin, W - 2 margin, 3].
    """

    def __init__(self, margin=0, **kwargs):
        super().__init__(**kwargs)
        self.margin = margin

    def call(self, images, placements):
        images = ops.cast(images, "float32")
        angle, grown, right, down = ops.unstack(
            ops.cast(placements, "float32"), 4, axis=-1
        )
        cosine, sine = (f(angle) / ops.exp(grown) for f in (ops.cos, ops.sin))
        y, x = ((side - 1) / 2 for side in images.shape[1:3])
        none = ops.zeros_like(angle)
        transform = [
            cosine,
            sine,
            x + right - cosine * x - sine * y,
            -sine,
            cosine,
            y + down + sine * x - cosine * y,
            none,
            none,
        ]
        turned = ops.image.affine_transform(
            images, ops.stack(transform, axis=-1), data_format="channels_last"
        )
        return ops.cast(self.cropped(turned), self.compute_dtype)

    def cropped(self, images):
        """Images without their margins."""
        _, height, width, _ = images.shape
        cut = self.margin
        return images[:, cut : height - cut, cut : width - cut]

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        cut = 2 * self.margin
        return (batch, height - cut, width - cut, channels)
