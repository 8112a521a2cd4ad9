"""The settings of systems on ConvNeXt, each as its authors published it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mgtl_tf.config.model import SYSTEMS, ModelConfig, published
from mgtl_tf.config.settings import refused, setting

_LEAST = 32
_SYSTEMS = "frgeo, sample4geo, mgtl_convnext"


@dataclass(frozen=True)
class ConvNeXtConfig(ModelConfig):
    """What systems on ConvNeXt have in common; by itself it is none."""

    training_fields: ClassVar[tuple[str, ...]] = (
        "learned_temperature",
        "convnext_layer_scale",
    )

    satellite_form: str = published("satellite_form", "square")
    convnext_depths: tuple[int, int, int, int] = setting(
        (3, 3, 9, 3),
        f"{_SYSTEMS}: blocks of ConvNeXt's four stages; -T 3,3,9,3, -S and -B"
        " 3,3,27,3",
        above=0,
    )
    convnext_widths: tuple[int, int, int, int] = setting(
        (96, 192, 384, 768),
        f"{_SYSTEMS}: channels of the four stages, which width_multiplier"
        " scales; -T and -S 96,192,384,768, -B 128,256,512,1024",
        above=0,
    )
    convnext_layer_scale: float = setting(
        1e-6,
        f"{_SYSTEMS}: where the scales of blocks start; 1e-6 as published, 1"
        " for a short training from random weights",
        above=0,
    )
    shared_trunk: bool = setting(
        False, f"{_SYSTEMS}: one network for both views; else one each"
    )
    descriptor_regions: str = setting(
        "whole",
        "frgeo, sample4geo: a descriptor is the mean of a view's map (whole),"
        " or those of its four quarters in an order that both views share",
        ("whole", "quarters"),
    )
    learned_temperature: float = setting(
        0.0,
        f"{_SYSTEMS}: temperature of info_nce that training starts with and"
        " learns; 0: that of --temperature, fixed",
        least=0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for view, name in (
            ("ground", "image_size"),
            ("satellite", "satellite_size"),
        ):
            if min(self.view_size(view)) < _LEAST:
                remedy = f"{_LEAST} or more either way in {self.system}"
                raise refused(self, name, remedy)

    @property
    def regions(self) -> dict[str, str]:
        """View to the regions of its map, as of `RegionMeans`."""
        if self.descriptor_regions == "whole":
            return {"ground": "whole", "satellite": "whole"}
        square = self.satellite_form == "square"
        return {
            "ground": "columns",
            "satellite": "square" if square else "columns",
        }


@dataclass(frozen=True)
class FRGeoConfig(ConvNeXtConfig):
    """FRGeo (Zhang and Zhu 2024): two ConvNeXt-T, quarters in order."""

    model_class: ClassVar[str] = (
        "mgtl_tf.models.convnext.frgeo.FeatureRecombination"
    )

    system: str = published("system", "frgeo")
    image_size: tuple[int, int] = published("image_size", (128, 512))
    satellite_size: tuple[int, int] = published("satellite_size", (256, 256))
    descriptor_regions: str = published(
        "descriptor_regions", "quarters", ConvNeXtConfig
    )


@dataclass(frozen=True)
class Sample4GeoConfig(ConvNeXtConfig):
    """Sample4Geo (Deuser et al. 2023): one ConvNeXt-B, mean of its map."""

    model_class: ClassVar[str] = (
        "mgtl_tf.models.convnext.sample4geo.SharedContrast"
    )

    system: str = published("system", "sample4geo")
    image_size: tuple[int, int] = published("image_size", (140, 768))
    satellite_size: tuple[int, int] = published("satellite_size", (384, 384))
    convnext_depths: tuple[int, int, int, int] = published(
        "convnext_depths", (3, 3, 27, 3), ConvNeXtConfig
    )
    convnext_widths: tuple[int, int, int, int] = published(
        "convnext_widths", (128, 256, 512, 1024), ConvNeXtConfig
    )
    shared_trunk: bool = published("shared_trunk", True, ConvNeXtConfig)
    # Where the authors' ln(1 / 0.07) begins.
    learned_temperature: float = published(
        "learned_temperature", 0.07, ConvNeXtConfig
    )


@dataclass(frozen=True)
class MGTLConvNeXtConfig(Sample4GeoConfig):
    """MGTL's recurrence on Sample4Geo's network; nobody has published it."""

    model_class: ClassVar[str] = (
        "mgtl_tf.models.convnext.mgtl_convnext.ConvNeXtGenerativeTransformer"
    )

    system: str = published("system", "mgtl_convnext")
    image_size: tuple[int, int] = published("image_size", (128, 512))
    satellite_size: tuple[int, int] = published("satellite_size", (0, 0))
    satellite_form: str = published("satellite_form", "polar")


SYSTEMS |= {
    "frgeo": FRGeoConfig,
    "sample4geo": Sample4GeoConfig,
    "mgtl_convnext": MGTLConvNeXtConfig,
}
