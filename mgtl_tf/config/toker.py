"""The settings of Toker et al.'s system, as its authors published it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mgtl_tf.config.baselines import SAFAConfig
from mgtl_tf.config.model import SYSTEMS, ModelConfig, published
from mgtl_tf.config.settings import refused, setting


@dataclass(frozen=True)
class TokerConfig(ModelConfig):
    """Toker et al. (2021): retrieval, with or without synthesis."""

    model_class: ClassVar[str] = "mgtl_tf.models.toker.ComingDownToEarth"
    training_fields: ClassVar[tuple[str, ...]] = ("generator_loss_weights",)

    system: str = published("system", "toker")
    attention_maps: int = published("attention_maps", 8, SAFAConfig)
    ground_blocks: tuple[int, int, int] = setting(
        (3, 4, 6),
        "toker: blocks of the three stages of the panoramas' ResNet",
        least=1,
    )
    residual_blocks: int = setting(
        6, "toker: residual blocks of the aerial images' encoder", least=0
    )
    generator: bool = setting(
        False,
        "toker: train against a discriminator, with a decoder that makes street"
        " views (the published form); else by retrieval alone",
    )
    generator_loss_weights: tuple[float, float, float] = setting(
        (1000.0, 1.0, 100.0),
        "toker: weights, in the generator's loss, of retrieval, of deceiving"
        " the discriminator, and of the difference from the panorama",
        least=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.generator and self.satellite_form != "polar":
            raise refused(self, "generator", "false but of polar aerial images")
        size = self.image_size
        if self.generator and (min(size) < 24 or size[0] % 8 or size[1] % 8):
            remedy = "multiples of 8 from 24 on with generator"
            raise refused(self, "image_size", remedy)

    @property
    def trains_in_groups(self) -> bool:
        """See `ModelConfig`."""
        return self.generator

    def identity(self) -> dict[str, Any]:
        """See `ModelConfig`; descriptors are the same in both forms."""
        fields = super().identity()
        if not self.generator:
            del fields["generator"]
        return fields


SYSTEMS |= {"toker": TokerConfig}
