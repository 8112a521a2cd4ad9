"""How a map is cut: the crops' size, resolution and distance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import WGS84

MOST_MISSING = 0.05
"""Share of a crop that may be without data, and is then filled."""

_LEAST_STEP = 0.5
_PIXELS = (8, 4096)
# Web Mercator at zoom 0: the equator in metres over 256 pixels.
_ZOOM_0 = 2 * math.pi * WGS84.a / 256


@dataclass(frozen=True)
class CropSettings:
    """Square, north-up crops on a grid.

    Attributes:
        crop_metres: ground that a crop covers a side.
        metres_per_pixel: of the crops, on the ground.
        step_metres: from one crop's centre to the next one's.
        most_missing: share of a crop's pixels that the map may lack.

    Raises:
        UserError: naming the setting, its value and what it may be.
    """

    crop_metres: float
    metres_per_pixel: float
    step_metres: float
    most_missing: float = MOST_MISSING

    def __post_init__(self) -> None:
        for name in ("crop_metres", "metres_per_pixel", "step_metres"):
            value = getattr(self, name)
            # Ids have positions to the sixth decimal of a degree.
            least = _LEAST_STEP if name == "step_metres" else 0.0
            if not (math.isfinite(value) and value > 0 and value >= least):
                limit = f"{least} metres or more" if least else "above 0 metres"
                raise UserError(f"{name}={value}: must be {limit}")
        if not 0 <= self.most_missing < 1:
            raise UserError(
                f"most_missing={self.most_missing}: must be a share from 0 to"
                " below 1"
            )
        pixels = self.crop_metres / self.metres_per_pixel
        if not _PIXELS[0] - 0.5 <= pixels <= _PIXELS[1] + 0.5:
            raise UserError(
                f"metres_per_pixel={self.metres_per_pixel:g}: makes a crop of"
                f" {self.crop_metres:g} m {pixels:.6g} pixels a side; must be"
                f" {_PIXELS[0]} to {_PIXELS[1]}"
            )

    @property
    def size(self) -> int:
        """Pixels a side, whole ones."""
        return round(self.crop_metres / self.metres_per_pixel)

    @property
    def pixel_metres(self) -> float:
        """Of a crop's side over its whole pixels."""
        return self.crop_metres / self.size


def crop_settings(
    dataset: str,
    crop_metres: float | None = None,
    metres_per_pixel: float | None = None,
    step_metres: float | None = None,
    most_missing: float | None = None,
) -> CropSettings:
    """Settings as given, else as the model's training images.

    Args:
        dataset: that the model was trained on.
        crop_metres, metres_per_pixel: None: as its training images.
        step_metres: None: half a crop.
        most_missing: None: 0.05.

    Raises:
        UserError: where a setting must be given, or is out of range.
    """
    side, pixel = trained_on(dataset) or (None, None)
    side = side if crop_metres is None else crop_metres
    pixel = pixel if metres_per_pixel is None else metres_per_pixel
    if side is None or pixel is None:
        missing = "crop_metres" if side is None else "metres_per_pixel"
        raise UserError(
            f"{missing}: must be given to cut a map; how much ground the"
            f" model's training images ({dataset or 'unknown'}) show isn't"
            " known"
        )
    return CropSettings(
        side,
        pixel,
        side / 2 if step_metres is None else step_metres,
        MOST_MISSING if most_missing is None else most_missing,
    )


def trained_on(dataset: str) -> tuple[float, float] | None:
    """Metres a side and a pixel of a data set's aerial images, if known.

    CVUSA's are 750 pixels of Bing's zoom 19 from all of the United States,
    here at their middle latitude; CVACT's 1200 pixels of Google's zoom 20
    from Canberra.
    """
    if dataset == "procedural":
        world = WorldSettings()
        return world.aerial_metres, world.aerial_metres / world.aerial_size
    zoom = {
        "cvusa": (19, 38.5, 750),
        "cvact": (20, -35.3, 1200),
        "cvact_test": (20, -35.3, 1200),
    }.get(dataset)
    if zoom is None:
        return None
    level, latitude, pixels = zoom
    pixel = _ZOOM_0 / 2**level * math.cos(math.radians(latitude))
    return round(pixels * pixel, 1), round(pixel, 4)
