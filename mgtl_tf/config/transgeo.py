"""The settings of TransGeo, as its authors published it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mgtl_tf.config.model import SYSTEMS, ModelConfig, published
from mgtl_tf.config.peers import L2LTRConfig
from mgtl_tf.config.regmi import RegmiConfig
from mgtl_tf.config.settings import refused, setting

WHOLE, CROPPED = "whole", "cropped"
_CLASSES = {
    WHOLE: "mgtl_tf.models.transgeo.stage_1.DistilledTransformers",
    CROPPED: "mgtl_tf.models.transgeo.stage_2.CroppedTransformers",
}


@dataclass(frozen=True)
class TransGeoConfig(ModelConfig):
    """TransGeo (Zhu et al. 2022): a DeiT-S a view, then cropped images."""

    model_class: ClassVar[str] = _CLASSES[WHOLE]
    training_fields: ClassVar[tuple[str, ...]] = ("position_deviation",)
    stage_setting: ClassVar[str] = "transgeo_stage"
    stage_classes: ClassVar[Mapping[str, str]] = _CLASSES

    system: str = published("system", "transgeo")
    satellite_size: tuple[int, int] = published("satellite_size", (256, 256))
    satellite_form: str = published("satellite_form", "square")
    backbone_dropout: float = published("backbone_dropout", 0.0)
    vit_blocks: int = published("vit_blocks", 12, L2LTRConfig)
    descriptor_size: int = published("descriptor_size", 1000, RegmiConfig)
    position_deviation: float = published(
        "position_deviation", 0.02, L2LTRConfig
    )
    patch_size: int = setting(
        16, "transgeo: side of a patch in pixels", above=0
    )
    transgeo_stage: str = setting(
        WHOLE,
        "transgeo: whole (stage 1: all patches of both images), or cropped"
        " (stage 2: of a larger aerial image the patches that stage 1 attends"
        " to), which starts from a run of whole that init_backbone names",
        _CLASSES,
    )
    kept_share: float = setting(
        0.64,
        "transgeo: share of an aerial image's patches that stage cropped keeps",
        above=0,
        below=1,
    )
    guide_size: tuple[int, int] = setting(
        (256, 256),
        "transgeo: satellite_size of the run of stage whole that stage cropped"
        " starts from; its aerial network sees the image in that size and says"
        " which patches are kept",
        above=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = {
            "image_size": self.view_size("ground"),
            "satellite_size": self.view_size("satellite"),
        }
        if self.transgeo_stage == CROPPED:
            sizes["guide_size"] = self.guide_size
            if self.satellite_form != "square":
                remedy = "square in stage cropped"
                raise refused(self, "satellite_form", remedy)
        for name, size in sizes.items():
            if min(size) < self.patch_size:
                remedy = f"patch_size={self.patch_size} or more either way"
                raise refused(self, name, remedy)

    @property
    def kept_patches(self) -> int:
        """How many of an aerial image's patches stage cropped keeps."""
        height, width = (n // self.patch_size for n in self.satellite_size)
        return max(1, int(self.kept_share * height * width))

    def identity(self) -> dict[str, Any]:
        """See `ModelConfig`; what a stage ignores decides nothing."""
        fields = super().identity()
        if self.transgeo_stage == WHOLE:
            del fields["kept_share"], fields["guide_size"]
        return fields


SYSTEMS |= {"transgeo": TransGeoConfig}
