"""The settings of the peers of Table 1, each as its authors published it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mgtl_tf.config.model import SYSTEMS, ModelConfig, published
from mgtl_tf.config.regmi import RegmiConfig
from mgtl_tf.config.settings import refused, setting
from mgtl_tf.utils.scorers import DISTANCE, Scorer


@dataclass(frozen=True)
class L2LTRConfig(ModelConfig):
    """L2LTR (Yang et al. 2021): a hybrid ViT-B/16 at its own image size."""

    model_class: ClassVar[str] = "mgtl_tf.models.l2ltr.LayerToLayerTransformer"
    training_fields: ClassVar[tuple[str, ...]] = ("position_deviation",)

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
    position_deviation: float = setting(
        0.02,
        "l2ltr, transgeo: standard deviation at which learned positions start;"
        " 0.02 as published, 2 for a short training from random weights",
        above=0,
    )


@dataclass(frozen=True)
class CVMNetConfig(ModelConfig):
    """CVM-Net (Hu et al. 2018): plain aerial images, NetVLAD, 4,096 numbers."""

    model_class: ClassVar[str] = (
        "mgtl_tf.models.cvm_net.CrossViewMatchingNetwork"
    )

    system: str = published("system", "cvm_net")
    image_size: tuple[int, int] = published("image_size", (224, 1232))
    satellite_size: tuple[int, int] = published("satellite_size", (512, 512))
    satellite_form: str = published("satellite_form", "square")
    poolings: int = published("poolings", 4)
    cvm_net: str = setting(
        "I",
        "cvm_net: which of its authors' two: I (a NetVLAD a view, one map of"
        " both to descriptors), or II (all shared from the second convolution"
        " after VGG-16 on)",
        ("I", "II"),
    )
    clusters: int = setting(64, "cvm_net: clusters of NetVLAD", above=0)
    descriptor_size: int = published("descriptor_size", 4096, RegmiConfig)
    projection_bias: float = setting(
        0.1,
        "cvm_net: at which the biases of I's linear map start; among weights"
        " of 0.005 the authors' 0.1 makes all descriptors alike to three parts"
        " in a million, which many thousand steps must undo",
    )


@dataclass(frozen=True)
class CVFTConfig(ModelConfig):
    """CVFT (Shi et al. 2020): plain aerial images, feature transport."""

    model_class: ClassVar[str] = "mgtl_tf.models.cvft.CrossViewFeatureTransport"

    system: str = published("system", "cvft")
    satellite_size: tuple[int, int] = published("satellite_size", (256, 256))
    satellite_form: str = published("satellite_form", "square")
    poolings: int = published("poolings", 4)
    channels: int = published("channels", 64)
    # It has no attention; one divides any number of channels.
    heads: int = published("heads", 1)
    transport_rounds: int = setting(
        20, "cvft: how often Sinkhorn scales rows and columns", above=0
    )
    transport_sharpness: float = setting(
        100.0, "cvft: what costs of transport are multiplied by", above=0
    )


@dataclass(frozen=True)
class WorkmanConfig(ModelConfig):
    """Workman et al. (2015): regression of a fixed ground network's output."""

    model_class: ClassVar[str] = (
        "mgtl_tf.models.workman.GroundFeatureRegression"
    )

    system: str = published("system", "workman")
    image_size: tuple[int, int] = published("image_size", (224, 224))
    satellite_size: tuple[int, int] = published("satellite_size", (224, 224))
    satellite_form: str = published("satellite_form", "square")
    poolings: int = published("poolings", 3)
    backbone_dropout: float = published("backbone_dropout", 0.5)
    descriptor_size: int = published("descriptor_size", 205, RegmiConfig)


@dataclass(frozen=True)
class WorkmanVGG16Config(ModelConfig):
    """Workman et al. (2015) with ImageNet's VGG-16 in place of AlexNet."""

    model_class: ClassVar[str] = (
        "mgtl_tf.models.workman_vgg16.GroundMapRegression"
    )

    system: str = published("system", "workman_vgg16")


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


@dataclass(frozen=True)
class VoConfig(ModelConfig):
    """Vo and Hays (2016): distances of unnormalised vectors, turned images."""

    model_class: ClassVar[str] = "mgtl_tf.models.vo.DistanceBasedLogistic"

    system: str = published("system", "vo")
    image_size: tuple[int, int] = published("image_size", (230, 230))
    satellite_size: tuple[int, int] = published("satellite_size", (250, 250))
    satellite_form: str = published("satellite_form", "square")
    poolings: int = published("poolings", 3)
    backbone_dropout: float = published("backbone_dropout", 0.01)
    descriptor_size: int = published("descriptor_size", 1024, RegmiConfig)
    largest_turn: float = setting(
        180.0,
        "vo: degrees by which aerial images are turned at most while training,"
        " and scaled by a tenth; 0: neither",
        least=0,
    )
    crop_margins: tuple[int, int] = setting(
        (3, 13),
        "vo: pixels that panoramas and aerial images lose on each side; while"
        " training the crop is anywhere",
        least=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.offset_head and self.largest_turn:
            why = "with offset_head: the network turns images by itself"
            raise refused(self, "largest_turn", f"0 {why}")

    @property
    def scorer(self) -> Scorer:
        """Minus the squared distance."""
        return DISTANCE


@dataclass(frozen=True)
class OriCNNConfig(ModelConfig):
    """OriCNN (Liu and Li 2019): images with maps of their directions."""

    model_class: ClassVar[str] = "mgtl_tf.models.oricnn.OrientationNetwork"
    orientation_channels: ClassVar[bool] = True

    system: str = published("system", "oricnn")
    image_size: tuple[int, int] = published("image_size", (224, 1232))
    satellite_size: tuple[int, int] = published("satellite_size", (512, 512))
    satellite_form: str = published("satellite_form", "square")
    strided_blocks: int = published("strided_blocks", 7, RegmiConfig)
    panorama_pitch: float = setting(
        0.0,
        "oricnn: degrees above the horizon at a panorama's top row, where it"
        " was squeezed: 45 of CVACT's middle rows, 90 of whole spheres; 0: as"
        " many a pixel as across",
        least=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.strided_blocks > 7:
            raise refused(self, "strided_blocks", "7 at most in oricnn")
        if self.panorama_pitch > 90:
            raise refused(self, "panorama_pitch", "90 at most")

    def identity(self) -> dict[str, Any]:
        """See `ModelConfig`."""
        fields = super().identity()
        if not self.panorama_pitch:  # Digests of networks before it agree.
            del fields["panorama_pitch"]
        return fields


SYSTEMS |= {
    "l2ltr": L2LTRConfig,
    "oricnn": OriCNNConfig,
    "workman": WorkmanConfig,
    "workman_vgg16": WorkmanVGG16Config,
    "zhai": ZhaiConfig,
    "cvm_net": CVMNetConfig,
    "cvft": CVFTConfig,
    "vo": VoConfig,
}
