"""The polar transform as a Keras layer, for graphs without OpenCV."""

from __future__ import annotations

import keras
from keras import ops

from polar.geometry import sampling_grid


@keras.saving.register_keras_serializable("polar")
class PolarTransform(keras.layers.Layer):
    """Warps square aerial images so that their columns are azimuths.

    The equation of `polar.geometry`, bilinear, zero outside, in float32
    under every dtype policy: bfloat16 cannot number an image's columns.

    Args:
        height, width: H and W of the result, pixels.

    Call arguments:
        images: [B, S, S, 3], any real dtype, north up; S may be unknown
            until the graph runs.

    Output:
        float32 [B, H, W, 3]; north in the centre column.
    """

    def __init__(self, height=112, width=616, **kwargs):
        super().__init__(**kwargs)
        self.height = height
        self.width = width

    def call(self, images):
        """The polar images [B, H, W, 3] of aerial images [B, S, S, 3].

        Raises:
            ValueError: where the images are known not to be square.
        """
        images = ops.cast(images, "float32")
        side = _side(images)
        row, column = self._source(ops.cast(side, "float32"))
        top, left = ops.floor(row), ops.floor(column)
        below, right = row - top, column - left  # weights, [H, W]
        return (
            self._pixels(images, side, top, left, (1 - below) * (1 - right))
            + self._pixels(images, side, top, left + 1, (1 - below) * right)
            + self._pixels(images, side, top + 1, left, below * (1 - right))
            + self._pixels(images, side, top + 1, left + 1, below * right)
        )

    def _source(self, side):
        """Source rows and columns [H, W]: the equation is linear in S."""
        rows, columns = sampling_grid(1, self.height, self.width)
        return (
            side * ops.convert_to_tensor(rows, "float32"),
            side * ops.convert_to_tensor(columns, "float32"),
        )

    def _pixels(self, images, side, row, column, weight):
        """Weighted pixels at whole positions; those outside weigh nothing."""
        row, column = ops.cast(row, "int32"), ops.cast(column, "int32")
        inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
        weight = weight * ops.cast(inside, "float32")
        place = ops.clip(row, 0, side - 1) * side
        place = place + ops.clip(column, 0, side - 1)  # [H, W]
        count, height, width = ops.shape(images)[:3]
        flat = ops.reshape(images, (count, height * width, 3))
        return ops.take(flat, place, axis=1) * weight[..., None]

    def compute_output_spec(self, images):
        """Float32 [B, H, W, 3], whatever the policy."""
        return keras.KerasTensor(
            (images.shape[0], self.height, self.width, 3), "float32"
        )

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
        }


def _side(images):
    """S of [B, S, S, 3], whole pixels."""
    height, width = images.shape[1:3]
    if None not in (height, width) and height != width:
        raise ValueError(
            f"images of shape {tuple(images.shape)}: must be square,"
            " [B, S, S, 3]"
        )
    # Of oblong images that only the running graph sees, the longer side:
    # `ops.take` then asks for pixels beyond the last, which every runtime
    # refuses on a processor, exported files' ones too.
    height, width = ops.shape(images)[1:3]
    return ops.maximum(height, width)
