"""Images with two maps of which direction each pixel shows (OriCNN, 2019)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.utils.orientation import (
    directions_of,
    panorama_directions,
    polar_directions,
    square_positions,
    top_pitch,
)

_COLORS = 3


@keras.saving.register_keras_serializable("mgtl_tf")
class OrientationChannels(ConfiguredLayer):
    """RGB image to BGR and direction, all from -1 to 1.

    Images that come with their maps, as training's do where they were turned
    or cropped, keep them; all others get those of an image whose north is
    where it should be.

    Args:
        form: "panorama" (azimuth / pi and pitch / pi), or "square" or "polar"
            (azimuth / pi and 2 rho - 1, rho the distance from the camera); see
            `utils.orientation`.
        top: of panoramas, size of the top row's pitch / pi; 0: as many
            degrees a pixel as across. Pitch that images come with is
            stretched alike: only turns about the vertical keep it.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3], or with maps [B, H, W, 5].

    Output:
        [B, H, W, 5]: blue, green, red, azimuth, pitch or distance.
    """

    def __init__(self, form="panorama", top=0.0, **kwargs):
        super().__init__(**kwargs)
        self.form = form
        self.top = top

    def call(self, images):
        # In float32: bfloat16 resolves 0..255 only to whole grey levels.
        images = ops.cast(images, "float32")
        colors = ops.flip(images[..., :_COLORS], axis=-1) / 127.5 - 1.0
        maps = images[..., _COLORS:]
        if images.shape[-1] == _COLORS:
            own = self._maps(*images.shape[1:3])[None]
            own = ops.convert_to_tensor(own, "float32")
            maps = ops.repeat(own, ops.shape(images)[0], axis=0)
        if self.top and self.form == "panorama":
            # At least one pixel high, where the pitch is 0 anyway.
            given = top_pitch(max(2, images.shape[1]), images.shape[2])
            maps = maps * ops.convert_to_tensor([1.0, self.top / given])
        result = ops.concatenate([colors, maps], axis=-1)
        return ops.cast(result, self.compute_dtype)

    def _maps(self, height, width):
        if self.form == "panorama":
            return panorama_directions(height, width)
        if self.form == "polar":
            return polar_directions(height, width)
        return directions_of(square_positions(height))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:3], _COLORS + 2)
