"""The settings of Regmi and Shah's system, as its authors published it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from mgtl_tf.config.model import SYSTEMS, ModelConfig, published
from mgtl_tf.config.settings import refused, setting

TWO_STREAM, SYNTHESIS, JOINT, FUSION = (
    "two_stream",
    "synthesis",
    "joint",
    "fusion",
)
_CLASSES = {
    TWO_STREAM: "mgtl_tf.models.regmi.two_stream.TwoStreamBaseline",
    SYNTHESIS: "mgtl_tf.models.regmi.synthesis.AerialSynthesis",
    JOINT: "mgtl_tf.models.regmi.fusion.JointFeatures",
    FUSION: "mgtl_tf.models.regmi.fusion.FusedFeatures",
}
_SMALLEST_JUDGED = 48


@dataclass(frozen=True)
class RegmiConfig(ModelConfig):
    """Regmi and Shah (2019): their two-stream baseline, or their stages."""

    model_class: ClassVar[str] = _CLASSES[TWO_STREAM]
    stage_setting: ClassVar[str] = "regmi_stage"
    stage_classes: ClassVar[Mapping[str, str]] = _CLASSES

    system: str = published("system", "regmi")
    image_size: tuple[int, int] = published("image_size", (224, 1232))
    satellite_size: tuple[int, int] = published("satellite_size", (512, 512))
    satellite_form: str = published("satellite_form", "square")
    backbone_dropout: float = published("backbone_dropout", 0.5)
    strided_blocks: int = setting(
        8,
        "regmi, oricnn: strided convolutions of a view, the last three of which"
        " are compared; oricnn's has 7",
        least=3,
        below=9,
    )
    descriptor_size: int = setting(
        1000, "cvm_net, regmi, vo, workman: numbers of a descriptor", above=0
    )
    regmi_stage: str = setting(
        TWO_STREAM,
        "regmi: two_stream (the baseline without synthesis), or a stage of the"
        " published system: synthesis (an aerial image is made of a"
        " panorama), joint (features of panorama, aerial and synthesised"
        " image), fusion; joint and fusion start from a run of the stage"
        " before, which init_backbone names",
        _CLASSES,
    )
    synthesis_blocks: int = setting(
        7,
        "regmi: strided convolutions of the network that makes aerial images;"
        " the side of these, halved once more, must be a multiple of so many"
        " halvings",
        least=3,
        below=8,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.regmi_stage == TWO_STREAM:
            return
        if self.satellite_form != "square":
            raise refused(
                self, "satellite_form", f"square in stage {self.regmi_stage}"
            )
        if self.offset_head and self.regmi_stage == SYNTHESIS:
            remedy = "false in stage synthesis, where no loss trains the head"
            raise refused(self, "offset_head", remedy)
        least = 2 ** (self.synthesis_blocks + 1)
        side = self.satellite_size[0]
        if side % least or side < _SMALLEST_JUDGED:
            remedy = f"multiples of {least} from {_SMALLEST_JUDGED} on, with"
            remedy += f" synthesis_blocks={self.synthesis_blocks}"
            raise refused(self, "satellite_size", remedy)

    @property
    def learns_from_labels(self) -> bool:
        """See `ModelConfig`."""
        return self.regmi_stage == SYNTHESIS

    @property
    def trains_in_groups(self) -> bool:
        """See `ModelConfig`."""
        return self.regmi_stage in (SYNTHESIS, JOINT)

    def identity(self) -> dict[str, Any]:
        """See `ModelConfig`; the baseline is what it was before the stages."""
        fields = super().identity()
        if self.regmi_stage == TWO_STREAM:
            del fields["regmi_stage"], fields["synthesis_blocks"]
        return fields


SYSTEMS |= {"regmi": RegmiConfig}
