"""Sample4Geo: one network for both views, and batches of neighbours (2023)."""

from __future__ import annotations

import keras

from mgtl_tf.models.convnext.convnext_model import ConvNeXtModel


@keras.saving.register_keras_serializable("mgtl_tf")
class SharedContrast(ConvNeXtModel):
    """Sample4Geo: one ConvNeXt-B for panoramas and aerial images.

    What it learns from is what a batch holds: places near to each other on
    the map at first, then places of like descriptors, by the settings
    `mining_...`. Symmetric InfoNCE, of a learnt temperature.

    With 140 x 768 panoramas and aerial images of 384 x 384 87,566,464
    parameters, one more of the temperature, and descriptors of 1,024 numbers.

    Reference: Deuser, Habel, Oswald, "Sample4Geo: Hard Negative Sampling For
    Cross-View Geo-Localisation", ICCV 2023.
    """

    system = "sample4geo"
