"""In which form the images of both views enter a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SATELLITE_FORMS = ("polar", "square")
"""Polar-transformed, or as it is, north up, in another size."""

_AS_GROUND = (0, 0)


@dataclass(frozen=True)
class InputForm:
    """Sizes of both views' network inputs, and what an aerial image becomes.

    Attributes:
        image_size: H, W of panoramas, pixels.
        satellite_size: of aerial images; (0, 0): as of panoramas.
        satellite_form: one of SATELLITE_FORMS.
    """

    image_size: tuple[int, int]
    satellite_size: tuple[int, int] = _AS_GROUND
    satellite_form: str = "polar"

    def size(self, view: str) -> tuple[int, int]:
        """H, W in pixels of "ground" or "satellite"."""
        if view == "ground" or self.satellite_size == _AS_GROUND:
            return self.image_size
        return self.satellite_size

    @property
    def name(self) -> str:
        """Part of a file's name: "32x160", or "32x160-square-64x64"."""
        name = "x".join(map(str, self.image_size))
        if not self.satellite_settings:
            return name
        size = "x".join(map(str, self.size("satellite")))
        return f"{name}-{self.satellite_form}-{size}"

    @property
    def satellite_settings(self) -> dict[str, Any]:
        """What files and digests say of aerial images.

        Nothing where they are polar and as large as panoramas: all were,
        before they could differ, and so older files still agree.
        """
        size = self.size("satellite")
        if size == self.image_size and self.satellite_form == "polar":
            return {}
        return {
            "satellite_size": list(size),
            "satellite_form": self.satellite_form,
        }
