"""The settings of DSM, as its authors published it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mgtl_tf.config.model import SYSTEMS, ModelConfig, published
from mgtl_tf.config.settings import refused, setting
from mgtl_tf.utils.scorers import DOT, Scorer
from mgtl_tf.utils.shift_scorer import ShiftScorer


@dataclass(frozen=True)
class DSMConfig(ModelConfig):
    """DSM (Shi et al. 2020): VGG-16 to conv4_3, columns of azimuths."""

    model_class: ClassVar[str] = "mgtl_tf.models.dsm.DynamicSimilarityMatching"
    # Its aerial branch pads in its own way.
    caches_features: ClassVar[bool] = False

    system: str = published("system", "dsm")
    image_size: tuple[int, int] = published("image_size", (128, 512))
    poolings: int = published("poolings", 3)
    shift_search: bool = setting(
        False,
        "dsm: compare at the best of all circular shifts, for panoramas of"
        " unknown heading, which is then found; else as they stand",
    )
    field_of_view: int = setting(
        360,
        "dsm: degrees of a panorama's middle that the network sees",
        above=0,
        below=361,
    )

    @property
    def scorer(self) -> Scorer:
        """See `ModelConfig`."""
        if not self.shift_search:
            return DOT
        return ShiftScorer(self.image_size[1] // self.column_pixels)

    @property
    def column_pixels(self) -> int:
        """Of an image, for a column of features."""
        return int(2 ** min(self.poolings, 4))

    @property
    def seen_columns(self) -> int:
        """Of a panorama, pixels."""
        return max(1, self.image_size[1] * self.field_of_view // 360)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size[1] % self.column_pixels:
            raise refused(
                self,
                "image_size",
                f"of a width that {self.column_pixels} divides, so that"
                " columns of features go round 360 degrees",
            )


SYSTEMS |= {"dsm": DSMConfig}
