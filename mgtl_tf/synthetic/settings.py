"""The settings of a synthetic world: one frozen value."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from mgtl_tf.datasets.vigor.labels import GRID_METRES
from mgtl_tf.utils.errors import UserError

WORLD_VERSION = 1
"""Raised whenever the same settings would draw other pictures, so that a
folder begun by an older program is never continued by a newer one."""

CVUSA_TRAIN_PAIRS = 35532
CVUSA_VAL_PAIRS = 8884

VIGOR_TILE_METRES = 2 * GRID_METRES
"""What 640 pixels of 0.114 m span: two steps of VIGOR's grid."""

STYLES = ("standard", "varied", "held_out")
LAYOUTS = ("cvusa", "vigor")

_LEAST = {
    "seed": 0,
    "train_pairs": 0,
    "val_pairs": 0,
    "aerial_size": 16,
    "ground_height": 8,
    "ground_width": 16,
    "pairs_per_map": 1,
    "supersampling": 1,
    "noise": 0,
    "cars": 0,
    "appearance_change": 0,
    "aerial_metres": 1,
    "spacing_min": 0.5,
    "camera_height": 0.1,
    "position_error_min": 0,
    "heading_error_min": 0,
    "aerial_metres_min": 0,
    "horizon_min": 0,
}
# Places are drawn a stride apart that keeps clear of both bounds.
_SPACING_RATIO = 1.25


@dataclasses.dataclass(frozen=True)
class WorldSettings:
    """Counts, sizes and strengths; lengths in metres, angles in degrees.

    Raises:
        UserError: for a value that no world can have.
    """

    seed: int = 0
    train_pairs: int = 6000  # over several maps
    val_pairs: int = 1000  # all from one further map
    aerial_size: int = 128  # side of an aerial image, pixels
    ground_height: int = 64  # of a panorama, pixels
    ground_width: int = 320  # 360 degrees
    aerial_metres: float = 60.0  # ground that an aerial image covers a side
    aerial_metres_min: float = 0.0  # the least that one does; 0: all the same
    metres_per_pixel: float = 0.25  # of the map's rasters
    pairs_per_map: int = 1000  # train places taken from one map
    spacing_min: float = 6.0  # from a place to its nearest one
    spacing_max: float = 12.0
    camera_height: float = 2.2  # of the panorama camera above the ground
    position_error_min: float = 1.0  # of the panorama camera
    position_error_max: float = 3.0
    heading_error_min: float = 1.0  # of the panorama camera
    heading_error_max: float = 3.0
    # 0 gives both views one light and season, 1 is the standard difference.
    appearance_change: float = 0.5
    horizon_min: float = 0.5  # of a panorama, as a share of its height
    horizon_max: float = 0.5
    noise: float = 0.8  # of the sensor, and JPEG loss; 1 is standard
    cars: float = 3.0  # in view on average, drawn anew in each view
    supersampling: int = 2  # rays a pixel and axis
    style: str = "standard"  # how maps differ in kind; see town/style.py
    labels: bool = False  # whether the classes of pixels are written as well
    # cvusa: an aerial image around each panorama; vigor: four cities of
    # overlapping aerial images, panoramas anywhere in them.
    layout: str = "cvusa"

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise UserError(f"{name} is {value}: give at least {least}")
        for name in ("position_error", "heading_error", "horizon"):
            least = getattr(self, f"{name}_min")
            if getattr(self, f"{name}_max") < least:
                raise UserError(
                    f"{name}_max is {getattr(self, f'{name}_max')}: give at"
                    f" least {name}_min={least}"
                )
        if self.aerial_metres_min > self.aerial_metres:
            raise UserError(
                f"aerial_metres_min is {self.aerial_metres_min}: give at most"
                f" aerial_metres={self.aerial_metres}"
            )
        if self.horizon_max > 1:
            raise UserError(f"horizon_max is {self.horizon_max}: at most 1")
        if self.spacing_max < _SPACING_RATIO * self.spacing_min:
            raise UserError(
                f"spacing_max is {self.spacing_max}: give at least"
                f" {_SPACING_RATIO} times spacing_min={self.spacing_min}"
            )
        for name, known in (("style", STYLES), ("layout", LAYOUTS)):
            if (value := getattr(self, name)) not in known:
                raise UserError(f"{name} is {value!r}: one of {known}")
        if self.layout == "vigor":
            self._check_vigor()
        if self.ground_height * 2 > self.ground_width:
            raise UserError(
                f"ground_size is {self.ground_height}x{self.ground_width}:"
                " a panorama of 360 degrees is at least twice as wide as high"
            )
        if self.train_pairs + self.val_pairs == 0:
            raise UserError("train_pairs and val_pairs are both 0")
        if self.train_pairs + self.val_pairs > 9_999_999:
            raise UserError("an ID has seven digits: ask for fewer pairs")

    @property
    def identity(self) -> str:
        """Names the world, whatever a processor's rounding does to its files.

        Settings at their defaults do not count, so that a later one changes
        no world from before.
        """
        fields = dataclasses.fields(self)
        changed = {
            f.name: getattr(self, f.name)
            for f in fields
            if getattr(self, f.name) != f.default
        }
        text = json.dumps([WORLD_VERSION, changed], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _check_vigor(self) -> None:
        if self.aerial_metres != VIGOR_TILE_METRES:
            raise UserError(
                f"aerial_metres is {self.aerial_metres}: {VIGOR_TILE_METRES}"
                " with layout=vigor, whose grid is of 36.48 m"
            )
        if self.labels or self.aerial_metres_min:
            raise UserError(
                "labels and aerial_metres_min belong to layout=cvusa; leave"
                " them out"
            )


def cvusa_form(settings: WorldSettings) -> WorldSettings:
    """The same world at CVUSA's own counts and image sizes."""
    return dataclasses.replace(
        settings,
        train_pairs=CVUSA_TRAIN_PAIRS,
        val_pairs=CVUSA_VAL_PAIRS,
        aerial_size=750,
        ground_height=224,
        ground_width=1232,
    )


def vigor_form(settings: WorldSettings) -> WorldSettings:
    """A world in VIGOR's layout: 60 panoramas a city, half to train on.

    Places lie farther apart, so that at most two of them fall on an aerial
    image, and panoramas may stand anywhere about them.
    """
    return dataclasses.replace(
        settings,
        layout="vigor",
        train_pairs=120,
        val_pairs=120,
        # The whole sphere, as VIGOR's panoramas.
        ground_height=128,
        ground_width=256,
        aerial_metres=VIGOR_TILE_METRES,
        spacing_min=12.0,
        spacing_max=30.0,
        position_error_min=0.0,
        position_error_max=6.0,
    )
