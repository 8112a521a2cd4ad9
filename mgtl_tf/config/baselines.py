"""The settings of SAFA and of a linear probe: VGG-16, and one layer on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mgtl_tf.config.model import SYSTEMS, ModelConfig, published
from mgtl_tf.config.settings import setting


@dataclass(frozen=True)
class SAFAConfig(ModelConfig):
    """SAFA (Shi et al. 2019): VGG-16 at the paper's image size, 8 maps."""

    model_class: ClassVar[str] = "mgtl_tf.models.safa.SpatialAwareAggregation"

    system: str = published("system", "safa")
    attention_maps: int = setting(
        8, "safa: spatial maps, each of which gives one C-vector", above=0
    )


@dataclass(frozen=True)
class LinearProbeConfig(ModelConfig):
    """VGG-16's first blocks, meant to be frozen, and a linear map a column."""

    model_class: ClassVar[str] = "mgtl_tf.models.linear_probe.LinearProbe"

    system: str = published("system", "linear_probe")
    channels: int = published("channels", 48)
    backbone_dropout: float = published("backbone_dropout", 0.5)
    blocks: int = setting(
        4,
        "linear_probe: how many of VGG-16's five blocks it has; its dropout"
        " rate is of what the linear map reads",
        above=0,
        below=6,
    )


SYSTEMS |= {"safa": SAFAConfig, "linear_probe": LinearProbeConfig}
