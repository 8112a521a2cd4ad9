"""FRGeo: quarters of a place in an order that both views share (2024)."""

from __future__ import annotations

import functools

import keras

from mgtl_tf import losses
from mgtl_tf.models.convnext.convnext_model import ConvNeXtModel

_LOSS = functools.partial(
    losses.info_nce_loss, temperature=0.1, label_smoothing=0.0
)


@keras.saving.register_keras_serializable("mgtl_tf")
class FeatureRecombination(ConvNeXtModel):
    """FRGeo: a ConvNeXt-T a view, the means of its map's four quarters.

    Its loss, the mean over queries of both directions of
    ln(1 + sum over negatives of exp(10 (cos_neg - cos_pos))), is InfoNCE at
    temperature 0.1 without smoothed labels, which `fit` takes by default and
    its preset says.

    With 128 x 512 panoramas and aerial images of 256 x 256 55,640,256
    parameters and descriptors of 4 x 768 = 3,072 numbers.

    Reference: Zhang and Zhu, "Aligning Geometric Spatial Layout in Cross-View
    Geo-Localization via Feature Recombination", AAAI 2024.
    """

    system = "frgeo"

    def retrieval_loss(
        self,
        ground,
        satellite,
        negatives=None,
        default=_LOSS,
        **options,
    ):
        """See `ConvNeXtModel`."""
        return super().retrieval_loss(
            ground, satellite, negatives, default, **options
        )
