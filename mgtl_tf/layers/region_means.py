"""Means of a feature map over regions, in an order that both views share."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer

REGIONS = ("whole", "columns", "square")
_PARTS = 4


@keras.saving.register_keras_serializable("mgtl_tf")
class RegionMeans(ConfiguredLayer):
    """A map's mean, or those of its four quarters, south-west first.

    A panorama's column 0 looks south, so that its quarters, from left to
    right, look to the south-west, north-west, north-east and south-east: the
    order in which a north-up aerial image's quarters are taken: bottom left,
    top left, top right, bottom right. A turn of both views by a right angle
    moves all quarters on by one.

    Where a side is not divided evenly, quarters share cells of its middle.

    Args:
        regions: "whole": the mean of all cells; "columns": of quarters of a
            panorama's (or polar image's) width; "square": of a north-up
            image's quarters.

    Call arguments:
        features: [B, h, w, C].

    Output:
        [B, R, C], R = 1 of the whole map and 4 of quarters.

    Reference: Zhang and Zhu, "Aligning Geometric Spatial Layout in Cross-View
    Geo-Localization via Feature Recombination" (FRGeo), AAAI 2024.
    """

    def __init__(self, regions="whole", **kwargs):
        super().__init__(**kwargs)
        if regions not in REGIONS:
            raise ValueError(
                f"regions={regions!r}: must be one of {', '.join(REGIONS)}"
            )
        self.regions = regions

    def call(self, features):
        height, width = features.shape[1:3]
        parts = [
            ops.mean(features[:, rows, columns], axis=(1, 2))
            for rows, columns in self._regions(height, width)
        ]
        return ops.stack(parts, axis=1)

    def _regions(self, height, width):
        """(rows, columns) of every region, in order."""
        if self.regions == "columns":
            return [(slice(None), c) for c in _divided(width, _PARTS)]
        if self.regions == "square":
            (top, bottom), (left, right) = (
                _divided(height, 2),
                _divided(width, 2),
            )
            return [(bottom, left), (top, left), (top, right), (bottom, right)]
        return [(slice(None), slice(None))]

    def compute_output_shape(self, input_shape):
        count = 1 if self.regions == "whole" else _PARTS
        return (input_shape[0], count, input_shape[-1])


def _divided(size, parts):
    """Slices that cover `size` cells, none of them empty."""
    return [
        slice(place * size // parts, -(-(place + 1) * size // parts))
        for place in range(parts)
    ]
