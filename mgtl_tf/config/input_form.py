"""In which form the images of both views enter a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mgtl_tf.config.settings import refused

SATELLITE_FORMS = ("polar", "square")
"""Polar-transformed, or as it is, north up, in another size."""

_AS_GROUND = (0, 0)

# A column of theirs is an azimuth, in both views the same.
_COMPARE_COLUMNS = ("mgtl", "mgtl_convnext", "linear_probe", "dsm")


@dataclass(frozen=True)
class InputForm:
    """Sizes of both views' network inputs, and what an aerial image becomes.

    Attributes:
        image_size: H, W of panoramas, pixels.
        satellite_size: of aerial images; (0, 0): as of panoramas.
        satellite_form: one of SATELLITE_FORMS, or labels: the label map of
            a square image.
        ground_form: image, or labels: the label map of a panorama, or none:
            aerial images alone; a panorama of no pixels stands beside each.
    """

    image_size: tuple[int, int]
    satellite_size: tuple[int, int] = _AS_GROUND
    satellite_form: str = "polar"
    ground_form: str = "image"

    def size(self, view: str) -> tuple[int, int]:
        """H, W in pixels of "ground" or "satellite"."""
        if view == "ground" and self.ground_form == "none":
            return 0, 0
        if view == "ground" or self.satellite_size == _AS_GROUND:
            return self.image_size
        return self.satellite_size

    @property
    def name(self) -> str:
        """Part of a file's name: "32x160", or "32x160-square-64x64"."""
        name = "x".join(map(str, self.image_size))
        if self.ground_form != "image":
            name = f"{name}-{self.ground_form}"
        if "satellite_form" not in self.settings:
            return name
        size = "x".join(map(str, self.size("satellite")))
        return f"{name}-{self.satellite_form}-{size}"

    @property
    def settings(self) -> dict[str, Any]:
        """What files and digests say beyond image_size.

        Nothing where panoramas are images, and aerial images polar and as
        large: all were, before they could differ, and older files agree.
        """
        found: dict[str, Any] = {}
        size = self.size("satellite")
        if size != self.image_size or self.satellite_form != "polar":
            found["satellite_size"] = list(size)
            found["satellite_form"] = self.satellite_form
        if self.ground_form != "image":
            found["ground_form"] = self.ground_form
        return found


def check_satellite(config: Any) -> None:
    """Refuses sizes and forms of aerial images that a system does not take.

    Args:
        config: a `ModelConfig`.

    Raises:
        UserError: naming the field, its value and the remedy.
    """
    (height, width), form = config.satellite_size, config.satellite_form
    if bool(height) != bool(width):
        raise refused(config, "satellite_size", "0,0 or both above 0")
    compares = config.system in _COMPARE_COLUMNS
    if compares and config.input_form.settings:
        name = "satellite_size" if form == "polar" else "satellite_form"
        remedy = "0,0" if form == "polar" else "polar"
        why = "which compares the views' columns"
        raise refused(config, name, f"{remedy} in {config.system}, {why}")
    if form == "square" and not height == width > 0:
        remedy = "two equal numbers of pixels with satellite_form=square"
        raise refused(config, "satellite_size", remedy)
