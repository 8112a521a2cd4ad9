"""RGB images as networks of the Caffe family expect them."""

from __future__ import annotations

from keras import ops


def bgr_less(images, means, dtype):
    """BGR less a mean of each channel.

    Args:
        images: RGB, 0..255, [B, H, W, 3] of any dtype.
        means: of blue, green and red, grey levels.
        dtype: of the result.
    """
    # In float32: bfloat16 resolves 0..255 only to whole grey levels.
    bgr = ops.flip(ops.cast(images, "float32"), axis=-1)
    return ops.cast(bgr - ops.convert_to_tensor(means, "float32"), dtype)
