"""The settings of the peers of Table 1, each as its authors published it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mgtl_tf.config.model import SYSTEMS, ModelConfig, published
from mgtl_tf.config.settings import setting


@dataclass(frozen=True)
class L2LTRConfig(ModelConfig):
    """L2LTR (Yang et al. 2021): a hybrid ViT-B/16 at its own image size."""

    model_class: ClassVar[str] = "mgtl_tf.models.l2ltr.LayerToLayerTransformer"

    system: str = published("system", "l2ltr")
    image_size: tuple[int, int] = published("image_size", (128, 512))
    channels: int = published("channels", 768)
    heads: int = published("heads", 12)
    backbone_dropout: float = published("backbone_dropout", 0.1)
    vit_blocks: int = setting(
        12, "l2ltr: transformer blocks of each view", above=0
    )
    stem_blocks: tuple[int, int, int] = setting(
        (3, 4, 9),
        "l2ltr: residual units of the three stages of its stem",
        least=1,
    )


@dataclass(frozen=True)
class RegmiConfig(ModelConfig):
    """Regmi and Shah (2019): their two-stream baseline, without synthesis."""

    model_class: ClassVar[str] = "mgtl_tf.models.regmi.TwoStreamBaseline"

    system: str = published("system", "regmi")
    image_size: tuple[int, int] = published("image_size", (224, 1232))
    backbone_dropout: float = published("backbone_dropout", 0.5)
    strided_blocks: int = setting(
        8,
        "regmi: strided convolutions of a view, the last three of which are"
        " compared",
        least=3,
        below=9,
    )
    descriptor_size: int = setting(
        1000, "regmi, vo, workman: numbers of a descriptor", above=0
    )


@dataclass(frozen=True)
class WorkmanConfig(ModelConfig):
    """Workman et al. (2015): regression of a fixed ground network's output."""

    model_class: ClassVar[str] = (
        "mgtl_tf.models.workman.GroundFeatureRegression"
    )

    system: str = published("system", "workman")
    image_size: tuple[int, int] = published("image_size", (224, 224))
    poolings: int = published("poolings", 3)
    backbone_dropout: float = published("backbone_dropout", 0.5)
    descriptor_size: int = published("descriptor_size", 205, RegmiConfig)


@dataclass(frozen=True)
class ZhaiConfig(ModelConfig):
    """Zhai et al. (2017): a panorama's layout of classes, seen from above.

    Panoramas are label maps. The authors take the central 224 pixels of an
    aerial image of 750; whole images are resized here.
    """

    model_class: ClassVar[str] = "mgtl_tf.models.zhai.LayoutMatching"
    ground_form: ClassVar[str] = "labels"

    system: str = published("system", "zhai")
    image_size: tuple[int, int] = published("image_size", (224, 1232))
    satellite_size: tuple[int, int] = published("satellite_size", (224, 224))
    satellite_form: str = published("satellite_form", "square")
    layout_size: tuple[int, int] = setting(
        (8, 40), "zhai: rows,columns of the grid of a panorama", above=0
    )


SYSTEMS |= {
    "l2ltr": L2LTRConfig,
    "regmi": RegmiConfig,
    "workman": WorkmanConfig,
    "zhai": ZhaiConfig,
}
