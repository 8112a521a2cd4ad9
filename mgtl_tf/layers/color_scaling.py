"""RGB images as pretrained networks expect them."""

from __future__ import annotations

from keras import ops

# Of ImageNet, red, green and blue, as shares of 255.
_MEANS_RGB = (0.485, 0.456, 0.406)
_DEVIATIONS_RGB = (0.229, 0.224, 0.225)


def bgr_less(images, means, dtype):
    """BGR less a mean of each channel, for networks of the Caffe family.

    Args:
        images: RGB, 0..255, [B, H, W, 3] of any dtype.
        means: of blue, green and red, grey levels.
        dtype: of the result.
    """
    # In float32: bfloat16 resolves 0..255 only to whole grey levels.
    bgr = ops.flip(ops.cast(images, "float32"), axis=-1)
    return ops.cast(bgr - ops.convert_to_tensor(means, "float32"), dtype)


def standardized(images, dtype):
    """RGB less ImageNet's means, by its standard deviations.

    Args:
        images: RGB, 0..255, [B, H, W, 3] of any dtype.
        dtype: of the result.
    """
    # In float32: bfloat16 resolves 0..255 only to whole grey levels.
    shares = ops.cast(images, "float32") / 255.0
    means = ops.convert_to_tensor(_MEANS_RGB, "float32")
    deviations = ops.convert_to_tensor(_DEVIATIONS_RGB, "float32")
    return ops.cast((shares - means) / deviations, dtype)
